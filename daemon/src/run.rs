//! The daemon as a process: opens its local edge, unlocks the vault where it can, says where it is, and stops everything in order on a signal.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::{Ready, ReadyLan, RelayRun};
use crate::config::RunConfig;
use crate::data_dir::DataDir;
use crate::door::{Door, DoorError, Secret};
use crate::node::NodeConfig;
use crate::tls::{Tls, TlsError};
use crate::vault::{KeyError, KeyFile, SlotKind};
use crate::web::{
    Guards, Lan, bind_dashboard, bind_lan, bind_socket, keep_certificates, own_names, serve, serve_guests,
};

/// A runtime that hangs after the node has stopped is left behind.
const RUNTIME_PATIENCE: Duration = Duration::from_secs(2);

/// Runs a daemon until it is told to stop. Without a secret it begins locked.
#[must_use]
pub fn run(config: &RunConfig, dir: DataDir, secret: Option<Secret>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("inframe").build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("inframe: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(live(config, dir, secret));
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inframe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a relay until it is told to stop.
#[must_use]
pub fn run_relay(relay: RelayRun) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("inframe-relay").build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("inframe: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
        let stop = CancellationToken::new();
        let told = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            told.cancel();
        });
        relay.live(stop).await
    });
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("inframe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn live(config: &RunConfig, dir: DataDir, secret: Option<Secret>) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    // The port is the likeliest thing to fail, so it comes before anything is written.
    let dashboard = bind_dashboard(config.dashboard).await?;
    let bound = dashboard.local_addr().context("the dashboard has no address")?;
    let (lan, guests_tls) = for_the_network(config, &dir).await?;
    let certificates = lan.iter().map(|lan| (lan.access().tls().clone(), lan.access().ip()));
    let certificates: Vec<_> =
        certificates.chain(guests_tls.iter().map(|tls| (tls.clone(), config.guests.ip()))).collect();
    let node = NodeConfig {
        key_file: KeyFile::at(&config.key_file),
        listen: config.p2p_listen.clone(),
        mdns: config.mdns,
        dashboard: bound,
        certificate: certificates.first().map(|(tls, _)| tls.clone()),
        keep_free: config.keep_free,
        nickname: config.nickname.clone(),
        device_name: config.device_name.clone(),
        program: std::env::current_exe().context("cannot find the program's own file")?,
    };
    let socket_path = dir.socket.clone();
    let door = Door::new(node, dir);
    if let Some(secret) = secret {
        match door.unlock(secret).await {
            // As after a restore: what the owner knows opens it, and they may have that at hand.
            Err(DoorError::Key(error @ KeyError::WrongKeyFile { .. })) if known_by_heart(&door).await => {
                tracing::warn!("the vault stays locked: {error}");
            }
            other => other?,
        }
    }
    let socket = match bind_socket(&socket_path).await {
        Ok(socket) => socket,
        Err(error) => {
            // What unlocked it is told of the socket, which is the cause.
            let _ = door.lock().await;
            return Err(error.into());
        }
    };
    let guards = Guards::new(bound, &config.hosts);
    let stop = CancellationToken::new();
    let access = lan.as_ref().map(|lan| lan.access().clone());
    let serving =
        tokio::spawn(serve(dashboard, socket, lan, door.clone(), guards.clone(), stop.clone().cancelled_owned()));
    tokio::spawn(keep_certificates(certificates, stop.clone()));
    tokio::pin!(serving);
    let guests = tokio::spawn(serve_guests(config.guests, guests_tls, door.clone(), stop.clone()));
    let outcome = match guards.launch_link() {
        Ok(launch) => {
            let opened = door.opened();
            Ready {
                dashboard: guards.origin().to_owned(),
                launch,
                lan: access.as_ref().map(ReadyLan::of),
                socket: socket_path.clone(),
                locked: opened.is_none(),
                p2p: opened.map(|opened| opened.node.addresses()).unwrap_or_default(),
            }
            .announce(config);
            tokio::select! {
                _ = terminate.recv() => Ok(()),
                _ = interrupt.recv() => Ok(()),
                () = door.ended() => Ok(()),
                ended = &mut serving => ended.context("the dashboard broke off").and_then(|end| end.context("the dashboard stopped")),
            }
        }
        Err(error) => Err(error.into()),
    };
    // First of all no new wish comes in.
    stop.cancel();
    if !serving.is_finished()
        && let Err(error) = serving.await
    {
        tracing::warn!(%error, "the dashboard did not end by itself");
    }
    if let Err(error) = guests.await {
        tracing::warn!(%error, "the guest page did not end by itself");
    }
    if let Err(error) = door.lock().await {
        tracing::error!("{error}");
    }
    // The file of the socket goes with the daemon, so that the CLI says "not running" rather than "refused".
    let _ = std::fs::remove_file(socket_path);
    outcome
}

/// The dashboard's port for the network, bound, and the certificate for the guest page, where they are wanted. What is wrong with a certificate stops the
/// start: nobody would look for the reason in a log.
async fn for_the_network(config: &RunConfig, dir: &DataDir) -> anyhow::Result<(Option<Lan>, Option<Tls>)> {
    let (wished, dir) = (config.clone(), dir.clone());
    let made = tokio::task::spawn_blocking(move || {
        let owners = wished.tls.map(|(certificate, key)| Tls::of_owner(certificate, key)).transpose()?;
        let lan = wished.lan.map(|address| match &owners {
            Some(owners) => Ok(owners.clone()),
            None => Tls::own(&dir, &own_names(address.ip())),
        });
        let guests = owners.filter(|_| wished.guests_tls).map(Tls::with_a_host);
        Ok::<_, TlsError>((lan.transpose()?, guests.transpose()?))
    });
    let (tls, guests) = made.await.context("the certificate could not be looked at")??;
    let lan = match config.lan.zip(tls) {
        Some((address, tls)) => Some(bind_lan(address, tls, &config.hosts).await?),
        None => None,
    };
    Ok((lan, guests))
}

/// Whether something that the owner knows or has on paper opens the vault.
async fn known_by_heart(door: &Door) -> bool {
    door.slots().await.is_ok_and(|slots| slots.iter().any(|slot| *slot != SlotKind::KeyFile))
}
