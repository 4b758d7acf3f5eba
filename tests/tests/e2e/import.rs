//! Photos come in: by folder, by upload, by watched folder; duplicates and unreadable files are told apart.

use anyhow::{Context, Result, ensure};
use image::ImageFormat;
use inframe_tests::api::Api;
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, Exif, pattern};
use inframe_tests::scene::{WORKED, upload};
use inframe_tests::views::Import;
use inframe_tests::wait::{Seen, wait_until};

/// 1 May 2026, 12:00:00 UTC.
const NOON_OF_1_MAY_2026_MS: u64 = 1_777_636_800_000;

async fn finished(api: &Api, id: &str) -> Result<Import> {
    wait_until("the import", WORKED, async || {
        let state = api.import_state(id).await?;
        Ok(if state.state == "done" { Seen::Done(state) } else { Seen::NotYet(format!("{state:?}")) })
    })
    .await
}

#[tokio::test]
async fn a_folder_is_imported_with_duplicates_skipped_and_unreadable_files_listed() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    std::fs::create_dir(folder.join("deeper"))?;
    let photo = photos::to_jpeg(&pattern(320, 240, 1))?;
    std::fs::write(folder.join("one.jpg"), &photo)?;
    std::fs::write(folder.join("deeper/the same.jpg"), &photo)?;
    std::fs::write(folder.join("two.png"), photos::to_format(&pattern(300, 200, 2), ImageFormat::Png)?)?;
    std::fs::write(folder.join("three.webp"), photos::to_format(&pattern(200, 300, 3), ImageFormat::WebP)?)?;
    std::fs::write(folder.join("broken.jpg"), b"no picture at all")?;

    let id = node.api().import(&folder).await?.id;
    let done = finished(node.api(), &id).await?;
    assert_eq!((done.total, done.imported, done.duplicates), (5, 4, 1), "{done:?}");
    ensure!(done.failed.is_empty(), "{done:?}");
    let kept: Vec<&str> = done.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(kept, ["broken.jpg"], "it is kept, but cannot be shown");
    ensure!(!done.files[0].reason.is_empty(), "a file without a reason");

    let mut kinds: Vec<String> = node.api().assets().await?.into_iter().map(|asset| asset.media_type).collect();
    kinds.sort();
    assert_eq!(kinds, ["application/octet-stream", "image/jpeg", "image/png", "image/webp"]);

    let again = finished(node.api(), &node.api().import(&folder).await?.id).await?;
    assert_eq!((again.imported, again.duplicates), (0, 5), "a second import brings nothing new: {again:?}");
    assert_eq!(node.api().status().await?.asset_count, 4);
    Ok(())
}

#[tokio::test]
async fn orientation_and_capture_time_are_read_and_the_original_is_kept_byte_for_byte() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let exif =
        Exif { orientation: Some(6), taken: Some("2026:05:01 12:00:00".to_owned()), location: true, ..Exif::default() };
    let photo = photos::with_exif(&photos::to_jpeg(&pattern(640, 400, 4))?, &exif)?;
    let id = upload(node.api(), "standing.jpg", photo.clone()).await?;
    let asset = node.api().asset(&id).await?;
    assert_eq!((asset.width, asset.height), (400, 640), "upright size");
    assert_eq!(asset.taken_at, Some(NOON_OF_1_MAY_2026_MS));
    assert!(asset.has_location);
    assert_eq!(asset.file_name, "standing.jpg");
    assert_eq!(asset.content_id, blake3::hash(&photo).to_hex().as_str());
    assert_eq!(node.api().original(&id).await?, photo);
    for size in ["grid", "preview"] {
        let (width, height) = photos::dimensions(&node.api().thumb(&id, size).await?)?;
        assert!(height > width, "the {size} thumbnail stands upright: {width} x {height}");
    }
    Ok(())
}

