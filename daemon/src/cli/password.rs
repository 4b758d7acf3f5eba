//! The dashboard from other devices: the password, launch links for them, and the fingerprint to compare.

use std::path::PathBuf;

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;
use zeroize::Zeroizing;

use super::client::{CliError, Client};
use super::text::{Screen, one_line};
use crate::web::{LanView, LaunchLinkView};

#[derive(Debug, Subcommand)]
pub(super) enum PasswordCommand {
    /// Set it, or choose another: asked for twice. Signed-in browsers have to sign in again
    Set {
        /// Read it from this file, whose first line it is
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Remove it: then only a launch link signs in (inframe open --lan)
    Remove,
    /// Whether there is one
    Show,
}

/// Carries out a command on the password. Whoever may open the daemon's socket need not know the one from before.
pub(super) async fn run(client: &Client, screen: &Screen, command: PasswordCommand) -> Result<(), CliError> {
    let password = match command {
        PasswordCommand::Show => None,
        PasswordCommand::Remove => Some(None),
        PasswordCommand::Set { file } => Some(Some(match file {
            Some(path) => first_line(path)?,
            None => asked_twice(screen)?,
        })),
    };
    let answer = match password {
        None => client.get("/lan").await?,
        Some(password) => {
            let wish = json!({ "password": password.as_ref().map(|password| password.as_str()) });
            client.json(Method::PUT, "/lan/password", Some(&wish)).await?
        }
    };
    screen.show(&answer, || {
        let lan: LanView = client.view(&answer)?;
        let mut lines = vec![match lan.has_password {
            true => "There is a password: it signs in to the dashboard from other devices.".to_owned(),
            false => "There is no password: from other devices only a launch link signs in (inframe open --lan).".to_owned(),
        }];
        lines.extend(lan_lines(&lan));
        if !lan.on {
            lines.push(
                "The dashboard is not reached from other devices yet: start the daemon with --lan 0.0.0.0:7414, or set INFRAME_LAN."
                    .to_owned(),
            );
        }
        Ok(lines)
    })
}

/// Prints a launch link.
pub(super) async fn open(client: &Client, screen: &Screen, lan: bool) -> Result<(), CliError> {
    let answer = client.post(if lan { "/lan/launch-links" } else { "/session/launch-links" }, &()).await?;
    screen.show(&answer, || {
        let link: LaunchLinkView = client.view(&answer)?;
        let mut lines = vec![link.url];
        if let Some(fingerprint) = link.fingerprint {
            lines.push(String::new());
            lines.push(
                "The browser warns you, since it does not know this node's certificate. Have it show the certificate, and go on only if its SHA-256 \
                 fingerprint is:"
                    .to_owned(),
            );
            lines.push(fingerprint);
        }
        Ok(lines)
    })
}

/// Where the dashboard is in the network, and what to compare.
pub(super) fn lan_lines(lan: &LanView) -> Vec<String> {
    let mut lines: Vec<String> =
        lan.addresses.iter().map(|address| format!("From other devices: {}", one_line(address))).collect();
    if let Some(certificate) = &lan.certificate {
        lines.push(format!("Fingerprint of the certificate (SHA-256): {}", certificate.fingerprint));
        lines.extend(certificate.problem.iter().map(|problem| format!("Certificate: {}", one_line(problem))));
    }
    lines
}

fn first_line(path: PathBuf) -> Result<Zeroizing<String>, CliError> {
    let text = std::fs::read_to_string(&path).map_err(|error| CliError::File(path, error))?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

fn asked_twice(screen: &Screen) -> Result<Zeroizing<String>, CliError> {
    let first = typed(screen, "New password, at least ten characters: ")?;
    if *typed(screen, "Once more: ")? != *first {
        return Err(CliError::Ambiguous("the two are not the same; nothing was changed".to_owned()));
    }
    Ok(first)
}

fn typed(screen: &Screen, question: &str) -> Result<Zeroizing<String>, CliError> {
    let typed = screen.ask_secretly(question)?;
    Ok(Zeroizing::new(typed.trim_end_matches(['\r', '\n']).to_owned()))
}
