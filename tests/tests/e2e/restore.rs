//! A backup brought back into a daemon that runs, at its first steps.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use inframe_tests::api::refusal;
use inframe_tests::daemon::Daemon;
use inframe_tests::kill;
use inframe_tests::photos;
use inframe_tests::scan;
use inframe_tests::scene::{SOON, backed_up, upload};
use inframe_tests::views::Vault;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::{Value, json};

const PASSPHRASE: &str = "lamps over a quiet harbour";

/// A node that was backed up and then ended.
struct Lost {
    // Its folder holds the backup.
    node: Daemon,
    disk: PathBuf,
    photo: (String, Vec<u8>),
    event: String,
    identity: String,
    words: Value,
}

async fn lost() -> Result<Lost> {
    let mut node = Daemon::start("Node").await?;
    let bytes = photos::sample(1)?;
    let id = upload(node.api(), "harbour.jpg", bytes.clone()).await?;
    upload(node.api(), "second.jpg", photos::sample(2)?).await?;
    let event = node.api().create_event("Summer party").await?.id;
    let words = json!({ "way": "recovery", "secret": node.api().recovery_words().await?.join(" ") });
    for (way, secret) in [("recovery", &words["secret"]), ("passphrase", &json!(PASSPHRASE))] {
        let slot = json!({ "by": { "way": "key-file" }, "change": "add", "way": way, "secret": secret });
        node.api().change_slots(&slot).await?;
    }
    let disk = backed_up(&node).await?;
    let identity = node.api().status().await?.node_id;
    node.stop().await?;
    Ok(Lost { node, disk, photo: (id, bytes), event, identity, words })
}

impl Lost {
    /// Everything is there again.
    async fn is_back(&self, on: &Daemon) -> Result<()> {
        assert_eq!(on.api().original(&self.photo.0).await?, self.photo.1);
        assert_eq!(on.api().status().await?.asset_count, 2);
        assert_eq!(on.api().status().await?.node_id, self.identity);
        assert_eq!(on.api().event(&self.event).await?.name, "Summer party");
        Ok(())
    }

    /// Every file of the backup and its bytes: bringing it back only reads.
    fn backup(&self) -> Result<Vec<(PathBuf, Vec<u8>)>> {
        let files = scan::files(&self.disk)?.into_iter();
        files.map(|path| Ok((path.clone(), std::fs::read(path)?))).collect()
    }
}

