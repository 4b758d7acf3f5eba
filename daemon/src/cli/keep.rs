//! Keeping sealed photos for members who are away.

use clap::Args;
use reqwest::Method;

use super::CliError;
use super::client::Client;
use super::text::{Screen, bytes};
use crate::config::size;
use crate::views::{KeepingBody, KeepingView, SettingsPatch, SettingsView};

/// What `inframe keep` takes; nothing shows what holds.
#[derive(Debug, Args)]
pub(super) struct KeepArgs {
    /// How much may lie here for others, such as 5GB, or `none`, which erases what does
    #[arg(long, value_name = "SIZE", value_parser = room)]
    room: Option<Room>,
}

/// `None` stands for nothing at all.
#[derive(Clone, Debug)]
struct Room(Option<u64>);

fn room(text: &str) -> Result<Room, String> {
    if text == "none" { Ok(Room(None)) } else { size(text).map(|bytes| Room(Some(bytes))) }
}

/// Shows it, or changes it.
pub(super) async fn run(client: &Client, screen: &Screen, wishes: KeepArgs) -> Result<(), CliError> {
    let answer = match wishes.room {
        None => client.get("/settings").await?,
        Some(Room(room_bytes)) => {
            let patch = SettingsPatch { keeping: Some(KeepingBody { room_bytes }), ..SettingsPatch::default() };
            client.json(Method::PATCH, "/settings", Some(&patch)).await?
        }
    };
    screen.show(&answer, || {
        let settings: SettingsView = client.view(&answer)?;
        Ok(lines(&settings.keeping))
    })
}

fn lines(keeping: &KeepingView) -> Vec<String> {
    match keeping.room_bytes {
        None => vec!["Nothing is kept for members who are away.".to_owned()],
        Some(room) => vec![
            format!("Kept for members who are away: up to {}", bytes(room)),
            format!("Now: {} sealed, {}", keeping.count, bytes(keeping.bytes)),
        ],
    }
}
