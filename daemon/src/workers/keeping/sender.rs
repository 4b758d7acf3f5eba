//! The sender's side: gives what waits for somebody who is away to a member who keeps it, and asks later what has become of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use inframe_protocol::keep::{KeepReply, KeepRequest, Label, Letter, fresh_key, sealed_bytes};
use inframe_protocol::limits::MAX_RENDITION_BYTES;
use inframe_protocol::{EventId, NodeId, OfferId, UnixMillis};

use super::sealing::Sealing;
use super::{ask as ask_node, keep_list};
use crate::clock::now_ms;
use crate::sharing::kept::{PieceKey, StoredDeposit};
use crate::sharing::ledgers::{DeliveryState, StoredDelivery};
use crate::workers::core::Held;
use crate::workers::{Core, blocking, sending};

/// A delivery whose receiver is away is given to a keeper when it has waited for so long, milliseconds.
const AWAY_MS: u64 = 30_000;
/// A keeper is asked this often what has become of something, milliseconds.
const ASK_EVERY_MS: u64 = 2 * 60_000;
/// What is given to a keeper may lie there for so long, milliseconds.
const KEPT_FOR_MS: u64 = 7 * 24 * 3_600_000;
/// Members that are asked in one step whether they keep something.
const MOST_ASKED: usize = 8;
/// Questions and gifts of one step; the next goes on.
const MOST_AT_ONCE: usize = 100;

fn is_open(row: &StoredDelivery) -> bool {
    matches!(row.state, DeliveryState::Pending | DeliveryState::Accepted)
}

/// Whether what a keeper has was made before somebody's wish.
pub(super) fn is_of_another_rendition(deposit: &StoredDeposit, delivery: &StoredDelivery) -> bool {
    let made = delivery.rendition.as_ref().map(|rendition| rendition.blob);
    made.is_none() || deposit.rendition.is_some() && deposit.rendition != made
}

fn deposits(core: &Core) -> impl Iterator<Item = (OfferId, Arc<StoredDeposit>)> {
    core.deposits.all().into_iter().filter_map(|(key, row)| Some((OfferId(<[u8; 16]>::try_from(key).ok()?), row)))
}

/// Asks keepers what has become of things, and has them erase what is not to be delivered any more. Gives how many have come to an end.
pub(super) async fn ask(core: &Arc<Core>) -> u64 {
    let now = now_ms();
    let mut ended = 0;
    let mut questions = 0;
    for (offer, row) in deposits(core) {
        let is_over = core.deliveries.get(&offer.0).is_none_or(|delivery| {
            !is_open(&delivery)
                || is_of_another_rendition(&row, &delivery)
                || core.may_be_served(&delivery) == Err(Held::Outdated)
        });
        let label = *row.delivery.label();
        if now >= label.expires.0 || core.events.me_in(&label.event).is_none() {
            ended += u64::from(forget(core, offer).await);
            continue;
        }
        let is_due = is_over || now.saturating_sub(row.asked_at) >= ASK_EVERY_MS;
        if !is_due || !core.network.is_connected(&row.keeper) || questions >= MOST_AT_ONCE {
            continue;
        }
        questions += 1;
        let request = match is_over {
            true => KeepRequest::Erase { event: label.event, offer },
            false => KeepRequest::Delivery(Box::new(row.delivery.clone())),
        };
        let Some(reply) = ask_node(core, &row.keeper, &request).await else { continue };
        if is_over {
            ended += u64::from(forget(core, offer).await);
        } else {
            match heard(core, offer, &row, reply).await {
                Ok(over) => ended += u64::from(over),
                Err(error) => tracing::warn!("what a keeper said could not be kept: {error:#}"),
            }
        }
    }
    ended
}

/// Gives what waits to keepers; gives how many they take.
///
/// # Errors
/// When a row cannot be written.
pub(super) async fn give(core: &Arc<Core>) -> anyhow::Result<u64> {
    let now = now_ms();
    let waits = |row: &StoredDelivery| now.saturating_sub(row.at.max(core.started_at)) >= AWAY_MS;
    let mut keepers: BTreeMap<EventId, Option<NodeId>> = BTreeMap::new();
    let (mut given, mut tried) = (0, 0);
    for (key, row) in core.deliveries.all() {
        let Ok(offer) = <[u8; 16]>::try_from(key).map(OfferId) else { continue };
        if tried >= MOST_AT_ONCE || !is_open(&row) || !waits(&row) || core.deposits.get(&offer.0).is_some() {
            continue;
        }
        let Ok(receiver) = core.may_leave(&row) else { continue };
        if core.network.is_connected(&receiver) {
            continue;
        }
        let known = match keepers.get(&row.event) {
            Some(known) => known.clone(),
            None => {
                let found = keeper(core, &row, &receiver).await;
                keepers.insert(row.event, found.clone());
                found
            }
        };
        let Some(keeper) = known else { continue };
        tried += 1;
        match deposit(core, offer, &row, keeper).await {
            Ok(true) => given += 1,
            Ok(false) => drop(keepers.insert(row.event, None)),
            Err(error) => tracing::warn!("something could not be given to a keeper: {error:#}"),
        }
    }
    Ok(given)
}

