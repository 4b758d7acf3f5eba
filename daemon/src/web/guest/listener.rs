//! Connections to the guest page. Anybody on the network can make them, so there are only so many, of one address and in all, and none may lie idle.

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
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::guest::limits::{CONNECTIONS, CONNECTIONS_PER_ADDRESS, IDLE};

/// A pause after an error of the system, such as too many open files.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(pub(super) IpAddr);

impl Connected<IncomingStream<'_, Entrance>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Entrance>) -> Self {
        Self(stream.remote_addr().ip())
    }
}

/// Lets callers in.
pub(super) struct Entrance {
    listener: TcpListener,
    inside: Arc<Mutex<Inside>>,
    closing: CancellationToken,
}

/// Who is inside.
#[derive(Default)]
struct Inside {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Inside {
    fn enter(&mut self, address: IpAddr) -> bool {
        let of_address = self.by_address.get(&address).copied().unwrap_or(0);
        if self.all >= CONNECTIONS || of_address >= CONNECTIONS_PER_ADDRESS {
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
    /// Lets callers in until `closing`, which also ends those who are inside.
    pub(super) fn new(listener: TcpListener, closing: CancellationToken) -> Self {
        Self { listener, inside: Arc::default(), closing }
    }
}

impl Listener for Entrance {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "a caller of the guest page was lost");
                    sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            // Whoever is too many is hung up on; a phone tries again.
            if !locked(&self.inside).enter(address.ip()) {
                continue;
            }
            let place = Place { inside: self.inside.clone(), address: address.ip() };
            let _ = stream.set_nodelay(true);
            return (Guarded::new(stream, place, self.closing.clone()), address);
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
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

/// A connection that ends when nothing passes for a while, and with the page.
pub(super) struct Guarded {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Place,
}

impl Guarded {
    fn new(stream: TcpStream, place: Place, closing: CancellationToken) -> Self {
        let closing = Box::pin(closing.cancelled_owned());
        Self { stream, idle: Box::pin(sleep(IDLE)), closing, _place: place }
    }

    /// Takes note of what came of an attempt to pass something.
    fn after<T>(&mut self, cx: &mut Context<'_>, passed: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if passed.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
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

    #[test]
    fn d7_one_address_does_not_take_every_place() {
        let (mut inside, one, other) = (Inside::default(), IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let entered = (0..CONNECTIONS).filter(|_| inside.enter(one)).count();
        assert_eq!(entered, CONNECTIONS_PER_ADDRESS);
        assert!(inside.enter(other));
        inside.leave(one);
        assert!(inside.enter(one) && !inside.enter(one));
        for n in 0..u32::try_from(2 * CONNECTIONS).unwrap() {
            inside.enter(IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(inside.all, CONNECTIONS);
        for _ in 0..CONNECTIONS_PER_ADDRESS {
            inside.leave(one);
        }
        assert!(!inside.by_address.contains_key(&one));
    }
}
