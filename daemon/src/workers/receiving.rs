//! The receiving worker: answers offers, fetches what was accepted, looks whether it is really me, and takes it into the library.

mod sink;

use std::sync::{Arc, PoisonError};

use anyhow::Context as _;
use bytes::Bytes;
use futures::StreamExt as _;
use inframe_protocol::limits::GROUP_BYTES;
use inframe_protocol::offer::{DeclineReason, Offer, OfferReply, ReceiptState};
use inframe_protocol::{EventId, FindMeId, OfferId};

use self::sink::Sink;
use super::board::Step;
use super::{Core, Job, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::faces::{Likeness, ProfileId, StoredFaces};
use crate::library::{AssetId, AssetKind, NewAsset, Origin, Part, PlayableState, STRIKES, Source, received_note};
use crate::limits::DISK_ROOM_STEP_BYTES;
use crate::live::What;
use crate::matching::Grade;
use crate::network::{PeerStream, Protocol};
use crate::sandbox::SandboxError;
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::sharing::ledgers::{ApprovalKind, ApprovalState, ArrivalState, StoredApproval, StoredArrival, approval_id};
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

/// A photo that was damaged here came once more: its bytes are verified, and everything else is known.
fn arrived_again(
    core: &Arc<Core>,
    offer: OfferId,
    row: &StoredArrival,
    id: AssetId,
    blob: BlobId,
) -> anyhow::Result<()> {
    let _one_at_a_time = core.filing.lock().unwrap_or_else(PoisonError::into_inner);
    core.library.put_original(id, blob)?;
    let mut left = false;
    core.damage.change(&id.0, |damage| {
        damage.parts.retain(|(part, _)| *part != Part::Original);
        left = !damage.parts.is_empty();
        true
    })?;
    if !left {
        core.damage.remove(&[id.0.to_vec()])?;
    }
    core.board.ring(Job::Faces);
    core.live.tell(What::Asset, Some(id.to_string()));
    finish(core, offer, row, id)
}

#[expect(clippy::too_many_arguments, reason = "one commit point with everything that was found out before")]
fn file(
    core: &Arc<Core>,
    offer: OfferId,
    row: &StoredArrival,
    blob: BlobId,
    size_bytes: u64,
    inspection: crate::sandbox::Inspection,
    faces: Option<StoredFaces>,
    nearest: Option<(usize, Likeness)>,
    sure: bool,
) -> anyhow::Result<()> {
    let _one_at_a_time = core.filing.lock().unwrap_or_else(PoisonError::into_inner);
    let id = match core.library.by_content(&row.content) {
        Some(id) => {
            if known_otherwise(core, id, blob)? {
                return finish(core, offer, row, id);
            }
            // Taken in before a crash that came ahead of the arrival's last mark.
            id
        }
        None => {
            let new = NewAsset {
                file_name: format!("inframe-{}.{}", &offer.to_string()[..8], inspection.format.extension()),
                content: row.content,
                size_bytes,
                original: Source::Stored(blob),
                origin: origin(offer, row),
                taken_at: row.taken_at.and_then(|at| i64::try_from(at).ok()),
                doubtful: !sure,
            };
            core.library.adopt(new, inspection)?
        }
    };
    if let Some(faces) = faces {
        core.profile.if_consented(|| super::faces::keep(core, id, faces)).transpose()?;
    }
    if !sure {
        ask_whether_me(core, row, id, nearest)?;
    }
    finish(core, offer, row, id)
}

/// Whether the same bytes came from somebody else, were imported meanwhile, or lie in the trash: then there is nothing to ask and nothing to
/// change, and what came now is let go.
fn known_otherwise(core: &Core, id: AssetId, blob: BlobId) -> anyhow::Result<bool> {
    let trashed = core.library.in_trash(id);
    let original = core.library.get(id).or(trashed.clone()).map(|asset| asset.original);
    let other = original.is_some_and(|original| original != blob);
    if other {
        core.vault.blobs().remove(blob)?;
    }
    Ok(other || trashed.is_some())
}

/// The face that is most like the one that was looked for.
fn nearest(core: &Core, event: &EventId, find_me: &FindMeId, faces: &StoredFaces) -> Option<(usize, Likeness)> {
    // Stopped meanwhile: then by the owner's own profile, so that what is theirs needs no question.
    let profile = core.profile_sought(event, find_me).unwrap_or(ProfileId::ME);
    let near = |likeness: &Likeness| match likeness {
        Likeness::Sure(d) | Likeness::Perhaps(d) => *d,
        Likeness::No => f32::INFINITY,
    };
    let all = faces.faces.iter().enumerate();
    let likenesses = all.map(|(index, face)| (index, core.profile.likeness(profile, &faces.pack, &face.embedding)));
    likenesses.min_by(|a, b| near(&a.1).total_cmp(&near(&b.1)))
}

/// Takes a video in, out of sight until its faces were looked at.
fn file_video(core: &Arc<Core>, offer: OfferId, row: &StoredArrival, blob: BlobId) -> anyhow::Result<()> {
    let _one_at_a_time = core.filing.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(id) = core.library.by_content(&row.content) {
        known_otherwise(core, id, blob)?;
        return finish(core, offer, row, id);
    }
    let new = NewAsset {
        file_name: format!("inframe-{}.{}", &offer.to_string()[..8], VideoFormat::Mp4.extension()),
        content: row.content,
        size_bytes: row.size_bytes,
        original: Source::Stored(blob),
        origin: origin(offer, row),
        taken_at: row.taken_at.and_then(|at| i64::try_from(at).ok()),
        doubtful: true,
    };
    let id = core.library.adopt_video(AssetId::random()?, new, VideoFormat::Mp4)?;
    finish(core, offer, row, id)
}

/// A received video was searched for faces, or cannot be: shows it if I am in it, asks if that is not sure, throws away what is no video.
pub(super) fn settle_video(core: &Arc<Core>, id: AssetId) -> anyhow::Result<()> {
    let Some(asset) = core.library.get(id).filter(|asset| asset.doubtful) else { return Ok(()) };
    let Origin::Received { event, from, find_me, offer } = asset.origin else { return Ok(()) };
    if matches!(asset.kind, AssetKind::Video { playable: PlayableState::Failed(_), .. }) && asset.grid.is_none() {
        let nickname = core.events.nickname(&event, &from);
        let text = format!("{nickname} sent a file that is no readable video; it was thrown away.");
        core.activity.note(ActivityKind::Suspicious, text, None, Some(event.to_string()))?;
        // Past the trash: it was never seen, and nobody could do anything with it.
        core.library.delete(id)?;
        core.board.ring(Job::Trash);
        return Ok(());
    }
    let nearest = core.faces.of(id).and_then(|faces| nearest(core, &event, &find_me, &faces));
    if matches!(nearest, Some((_, Likeness::Sure(_)))) {
        core.library.change(id, crate::vault::Batch::default(), |asset| asset.doubtful = false)?;
        core.live.tell(What::Events, Some(event.to_string()));
        return Ok(());
    }
    match core.arrivals.get(&offer.0) {
        Some(row) => ask_whether_me(core, &row, id, nearest),
        None => Ok(()),
    }
}

fn finish(core: &Arc<Core>, offer: OfferId, row: &StoredArrival, id: AssetId) -> anyhow::Result<()> {
    let nickname = core.events.nickname(&row.event, &row.from);
    let is_video = core.library.get(id).is_some_and(|asset| matches!(asset.kind, AssetKind::Video { .. }));
    let what = if is_video { "video" } else { "photo" };
    let text = format!("A {what} came from {nickname} in {}.", core.events.name(&row.event));
    core.activity.note(ActivityKind::Arrived, text, Some(id.to_string()), Some(row.event.to_string()))?;
    core.arrivals.change(&offer.0, |arrival| {
        arrival.state = ArrivalState::Done(id);
        arrival.reason = None;
        arrival.changed_at = now_ms();
        true
    })?;
    core.live.tell(What::Events, Some(row.event.to_string()));
    Ok(())
}

fn ask_whether_me(
    core: &Arc<Core>,
    row: &StoredArrival,
    asset: AssetId,
    nearest: Option<(usize, Likeness)>,
) -> anyhow::Result<()> {
    let (face, score) = match nearest {
        Some((index, Likeness::Sure(d) | Likeness::Perhaps(d))) => (index, d),
        Some((index, Likeness::No)) => (index, 0.0),
        None => (0, 0.0),
    };
    let key = approval_id(&row.event, &row.from, None, asset);
    if core.approvals.get(&key).is_some() {
        // Asked before a crash, perhaps answered since.
        return Ok(());
    }
    core.approvals.put(
        &key,
        StoredApproval {
            kind: ApprovalKind::Doubtful,
            event: row.event,
            member: row.from,
            find_me: row.find_me,
            asset,
            face: u16::try_from(face).unwrap_or(0),
            score,
            next_best: None,
            grade: Grade::Maybe,
            state: ApprovalState::Waiting,
            at: now_ms(),
            rival: None,
            child: core.profile_sought(&row.event, &row.find_me).is_some_and(|profile| profile != ProfileId::ME),
            live: false,
        },
    )?;
    core.live.tell(What::Approvals, None);
    Ok(())
}
