//! Everything erased, and what is left then: nothing but a new, empty vault.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use inframe_tests::api::refusal;
use inframe_tests::cli::{said, typed};
use inframe_tests::daemon::Daemon;
use inframe_tests::kill;
use inframe_tests::photos;
use inframe_tests::scan::{self, Canary};
use inframe_tests::scene::{SOON, Scene, agree, announce, backed_up, enrol, upload};
use inframe_tests::views::Contact;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

const WORDS: &str = "erase everything";
const PASSPHRASE: &str = "lamps over a quiet harbour";

/// A node with photos, some in the trash, a face and an event.
async fn filled() -> Result<Daemon> {
    let node = Daemon::start("Node").await?;
    agree(node.api()).await?;
    enrol(node.api()).await?;
    upload(node.api(), "harbour.jpg", photos::sample(1)?).await?;
    let second = upload(node.api(), "second.jpg", photos::sample(2)?).await?;
    node.api().move_to_trash(&second).await?;
    node.api().create_event("Summer party").await?;
    Ok(node)
}

/// Pieces of every file of the data folder and of the key file: none of them may be anywhere afterwards.
fn pieces(node: &Daemon) -> Result<Vec<Canary>> {
    let mut files = scan::files(&node.data_dir())?;
    files.push(node.key_file());
    let mut pieces = Vec::new();
    for path in files {
        // The same in every database.
        if path.ends_with("catalog/conf") {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        // The key file ends with the key, after a comment; of the others, whose heads are magics, the middle is what differs.
        let from = if path == node.key_file() { bytes.len() - 40 } else { bytes.len() / 2 };
        let rest = bytes.get(from..).unwrap_or_default();
        let piece = &rest[..rest.len().min(32)];
        let varied = piece.iter().collect::<BTreeSet<_>>().len() >= 12;
        if varied {
            pieces.push(Canary::new(path.display().to_string(), piece));
        }
    }
    Ok(pieces)
}

/// Names of the files, without random ones.
fn names(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let files = scan::files(folder)?.into_iter();
    Ok(files.filter_map(|path| path.strip_prefix(folder).ok().map(Path::to_owned)).collect())
}

/// Nothing but a new vault is on the disk, and the daemon runs on it.
async fn is_new(node: &Daemon, pieces: &[Canary], identity: &str) -> Result<()> {
    let now = node.api().vault().await?;
    ensure!(now.phase == "open" && now.first_run && now.ways == ["key-file"], "{now:?}");
    let status = node.api().status().await?;
    assert_ne!(status.node_id, identity, "somebody else");
    assert_eq!((status.asset_count, node.api().events().await?.len()), (0, 0));
    ensure!(!node.api().profile().await?.enrolled, "no face");
    let found = scan::find(node.folder(), pieces)?;
    ensure!(found.is_empty(), "left behind: {found:?}");
    let fresh = Daemon::start("Fresh").await?;
    let (names, fresh) = (names(&node.data_dir())?, names(&fresh.data_dir())?);
    // The database keeps numbered files of its own, and the ballast is made a little later.
    let made = |name: &Path| name.starts_with("catalog") || name == Path::new("ballast");
    let odd: Vec<_> = names.difference(&fresh).filter(|name| !made(name)).collect();
    ensure!(odd.is_empty(), "more than in a new folder: {odd:?}");
    Ok(())
}

#[tokio::test]
async fn everything_is_erased_and_the_daemon_begins_as_new() -> Result<()> {
    let mut node = filled().await?;
    let identity = node.api().status().await?.node_id;
    let disk = backed_up(&node).await?;
    let backup = names(&disk)?;
    let slot = json!({ "by": { "way": "key-file" }, "change": "add", "way": "passphrase", "secret": PASSPHRASE });
    node.api().change_slots(&slot).await?;
    node.api().set_contact("Ann Lee", "ann@example.org").await?;
    let shown = node.api().erasure().await?;
    assert_eq!((shown.photos, shown.in_trash, shown.events, shown.hosted, shown.selfies), (1, 1, 1, 1, 1));
    ensure!(shown.key_file.is_some() && shown.backup_folder.as_deref() == disk.to_str(), "{shown:?}");

    let right = json!({ "way": "passphrase", "secret": PASSPHRASE });
    let refused = refusal(node.api().erase("yes", Some(&right)).await)?;
    assert_eq!((refused.status, refused.kind.as_str()), (422, "not-confirmed"), "{refused}");
    for by in
        [None, Some(json!({ "way": "key-file" })), Some(json!({ "way": "passphrase", "secret": "something else" }))]
    {
        let refused = refusal(node.api().erase(WORDS, by.as_ref()).await)?;
        assert_eq!((refused.status, refused.kind.as_str()), (403, "wrong-secret"), "{refused}");
    }
    assert_eq!(node.api().status().await?.node_id, identity, "nothing was changed");

    // The backup is in the folder that is searched: its bytes are those of the vault, so it is looked at first and moved out of the way.
    let pieces = pieces(&node)?;
    let elsewhere = tempfile::tempdir()?;
    node.api().erase(WORDS, Some(&right)).await?;
    assert_eq!(names(&disk)?, backup, "the backup is not touched");
    std::fs::rename(&disk, elsewhere.path().join("disk"))?;
    is_new(&node, &pieces, &identity).await?;
    assert_eq!(node.api().settings().await?.contact, Contact::default(), "nor who the owner is");
    let second = node.api().status().await?.node_id;
    node.stop().await?;
    node.restart().await?;
    assert_eq!(node.api().status().await?.node_id, second, "the new vault is a durable one");
    Ok(())
}

#[tokio::test]
async fn d2_killed_after_the_keys_nothing_opens_and_the_next_start_finishes() -> Result<()> {
    if !kill::is_possible("d2_killed_after_the_keys_nothing_opens_and_the_next_start_finishes") {
        return Ok(());
    }
    // When the key file goes, the slots are gone and nothing else; when the snapshot goes, something of the rest may be gone as well.
    for what in ["master.key", "data/catalog.snapshot", "data/erasing"] {
        let mut node = filled().await?;
        let identity = node.api().status().await?.node_id;
        node.stop().await?;
        let pieces = pieces(&node)?;
        let key = std::fs::read(node.key_file())?;
        node.run_under(kill::at("unlink", &node.folder().join(what), 1));
        node.restart().await?;
        ensure!(node.api().erase(WORDS, None).await.is_err(), "it died on the way");
        node.kill().await?;
        for slots in ["key-slots", "key-slots.copy"] {
            ensure!(!node.data_dir().join(slots).exists(), "{what}: {slots} went first");
        }
        let mark = node.data_dir().join("erasing");
        ensure!(mark.exists(), "{what}: the mark is there");
        // Not even with a copy of the key file.
        let kept = node.folder().join("kept");
        std::fs::write(&kept, &key)?;
        std::fs::set_permissions(&kept, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let listed = typed(&node, &["keys", "add", "recovery", "--key-file", &kept.display().to_string()], &[])?;
        ensure!(!listed.status.success() && said(&listed).contains("being erased"), "{what}: {}", said(&listed));
        std::fs::remove_file(kept)?;
        node.run_under(Vec::new());
        node.restart().await?;
        ensure!(!mark.exists(), "{what}: it is finished");
        is_new(&node, &pieces, &identity).await.with_context(|| format!("killed at {what}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn others_erase_the_face_of_somebody_who_erases_everything() -> Result<()> {
    let scene = Scene::gather("ask").await?;
    announce(scene.finder.api(), &scene.event).await?;
    let looking = async |wanted: bool| {
        wait_until("what the photographer knows", SOON, async || {
            let members = scene.photographer.api().event(&scene.event).await?.members;
            let now = members.iter().any(|member| member.looking);
            Ok(if now == wanted { Seen::Done(()) } else { Seen::NotYet(format!("{members:?}")) })
        })
        .await
    };
    looking(true).await?;
    scene.finder.api().erase(WORDS, None).await?;
    looking(false).await
}

#[tokio::test]
async fn the_command_line_erases_with_the_daemon_and_without() -> Result<()> {
    let mut node = filled().await?;
    let identity = node.api().status().await?.node_id;
    let no = typed(&node, &["erase"], &["no"])?;
    ensure!(!no.status.success() && said(&no).contains("nothing was changed"), "{}", said(&no));
    ensure!(said(&no).contains("1 photos") && said(&no).contains("Backups in other folders"), "{}", said(&no));
    assert_eq!(node.api().status().await?.node_id, identity);
    let found = pieces(&node)?;
    let yes = typed(&node, &["erase"], &[WORDS])?;
    ensure!(yes.status.success() && said(&yes).contains("Everything is erased"), "{}", said(&yes));
    is_new(&node, &found, &identity).await?;

    upload(node.api(), "third.jpg", photos::sample(3)?).await?;
    let identity = node.api().status().await?.node_id;
    node.stop().await?;
    let found = pieces(&node)?;
    let yes = typed(&node, &["erase"], &[WORDS])?;
    ensure!(yes.status.success(), "{}", said(&yes));
    ensure!(!node.key_file().exists() && names(&node.data_dir())? == [PathBuf::from("lock")].into(), "only the lock");
    node.restart().await?;
    is_new(&node, &found, &identity).await
}
