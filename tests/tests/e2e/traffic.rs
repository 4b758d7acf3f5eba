//! Which transfer goes first, at which speed, and when: nothing waits behind what is large, stalled or somebody else's.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use inframe_tests::api::Api;
use inframe_tests::daemon::Daemon;
use inframe_tests::films::{self, Film, LARGE, LARGE_BYTES_A_SECOND};
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{SOON, Scene, WORKED, announce, received, upload, wait_for_faces};
use inframe_tests::views::Transfer;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

/// The least that the daemon allows, bytes a second.
const LEAST: u64 = 128 << 10;

async fn coming(api: &Api) -> Result<Vec<Transfer>> {
    Ok(api.transfers().await?.into_iter().filter(|transfer| transfer.direction == "receiving").collect())
}

/// Sends a signal to the daemon's process.
fn signal(node: &Daemon, name: &str) -> Result<()> {
    let pid = node.pid().context("the daemon has ended")?.to_string();
    let sent = std::process::Command::new("kill").args([name, &pid]).status()?;
    ensure!(sent.success(), "cannot send {name}");
    Ok(())
}

#[tokio::test]
async fn a_photo_arrives_while_a_large_video_is_under_way() -> Result<()> {
    if !films::tools("a photo beside a video")? {
        return Ok(());
    }
    let scene = Scene::gather("automatic").await?;
    let (holder, finder) = (scene.photographer.api(), scene.finder.api());
    // 300 MB: five minutes at this speed, whatever the machine can do.
    let settings = finder.limit_traffic(&json!({ "down_bytes_s": 1_000_000 })).await?;
    assert_eq!(settings.traffic["down_bytes_s"], 1_000_000);
    let film = Film { photos: &[1], seconds: 12, size: (640, 360), encoding: LARGE };
    let video = film.make(&scene.photographer.photo_dir()?.join("party.mp4"))?;
    let size_bytes = video.len() as u64;
    ensure!(size_bytes >= 11 * LARGE_BYTES_A_SECOND, "{size_bytes} bytes");
    upload(holder, "party.mp4", video).await?;
    announce(finder, &scene.event).await?;
    let is_video = |transfer: &Transfer| transfer.size_bytes > 64 << 20;
    wait_until("a video under way", WORKED, async || {
        for question in holder.approvals("waiting").await? {
            holder.decide(&question.id, "allow", false).await?;
        }
        let transfers = coming(finder).await?;
        let begun = transfers.iter().any(|one| is_video(one) && one.bytes_per_second.is_some_and(|speed| speed > 0));
        Ok(if begun { Seen::Done(()) } else { Seen::NotYet(format!("{transfers:?}")) })
    })
    .await?;
    upload(holder, "hers.jpg", photos::hers()?).await?;
    scene.wait_for_received(1).await?;
    let transfers = coming(finder).await?;
    let video = transfers.iter().find(|one| is_video(one)).context("no video")?;
    assert_eq!(video.state, "active", "the photo came first: {transfers:?}");
    ensure!(video.done_bytes < video.size_bytes && video.seconds_left.is_some(), "{video:?}");
    // Pages: what is under way comes first, and the rest follows.
    let first = finder.transfers_after(None, 1).await?;
    assert_eq!((first.len(), first[0].id.as_str()), (1, video.id.as_str()));
    let rest = finder.transfers_after(Some(&video.id), 200).await?;
    assert_eq!(rest.len() + 1, transfers.len());
    Ok(())
}

#[tokio::test]
async fn a_stalled_holder_does_not_stop_what_others_send() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let finder = scene.finder.api();
    for side in [1200, 1220, 1240, 1260, 1280, 1300] {
        let photo = photos::varied(1, Variation::Smaller(side))?;
        let id = upload(scene.host.api(), &format!("{side}.jpg"), photo).await?;
        wait_for_faces(scene.host.api(), &id).await?;
    }
    // So slow that all of it is still on its way when the holder stalls.
    finder.limit_traffic(&json!({ "down_bytes_s": LEAST })).await?;
    announce(finder, &scene.event).await?;
    wait_until("transfers from the host in every lane", WORKED, async || {
        let transfers = coming(finder).await?;
        let active = transfers.iter().filter(|one| one.state == "active").count();
        Ok(if active >= 4 { Seen::Done(()) } else { Seen::NotYet(format!("{transfers:?}")) })
    })
    .await?;
    signal(&scene.host, "-STOP")?;
    finder.limit_traffic(&json!({})).await?;
    upload(scene.photographer.api(), "hers.jpg", photos::hers()?).await?;
    let came = wait_until("the other one's photo", WORKED, async || {
        let got = received(finder).await?;
        let theirs = got.iter().any(|asset| asset.origin.from.as_deref() == Some("Photographer"));
        Ok(if theirs { Seen::Done(()) } else { Seen::NotYet(format!("{:?}", coming(finder).await?)) })
    })
    .await;
    signal(&scene.host, "-CONT")?;
    came?;
    scene.wait_for_received(7).await?;
    Ok(())
}

#[tokio::test]
async fn in_quiet_hours_nothing_passes_and_it_is_said_why() -> Result<()> {
    let scene = Scene::gather("automatic").await?;
    let (holder, finder) = (scene.photographer.api(), scene.finder.api());
    // The whole day but for one minute that is not now, and not soon, in any time zone.
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / 60;
    let minute = (now + 10) % 15;
    let (from, until) = (format!("12:{:02}", minute + 1), format!("12:{minute:02}"));
    finder.limit_traffic(&json!({ "quiet_from": from, "quiet_until": until })).await?;
    upload(holder, "hers.jpg", photos::hers()?).await?;
    announce(finder, &scene.event).await?;
    wait_until("the reason", WORKED, async || {
        let transfers = coming(finder).await?;
        let said = transfers
            .iter()
            .any(|one| one.state == "waiting" && one.reason.as_deref() == Some(&format!("quiet hours until {until}")));
        Ok(if said { Seen::Done(()) } else { Seen::NotYet(format!("{transfers:?}")) })
    })
    .await?;
    assert_eq!(received(finder).await?.len(), 0);
    finder.limit_traffic(&json!({})).await?;
    scene.wait_for_received(1).await?;
    wait_until("the receipt", SOON, async || {
        let sent = holder.transfers().await?;
        Ok(if sent.iter().all(|one| one.state == "delivered") {
            Seen::Done(())
        } else {
            Seen::NotYet(format!("{sent:?}"))
        })
    })
    .await?;
    for (wrong, problem) in [
        (json!({ "up_bytes_s": 1000 }), "bad-limit"),
        (json!({ "quiet_from": "7:00" }), "bad-hours"),
        (json!({ "quiet_from": "7:00", "quiet_until": "25:00" }), "bad-hours"),
    ] {
        let refused = finder.limit_traffic(&wrong).await;
        ensure!(refused.is_err_and(|error| format!("{error:#}").contains(problem)), "{wrong} was taken");
    }
    Ok(())
}
