//! An answer that is taken back before anything has left by it.

use anyhow::{Context as _, Result, ensure};
use inframe_tests::api::{Api, refusal};
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{Scene, WORKED, announce, received, upload};
use inframe_tests::views::{Approval, Transfer};
use inframe_tests::wait::{Seen, wait_until};

/// Longer than the test.
const LONG_S: u32 = 600;
const SHORT_S: u32 = 2;

async fn questions(api: &Api, count: usize) -> Result<Vec<Approval>> {
    wait_until(&format!("{count} questions"), WORKED, async || {
        let waiting = api.approvals("waiting").await?;
        Ok(Seen::when((waiting.len() == count).then(|| waiting.clone()), || format!("{waiting:?}")))
    })
    .await
}

async fn transfers(api: &Api, state: &str, reason: &str, count: usize) -> Result<Vec<Transfer>> {
    wait_until(&format!("{count} transfers that are {state}"), WORKED, async || {
        let mut all = api.transfers().await?;
        all.retain(|one| one.state == state && one.reason.as_deref().is_some_and(|why| why.contains(reason)));
        Ok(Seen::when((all.len() == count).then(|| all.clone()), || format!("{all:?}")))
    })
    .await
}

async fn policy_for_finder(scene: &Scene) -> Result<String> {
    let event = scene.photographer.api().event(&scene.event).await?;
    let finder = event.members.iter().find(|member| member.nickname == "Finder").context("no finder")?;
    Ok(finder.policy.clone())
}

#[tokio::test]
async fn d4_nothing_leaves_by_a_yes_that_can_still_be_taken_back() -> Result<()> {
    let scene = Scene::gather("ask").await?;
    let photographer = scene.photographer.api();
    photographer.undo_within(LONG_S).await?;
    let too_long = refusal(photographer.undo_within(LONG_S + 1).await)?;
    ensure!(too_long.status == 422 || too_long.status == 400, "{too_long}");
    upload(photographer, "terrace.jpg", photos::varied(1, Variation::Darker(0.95))?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let asked = questions(photographer, 1).await?.remove(0);
    ensure!(asked.undo_until.is_none(), "nothing to take back yet");
    let unanswered = refusal(photographer.take_back(&asked.id).await)?;
    ensure!(unanswered.status == 409, "{unanswered}");
    ensure!(policy_for_finder(&scene).await? == "event");

    // "Always" as well: what is found after it waits with it.
    let allowed = photographer.decide(&asked.id, "allow", true).await?;
    ensure!(allowed.state == "allowed" && allowed.undo_until.is_some(), "{allowed:?}");
    ensure!(policy_for_finder(&scene).await? == "automatic");
    upload(photographer, "terrace, darker.jpg", photos::varied(1, Variation::Darker(0.93))?).await?;
    transfers(photographer, "waiting", "take your answer back", 2).await?;
    ensure!(scene.finder.api().transfers().await?.is_empty(), "d4: it is not even offered");

    let open = photographer.take_back(&asked.id).await?;
    ensure!(open.state == "waiting" && open.undo_until.is_none(), "{open:?}");
    ensure!(policy_for_finder(&scene).await? == "event", "the rule for her is as before");
    questions(photographer, 2).await?;
    ensure!(refusal(photographer.take_back(&asked.id).await)?.status == 409, "once");
    transfers(photographer, "cancelled", "", 2).await?;
    ensure!(received(scene.finder.api()).await?.is_empty() && scene.finder.api().transfers().await?.is_empty());

    // A no can be taken back as well, and "never" with it.
    photographer.decide(&asked.id, "never", false).await?;
    ensure!(policy_for_finder(&scene).await? == "never");
    photographer.take_back(&asked.id).await?;
    ensure!(policy_for_finder(&scene).await? == "event");
    questions(photographer, 2).await?;

    // And what is not taken back goes when its time is over, not before.
    photographer.undo_within(SHORT_S).await?;
    let allowed = photographer.decide(&asked.id, "allow", false).await?;
    let until = allowed.undo_until.context("it can be taken back")?;
    scene.wait_for_received(1).await?;
    let left = photographer.activity().await?.into_iter().find(|one| one.kind == "left").context("nothing left")?;
    ensure!(left.at >= until, "d4: it went {} ms too early", until - left.at);
    let late = refusal(photographer.take_back(&asked.id).await)?;
    ensure!(late.status == 409 && late.to_string().contains("asked back"), "{late}");
    Ok(())
}
