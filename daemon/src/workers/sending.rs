//! The sending worker: makes the rendition of each pending delivery, offers it to its receiver, and serves it when fetched. The only way on
//! which a photo leaves (D4): policy, egress filter, activity entry, then bytes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use inframe_protocol::fetch::FetchRequest;
use inframe_protocol::groups::{GroupHasher, GroupList};
use inframe_protocol::limits::{GROUP_BYTES, MAX_FETCH_REPLY_BYTES, MAX_SMALL_MESSAGE_BYTES};
use inframe_protocol::offer::{DeclineReason, Offer, OfferReply, ReceiptState};
use inframe_protocol::{MemberId, NodeId, OfferId};

use super::board::Step;
use super::lanes::{self, Lanes, Waiting};
use super::progress::UnderWay;
use super::shielding::Seen;
use super::{Core, Job, blocking, keeping, matching, reach, shielding, syncing, videos};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::library::AssetKind;
use crate::limits::{BLOB_CHUNK_BYTES, OFFERED_AGAIN};
use crate::network::{PeerStream, Protocol};
use crate::sandbox::{Details, SandboxError};
use crate::sharing::ledgers::{DeliveryState, Rendition, StoredDelivery};
use crate::sharing::shield::Blurred;
use crate::transfer::{self, GroupSource, ServeError, TransferLimits};
use crate::vault::{BlobId, BlobKind, BlobReader};

/// A receiver that is connected but did not answer, or could not take more just then, is asked again after this long at most.
pub(crate) const ASK_AGAIN: Duration = Duration::from_secs(10);
/// A receiver that did not fetch what it accepted is offered it again after this long.
const OFFER_AGAIN: Duration = Duration::from_secs(120);

/// Offers what waits and whose receiver is connected, and what comes to wait meanwhile.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    reach::name_nodes_of_transfers(&core).await;
    let step = lanes::run(&core, Job::Sending, &Offers(core.clone())).await?;
    let now = now_ms();
    let first = core.undo.next(now).map(|until| Duration::from_millis(until - now));
    Ok(Step { again_in: step.again_in.into_iter().chain(first).min(), ..step })
}

struct Offers(Arc<Core>);

impl Offers {
    fn due(&self) -> impl Iterator<Item = (OfferId, Arc<StoredDelivery>)> {
        let all = self.0.deliveries.all().into_iter();
        all.filter_map(|(key, row)| self.is_due(&row).then_some((OfferId(<[u8; 16]>::try_from(key).ok()?), row)))
    }

    fn is_due(&self, row: &StoredDelivery) -> bool {
        match row.state {
            DeliveryState::Pending => true,
            DeliveryState::Accepted => {
                let offered = now_ms().saturating_sub(row.changed_at);
                // Of what was accepted before this start the receipt may have come in vain.
                row.changed_at < self.0.started_at
                    || offered > u64::try_from(OFFER_AGAIN.as_millis()).unwrap_or(u64::MAX)
            }
            _ => false,
        }
    }
}

impl lanes::Work for Offers {
    type Peer = MemberId;

    fn lanes(&self) -> &Lanes<MemberId> {
        &self.0.offers
    }

    fn waiting(&self) -> Option<Vec<Waiting<MemberId>>> {
        let core = &self.0;
        if core.traffic.get().quiet_now().is_some() {
            return None;
        }
        let could_start = |id: &OfferId, row: &StoredDelivery| {
            let node = core.events.member_node(&row.event, &row.member);
            // What may not leave any more is cancelled whoever is connected.
            node.is_some_and(|node| core.network.is_connected(&node)) || core.ended(&id.0, row).is_some()
        };
        let waiting = |(id, row): (OfferId, Arc<StoredDelivery>)| {
            let size_bytes = row.rendition.as_ref().map_or_else(
                || core.library.get(row.asset).map_or(0, |asset| asset.size_bytes),
                |rendition| rendition.size_bytes,
            );
            let may_start = !core.may_be_taken_back(&row) && could_start(&id, &row);
            may_start.then_some(Waiting { id, peer: row.member, size_bytes, since: row.at, content: None })
        };
        Some(self.due().filter_map(waiting).collect())
    }

