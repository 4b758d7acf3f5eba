//! Files that rot are named and mended, and photos come back when all of the catalog is lost.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use inframe_tests::cli::{command, said};
use inframe_tests::daemon::Daemon;
use inframe_tests::films::{self, Film, PHONE};
use inframe_tests::photos::{self, Exif, pattern, with_exif};
use inframe_tests::scene::{SOON, Scene, WORKED, agree, announce, backed_up, upload, wait_for_rest};
use inframe_tests::views::{Asset, Verify};
use inframe_tests::wait::{Seen, wait_until};

/// The files of blobs, with their sizes.
fn blobs(node: &Daemon) -> Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(node.data_dir().join("blobs"))? {
        for file in std::fs::read_dir(folder?.path())? {
            let file = file?;
            found.push((file.path(), file.metadata()?.len()));
        }
    }
    Ok(found)
}

/// The file of a blob with so many plain bytes: a head of some hundred and 16 for each chunk more.
fn blob_of(node: &Daemon, plain: u64) -> Result<PathBuf> {
    let sealed = plain + 16 * plain.div_ceil(256 * 1024);
    let mut fitting = blobs(node)?.into_iter().filter(|(_, size)| (sealed + 144..sealed + 1024).contains(size));
    let (path, _) = fitting.next().context("no file of that size")?;
    ensure!(fitting.next().is_none(), "two files of that size");
    Ok(path)
}

fn rot(path: &PathBuf) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).context("empty")? ^= 4;
    Ok(std::fs::write(path, bytes)?)
}

async fn read_through(node: &Daemon, repair: bool) -> Result<Verify> {
    node.api().run_verify(repair).await?;
    at_rest(node).await
}

