//! Syncthing between two nodes of its own on this machine, to be compared with.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::peers::{Data, Run, free_port, new_folder, processor_seconds};

const LOOK: Duration = Duration::from_millis(10);
/// Until a node has started, looked at its folder, and found the other one.
const READY: Duration = Duration::from_secs(120);
/// Until everything is copied.
const COPIED: Duration = Duration::from_secs(600);
const FOLDER: &str = "data";
const API_KEY: &str = "only-on-this-machine";

/// Whether it is installed.
#[must_use]
pub fn is_installed() -> bool {
    let asked = Command::new("syncthing").arg("--version").stdout(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// One node: where it keeps its things, and its ports.
struct Node {
    home: PathBuf,
    id: String,
    port: u16,
    api: u16,
    process: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Node {
    /// With fresh keys.
    fn make(home: PathBuf) -> Result<Self> {
        let home_of = |command: &mut Command| -> Result<String> {
            let said = command.arg("--home").arg(&home).stderr(Stdio::null()).output()?;
            ensure!(said.status.success(), "{command:?} failed");
            Ok(String::from_utf8(said.stdout)?.trim().to_owned())
        };
        home_of(Command::new("syncthing").arg("generate").arg("--skip-port-probing"))?;
        let id = home_of(Command::new("syncthing").arg("--device-id"))?;
        Ok(Self { home, id, port: free_port()?, api: free_port()?, process: None })
    }

    /// Starts it with one folder that both share; no discovery, no relay, straight to the other one.
    fn start(&mut self, other: &Self, folder: &Path, kind: &str, paused: bool) -> Result<()> {
        let device = |node: &Self| {
            let (id, port) = (&node.id, node.port);
            format!("<device id=\"{id}\" compression=\"never\"><address>tcp://127.0.0.1:{port}</address></device>")
        };
        let off = ["globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled", "startBrowser"];
        let off: String = off
            .into_iter()
            .chain(["setLowPriority", "crashReportingEnabled"])
            .map(|option| format!("<{option}>false</{option}>"))
            .collect();
        let config = format!(
            "<configuration version=\"35\"><folder id=\"{FOLDER}\" path=\"{}\" type=\"{kind}\" rescanIntervalS=\"0\" fsWatcherEnabled=\"false\">\
             <device id=\"{}\"/><device id=\"{}\"/><markerName>.</markerName><paused>{paused}</paused></folder>{}{}\
             <gui enabled=\"true\" tls=\"false\"><address>127.0.0.1:{}</address><apikey>{API_KEY}</apikey></gui>\
             <options><listenAddress>tcp://127.0.0.1:{}</listenAddress><urAccepted>-1</urAccepted><autoUpgradeIntervalH>0</autoUpgradeIntervalH>\
             <reconnectionIntervalS>1</reconnectionIntervalS>{off}</options></configuration>",
            folder.display(),
            self.id,
            other.id,
            device(self),
            device(other),
            self.api,
            self.port,
        );
        std::fs::write(self.home.join("config.xml"), config)?;
        // As its own supervisor starts it, so that the process is the one that does the work.
        let mut command = Command::new("syncthing");
        command.args(["serve", "--no-browser", "--no-restart", "--home"]).arg(&self.home).env("STMONITORED", "yes");
        self.process = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        Ok(())
    }

    fn processor_seconds(&self) -> Result<f64> {
        processor_seconds(self.process.as_ref().context("it does not run")?.id())
    }

    /// Asks its API; answers of the calls here are short and come in one piece.
    fn call(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.api))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nX-API-Key: {API_KEY}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.split(' ').nth(1) == Some("200"), "{method} {path}: {head}");
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_str(body)? })
    }

    /// Waits until what `path` answers is as wished.
    fn until(&self, path: &str, within: Duration, is: impl Fn(&Value) -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let answer = self.call("GET", path, "");
            if answer.as_ref().is_ok_and(&is) {
                return Ok(());
            }
            ensure!(began.elapsed() < within, "syncthing: waited in vain at {path}; last: {answer:?}");
            std::thread::sleep(LOOK);
        }
    }
}

/// From the moment at which the receiver, connected already, is let at the folder, until it has all of it. Each file is written through to the disk.
///
/// # Errors
/// When it fails.
pub fn by_syncthing(work: &Path, data: &Data) -> Result<Run> {
    let homes = tempfile::Builder::new().prefix("syncthing-").tempdir_in(work)?;
    let mut sender = Node::make(homes.path().join("sender"))?;
    let mut receiver = Node::make(homes.path().join("receiver"))?;
    let to = new_folder(work)?;
    sender.start(&receiver, &data.folder, "sendonly", false)?;
    receiver.start(&sender, &to, "receiveonly", true)?;
    let status = format!("/rest/db/status?folder={FOLDER}");
    sender.until(&status, READY, |status| {
        status["state"] == "idle" && status["globalBytes"].as_u64() == Some(data.bytes)
    })?;
    receiver.until("/rest/system/connections", READY, |all| all["connections"][&sender.id]["connected"] == true)?;
    let before = sender.processor_seconds()? + receiver.processor_seconds()?;
    let began = Instant::now();
    let go = json!({ "paused": false }).to_string();
    receiver.call("PATCH", &format!("/rest/config/folders/{FOLDER}"), &go)?;
    receiver.until(&status, COPIED, |status| {
        status["state"] == "idle"
            && status["needBytes"].as_u64() == Some(0)
            && status["localBytes"].as_u64() == Some(data.bytes)
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let processor_seconds = sender.processor_seconds()? + receiver.processor_seconds()? - before;
    drop((sender, receiver));
    std::fs::remove_dir_all(to)?;
    Ok(Run { seconds, processor_seconds, memory: None })
}
