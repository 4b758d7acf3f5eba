//! The sending worker: makes the rendition of each pending delivery, offers it to its receiver, and serves it when fetched. The only way on
//! which a photo leaves (D4): policy, egress filter, activity entry, then bytes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use inframe_protocol::fetch::FetchRequest;
use inframe_protocol::groups::{GroupHasher, GroupList};
use inframe_protocol::limits::{GROUP_BYTES, MAX_FETCH_REPLY_BYTES, MAX_SMALL_MESSAGE_BYTES};
use inframe_protocol::offer::{DeclineReason, Offer, OfferReply, ReceiptState};
use inframe_protocol::{NodeId, OfferId, UnixMillis};

use super::board::Step;
use super::{Core, Job, blocking, matching, videos};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::library::AssetKind;
use crate::limits::OFFERED_AGAIN;
use crate::network::{PeerStream, Protocol};
use crate::sandbox::SandboxError;
use crate::sharing::ledgers::{DeliveryState, Rendition, StoredDelivery};
use crate::transfer::{self, GroupSource, TransferLimits};
use crate::vault::BlobKind;

/// Offers under way at once; hides the latency of several receivers, not of the CPU.
const OFFERS_AT_ONCE: usize = 4;
/// A receiver that is connected but did not answer, or could not take more just then, is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// A receiver that did not fetch what it accepted is offered it again after this long.
const OFFER_AGAIN: Duration = Duration::from_secs(120);

/// One step: offer everything that waits and whose receiver is connected.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let now = now_ms();
    let due: Vec<_> = core
        .deliveries
        .all()
        .into_iter()
        .filter(|(_, delivery)| match delivery.state {
            DeliveryState::Pending => true,
            DeliveryState::Accepted => {
                now.saturating_sub(delivery.changed_at) > u64::try_from(OFFER_AGAIN.as_millis()).unwrap_or(u64::MAX)
            }
            _ => false,
        })
        .filter_map(|(key, delivery)| Some((<[u8; 16]>::try_from(key).ok()?, delivery)))
        .collect();
    let outcomes: Vec<anyhow::Result<bool>> =
        futures::stream::iter(due.into_iter().map(|(key, delivery)| offer_one(core.clone(), OfferId(key), delivery)))
            .buffer_unordered(OFFERS_AT_ONCE)
            .collect()
            .await;
    let still_open = |state| matches!(state, DeliveryState::Pending);
    let reachable = |delivery: &StoredDelivery| {
        let node = core.events.member_node(&delivery.event, &delivery.member);
        node.is_some_and(|node| core.network.is_connected(&node))
    };
    let unanswered = core.deliveries.all().iter().any(|(_, row)| still_open(row.state) && reachable(row));
    Ok(Step { again_in: unanswered.then_some(ASK_AGAIN), ..Step::of(outcomes)? })
}

