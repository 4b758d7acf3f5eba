//! The receiving worker: answers offers and fetches what was accepted. Another one looks whether it is really me and takes it into the library, so
//! that looking for faces holds up no transfer.

mod filing;
mod sink;
mod sources;
mod taking_in;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use inframe_protocol::limits::GROUP_BYTES;
use inframe_protocol::offer::{DeclineReason, Offer, OfferReply, ReceiptState};
use inframe_protocol::{MemberId, NodeId, OfferId};

pub(crate) use self::filing::settle_video;
pub(super) use self::sink::Sink;
pub(super) use self::taking_in::step as take_in;
use super::board::Step;
use super::lanes::{self, Lanes, Waiting};
use super::progress::UnderWay;
use super::{Core, Job, blocking, reach};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::library::{Origin, received_note};
use crate::limits::DISK_ROOM_STEP_BYTES;
use crate::live::What;
use crate::network::{PeerStream, Protocol};
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::sharing::ledgers::{ArrivalState, StoredArrival};
use crate::transfer::{self, FetchError, TransferLimits, Wanted};
use crate::vault::{BlobId, BlobKind};

/// What broke off is tried again after this long at most.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Arrivals open at once from one member; more are told to come later (D7).
const MAX_OPEN_PER_MEMBER: usize = 1_000;
/// Of these, those larger than any photo: two long videos of 4 GiB are on the way while the next waits.
const MAX_LARGE_PER_MEMBER: usize = 2;
/// What its sender takes back may be offered again later: by these words it is known.
const NOT_OFFERED: &str = "they do not offer this photo any more";
/// Always the same words, so that they are written once.
const NO_ROOM: &str = "the disk of this device is almost full; it goes on when there is space";
/// Arrivals open at once in all.
const MAX_OPEN: usize = 4_000;

/// Answers an offer that a peer makes on an open stream. What is accepted is durable before the peer hears so (D1).
pub(super) async fn answer(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let offer: Offer = stream.read_message(<Offer as inframe_protocol::frame::Message>::MAX_BYTES).await?;
    let decider = core.clone();
    let peer = stream.peer().clone();
    let reply = blocking(move || decide(&decider, &peer, &offer)).await??;
    stream.write_message(&reply).await?;
    stream.close().await?;
    if reply == OfferReply::Accept {
        core.live.tell(What::Transfers, None);
        core.board.ring(Job::Receiving);
    }
    Ok(())
}

fn decide(core: &Core, peer: &NodeId, offer: &Offer) -> anyhow::Result<OfferReply> {
    match core.events.member_by_node(&offer.event, peer) {
        Some((from, _)) => decide_from(core, from, peer, offer),
        None => Ok(OfferReply::Decline(DeclineReason::NotAllowed)),
    }
}

