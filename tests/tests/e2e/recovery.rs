//! Killed at any instant, away for a while, back again: nothing acknowledged is lost, nothing is half there (D1, D2).

use anyhow::{Result, ensure};
use inframe_tests::daemon::Daemon;
use inframe_tests::jpeg::picture_hash;
use inframe_tests::photos::{self, Variation, pattern};
use inframe_tests::scene::{self, SOON, Scene, WORKED, announce, received, upload};
use inframe_tests::views::EventPatch;
use inframe_tests::wait::{Seen, wait_until};

/// Long side of a photo of some megabytes, which takes a while to send.
const LARGE_SIDE: u32 = 5600;

#[tokio::test]
async fn d1_an_acknowledged_upload_survives_a_kill() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let mut kept = Vec::new();
    for round in 0..3 {
        let photo = photos::to_jpeg(&pattern(400, 300, 20 + round))?;
        kept.push((upload(node.api(), "kept.jpg", photo.clone()).await?, photo));
        node.kill().await?;
        node.restart().await?;
        for (id, photo) in &kept {
            assert_eq!(&node.api().original(id).await?, photo, "round {round}");
            node.api().thumb(id, "grid").await?;
        }
        assert_eq!(node.api().status().await?.asset_count, kept.len() as u64);
    }
    Ok(())
}

#[tokio::test]
async fn d2_a_kill_in_the_middle_of_an_import_leaves_nothing_half_there() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let folder = node.photo_dir()?;
    const PHOTOS: u64 = 12;
    for number in 0..PHOTOS {
        std::fs::write(folder.join(format!("{number}.jpg")), photos::to_jpeg(&pattern(900, 700, 40 + number as u32))?)?;
    }
    node.api().import(&folder).await?;
    wait_until("the first photo", WORKED, async || {
        let count = node.api().status().await?.asset_count;
        Ok(if count > 0 { Seen::Done(()) } else { Seen::NotYet("none".to_owned()) })
    })
    .await?;
    node.kill().await?;
    node.restart().await?;
    for asset in node.api().assets().await? {
        let bytes = node.api().original(&asset.id).await?;
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), asset.content_id, "d2: listed means whole");
    }
    // Whether the daemon goes on by itself or is asked once more, the end is the same.
    node.api().import(&folder).await?;
    wait_until("all photos", WORKED, async || {
        let count = node.api().status().await?.asset_count;
        ensure!(count <= PHOTOS, "d2: photos listed twice");
        Ok(if count == PHOTOS { Seen::Done(()) } else { Seen::NotYet(format!("{count} of {PHOTOS}")) })
    })
    .await
}

#[tokio::test]
async fn an_orderly_stop_is_clean_and_everything_is_there_afterwards() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let event = node.api().create_event("Picnic").await?.id;
    scene::enrol(node.api()).await?;
    let identity = node.api().status().await?.node_id;
    node.stop().await?;
    node.restart().await?;
    assert_eq!(node.api().status().await?.node_id, identity, "the same node");
    assert_eq!(node.api().event(&event).await?.name, "Picnic");
    ensure!(node.api().profile().await?.enrolled, "still enrolled");
    Ok(())
}

#[tokio::test]
async fn a_holder_who_was_away_learns_of_the_find_me_and_delivers() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    scene.photographer.kill().await?;
    announce(scene.finder.api(), &scene.event).await?;
    scene.photographer.restart().await?;
    let got = scene.wait_for_received(1).await?;
    assert_eq!(got[0].origin.from.as_deref(), Some("Photographer"));
    Ok(())
}