/// A connected member of the event who has room.
async fn keeper(core: &Core, row: &StoredDelivery, receiver: &NodeId) -> Option<NodeId> {
    let known = row.rendition.as_ref().map(|rendition| rendition.size_bytes);
    let plain_bytes = known.or_else(|| core.library.get(row.asset).map(|asset| asset.size_bytes))?;
    let size_bytes = sealed_bytes(plain_bytes.max(1)).min(MAX_RENDITION_BYTES);
    let nodes = core.events.nodes(&row.event).into_iter();
    let could = nodes.filter(|node| node != receiver && core.network.is_connected(node));
    for node in could.filter(|node| core.keeping.may_ask(row.event, node)).take(MOST_ASKED) {
        let room = KeepRequest::Room { event: row.event, size_bytes };
        if ask_node(core, &node, &room).await == Some(KeepReply::Accept) {
            return Some(node);
        }
        core.keeping.said_no(row.event, node);
    }
    None
}

/// Whether the keeper takes it.
async fn deposit(
    core: &Arc<Core>,
    offer: OfferId,
    delivery: &Arc<StoredDelivery>,
    keeper: NodeId,
) -> anyhow::Result<bool> {
    let Some(rendition) = sending::rendition(core, offer, delivery).await? else { return Ok(true) };
    let Some(asset) = core.library.get(delivery.asset) else { return Ok(true) };
    if sealed_bytes(rendition.size_bytes) > MAX_RENDITION_BYTES {
        return Ok(true);
    }
    let (worker, delivery) = (core.clone(), delivery.clone());
    let row = blocking(move || {
        let core = worker;
        let key = PieceKey(fresh_key()?);
        let reader = core.vault.blobs().open(rendition.blob)?;
        let list = Sealing::new(reader, rendition.size_bytes, key).list()?;
        let label = Label {
            event: delivery.event,
            offer,
            from: core.events.me_in(&delivery.event).ok_or_else(|| anyhow::anyhow!("the event is gone"))?,
            to: delivery.member,
            find_me: delivery.find_me,
            content: list.content(),
            size_bytes: list.size_bytes(),
            expires: UnixMillis(now_ms() + KEPT_FOR_MS),
        };
        let letter = Letter {
            key: key.0,
            content: rendition.content,
            size_bytes: rendition.size_bytes,
            media_type: sending::sent_as(&asset.media_type, rendition.blurred.faces > 0).to_owned(),
            width: asset.width,
            height: asset.height,
            taken_at: core.taken_as_told(&delivery.event, &asset),
            score: delivery.score,
        };
        let sealed = core.events.seal_delivery(label, &letter)?;
        keep_list(&core, &label, list);
        let row = StoredDeposit {
            delivery: sealed,
            key,
            keeper,
            is_kept: false,
            asked_at: now_ms(),
            rendition: Some(rendition.blob),
        };
        core.deposits.put(&offer.0, row.clone())?;
        anyhow::Ok(row)
    })
    .await??;
    let request = KeepRequest::Delivery(Box::new(row.delivery.clone()));
    let Some(reply) = ask_node(core, &row.keeper, &request).await else {
        // It may have heard, and fetches then; else it is asked again.
        return Ok(false);
    };
    heard(core, offer, &row, reply).await?;
    Ok(matches!(reply, KeepReply::Accept | KeepReply::Kept))
}

/// Puts down what a keeper says of something; whether it has come to an end.
async fn heard(core: &Arc<Core>, offer: OfferId, row: &StoredDeposit, reply: KeepReply) -> anyhow::Result<bool> {
    match reply {
        KeepReply::Delivered(receipt) if row.delivery.verify_receipt(&receipt).is_ok() => {
            if let Some(delivery) = core.deliveries.get(&offer.0) {
                sending::delivered(core, offer, &delivery).await?;
            }
            return Ok(forget(core, offer).await);
        }
        // A receipt that is none ends nothing; whoever gives it keeps nothing of mine any more.
        KeepReply::No | KeepReply::Delivered(_) => {
            core.keeping.said_no(row.delivery.label().event, row.keeper.clone());
            return Ok(forget(core, offer).await);
        }
        KeepReply::Kept => set(core, offer, true).await?,
        KeepReply::Accept | KeepReply::NotNow => set(core, offer, false).await?,
    }
    Ok(false)
}

/// The keeper has all of it, durably.
pub(super) async fn is_kept(core: &Arc<Core>, offer: OfferId) -> anyhow::Result<()> {
    set(core, offer, true).await
}

async fn set(core: &Arc<Core>, offer: OfferId, is_kept: bool) -> anyhow::Result<()> {
    let writer = core.clone();
    blocking(move || {
        writer.deposits.change(&offer.0, |row| {
            row.is_kept = is_kept;
            row.asked_at = now_ms();
            true
        })
    })
    .await??;
    core.tell_transfer(&offer);
    Ok(())
}

async fn forget(core: &Arc<Core>, offer: OfferId) -> bool {
    let writer = core.clone();
    let forgotten = blocking(move || writer.deposits.remove(&[offer.0.to_vec()])).await;
    core.tell_transfer(&offer);
    matches!(forgotten, Ok(Ok(())))
}