/// Decides on an offer of a member that this node brings: their own, or a keeper's.
pub(super) fn decide_from(core: &Core, from: MemberId, peer: &NodeId, offer: &Offer) -> anyhow::Result<OfferReply> {
    if core.profile_sought(&offer.event, &offer.find_me).is_none() {
        return Ok(OfferReply::Decline(DeclineReason::NoSuchFindMe));
    }
    let is_video = offer.media_type == super::videos::MEDIA_TYPE;
    let is_photo = matches!(offer.media_type.as_str(), "image/jpeg" | "image/png" | "image/webp" | "image/gif");
    let is_taken = is_video || is_photo && offer.size_bytes <= MAX_FILE_BYTES as u64;
    if !is_taken {
        return Ok(OfferReply::Decline(DeclineReason::UnsupportedType));
    }
    let lost = match core.library.by_content(&offer.content) {
        Some(id) if core.wants_again(id) => true,
        Some(_) => return Ok(OfferReply::Have),
        None => false,
    };
    let known = core.arrivals.get(&offer.offer.0).filter(|known| !lost || known.state == ArrivalState::Accepted);
    let is_anew = known.as_ref().is_some_and(|known| is_offered_anew(core, known, from, peer, offer));
    if is_anew && core.progress.of(&offer.offer).is_some() {
        // What comes just now ends first.
        return Ok(OfferReply::NotNow);
    }
    if let Some(known) = known.filter(|_| !is_anew) {
        return Ok(match known.state {
            _ if known.content != offer.content || known.from != from => OfferReply::Decline(DeclineReason::NotAllowed),
            ArrivalState::Accepted => {
                // Whoever is there now has it as well: it goes on from them.
                core.arrivals.change(&offer.offer.0, |row| {
                    let other = row.node != *peer && !core.network.is_connected(&row.node);
                    if other {
                        row.node = peer.clone();
                    }
                    other
                })?;
                OfferReply::Accept
            }
            ArrivalState::Stored(_) | ArrivalState::Done(_) => OfferReply::Have,
            ArrivalState::Failed => OfferReply::Decline(DeclineReason::Unwanted),
        });
    }
    let open: Vec<_> =
        core.arrivals.all().into_iter().filter(|(_, row)| matches!(row.state, ArrivalState::Accepted)).collect();
    if open.len() >= MAX_OPEN || open.iter().filter(|(_, row)| row.from == from).count() >= MAX_OPEN_PER_MEMBER {
        return Ok(OfferReply::NotNow);
    }
    let is_large = |row: &StoredArrival| row.size_bytes > MAX_FILE_BYTES as u64;
    let large = open.iter().filter(|(_, row)| row.from == from && is_large(row)).count();
    if offer.size_bytes > MAX_FILE_BYTES as u64 && large >= MAX_LARGE_PER_MEMBER {
        return Ok(OfferReply::NotNow);
    }
    // They offer it again; that is all a full disk costs.
    if core.disk.room_for(offer.size_bytes).is_err() {
        return Ok(OfferReply::NotNow);
    }
    if is_anew {
        let _ = core.vault.blobs().discard_incoming(BlobId(offer.offer.0));
    }
    if lost {
        // What is damaged lies under the name that the sound one will have.
        core.vault.blobs().remove(BlobId(offer.offer.0))?;
    }
    let now = now_ms();
    core.arrivals.put(
        &offer.offer.0,
        StoredArrival {
            event: offer.event,
            from,
            node: peer.clone(),
            find_me: offer.find_me,
            content: offer.content,
            size_bytes: offer.size_bytes,
            taken_at: offer.taken_at.map(|at| at.0),
            strikes: 0,
            state: ArrivalState::Accepted,
            reason: None,
            at: now,
            changed_at: now,
        },
    )?;
    Ok(OfferReply::Accept)
}

/// Whether a sender offers again what they had taken back, or the same photo made anew, as they must when somebody in it asks to be blurred, or to be
/// blurred no more (R79). Nothing of it has come whole; a keeper, who may bring something old, has no such say.
fn is_offered_anew(core: &Core, known: &StoredArrival, from: MemberId, peer: &NodeId, offer: &Offer) -> bool {
    let theirs = known.from == from && core.events.member_node(&offer.event, &from).as_ref() == Some(peer);
    theirs
        && match known.state {
            ArrivalState::Accepted => known.content != offer.content,
            ArrivalState::Failed => known.reason.as_deref() == Some(NOT_OFFERED),
            ArrivalState::Stored(_) | ArrivalState::Done(_) => false,
        }
}

/// Fetches what was accepted, and what is accepted meanwhile.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    reach::name_nodes_of_transfers(&core).await;
    lanes::run(&core, Job::Receiving, &Fetches(core.clone())).await
}

struct Fetches(Arc<Core>);

