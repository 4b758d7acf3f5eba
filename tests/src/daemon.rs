//! One real `inframe` process in a throwaway folder: start it, kill it, start it again; its log is shown when a test fails.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::api::Api;
use crate::disk::SmallDisk;

/// A daemon is ready in well under a second; a machine that links and tests at once may need far longer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Orderly shutdown waits for running jobs; past this it hangs.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Lines of the log that a failing test shows.
const LOG_TAIL_LINES: usize = 60;

/// What the daemon prints as one line of JSON once it serves.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// Address of the dashboard, without a token.
    pub dashboard: String,
    /// One-time launch link.
    pub launch: String,
    /// Multiaddresses it listens on.
    pub p2p: Vec<String>,
    /// The dashboard in the network, where it was asked for.
    #[serde(default)]
    pub lan: Option<ReadyLan>,
    /// Whether its vault is still locked.
    #[serde(default)]
    pub locked: bool,
}

/// The dashboard in the network.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadyLan {
    /// Its likeliest address.
    pub dashboard: String,
    /// SHA-256 of its certificate.
    pub fingerprint: String,
}

/// How to start a daemon.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name that other members see.
    pub nickname: String,
    /// Multiaddress to listen on; a port of 0 lets the system choose.
    pub listen: String,
    /// Whether to look for peers by multicast.
    pub mdns: bool,
    /// The variable `PATH`, if not that of the test.
    pub path: Option<PathBuf>,
    /// A file with the passphrase of the vault, once it has one.
    pub passphrase_file: Option<PathBuf>,
    /// Space to keep free on the disk, as on the command line.
    pub keep_free: Option<String>,
    /// A disk of its own for the data folder, of this many MiB; see [`crate::disk`].
    pub disk_mib: Option<u64>,
    /// More flags of `inframe run`.
    pub flags: Vec<OsString>,
    /// A program with its arguments that is given the daemon's command line, and becomes the daemon.
    pub under: Vec<OsString>,
}

impl Options {
    /// Loopback only, on a port that stays the same after a restart, and no multicast: what tests want.
    pub fn local(nickname: &str) -> Self {
        Self {
            nickname: nickname.to_owned(),
            listen: format!("/ip4/127.0.0.1/tcp/{}", free_port()),
            mdns: false,
            path: None,
            passphrase_file: None,
            keep_free: None,
            disk_mib: None,
            flags: Vec::new(),
            under: Vec::new(),
        }
    }
}

/// A running (or killed) daemon with its folder. Dropping it ends the process and removes the folder.
pub struct Daemon {
    options: Options,
    // Before the folder, so that it goes first.
    _disk: Option<SmallDisk>,
    folder: TempDir,
    child: Option<Child>,
    ready: Ready,
    api: Api,
}

impl Daemon {
    /// Starts a daemon as tests want it.
    ///
    /// # Errors
    /// When the binary is missing or does not become ready.
    pub async fn start(nickname: &str) -> Result<Self> {
        Self::start_with(Options::local(nickname)).await
    }

    /// Starts a daemon.
    ///
    /// # Errors
    /// When the binary is missing or does not become ready.
    pub async fn start_with(options: Options) -> Result<Self> {
        Self::start_in(options, |_| Ok(())).await
    }

    /// Starts a daemon in a folder that `fill` was given before, with what will be `data` and `master.key`.
    ///
    /// # Errors
    /// When it cannot be filled, the binary is missing or does not become ready.
    pub async fn start_in(options: Options, fill: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("inframe-").tempdir()?;
        fill(folder.path())?;
        let data = data_dir(folder.path());
        let disk = options.disk_mib.map(|mib| SmallDisk::mount(&data, mib)).transpose()?;
        let (child, ready) = launch(folder.path(), &options).await?;
        let api = Api::on_socket(&data_dir(folder.path()).join("inframe.sock"))?;
        if !ready.locked && options.under.is_empty() {
            // What a test allows goes at once, but in the test of that.
            api.undo_within(0).await?;
        }
        Ok(Self { options, _disk: disk, folder, child: Some(child), ready, api })
    }

