//! Files that are no good: each is kept with a clear reason, nothing is half-listed, everything else goes on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use image::{GrayImage, ImageFormat};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, pattern};
use inframe_tests::wait::{Seen, wait_until};

/// More than the 64 MiB of a file that decoders are given.
const TOO_LARGE_BYTES: usize = 70 << 20;

/// Just above the limit of 150 megapixels.
const TOO_MANY_PIXELS: (u32, u32) = (15_100, 10_000);

#[tokio::test]
async fn every_unfit_file_is_kept_with_a_reason_and_the_node_goes_on() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let whole = photos::sample(2)?;
    let bomb = photos::to_format(&GrayImage::new(TOO_MANY_PIXELS.0, TOO_MANY_PIXELS.1).into(), ImageFormat::Png)?;
    ensure!(bomb.len() < 1_000_000, "a bomb is small: {} bytes", bomb.len());
    let unfit = [
        ("text-canary.jpg", b"This is a letter, not a picture.".to_vec(), "JPG", false),
        ("page-canary.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), "PNG", false),
        ("letter-canary.pdf", b"%PDF-1.7 and so on".to_vec(), "PDF", false),
        ("cut-canary.jpg", whole[..whole.len() / 2].to_vec(), "JPG", false),
        ("head-canary.jpg", whole[..20].to_vec(), "JPG", false),
        ("bomb-canary.png", bomb, "PNG", true),
    ];
    for (number, (name, bytes, ending, may_change)) in unfit.into_iter().enumerate() {
        let outcome = node.api().upload(name, bytes.clone()).await?;
        assert_eq!(outcome.outcome, "kept", "{name}");
        ensure!(outcome.reason.is_some_and(|reason| !reason.is_empty()), "{name} without a reason");
        let id = outcome.asset.context("a kept file without an asset")?;
        let asset = node.api().asset(&id).await?;
        let file = asset.file.context("no word of why it cannot be shown")?;
        assert_eq!((file.ending.as_str(), file.may_change), (ending, may_change), "{name}");
        assert_eq!(asset.media_type, "application/octet-stream", "d8: a browser keeps its hands off it");
        assert_eq!(node.api().original(&id).await?, bytes, "{name} comes back as it was");
        ensure!(node.api().thumb(&id, "grid").await.is_err(), "{name} has no picture");
        assert_eq!(node.api().status().await?.asset_count, number as u64 + 1);
    }
    let empty = node.api().upload("empty-canary.jpg", Vec::new()).await?;
    assert_eq!((empty.outcome.as_str(), empty.asset), ("refused", None), "there is nothing to keep");
    let good = node.api().upload("good.jpg", photos::to_jpeg(&pattern(300, 200, 60))?).await?;
    assert_eq!(good.outcome, "imported", "the node goes on");
    ensure!(!node.log()?.contains("canary"), "d3: the log names no file of the user");
    Ok(())
}

#[tokio::test]
async fn a_picture_too_large_for_the_decoders_is_kept_whole_from_a_page_and_from_a_folder() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    // A real photo with so much behind its end: what a camera of 150 megapixels saves without compression.
    let large = |fill: u8| Ok::<_, anyhow::Error>([photos::sample(2)?, vec![fill; TOO_LARGE_BYTES]].concat());
    let (uploaded, copied) = (large(1)?, large(2)?);
    let outcome = node.api().upload("studio.tif", uploaded.clone()).await?;
    assert_eq!(outcome.outcome, "kept");
    ensure!(outcome.reason.is_some_and(|reason| reason.contains("64 MiB")), "the reason names the limit");
    let file = node.api().asset(&outcome.asset.context("a kept file without an asset")?).await?.file;
    ensure!(file.is_some_and(|file| !file.may_change), "nobody is told that it will be tried again");
    assert_eq!(node.api().upload("again.tif", uploaded.clone()).await?.outcome, "duplicate");
    std::fs::write(node.photo_dir()?.join("studio-2.tif"), &copied)?;
    let run = node.api().import(&node.photo_dir()?).await?;
    let run = wait_until("the import done", Duration::from_secs(60), async || {
        let run = node.api().import_state(&run.id).await?;
        Ok(Seen::when((run.state == "done").then(|| run.clone()), || format!("{run:?}")))
    })
    .await?;
    assert_eq!((run.imported, run.failed.len(), run.files.len()), (1, 0, 1), "{run:?}");
    node.restart().await?;
    let mut found = Vec::new();
    for asset in node.api().assets().await? {
        found.push(node.api().original(&asset.id).await?);
    }
    found.sort();
    ensure!(found == [uploaded, copied], "d1: both come back as they were, after a restart as well");
    Ok(())
}

#[tokio::test]
async fn a_hostile_file_name_is_only_a_name() -> Result<()> {
    let node = Daemon::start("Node").await?;
    for (number, name) in
        ["../../escape.jpg", "/etc/passwd", "<img src=x onerror=alert(1)>.jpg", "a\u{202e}gpj.exe", "..."]
            .into_iter()
            .enumerate()
    {
        let photo = photos::to_jpeg(&pattern(200, 150, 70 + number as u32))?;
        let outcome = node.api().upload(name, photo.clone()).await?;
        if let Some(id) = outcome.asset {
            assert_eq!(node.api().original(&id).await?, photo, "d8: {name:?}");
            let kept = node.api().asset(&id).await?.file_name;
            ensure!(!kept.contains('/'), "d8: a name is kept without its path: {kept:?}");
        }
    }
    ensure!(!node.folder().join("escape.jpg").exists(), "d8: a name was used as a path");
    Ok(())
}
