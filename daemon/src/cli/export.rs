//! `inframe export`: begins an export and follows it to its end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::client::{CliError, Client};
use super::text::{Screen, bytes, one_line};
use super::when::shown;
use crate::views::{ExportBody, ExportView};

/// Time between questions for progress: quick to the eye, nothing to the daemon.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// Where to; shows how the last one went when nothing is named.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// A folder, such as that of a disk; `inframe-export` is made in it. What is written there is not encrypted
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Break off the one that runs
    #[arg(long, conflicts_with = "folder")]
    stop: bool,
}

pub(super) async fn run(client: &Client, screen: &Screen, args: ExportArgs) -> Result<ExitCode, CliError> {
    let followed = args.folder.is_some();
    let answer = match args.folder {
        Some(folder) => follow(client, screen, &folder).await?,
        None if args.stop => client.json(reqwest::Method::DELETE, "/export", None::<&()>).await?,
        None => client.get("/export").await?,
    };
    let view: ExportView = client.view(&answer)?;
    screen.show(&answer, || Ok::<_, CliError>(lines(&view)))?;
    let whole = !followed || view.result.is_some_and(|result| result.damaged_count == 0);
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn follow(client: &Client, screen: &Screen, folder: &Path) -> Result<Value, CliError> {
    // The daemon has another working folder than the one who types.
    let absolute = std::path::absolute(folder)?;
    let Some(text) = absolute.to_str() else {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "its path is not UTF-8; rename it");
        return Err(CliError::File(folder.to_owned(), error));
    };
    let mut answer = client.post("/export", &ExportBody { folder: text.to_owned() }).await?;
    loop {
        let view: ExportView = client.view(&answer)?;
        if !view.running {
            screen.progress_over();
            return Ok(answer);
        }
        screen.progress(&format!("{} of {} files, {}", view.done_files, view.of_files, bytes(view.done_bytes)));
        tokio::time::sleep(ASK_EVERY).await;
        answer = client.get("/export").await?;
    }
}

fn lines(view: &ExportView) -> Vec<String> {
    let Some(folder) = &view.folder else {
        return vec!["Nothing was exported yet. Name a folder: inframe export FOLDER".into()];
    };
    let mut lines = vec![format!("Export: {}", one_line(folder))];
    if view.running {
        lines.push(format!("Under way: {} of {} files, {}", view.done_files, view.of_files, bytes(view.done_bytes)));
    }
    if let Some(result) = &view.result {
        lines.push(format!(
            "Complete {}: {} files, {}, {} of them new. They are not encrypted.",
            shown(result.at),
            result.files,
            bytes(result.bytes),
            result.new_files
        ));
        if result.damaged_count > 0 {
            lines.push(format!("Damaged in the vault and not exported: {}", result.damaged_count));
        }
        let named =
            |one: &crate::views::NotExportedView| format!("  {}: {}", one_line(&one.file_name), one_line(&one.reason));
        lines.extend(result.damaged.iter().map(named));
    }
    if let Some(problem) = &view.problem {
        lines.push(format!("Problem: {}", one_line(problem)));
    } else if !view.running && view.result.is_none() {
        lines.push("Stopped: what was written is used the next time.".into());
    }
    lines
}
