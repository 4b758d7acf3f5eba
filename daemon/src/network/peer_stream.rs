//! A stream to or from a peer: bytes both ways, whole messages with a size limit, and a time limit on each.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use inframe_protocol::{
    frame::{self, Message},
    ids::NodeId,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

use super::{Protocol, StreamError, limits};

/// Sent by the side that received a stream, before anything else: a handler has a place for it.
const TAKEN: u8 = 1;
/// Sent instead when no handler has a place for it; the stream then closes.
const BUSY: u8 = 2;

/// A stream to a peer whose identity the transport has proven.
///
/// Dropping it without [`PeerStream::close`] resets it: the other side then sees an error, not an end.
#[derive(Debug)]
pub struct PeerStream {
    peer: NodeId,
    protocol: Protocol,
    inner: Compat<libp2p::Stream>,
    _place: Option<Place>,
}

/// What the other side said to a new stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Taken,
    Busy,
}

impl PeerStream {
    pub(super) fn new(peer: NodeId, protocol: Protocol, stream: libp2p::Stream, place: Option<Place>) -> Self {
        Self { peer, protocol, inner: stream.compat(), _place: place }
    }

    /// The peer at the other end.
    pub fn peer(&self) -> &NodeId {
        &self.peer
    }

    /// What the stream is for.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Reads one message of at most `limit` bytes, or fewer if its kind allows fewer. Not cancel safe: part of a message may have been read.
    ///
    /// # Errors
    /// [`StreamError::Closed`] if the peer closed the stream before the message; all others mean that the stream is
    /// of no further use.
    pub async fn read_message<M: Message>(&mut self, limit: usize) -> Result<M, StreamError> {
        self.read_message_within(limit, limits::MESSAGE_WITHIN).await
    }

    /// [`PeerStream::read_message`] with another time limit, for answers that a person must give first.
    ///
    /// # Errors
    /// As [`PeerStream::read_message`].
    pub async fn read_message_within<M: Message>(&mut self, limit: usize, within: Duration) -> Result<M, StreamError> {
        timed(within, async {
            let mut length = [0; frame::HEADER_BYTES];
            let read = self.inner.read(&mut length).await.map_err(StreamError::Io)?;
            let (_, rest) = length.split_at_mut_checked(read).ok_or(StreamError::CutOff)?;
            if read == 0 {
                return Err(StreamError::Closed);
            }
            self.inner.read_exact(rest).await.map_err(cut_off)?;
            let size = frame::body_len(length, limit.min(M::MAX_BYTES)).map_err(StreamError::Message)?;
            let mut body = vec![0; size];
            self.inner.read_exact(&mut body).await.map_err(cut_off)?;
            frame::decode_body(&body, limit).map_err(StreamError::Message)
        })
        .await
    }

    /// Writes one message and flushes it.
    ///
    /// # Errors
    /// If the message is too long, the peer does not read it in time, or the connection fails.
    pub async fn write_message<M: Message>(&mut self, message: &M) -> Result<(), StreamError> {
        let bytes = frame::encode(message, M::MAX_BYTES).map_err(StreamError::Message)?;
        timed(limits::MESSAGE_WITHIN, async {
            self.inner.write_all(&bytes).await.map_err(StreamError::Io)?;
            self.inner.flush().await.map_err(StreamError::Io)
        })
        .await
    }

    /// Ends the stream in good order: what was written is sent, then the end, and the peer's end is waited for, so
    /// that a reset cannot overtake the last bytes. Anything the peer still sends is dropped, up to a small amount.
    ///
    /// # Errors
    /// If the peer does not take the rest in time or the connection fails.
    pub async fn close(mut self) -> Result<(), StreamError> {
        timed(limits::CLOSE_WITHIN, async {
            self.inner.shutdown().await.map_err(StreamError::Io)?;
            let mut rest = (&mut self.inner).take(1024);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await.map_err(StreamError::Io).map(|_| ())
        })
        .await
    }

    /// Tells the opener what became of its stream.
    pub(super) async fn answer(&mut self, answer: Answer) -> Result<(), StreamError> {
        let byte = match answer {
            Answer::Taken => TAKEN,
            Answer::Busy => BUSY,
        };
        timed(limits::ACCEPT_WITHIN, async {
            self.inner.write_all(&[byte]).await.map_err(StreamError::Io)?;
            self.inner.flush().await.map_err(StreamError::Io)
        })
        .await
    }

    /// Waits for the other side's [`PeerStream::answer`].
    pub(super) async fn answered(&mut self) -> Result<Answer, StreamError> {
        match timed(limits::ACCEPT_WITHIN, async { self.inner.read_u8().await.map_err(cut_off) }).await? {
            TAKEN => Ok(Answer::Taken),
            _ => Ok(Answer::Busy),
        }
    }
}

async fn timed<T>(within: Duration, work: impl Future<Output = Result<T, StreamError>>) -> Result<T, StreamError> {
    tokio::time::timeout(within, work).await.unwrap_or(Err(StreamError::TimedOut))
}

fn cut_off(error: io::Error) -> StreamError {
    if error.kind() == io::ErrorKind::UnexpectedEof { StreamError::CutOff } else { StreamError::Io(error) }
}

impl AsyncRead for PeerStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A counted place for an inbound stream; given back when dropped.
#[derive(Debug)]
pub(super) struct Place(#[allow(dead_code, reason = "held for its drops")] [Counted; 2]);

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn take(counter: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let grow = |taken: usize| (taken < most).then_some(taken + 1);
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow).ok()?;
        Some(Self(counter.clone()))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place {
    /// A place among the streams of one peer and among those of all peers, if both have room.
    pub(super) fn take(peer: &Arc<AtomicUsize>, peer_most: usize, all: &Arc<AtomicUsize>) -> Option<Self> {
        Some(Self([Counted::take(peer, peer_most)?, Counted::take(all, limits::STREAMS_INBOUND)?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d7_places_are_bounded_and_given_back() {
        let (peer, all) = (Arc::default(), Arc::default());
        let held: Vec<Place> = (0..2).filter_map(|_| Place::take(&peer, 2, &all)).collect();
        assert!(held.len() == 2 && Place::take(&peer, 2, &all).is_none());
        assert_eq!(all.load(Ordering::Relaxed), 2, "a refused place counts nowhere");
        drop(held);
        assert_eq!((peer.load(Ordering::Relaxed), all.load(Ordering::Relaxed)), (0, 0));
    }
}
