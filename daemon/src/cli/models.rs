//! `inframe models`: the packs of networks that find and describe faces.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::client::{CliError, Client};
use super::eval::EvalArgs;
use super::text::{Screen, bytes, one_line, table};
use crate::views::{AddModelBody, ModelView, ModelsView, UseModelBody};

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the packs
    List,
    /// Add a pack from a folder, or from the address of its pack.toml
    Add {
        /// A folder with a pack.toml, or the address of a pack.toml
        #[arg(value_name = "FOLDER|URL")]
        from: String,
        /// With an address: the BLAKE3 of the pack.toml
        #[arg(long, value_name = "BLAKE3")]
        hash: Option<String>,
        /// With a folder: download what is not in it from the addresses in its pack.toml
        #[arg(long)]
        download: bool,
        /// Allow plain http to other machines; the hashes still hold
        #[arg(long)]
        insecure: bool,
    },
    /// Measure a pack on your own labelled photos
    ///
    /// FOLDER holds a pairs.csv (file_x,file_y,Decision with Yes or No), a boxes.json ({"photo.jpg": [{"x", "y", "w", "h", "ignore"}]}), or one
    /// folder of photos for each person; or it holds folders that do.
    ///
    /// The photos are decoded in this process, without the sandbox that protects the daemon: give it your own photos only. Nothing is stored.
    Eval(EvalArgs),
    /// Find faces with another pack from now on
    Use {
        /// Id of the pack, or its name
        pack: String,
        /// Without a question
        #[arg(long)]
        yes: bool,
    },
}

/// How often the progress of a download is asked for.
const ASK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(client: &Client, screen: &Screen, command: ModelsCommand) -> Result<(), CliError> {
    let answer = match command {
        ModelsCommand::List => client.get("/models").await?,
        ModelsCommand::Add { from, hash, download, insecure } => {
            let body = wish(from, hash, download, insecure)?;
            add(client, screen, &body).await?
        }
        // Runs without the daemon, before this.
        ModelsCommand::Eval(_) => return Ok(()),
        ModelsCommand::Use { pack, yes } => {
            if !yes {
                screen.say(
                    "All photos are looked at anew. People who use another pack cannot find themselves in your photos, nor you in theirs.",
                );
                screen.confirm("Use this pack from now on?")?;
            }
            client.post("/models/use", &UseModelBody { pack }).await?
        }
    };
    screen.show(&answer, || Ok(lines(&client.view(&answer)?)))
}

fn wish(from: String, hash: Option<String>, download: bool, insecure: bool) -> Result<AddModelBody, CliError> {
    let body = AddModelBody { download, insecure, ..AddModelBody::default() };
    if from.contains("://") {
        if hash.is_none() {
            return Err(CliError::Ambiguous("give the BLAKE3 of the pack.toml with --hash".into()));
        }
        return Ok(AddModelBody { url: Some(from), blake3: hash, ..body });
    }
    let path = PathBuf::from(&from);
    let path = std::path::absolute(&path).map_err(|error| CliError::File(path, error))?;
    let folder = path.to_str().map(str::to_owned);
    if folder.is_none() {
        return Err(CliError::Ambiguous("the path of the folder is not UTF-8; rename it".into()));
    }
    Ok(AddModelBody { folder, ..body })
}

/// Adds it, and shows what is on its way meanwhile.
async fn add(client: &Client, screen: &Screen, body: &AddModelBody) -> Result<serde_json::Value, CliError> {
    let added = client.post("/models", body);
    tokio::pin!(added);
    let done = loop {
        tokio::select! {
            done = &mut added => break done,
            () = tokio::time::sleep(ASK_EVERY) => {
                let now: ModelsView = client.view(&client.get("/models").await?)?;
                if let Some(at) = now.adding {
                    let of = at.total_bytes.map(|total| format!(" of {}", bytes(total))).unwrap_or_default();
                    screen.progress(&format!("{}: {}{of}", at.file, bytes(at.done_bytes)));
                }
            }
        }
    };
    screen.progress_over();
    done
}

fn lines(models: &ModelsView) -> Vec<String> {
    let state = |pack: &ModelView| match (&pack.problem, pack.active) {
        (Some(problem), _) => one_line(problem),
        (None, true) => "in use".into(),
        (None, false) => String::new(),
    };
    let row = |pack: &ModelView| vec![pack.id.clone(), one_line(&pack.licence), state(pack)];
    let rows: Vec<_> = models.packs.iter().map(row).collect();
    let mut lines = table(&["PACK", "LICENCE", "STATE"], &rows);
    lines.extend(models.trouble.iter().map(|trouble| format!("No faces are looked for: {}", one_line(trouble))));
    lines.push(format!("Photos looked at with the pack in use: {} of {}", models.faces.done, models.faces.total));
    lines
}
