//! The first words of a daemon: where it is and how to get in.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::config::RunConfig;
use crate::web::LanAccess;

/// What a daemon says once everything listens.
#[derive(Serialize)]
pub struct Ready {
    /// Address of the dashboard.
    pub dashboard: String,
    /// A one-time launch link.
    pub launch: String,
    /// The dashboard in the network, if it is reached there.
    pub lan: Option<ReadyLan>,
    /// The unix socket of the command line.
    pub socket: PathBuf,
    /// Whether the vault is still locked.
    pub locked: bool,
    /// Multiaddresses for other nodes; none while it is locked.
    pub p2p: Vec<String>,
}

/// The dashboard in the network.
#[derive(Debug, Serialize)]
pub struct ReadyLan {
    /// Its likeliest address.
    pub dashboard: String,
    /// SHA-256 of the certificate there.
    pub fingerprint: String,
}

impl ReadyLan {
    /// As it is reached now.
    #[must_use]
    pub fn of(access: &LanAccess) -> Self {
        Self { dashboard: access.origin(), fingerprint: access.certificate().parsed.fingerprint }
    }
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ready {{ dashboard: {:?}, locked: {}, launch: hidden }}", self.dashboard, self.locked)
    }
}

impl Ready {
    /// Says it, as the owner wished: one line of JSON for scripts, else words; and opens the browser if asked.
    pub fn announce(&self, config: &RunConfig) {
        let text = match (config.ready_json, serde_json::to_string(self)) {
            (true, Ok(line)) => line,
            _ if self.locked => format!(
                "Inframe waits for its vault to be unlocked, in the dashboard or with `inframe unlock`.\n  Dashboard:  {}\nThe link works once, within ten \
                 minutes; `inframe open` prints a fresh one. Stop with Ctrl-C.",
                self.launch
            ),
            _ => format!(
                "Inframe is running.\n  Dashboard:  {}\n  Other nodes reach it at:  {}\nThe link works once, within ten minutes; \
                 `inframe open` prints a fresh one. Stop with Ctrl-C.",
                self.launch,
                self.p2p.join(", ")
            ),
        };
        let lan = self.lan.as_ref().filter(|_| !config.ready_json).map(|lan| {
            format!(
                "\nFrom other devices:  {}  (`inframe password set` or `inframe open --lan` to sign in)\n  Fingerprint of its certificate (SHA-256):  {}",
                lan.dashboard, lan.fingerprint
            )
        });
        let text = text + &lan.unwrap_or_default();
        // A closed standard output is no reason for a daemon to stop.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        if config.open && !open_browser(&self.launch) {
            tracing::warn!("no program to open a browser was found; open the dashboard's link by hand");
        }
    }
}

/// Hands the link to the desktop. Others on this machine may see it among the running programs for a moment; it works once, and the
/// browser that is just starting uses it up.
fn open_browser(link: &str) -> bool {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started =
        Command::new(opener).arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = started else {
        return false;
    };
    // Collects the ended program, so that it does not stay as a zombie.
    std::thread::spawn(move || child.wait());
    true
}
