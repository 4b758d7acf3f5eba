//! The finder's side: receives the groups of a content, verifies each and hands it on.

use std::{io, sync::Arc, time::Duration};

use inframe_protocol::{
    fetch::{FetchReply, FetchRequest},
    frame::FrameError,
    groups::{GroupError, GroupList},
    ids::{ContentId, OfferId},
    offer::{Receipt, ReceiptState},
};
use tokio::{
    io::AsyncReadExt,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{GroupSink, Progress, TransferLimits, request, resize};
use crate::network::{PeerStream, StreamError};

/// What is fetched: an offer that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The offer.
    pub offer: OfferId,
    /// The content that it names.
    pub content: ContentId,
    /// The size that it names, in bytes.
    pub size_bytes: u64,
}

/// Why a content was not fetched. Groups that the sink has taken are right and need not be fetched again.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The peer has no such offer to us, or no longer.
    #[error("the peer does not offer this photo to us any more")]
    NotOffered,
    /// The size is not that of the offer.
    #[error("the peer offered {offered} bytes and now announces {announced}")]
    SizeMismatch {
        /// Bytes in the offer.
        offered: u64,
        /// Bytes now announced.
        announced: u64,
    },
    /// The group hashes are not those of the content.
    #[error("the peer's list of hashes does not belong to the photo")]
    WrongList(#[source] GroupError),
    /// The bytes of a group are wrong.
    #[error("group {group} has wrong bytes; do not fetch from this peer again")]
    WrongBytes {
        /// The group.
        group: u64,
    },
    /// The peer went away.
    #[error("the peer closed the transfer at group {group}; fetch again to go on from there")]
    PeerClosed {
        /// First group that has not arrived.
        group: u64,
        /// What the connection said.
        #[source]
        source: io::Error,
    },
    /// The peer is too slow.
    #[error("the peer is too slow, group {group} did not arrive in time")]
    TooSlow {
        /// The group.
        group: u64,
    },
    /// The sink holds more groups than the content has.
    #[error("{have} groups are stored of a photo that has {groups}; discard them")]
    TooManyStored {
        /// Groups stored.
        have: u64,
        /// Groups of the content.
        groups: u64,
    },
    /// A group cannot be stored.
    #[error("group {group} cannot be stored")]
    Sink {
        /// The group.
        group: u64,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The answer is too long, or its bytes are none.
    #[error("the peer answered with something that is no answer")]
    NoAnswer(#[source] FrameError),
    /// The request or its reply failed.
    #[error("the transfer could not begin")]
    Stream(#[source] StreamError),
}

/// A content that was fetched in full.
#[derive(Debug)]
#[must_use = "the holder waits for the confirmation"]
pub struct Fetched<S> {
    /// The sink, which holds all groups.
    pub sink: S,
    /// To be used once the content is durable, or refused.
    pub confirmation: Confirmation,
}

/// The end of a transfer, at which the holder waits for the receipt.
#[derive(Debug)]
#[must_use = "the holder waits for the confirmation"]
pub struct Confirmation {
    stream: PeerStream,
    offer: OfferId,
}

impl Confirmation {
    /// Tells the holder what became of its photo. D1: `Delivered` only once it is durable.
    ///
    /// # Errors
    /// If the holder is gone; it will offer the photo again and hear that we have it.
    pub async fn confirm(mut self, state: ReceiptState) -> Result<(), StreamError> {
        self.stream.write_message(&Receipt { offer: self.offer, state }).await?;
        self.stream.close().await
    }
}

/// Fetches a content from a peer that has offered it, from the first group that `sink` does not have. No byte is
/// taken before the list of group hashes is proven to be that of the content, and none reaches the sink unverified.
///
/// # Errors
/// [`FetchError`]. On [`FetchError::PeerClosed`], [`FetchError::TooSlow`] and [`FetchError::Stream`] a later call
/// with the same sink goes on where this one ended.
pub async fn fetch<S: GroupSink>(
    mut stream: PeerStream,
    wanted: Wanted,
    sink: S,
    limits: &TransferLimits,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Fetched<S>, FetchError> {
    let from_group = sink.have();
    let asked = FetchRequest { offer: wanted.offer, content: wanted.content, from_group };
    let reply: FetchReply = request(&mut stream, &asked).await.map_err(|error| match error {
        StreamError::Message(error) => FetchError::NoAnswer(error),
        error => FetchError::Stream(error),
    })?;
    let list = checked(reply, wanted, from_group)?;
    progress(Progress::at(from_group, &list));

    // Two buffers take turns: one fills from the stream while the group in the other is checked and stored.
    let mut arriving = Vec::new();
    let mut storing = Storing::idle(sink);
    for index in from_group..list.count() {
        resize(&mut arriving, &list, index).map_err(|source| FetchError::Sink { group: index, source })?;
        limits.pace.pass(arriving.len() as u64).await;
        let read = read_group(&mut stream, &mut arriving, index, limits.group_within).await;
        // The group before is settled first, so that it is kept even if this one did not arrive.
        let (sink, spare) = storing.settle().await?;
        if index > from_group {
            progress(Progress::at(index, &list));
        }
        read?;
        storing = Storing::begin(sink, &list, index, std::mem::replace(&mut arriving, spare));
    }
    let (sink, _) = storing.settle().await?;
    if from_group < list.count() {
        progress(Progress::at(list.count(), &list));
    }
    Ok(Fetched { sink, confirmation: Confirmation { stream, offer: wanted.offer } })
}

fn checked(reply: FetchReply, wanted: Wanted, have: u64) -> Result<Arc<GroupList>, FetchError> {
    if let FetchReply::Ready { size_bytes: announced, .. } = reply
        && announced != wanted.size_bytes
    {
        return Err(FetchError::SizeMismatch { offered: wanted.size_bytes, announced });
    }
    let list = reply.verify(wanted.content).map_err(FetchError::WrongList)?.ok_or(FetchError::NotOffered)?;
    if have > list.count() {
        return Err(FetchError::TooManyStored { have, groups: list.count() });
    }
    Ok(Arc::new(list))
}

async fn read_group(stream: &mut PeerStream, group: &mut [u8], index: u64, within: Duration) -> Result<(), FetchError> {
    match timeout(within, stream.read_exact(group)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) => Err(FetchError::PeerClosed { group: index, source }),
        Err(_) => Err(FetchError::TooSlow { group: index }),
    }
}

/// What the sink is doing, and where the buffer is that does not fill from the stream.
enum Storing<S> {
    /// Nothing; both are here.
    Idle(S, Vec<u8>),
    /// Checking and storing this group on a blocking thread, which gives both back.
    Group(u64, JoinHandle<Result<(S, Vec<u8>), FetchError>>),
}

impl<S: GroupSink> Storing<S> {
    fn idle(sink: S) -> Self {
        Self::Idle(sink, Vec::new())
    }

    /// Begins to check group `index`, and to store it if it is right.
    fn begin(mut sink: S, list: &Arc<GroupList>, index: u64, mut group: Vec<u8>) -> Self {
        let list = list.clone();
        let work = spawn_blocking(move || {
            list.check(index, &group).map_err(|_| FetchError::WrongBytes { group: index })?;
            sink.append(index, &mut group).map_err(|source| FetchError::Sink { group: index, source })?;
            Ok((sink, group))
        });
        Self::Group(index, work)
    }

    /// Waits until the group is stored, and gives the sink and a buffer to use again.
    async fn settle(self) -> Result<(S, Vec<u8>), FetchError> {
        match self {
            Self::Idle(sink, spare) => Ok((sink, spare)),
            Self::Group(group, work) => {
                work.await.map_err(|panic| FetchError::Sink { group, source: io::Error::other(panic) })?
            }
        }
    }
}
