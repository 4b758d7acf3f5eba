//! `inframe erase`: everything in the data folder, and the key file. Through the daemon where one runs, else on the folder itself.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::CliError;
use super::client::Client;
use super::keys::{By, KeysError, Known, key_file_path};
use super::text::{Screen, bytes};
use crate::config::data_dir_or_default;
use crate::data_dir::{DataDir, DataDirError};
use crate::door::Phase;
use crate::vault::erase::erase;
use crate::vault::{KeyError, KeyFile, SlotKind};
use crate::views::ErasureView;
use crate::web::{ERASE_WORDS, VaultView};

/// Shows what would be destroyed, asks, and erases it.
pub(super) async fn run(by: By, data_dir: Option<PathBuf>, screen: &Screen) -> Result<(), KeysError> {
    let folder = data_dir_or_default(data_dir, |name| std::env::var_os(name))?;
    // Looking must not make a folder.
    if !folder.is_dir() {
        return Err(KeyError::NoVault.into());
    }
    match DataDir::open(&folder) {
        Ok(dir) => alone(&dir, &by, screen)?,
        Err(DataDirError::InUse { path }) => {
            let client = Client::new(path.join("inframe.sock"))?;
            through_the_daemon(&client, &by, screen).await?;
        }
        Err(error) => return Err(error.into()),
    }
    if screen.json {
        println!("{:#}", json!({ "erased": true }));
    } else {
        println!("Everything is erased.");
    }
    Ok(())
}

/// No daemon runs: nobody can be told, and whoever may write here could remove the files as well, so no secret is asked for.
fn alone(dir: &DataDir, by: &By, screen: &Screen) -> Result<(), KeysError> {
    let key_file = KeyFile::at(key_file_path(by.key_file.clone())?);
    let (files, size) = below(&dir.blobs);
    screen.say(&format!(
        "This destroys the vault in {}: {files} encrypted files, {}.",
        dir.root.display(),
        bytes(size)
    ));
    screen.say(&format!("The key file {} is destroyed as well, if it opens this vault.", key_file.path().display()));
    screen
        .say("The daemon does not run, so nobody is told: where your face is announced, others erase it within a day.");
    confirmed(screen)?;
    Ok(erase(dir, &key_file)?)
}

async fn through_the_daemon(client: &Client, by: &By, screen: &Screen) -> Result<(), KeysError> {
    let view: VaultView = client.view(&client.get("/vault").await?)?;
    if view.phase != Phase::Unfinished {
        let erasure: ErasureView = client.view(&client.get("/erasure").await?)?;
        lines(&erasure).iter().for_each(|line| screen.say(line));
    }
    confirmed(screen)?;
    let secret = match view.erasing_takes_secret && view.phase != Phase::Unfinished {
        true => {
            let there: Vec<SlotKind> = view.ways.into_iter().map(SlotKind::from).collect();
            Known::ask(by, &there, Some(SlotKind::KeyFile), screen)?.json()
        }
        false => Value::Null,
    };
    client.post("/vault/erase", &json!({ "words": ERASE_WORDS, "by": secret })).await?;
    Ok(())
}

fn confirmed(screen: &Screen) -> Result<(), KeysError> {
    screen.say("Backups in other folders stay as they are. Nothing brings the rest back.");
    let typed = screen.ask(&format!("Type the words \"{ERASE_WORDS}\": "))?;
    if typed.trim().eq_ignore_ascii_case(ERASE_WORDS) { Ok(()) } else { Err(CliError::Declined.into()) }
}

fn lines(view: &ErasureView) -> Vec<String> {
    let mut lines = vec![
        format!("This destroys {} photos, videos and files, {}.", view.photos, bytes(view.photo_bytes)),
        format!("In the trash: {}, {}.", view.in_trash, bytes(view.trash_bytes)),
        format!("{} people, {} selfies, {} events.", view.people, view.selfies, view.events),
    ];
    if view.hosted > 0 {
        lines.push(format!("{} of the events are yours: nobody can join them any more.", view.hosted));
    }
    if view.events > 0 {
        lines.push("Your face is taken back from them; photos that you sent stay with those who have them.".into());
    }
    if let Some(path) = &view.key_file {
        lines.push(format!("The key file {path} is destroyed as well."));
    }
    if let Some(folder) = &view.backup_folder {
        lines.push(format!("The backup in {folder} stays as it is."));
    }
    lines
}

/// How many files there are below a folder, and their bytes.
fn below(folder: &Path) -> (u64, u64) {
    let (mut files, mut size) = (0, 0);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => {
                let (more, larger) = below(&entry.path());
                files += more;
                size += larger;
            }
            Ok(found) => {
                files += 1;
                size += found.len();
            }
            Err(_) => {}
        }
    }
    (files, size)
}
