//! Notices: their endpoints, and a receiver on loopback that remembers what it was sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::api::Api;

#[allow(missing_docs, clippy::missing_errors_doc)]
impl Api {
    pub async fn notices(&self) -> Result<Value> {
        self.get("/notices").await
    }

    pub async fn change_notices(&self, patch: &Value) -> Result<Value> {
        self.with(Method::PATCH, "/notices", patch).await
    }

    pub async fn set_notice_receiver(&self, receiver: &Value) -> Result<Value> {
        self.with(Method::PUT, "/notices/receiver", receiver).await
    }

    pub async fn test_notices(&self) -> Result<Value> {
        self.with(Method::POST, "/notices/test", &json!({})).await
    }
}

/// What was sent.
#[derive(Clone, Debug)]
pub struct Post {
    /// Path.
    pub path: String,
    /// Headers, in lowercase.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl Post {
    /// A header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The body of a webhook.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {}", self.body))
    }
}

struct Desk {
    status: u16,
    posts: Vec<Post>,
}

/// The receiver; it ends when this is dropped.
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Starts one on a free port, which answers 200.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Mutex::new(Desk { status: 200, posts: Vec::new() }));
        let served = desk.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that hangs up is no failure of the receiver.
                tokio::spawn(answer(stream, served.clone()));
            }
        });
        Ok(Self { address, desk, task })
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://{}/topic", self.address)
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        lock(&self.desk).status = status;
    }

    /// Everything that came so far, whatever it was answered.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        lock(&self.desk).posts.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(stream: TcpStream, desk: Arc<Mutex<Desk>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? <= 2 {
            break;
        }
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let mut post = Post { path, headers, body: String::new() };
    let mut body = vec![0; post.header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    post.body = String::from_utf8(body)?;
    let status = {
        let mut desk = lock(&desk);
        desk.posts.push(post);
        desk.status
    };
    stream
        .write_all(format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    Ok(stream.shutdown().await?)
}
