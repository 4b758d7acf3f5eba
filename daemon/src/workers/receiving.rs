//! The receiving worker: answers offers, fetches what was accepted, looks whether it is really me, and takes it into the library.

mod filing;
mod sink;

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures::StreamExt as _;
use inframe_protocol::OfferId;
use inframe_protocol::limits::GROUP_BYTES;
use inframe_protocol::offer::{DeclineReason, Offer, OfferReply, ReceiptState};

pub(crate) use self::filing::settle_video;
use self::filing::{arrived_again, file, file_video, nearest};
use self::sink::Sink;
use super::board::Step;
use super::{Core, Job, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::faces::{Likeness, StoredFaces};
use crate::library::{Origin, STRIKES, received_note};
use crate::limits::DISK_ROOM_STEP_BYTES;
use crate::live::What;
use crate::network::{PeerStream, Protocol};
use crate::sandbox::SandboxError;
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::sharing::ledgers::{ArrivalState, StoredArrival};
use crate::transfer::{self, FetchError, TransferLimits, Wanted};
use crate::vault::{BlobId, BlobKind};
use crate::video::VideoFormat;

/// Transfers at once; concurrency hides disk and network latency, not CPU.
const FETCHES_AT_ONCE: usize = 4;
/// Arrivals open at once from one member; more are told to come later (D7).
const MAX_OPEN_PER_MEMBER: usize = 200;
/// Of these, those larger than any photo: two long videos of 4 GiB are on the way while the next waits.
const MAX_LARGE_PER_MEMBER: usize = 2;
/// Always the same words, so that they are written once.
const NO_ROOM: &str = "the disk of this device is almost full; it goes on when there is space";
/// Arrivals open at once in all.
const MAX_OPEN: usize = 2_000;

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

fn decide(core: &Core, peer: &inframe_protocol::NodeId, offer: &Offer) -> anyhow::Result<OfferReply> {
    let Some((from, _)) = core.events.member_by_node(&offer.event, peer) else {
        return Ok(OfferReply::Decline(DeclineReason::NotAllowed));
    };
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
    if let Some(known) =
        core.arrivals.get(&offer.offer.0).filter(|known| !lost || known.state == ArrivalState::Accepted)
    {
        return Ok(match known.state {
            _ if known.content != offer.content || known.from != from => OfferReply::Decline(DeclineReason::NotAllowed),
            ArrivalState::Accepted => OfferReply::Accept,
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

/// One step: fetch what is accepted, take in what is stored.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let open: Vec<_> = core
        .arrivals
        .all()
        .into_iter()
        .filter(|(_, row)| matches!(row.state, ArrivalState::Accepted | ArrivalState::Stored(_)))
        .filter_map(|(key, row)| Some((OfferId(<[u8; 16]>::try_from(key).ok()?), row)))
        .collect();
    let outcomes: Vec<anyhow::Result<bool>> =
        futures::stream::iter(open.into_iter().map(|(offer, row)| receive(core.clone(), offer, row)))
            .buffer_unordered(FETCHES_AT_ONCE)
            .collect()
            .await;
    Step::of(outcomes)
}

/// Whether it is settled.
async fn receive(core: Arc<Core>, offer: OfferId, row: Arc<StoredArrival>) -> anyhow::Result<bool> {
    let gone = core.events.member_node(&row.event, &row.from).is_none()
        || core.profile_sought(&row.event, &row.find_me).is_none();
    if gone && row.state == ArrivalState::Accepted {
        let why = "it is not fetched any more: you no longer look for it, or they are no member any more";
        fail(&core, offer, BlobId(offer.0), why).await?;
        return Ok(true);
    }
    let blob = match row.state {
        ArrivalState::Stored(blob) => blob,
        _ => match fetch(&core, offer, &row).await? {
            Some(blob) => blob,
            None => return Ok(false),
        },
    };
    take_in(core, offer, row, blob).await?;
    Ok(true)
}

fn origin(offer: OfferId, row: &StoredArrival) -> Origin {
    Origin::Received { event: row.event, from: row.from, find_me: row.find_me, offer }
}

async fn fetch(core: &Arc<Core>, offer: OfferId, row: &StoredArrival) -> anyhow::Result<Option<BlobId>> {
    if !core.network.is_connected(&row.node) {
        say(core, offer, "they are away; it goes on when they are back").await?;
        return Ok(None);
    }
    let blob = BlobId(offer.0);
    if core.vault.blobs().contains(blob) {
        // Stopped between the last byte and the catalog: the blob is whole, as only whole ones get their name.
        return stored(core, offer, blob).await.map(Some);
    }
    let opener = core.clone();
    let size_bytes = row.size_bytes;
    let note = received_note(&origin(offer, row), row.taken_at.and_then(|at| i64::try_from(at).ok()));
    let incoming =
        blocking(move || opener.vault.blobs().incoming(blob, BlobKind::Original, size_bytes, &note)).await??;
    let left_bytes = size_bytes.saturating_sub(incoming.present().saturating_mul(GROUP_BYTES));
    if core.disk.room_for(left_bytes).is_err() {
        say(core, offer, NO_ROOM).await?;
        return Ok(None);
    }
    let sink = Sink::new(incoming, core.disk.clone());
    let stream = core.network.open(&row.node, Protocol::Fetch).await?;
    let teller = core.clone();
    let progress = move |progress: transfer::Progress| {
        teller.progress.set(offer, progress.bytes_done);
        teller.tell_transfer(&offer);
    };
    let wanted = Wanted { offer, content: row.content, size_bytes };
    let fetched = transfer::fetch(stream, wanted, sink, &TransferLimits::default(), progress).await;
    core.progress.clear(&offer);
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(FetchError::NotOffered) => {
            fail(core, offer, blob, "they do not offer this photo any more").await?;
            return Ok(None);
        }
        // What was verified is right, but this sender's word is not: it would be wrong again and again.
        Err(
            error @ (FetchError::WrongBytes { .. }
            | FetchError::WrongList(_)
            | FetchError::SizeMismatch { .. }
            | FetchError::TooManyStored { .. }),
        ) => {
            let nickname = core.events.nickname(&row.event, &row.from);
            let text = format!("{nickname} sent something else than they had offered: {error}. It was thrown away.");
            core.note(ActivityKind::Suspicious, text, None, Some(row.event)).await;
            fail(core, offer, blob, "what came was not what was offered; it was thrown away").await?;
            return Ok(None);
        }
        // No fault of theirs, and what is here stays.
        Err(_) if core.disk.room_for(DISK_ROOM_STEP_BYTES).is_err() => {
            say(core, offer, NO_ROOM).await?;
            return Ok(None);
        }
        Err(error) => {
            say(core, offer, "the transfer broke off; it goes on from where it stopped").await?;
            return Err(error).context("a transfer broke off");
        }
    };
    let incoming = fetched.sink.into_incoming();
    let blob = blocking(move || incoming.finish()).await??;
    let blob = stored(core, offer, blob).await?;
    // D1: durable first, then "delivered". A holder that misses the receipt offers again and hears that we have it.
    if let Err(error) = fetched.confirmation.confirm(ReceiptState::Delivered).await {
        tracing::debug!("a receipt did not get through: {error}");
    }
    Ok(Some(blob))
}

async fn stored(core: &Arc<Core>, offer: OfferId, blob: BlobId) -> anyhow::Result<BlobId> {
    set(core, offer, ArrivalState::Stored(blob), None).await?;
    Ok(blob)
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
        let blobs = cleaner.vault.blobs();
        let _ = blobs.discard_incoming(blob);
        blobs.remove(blob)
    })
    .await?;
    set(core, offer, ArrivalState::Failed, Some(reason.to_owned())).await
}

/// Looks at a stored arrival with my own full embeddings and takes it into the library; doubtful ones wait for me to say.
async fn take_in(core: Arc<Core>, offer: OfferId, row: Arc<StoredArrival>, blob: BlobId) -> anyhow::Result<()> {
    let worker = core.clone();
    let (known, arrived) = (core.library.by_content(&row.content), row.clone());
    if let Some(id) = known.filter(|id| core.wants_again(*id)) {
        return blocking(move || arrived_again(&worker, offer, &arrived, id, blob)).await?;
    }
    let reader = core.clone();
    let is_video = blocking(move || {
        let mut head = [0; VideoFormat::SNIFFED_BYTES];
        let read = reader.vault.blobs().open(blob)?.read_at(0, &mut head)?;
        anyhow::Ok(VideoFormat::sniff(head.get(..read).unwrap_or_default()) == Some(VideoFormat::Mp4))
    });
    if is_video.await?? {
        let worker = core.clone();
        blocking(move || file_video(&worker, offer, &row, blob)).await??;
        core.tell_transfer(&offer);
        core.board.ring(Job::Videos);
        return Ok(());
    }
    let reader = core.clone();
    let bytes = Bytes::from(blocking(move || reader.vault.blobs().read(blob).map(|plain| plain.to_vec())).await??);
    let inspection = match core.sandbox.inspect(bytes.clone()).await {
        Ok(inspection) => inspection,
        Err(SandboxError::Refused(reason)) => {
            let nickname = core.events.nickname(&row.event, &row.from);
            let text = format!("{nickname} sent a file that is no readable photo; it was thrown away.");
            core.note(ActivityKind::Suspicious, text, None, Some(row.event)).await;
            return fail(&core, offer, blob, &reason.to_string()).await;
        }
        // They were told that I have it, so it is not thrown away for one bad moment of the sandbox.
        Err(error) if error.is_strike() && row.strikes + 1 >= STRIKES => {
            return fail(&core, offer, blob, "reading it crashed or took too long three times; it was thrown away")
                .await;
        }
        Err(error) => {
            if error.is_strike() {
                let striker = core.clone();
                blocking(move || {
                    striker.arrivals.change(&offer.0, |row| {
                        row.strikes += 1;
                        true
                    })
                })
                .await??;
            }
            return Err(error).context("a photo that arrived could not be examined yet");
        }
    };
    let may_look = core.profile.consent_at().is_some() && core.packs.trouble().is_none();
    let found = if may_look { core.sandbox.faces(bytes.clone()).await.ok() } else { None };
    let faces = found.map(|found| StoredFaces::new(found.pack, found.faces, found.width, found.height));
    let nearest = faces.as_ref().and_then(|faces| nearest(&core, &row.event, &row.find_me, faces));
    let sure = matches!(nearest, Some((_, Likeness::Sure(_))));
    let worker = core.clone();
    blocking(move || file(&worker, offer, &row, blob, bytes.len() as u64, inspection, faces, nearest, sure)).await??;
    core.tell_transfer(&offer);
    Ok(())
}
