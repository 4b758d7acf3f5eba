//! `inframe import`: starts imports and follows them to their end.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::client::{CliError, Client, segment};
use super::text::{Screen, one_line};
use crate::views::{ImportView, PathBody};

/// Time between questions for progress: quick to the eye, nothing to the daemon.
const ASK_EVERY: Duration = Duration::from_millis(300);

pub(super) async fn run(client: &Client, screen: &Screen, paths: Vec<PathBuf>) -> Result<ExitCode, CliError> {
    let mut all_good = true;
    let mut answers = Vec::new();
    for path in paths {
        let (answer, view) = import(client, screen, &path).await?;
        all_good &= view.failed.is_empty();
        if !screen.json {
            report(&path, &view);
        }
        answers.push(answer);
    }
    screen.show(&Value::Array(answers), || Ok::<_, CliError>(Vec::new()))?;
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn import(client: &Client, screen: &Screen, path: &Path) -> Result<(Value, ImportView), CliError> {
    // The daemon has another working folder than the one who types.
    let absolute = std::fs::canonicalize(path).map_err(|error| CliError::File(path.to_owned(), error))?;
    let Some(text) = absolute.to_str() else {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, "its path is not UTF-8; rename it");
        return Err(CliError::File(path.to_owned(), error));
    };
    let mut waits = None;
    let mut answer = client.post("/imports", &PathBody { path: text.to_owned() }).await?;
    loop {
        let view: ImportView = client.view(&answer)?;
        if view.state == "done" {
            screen.progress_over();
            return Ok((answer, view));
        }
        let seen = view.imported + view.duplicates + view.restored + view.failed.len() as u64;
        if view.waits.is_some() && view.waits != waits {
            screen.progress_over();
            screen.say(&format!("{} waits: {}", path.display(), view.waits.clone().unwrap_or_default()));
        }
        waits = view.waits.or(waits);
        screen.progress(&format!("{}: {seen} of {} files", path.display(), view.total));
        tokio::time::sleep(ASK_EVERY).await;
        answer = client.get(&format!("/imports/{}", segment(&view.id))).await?;
    }
}

fn report(path: &Path, view: &ImportView) {
    println!(
        "{}: {} imported, {} there already{}, {} failed",
        one_line(&path.display().to_string()),
        view.imported,
        view.duplicates,
        if view.restored > 0 { format!(", {} restored from the trash", view.restored) } else { String::new() },
        view.failed.len()
    );
    for kept in &view.files {
        println!("  {} is kept as a file: {}", one_line(&kept.name), one_line(&kept.reason));
    }
    for failure in &view.failed {
        println!("  {}: {}", one_line(&failure.name), one_line(&failure.reason));
    }
}
