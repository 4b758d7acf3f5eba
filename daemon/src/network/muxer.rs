//! Yamux with larger frames and a smaller window than libp2p's own wrapper lets choose: a group of a transfer is one frame, which costs a quarter
//! less processor time than sixteen, and what one connection may have unread here is bounded. On the wire it is `/yamux/1.0.0` as ever.

use std::{
    collections::VecDeque,
    io, iter,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use futures::{
    future::{Ready, ready as at_once},
    io::{AsyncRead, AsyncWrite},
};
use libp2p::core::{
    UpgradeInfo,
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade},
};
use yamux::{Connection, ConnectionError, Mode, Stream};

use super::limits;

/// Makes a Yamux connection of one that is encrypted.
#[derive(Debug, Clone)]
pub(super) struct Upgrade(yamux::Config);

impl Default for Upgrade {
    fn default() -> Self {
        let mut config = yamux::Config::default();
        config
            .set_max_num_streams(limits::STREAMS_PER_CONNECTION)
            .set_max_connection_receive_window(Some(limits::UNREAD_PER_CONNECTION))
            .set_split_send_size(limits::FRAME_BYTES);
        Self(config)
    }
}

impl UpgradeInfo for Upgrade {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, io: C, _: Self::Info) -> Self::Future {
        at_once(Ok(Muxer::new(Connection::new(io, self.0, Mode::Server))))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Upgrade {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, io: C, _: Self::Info) -> Self::Future {
        at_once(Ok(Muxer::new(Connection::new(io, self.0, Mode::Client))))
    }
}

/// A Yamux connection.
#[derive(Debug)]
pub(super) struct Muxer<C> {
    connection: Connection<C>,
    /// Streams that came while only existing ones were to make progress, which in Yamux is the same call. The other side opens no more than
    /// [`limits::STREAMS_PER_CONNECTION`].
    came: VecDeque<Stream>,
    waits_for_one: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> Muxer<C> {
    fn new(connection: Connection<C>) -> Self {
        Self { connection, came: VecDeque::new(), waits_for_one: None }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_next_inbound(cx).map(|next| next.unwrap_or(Err(ConnectionError::Closed)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> StreamMuxer for Muxer<C> {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        if let Some(stream) = self.came.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        if let Poll::Ready(next) = self.poll_next(cx) {
            return Poll::Ready(next);
        }
        self.waits_for_one = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.connection.poll_new_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        self.connection.poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        let stream = ready!(self.poll_next(cx))?;
        if self.came.len() < limits::STREAMS_PER_CONNECTION {
            self.came.push_back(stream);
            if let Some(waker) = self.waits_for_one.take() {
                waker.wake();
            }
        }
        // There may be more; others have their turn first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
