//! Connections from the network, to the guest page and to the dashboard. Anybody can make them, so there are only so many, of one address and in all, and none
//! may lie idle. Where they are to be encrypted, what is not never gets further than here: it is told the right address.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::elsewhere::{self, Elsewhere};
use super::limits::HANDSHAKE_WITHIN;
use crate::tls::Tls;

/// A pause after an error of the system, such as too many open files.
const AFTER_ERROR: Duration = Duration::from_millis(200);
/// First byte of every connection that begins as TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// Their address.
    pub(super) address: IpAddr,
    /// The address of this device that they called.
    pub(super) called: Option<SocketAddr>,
}

impl Connected<IncomingStream<'_, Entrance>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Entrance>) -> Self {
        Self { address: stream.remote_addr().ip().to_canonical(), called: stream.io().called() }
    }
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// At once.
    pub(super) all: usize,
    /// Of one address.
    pub(super) of_address: usize,
    /// A connection on which nothing passes for so long is closed.
    pub(super) idle: Duration,
}

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Secure {
    pub(super) tls: Tls,
    /// Where those are sent that are not.
    pub(super) elsewhere: Elsewhere,
}

/// Lets callers in.
pub(super) struct Entrance {
    listener: TcpListener,
    bounds: Bounds,
    inside: Arc<Mutex<Inside>>,
    closing: CancellationToken,
    secure: Option<Secure>,
    /// Those in the middle of a handshake; each has a place already, so there are never more than places.
    shaking: JoinSet<Option<(Line, SocketAddr)>>,
}

/// Who is inside.
#[derive(Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Inside {
    fn enter(&mut self, address: IpAddr, bounds: &Bounds) -> bool {
        let of_address = self.by_address.get(&address).copied().unwrap_or(0);
        if self.all >= bounds.all || of_address >= bounds.of_address {
            return false;
        }
        self.all += 1;
        self.by_address.insert(address, of_address + 1);
        true
    }

    fn leave(&mut self, address: IpAddr) {
        self.all = self.all.saturating_sub(1);
        match self.by_address.get_mut(&address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = self.by_address.remove(&address),
        }
    }
}

fn locked(inside: &Mutex<Inside>) -> MutexGuard<'_, Inside> {
    inside.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Entrance {
    /// Lets callers in until `closing`, which also ends those who are inside; encrypted where there is a way to.
    pub(super) fn new(
        listener: TcpListener,
        bounds: Bounds,
        secure: Option<Secure>,
        closing: CancellationToken,
    ) -> Self {
        Self { listener, bounds, inside: Arc::default(), closing, secure, shaking: JoinSet::new() }
    }

    /// Gives them a place. Whoever is too many is hung up on; a browser tries again.
    fn placed(&self, stream: TcpStream, address: SocketAddr) -> Option<Guarded> {
        if !locked(&self.inside).enter(address.ip(), &self.bounds) {
            return None;
        }
        let place = Place { inside: self.inside.clone(), address: address.ip() };
        let _ = stream.set_nodelay(true);
        Some(Guarded::new(stream, place, self.bounds.idle, self.closing.clone()))
    }
}

impl Listener for Entrance {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        let Some(guarded) = self.placed(stream, address) else { continue };
                        let Some(secure) = self.secure.clone() else { return (Line::Plain(guarded), address) };
                        self.shaking.spawn(async move {
                            let line = timeout(HANDSHAKE_WITHIN, encrypted(guarded, &secure)).await.ok()??;
                            Some((line, address))
                        });
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a caller from the network was lost");
                        sleep(AFTER_ERROR).await;
                    }
                },
                Some(done) = self.shaking.join_next() => {
                    if let Ok(Some(ready)) = done {
                        return ready;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// The encrypted connection; whoever does not begin one is told where to go.
async fn encrypted(guarded: Guarded, secure: &Secure) -> Option<Line> {
    let mut first = [0];
    if guarded.stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first != [TLS_HANDSHAKE] {
        elsewhere::answer(guarded, &secure.elsewhere, &secure.tls).await;
        return None;
    }
    let stream = TlsAcceptor::from(secure.tls.server()).accept(guarded).await.ok()?;
    Some(Line::Encrypted(Box::new(stream)))
}

/// A connection as it is served.
pub(super) enum Line {
    /// Whoever is on the way reads it.
    Plain(Guarded),
    /// Nobody does.
    Encrypted(Box<TlsStream<Guarded>>),
}

impl Line {
    fn called(&self) -> Option<SocketAddr> {
        let guarded = match self {
            Self::Plain(guarded) => guarded,
            Self::Encrypted(stream) => stream.get_ref().0,
        };
        guarded.stream.local_addr().ok()
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_read(cx, buf),
            Self::Encrypted(line) => Pin::new(line).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_write(cx, buf),
            Self::Encrypted(line) => Pin::new(line).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_flush(cx),
            Self::Encrypted(line) => Pin::new(line).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(line) => Pin::new(line).poll_shutdown(cx),
            Self::Encrypted(line) => Pin::new(line).poll_shutdown(cx),
        }
    }
}

struct Place {
    inside: Arc<Mutex<Inside>>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.inside).leave(self.address);
    }
}

