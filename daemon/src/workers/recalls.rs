//! Asking back photos that were sent, and answering those who ask theirs back. A recall is a request: whoever has a photo decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use inframe_protocol::frame::Message as _;
use inframe_protocol::limits::MAX_RECALLS;
use inframe_protocol::recall::{Recall, RecallAnswer, RecallReply};
use inframe_protocol::{EventId, MemberId, OfferId};

use super::{Core, blocking, events, trash};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::library::{AssetId, Origin};
use crate::live::What;
use crate::network::{PeerStream, Protocol};
use crate::sharing::ledgers::{ArrivalState, DeliveryState};
use crate::sharing::recalls::{RecallState, StoredRecall};
use crate::transfer;
use crate::vault::VaultError;

/// Notes that a photo is asked back, durably, if it was not before. Whether anything was delivered under this offer. Blocking.
///
/// # Errors
/// When the vault fails.
pub(crate) fn begin(core: &Core, offer: &OfferId) -> Result<bool, VaultError> {
    let Some(delivery) = core.deliveries.get(&offer.0).filter(|row| row.state == DeliveryState::Delivered) else {
        return Ok(false);
    };
    if core.recalls.get(&offer.0).is_some() {
        return Ok(true);
    }
    let (event, member, asset, now) = (delivery.event, delivery.member, delivery.asset, now_ms());
    core.recalls
        .put(&offer.0, StoredRecall { event, member, asset, state: RecallState::Waiting, at: now, changed_at: now })?;
    core.tell_transfer(offer);
    let text = format!("You asked {} to delete a photo that you had sent.", core.events.nickname(&event, &member));
    core.activity.note(ActivityKind::Asked, text, Some(asset.to_string()), Some(event.to_string()))?;
    Ok(true)
}

/// Asks those who are connected and have not decided.
pub(crate) async fn ask(core: &Arc<Core>) {
    let mut open: BTreeMap<(EventId, MemberId), Vec<OfferId>> = BTreeMap::new();
    for (key, row) in core.recalls.all() {
        if let (RecallState::Waiting | RecallState::Open, Ok(id)) = (row.state, key.try_into()) {
            open.entry((row.event, row.member)).or_default().push(OfferId(id));
        }
    }
    for ((event, member), offers) in open {
        let Some(node) = core.events.member_node(&event, &member).filter(|node| core.network.is_connected(node)) else {
            continue;
        };
        for offers in offers.chunks(MAX_RECALLS) {
            let question = Recall::Ask { event, offers: offers.to_vec() };
            let reply = transfer::ask::<_, RecallReply>(&core.network, &node, Protocol::Recall, &question).await;
            match reply {
                Ok(RecallReply { answers }) => {
                    for (offer, answer) in offers.iter().zip(answers) {
                        hear(core, *offer, answer).await;
                    }
                }
                // They are asked again.
                Err(error) => tracing::debug!("a recall was not answered: {error}"),
            }
        }
    }
}

/// Takes their answer.
async fn hear(core: &Arc<Core>, offer: OfferId, answer: RecallAnswer) {
    let writer = core.clone();
    let heard = blocking(move || {
        let state = RecallState::from(answer);
        let mut news = false;
        let row = writer.recalls.change(&offer.0, |row| {
            news = matches!(row.state, RecallState::Waiting | RecallState::Open) && row.state != state;
            if news {
                (row.state, row.changed_at) = (state, now_ms());
            }
            news
        })?;
        let Some(row) = row.filter(|row| news && row.state != RecallState::Open) else { return Ok(()) };
        let who = writer.events.nickname(&row.event, &row.member);
        let text = match row.state {
            RecallState::Deleted => format!("{who} deleted a photo that you had asked back."),
            RecallState::Kept => format!("{who} keeps a photo that you had asked back."),
            _ => format!("{who} has no such photo from you as you asked back."),
        };
        writer.activity.note(ActivityKind::Asked, text, Some(row.asset.to_string()), Some(row.event.to_string()))
    });
    if !matches!(heard.await, Ok(Ok(()))) {
        tracing::error!("the answer to a recall could not be stored; it is asked for again");
    }
    core.tell_transfer(&offer);
}

