//! Commands for the work in the background: pause it, and try files again that were left alone.

use reqwest::Method;

use super::CliError;
use super::client::{Client, segment};
use super::event::choose;
use super::text::{Screen, bytes, short, table};
use super::when::shown;
use crate::views::{QuarantinedView, SettingsPatch, SettingsView};

/// Lets the background rest, or go on.
pub(super) async fn pause(client: &Client, screen: &Screen, paused: bool) -> Result<(), CliError> {
    let patch = SettingsPatch { background_paused: Some(paused), ..SettingsPatch::default() };
    let answer = client.json(Method::PATCH, "/settings", Some(&patch)).await?;
    screen.show(&answer, || {
        let settings: SettingsView = client.view(&answer)?;
        Ok(vec![if settings.background_paused {
            "Imports, watched folders and the search for faces rest. Photos still come and go. Go on with: inframe resume"
                .to_owned()
        } else {
            format!("The background goes on, with up to {} decode processes.", settings.processes)
        }])
    })
}

/// Lists what is left alone; tries one again.
pub(super) async fn quarantine(client: &Client, screen: &Screen, retry: Option<String>) -> Result<(), CliError> {
    if let Some(id) = retry {
        let known: Vec<QuarantinedView> = client.view(&client.get("/quarantine").await?)?;
        let chosen = choose(known, &id, |one| (&one.id, &one.file_name)).map_err(CliError::Ambiguous)?;
        client.post(&format!("/quarantine/{}/retry", segment(&chosen.id)), &()).await?;
    }
    let answer = client.get("/quarantine").await?;
    screen.show(&answer, || {
        let all: Vec<QuarantinedView> = client.view(&answer)?;
        if all.is_empty() {
            return Ok(vec!["No file is in quarantine.".to_owned()]);
        }
        let row = |one: &QuarantinedView| {
            vec![
                short(&one.id),
                one.work.clone(),
                one.file_name.clone(),
                bytes(one.size_bytes),
                shown(one.at),
                one.reason.clone(),
            ]
        };
        let rows: Vec<_> = all.iter().map(row).collect();
        Ok(table(&["ID", "WORK", "FILE", "SIZE", "LAST", "REASON"], &rows))
    })
}