/// A connection that ends when nothing passes for a while, and with what is served.
pub(super) struct Guarded {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    /// How long that takes.
    most: Duration,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Place,
}

impl Guarded {
    fn new(stream: TcpStream, place: Place, most: Duration, closing: CancellationToken) -> Self {
        let closing = Box::pin(closing.cancelled_owned());
        Self { stream, idle: Box::pin(sleep(most)), most, closing, _place: place }
    }

    /// Takes note of what came of an attempt to pass something.
    fn after<T>(&mut self, cx: &mut Context<'_>, passed: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if passed.is_ready() {
            let until = Instant::now() + self.most;
            self.idle.as_mut().reset(until);
            return passed;
        }
        if self.closing.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if self.idle.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let passed = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.after(cx, passed)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let passed = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.after(cx, passed)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { all: 64, of_address: 8, idle: Duration::from_secs(60) };

    #[test]
    fn d7_one_address_does_not_take_every_place() {
        let (mut inside, one, other) = (Inside::default(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let entered = (0..BOUNDS.all).filter(|_| inside.enter(one, &BOUNDS)).count();
        assert_eq!(entered, BOUNDS.of_address);
        assert!(inside.enter(other, &BOUNDS));
        inside.leave(one);
        assert!(inside.enter(one, &BOUNDS) && !inside.enter(one, &BOUNDS));
        for n in 0..u32::try_from(2 * BOUNDS.all).unwrap() {
            inside.enter(IpAddr::from(n.to_be_bytes()), &BOUNDS);
        }
        assert_eq!(inside.all, BOUNDS.all);
        for _ in 0..BOUNDS.of_address {
            inside.leave(one);
        }
        assert!(!inside.by_address.contains_key(&one));
    }

    #[tokio::test]
    async fn d7_whoever_is_silent_in_the_middle_of_a_handshake_holds_nobody_up_and_loses_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let dir = crate::data_dir::DataDir::open(folder.path().join("data")).unwrap();
        let tls = Tls::own(&dir, &crate::tls::Names::default()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let secure = Secure { tls, elsewhere: Elsewhere::SameName };
        let mut entrance = Entrance::new(listener, BOUNDS, Some(secure), CancellationToken::new());
        let inside = entrance.inside.clone();
        let accepting = tokio::spawn(async move { entrance.accept().await.1 });
        let mut silent = Vec::new();
        for _ in 0..BOUNDS.of_address {
            silent.push(TcpStream::connect(at).await.unwrap());
        }
        // One more is hung up on.
        let more = TcpStream::connect(at).await.unwrap();
        assert_eq!(read_some(more).await, "");
        assert_eq!(locked(&inside).all, BOUNDS.of_address);
        drop(silent.pop());
        while locked(&inside).all == BOUNDS.of_address {
            tokio::task::yield_now().await;
        }
        // In the clear there is only the way to the other address.
        let mut plain = TcpStream::connect(at).await.unwrap();
        let request = format!("GET /photos?at=1 HTTP/1.1\r\nHost: {at}\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut plain, request.as_bytes()).await.unwrap();
        let answer = read_some(plain).await;
        assert!(answer.starts_with("HTTP/1.1 307 "), "{answer}");
        assert!(answer.contains(&format!("location: https://{at}/photos?at=1\r\n")), "{answer}");
        assert!(!accepting.is_finished(), "nothing of it was let in");
        accepting.abort();
        let _ = accepting.await;
        assert_eq!(locked(&inside).all, 0, "with the entrance all places are free");
    }

    async fn read_some(mut stream: TcpStream) -> String {
        let mut answer = String::new();
        let _ = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await;
        answer
    }
}
