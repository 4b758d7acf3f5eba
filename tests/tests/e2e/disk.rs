//! A disk that is almost full: imports and receiving wait and go on by themselves, what is here can be seen and deleted.

use std::fs;

use anyhow::{Context, Result, ensure};
use inframe_tests::api::refusal;
use inframe_tests::cli::answer;
use inframe_tests::daemon::{Daemon, Options};
use inframe_tests::disk::{SmallDisk, fill};
use inframe_tests::photos::{self, pattern};
use inframe_tests::scene::{SOON, Scene, WORKED, announce, received, upload, wait_for_rest};
use inframe_tests::views::Import;
use inframe_tests::wait::{Seen, wait_until};

/// Size of the disk made for these tests, in MiB: the daemon's own files take some of them. A twentieth is kept free.
const DISK_MIB: u64 = 160;
/// More than any disk has.
const ALL_OF_IT: &str = "1000TB";

async fn import(node: &Daemon, wanted: impl Fn(&Import) -> bool) -> Result<Import> {
    wait_until("the import", WORKED, async || {
        let run = node.api().imports().await?.into_iter().next();
        Ok(match run {
            Some(run) if wanted(&run) => Seen::Done(run),
            other => Seen::NotYet(format!("{other:?}")),
        })
    })
    .await
}

async fn is_low(node: &Daemon, low: bool) -> Result<()> {
    wait_until(&format!("a disk that is low: {low}"), SOON, async || {
        let disk = node.api().status().await?.disk.context("no word about the disk")?;
        Ok(Seen::when((disk.low == low).then_some(()), || format!("{disk:?}")))
    })
    .await
}

#[tokio::test]
async fn below_the_reserve_uploads_and_imports_are_refused_with_numbers_and_the_rest_works() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let bytes = photos::to_jpeg(&pattern(320, 240, 1))?;
    let (goes, stays) = (
        upload(node.api(), "goes.jpg", bytes.clone()).await?,
        upload(node.api(), "stays.jpg", photos::to_jpeg(&pattern(320, 240, 2))?).await?,
    );
    let folder = node.photo_dir()?;
    fs::write(folder.join("late.jpg"), photos::to_jpeg(&pattern(320, 240, 3))?)?;
    assert!(!node.api().status().await?.disk.context("no word about the disk")?.low);
    node.keep_free(Some(ALL_OF_IT));
    node.restart().await?;
    let status = node.api().status().await?.disk.context("no word about the disk")?;
    assert!(status.low && status.reserve_bytes == 1_000_000_000_000_000, "{status:?}");
    let large = vec![3; 65 << 20];
    for (name, file) in [("new.jpg", photos::to_jpeg(&pattern(320, 240, 4))?), ("large.bin", large)] {
        let refused = refusal(node.api().upload(name, file).await)?;
        assert_eq!((refused.status, refused.kind.as_str()), (507, "disk-almost-full"));
        ensure!(
            refused.detail.starts_with("The disk is almost full: ") && refused.detail.contains(" needed"),
            "{refused}"
        );
    }
    assert_eq!(refusal(node.api().import(&folder).await)?.status, 507);
    let said = answer(&node, &["status"])?;
    assert!(said.contains("Disk: ALMOST FULL: "), "{said}");
    // What is here is seen, known again, moved into the trash and deleted for good.
    assert_eq!(node.api().upload("again.jpg", bytes).await?.outcome, "duplicate");
    photos::dimensions(&node.api().original(&stays).await?)?;
    node.api().move_to_trash(&goes).await?;
    assert_eq!(node.api().purge(&[&goes]).await?.done, 1);
    // A watched folder waits, and goes on when there is room.
    node.api().watch(&folder).await?;
    let run = import(&node, |run| run.waits.is_some()).await?;
    assert_eq!((run.state.as_str(), run.imported, run.failed.len()), ("running", 0, 0));
    node.keep_free(None);
    node.restart().await?;
    let run = import(&node, |run| run.state == "done").await?;
    assert_eq!((run.imported, run.waits), (1, None));
    Ok(())
}

#[tokio::test]
async fn on_a_disk_that_fills_up_an_import_waits_goes_on_by_itself_and_loses_nothing() -> Result<()> {
    if !SmallDisk::is_possible("a disk that fills up")? {
        return Ok(());
    }
    let mut node = Daemon::start_with(Options { disk_mib: Some(DISK_MIB), ..Options::local("Node") }).await?;
    let kept = upload(node.api(), "kept.jpg", photos::to_jpeg(&pattern(320, 240, 1))?).await?;
    let trashed = upload(node.api(), "trashed.jpg", photos::to_jpeg(&pattern(320, 240, 2))?).await?;
    let folder = node.photo_dir()?;
    for seed in 10..14 {
        fs::write(folder.join(format!("{seed}.jpg")), photos::to_jpeg(&pattern(320, 240, seed))?)?;
    }
    let ballast = node.data_dir().join("ballast");
    wait_until("space set aside for deleting", SOON, async || {
        Ok(Seen::when(ballast.is_file().then_some(()), || "none".to_owned()))
    })
    .await?;
    let filler = fill(&node.data_dir(), 0)?;
    is_low(&node, true).await?;
    // Not a byte is free: what is here is seen, and what is refused leaves nothing behind.
    photos::dimensions(&node.api().thumb(&kept, "preview").await?)?;
    let refused = refusal(node.api().upload("new.jpg", photos::to_jpeg(&pattern(320, 240, 3))?).await)?;
    assert_eq!(refused.status, 507, "{refused}");
    // Deleting works all the same.
    node.api().move_to_trash(&trashed).await?;
    assert_eq!(node.api().empty_trash().await?.done, 1);
    node.api().watch(&folder).await?;
    import(&node, |run| run.waits.is_some()).await?;
    fs::remove_file(&filler)?;
    let run = import(&node, |run| run.state == "done").await?;
    assert_eq!((run.imported, run.failed.len()), (4, 0), "{run:?}");
    is_low(&node, false).await?;
    node.restart().await?;
    assert_eq!(node.api().status().await?.asset_count, 5);
    photos::dimensions(&node.api().original(&kept).await?)?;
    Ok(())
}

#[tokio::test]
async fn receiving_waits_for_space_and_is_no_fault_of_the_sender() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    scene.finder.keep_free(Some(ALL_OF_IT));
    scene.finder.restart().await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    wait_until("an offer that waits", WORKED, async || {
        let transfers = scene.photographer.api().transfers().await?;
        let later = |why: &str| why.contains("cannot take it just now");
        let waits = transfers.iter().any(|transfer| transfer.reason.as_deref().is_some_and(later));
        Ok(Seen::when(waits.then_some(()), || format!("{transfers:?}")))
    })
    .await?;
    assert!(received(scene.finder.api()).await?.is_empty());
    assert!(scene.finder.api().transfers().await?.is_empty(), "what is not accepted is not noted");
    scene.finder.keep_free(None);
    scene.finder.restart().await?;
    scene.wait_for_received(1).await?;
    wait_for_rest(&scene.finder).await?;
    let activity = scene.finder.api().activity().await?;
    assert!(activity.iter().all(|entry| entry.kind != "suspicious"), "{activity:?}");
    Ok(())
}