impl Fetches {
    fn open(&self) -> impl Iterator<Item = (OfferId, Arc<StoredArrival>)> {
        let all = self.0.arrivals.all().into_iter();
        let open = all.filter(|(_, row)| row.state == ArrivalState::Accepted);
        open.filter_map(|(key, row)| Some((OfferId(<[u8; 16]>::try_from(key).ok()?), row)))
    }
}

impl lanes::Work for Fetches {
    type Peer = NodeId;

    fn lanes(&self) -> &Lanes<NodeId> {
        &self.0.fetches
    }

    fn waiting(&self) -> Option<Vec<Waiting<NodeId>>> {
        let core = &self.0;
        if core.traffic.get().quiet_now().is_some() {
            return None;
        }
        let here = sources::being_taken_in(core);
        let waiting = |(id, row): (OfferId, Arc<StoredArrival>)| {
            let (peer, size_bytes, since) = (row.node.clone(), row.size_bytes, row.at);
            let could_start = core.network.is_connected(&row.node) && !here.contains(&row.content);
            let content = Some(row.content);
            (could_start || is_gone(core, &row)).then_some(Waiting { id, peer, size_bytes, since, content })
        };
        Some(self.open().filter_map(waiting).collect())
    }

    fn speed(&self, id: &OfferId) -> Option<u64> {
        self.0.progress.speed(id)
    }

    async fn start(&self, id: OfferId) -> anyhow::Result<bool> {
        let core = &self.0;
        let Some(row) = core.arrivals.get(&id.0).filter(|row| row.state == ArrivalState::Accepted) else {
            return Ok(true);
        };
        if is_gone(core, &row) {
            let why = "it is not fetched any more: you no longer look for it, or they are no member any more";
            fail(core, id, BlobId(id.0), why).await?;
            return Ok(true);
        }
        fetch(core, id, &row).await
    }

    fn pending(&self) -> u64 {
        self.open().count() as u64
    }
}

/// Whether what was accepted is not wanted any more.
fn is_gone(core: &Core, row: &StoredArrival) -> bool {
    core.events.member_node(&row.event, &row.from).is_none() || core.profile_sought(&row.event, &row.find_me).is_none()
}

fn origin(offer: OfferId, row: &StoredArrival) -> Origin {
    Origin::Received { event: row.event, from: row.from, find_me: row.find_me, offer }
}

