//! Opens the guest page's port while a page is switched on, and closes it when none is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::super::elsewhere::Elsewhere;
use super::super::entrance::{Bounds, Caller, Entrance, Secure};
use super::desk::Desk;
use super::routes;
use crate::clock::now_ms;
use crate::door::{Door, Opened};
use crate::guest::Listening;
use crate::guest::limits::{CONNECTIONS, CONNECTIONS_PER_ADDRESS, IDLE};
use crate::tls::Tls;

/// How often it is looked whether the vault was unlocked. A locked daemon does nothing else.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it is looked whether the time of the last page is over; switching one on or off is heard of at once.
const CHECK_EVERY: Duration = Duration::from_secs(30);

const BOUNDS: Bounds = Bounds { all: CONNECTIONS, of_address: CONNECTIONS_PER_ADDRESS, idle: IDLE };

/// Serves guest pages at `address` for as long as the process runs: of the node that runs, while one of its pages is switched on. By HTTPS with a certificate
/// that the phones of guests trust, if there is one.
pub async fn serve_guests(address: SocketAddr, tls: Option<Tls>, door: Door, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let leaving = door.leaving();
        match door.opened() {
            Some(opened) if !leaving.is_cancelled() => of_node(address, tls.as_ref(), opened, leaving, &stop).await,
            _ => _ = stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await,
        }
    }
}

/// Until this node is to be stopped.
async fn of_node(
    address: SocketAddr,
    tls: Option<&Tls>,
    opened: Opened,
    leaving: CancellationToken,
    stop: &CancellationToken,
) {
    let node = opened.node;
    let mut switched = node.guests().switched();
    let gone = || async {
        tokio::select! {
            () = leaving.cancelled() => {}
            () = stop.cancelled() => {}
        }
    };
    let mut at = address;
    while !leaving.is_cancelled() && !stop.is_cancelled() {
        if node.guests().any_open(now_ms()) {
            match TcpListener::bind(at).await.and_then(|listener| Ok((listener.local_addr()?, listener))) {
                Ok((bound, listener)) => {
                    // Links lead to this port, so it stays the same while the daemon runs.
                    at = bound;
                    node.guest_port(open_at(bound, tls));
                    let closing = leaving.child_token();
                    let secure = tls
                        .map(|tls| Secure { tls: tls.clone(), elsewhere: Elsewhere::NameOfCertificate(bound.port()) });
                    let entrance = Entrance::new(listener, BOUNDS, secure, closing.clone());
                    let router = routes::router(Desk::new(node.clone(), tls.is_some(), closing.clone()));
                    let service = router.into_make_service_with_connect_info::<Caller>();
                    let serving =
                        axum::serve(entrance, service).with_graceful_shutdown(closing.clone().cancelled_owned());
                    let serving = node.tasks().spawn(crate::tasks::Stage::Edge, "guest page", async move {
                        if let Err(error) = serving.await {
                            tracing::error!(%error, "the guest page broke off");
                        }
                    });
                    tracing::info!(%bound, "the guest page is open");
                    while node.guests().any_open(now_ms()) && !leaving.is_cancelled() && !stop.is_cancelled() {
                        tokio::select! {
                            () = gone() => {}
                            _ = switched.changed() => {}
                            () = tokio::time::sleep(CHECK_EVERY) => {}
                        }
                        // A certificate that was renewed may be for another name.
                        let now = open_at(bound, tls);
                        if node.guests().listening() != now {
                            node.guest_port(now);
                        }
                    }
                    closing.cancel();
                    let _ = serving.await;
                    node.guest_port(Listening::default());
                    continue;
                }
                Err(error) => {
                    let problem = problem(at, &error);
                    if node.guests().listening().problem.as_ref() != Some(&problem) {
                        tracing::warn!("{problem}");
                        node.guest_port(Listening { problem: Some(problem), ..Listening::default() });
                    }
                }
            }
        }
        tokio::select! {
            () = gone() => {}
            _ = switched.changed() => {}
            () = tokio::time::sleep(CHECK_EVERY) => {}
        }
    }
}

fn open_at(bound: SocketAddr, tls: Option<&Tls>) -> Listening {
    let host = tls.and_then(|tls| tls.shown().parsed.host().map(str::to_owned));
    Listening { at: Some(bound), host, problem: None }
}

fn problem(at: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "the guest page cannot be opened: another program has port {}, perhaps another inframe; stop it, or start the daemon with another one by --guests",
            at.port()
        ),
        _ => format!(
            "the guest page cannot be opened at {at}: {error}; start the daemon with another address by --guests"
        ),
    }
}
