//! The holder's side: sends the groups of a content that was asked for and waits for the receipt.

use std::{io, sync::Arc};

use inframe_protocol::{
    fetch::{FetchReply, FetchRequest},
    frame::Message,
    groups::GroupList,
    offer::Receipt,
};
use tokio::{
    io::AsyncWriteExt,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{GroupSource, Progress, TransferLimits};
use crate::network::{PeerStream, StreamError};

/// Why a content was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The request is for another content, or begins after its end; the peer was told that there is none.
    #[error("the peer asked for something that was not offered")]
    NotOffered,
    /// The peer went away.
    #[error("the peer closed the transfer before group {group}")]
    PeerClosed {
        /// First group that was not sent.
        group: u64,
        /// What the connection said.
        #[source]
        source: io::Error,
    },
    /// The peer takes the bytes too slowly.
    #[error("the peer is too slow, group {group} did not pass in time")]
    TooSlow {
        /// The group.
        group: u64,
    },
    /// Our own copy cannot be read or is damaged.
    #[error("group {group} cannot be read from the own store")]
    Source {
        /// The group.
        group: u64,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// Everything was sent, but the peer did not confirm it.
    #[error("the peer did not confirm the delivery")]
    NoReceipt(#[source] StreamError),
    /// The receipt names another offer.
    #[error("the peer confirmed another offer")]
    WrongReceipt,
    /// The reply could not be sent.
    #[error("the transfer could not begin")]
    Stream(#[source] StreamError),
}

/// Sends the content in `list` from the group asked for, reading groups from `source` one ahead, and returns the
/// receiver's receipt. The caller has checked that this content was offered to this peer. Each group is checked
/// before it is sent, unless the source did, so that a damaged disk is noticed here and not blamed on us there.
///
/// # Errors
/// [`ServeError`]; the receiver can ask again for the rest.
pub async fn serve<S: GroupSource>(
    mut stream: PeerStream,
    request: &FetchRequest,
    list: impl Into<Arc<GroupList>> + Send,
    source: S,
    limits: &TransferLimits,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Receipt, ServeError> {
    let list: Arc<GroupList> = list.into();
    if request.content != list.content() || request.from_group > list.count() {
        not_found(stream).await.map_err(ServeError::Stream)?;
        return Err(ServeError::NotOffered);
    }
    stream.write_message(&FetchReply::ready(&list)).await.map_err(ServeError::Stream)?;
    let mut reading = read(source, &list, request.from_group, Vec::new());
    let mut spare = Vec::new();
    for index in request.from_group..list.count() {
        let (source, group) = done(reading, index).await?;
        // Two buffers take turns: the next group is read into one while the other is written.
        reading = read(source, &list, index + 1, spare);
        limits.pace.pass(group.len() as u64).await;
        send(&mut stream, &group, index, limits).await?;
        progress(Progress::at(index + 1, &list));
        spare = group;
    }
    let receipt: Receipt =
        stream.read_message_within(Receipt::MAX_BYTES, limits.receipt_within).await.map_err(ServeError::NoReceipt)?;
    // The receipt is here; how the stream ends changes nothing.
    let _ = stream.close().await;
    if receipt.offer != request.offer {
        return Err(ServeError::WrongReceipt);
    }
    Ok(receipt)
}

/// Tells the peer that there is no such offer to it, in the same words whatever the reason.
///
/// # Errors
/// If the reply cannot be sent.
pub async fn not_found(mut stream: PeerStream) -> Result<(), StreamError> {
    stream.write_message(&FetchReply::NotFound).await?;
    stream.close().await
}

/// A group on its way from the source, which comes back with it.
type Reading<S> = JoinHandle<io::Result<(S, Vec<u8>)>>;

/// Begins at once to read group `index` into `group` and to check it, on a blocking thread. Past the last group
/// there is nothing to read and the buffer comes back as it is.
fn read<S: GroupSource>(mut source: S, list: &Arc<GroupList>, index: u64, mut group: Vec<u8>) -> Reading<S> {
    let list = list.clone();
    spawn_blocking(move || {
        if index < list.count() {
            source.read_group(index, &mut group)?;
            if !source.is_authenticated() {
                list.check(index, &group).map_err(io::Error::other)?;
            } else if list.group_len(index).map_err(io::Error::other)? != group.len() as u64 {
                return Err(io::Error::other("the group has another length than its list says"));
            }
        }
        Ok((source, group))
    })
}

/// Waits for group `index`.
async fn done<S>(reading: Reading<S>, index: u64) -> Result<(S, Vec<u8>), ServeError> {
    let read = reading.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
    read.map_err(|source| ServeError::Source { group: index, source })
}

/// Writes group `index` within the time that a group has.
async fn send(stream: &mut PeerStream, group: &[u8], index: u64, limits: &TransferLimits) -> Result<(), ServeError> {
    let write = async {
        stream.write_all(group).await?;
        stream.flush().await
    };
    match timeout(limits.group_within, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(source)) => Err(ServeError::PeerClosed { group: index, source }),
        Err(_) => Err(ServeError::TooSlow { group: index }),
    }
}
