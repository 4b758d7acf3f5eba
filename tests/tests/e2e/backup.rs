//! A backup of a real node, and everything back on an empty machine.

use anyhow::{Context, Result, ensure};
use inframe_tests::api::refusal;
use inframe_tests::cli::{said, typed};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos;
use inframe_tests::scene::{SOON, agree, enrol, upload, wait_for_faces};
use inframe_tests::views::Backup;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

async fn done(node: &Daemon, what: &str, wanted: impl Fn(&Backup) -> bool) -> Result<Backup> {
    wait_until(what, SOON, async || {
        let now = node.api().backup().await?;
        Ok(if wanted(&now) && now.running.is_none() { Seen::Done(now) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await
}

#[tokio::test]
async fn a_lost_machine_comes_back_from_the_backup_and_the_paper() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    agree(node.api()).await?;
    enrol(node.api()).await?;
    let photo = photos::sample(1)?;
    let id = upload(node.api(), "harbour.jpg", photo.clone()).await?;
    let faces = wait_for_faces(node.api(), &id).await?.faces.len();
    let event = node.api().create_event("Summer party").await?.id;
    let words = node.api().recovery_words().await?.join(" ");
    let sheet = json!({ "by": { "way": "key-file" }, "change": "add", "way": "recovery", "secret": words });
    ensure!(node.api().change_slots(&sheet).await?.ways.contains(&"recovery".to_owned()), "the sheet is in force");

    let none = refusal(node.api().run_backup().await)?;
    assert_eq!((none.status, none.kind.as_str()), (409, "no-backup-folder"));
    let inside = node.data_dir().join("blobs");
    let inside = refusal(node.api().change_backup(&json!({ "folder": inside })).await)?;
    assert_eq!(inside.status, 422, "{inside}");
    let disk = node.folder().join("disk");
    std::fs::create_dir(&disk)?;
    let plan = node.api().change_backup(&json!({ "folder": disk, "every_hours": 24 })).await?;
    ensure!(plan.same_disk, "it says that this disk is the vault's own");
    let first = done(&node, "the first backup, which is due at once", |now| now.last_at.is_some()).await?;
    ensure!(first.problem.is_none() && first.files >= 3, "{first:?}");

    // The disk is away for a while; what is new is copied when it is back.
    let second = upload(node.api(), "second.jpg", photos::sample(2)?).await?;
    wait_for_faces(node.api(), &second).await?;
    let away = node.folder().join("away");
    std::fs::rename(&disk, &away)?;
    node.api().run_backup().await?;
    let failed = done(&node, "the words about the missing disk", |now| now.problem.is_some()).await?;
    ensure!(failed.problem.as_deref().is_some_and(|words| words.contains("connect the disk")), "{failed:?}");
    std::fs::rename(&away, &disk)?;
    node.api().run_backup().await?;
    let made = done(&node, "the second backup", |now| now.last_at > first.last_at && now.problem.is_none()).await?;
    ensure!(made.files > first.files, "{made:?}");

    // A bit of the backup rots; a check mends it.
    let blob = walk(&disk.join("inframe-backup/blobs"))?.into_iter().next().context("no blob")?;
    let mut bytes = std::fs::read(&blob)?;
    let sound = bytes.clone();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    std::fs::write(&blob, &bytes)?;
    node.api().check_backup().await?;
    done(&node, "the check", |now| now.checked_at.is_some()).await?;
    ensure!(std::fs::read(&blob)? == sound, "what was damaged was copied anew");

    // The machine is lost: data folder and key file are gone.
    node.stop().await?;
    std::fs::remove_dir_all(node.data_dir())?;
    std::fs::remove_file(node.key_file())?;
    let from = disk.display().to_string();
    let wrong = typed(&node, &["restore", &from, "--by", "recovery"], &["abandon"])?;
    ensure!(!wrong.status.success(), "{}", said(&wrong));
    let back = typed(&node, &["restore", &from, "--by", "recovery"], &[&words])?;
    ensure!(back.status.success() && said(&back).contains("Brought back"), "{}", said(&back));
    node.restart().await?;
    ensure!(node.ready().locked, "there is no key file any more");
    node.api().unlock(&json!({ "way": "recovery", "secret": words })).await?;
    assert_eq!(node.api().original(&id).await?, photo);
    assert_eq!(node.api().asset(&id).await?.faces.len(), faces, "faces came back without another look");
    ensure!(node.api().profile().await?.selfies.len() == 1, "the selfie came back");
    assert_eq!(node.api().event(&event).await?.id, event);
    let again = typed(&node, &["restore", &from, "--by", "recovery"], &[&words])?;
    ensure!(!again.status.success() && said(&again).contains("stop it"), "{}", said(&again));
    Ok(())
}

fn walk(folder: &std::path::Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(walk(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}
