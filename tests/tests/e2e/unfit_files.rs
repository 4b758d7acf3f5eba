//! Files that are no good: each is kept with a clear reason, nothing is half-listed, everything else goes on.

use anyhow::{Context, Result, ensure};
use image::{GrayImage, ImageFormat};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, pattern};

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
