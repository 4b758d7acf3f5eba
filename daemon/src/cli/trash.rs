//! `inframe trash`: what was deleted in the last thirty days.

use clap::Subcommand;

use super::client::{CliError, Client};
use super::event::choose;
use super::text::{Screen, bytes, one_line, short, table};
use crate::views::{TrashBody, TrashDoneView, TrashView, TrashedView};

#[derive(Debug, Subcommand)]
pub(super) enum TrashCommand {
    /// Show what is in the trash, newest first
    List,
    /// Bring photos back
    Restore {
        /// File names, ids, or their first letters
        #[arg(required = true, value_name = "PHOTO")]
        photos: Vec<String>,
    },
    /// Delete photos in the trash for good
    Purge {
        /// File names, ids, or their first letters
        #[arg(required = true, value_name = "PHOTO")]
        photos: Vec<String>,
        /// Without a question
        #[arg(long)]
        yes: bool,
    },
    /// Delete everything in the trash for good
    Empty {
        /// Without a question
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(client: &Client, screen: &Screen, command: TrashCommand) -> Result<(), CliError> {
    let trash = whole(client).await?;
    let (path, assets, word) = match command {
        TrashCommand::List => return list(screen, &trash),
        TrashCommand::Restore { photos } => ("/trash/restore", chosen(&trash, &photos)?, "restored"),
        TrashCommand::Purge { photos, yes } => {
            let assets = chosen(&trash, &photos)?;
            if !yes {
                let names: Vec<String> = photos.iter().map(|photo| one_line(photo)).collect();
                screen.confirm(&format!("Delete {} for good? This cannot be undone.", names.join(", ")))?;
            }
            ("/trash/purge", assets, "deleted for good")
        }
        TrashCommand::Empty { yes } => {
            if trash.total > 0 && !yes {
                let size = bytes(trash.total_bytes);
                screen.confirm(&format!("Delete {} photos ({size}) for good? This cannot be undone.", trash.total))?;
            }
            ("/trash/empty", Vec::new(), "deleted for good")
        }
    };
    let answer = client.post(path, &TrashBody { assets }).await?;
    screen.show(&answer, || {
        let TrashDoneView { done, total, erasing } = client.view(&answer)?;
        let mut lines = vec![format!("{done} {word}, {total} left in the trash.")];
        if erasing > 0 {
            lines.push(format!("{erasing} files are still being erased; nobody can see them any more."));
        }
        Ok(lines)
    })
}

/// All parts of the trash as one.
async fn whole(client: &Client) -> Result<TrashView, CliError> {
    let mut whole: TrashView = client.view(&client.get("/trash?limit=1000").await?)?;
    while let Some(mark) = whole.next.take() {
        let part: TrashView = client.view(&client.get(&format!("/trash?limit=1000&before={mark}")).await?)?;
        whole.items.extend(part.items);
        whole.next = part.next;
    }
    Ok(whole)
}

fn list(screen: &Screen, trash: &TrashView) -> Result<(), CliError> {
    let answer = serde_json::to_value(trash).map_err(std::io::Error::other)?;
    screen.show(&answer, || {
        let left = |one: &TrashedView| match one.days_left {
            1 => "1 day left".to_owned(),
            days => format!("{days} days left"),
        };
        let row = |one: &TrashedView| vec![short(&one.id), one.file_name.clone(), bytes(one.size_bytes), left(one)];
        let rows: Vec<_> = trash.items.iter().map(row).collect();
        let mut lines = match rows.is_empty() {
            true => vec![format!("The trash is empty. What you delete stays in it for {} days.", trash.kept_days)],
            false => table(&["ID", "NAME", "SIZE", ""], &rows),
        };
        if trash.erasing > 0 {
            lines.push(format!("{} files of what was deleted for good are still being erased.", trash.erasing));
        }
        Ok(lines)
    })
}

fn chosen(trash: &TrashView, photos: &[String]) -> Result<Vec<String>, CliError> {
    let one = |photo: &String| {
        let found = choose(trash.items.clone(), photo, |one| (&one.id, &one.file_name));
        found.map(|one| one.id).map_err(|problem| CliError::Ambiguous(format!("{problem}; see `inframe trash list`")))
    };
    photos.iter().map(one).collect()
}