/// Whether it is settled.
async fn fetch(core: &Arc<Core>, offer: OfferId, row: &StoredArrival) -> anyhow::Result<bool> {
    let sealed = core.sealed.get(&offer.0).filter(|sealed| sealed.keeper == row.node);
    if let Some(id) = core.library.by_content(&row.content).filter(|id| !core.wants_again(*id)) {
        sources::came_otherwise(core, offer, row, id, sealed.is_none()).await?;
        return Ok(true);
    }
    let own = BlobId(offer.0);
    // What a keeper had is known to be right at its end only, so nothing else goes on with it.
    let begun = if sealed.is_none() { sources::begun_by_another(core, offer, row).await? } else { None };
    let blob = begun.unwrap_or(own);
    if core.vault.blobs().contains(blob) {
        // Stopped between the last byte and the catalog: the blob is whole, as only whole ones get their name.
        if !is_what_was_offered(core, blob, row).await? {
            return not_what_was_offered(core, offer, row, blob, sealed.is_some()).await;
        }
        stored(core, offer, blob).await?;
        return Ok(true);
    }
    let opener = core.clone();
    let size_bytes = row.size_bytes;
    let note = received_note(&origin(offer, row), row.taken_at.and_then(|at| i64::try_from(at).ok()));
    let incoming =
        blocking(move || opener.vault.blobs().incoming(blob, BlobKind::Original, size_bytes, &note)).await??;
    let left_bytes = size_bytes.saturating_sub(incoming.present().saturating_mul(GROUP_BYTES));
    if core.disk.room_for(left_bytes).is_err() {
        say(core, offer, NO_ROOM).await?;
        return Ok(false);
    }
    let under_way = UnderWay::begin(core, offer, row.size_bytes.saturating_sub(left_bytes));
    let (wanted, sink) = match &sealed {
        None => {
            let wanted = Wanted { offer, content: row.content, size_bytes };
            (wanted, Sink::new(incoming, core.disk.clone()))
        }
        Some(sealed) => {
            let label = sealed.delivery.label();
            let wanted = Wanted { offer, content: label.content, size_bytes: label.size_bytes };
            (wanted, Sink::opening(incoming, core.disk.clone(), sealed.key))
        }
    };
    let stream = core.network.open(&row.node, Protocol::Fetch).await?;
    let progress = move |progress: transfer::Progress| under_way.set(progress.bytes_done);
    let fetched = transfer::fetch(stream, wanted, sink, &TransferLimits::at(core.down.clone()), progress).await;
    let fetched = match fetched {
        Ok(fetched) => fetched,
        // A keeper's word is not the sender's, who may still offer it.
        Err(
            error @ (FetchError::NotOffered
            | FetchError::WrongBytes { .. }
            | FetchError::WrongList(_)
            | FetchError::SizeMismatch { .. }
            | FetchError::NoAnswer(_)
            | FetchError::TooManyStored { .. }),
        ) if sealed.is_some() => {
            not_from_keeper(core, offer, row, &error.to_string()).await?;
            return Ok(true);
        }
        // The keeper gave what its label names, so the sender has sealed it so: it would be the same again and again.
        Err(FetchError::Sink { source, .. }) if source.kind() == std::io::ErrorKind::InvalidData => {
            return wrongly_sealed(core, offer, row).await;
        }
        Err(FetchError::NotOffered) => {
            fail(core, offer, blob, NOT_OFFERED).await?;
            return Ok(true);
        }
        // What was verified is right, but this sender's word is not: it would be wrong again and again.
        Err(
            error @ (FetchError::WrongBytes { .. }
            | FetchError::WrongList(_)
            | FetchError::SizeMismatch { .. }
            | FetchError::NoAnswer(_)
            | FetchError::TooManyStored { .. }),
        ) => {
            let nickname = core.events.nickname(&row.event, &row.from);
            let text = format!("{nickname} sent something else than they had offered: {error}. It was thrown away.");
            core.note(ActivityKind::Suspicious, text, None, Some(row.event)).await;
            fail(core, offer, blob, "what came was not what was offered; it was thrown away").await?;
            return Ok(true);
        }
        // No fault of theirs, and what is here stays.
        Err(_) if core.disk.room_for(DISK_ROOM_STEP_BYTES).is_err() => {
            say(core, offer, NO_ROOM).await?;
            return Ok(false);
        }
        Err(error) => {
            say(core, offer, "the transfer broke off; it goes on from where it stopped").await?;
            return Err(error).context("a transfer broke off");
        }
    };
    let incoming = fetched.sink.into_incoming();
    let blob = blocking(move || incoming.finish()).await??;
    if (begun.is_some() || sealed.is_some()) && !is_what_was_offered(core, blob, row).await? {
        return not_what_was_offered(core, offer, row, blob, sealed.is_some()).await;
    }
    stored(core, offer, blob).await?;
    // D1: durable first, then "delivered". A holder that misses the receipt offers again and hears that we have it.
    if let Err(error) = fetched.confirmation.confirm(ReceiptState::Delivered).await {
        tracing::debug!("a receipt did not get through: {error}");
    }
    Ok(true)
}

/// Of what was sealed its sender is to blame. Where several have sent a part each, nobody knows whose is wrong: it goes, and is fetched once more.
/// Whether it is settled.
async fn not_what_was_offered(
    core: &Arc<Core>,
    offer: OfferId,
    row: &StoredArrival,
    blob: BlobId,
    is_sealed: bool,
) -> anyhow::Result<bool> {
    if is_sealed {
        return wrongly_sealed(core, offer, row).await;
    }
    let cleaner = core.clone();
    blocking(move || cleaner.vault.blobs().remove(blob)).await??;
    Ok(false)
}

