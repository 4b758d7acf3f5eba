//! Binding the ways in and serving them until the stop signal.

use std::fs::{self, Permissions};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use axum::serve::{Listener, ListenerExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use super::edge::{Edge, Way};
use super::entrance::Caller;
use super::guard::Guards;
use super::lan::Lan;
use super::limits::SHUTDOWN_WITHIN;
use crate::door::Door;

/// Why a way in could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program has the port.
    #[error("{0} is taken by another program, perhaps another inframe; stop it or choose another address with {1}")]
    Taken(SocketAddr, &'static str),
    /// This front of the dashboard is not encrypted, so it must not be reachable from other machines.
    #[error(
        "{0} can be reached from other machines; choose a loopback address such as 127.0.0.1:7410, and --lan for the network"
    )]
    NotLoopback(SocketAddr),
    /// Some other trouble with the address.
    #[error("cannot listen at {0}; choose another address with {1}")]
    Address(SocketAddr, &'static str, #[source] io::Error),
    /// Another daemon answers on the socket.
    #[error("a daemon is running already with this data folder ({}); stop it first", .0.display())]
    Running(PathBuf),
    /// Something else lies where the socket should be.
    #[error("{} is no socket; move it away", .0.display())]
    NoSocket(PathBuf),
    /// The socket could not be made.
    #[error("cannot make the socket {}; is the data folder writable, and its path shorter than 100 bytes?", .0.display())]
    Socket(PathBuf, #[source] io::Error),
}

/// Binds the dashboard's TCP port on a loopback address; port 0 takes a free one.
///
/// # Errors
/// When the address is taken, is not a loopback one, or cannot be bound.
pub async fn bind_dashboard(address: SocketAddr) -> Result<TcpListener, BindError> {
    if !address.ip().is_loopback() {
        return Err(BindError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken(address, "--dashboard"),
        _ => BindError::Address(address, "--dashboard", error),
    })
}

/// Binds the command line's unix socket with mode 0600. A socket that a killed daemon left behind is replaced.
///
/// # Errors
/// When a daemon answers there already, something else is in the way, or the socket cannot be made.
pub async fn bind_socket(path: &Path) -> Result<UnixListener, BindError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NoSocket(path.to_owned())),
        Ok(_) if tokio::net::UnixStream::connect(path).await.is_ok() => {
            return Err(BindError::Running(path.to_owned()));
        }
        _ => {}
    }
    bind_private(path).map_err(|error| BindError::Socket(path.to_owned(), error))
}

/// Binds under another name first, so that the socket is never seen at its place with a wider mode.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let first = path.with_extension("new");
    match fs::remove_file(&first) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&first)?;
    fs::set_permissions(&first, Permissions::from_mode(0o600))?;
    fs::rename(&first, path)?;
    Ok(listener)
}

/// Serves the ways in to the node behind `door` until `shutdown` is ready, then lets open answers end for a few seconds.
///
/// # Errors
/// When a listener fails for good.
pub async fn serve(
    tcp: TcpListener,
    unix: UnixListener,
    lan: Option<Lan>,
    door: Door,
    guards: Guards,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let closing = CancellationToken::new();
    let edge = Edge::new(door, guards, lan.as_ref().map(|lan| lan.access().clone()), closing.clone());
    let network = edge.for_network().map(|edge| super::dashboard_edge(edge, Way::Network));
    let (dashboard, control) = (super::dashboard_edge(edge.clone(), Way::Dashboard), super::control_edge(edge));
    // Ends with this call: what is still open then is broken off.
    let broken_off = CancellationToken::new();
    let _at_the_end = broken_off.clone().drop_guard();
    let network = async {
        let (Some(lan), Some(router)) = (lan, network) else { return Ok(()) };
        let service = router.into_make_service_with_connect_info::<Caller>();
        axum::serve(lan.entrance(broken_off), service).with_graceful_shutdown(closing.clone().cancelled_owned()).await
    };
    // The last bytes of an answer do not wait until the others are acknowledged.
    let tcp = tcp.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection without TCP_NODELAY");
        }
    });
    let all = async { tokio::try_join!(until(tcp, dashboard, &closing), until(unix, control, &closing), network) };
    tokio::pin!(all);
    tokio::select! {
        ended = &mut all => return ended.map(|_| ()),
        () = shutdown => closing.cancel(),
    }
    match tokio::time::timeout(SHUTDOWN_WITHIN, all).await {
        Ok(ended) => ended.map(|_| ()),
        Err(_) => {
            tracing::info!("answers still open at shutdown were broken off");
            Ok(())
        }
    }
}

async fn until<L>(listener: L, router: Router, closing: &CancellationToken) -> io::Result<()>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    axum::serve(listener, router).with_graceful_shutdown(closing.clone().cancelled_owned()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_private_and_a_stale_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inframe.sock");
        let first = bind_socket(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(bind_socket(&path).await, Err(BindError::Running(_))));
        drop(first);
        let second = bind_socket(&path).await.unwrap();
        let (accepted, connected) = tokio::join!(second.accept(), tokio::net::UnixStream::connect(&path));
        assert!(accepted.is_ok() && connected.is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn d2_another_file_at_the_place_of_the_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inframe.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind_socket(&path).await, Err(BindError::NoSocket(_))));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn the_dashboard_says_when_its_address_is_taken_or_too_open() {
        let held = bind_dashboard(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = held.local_addr().unwrap();
        let refused = bind_dashboard(address).await.unwrap_err();
        assert!(matches!(refused, BindError::Taken(..)), "{refused}");
        assert!(refused.to_string().contains("--dashboard"));
        let open = bind_dashboard(([0, 0, 0, 0], 0).into()).await;
        assert!(matches!(open, Err(BindError::NotLoopback(_))));
    }
}