/// Whether it is settled for now.
async fn offer_one(core: Arc<Core>, offer: OfferId, delivery: Arc<StoredDelivery>) -> anyhow::Result<bool> {
    let node = match core.may_leave(&delivery) {
        Ok(node) => node,
        Err(held) => {
            blocking(move || matching::cancel(&core, &offer.0, &held.to_string())).await??;
            return Ok(true);
        }
    };
    if !core.network.is_connected(&node) {
        wait(&core, offer, "they are away; it goes out when they are back").await?;
        return Ok(false);
    }
    let original_bytes = core.library.get(delivery.asset).map_or(0, |asset| asset.size_bytes);
    if delivery.rendition.is_none() && core.disk.room_for(original_bytes).is_err() {
        wait(&core, offer, "the disk of this device is almost full; it goes out when there is space").await?;
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
        media_type: sent_as(&asset.media_type).to_owned(),
        width: asset.width,
        height: asset.height,
        taken_at: asset.taken_at.and_then(|at| u64::try_from(at).ok()).map(UnixMillis),
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

/// The media type of a rendition: photos of formats that the egress filter cannot take apart leave as a JPEG, videos as MP4.
fn sent_as(media_type: &str) -> &str {
    match media_type {
        "image/jpeg" | "image/png" | "image/webp" | "image/gif" => media_type,
        _ if media_type.starts_with("video/") => videos::MEDIA_TYPE,
        _ => "image/jpeg",
    }
}

/// The rendition, made now unless it was made before; `None` when this photo cannot be made safe to send.
async fn rendition(core: &Arc<Core>, offer: OfferId, delivery: &StoredDelivery) -> anyhow::Result<Option<Rendition>> {
    if let Some(rendition) = &delivery.rendition {
        return Ok(Some(rendition.clone()));
    }
    let asset = core.library.get(delivery.asset).context("it was deleted meanwhile")?;
    let made = match asset.kind {
        AssetKind::Video { .. } => videos::rendition(core, delivery.asset, offer).await?,
        _ => rendition_of_photo(core, offer, delivery).await?,
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
) -> anyhow::Result<Result<Rendition, String>> {
    let (reader, id) = (core.clone(), delivery.asset);
    let original = blocking(move || reader.library.read_original(id)).await??;
    let bytes = match core.sandbox.rendition(original).await {
        Ok(bytes) => bytes,
        Err(SandboxError::Unavailable(reason)) => anyhow::bail!("the egress filter is not available: {reason}"),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let writer = core.clone();
    let made = blocking(move || {
        let content = inframe_protocol::ContentId::of(&bytes);
        let blob = writer.vault.blobs().put(BlobKind::Rendition, &offer.0, &bytes)?;
        anyhow::Ok(Rendition { blob, content, size_bytes: bytes.len() as u64 })
    });
    Ok(Ok(made.await??))
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

async fn delivered(core: &Arc<Core>, offer: OfferId, delivery: &StoredDelivery) -> anyhow::Result<()> {
    set_state(core, offer, DeliveryState::Delivered, None).await?;
    core.live.tell(crate::live::What::Asset, Some(delivery.asset.to_string()));
    Ok(())
}

/// Serves a fetch that a peer asked for. Ids that were not offered to this very node get one uniform answer.
pub(super) async fn serve(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let request: FetchRequest = stream.read_message(MAX_SMALL_MESSAGE_BYTES).await?;
    let peer = stream.peer().clone();
    let offer = request.offer;
    let Some((delivery, rendition)) = servable(&core, &peer, &request) else {
        let (worker, asker) = (core.clone(), peer.clone());
        if blocking(move || offer_again(&worker, &asker, &request)).await?? {
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
    // D4: the entry is durable before the first byte leaves.
    let nickname = core.events.nickname(&delivery.event, &delivery.member);
    let event_name = core.events.name(&delivery.event);
    let text = format!("A photo went to {nickname} in {event_name}.");
    let noter = core.clone();
    let (asset, event) = (delivery.asset.to_string(), delivery.event.to_string());
    blocking(move || noter.activity.note(ActivityKind::Left, text, Some(asset), Some(event))).await??;
    let progress = {
        let core = core.clone();
        move |progress: transfer::Progress| {
            core.progress.set(offer, progress.bytes_done);
            core.tell_transfer(&offer);
        }
    };
    let source = Guarded { core: core.clone(), delivery: delivery.clone(), source };
    let served = transfer::serve(stream, &request, list, source, &TransferLimits::default(), progress).await;
    core.progress.clear(&offer);
    let receipt = served.context("a transfer broke off; it goes on when the other side asks again")?;
    match receipt.state {
        ReceiptState::Delivered => delivered(&core, offer, &delivery).await,
        _ => set_state(&core, offer, DeliveryState::Declined, Some("they could not use it".into())).await,
    }
}

/// Asks before every group whether the photo may still leave (D4): a withdrawal or a changed rule ends a slow transfer as well.
struct Guarded<S> {
    core: Arc<Core>,
    delivery: Arc<StoredDelivery>,
    source: S,
}

impl<S: GroupSource> GroupSource for Guarded<S> {
    fn read_group(&mut self, index: u64, group: &mut [u8]) -> std::io::Result<()> {
        self.core.may_leave(&self.delivery).map_err(std::io::Error::other)?;
        self.source.read_group(index, group)
    }
}

/// Has a photo that was delivered offered again to the very node that got it, since it has lost it. Whether the request was for such a photo.
fn offer_again(core: &Core, peer: &NodeId, request: &FetchRequest) -> anyhow::Result<bool> {
    let Some(delivery) = core.deliveries.get(&request.offer.0) else { return Ok(false) };
    let theirs = core.may_leave(&delivery).is_ok_and(|node| node == *peer);
    if delivery.state != DeliveryState::Delivered || !theirs {
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
    let node = core.may_leave(&delivery).ok()?;
    let rendition = delivery.rendition.clone()?;
    (node == *peer && rendition.content == request.content).then_some((delivery, rendition))
}

/// Hashes a rendition's groups: a few milliseconds for a photo, a second for a gigabyte of video, so nothing has to be kept.
fn group_list(core: &Core, blob: crate::vault::BlobId) -> anyhow::Result<GroupList> {
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
    Ok(hasher.finish()?)
}
