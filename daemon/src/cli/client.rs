//! HTTP over the unix socket of a running daemon.

use std::io;
use std::path::PathBuf;

use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::views::ProblemView;
use crate::web::API_ROOT;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Nothing answers on the socket.
    #[error("no daemon answers at {}: start it with `inframe run`, or name its data folder with --data-dir", .0.display())]
    NotRunning(PathBuf),
    /// The daemon refused, in its own words.
    #[error("{0}")]
    Refused(String),
    /// The daemon's answer did not make sense.
    #[error("the daemon at {} gave an answer that this program does not understand; are both of the same version?", .0.display())]
    Strange(PathBuf, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke.
    #[error("the connection to the daemon broke; see whether it still runs")]
    Broken(#[source] reqwest::Error),
    /// A file could not be read.
    #[error("cannot read {}", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Nothing, or several things, by the name that was given.
    #[error("{0}")]
    Ambiguous(String),
    /// The owner said no.
    #[error("stopped: nothing was changed")]
    Declined,
    /// The terminal could not be read or written.
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
}

/// A connection to the daemon of one data folder.
pub(super) struct Client {
    http: reqwest::Client,
    socket: PathBuf,
}

impl Client {
    pub(super) fn new(socket: PathBuf) -> Result<Self, CliError> {
        let http = reqwest::Client::builder().unix_socket(socket.clone()).build().map_err(CliError::Broken)?;
        Ok(Self { http, socket })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.json(Method::GET, path, None::<&()>).await
    }

    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<Value, CliError> {
        self.json(Method::POST, path, Some(body)).await
    }

    /// A request with or without a JSON body; the answer as it came, `null` if there is none.
    pub(super) async fn json<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Value, CliError> {
        let mut request = self.http.request(method, self.address(path));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request.send().await).await
    }

    /// A request with raw bytes.
    pub(super) async fn post_bytes(&self, path: &str, bytes: Vec<u8>) -> Result<Value, CliError> {
        let request = self.http.post(self.address(path)).body(bytes);
        self.answer(request.send().await).await
    }

    /// Reads a value of the API as its view.
    pub(super) fn view<T: DeserializeOwned>(&self, value: &Value) -> Result<T, CliError> {
        T::deserialize(value).map_err(|error| CliError::Strange(self.socket.clone(), error.into()))
    }

    fn address(&self, path: &str) -> String {
        // The name is never looked up: every connection goes to the socket.
        format!("http://inframe{API_ROOT}{path}")
    }

    async fn answer(&self, sent: Result<Response, reqwest::Error>) -> Result<Value, CliError> {
        let response = sent.map_err(|error| match error.is_connect() {
            true => CliError::NotRunning(self.socket.clone()),
            false => CliError::Broken(error),
        })?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(CliError::Broken)?;
        if status.is_success() {
            if bytes.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&bytes)
                .map_err(|error| CliError::Strange(self.socket.clone(), error.into()));
        }
        match serde_json::from_slice::<ProblemView>(&bytes) {
            Ok(problem) => Err(CliError::Refused(problem.detail)),
            Err(error) => Err(CliError::Strange(self.socket.clone(), error.into())),
        }
    }
}

/// One segment of a path; ids are hex, but what a person typed may be anything.
pub(super) fn segment(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