/// Answers whoever asks theirs back, or tells how it stands with mine.
pub(super) async fn answer(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let message: Recall = stream.read_message(Recall::MAX_BYTES).await?;
    let peer = stream.peer().clone();
    let (Recall::Ask { event, .. } | Recall::Tell { event, .. }) = message;
    let member = core.events.member_by_node(&event, &peer).map(|(member, _)| member);
    let answers = match (message, member) {
        (Recall::Ask { offers, .. }, Some(member)) => {
            let reader = core.clone();
            let (answers, new) = blocking(move || {
                let mut new = 0_usize;
                let one = |offer: &OfferId| stands(&reader, event, member, offer, &mut new);
                let answers = offers.iter().map(one).collect::<Result<Vec<_>, VaultError>>()?;
                Ok::<_, VaultError>((answers, new))
            })
            .await??;
            if new > 0 {
                let (who, name) = (core.events.nickname(&event, &member), core.events.name(&event));
                let photos = if new == 1 { "a photo".to_owned() } else { format!("{new} photos") };
                let text = format!(
                    "{who} asks you to delete {photos} that they sent you in {name}. Approvals is where you answer."
                );
                events::note_of(&core, peer, ActivityKind::Asked, text, Some(event)).await;
                core.live.tell(What::Approvals, None);
                core.live.tell(What::Status, None);
            }
            answers
        }
        (Recall::Tell { offer, answer, .. }, Some(member)) => {
            let mine = core.recalls.get(&offer.0).is_some_and(|row| row.event == event && row.member == member);
            if mine {
                hear(&core, offer, answer).await;
            }
            vec![if mine { answer } else { RecallAnswer::Unknown }]
        }
        (Recall::Ask { offers, .. }, None) => vec![RecallAnswer::Unknown; offers.len()],
        (Recall::Tell { .. }, None) => vec![RecallAnswer::Unknown],
    };
    stream.write_message(&RecallReply { answers }).await?;
    stream.close().await?;
    Ok(())
}

/// How it stands with what came under this offer from this member; the first question puts it before the owner. Only what came from them can be asked
/// back: what the owner had already is not theirs.
fn stands(
    core: &Core,
    event: EventId,
    member: MemberId,
    offer: &OfferId,
    new: &mut usize,
) -> Result<RecallAnswer, VaultError> {
    let arrival = core.arrivals.get(&offer.0).filter(|row| row.event == event && row.from == member);
    let Some(ArrivalState::Done(asset)) = arrival.map(|row| row.state.clone()) else {
        return Ok(RecallAnswer::Unknown);
    };
    let here = core.library.get(asset).or_else(|| core.library.in_trash(asset));
    let state = match &here {
        None => RecallState::Deleted,
        Some(found) => match found.origin {
            Origin::Received { from, .. } if from == member => RecallState::Open,
            _ => return Ok(RecallAnswer::Unknown),
        },
    };
    let known = core.asked_back.get(&offer.0);
    if let Some(known) = known.filter(|known| known.state != RecallState::Open || state == RecallState::Open) {
        return Ok(known.state.answer());
    }
    let now = now_ms();
    core.asked_back.put(&offer.0, StoredRecall { event, member, asset, state, at: now, changed_at: now })?;
    *new += usize::from(state == RecallState::Open);
    Ok(state.answer())
}

/// The owner's decision on what somebody asks back: deleted for good, or kept. Durable when it returns; blocking.
///
/// # Errors
/// When the photo cannot be deleted, or the vault fails.
pub(crate) fn decide(core: &Arc<Core>, offer: &OfferId, row: &StoredRecall, delete: bool) -> anyhow::Result<()> {
    if delete {
        let photo: [AssetId; 1] = [row.asset];
        if core.library.get(row.asset).is_some() {
            trash::discard(core, &photo)??;
        }
        trash::purge(core, &photo)?;
    }
    let state = if delete { RecallState::Deleted } else { RecallState::Kept };
    core.asked_back.change(&offer.0, |row| {
        (row.state, row.changed_at) = (state, now_ms());
        true
    })?;
    let who = core.events.nickname(&row.event, &row.member);
    let did = if delete { "deleted" } else { "keep" };
    let text = format!("You {did} a photo that {who} had asked back.");
    Ok(core.activity.note(ActivityKind::Asked, text, None, Some(row.event.to_string()))?)
}

/// Tells whoever asked, if they are there; else they ask again.
pub(crate) async fn tell(core: &Arc<Core>, offer: OfferId) {
    let Some(row) = core.asked_back.get(&offer.0) else { return };
    let Some(node) = core.events.member_node(&row.event, &row.member).filter(|node| core.network.is_connected(node))
    else {
        return;
    };
    let message = Recall::Tell { event: row.event, offer, answer: row.state.answer() };
    if let Err(error) = transfer::ask::<_, RecallReply>(&core.network, &node, Protocol::Recall, &message).await {
        tracing::debug!("an answer to a recall did not arrive; they ask again: {error}");
    }
}
