//! The receiver's side: what a keeper brings is answered as an offer of its sender is.

use std::sync::Arc;

use inframe_protocol::NodeId;
use inframe_protocol::keep::{KeepReply, SealedDelivery};
use inframe_protocol::offer::{Offer, OfferReply};

use crate::clock::now_ms;
use crate::sharing::kept::{PieceKey, StoredSealed};
use crate::sharing::ledgers::ArrivalState;
use crate::workers::{Core, receiving};

/// Answers a keeper. What is accepted is durable before it hears so (D1).
///
/// # Errors
/// When a row cannot be written.
pub(super) fn decide(core: &Arc<Core>, keeper: &NodeId, delivery: SealedDelivery) -> anyhow::Result<KeepReply> {
    let label = *delivery.label();
    if core.keeping.is_wrong(label.offer, keeper) {
        return Ok(KeepReply::No);
    }
    let letter = match core.events.open_delivery(&delivery, now_ms()) {
        Ok(letter) => letter,
        Err(error) => {
            tracing::debug!("what a keeper brings is refused: {error}");
            return Ok(KeepReply::No);
        }
    };
    let offer = Offer {
        offer: label.offer,
        event: label.event,
        find_me: label.find_me,
        content: letter.content,
        size_bytes: letter.size_bytes,
        media_type: letter.media_type.clone(),
        width: letter.width,
        height: letter.height,
        taken_at: letter.taken_at,
        score: letter.score,
        groups: Vec::new(),
    };
    // Before the arrival, which would else be asked for as it is not there.
    let (key, before) = (PieceKey(letter.key), core.sealed.get(&label.offer.0));
    core.sealed.put(&label.offer.0, StoredSealed { delivery: delivery.clone(), key, keeper: keeper.clone() })?;
    let reply = receiving::decide_from(core, label.from, keeper, &offer)?;
    let is_taken = core.arrivals.get(&label.offer.0).is_some_and(|row| row.node == *keeper);
    if reply != OfferReply::Accept || !is_taken {
        match before {
            Some(before) => core.sealed.put(&label.offer.0, StoredSealed::clone(&before))?,
            None => core.sealed.remove(&[label.offer.0.to_vec()])?,
        }
    }
    Ok(match reply {
        OfferReply::Accept => KeepReply::Accept,
        OfferReply::Have => core.events.receipt_for(&delivery).map_or(KeepReply::No, KeepReply::Delivered),
        OfferReply::NotNow => KeepReply::NotNow,
        OfferReply::Decline(_) => KeepReply::No,
    })
}

/// Keys of what has come, or comes no more, go.
///
/// # Errors
/// When a row cannot be removed.
pub(super) fn tidy(core: &Arc<Core>) -> anyhow::Result<()> {
    let is_over = |key: &[u8]| core.arrivals.get(key).is_none_or(|row| row.state != ArrivalState::Accepted);
    let over: Vec<Vec<u8>> = core.sealed.all().into_iter().map(|(key, _)| key).filter(|key| is_over(key)).collect();
    core.sealed.remove(&over)?;
    Ok(())
}
