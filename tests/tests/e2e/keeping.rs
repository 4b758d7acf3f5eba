//! Sealed photos for members who are away, kept by one who is always on.

use anyhow::{Result, ensure};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos;
use inframe_tests::scene::{SOON, Scene, WORKED, announce, upload};
use inframe_tests::views::{EventPatch, Transfer};
use inframe_tests::wait::{Seen, wait_until};

const ROOM_BYTES: u64 = 1 << 30;

/// The host keeps for others, the finder looks for herself and is gone, and then a photo of her comes to the photographer, who gives it to the host.
async fn kept() -> Result<Scene> {
    let mut scene = Scene::gather("automatic").await?;
    scene.host.api().keep_for_others(Some(ROOM_BYTES)).await?;
    announce(scene.finder.api(), &scene.event).await?;
    for node in [&scene.photographer, &scene.host] {
        wait_until("the find-me", SOON, async || {
            let members = node.api().event(&scene.event).await?.members;
            Ok(Seen::when(members.iter().any(|member| member.looking).then_some(()), || format!("{members:?}")))
        })
        .await?;
    }
    scene.finder.stop().await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    wait_for_kept(&scene.host, 1).await?;
    Ok(scene)
}

async fn wait_for_kept(keeper: &Daemon, count: u64) -> Result<()> {
    wait_until(&format!("{count} kept at the host"), WORKED, async || {
        let keeping = keeper.api().settings().await?.keeping;
        ensure!(keeping.count > 0 || keeping.bytes == 0, "{keeping:?}");
        Ok(Seen::when((keeping.count == count).then_some(()), || format!("{keeping:?}")))
    })
    .await
}

async fn wait_for_transfer(node: &Daemon, is_it: impl Fn(&Transfer) -> bool) -> Result<()> {
    wait_until("the transfer", WORKED, async || {
        let transfers = node.api().transfers().await?;
        ensure!(transfers.len() <= 1, "{transfers:?}");
        Ok(Seen::when(transfers.iter().any(&is_it).then_some(()), || format!("{transfers:?}")))
    })
    .await
}

async fn is_noted(node: &Daemon, words: &str) -> Result<()> {
    let entries = node.api().activity().await?;
    ensure!(entries.iter().any(|entry| entry.text.contains(words)), "{words}: {entries:?}");
    Ok(())
}

#[tokio::test]
async fn a_photo_comes_from_somebody_who_is_never_there_at_the_same_time() -> Result<()> {
    let mut scene = kept().await?;
    wait_for_transfer(&scene.photographer, |transfer| {
        transfer.state == "waiting"
            && transfer.reason.as_deref().is_some_and(|why| why.contains("Host keeps it for them"))
    })
    .await?;
    is_noted(&scene.photographer, "sealed for them, went to Host").await?;
    is_noted(&scene.host, "keeps something of Photographer for Finder").await?;
    assert_eq!(scene.host.api().status().await?.asset_count, 0, "it is nobody's photo at the host");
    // It outlives the keeper's restart.
    scene.photographer.stop().await?;
    scene.host.kill().await?;
    scene.host.restart().await?;
    wait_for_kept(&scene.host, 1).await?;

    scene.finder.restart().await?;
    let got = scene.wait_for_received(1).await?;
    assert_eq!(got[0].origin.from.as_deref(), Some("Photographer"), "by its sender, not by its keeper");
    let arrived = scene.finder.api().original(&got[0].id).await?;
    assert_eq!(blake3::hash(&arrived).to_hex().as_str(), got[0].content_id);
    wait_for_kept(&scene.host, 0).await?;
    scene.finder.stop().await?;

    // The photographer hears of it from the host, with the finder's own receipt.
    scene.photographer.restart().await?;
    wait_for_transfer(&scene.photographer, |transfer| transfer.state == "delivered").await
}

#[tokio::test]
async fn d4_what_its_sender_takes_back_is_erased_at_the_keeper() -> Result<()> {
    let scene = kept().await?;
    let patch = EventPatch { scope: Some("chosen".to_owned()), ..EventPatch::default() };
    scene.photographer.api().patch_event(&scene.event, &patch).await?;
    wait_for_transfer(&scene.photographer, |transfer| transfer.state == "cancelled").await?;
    wait_for_kept(&scene.host, 0).await
}

#[tokio::test]
async fn a_keeper_who_stops_erases_everything_and_the_photo_waits_again() -> Result<()> {
    let mut scene = kept().await?;
    scene.host.api().keep_for_others(None).await?;
    wait_for_kept(&scene.host, 0).await?;
    scene.finder.restart().await?;
    let got = scene.wait_for_received(1).await?;
    assert_eq!(got[0].origin.from.as_deref(), Some("Photographer"));
    wait_for_transfer(&scene.photographer, |transfer| transfer.state == "delivered").await
}