async fn done(node: &Daemon) -> Result<Vault> {
    wait_until("the node with what was brought back", SOON, async || {
        let now = node.api().vault().await?;
        let done = now.phase == "open" && now.restore.as_ref().is_some_and(|restore| restore.state == "done");
        Ok(if done { Seen::Done(now) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await
}

#[tokio::test]
async fn an_empty_node_takes_a_backup_and_goes_on_with_it() -> Result<()> {
    let lost = lost().await?;
    let before = lost.backup()?;
    let mut node = Daemon::start("New").await?;
    ensure!(node.api().vault().await?.first_run, "nobody has been through the first steps");
    let own = node.api().status().await?.node_id;

    let nowhere = refusal(node.api().look_for_backup(node.folder()).await)?;
    assert_eq!((nowhere.status, nowhere.kind.as_str()), (422, "no-backup"), "{nowhere}");
    let away = refusal(node.api().look_for_backup(Path::new("/nonexistent/disk")).await)?;
    ensure!(away.kind == "no-backup" && away.detail.contains("connect the disk"), "{away}");
    let found = node.api().look_for_backup(&lost.disk).await?;
    ensure!(found.newest > 0 && found.ways.contains(&"passphrase".to_owned()), "{found:?}");
    let wrong = json!({ "way": "passphrase", "secret": "lamps over a loud harbour" });
    let wrong = refusal(node.api().bring_back(&lost.disk, &wrong, true).await)?;
    assert_eq!((wrong.status, wrong.kind.as_str()), (403, "wrong-secret"), "{wrong}");
    let garbled = json!({ "way": "recovery", "secret": "abandon ".repeat(24) });
    assert_eq!(refusal(node.api().bring_back(&lost.disk, &garbled, true).await)?.kind, "bad-recovery-phrase");
    assert_eq!(node.api().status().await?.node_id, own, "whatever was wrong, the empty node runs on");

    node.api().bring_back(&lost.disk, &json!({ "way": "passphrase", "secret": PASSPHRASE }), true).await?;
    let now = done(&node).await?;
    ensure!(!now.first_run && now.restore.is_some_and(|restore| restore.lost == 0), "the first steps are over");
    lost.is_back(&node).await?;
    // It backs itself up there again, as its settings say, in a newer version of the same day.
    let (after, blobs) = (lost.backup()?, lost.disk.join("inframe-backup/blobs"));
    let kept = before.iter().filter(|(path, _)| path.starts_with(&blobs)).all(|file| after.contains(file));
    ensure!(kept, "the backup was only read");

    // This computer's key file opens it, so that it starts without a question.
    node.stop().await?;
    node.restart().await?;
    ensure!(!node.ready().locked, "it starts by itself");
    lost.is_back(&node).await?;
    let again = refusal(node.api().bring_back(&lost.disk, &lost.words, true).await)?;
    assert_eq!((again.status, again.kind.as_str()), (409, "not-empty"), "{again}");
    lost.is_back(&node).await
}

#[tokio::test]
async fn without_a_key_file_the_restored_vault_waits_locked_at_the_next_start() -> Result<()> {
    let lost = lost().await?;
    let mut node = Daemon::start("New").await?;
    node.api().bring_back(&lost.disk, &lost.words, false).await?;
    done(&node).await?;
    // The key file that the empty node had made opens nothing any more, and is in nobody's way.
    node.kill().await?;
    node.restart().await?;
    ensure!(node.ready().locked, "it waits");
    node.api().unlock(&lost.words).await?;
    lost.is_back(&node).await
}

#[tokio::test]
async fn nothing_is_brought_back_over_a_node_that_is_in_use() -> Result<()> {
    let lost = lost().await?;
    let photo = photos::sample(3)?;
    for what in ["photo", "event", "trash"] {
        let node = Daemon::start("New").await?;
        if what == "event" {
            node.api().create_event("Picnic").await?;
        } else {
            let id = upload(node.api(), "mine.jpg", photo.clone()).await?;
            if what == "trash" {
                node.api().move_to_trash(&id).await?;
            }
        }
        ensure!(!node.api().vault().await?.first_run, "whoever has begun needs no first steps");
        let refused = refusal(node.api().bring_back(&lost.disk, &lost.words, true).await)?;
        assert_eq!((refused.status, refused.kind.as_str()), (409, "not-empty"), "{what}: {refused}");
        // Nor while it is locked, when nobody can tell.
        node.api().lock().await?;
        let refused = refusal(node.api().bring_back(&lost.disk, &lost.words, true).await)?;
        assert_eq!(refused.kind, "not-empty", "{what}");
        node.api().unlock(&json!({ "way": "key-file" })).await?;
        assert_eq!(node.api().events().await?.len(), usize::from(what == "event"));
        assert_eq!(node.api().status().await?.asset_count, u64::from(what == "photo"));
    }
    Ok(())
}

#[tokio::test]
async fn d2_a_kill_in_the_middle_leaves_a_restore_that_is_gone_on_with_or_given_up() -> Result<()> {
    if !kill::is_possible("d2_a_kill_in_the_middle_leaves_a_restore_that_is_gone_on_with_or_given_up") {
        return Ok(());
    }
    let lost = lost().await?;
    let blobs = lost.disk.join("inframe-backup/blobs");
    let blob = scan::files(&blobs)?.pop().context("no blob")?;
    // As it is called while it is written.
    let blob = Path::new("blobs").join(blob.strip_prefix(&blobs)?).with_extension("new");
    for (calls, path, give_up) in [
        // The mark is there, and nothing else of the backup.
        ("rename", Path::new("key-slots.copy.new"), false),
        ("rename", blob.as_path(), false),
        ("rename", blob.as_path(), true),
        // Everything is there, and the mark still.
        ("unlink", Path::new("restoring"), false),
    ] {
        let mut node = Daemon::start("New").await?;
        // From the second start on, so that the first one's own slots do not count.
        node.stop().await?;
        node.run_under(kill::at(calls, &node.data_dir().join(path), 1));
        node.restart().await?;
        // It may die before it has answered.
        let _ = node.api().bring_back(&lost.disk, &lost.words, true).await;
        wait_until(&format!("the end of the daemon at {}", path.display()), SOON, async || {
            let answer = node.api().vault().await;
            Ok(if answer.is_err() { Seen::Done(()) } else { Seen::NotYet(format!("{answer:?}")) })
        })
        .await?;
        node.run_under(Vec::new());
        node.restart().await?;
        let now = node.api().vault().await?;
        assert_eq!(now.phase, "unfinished", "{}", path.display());
        let refused = refusal(node.api().status().await)?;
        assert_eq!((refused.status, refused.kind.as_str()), (423, "restoring"), "{refused}");
        let wrong = json!({ "way": "passphrase", "secret": "lamps over a loud harbour" });
        assert_eq!(refusal(node.api().bring_back(&lost.disk, &wrong, true).await)?.kind, "wrong-secret");
        assert_eq!(node.api().vault().await?.phase, "unfinished", "a wrong secret takes nothing away");
        if give_up {
            node.api().erase("erase everything", None).await?;
            let now = node.api().vault().await?;
            ensure!(now.phase == "open" && now.first_run, "{now:?}");
            assert_eq!(node.api().status().await?.asset_count, 0);
            ensure!(scan::files(&node.data_dir().join("blobs"))?.is_empty(), "what had come is gone");
        }
        node.api().bring_back(&lost.disk, &lost.words, true).await?;
        done(&node).await?;
        lost.is_back(&node).await?;
        node.stop().await?;
        node.restart().await?;
        lost.is_back(&node).await?;
    }
    drop(lost.node);
    Ok(())
}

#[tokio::test]
async fn a_backup_of_a_newer_version_and_one_that_is_larger_than_the_disk_are_told_before_anything_is_changed()
-> Result<()> {
    let lost = lost().await?;
    let mut node = Daemon::start("New").await?;
    let own = node.api().status().await?.node_id;
    let mark = lost.disk.join("inframe-backup/inframe-backup");
    let sound = std::fs::read_to_string(&mark)?;
    std::fs::write(&mark, sound.replace("inframe backup 1", "inframe backup 2"))?;
    let newer = refusal(node.api().look_for_backup(&lost.disk).await)?;
    ensure!(newer.kind == "newer-backup" && newer.detail.contains("install that version"), "{newer}");
    let newer = refusal(node.api().bring_back(&lost.disk, &lost.words, true).await)?;
    assert_eq!(newer.kind, "newer-backup");
    std::fs::write(&mark, sound)?;
    node.stop().await?;
    node.keep_free(Some("900TB"));
    node.restart().await?;
    let full = refusal(node.api().bring_back(&lost.disk, &lost.words, true).await)?;
    assert_eq!((full.status, full.kind.as_str()), (507, "disk-almost-full"), "{full}");
    assert_eq!(node.api().status().await?.node_id, own, "the empty node runs on");
    Ok(())
}
