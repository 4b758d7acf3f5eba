//! The keeper's side: takes sealed deliveries from members, brings them to those whom they are for, and erases them in time.

use std::sync::Arc;

use inframe_protocol::keep::{KeepReply, KeepRequest, Label, SealedDelivery};
use inframe_protocol::offer::ReceiptState;
use inframe_protocol::{EventId, MemberId, NodeId, OfferId};

use super::{ask, held_blob};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::live::What;
use crate::network::Protocol;
use crate::sharing::kept::{HeldState, StoredHeld};
use crate::tasks::Stage;
use crate::transfer::{self, FetchError, TransferLimits, Wanted};
use crate::vault::BlobKind;
use crate::workers::receiving::Sink;
use crate::workers::{Core, Job, blocking};

/// Deliveries that are kept at once, those included whose receipt waits for their sender.
const MOST_HELD: usize = 10_000;
/// Fetched at once.
const FETCHES: usize = 2;
/// Receivers are told again of what they did not fetch after this long, milliseconds.
const TELL_AGAIN_MS: u64 = 2 * 60_000;
/// Receivers are told of so many in one step.
const MOST_TOLD: usize = 200;

fn rows(core: &Core) -> impl Iterator<Item = (OfferId, Arc<StoredHeld>)> {
    core.held.all().into_iter().filter_map(|(key, row)| Some((OfferId(<[u8; 16]>::try_from(key).ok()?), row)))
}

/// Whether something of this sender and size may be kept. One sender may have half of the room.
pub(super) fn has_room(core: &Core, from: &MemberId, size_bytes: u64) -> bool {
    let Some(room) = core.keeping_row.get().room_bytes else { return false };
    let (mut count, mut all, mut theirs) = (0, 0_u64, 0_u64);
    for (_, row) in rows(core) {
        count += 1;
        all += row.bytes();
        theirs += if row.delivery.label().from == *from { row.bytes() } else { 0 };
    }
    let fits = all.saturating_add(size_bytes) <= room && theirs.saturating_add(size_bytes) <= room.div_ceil(2);
    count < MOST_HELD && fits && core.disk.room_for(size_bytes).is_ok()
}

/// Whether a delivery is to be kept no longer.
pub(super) fn is_over(core: &Core, label: &Label, now: u64) -> bool {
    let is_member = |member| core.events.member_node(&label.event, member).is_some();
    now >= label.expires.0
        || !is_member(&label.from)
        || !is_member(&label.to)
        || core.events.was_withdrawn(&label.event, &label.to, &label.find_me)
}

/// Answers a sender.
///
/// # Errors
/// When the row cannot be written.
pub(super) fn decide(
    core: &Arc<Core>,
    peer: &NodeId,
    member: &MemberId,
    delivery: SealedDelivery,
) -> anyhow::Result<KeepReply> {
    let (label, now) = (*delivery.label(), now_ms());
    // R67: from its sender only, so that nobody fills the room in another's name.
    if label.from != *member || !core.events.is_delivery(&delivery, now) || is_over(core, &label, now) {
        return Ok(KeepReply::No);
    }
    if let Some(row) = core.held.get(&label.offer.0) {
        return Ok(match row.state {
            _ if row.delivery != delivery => KeepReply::No,
            HeldState::Accepted => KeepReply::Accept,
            HeldState::Kept => KeepReply::Kept,
            HeldState::Delivered(receipt) => KeepReply::Delivered(receipt),
        });
    }
    if !has_room(core, member, label.size_bytes) {
        return Ok(KeepReply::No);
    }
    let row = StoredHeld { delivery, sender: peer.clone(), state: HeldState::Accepted, told_at: 0 };
    core.held.put(&label.offer.0, row)?;
    Ok(KeepReply::Accept)
}

