//! Vaults of every format that ever was, kept in `tests/golden/vaults`: what a version once wrote, each later one reads. `make golden-vault` adds that of
//! this version.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use inframe_tests::cli::{said, typed};
use inframe_tests::daemon::{Daemon, Options};
use inframe_tests::photos::{self, pattern};
use inframe_tests::scan;
use inframe_tests::scene::{agree, upload, wait_for_faces, wait_for_rest};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Format of the data folder, as its file `format` says.
const FORMAT: u32 = 1;
const PASSPHRASE: &str = "a golden vault for later versions";
/// So that the repository stays small.
const MOST_BYTES: u64 = 300_000;

/// What is in a vault: photos that were computed, and no face of anybody, since its keys lie beside it.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    nickname: String,
    node_id: String,
    passphrase: String,
    words: String,
    photos: Vec<Photo>,
    trashed: String,
    event: String,
    event_name: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Photo {
    id: String,
    file_name: String,
    blake3: String,
}

fn vaults() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/vaults")
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in scan::files(from)? {
        let target = to.join(file.strip_prefix(from)?);
        fs::create_dir_all(target.parent().context("no folder")?)?;
        fs::copy(&file, &target)?;
        // A repository keeps no modes, and a key file that others may read is refused.
        fs::set_permissions(target, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "adds the vault of this version to the repository: make golden-vault"]
async fn make_the_golden_vault_of_this_version() -> Result<()> {
    let place = vaults().join(FORMAT.to_string());
    ensure!(!place.exists(), "{} is there already: what a version wrote once stays", place.display());
    let mut node = Daemon::start("Golden").await?;
    agree(node.api()).await?;
    let mut all = Vec::new();
    for (file_name, bytes) in [
        ("harbour.jpg", photos::to_jpeg(&pattern(320, 240, 7))?),
        ("boats.jpg", photos::to_jpeg(&pattern(400, 300, 9))?),
        ("gone.jpg", photos::to_jpeg(&pattern(240, 320, 8))?),
    ] {
        let id = upload(node.api(), file_name, bytes.clone()).await?;
        wait_for_faces(node.api(), &id).await?;
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        all.push(Photo { id, file_name: file_name.to_owned(), blake3 });
    }
    let trashed = all.pop().context("no photo")?.id;
    node.api().move_to_trash(&trashed).await?;
    let event_name = "Summer party".to_owned();
    let event = node.api().create_event(&event_name).await?.id;
    let words = node.api().recovery_words().await?.join(" ");
    for (way, secret) in [("recovery", words.as_str()), ("passphrase", PASSPHRASE)] {
        let slot = json!({ "by": { "way": "key-file" }, "change": "add", "way": way, "secret": secret });
        node.api().change_slots(&slot).await?;
    }
    let node_id = wait_for_rest(&node).await?.node_id;
    node.stop().await?;
    let about = About {
        nickname: "Golden".to_owned(),
        node_id,
        passphrase: PASSPHRASE.to_owned(),
        words,
        photos: all,
        trashed,
        event,
        event_name,
    };
    fs::remove_file(node.data_dir().join("ballast"))?;
    copy(&node.data_dir(), &place.join("data"))?;
    fs::copy(node.key_file(), place.join("key"))?;
    fs::write(place.join("about.json"), serde_json::to_string_pretty(&about)? + "\n")?;
    Ok(())
}

#[tokio::test]
async fn every_golden_vault_opens_and_everything_in_it_is_read() -> Result<()> {
    let mut formats = Vec::new();
    for entry in fs::read_dir(vaults())? {
        let place = entry?.path();
        formats.push(place.file_name().and_then(|name| name.to_str()).unwrap_or_default().parse::<u32>()?);
        let size: u64 = scan::files(&place)?.iter().map(|file| fs::metadata(file).map_or(0, |found| found.len())).sum();
        ensure!(size < MOST_BYTES, "{}: {size} bytes", place.display());
        is_read(&place).await.with_context(|| format!("the vault of format {}", place.display()))?;
    }
    ensure!(formats.contains(&FORMAT), "none of this version: make golden-vault");
    Ok(())
}

async fn is_read(place: &Path) -> Result<()> {
    let about: About = serde_json::from_slice(&fs::read(place.join("about.json"))?)?;
    let fill = |folder: &Path| {
        copy(&place.join("data"), &folder.join("data"))?;
        fs::copy(place.join("key"), folder.join("master.key"))?;
        Ok(fs::set_permissions(folder.join("master.key"), fs::Permissions::from_mode(0o600))?)
    };
    let node = Daemon::start_in(Options::local(&about.nickname), fill).await?;
    ensure!(!node.ready().locked, "its key file opens it");
    for secret in [
        json!({ "way": "key-file" }),
        json!({ "way": "passphrase", "secret": about.passphrase }),
        json!({ "way": "recovery", "secret": about.words }),
    ] {
        node.api().lock().await?;
        node.api().unlock(&secret).await?;
        assert_eq!(node.api().status().await?.node_id, about.node_id);
        assert_eq!(node.api().status().await?.asset_count, about.photos.len() as u64);
        for photo in &about.photos {
            let bytes = node.api().original(&photo.id).await?;
            assert_eq!(blake3::hash(&bytes).to_hex().as_str(), photo.blake3, "{}", photo.file_name);
            node.api().thumb(&photo.id, "grid").await?;
            node.api().thumb(&photo.id, "preview").await?;
            assert_eq!(node.api().asset(&photo.id).await?.file_name, photo.file_name);
        }
        // What lay in the trash for thirty days by its own clock is purged; nobody opened this one so long.
        let trash = node.api().trash(None, 10).await?;
        assert_eq!(trash.items.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [about.trashed.as_str()]);
        assert_eq!(node.api().event(&about.event).await?.name, about.event_name);
        let me = node.api().profile().await?;
        ensure!(me.consent_at.is_some(), "{me:?}");
        ensure!(!node.api().vault().await?.first_run, "its owner needs no first steps");
    }
    node.api().restore(&[&about.trashed]).await?;
    node.api().original(&about.trashed).await?;
    Ok(())
}

#[tokio::test]
async fn a_data_folder_of_a_newer_version_is_refused_and_left_as_it_is() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    upload(node.api(), "harbour.jpg", photos::to_jpeg(&pattern(320, 240, 7))?).await?;
    node.stop().await?;
    let line = format!("inframe vault {}", FORMAT + 1);
    let sum = blake3::hash(line.as_bytes()).to_hex();
    fs::write(node.data_dir().join("format"), format!("{line} {}\n", &sum[..8]))?;
    let files = || -> Result<Vec<(PathBuf, Vec<u8>)>> {
        scan::files(&node.data_dir())?.into_iter().map(|path| Ok((path.clone(), fs::read(&path)?))).collect()
    };
    let before = files()?;
    for command in [&["run", "--dashboard", "127.0.0.1:0", "--no-mdns"][..], &["keys", "list"], &["erase"]] {
        let refused = typed(&node, command, &["erase everything"])?;
        let words = said(&refused);
        ensure!(
            !refused.status.success() && words.contains("install that version or a later one"),
            "{command:?}: {words}"
        );
        ensure!(files()? == before, "{command:?} changed something");
    }
    Ok(())
}
