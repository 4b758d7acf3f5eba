//! `inframe relay`: a relay as a process, with a file for its key and token, and a line for each thing that happens.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use data_encoding::{BASE32_NOPAD, HEXLOWER};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::text::plain;
use crate::config::{ConfigError, key_file_or_default};
use crate::network::relay::{Relay, RelayConfig, RelayEvent};
use crate::vault::Secret32;

/// Bytes of a token before they are written in letters and digits: more than can be guessed.
const TOKEN_BYTES: usize = 16;

/// Lines of the log that may wait to be written.
const LINES_WAITING: usize = 256;
/// Nothing new for this long: all addresses of the machine are known.
const ALL_ADDRESSES: Duration = Duration::from_millis(500);
/// Pause before a relay that broke off begins again.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);

/// Flags of `inframe relay`. Each also has an environment variable, for containers and service files.
#[derive(Clone, Debug, clap::Args)]
pub struct RelayFlags {
    /// Multiaddress to listen at; may be repeated
    #[arg(
        long,
        env = "INFRAME_RELAY_LISTEN",
        value_name = "MULTIADDR",
        value_delimiter = ',',
        default_value = "/ip4/0.0.0.0/tcp/7413"
    )]
    pub listen: Vec<Multiaddr>,
    /// Where others reach it, as /ip4/203.0.113.7/tcp/7413, where that is none of its own addresses: behind a router that forwards the port. May be repeated
    #[arg(long, env = "INFRAME_RELAY_ANNOUNCE", value_name = "MULTIADDR", value_delimiter = ',')]
    pub announce: Vec<Multiaddr>,
    /// File with its key and its token, made at the first start [default: inframe/relay in the configuration folder]
    #[arg(long, env = "INFRAME_RELAY_FILE", value_name = "FILE")]
    pub relay_file: Option<PathBuf>,
    /// Make a new token: whoever has the old one can no longer be reached through this relay
    #[arg(long)]
    pub new_token: bool,
    /// Print one line of JSON once it listens, for scripts
    #[arg(long)]
    pub ready_json: bool,
}

/// A relay that is to be run.
#[derive(Debug)]
pub struct RelayRun {
    flags: RelayFlags,
    file: PathBuf,
}

/// What its file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    token: String,
}

/// What it says once it listens.
#[derive(Serialize)]
struct Ready<'a> {
    relay: &'a [String],
    token: &'a str,
}

impl RelayFlags {
    /// Fills in what was not given; `variable` reads an environment variable.
    ///
    /// # Errors
    /// When a default is needed and no home folder is known.
    pub fn resolve(self, variable: impl Fn(&str) -> Option<OsString>) -> Result<RelayRun, ConfigError> {
        let file = match &self.relay_file {
            Some(file) => file.clone(),
            None => key_file_or_default(None, variable)?.with_file_name("relay"),
        };
        Ok(RelayRun { flags: self, file })
    }
}

impl RelayRun {
    /// Runs until `stop` is cancelled.
    ///
    /// # Errors
    /// When its file cannot be read or made, or an address cannot be listened on.
    pub async fn live(self, stop: CancellationToken) -> anyhow::Result<()> {
        let kept = open(&self.file, self.flags.new_token)?;
        let token = Zeroizing::new(kept.token);
        let key = Zeroizing::new(HEXLOWER.decode(kept.key.as_bytes()).unwrap_or_default());
        let seed: [u8; 32] = key.as_slice().try_into().ok().with_context(|| {
            format!("{} holds no key of a relay; move it away, and a new one is made", self.file.display())
        })?;
        let mut said = false;
        loop {
            let config = RelayConfig {
                seed: Secret32::new(seed),
                token: token.clone(),
                listen: self.flags.listen.clone(),
                announce: self.flags.announce.clone(),
            };
            let relay = Relay::start(config)?;
            let (events, mut happened) = mpsc::channel(LINES_WAITING);
            // When lines cannot be written as fast as things happen, some are left out.
            let tell = move |event| drop(events.try_send(event));
            let running = tokio::spawn(relay.run(stop.clone().cancelled_owned(), tell));
            let mut addresses = Vec::new();
            loop {
                // They come one by one; the line that is said once names all.
                let all_there = sleep(ALL_ADDRESSES);
                tokio::select! {
                    event = happened.recv() => match event {
                        Some(RelayEvent::Listening(all)) if !said => addresses = all,
                        Some(event) => log(&event),
                        None => break,
                    },
                    () = all_there, if !said && !addresses.is_empty() => {
                        said = true;
                        announce(&addresses, &token, self.flags.ready_json);
                    }
                }
            }
            match running.await {
                Ok(()) => break,
                // A defect of the library ends all circuits, and must not end the relay.
                Err(error) => {
                    tracing::error!("the relay broke off and begins again: {error}");
                    sleep(BEGIN_AGAIN).await;
                }
            }
        }
        tracing::info!("the relay has stopped");
        Ok(())
    }
}

