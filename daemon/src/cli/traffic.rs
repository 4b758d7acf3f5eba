//! How much of the line transfers may have, and when.

use clap::Args;
use reqwest::Method;

use super::CliError;
use super::client::Client;
use super::text::{Screen, bytes};
use crate::config::size;
use crate::views::{SettingsPatch, SettingsView, TrafficView};

/// What `inframe traffic` takes; nothing shows what holds.
#[derive(Debug, Args)]
pub(super) struct TrafficArgs {
    /// What may go out in a second, such as 2MB, or `none`
    #[arg(long, value_name = "SIZE", value_parser = limit)]
    up: Option<Limit>,
    /// What may come in in a second
    #[arg(long, value_name = "SIZE", value_parser = limit)]
    down: Option<Limit>,
    /// When nothing is sent or received, such as 23:00-7:00, or `none`
    #[arg(long, value_name = "FROM-UNTIL", value_parser = hours)]
    quiet: Option<Hours>,
}

/// `None` stands for no limit.
#[derive(Clone, Debug)]
struct Limit(Option<u64>);

/// `None` stands for none.
#[derive(Clone, Debug)]
pub(super) struct Hours(pub(super) Option<(String, String)>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" { Ok(Limit(None)) } else { size(text).map(|bytes| Limit(Some(bytes))) }
}

/// Reads `23:00-7:00`, or `none`.
pub(super) fn hours(text: &str) -> Result<Hours, String> {
    if text == "none" {
        return Ok(Hours(None));
    }
    let (from, until) = text.split_once('-').ok_or("write it as 23:00-7:00, or `none`")?;
    Ok(Hours(Some((from.trim().to_owned(), until.trim().to_owned()))))
}

/// Shows it, or changes what is given.
pub(super) async fn run(client: &Client, screen: &Screen, wishes: TrafficArgs) -> Result<(), CliError> {
    let mut answer = client.get("/settings").await?;
    let TrafficArgs { up, down, quiet } = wishes;
    if up.is_some() || down.is_some() || quiet.is_some() {
        let before: SettingsView = client.view(&answer)?;
        let mut traffic = before.traffic;
        traffic.up_bytes_s = up.map_or(traffic.up_bytes_s, |limit| limit.0);
        traffic.down_bytes_s = down.map_or(traffic.down_bytes_s, |limit| limit.0);
        if let Some(Hours(quiet)) = quiet {
            (traffic.quiet_from, traffic.quiet_until) = quiet.unzip();
        }
        let patch = SettingsPatch { traffic: Some(traffic), ..SettingsPatch::default() };
        answer = client.json(Method::PATCH, "/settings", Some(&patch)).await?;
    }
    screen.show(&answer, || {
        let settings: SettingsView = client.view(&answer)?;
        Ok(lines(&settings.traffic))
    })
}

fn lines(traffic: &TrafficView) -> Vec<String> {
    let limit = |limit: Option<u64>| limit.map_or_else(|| "no limit".to_owned(), |limit| format!("{}/s", bytes(limit)));
    let quiet = match (&traffic.quiet_from, &traffic.quiet_until) {
        (Some(from), Some(until)) => format!("from {from} to {until}, every day"),
        _ => "none".to_owned(),
    };
    vec![
        format!("Out: {}", limit(traffic.up_bytes_s)),
        format!("In: {}", limit(traffic.down_bytes_s)),
        format!("Quiet hours: {quiet}"),
    ]
}