async fn at_rest(node: &Daemon) -> Result<Verify> {
    wait_until("the end of the look at every file", WORKED, async || {
        let now = node.api().verify().await?;
        Ok(if now.running.is_none() { Seen::Done(now) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await
}

/// What of an asset must come back from its file alone.
fn facts(asset: &Asset) -> (String, String, u64, Option<u64>, Option<u64>) {
    let film = asset.motion.as_ref().map(|film| film.size_bytes);
    (asset.content_id.clone(), asset.file_name.clone(), asset.size_bytes, asset.taken_at, film)
}

#[tokio::test]
async fn what_rots_is_named_and_mended_from_the_original_or_the_backup_and_the_rest_is_said_to_be_lost() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let (first, second) = (photos::sample(1)?, photos::sample(2)?);
    let kept = upload(node.api(), "harbour.jpg", first.clone()).await?;
    let other = upload(node.api(), "bridge.jpg", second.clone()).await?;
    wait_for_rest(&node).await?;
    let sound = read_through(&node, false).await?;
    assert_eq!((sound.files, sound.damaged_total, sound.mended), (6, 0, 0), "two originals, four pictures: {sound:?}");
    let said_sound = command(&node, &["verify"])?.output()?;
    ensure!(said_sound.status.success() && said(&said_sound).contains("as they were written"), "{}", said(&said_sound));

    // A small picture, and an original while there is no backup.
    let grid = node.api().thumb(&kept, "grid").await?;
    rot(&blob_of(&node, grid.len() as u64)?)?;
    let original = blob_of(&node, second.len() as u64)?;
    let whole = std::fs::read(&original)?;
    rot(&original)?;
    let named = command(&node, &["verify"])?.output()?;
    ensure!(!named.status.success(), "the exit code says that something is wrong: {}", said(&named));
    for name in ["harbour.jpg: the small picture: it is damaged", "bridge.jpg: the file itself: it is damaged"] {
        ensure!(said(&named).contains(name), "{name}: {}", said(&named));
    }
    let mended = read_through(&node, true).await?;
    assert_eq!((mended.mended, mended.damaged_total), (1, 1), "{mended:?}");
    assert_eq!(node.api().thumb(&kept, "grid").await?, grid, "the small picture was made again");
    ensure!(mended.damaged[0].lost && mended.damaged[0].asset == other && mended.damaged[0].asked.is_none());
    let words = node.api().activity().await?.into_iter().any(|entry| entry.text.contains("1 of them were mended"));
    ensure!(words, "it is in the activity log");

    // It is remembered over a restart, and a file that is gone is no better than one that rots.
    node.stop().await?;
    std::fs::write(&original, &whole)?;
    node.restart().await?;
    assert_eq!(node.api().verify().await?.damaged_total, 1);
    assert_eq!(read_through(&node, false).await?.damaged_total, 0, "the disk gives it again");
    backed_up(&node).await?;
    rot(&original)?;
    std::fs::remove_file(blob_of(&node, first.len() as u64)?)?;
    let mended = read_through(&node, true).await?;
    assert_eq!((mended.mended, mended.damaged_total), (2, 0), "{mended:?}");
    assert_eq!(node.api().original(&kept).await?, first);
    assert_eq!(node.api().original(&other).await?, second);
    ensure!(std::fs::read(&original)? == whole, "byte for byte");
    Ok(())
}

#[tokio::test]
async fn a_received_photo_that_rots_is_asked_for_again() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    announce(scene.finder.api(), &scene.event).await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    let got = scene.wait_for_received(1).await?.remove(0);
    scene.wait_for_rest().await?;
    let bytes = scene.finder.api().original(&got.id).await?;
    let before = scene.finder.api().asset(&got.id).await?;
    rot(&blob_of(&scene.finder, bytes.len() as u64)?)?;
    ensure!(scene.finder.api().original(&got.id).await.is_err(), "what is damaged is not served");

    // The sender is away: it waits and says so.
    scene.photographer.kill().await?;
    let waiting = read_through(&scene.finder, true).await?;
    assert_eq!(waiting.damaged_total, 1, "{waiting:?}");
    assert_eq!(waiting.damaged[0].asked.as_deref(), Some("Photographer"));
    // Offers are taken again only some time after the delivery.
    scene.photographer.restart().await?;
    wait_until("the photo once more", std::time::Duration::from_secs(180), async || {
        let now = scene.finder.api().verify().await?;
        Ok(if now.damaged_total == 0 { Seen::Done(()) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await?;
    assert_eq!(scene.finder.api().original(&got.id).await?, bytes);
    let after = scene.finder.api().asset(&got.id).await?;
    assert_eq!((after.content_id, after.faces.len()), (before.content_id, before.faces.len()), "the same photo");
    assert_eq!(scene.finder.api().assets().await?.len(), 1, "and no second one");
    assert_eq!(read_through(&scene.finder, false).await?.damaged_total, 0);
    Ok(())
}

#[tokio::test]
async fn photos_come_back_from_their_files_when_all_of_the_catalog_is_lost() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    let exif = Exif { taken: Some("2024:07:08 19:20:21".into()), ..Exif::default() };
    let dated = with_exif(&photos::to_jpeg(&pattern(640, 480, 3))?, &exif)?;
    let mut kept = vec![
        upload(node.api(), "a harbour.jpg", photos::sample(1)?).await?,
        upload(node.api(), "dated.jpg", dated).await?,
        upload(node.api(), "notes.txt", b"no picture at all".to_vec()).await?,
    ];
    if films::tools("photos_come_back_from_their_files_when_all_of_the_catalog_is_lost")? {
        let film =
            Film { photos: &[1], seconds: 2, size: (320, 240), encoding: PHONE }.make(&folder.join("film.mp4"))?;
        kept.push(upload(node.api(), "film.mp4", film).await?);
    }
    let in_trash = upload(node.api(), "in the trash.jpg", photos::to_jpeg(&pattern(320, 240, 5))?).await?;
    node.api().move_to_trash(&in_trash).await?;
    let purged = upload(node.api(), "gone.jpg", photos::to_jpeg(&pattern(320, 240, 6))?).await?;
    node.api().move_to_trash(&purged).await?;
    node.api().purge(&[purged.as_str()]).await?;
    wait_for_rest(&node).await?;
    let mut before = Vec::new();
    for id in &kept {
        before.push((facts(&node.api().asset(id).await?), node.api().original(id).await?));
    }
    node.stop().await?;
    for gone in ["catalog", "journal"] {
        std::fs::remove_dir_all(node.data_dir().join(gone))?;
    }
    std::fs::remove_file(node.data_dir().join("catalog.snapshot"))?;

    node.restart().await?;
    let mark = node.data_dir().join("catalog.incomplete");
    wait_until("the photos found again", SOON, async || {
        let now = node.api().verify().await?;
        let there = now.running.is_none() && !mark.exists();
        Ok(if there { Seen::Done(()) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await?;
    wait_for_rest(&node).await?;
    for (id, (facts_before, bytes)) in kept.iter().zip(&before) {
        let asset = node.api().asset(id).await.context("it has the id that it had")?;
        assert_eq!(facts(&asset), *facts_before);
        assert_eq!(node.api().original(id).await?, *bytes);
        if asset.file.is_none() {
            node.api().thumb(id, "grid").await?;
        }
    }
    node.api().asset(&in_trash).await.context("whether it lay in the trash, only the catalog knew")?;
    ensure!(node.api().asset(&purged).await.is_err(), "what was deleted for good stays away");
    assert_eq!(node.api().assets().await?.len(), kept.len() + 1);
    let told = node.api().activity().await?.into_iter().any(|entry| entry.text.contains("were found again"));
    ensure!(told, "the activity log says so");

    // Nothing of it is left behind: the next start erases what nobody needs, and every file is sound.
    node.stop().await?;
    node.restart().await?;
    let now = read_through(&node, false).await?;
    assert_eq!((now.damaged_total, now.problem), (0, None));
    assert_eq!(blobs(&node)?.len() as u64, now.files, "no file without a record");
    agree(node.api()).await?;
    Ok(())
}