    /// Its API.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// What it said when it became ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The name that other members see.
    pub fn nickname(&self) -> &str {
        &self.options.nickname
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.folder.path())
    }

    /// Folder of everything that the process may write: data, temporary files, log, key file.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A folder beside the data folder, for photos to import.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn photo_dir(&self) -> Result<PathBuf> {
        let folder = self.folder.path().join("photos");
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Everything the process wrote to its outputs.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(log_path(self.folder.path()))?)
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Ends the process at once, as a power cut would (SIGKILL).
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.context("cannot kill the daemon")?;
        }
        Ok(())
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// When it does not end in time or ends with a failure.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let pid = child.id().context("the daemon has already ended")?;
        let asked = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        ensure!(asked.success(), "cannot send SIGTERM");
        let status = tokio::time::timeout(STOP_LIMIT, child.wait())
            .await
            .context("the daemon does not stop when asked to")??;
        ensure!(status.success(), "the daemon stopped with {status}");
        Ok(())
    }

    /// From the next start on, the daemon runs under this program, or alone if there is none.
    pub fn run_under(&mut self, under: Vec<OsString>) {
        self.options.under = under;
    }

    /// From the next start on, the vault is unlocked with the passphrase in this file.
    pub fn unlock_with(&mut self, passphrase_file: PathBuf) {
        self.options.passphrase_file = Some(passphrase_file);
    }

    /// From the next start on, this much space is kept free.
    pub fn keep_free(&mut self, size: Option<&str>) {
        self.options.keep_free = size.map(str::to_owned);
    }

    /// Its key file.
    pub fn key_file(&self) -> PathBuf {
        key_file(self.folder.path())
    }

    /// Starts it again, with these flags more in the place of those of before.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart_with(&mut self, flags: Vec<OsString>) -> Result<()> {
        self.options.flags = flags;
        self.restart().await
    }

    /// Starts the killed or stopped process again, on the same folder and the same port.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill().await?;
        let (child, ready) = launch(self.folder.path(), &self.options).await?;
        self.child = Some(child);
        self.ready = ready;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The process may be gone already; then there is nothing to end.
            let _ = child.start_kill();
        }
        if std::thread::panicking() || std::env::var_os("INFRAME_SHOW_LOGS").is_some() {
            show_log(&self.options.nickname, self.folder.path());
        }
    }
}

/// A port that is free on loopback, and below those that systems give to outgoing connections: while the daemon is down, nobody takes it.
fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 20_000;
    loop {
        // Processes begin far from each other; within one, each gets the next.
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(7_919).wrapping_add(tried) % COUNT;
        let port = u16::try_from(FIRST + place).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Path of the `inframe` binary: `INFRAME_BIN`, or beside this executable in the target folder.
///
/// # Errors
/// When there is none.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("INFRAME_BIN") {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe()?;
    let candidates = own.ancestors().skip(1).take(2).map(|folder| folder.join("inframe"));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.context("no inframe binary beside this test; run `make build` first, or set INFRAME_BIN")
}

fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

fn key_file(folder: &Path) -> PathBuf {
    folder.join("master.key")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("daemon.log")
}

async fn launch(folder: &Path, options: &Options) -> Result<(Child, Ready)> {
    let log = File::options().create(true).append(true).open(log_path(folder))?;
    let mut command = match options.under.as_slice() {
        [] => Command::new(binary()?),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary()?);
            command
        }
    };
    command.arg("run").arg("--data-dir").arg(data_dir(folder)).arg("--key-file").arg(key_file(folder));
    command.args([
        "--dashboard",
        "127.0.0.1:0",
        "--guests",
        "127.0.0.1:0",
        "--p2p",
        &options.listen,
        "--nickname",
        &options.nickname,
        "--ready-json",
    ]);
    if let Some(file) = &options.passphrase_file {
        command.arg("--passphrase-file").arg(file);
    }
    if let Some(size) = &options.keep_free {
        command.arg("--keep-free").arg(size);
    }
    command.args(&options.flags);
    if !options.mdns {
        command.arg("--no-mdns");
    }
    // Temporary files land where the scan for plaintext looks (D3).
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&temporary)?;
    command.env("TMPDIR", temporary);
    command.envs(options.path.iter().map(|path| ("PATH", path)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?).kill_on_drop(true);
    let mut child = command.spawn().context("cannot start the daemon")?;
    let output = child.stdout.take().context("the daemon has no standard output")?;
    match tokio::time::timeout(START_LIMIT, first_line(output, log)).await {
        Ok(Ok(ready)) => Ok((child, ready)),
        failed => {
            show_log(&options.nickname, folder);
            match failed {
                Ok(Err(error)) => Err(error.context(format!("{} did not become ready", options.nickname))),
                _ => bail!("{} did not become ready in {} s", options.nickname, START_LIMIT.as_secs()),
            }
        }
    }
}

/// Reads the line that says it is ready; whatever follows on standard output goes to the log.
async fn first_line(output: tokio::process::ChildStdout, mut log: File) -> Result<Ready> {
    let mut lines = BufReader::new(output).lines();
    let line = lines.next_line().await?.context("the daemon ended before it was ready")?;
    let ready = serde_json::from_str(&line).with_context(|| format!("not the line of a ready daemon: {line}"))?;
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            // A full disk must not end the test that would have shown it.
            let _ = writeln!(log, "{line}");
        }
    });
    Ok(ready)
}

fn show_log(nickname: &str, folder: &Path) {
    let log = std::fs::read_to_string(log_path(folder)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    eprintln!("--- the last lines of {nickname}'s log ---");
    for line in &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..] {
        eprintln!("{line}");
    }
}
