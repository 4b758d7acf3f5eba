//! Who can see what, everything about the owner in one document, and receipts that can be checked.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use inframe_tests::cli::answer;
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{Scene, announce, upload};
use serde_json::Value;

fn list<'a>(of: &'a Value, name: &str) -> Result<&'a Vec<Value>> {
    of[name].as_array().with_context(|| format!("no list {name} in {of}"))
}

#[tokio::test]
async fn the_owner_sees_who_has_what_and_gets_all_of_it() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let photographer = scene.photographer.api();
    let before = photographer.privacy().await?;
    ensure!(list(&before, "shares")?.is_empty() && list(&before, "faces_held")?.is_empty(), "{before}");
    ensure!(list(&before, "rules")?[0]["policy"] == "automatic", "{before}");
    for (name, light) in [("one.jpg", 0.9), ("two.jpg", 0.8)] {
        upload(photographer, name, photos::varied(1, Variation::Darker(light))?).await?;
    }
    announce(scene.finder.api(), &scene.event).await?;
    scene.wait_for_received(2).await?;
    scene.wait_for_rest().await?;

    let after = photographer.privacy().await?;
    let shares = list(&after, "shares")?;
    ensure!(shares.len() == 1 && shares[0]["nickname"] == "Finder" && shares[0]["photos"] == 2, "{after}");
    ensure!(list(&after, "faces_held")?[0]["faces"] == 1, "{after}");

    // Everything about her, with her pictures and their numbers, and nothing of keys.
    let all = scene.finder.api().about_me().await?;
    let selfies = list(&all, "selfies")?;
    ensure!(!selfies.is_empty(), "no selfies");
    ensure!(selfies[0]["numbers"].as_array().is_some_and(|numbers| numbers.len() == 128), "{}", selfies[0]["numbers"]);
    // What every JPEG begins with, in Base64.
    ensure!(
        selfies[0]["still_jpeg_base64"].as_str().is_some_and(|still| still.starts_with("/9j/")),
        "the picture is none"
    );
    for part in ["consents", "events", "transfers", "activity", "profiles"] {
        ensure!(!list(&all, part)?.is_empty(), "{part} is empty");
    }
    let newest = all["activity"][0]["seq"].as_u64().context("no number")?;
    ensure!(list(&all, "activity")?.len() as u64 >= newest, "every entry since the first");
    Ok(())
}

#[tokio::test]
async fn a_receipt_is_signed_and_a_changed_one_is_found_out() -> Result<()> {
    let scene = Scene::gather("ask").await?;
    announce(scene.finder.api(), &scene.event).await?;
    let receipts = scene.finder.api().receipts().await?;
    ensure!(receipts.len() == 2, "one for the faces and one for the event: {receipts:?}");
    let file = scene.finder.folder().join("receipts.json");
    let checked = |receipts: &[Value]| -> Result<Vec<String>> {
        fs::write(&file, serde_json::to_vec(receipts)?)?;
        let said = answer(&scene.finder, &["profile", "receipts", "--check", &file.display().to_string()])?;
        Ok(said.lines().skip(1).map(|line| line.split_whitespace().last().unwrap_or_default().to_owned()).collect())
    };
    ensure!(checked(&receipts)? == ["good", "good"]);
    for (field, value) in [("at", Value::from(1)), ("scope", "guardian".into()), ("signature", "00".repeat(64).into())]
    {
        let mut changed = receipts.clone();
        changed[1][field] = value;
        ensure!(checked(&changed)? == ["good", "WRONG"], "{field} was changed");
    }
    let mut changed = receipts.clone();
    let statement = changed[0]["statement"].as_str().unwrap_or_default().replace("scope: faces", "scope: guardian");
    changed[0]["statement"] = statement.into();
    changed[0]["scope"] = "guardian".into();
    ensure!(checked(&changed)? == ["WRONG", "good"], "the statement was changed");
    Ok(())
}
