//! A real daemon in a process of its own, on a folder that was filled before.

#![allow(dead_code)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method};
use serde_json::Value;

/// Dropping it ends the process at once.
pub struct Daemon {
    child: Child,
    ready: Value,
    http: Client,
}

impl Daemon {
    /// Starts `inframe run` on `data` and `master.key` in `folder`, and waits for its line that it is ready.
    pub fn start(folder: &Path) -> Result<Self> {
        let data = folder.join("data");
        let mut command = Command::new(env!("CARGO_BIN_EXE_inframe"));
        command.arg("run").arg("--data-dir").arg(&data).arg("--key-file").arg(folder.join("master.key"));
        command.args(["--dashboard", "127.0.0.1:0", "--p2p", "/ip4/127.0.0.1/tcp/0", "--no-mdns", "--ready-json"]);
        command.env("INFRAME_LOG", "error").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the daemon")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
        let ready = serde_json::from_str(&line).with_context(|| format!("not the line of a ready daemon: {line}"))?;
        let http = Client::builder().unix_socket(data.join("inframe.sock")).build()?;
        Ok(Self { child, ready, http })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A text of what it said when it became ready.
    pub fn ready(&self, name: &str) -> Result<&str> {
        self.ready[name].as_str().with_context(|| format!("the line of a ready daemon has no {name}"))
    }

    /// Asks its API over the socket.
    pub async fn ask(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Result<bytes::Bytes> {
        let request = self.http.request(method, format!("http://localhost/api/v1{path}"));
        let answer = request.header("content-type", "application/json").body(body).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        ensure!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.ask(Method::GET, path, "").await?)?)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(serde_json::from_slice(&self.ask(Method::POST, path, body.to_string()).await?)?)
    }

    /// Ends it as a user would, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        ensure!(asked.success() && self.child.wait()?.success(), "the daemon did not stop as it should");
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