fn announce(addresses: &[String], token: &str, json: bool) {
    let text = match (json, serde_json::to_string(&Ready { relay: addresses, token })) {
        (true, Ok(line)) => line,
        _ => format!(
            "The relay is running.\n  Address:  {}\n  Token:    {token}\nEach node that shall be reached through it needs both: in the settings of its \
             dashboard, or with\n  inframe my-relay set ADDRESS TOKEN\nGive them only to people whose traffic you want to carry. Stop with Ctrl-C.",
            addresses.join("\n            ")
        ),
    };
    // A closed standard output is no reason for a relay to stop.
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Peers are named by the end of their ids; addresses are not written down.
fn log(event: &RelayEvent) {
    let short = |peer: &str| plain(peer.get(peer.len().saturating_sub(8)..).unwrap_or(peer));
    match event {
        RelayEvent::Listening(addresses) => tracing::info!("listening at {}", plain(&addresses.join(" "))),
        RelayEvent::Greeted { admitted: true, .. } => {}
        RelayEvent::Greeted { peer, admitted: false } => tracing::warn!("{} showed a wrong token", short(peer)),
        RelayEvent::Reserved(peer) => tracing::info!("{} can be reached through this relay", short(peer)),
        RelayEvent::Refused(peer) => tracing::warn!("{} was given no place: no token, or no room", short(peer)),
        RelayEvent::Joined(from, to) => tracing::info!("{} is joined with {}", short(from), short(to)),
        RelayEvent::Parted(from, to) => tracing::info!("{} is parted from {}", short(from), short(to)),
    }
}

/// Reads the file, or makes it at the first start.
fn open(path: &Path, new_token: bool) -> anyhow::Result<Kept> {
    let mut kept = match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|_| {
            anyhow::anyhow!("{} is no file of a relay; move it away, and a new one is made", path.display())
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(seed.as_mut_slice()).context("the system gives no random numbers")?;
            let kept = Kept { key: HEXLOWER.encode(seed.as_slice()), token: token()? };
            write(path, &kept)?;
            return Ok(kept);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    if new_token {
        kept = Kept { token: token()?, ..kept };
        write(path, &kept)?;
    }
    Ok(kept)
}

fn token() -> anyhow::Result<String> {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).context("the system gives no random numbers")?;
    Ok(BASE32_NOPAD.encode(bytes.as_slice()).to_lowercase())
}

/// Writes the file whole or not at all, for this user alone.
fn write(path: &Path, kept: &Kept) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let done = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let new = path.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
        let text = Zeroizing::new(toml::to_string(kept).map_err(io::Error::other)?);
        file.write_all(b"# Key and token of a relay. Whoever has this file can stand in its place.\n")?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    };
    done().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_file_is_made_once_for_the_user_alone_and_a_new_token_leaves_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/relay");
        let first = open(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = open(&path, false).unwrap();
        assert_eq!((&again.key, &again.token), (&first.key, &first.token));
        let changed = open(&path, true).unwrap();
        assert_eq!(changed.key, first.key);
        assert_ne!(changed.token, first.token);
        assert_eq!(open(&path, false).unwrap().token, changed.token);
        fs::write(&path, "something else").unwrap();
        let refused = open(&path, false).map(drop).unwrap_err().to_string();
        assert!(refused.contains("move it away"), "{refused}");
    }
}