/// Erases what its sender wants erased.
///
/// # Errors
/// When the row cannot be written.
pub(super) fn erase(core: &Arc<Core>, event: &EventId, from: &MemberId, offer: OfferId) -> anyhow::Result<()> {
    match core.held.get(&offer.0) {
        Some(row) if row.delivery.label().from == *from && row.delivery.label().event == *event => forget(core, &row),
        _ => Ok(()),
    }
}

/// Erases the bytes.
fn erase_bytes(core: &Core, label: &Label) -> anyhow::Result<()> {
    let blob = held_blob(label);
    core.lists.forget(blob);
    // One that is being fetched at this moment is erased at the next look.
    core.vault.blobs().discard_incoming(blob)?;
    core.vault.blobs().remove(blob)?;
    Ok(())
}

fn forget(core: &Core, row: &StoredHeld) -> anyhow::Result<()> {
    erase_bytes(core, row.delivery.label())?;
    core.held.remove(&[row.offer().0.to_vec()])?;
    core.live.tell(What::Settings, None);
    Ok(())
}

/// Erases what is over; everything, when nothing is to be kept any more.
///
/// # Errors
/// When a file or row cannot be removed.
pub(super) fn tidy(core: &Arc<Core>) -> anyhow::Result<()> {
    let (now, keeps) = (now_ms(), core.keeping_row.get().room_bytes.is_some());
    for (_, row) in rows(core) {
        let is_receipt = matches!(row.state, HeldState::Delivered(_));
        let goes = is_over(core, row.delivery.label(), now) || !keeps && !is_receipt;
        if goes && let Err(error) = forget(core, &row) {
            tracing::debug!("something that is kept no longer is erased later: {error:#}");
        }
    }
    Ok(())
}

/// Begins to fetch what was accepted and whose sender is connected, two at a time, beside the other steps: a large one holds up nothing.
pub(super) fn fetch(core: &Arc<Core>) {
    let open = rows(core).filter(|(_, row)| row.state == HeldState::Accepted && core.network.is_connected(&row.sender));
    for (offer, row) in open {
        let Some(turn) = core.keeping.begin_fetch(offer, FETCHES) else { continue };
        let worker = core.clone();
        core.tasks.spawn(Stage::Work, "keeping", async move {
            let came = fetch_one(&worker, offer, &row).await;
            drop(turn);
            match came {
                Ok(()) => worker.board.ring(Job::Keeping),
                Err(error) => tracing::debug!("what is to be kept did not come: {error:#}"),
            }
        });
    }
}

async fn fetch_one(core: &Arc<Core>, offer: OfferId, row: &Arc<StoredHeld>) -> anyhow::Result<()> {
    let label = *row.delivery.label();
    let (blob, size_bytes) = (held_blob(&label), label.size_bytes);
    if core.vault.blobs().contains(blob) {
        // Stopped between the last byte and the row.
        return set(core, offer, HeldState::Kept).await;
    }
    let opener = core.clone();
    let incoming =
        blocking(move || opener.vault.blobs().incoming(blob, BlobKind::Rendition, size_bytes, &[])).await??;
    let stream = core.network.open(&row.sender, Protocol::Fetch).await?;
    let wanted = Wanted { offer, content: label.content, size_bytes };
    let sink = Sink::new(incoming, core.disk.clone());
    let limits = TransferLimits::at(core.down.clone());
    let fetched = match transfer::fetch(stream, wanted, sink, &limits, |_| ()).await {
        Ok(fetched) => fetched,
        Err(
            error @ (FetchError::PeerClosed { .. }
            | FetchError::TooSlow { .. }
            | FetchError::Stream(_)
            | FetchError::Sink { .. }),
        ) => {
            return Err(error.into());
        }
        // They do not give it any more, or give something else.
        Err(error) => {
            let (worker, row) = (core.clone(), row.clone());
            blocking(move || forget(&worker, &row)).await??;
            return Err(error.into());
        }
    };
    let incoming = fetched.sink.into_incoming();
    blocking(move || incoming.finish()).await??;
    set(core, offer, HeldState::Kept).await?;
    let (from, to) = (core.events.nickname(&label.event, &label.from), core.events.nickname(&label.event, &label.to));
    let text = format!("This device keeps something of {from} for {to} in {}, sealed.", core.events.name(&label.event));
    core.note(ActivityKind::Asked, text, None, Some(label.event)).await;
    // D1: durable first.
    if let Err(error) = fetched.confirmation.confirm(ReceiptState::Delivered).await {
        tracing::debug!("a receipt did not get through: {error}");
    }
    Ok(())
}

