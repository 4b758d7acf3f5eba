//! The daemon as a process: starts the node and its local edge, says where they are, and stops them in order on a signal.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Ready;
use crate::config::RunConfig;
use crate::node::{Node, NodeConfig};
use crate::tasks::Stage;
use crate::vault::{Batch, Kind, Unlock, Vault};
use crate::web::{Guards, SessionStore, StoredSession, bind_dashboard, bind_socket, serve};

/// Key of the one row that holds the browsers' sessions.
const SESSIONS: &[u8] = b"browsers";
/// A runtime that hangs after the node has stopped is left behind.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(2);

/// Keeps the sessions of browsers over restarts: hashes only, sealed like everything else.
struct SessionsInVault(Vault);

impl SessionStore for SessionsInVault {
    fn load(&self) -> Vec<StoredSession> {
        self.0.catalog().get_as(Kind::Session, SESSIONS).ok().flatten().unwrap_or_default()
    }

    fn save(&self, sessions: &[StoredSession]) {
        let mut batch = Batch::default();
        let saved =
            batch.put_as(Kind::Session, SESSIONS, sessions).map(|_| ()).and_then(|()| self.0.catalog().commit(batch));
        if let Err(error) = saved {
            tracing::warn!("browsers will have to sign in again after a restart: {error}");
        }
    }
}

/// Runs a daemon until it is told to stop.
#[must_use]
pub fn run(config: &RunConfig, unlock: Unlock) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("inframe").build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("inframe: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(live(config, unlock));
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inframe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn live(config: &RunConfig, unlock: Unlock) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    // The port is the likeliest thing to fail, so it comes before anything is written.
    let dashboard = bind_dashboard(config.dashboard).await?;
    let node = Node::start(NodeConfig {
        data_dir: config.data_dir.clone(),
        unlock,
        listen: config.p2p_listen.clone(),
        mdns: config.mdns,
        keep_free: config.keep_free,
        nickname: config.nickname.clone(),
        device_name: config.device_name.clone(),
        program: std::env::current_exe().context("cannot find the program's own file")?,
    })
    .await?;
    let served = edge(config, &node, dashboard).await;
    if served.is_ok() {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = node.tasks().shutdown_asked() => {}
        }
    }
    let report = node.stop().await;
    if !report.is_clean() {
        tracing::warn!(cut_off = ?report.cut_off, panicked = ?report.panicked, "not every task ended by itself");
    }
    // The file of the socket goes with the daemon, so that the CLI says "not running" rather than "refused".
    let _ = std::fs::remove_file(node.socket());
    served
}

async fn edge(config: &RunConfig, node: &Node, dashboard: tokio::net::TcpListener) -> anyhow::Result<()> {
    let socket = bind_socket(node.socket()).await?;
    let bound = dashboard.local_addr().context("the dashboard has no address")?;
    let guards = Guards::new(bound, &config.hosts, Arc::new(SessionsInVault(node.vault().clone())));
    let launch = guards.launch_link()?;
    let ready = Ready {
        dashboard: guards.origin().to_owned(),
        launch,
        socket: node.socket().to_path_buf(),
        p2p: node.addresses(),
    };
    let stop = node.tasks().stop_token(Stage::Edge);
    let (serving, tasks) = (node.clone(), node.tasks().clone());
    node.tasks().spawn(Stage::Edge, "dashboard", async move {
        if let Err(error) = serve(dashboard, socket, serving, guards, stop.cancelled_owned()).await {
            tracing::error!("the dashboard stopped: {error}");
            tasks.ask_shutdown();
        }
    });
    ready.announce(config);
    Ok(())
}
