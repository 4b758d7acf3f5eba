//! What must not be on disk: a byte scan of everything that a daemon wrote, for planted canaries (D3).

use anyhow::{Context, Result};
use inframe_tests::photos::{self, Exif};
use inframe_tests::scan::{self, Canary};
use inframe_tests::scene::{Scene, announce, upload, wait_for_faces};

/// Bytes cut out of a file at several places; none occurs in ciphertext by chance.
fn cuts(what: &str, bytes: &[u8]) -> Vec<Canary> {
    const LENGTH: usize = 16;
    let places = [bytes.len() / 4, bytes.len() / 2, bytes.len() * 3 / 4];
    let whole = |at: &usize| bytes.get(*at..*at + LENGTH).is_some();
    places.into_iter().filter(whole).map(|at| Canary::new(format!("{what} at {at}"), &bytes[at..at + LENGTH])).collect()
}

#[tokio::test]
async fn d3_no_photo_thumbnail_name_or_key_is_on_disk_in_plain() -> Result<()> {
    let mut scene = Scene::gather("ask").await?;
    let exif = Exif {
        model: Some("Model-Canary-4711".to_owned()),
        serial: Some("Serial-Canary-0815".to_owned()),
        ..Exif::default()
    };
    let photo = photos::with_exif(&photos::sample(3)?, &exif)?;
    let asset = upload(scene.photographer.api(), "FileName-Canary-2342.jpg", photo.clone()).await?;
    wait_for_faces(scene.photographer.api(), &asset).await?;
    announce(scene.finder.api(), &scene.event).await?;
    let invite = scene.host.api().invite(&scene.event, None, None).await?;
    let question = inframe_tests::wait::wait_until("a question", inframe_tests::scene::WORKED, async || {
        let waiting = scene.photographer.api().approvals("waiting").await?;
        Ok(inframe_tests::wait::Seen::when(waiting.first().cloned(), String::new))
    })
    .await?;

    let mut canaries = vec![
        Canary::new("the camera's model", "Model-Canary-4711"),
        Canary::new("the camera's serial number", "Serial-Canary-0815"),
        Canary::new("the file name", "FileName-Canary-2342"),
        Canary::new("the event's name", "Summer party"),
        Canary::new("the invite's link", invite.link.rsplit('/').next().context("no link")?),
    ];
    canaries.extend(cuts("the photo", &photo));
    canaries.extend(cuts("the selfie", &photos::selfie()?));
    for size in ["grid", "preview"] {
        canaries.extend(cuts(&format!("the {size} thumbnail"), &scene.photographer.api().thumb(&asset, size).await?));
    }
    for which in ["still", "crop"] {
        canaries.extend(cuts(
            &format!("the {which}"),
            &scene.photographer.api().approval_image(&question.id, which).await?,
        ));
    }
    scene.photographer.api().decide(&question.id, "allow", false).await?;
    scene.wait_for_received(1).await?;
    let nodes = [&mut scene.host, &mut scene.photographer, &mut scene.finder];
    for node in nodes {
        let key = std::fs::read(node.folder().join("master.key"))?;
        canaries.push(Canary::new("the master key", key));
        node.stop().await?;
        std::fs::rename(node.folder().join("master.key"), node.folder().with_extension("key"))?;
        let found = scan::find(node.folder(), &canaries)?;
        std::fs::rename(node.folder().with_extension("key"), node.folder().join("master.key"))?;
        assert!(found.is_empty(), "d3: found in {}'s folder: {found:#?}", node.nickname());
    }
    Ok(())
}

#[tokio::test]
async fn d3_the_data_folder_and_the_key_are_for_their_owner_only() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let node = inframe_tests::daemon::Daemon::start("Node").await?;
    let mode = |path: &std::path::Path| -> Result<u32> { Ok(std::fs::metadata(path)?.permissions().mode() & 0o777) };
    assert_eq!(mode(&node.folder().join("master.key"))?, 0o600, "key file");
    assert_eq!(mode(&node.data_dir())?, 0o700, "data folder");
    assert_eq!(mode(&node.data_dir().join("inframe.sock"))?, 0o600, "socket");
    Ok(())
}
