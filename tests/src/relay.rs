//! One real `inframe relay`: start it, kill it, start it again with the same key and token.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// What it prints once it listens.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadyRelay {
    /// Its addresses, the best one first.
    pub relay: Vec<String>,
    /// Its token.
    pub token: String,
}

/// A running (or killed) relay. Dropping it ends the process.
pub struct Relay {
    folder: TempDir,
    child: Option<Child>,
    ready: ReadyRelay,
}

impl Relay {
    /// Starts one: `command` is the program as it is to be run, its arguments are added here.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(command: Command, listen: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("inframe-relay-").tempdir()?;
        let (child, ready) = launch(&folder, command, listen).await?;
        Ok(Self { folder, child: Some(child), ready })
    }

    /// Where it is.
    ///
    /// # Errors
    /// When it told no address.
    pub fn address(&self) -> Result<&str> {
        Ok(self.ready.relay.first().context("a relay without an address")?)
    }

    /// What those must show who want to be reached through it.
    pub fn token(&self) -> &str {
        &self.ready.token
    }

    /// Everything that it wrote to its log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("relay.log"))?)
    }

    /// Ends it at once.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.context("cannot kill the relay")?;
        }
        Ok(())
    }

    /// Asks it to end and waits for it.
    ///
    /// # Errors
    /// When it does not end in time or ends with a failure.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let pid = child.id().context("the relay has already ended")?;
        ensure!(Command::new("kill").args(["-TERM", &pid.to_string()]).status()?.success(), "cannot send SIGTERM");
        let ended =
            tokio::time::timeout(STOP_LIMIT, child.wait()).await.context("the relay does not stop when asked to")??;
        ensure!(ended.success(), "the relay stopped with {ended}");
        Ok(())
    }

    /// Starts it again; it is the same one to others.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart(&mut self, command: Command, listen: &str) -> Result<()> {
        self.kill().await?;
        let (child, ready) = launch(&self.folder, command, listen).await?;
        ensure!(ready.token == self.ready.token && ready.relay == self.ready.relay, "another relay: {ready:?}");
        self.child = Some(child);
        Ok(())
    }
}

async fn launch(folder: &TempDir, mut command: Command, listen: &str) -> Result<(Child, ReadyRelay)> {
    let log = File::options().create(true).append(true).open(folder.path().join("relay.log"))?;
    command.args(["relay", "--ready-json", "--listen", listen, "--relay-file"]).arg(folder.path().join("relay"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child =
        tokio::process::Command::from(command).kill_on_drop(true).spawn().context("cannot start the relay")?;
    let output = child.stdout.take().context("the relay has no standard output")?;
    let mut lines = BufReader::new(output).lines();
    let line =
        tokio::time::timeout(START_LIMIT, lines.next_line()).await.context("the relay did not become ready")??;
    let line = line.context("the relay ended before it was ready")?;
    let ready = serde_json::from_str(&line).with_context(|| format!("not the line of a ready relay: {line}"))?;
    Ok((child, ready))
}