/// Whether what has come is what the row says, which is R69 for what was sealed. The groups of one fetch are known to be right without.
async fn is_what_was_offered(core: &Arc<Core>, blob: BlobId, row: &StoredArrival) -> anyhow::Result<bool> {
    let reader = core.clone();
    let content = blocking(move || super::sending::group_list(&reader, blob).map(|list| list.content())).await??;
    core.lists.forget(blob);
    Ok(content == row.content)
}

/// Its sender has sealed something else than the letter says, whoever kept it. It is settled.
async fn wrongly_sealed(core: &Arc<Core>, offer: OfferId, row: &StoredArrival) -> anyhow::Result<bool> {
    let nickname = core.events.nickname(&row.event, &row.from);
    let text = format!(
        "{nickname} sent something else than they had offered, sealed, by way of a keeper. It was thrown away."
    );
    core.note(ActivityKind::Suspicious, text, None, Some(row.event)).await;
    fail(core, offer, BlobId(offer.0), "what came was not what was offered; it was thrown away").await?;
    Ok(true)
}

/// What came from a keeper is thrown away, and taken from it no more. The sender may still offer it.
async fn not_from_keeper(core: &Arc<Core>, offer: OfferId, row: &StoredArrival, why: &str) -> anyhow::Result<()> {
    core.keeping.was_wrong(offer, row.node.clone());
    let nickname = core.events.member_by_node(&row.event, &row.node).map(|(_, nickname)| nickname);
    let nickname = nickname.unwrap_or_else(|| "A former member".to_owned());
    let text = format!("{nickname} kept something for you and sent something else: {why}. It was thrown away.");
    core.note(ActivityKind::Suspicious, text, None, Some(row.event)).await;
    let cleaner = core.clone();
    blocking(move || {
        let blobs = cleaner.vault.blobs();
        let _ = blobs.discard_incoming(BlobId(offer.0));
        let _ = blobs.remove(BlobId(offer.0));
        cleaner.arrivals.remove(&[offer.0.to_vec()])
    })
    .await??;
    core.tell_transfer(&offer);
    Ok(())
}

async fn stored(core: &Arc<Core>, offer: OfferId, blob: BlobId) -> anyhow::Result<()> {
    set(core, offer, ArrivalState::Stored(blob), None).await?;
    core.board.ring(Job::TakingIn);
    Ok(())
}

async fn set(core: &Arc<Core>, offer: OfferId, state: ArrivalState, reason: Option<String>) -> anyhow::Result<()> {
    let writer = core.clone();
    blocking(move || {
        writer.arrivals.change(&offer.0, |row| {
            row.state = state;
            row.reason = reason;
            row.changed_at = now_ms();
            true
        })
    })
    .await??;
    core.tell_transfer(&offer);
    Ok(())
}

async fn say(core: &Arc<Core>, offer: OfferId, reason: &str) -> anyhow::Result<()> {
    if core.arrivals.get(&offer.0).is_some_and(|row| row.reason.as_deref() == Some(reason)) {
        return Ok(());
    }
    set(core, offer, ArrivalState::Accepted, Some(reason.to_owned())).await
}

async fn fail(core: &Arc<Core>, offer: OfferId, blob: BlobId, reason: &str) -> anyhow::Result<()> {
    let cleaner = core.clone();
    // Best effort: what cannot be removed now has no name in the catalog and is never listed.
    let _ = blocking(move || {
        if sources::was_ended_by_another(&cleaner, offer, blob) {
            return Ok(false);
        }
        let blobs = cleaner.vault.blobs();
        let _ = blobs.discard_incoming(blob);
        blobs.remove(blob)
    })
    .await?;
    set(core, offer, ArrivalState::Failed, Some(reason.to_owned())).await
}