#[tokio::test]
async fn an_upload_is_answered_with_what_became_of_it() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let photo = photos::to_jpeg(&pattern(320, 240, 5))?;
    let first = node.api().upload("a.jpg", photo.clone()).await?;
    assert_eq!(first.outcome, "imported");
    let second = node.api().upload("b.jpg", photo).await?;
    assert_eq!((second.outcome.as_str(), second.asset), ("duplicate", first.asset));
    let third = node.api().upload("c.jpg", b"nothing".to_vec()).await?;
    assert_eq!(third.outcome, "kept");
    third.reason.filter(|reason| !reason.is_empty()).context("a file without a reason")?;
    let fourth = node.api().upload("d.jpg", Vec::new()).await?;
    assert_eq!(fourth.outcome, "refused");
    fourth.reason.filter(|reason| !reason.is_empty()).context("a refusal without a reason")?;
    Ok(())
}

#[tokio::test]
async fn a_photo_put_into_a_watched_folder_comes_in_by_itself() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    let settings = node.api().watch(&folder).await?;
    assert!(settings.watched_folders.iter().any(|watched| watched.problem.is_none()), "{settings:?}");
    std::fs::write(folder.join("late.jpg"), photos::to_jpeg(&pattern(320, 240, 6))?)?;
    wait_until("the photo of the watched folder", WORKED, async || {
        let count = node.api().status().await?.asset_count;
        Ok(if count == 1 { Seen::Done(()) } else { Seen::NotYet(format!("{count} assets")) })
    })
    .await
}

/// Boxes of a film of so many seconds; nobody looks at its pictures here.
pub(super) fn film(seconds: u32) -> Vec<u8> {
    let boxed = |kind: &[u8; 4], body: &[u8]| {
        let mut out = u32::try_from(body.len() + 8).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        out.extend_from_slice(kind);
        out.extend_from_slice(body);
        out
    };
    let head = [[0; 4], [0; 4], [0; 4], 600u32.to_be_bytes(), (600 * seconds).to_be_bytes()].concat();
    [boxed(b"ftyp", b"qt  \0\0\0\0"), boxed(b"moov", &boxed(b"mvhd", &head)), boxed(b"mdat", b"pictures")].concat()
}

#[tokio::test]
async fn a_photo_and_the_film_that_was_taken_with_it_are_one_asset() -> Result<()> {
    let node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    let live = photos::to_jpeg(&pattern(320, 240, 7))?;
    std::fs::write(folder.join("IMG_1.jpg"), &live)?;
    std::fs::write(folder.join("IMG_1.MOV"), film(3))?;
    let behind = [photos::to_jpeg(&pattern(320, 240, 8))?, film(2)].concat();
    std::fs::write(folder.join("PXL_2.jpg"), &behind)?;
    let still = photos::to_jpeg(&pattern(320, 240, 9))?;
    std::fs::write(folder.join("DSC_3.jpg"), &still)?;
    std::fs::write(folder.join("DSC_3.MOV"), film(60))?;
    let run = finished(node.api(), &node.api().import(&folder).await?.id).await?;
    ensure!((run.imported, run.duplicates) == (4, 1), "the film of a photo must not come in once more: {run:?}");
    for (photo, whole) in [(&live, Some(film(3))), (&behind, Some(film(2))), (&still, None)] {
        let added = node.api().upload("again.jpg", photo.clone()).await?;
        assert_eq!(added.outcome, "duplicate");
        let id = added.asset.context("no asset")?;
        let asset = node.api().asset(&id).await?;
        let Some(whole) = whole else {
            ensure!(asset.motion.is_none(), "a minute is no part of a photo");
            continue;
        };
        assert_eq!(asset.motion.context("no film")?.size_bytes, whole.len() as u64);
        assert_eq!(node.api().motion(&id, None).await?, whole);
        assert_eq!(node.api().motion(&id, Some("bytes=4-11")).await?, &whole[4..12], "a range of the film");
    }
    Ok(())
}