    fn speed(&self, _: &OfferId) -> Option<u64> {
        None
    }

    async fn start(&self, id: OfferId) -> anyhow::Result<bool> {
        match self.0.deliveries.get(&id.0).filter(|row| self.is_due(row)) {
            Some(row) => offer_one(self.0.clone(), id, row).await,
            None => Ok(true),
        }
    }

    fn pending(&self) -> u64 {
        self.due().count() as u64
    }
}

/// Whether it is settled for now.
async fn offer_one(core: Arc<Core>, offer: OfferId, delivery: Arc<StoredDelivery>) -> anyhow::Result<bool> {
    let node = match core.may_leave(&delivery) {
        Ok(node) => node,
        Err(_) if core.ended(&offer.0, &delivery).is_none() => return Ok(false),
        Err(held) => {
            blocking(move || matching::cancel(&core, &offer.0, &held.to_string())).await??;
            return Ok(true);
        }
    };
    if !core.network.is_connected(&node) {
        return Ok(false);
    }
    let original_bytes = core.library.get(delivery.asset).map_or(0, |asset| asset.size_bytes);
    if delivery.rendition.is_none() && core.disk.room_for(original_bytes).is_err() {
        wait(&core, offer, "the disk of this device is almost full; it goes out when there is space").await?;
        return Ok(false);
    }
    if !syncing::heard_all(&core, delivery.event, &node).await {
        return Ok(false);
    }
    let Some(rendition) = rendition(&core, offer, &delivery).await? else { return Ok(true) };
    let asset = core.library.get(delivery.asset).context("the photo was deleted meanwhile")?;
    let message = Offer {
        offer,
        event: delivery.event,
        find_me: delivery.find_me,
        content: rendition.content,
        size_bytes: rendition.size_bytes,
        media_type: sent_as(&asset.media_type, rendition.blurred.faces > 0).to_owned(),
        width: asset.width,
        height: asset.height,
        taken_at: core.taken_as_told(&delivery.event, &asset),
        score: delivery.score,
        groups: Vec::new(),
    };
    let reply: OfferReply = match transfer::ask(&core.network, &node, Protocol::Offer, &message).await {
        Ok(reply) => reply,
        Err(error) => {
            tracing::debug!("an offer was not answered: {error}");
            wait(&core, offer, "they did not answer; it is offered again soon").await?;
            return Ok(false);
        }
    };
    match reply {
        OfferReply::Accept => set_state(&core, offer, DeliveryState::Accepted, None).await?,
        OfferReply::Have => delivered(&core, offer, &delivery).await?,
        // What they know of the event lags behind what I know, or the other way round; a sync heals it.
        OfferReply::Decline(DeclineReason::NoSuchFindMe | DeclineReason::NotAllowed) => {
            wait(&core, offer, "they do not look for it at the moment; it is offered again soon").await?;
            return Ok(false);
        }
        OfferReply::Decline(_) => {
            set_state(&core, offer, DeliveryState::Declined, Some("they did not want it".into())).await?;
        }
        OfferReply::NotNow => {
            wait(&core, offer, "they cannot take it just now; it is offered again soon").await?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// The media type of a rendition: photos of formats that the egress filter cannot take apart, and those with blurred faces, leave as a JPEG, videos as
/// MP4.
pub(crate) fn sent_as(media_type: &str, is_blurred: bool) -> &str {
    match media_type {
        _ if is_blurred => "image/jpeg",
        "image/jpeg" | "image/png" | "image/webp" | "image/gif" => media_type,
        _ if media_type.starts_with("video/") => videos::MEDIA_TYPE,
        _ => "image/jpeg",
    }
}

/// The rendition, made now unless it was made before; `None` when this photo cannot be made safe to send.
pub(super) async fn rendition(
    core: &Arc<Core>,
    offer: OfferId,
    delivery: &StoredDelivery,
) -> anyhow::Result<Option<Rendition>> {
    // Whoever asked a moment ago is obeyed, also by what was made before.
    let Ok((_, seen)) = core.leaves(delivery) else { return Ok(None) };
    match &delivery.rendition {
        Some(rendition) if rendition.shows(&seen) => return Ok(Some(rendition.clone())),
        Some(_) => shielding::forget_rendition(core, offer, &seen).await?,
        None => {}
    }
    let asset = core.library.get(delivery.asset).context("it was deleted meanwhile")?;
    let made = match asset.kind {
        AssetKind::Video { .. } => videos::rendition(core, delivery.asset, offer, seen.details).await?,
        _ => rendition_of_photo(core, offer, delivery, &seen).await?,
    };
    let rendition = match made {
        Ok(rendition) => rendition,
        Err(error) => {
            let reason = format!("its hidden data could not be removed, so it stays here: {error}");
            set_state(core, offer, DeliveryState::Failed, Some(reason)).await?;
            return Ok(None);
        }
    };
    let writer = core.clone();
    let made = blocking(move || {
        let mut kept = false;
        writer.deliveries.change(&offer.0, |row| {
            kept = matches!(row.state, DeliveryState::Pending | DeliveryState::Accepted);
            if kept {
                row.rendition = Some(rendition.clone());
            }
            kept
        })?;
        if !kept {
            // Cancelled meanwhile.
            writer.vault.blobs().remove(rendition.blob)?;
        }
        anyhow::Ok(kept.then_some(rendition))
    })
    .await??;
    Ok(made)
}

/// An inner error says why it cannot be made.
async fn rendition_of_photo(
    core: &Arc<Core>,
    offer: OfferId,
    delivery: &StoredDelivery,
    seen: &Seen,
) -> anyhow::Result<Result<Rendition, String>> {
    let (reader, id) = (core.clone(), delivery.asset);
    let original = blocking(move || reader.library.read_original(id)).await??;
    let made = match seen.destroyed.is_empty() {
        true => core.sandbox.rendition(original, seen.details).await,
        false => {
            let (destroyed, kept) = seen.boxes();
            core.sandbox.blurred(original, destroyed, kept, seen.details).await
        }
    };
    let bytes = match made {
        Ok(bytes) => bytes,
        Err(SandboxError::Unavailable(reason)) => anyhow::bail!("the egress filter is not available: {reason}"),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let (writer, blurred, details) = (core.clone(), seen.blurred(), seen.details);
    let made = blocking(move || {
        let mut hasher = GroupHasher::new();
        hasher.update(&bytes);
        let list = hasher.finish()?;
        let blob = writer.vault.blobs().put(BlobKind::Rendition, &offer.0, &bytes)?;
        anyhow::Ok(Rendition { blurred, details, ..kept(&writer, blob, list) })
    });
    Ok(Ok(made.await??))
}

/// A rendition whose hashes are at hand when it is fetched.
pub(super) fn kept(core: &Core, blob: BlobId, list: GroupList) -> Rendition {
    let made = Rendition {
        blob,
        content: list.content(),
        size_bytes: list.size_bytes(),
        blurred: Blurred::default(),
        details: Details::default(),
    };
    core.lists.keep(blob, Arc::new(list));
    made
}

async fn set_state(
    core: &Arc<Core>,
    offer: OfferId,
    state: DeliveryState,
    reason: Option<String>,
) -> anyhow::Result<()> {
    let writer = core.clone();
    blocking(move || {
        let mut blob = None;
        writer.deliveries.change(&offer.0, |row| {
            // A late answer never brings back what was delivered or cancelled meanwhile.
            if !matches!(row.state, DeliveryState::Pending | DeliveryState::Accepted) {
                return false;
            }
            row.state = state;
            row.reason = reason;
            row.changed_at = now_ms();
            if !matches!(state, DeliveryState::Pending | DeliveryState::Accepted) {
                blob = row.rendition.take().map(|rendition| rendition.blob);
            }
            true
        })?;
        if let Some(blob) = blob {
            writer.lists.forget(blob);
            writer.vault.blobs().remove(blob)?;
        }
        anyhow::Ok(())
    })
    .await??;
    core.tell_transfer(&offer);
    Ok(())
}

async fn wait(core: &Arc<Core>, offer: OfferId, reason: &str) -> anyhow::Result<()> {
    let unchanged = core.deliveries.get(&offer.0).is_some_and(|row| row.reason.as_deref() == Some(reason));
    if unchanged {
        return Ok(());
    }
    set_state(core, offer, DeliveryState::Pending, Some(reason.to_owned())).await
}

pub(super) async fn delivered(core: &Arc<Core>, offer: OfferId, delivery: &StoredDelivery) -> anyhow::Result<()> {
    set_state(core, offer, DeliveryState::Delivered, None).await?;
    core.live.tell(crate::live::What::Asset, Some(delivery.asset.to_string()));
    Ok(())
}

/// Serves a fetch that a peer asked for. Ids that were not offered to this very node get one uniform answer.
pub(super) async fn serve(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let request: FetchRequest = stream.read_message(MAX_SMALL_MESSAGE_BYTES).await?;
    let peer = stream.peer().clone();
    let offer = request.offer;
    if let Some(quiet) = core.traffic.get().quiet_now() {
        // Not "there is none": they ask again later.
        anyhow::bail!("a fetch was put off: {quiet}");
    }
    let mut found = servable(&core, &peer, &request);
    if let Some((delivery, _)) = &found {
        if !syncing::heard_all(&core, delivery.event, &peer).await {
            anyhow::bail!("a fetch was put off until it is known what the members of the event wish");
        }
        found = servable(&core, &peer, &request);
    }
    let Some((delivery, rendition)) = found else {
        if let Some(sealed) = keeping::servable(&core, &peer, &request) {
            return keeping::serve(core, stream, request, sealed).await;
        }
        let (worker, asker) = (core.clone(), peer.clone());
        if blocking(move || offer_again(&worker, &asker, &request)).await?? {
            core.board.ring(Job::Sending);
            core.tell_transfer(&offer);
            return Ok(transfer::not_found(stream).await?);
        }
        let (worker, asker) = (core.clone(), peer.clone());
        if blocking(move || shielding::is_protected_since(&worker, &asker, offer)).await?? {
            core.board.ring(Job::Sending);
            core.tell_transfer(&offer);
            return Ok(transfer::not_found(stream).await?);
        }
        let text = "A node asked for a photo that was not offered to it, and was refused.".to_owned();
        core.note(ActivityKind::Suspicious, text, None, None).await;
        return Ok(transfer::not_found(stream).await?);
    };
    let (source, list) = {
        let core = core.clone();
        blocking(move || {
            let reader = core.vault.blobs().open(rendition.blob)?;
            let list = group_list(&core, rendition.blob)?;
            anyhow::Ok((reader, list))
        })
        .await??
    };
    debug_assert!(list.count().saturating_mul(32) <= MAX_FETCH_REPLY_BYTES as u64);
    // D4: the entry is durable before the first byte leaves. Whoever asks for nothing but the end has it from somebody else.
    let leaves = request.from_group < list.count();
    let nickname = core.events.nickname(&delivery.event, &delivery.member);
    let event_name = core.events.name(&delivery.event);
    let text = format!("A photo went to {nickname} in {event_name}.");
    let noter = core.clone();
    let (asset, event) = (delivery.asset.to_string(), delivery.event.to_string());
    if leaves {
        blocking(move || noter.activity.note(ActivityKind::Left, text, Some(asset), Some(event))).await??;
    }
    let under_way = UnderWay::begin(&core, offer, request.from_group.saturating_mul(GROUP_BYTES));
    let progress = move |progress: transfer::Progress| under_way.set(progress.bytes_done);
    let source = Guarded::new(core.clone(), delivery.clone(), source);
    let served = transfer::serve(stream, &request, list, source, &TransferLimits::at(core.up.clone()), progress).await;
    if matches!(served, Err(ServeError::NoReceipt(_))) {
        // They may have all of it and not ask again: an offer tells.
        wait(&core, offer, "they did not say that it arrived; they are asked").await?;
        core.board.ring(Job::Sending);
    }
    let receipt = served.context("a transfer broke off; it goes on when the other side asks again")?;
    match receipt.state {
        ReceiptState::Delivered => delivered(&core, offer, &delivery).await,
        _ => set_state(&core, offer, DeliveryState::Declined, Some("they could not use it".into())).await,
    }
}

/// Asks before every group whether the photo may still leave (D4): a withdrawal or a changed rule ends a slow transfer as well.
pub(super) struct Guarded<S> {
    core: Arc<Core>,
    delivery: Arc<StoredDelivery>,
    source: S,
}

impl<S> Guarded<S> {
    pub(super) fn new(core: Arc<Core>, delivery: Arc<StoredDelivery>, source: S) -> Self {
        Self { core, delivery, source }
    }
}

impl<S: GroupSource> GroupSource for Guarded<S> {
    fn read_group(&mut self, index: u64, group: &mut Vec<u8>) -> std::io::Result<()> {
        self.core.may_be_served(&self.delivery).map_err(std::io::Error::other)?;
        if let Some(quiet) = self.core.traffic.get().quiet_now() {
            return Err(std::io::Error::other(quiet));
        }
        self.source.read_group(index, group)
    }

    fn is_authenticated(&self) -> bool {
        self.source.is_authenticated()
    }
}

// A group is a chunk of the vault's.
const _: () = assert!(GROUP_BYTES == BLOB_CHUNK_BYTES as u64);

impl GroupSource for BlobReader {
    fn read_group(&mut self, index: u64, group: &mut Vec<u8>) -> std::io::Result<()> {
        self.read_chunk(index, group).map_err(std::io::Error::other)
    }

    fn is_authenticated(&self) -> bool {
        true
    }
}

/// Has a photo that was delivered offered again to the very node that got it, since it has lost it. Whether the request was for such a photo.
fn offer_again(core: &Core, peer: &NodeId, request: &FetchRequest) -> anyhow::Result<bool> {
    let Some(delivery) = core.deliveries.get(&request.offer.0) else { return Ok(false) };
    let theirs = core.may_leave(&delivery).is_ok_and(|node| node == *peer);
    if delivery.state != DeliveryState::Delivered || !theirs || core.recalls.get(&request.offer.0).is_some() {
        return Ok(false);
    }
    let (now, rest) = (now_ms(), u64::try_from(OFFERED_AGAIN.as_millis()).unwrap_or(u64::MAX));
    core.deliveries.change(&request.offer.0, |row| {
        let due = row.state == DeliveryState::Delivered && now.saturating_sub(row.changed_at) >= rest;
        if due {
            row.state = DeliveryState::Pending;
            row.reason = Some("they have lost it and asked for it again".into());
            row.changed_at = now;
        }
        due
    })?;
    Ok(true)
}

fn servable(core: &Core, peer: &NodeId, request: &FetchRequest) -> Option<(Arc<StoredDelivery>, Rendition)> {
    let delivery = core.deliveries.get(&request.offer.0)?;
    if !matches!(delivery.state, DeliveryState::Pending | DeliveryState::Accepted) {
        return None;
    }
    let node = core.may_be_served(&delivery).ok()?;
    let rendition = delivery.rendition.clone()?;
    (node == *peer && rendition.content == request.content).then_some((delivery, rendition))
}

/// The hashes of a rendition's groups: a few milliseconds for a photo and a second for a gigabyte of video, if they are not kept.
pub(super) fn group_list(core: &Core, blob: BlobId) -> anyhow::Result<Arc<GroupList>> {
    if let Some(list) = core.lists.get(blob) {
        return Ok(list);
    }
    let reader = core.vault.blobs().open(blob)?;
    let mut hasher = GroupHasher::new();
    let mut group = vec![0; usize::try_from(GROUP_BYTES)?];
    let mut offset = 0;
    loop {
        let read = reader.read_at(offset, &mut group)?;
        if read == 0 {
            break;
        }
        hasher.update(group.get(..read).unwrap_or_default());
        offset += read as u64;
    }
    let list = Arc::new(hasher.finish()?);
    core.lists.keep(blob, list.clone());
    Ok(list)
}
