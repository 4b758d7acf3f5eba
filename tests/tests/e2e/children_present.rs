//! Where the host says that children are present: every photo is asked about, bystanders are blurred, nothing says of its taking; and all is as before
//! once they are not.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, Exif, Variation};
use inframe_tests::scene::{SOON, Scene, WORKED, announce, received, upload};
use inframe_tests::views::{Approval, EventPatch};
use inframe_tests::wait::{Seen, wait_until};

fn children(present: bool) -> EventPatch {
    EventPatch { children_present: Some(present), ..EventPatch::default() }
}

/// The host says it, and the photographer's node has heard.
async fn say(scene: &Scene, present: bool) -> Result<()> {
    let changed = scene.host.api().patch_event(&scene.event, &children(present)).await?;
    ensure!(changed.children_present == present);
    wait_until("the word at the photographer", SOON, async || {
        let seen = scene.photographer.api().event(&scene.event).await?;
        Ok(Seen::when((seen.children_present == present).then_some(()), || "not yet".to_owned()))
    })
    .await
}

async fn question(api: &Api, asset: &str) -> Result<Approval> {
    wait_until("a question", WORKED, async || {
        let waiting = api.approvals("waiting").await?;
        Ok(Seen::when(waiting.iter().find(|one| one.asset == asset).cloned(), || format!("{waiting:?}")))
    })
    .await
}

async fn told(node: &Daemon) -> Result<Vec<String>> {
    Ok(node.api().activity().await?.into_iter().map(|entry| entry.text).collect())
}

/// Her photo as a camera would have written it, lighter or darker.
fn photo(light: f32) -> Result<Vec<u8>> {
    let taken = Some("2026:05:01 12:00:00".to_owned());
    let exif = Exif { taken, model: Some("Box".to_owned()), location: true, ..Exif::default() };
    photos::with_exif(&photos::varied(1, Variation::Darker(light))?, &exif)
}

#[tokio::test]
async fn d4_where_children_are_present_nothing_goes_unasked_and_else_all_is_as_before() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let (api, event) = (scene.photographer.api(), scene.event.as_str());
    let members = api.event(event).await?.members;
    let finder = &members.iter().find(|member| member.nickname == "Finder").context("no finder")?.id;
    // All that would have it go by itself, and with everything that it says.
    api.member_policy(event, finder, "automatic").await?;
    api.set_details(event, finder, true, true, true).await?;
    let refused = refusal(api.patch_event(event, &children(true)).await)?;
    ensure!(refused.status == 403, "only the host: {refused}");
    say(&scene, true).await?;
    let first = upload(api, "first.jpg", photo(0.8)?).await?;
    let second = upload(api, "second.jpg", photo(0.95)?).await?;
    announce(scene.finder.api(), event).await?;

    let asked = question(api, &first).await?;
    question(api, &second).await?;
    ensure!(asked.grade == "sure" && asked.children_present && !asked.child, "{asked:?}");
    ensure!(asked.blurred_faces > 0, "bystanders are blurred though the host has not said so by itself: {asked:?}");
    ensure!(!scene.host.api().event(event).await?.blur_bystanders, "that setting is kept as it was");
    scene.wait_for_rest().await?;
    ensure!(received(scene.finder.api()).await?.is_empty(), "d4: nothing goes by itself");
    // "Always" is no answer here; a plain yes to this photo is.
    let refused = refusal(api.decide(&asked.id, "allow", true).await)?;
    ensure!(refused.kind.contains("children-present"), "{refused}");
    api.decide(&asked.id, "allow", false).await?;
    let got = scene.wait_for_received(1).await?;
    scene.wait_for_rest().await?;
    ensure!(received(scene.finder.api()).await?.len() == 1, "the other one still waits");
    ensure!(!got[0].has_location && got[0].taken_at.is_none(), "d4: neither place nor time: {:?}", got[0]);
    let bytes = scene.finder.api().original(&got[0].id).await?;
    ensure!(!bytes.windows(10).any(|ten| ten == b"2026:05:01"), "d4: nor in the file");

    // "Never" refuses at once.
    api.member_policy(event, finder, "never").await?;
    wait_until("no question", SOON, async || {
        let waiting = api.approvals("waiting").await?;
        Ok(Seen::when(waiting.is_empty().then_some(()), || format!("{waiting:?}")))
    })
    .await?;
    api.member_policy(event, finder, "automatic").await?;
    question(api, &second).await?;

    // No child is present any more: what was chosen before holds, for whom and with what.
    say(&scene, false).await?;
    let before = got[0].id.clone();
    let got = scene.wait_for_received(2).await?;
    let came = got.iter().find(|asset| asset.id != before).context("a second photo")?;
    ensure!(came.has_location && came.taken_at.is_some(), "as it was chosen before: {came:?}");
    ensure!(api.approvals("waiting").await?.is_empty(), "and nobody is asked");

    // What they have is past asking when the word comes back; what is new is not.
    say(&scene, true).await?;
    let third = upload(api, "third.jpg", photo(0.7)?).await?;
    question(api, &third).await?;
    scene.wait_for_rest().await?;
    ensure!(api.approvals("waiting").await?.iter().all(|one| one.asset == third), "only what has not gone");

    let (host, member) = (told(&scene.host).await?, told(&scene.photographer).await?);
    for said in ["that children are present:", "that children are not present any more:"] {
        ensure!(
            host.iter().any(|text| text.starts_with("You said of Summer party") && text.contains(said)),
            "{host:?}"
        );
        let theirs = |text: &String| text.starts_with("The host of Summer party says") && text.contains(said);
        ensure!(member.iter().any(theirs), "{member:?}");
    }
    Ok(())
}