#[tokio::test]
async fn d4_a_photo_that_waits_for_an_absent_finder_stays_when_it_is_taken_out() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    announce(scene.finder.api(), &scene.event).await?;
    wait_until("the find-me at the photographer", SOON, async || {
        let members = scene.photographer.api().event(&scene.event).await?.members;
        Ok(if members.iter().any(|member| member.looking) { Seen::Done(()) } else { Seen::NotYet("none".to_owned()) })
    })
    .await?;
    scene.finder.kill().await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    wait_until("the photo on its way", WORKED, async || {
        let transfers = scene.photographer.api().transfers().await?;
        Ok(if transfers.is_empty() { Seen::NotYet("nothing".to_owned()) } else { Seen::Done(()) })
    })
    .await?;
    let patch = EventPatch { scope: Some("chosen".to_owned()), ..EventPatch::default() };
    scene.photographer.api().patch_event(&scene.event, &patch).await?;
    scene.finder.restart().await?;
    wait_until("the end of the transfer", WORKED, async || {
        let states: Vec<String> =
            scene.photographer.api().transfers().await?.into_iter().map(|transfer| transfer.state).collect();
        Ok(if states == ["cancelled"] { Seen::Done(()) } else { Seen::NotYet(format!("{states:?}")) })
    })
    .await?;
    assert!(received(scene.finder.api()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn members_find_each_other_while_the_host_is_away() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    scene.host.kill().await?;
    upload(scene.photographer.api(), "arrival.jpg", photos::hers()?).await?;
    announce(scene.finder.api(), &scene.event).await?;
    scene.wait_for_received(1).await?;
    scene.host.restart().await?;
    wait_until("the find-me at the returned host", SOON, async || {
        let members = scene.host.api().event(&scene.event).await?.members;
        let looking = members.iter().any(|member| member.looking);
        Ok(if looking { Seen::Done(()) } else { Seen::NotYet(format!("{members:?}")) })
    })
    .await
}

#[tokio::test]
async fn a_transfer_goes_on_after_a_kill_of_either_side_and_arrives_once() -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    let photo = photos::varied(1, Variation::Smaller(LARGE_SIDE))?;
    upload(scene.photographer.api(), "large.jpg", photo.clone()).await?;
    announce(scene.finder.api(), &scene.event).await?;
    wait_until("the transfer's begin", WORKED, async || {
        let transfers = scene.finder.api().transfers().await?;
        let begun = transfers.iter().any(|transfer| transfer.direction == "receiving");
        Ok(if begun { Seen::Done(()) } else { Seen::NotYet(format!("{transfers:?}")) })
    })
    .await?;
    scene.finder.kill().await?;
    scene.finder.restart().await?;
    scene.photographer.kill().await?;
    scene.photographer.restart().await?;
    let got = scene.wait_for_received(1).await?;
    let bytes = scene.finder.api().original(&got[0].id).await?;
    assert_eq!(picture_hash(&bytes)?, picture_hash(&photo)?);
    scene.wait_for_rest().await?;
    assert_eq!(received(scene.finder.api()).await?.len(), 1, "d2: it arrived once");
    wait_until("the receipt at the photographer", SOON, async || {
        let transfers = scene.photographer.api().transfers().await?;
        let delivered = transfers
            .iter()
            .any(|transfer| transfer.state == "delivered" && transfer.done_bytes == transfer.size_bytes);
        Ok(if delivered { Seen::Done(()) } else { Seen::NotYet(format!("{transfers:?}")) })
    })
    .await
}

#[tokio::test]
async fn d2_a_catalog_that_is_lost_altogether_takes_no_photo_with_it() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let photo = photos::sample(1)?;
    let id = upload(node.api(), "photo.jpg", photo.clone()).await?;
    node.stop().await?;
    let blobs = node.data_dir().join("blobs");
    let mut files = inframe_tests::scan::files(&blobs)?;
    ensure!(files.len() == 3, "{files:?}");
    // One of the files does not even say any more what it is.
    files.sort_by_key(|path| std::fs::metadata(path).map_or(0, |file| file.len()));
    let mut bytes = std::fs::read(&files[0])?;
    bytes[50] ^= 1;
    std::fs::write(&files[0], &bytes)?;
    for lost in ["catalog", "journal"] {
        std::fs::remove_dir_all(node.data_dir().join(lost))?;
    }
    std::fs::remove_file(node.data_dir().join("catalog.snapshot"))?;
    for _ in 0..2 {
        node.restart().await?;
        wait_until("the photo found again", WORKED, async || {
            let there = !node.data_dir().join("catalog.incomplete").exists();
            Ok(if there { Seen::Done(()) } else { Seen::NotYet("not yet".to_owned()) })
        })
        .await?;
        assert_eq!(node.api().original(&id).await?, photo);
        node.api().thumb(&id, "grid").await?;
        let noted = node.api().activity().await?;
        ensure!(
            noted.iter().any(|entry| entry.text.contains("1 files cannot be read and were set aside")),
            "{noted:?}"
        );
        assert_eq!(std::fs::read(files[0].with_extension("damaged"))?, bytes, "its bytes stay");
        node.stop().await?;
    }
    Ok(())
}