/// Tells receivers who are connected of what is kept for them; gives how many have it now.
pub(super) async fn tell(core: &Arc<Core>) -> u64 {
    let now = now_ms();
    let (mut ended, mut told) = (0, 0);
    for (offer, row) in rows(core) {
        let due = row.state == HeldState::Kept && now.saturating_sub(row.told_at) >= TELL_AGAIN_MS;
        let Label { event, to, .. } = row.delivery.label();
        let Some(node) = core.events.member_node(event, to).filter(|node| due && core.network.is_connected(node))
        else {
            continue;
        };
        if told >= MOST_TOLD {
            break;
        }
        told += 1;
        let Some(reply) = ask(core, &node, &KeepRequest::Delivery(Box::new(row.delivery.clone()))).await else {
            continue;
        };
        let outcome = match reply {
            KeepReply::Delivered(receipt) if row.delivery.verify_receipt(&receipt).is_ok() => {
                ended += 1;
                end(core, &row, Some(receipt)).await
            }
            KeepReply::No => end(core, &row, None).await,
            _ => set_told(core, offer, now).await,
        };
        if let Err(error) = outcome {
            tracing::warn!("what became of something that is kept could not be put down: {error:#}");
        }
    }
    ended
}

/// Erases the bytes; with a receipt, what is left waits for the sender.
async fn end(
    core: &Arc<Core>,
    row: &Arc<StoredHeld>,
    receipt: Option<inframe_protocol::keys::Signature>,
) -> anyhow::Result<()> {
    let (worker, row) = (core.clone(), row.clone());
    blocking(move || match receipt {
        None => forget(&worker, &row),
        Some(receipt) => {
            // The row first: bytes without a row are swept at the next start.
            worker.held.change(&row.offer().0, |row| {
                row.state = HeldState::Delivered(receipt);
                true
            })?;
            erase_bytes(&worker, row.delivery.label())?;
            worker.live.tell(What::Settings, None);
            Ok(())
        }
    })
    .await?
}

async fn set(core: &Arc<Core>, offer: OfferId, state: HeldState) -> anyhow::Result<()> {
    let writer = core.clone();
    blocking(move || {
        writer.held.change(&offer.0, |row| {
            row.state = state;
            true
        })
    })
    .await??;
    core.live.tell(What::Settings, None);
    core.board.ring(Job::Keeping);
    Ok(())
}

async fn set_told(core: &Arc<Core>, offer: OfferId, at: u64) -> anyhow::Result<()> {
    let writer = core.clone();
    blocking(move || {
        writer.held.change(&offer.0, |row| {
            row.told_at = at;
            true
        })
    })
    .await??;
    Ok(())
}

/// Its receiver has fetched it: they are asked for the receipt at once.
///
/// # Errors
/// When the row cannot be written.
pub(super) async fn was_fetched(core: &Arc<Core>, offer: OfferId) -> anyhow::Result<()> {
    set_told(core, offer, 0).await?;
    core.board.ring(Job::Keeping);
    Ok(())
}

/// How many deliveries lie here for others, and their bytes.
#[must_use]
pub(crate) fn held_now(core: &Core) -> (u64, u64) {
    let lying = rows(core).map(|(_, row)| row.bytes()).filter(|bytes| *bytes > 0);
    lying.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes))
}
