//! `inframe backup` and `inframe restore`.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::CliError;
use super::client::Client;
use super::keys::{By, KeysError, Known};
use super::text::{Screen, bytes};
use super::when::shown;
use crate::config::data_dir_or_default;
use crate::data_dir::DataDir;
use crate::vault::SlotKind;
use crate::vault::backup::{BackupError, restore};
use crate::views::BackupView;

/// What to do about the backup; shows how it stands when nothing is named.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// Back up to this folder from now on, such as that of a USB disk
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Make one every so many hours; 0 is only by hand
    #[arg(long, value_name = "HOURS")]
    every: Option<u32>,
    /// Make one now
    #[arg(long)]
    now: bool,
    /// Read the backup through, and copy anew what is damaged
    #[arg(long)]
    check: bool,
    /// Break off the one that runs
    #[arg(long, conflicts_with_all = ["now", "check"])]
    stop: bool,
    /// Name no folder any more; the backup stays where it is
    #[arg(long, conflicts_with_all = ["to", "now", "check"])]
    off: bool,
}

/// From where, and how the backup is unlocked.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// The folder that was named when the backup was made
    from: PathBuf,
    #[command(flatten)]
    by: By,
}

/// Why nothing was brought back.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestoreError {
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
}

/// Changes or shows the backup of the running daemon.
pub(super) async fn run(client: &Client, args: BackupArgs, screen: &Screen) -> Result<(), CliError> {
    let folder = if args.off { Some(PathBuf::new()) } else { args.to.map(std::path::absolute).transpose()? };
    if folder.is_some() || args.every.is_some() {
        let patch = json!({ "folder": folder, "every_hours": args.every });
        client.json(reqwest::Method::PATCH, "/backup", Some(&patch)).await?;
    }
    if args.now {
        client.post("/backup/run", &()).await?;
    }
    if args.check {
        client.post("/backup/check", &()).await?;
    }
    if args.stop {
        client.json(reqwest::Method::DELETE, "/backup/run", None::<&()>).await?;
    }
    let answer = client.get("/backup").await?;
    screen.show(&answer, || Ok(lines(&client.view(&answer)?)))
}

fn lines(view: &BackupView) -> Vec<String> {
    let Some(folder) = &view.folder else {
        return vec![
            "There is no backup. Name a folder on another disk: inframe backup --to FOLDER --every 24 --now".into(),
        ];
    };
    let every = match view.every_hours {
        Some(hours) => format!("every {hours} h"),
        None => "only by hand".into(),
    };
    let mut lines = vec![format!("Backup: {folder}, {every}")];
    lines.push(match view.last_at {
        Some(at) => format!("Last: {}, {} files, {}", shown(at), view.files, bytes(view.bytes)),
        None => "Last: never".into(),
    });
    if let Some(at) = view.checked_at {
        lines.push(format!("Read through and found whole: {}", shown(at)));
    }
    if let Some(running) = &view.running {
        let word = if running == "check" { "Being checked" } else { "Being made" };
        lines.push(format!("{word}: {} of {} files, {}", view.done_files, view.of_files, bytes(view.done_bytes)));
    }
    if let Some(problem) = &view.problem {
        lines.push(format!("Problem: {problem}"));
    }
    lines
}

/// Brings a backup back into an empty data folder.
pub(super) fn bring_back(args: RestoreArgs, data_dir: Option<PathBuf>, screen: &Screen) -> Result<(), RestoreError> {
    let folder = data_dir_or_default(data_dir, |name| std::env::var_os(name)).map_err(KeysError::from)?;
    let dir = DataDir::open(&folder).map_err(KeysError::from)?;
    // On an empty machine there is no key file: the paper is what one has.
    let there = [SlotKind::Recovery];
    let by = Known::ask(&args.by, &there, None, screen)?.unlock()?;
    let restored = restore(&args.from, &dir, &by, |progress| {
        screen.progress(&format!("{} of {} files, {}", progress.files, progress.of, bytes(progress.bytes)));
        true
    });
    screen.progress_over();
    let restored = restored?;
    say(&restored.lost.len(), restored.files, restored.bytes, &folder, screen);
    Ok(())
}

fn say(lost: &usize, files: u64, size: u64, folder: &Path, screen: &Screen) {
    if screen.json {
        println!("{:#}", json!({ "files": files, "bytes": size, "lost": lost }));
        return;
    }
    println!("Brought back {files} files, {}, into {}.", bytes(size), folder.display());
    if *lost > 0 {
        println!(
            "{lost} files of the backup are damaged or missing: the photos that they belong to are listed but cannot be opened."
        );
    }
    println!(
        "Start it with: inframe run. Where there is no key file, unlock it in the dashboard or with: inframe unlock"
    );
    println!("If the daemon that made the backup still runs, stop it: two with one identity confuse the others.");
}
