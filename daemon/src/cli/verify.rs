//! `inframe verify`.

use std::process::ExitCode;
use std::time::Duration;

use super::CliError;
use super::client::Client;
use super::text::{Screen, bytes, one_line};
use super::when::shown;
use crate::views::{VerifyBody, VerifyView};

/// How often it is asked how far the daemon is.
const ASK: Duration = Duration::from_millis(500);

/// What to do with the files of the vault.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Mend what is damaged: from the backup, from the original, or by asking whoever sent it
    #[arg(long)]
    repair: bool,
    /// Only show what the last look has shown
    #[arg(long, conflicts_with_all = ["repair", "stop"])]
    last: bool,
    /// Break off the one that runs
    #[arg(long, conflicts_with = "repair")]
    stop: bool,
}

/// Has every file of the vault read and waits for the end. The exit code says whether all is sound.
pub(super) async fn run(client: &Client, args: VerifyArgs, screen: &Screen) -> Result<ExitCode, CliError> {
    let mut answer = if args.stop {
        client.json(reqwest::Method::DELETE, "/verify", None::<&()>).await?
    } else if args.last {
        client.get("/verify").await?
    } else {
        client.post("/verify", &VerifyBody { repair: args.repair }).await?
    };
    let mut view: VerifyView = client.view(&answer)?;
    while !args.stop && !args.last && view.running.is_some() {
        screen.progress(&progress(&view));
        tokio::time::sleep(ASK).await;
        answer = client.get("/verify").await?;
        view = client.view(&answer)?;
    }
    screen.progress_over();
    screen.show(&answer, || Ok::<_, CliError>(lines(&view)))?;
    let sound = view.damaged_total == 0 && view.problem.is_none();
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn progress(view: &VerifyView) -> String {
    let word = match view.running.as_deref() {
        Some("salvage") => "Finding photos again",
        Some("mend") => "Mending",
        _ => "Reading",
    };
    format!("{word}: {} of {} files, {}", view.done_files, view.of_files, bytes(view.done_bytes))
}

fn lines(view: &VerifyView) -> Vec<String> {
    let mut lines = Vec::new();
    if view.running.is_some() {
        lines.push(progress(view));
    }
    lines.push(match view.last_at {
        Some(at) => format!("Every file was read: {}, {} files, {}", shown(at), view.files, bytes(view.bytes)),
        None => "Never read yet. Begin with: inframe verify".into(),
    });
    if let Some(problem) = &view.problem {
        lines.push(format!("Problem: {problem}"));
    }
    if view.mended > 0 {
        lines.push(format!("Mended: {} files", view.mended));
    }
    if view.last_at.is_some() && view.damaged_total == 0 {
        lines.push("All are as they were written.".into());
    }
    for damage in &view.damaged {
        let asked = damage.asked.as_ref().map(|who| format!("; {} is asked to send it again", one_line(who)));
        let trash = if damage.in_trash { " (in the trash)" } else { "" };
        lines.push(format!("{}{trash}: {}{}", one_line(&damage.file_name), damage.what, asked.unwrap_or_default()));
    }
    let unnamed = view.damaged_total.saturating_sub(view.damaged.len() as u64);
    if unnamed > 0 {
        lines.push(format!("... and {unnamed} more"));
    }
    if view.damaged_total > 0 {
        lines.push("Mend what can be mended with: inframe verify --repair".into());
    }
    lines
}
