//! Sealed deliveries for members who are away: given to a keeper, kept for others, and taken from a keeper (section 12 of the protocol).

mod keeper;
mod receiver;
pub(super) mod sealing;
mod sender;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use inframe_protocol::fetch::FetchRequest;
use inframe_protocol::frame::Message as _;
use inframe_protocol::groups::GroupList;
use inframe_protocol::keep::{KeepReply, KeepRequest, Label};
use inframe_protocol::limits::GROUP_BYTES;
use inframe_protocol::offer::ReceiptState;
use inframe_protocol::{EventId, NodeId, OfferId};

pub(crate) use self::keeper::held_now;
use self::sealing::Sealing;
use super::board::Step;
use super::progress::UnderWay;
use super::sending::{self, Guarded};
use super::syncing;
use super::{Core, Job, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::live::What;
use crate::network::{PeerStream, Protocol};
use crate::sharing::kept::{HeldState, StoredDeposit, StoredHeld};
use crate::sharing::ledgers::{DeliveryState, StoredDelivery};
use crate::transfer::{self, GroupSource, TransferLimits};
use crate::vault::{BlobId, BlobReader};

/// Most that is remembered of who refused what.
const MOST_REMEMBERED: usize = 10_000;
/// A member who keeps nothing, or has no room, is asked again after this long, milliseconds.
const ASKED_AGAIN_MS: u64 = 10 * 60_000;

/// What keeping remembers from step to step; lost at a restart, which asks everybody again.
#[derive(Default)]
pub struct Remembered {
    /// Who said no to an event's deliveries, and until when they are not asked again.
    no_until: Mutex<HashMap<(EventId, NodeId), u64>>,
    /// Whose bytes for a delivery were wrong.
    wrong: Mutex<HashSet<(OfferId, NodeId)>>,
    /// What is being fetched to be kept.
    fetching: Arc<Mutex<HashSet<OfferId>>>,
}

/// Held while something is fetched to be kept.
struct Turn {
    fetching: Arc<Mutex<HashSet<OfferId>>>,
    offer: OfferId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.offer);
    }
}

impl Remembered {
    fn said_no(&self, event: EventId, node: NodeId) {
        let mut no_until = self.no_until.lock().unwrap_or_else(PoisonError::into_inner);
        if no_until.len() >= MOST_REMEMBERED {
            no_until.clear();
        }
        no_until.insert((event, node), now_ms() + ASKED_AGAIN_MS);
    }

    fn may_ask(&self, event: EventId, node: &NodeId) -> bool {
        let no_until = self.no_until.lock().unwrap_or_else(PoisonError::into_inner);
        no_until.get(&(event, node.clone())).is_none_or(|until| *until <= now_ms())
    }

    /// A keeper's bytes were not what the sender had sealed: they are not taken from it again.
    pub(super) fn was_wrong(&self, offer: OfferId, node: NodeId) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= MOST_REMEMBERED {
            wrong.clear();
        }
        wrong.insert((offer, node));
    }

    /// A turn to fetch this, if it is not being fetched and fewer than `most` are.
    fn begin_fetch(&self, offer: OfferId, most: usize) -> Option<Turn> {
        let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = fetching.len() < most && fetching.insert(offer);
        begins.then(|| Turn { fetching: self.fetching.clone(), offer })
    }

    fn is_wrong(&self, offer: OfferId, node: &NodeId) -> bool {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).contains(&(offer, node.clone()))
    }
}

/// The name under which something that is kept lies here. Its sender chose the id of the offer, which must not reach other files.
pub(crate) fn held_blob(label: &Label) -> BlobId {
    let mut hasher = blake3::Hasher::new_derive_key("inframe held blob v1");
    hasher.update(&label.event.0).update(&label.from.0).update(&label.offer.0);
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    BlobId(id)
}

/// One step, each part as far as it gets: what is over goes, what is kept for others is fetched and brought, what waits here is given to a keeper.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let tidier = core.clone();
    blocking(move || {
        keeper::tidy(&tidier)?;
        receiver::tidy(&tidier)
    })
    .await??;
    if core.traffic.get().quiet_now().is_some() {
        return Ok(Step::default());
    }
    keeper::fetch(&core);
    let told = keeper::tell(&core).await;
    let asked = sender::ask(&core).await;
    let given = sender::give(&core).await?;
    Ok(Step { done: told + asked + given, ..Step::default() })
}

/// Answers what a member asks of a keeper, or brings.
pub(super) async fn answer(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let request: KeepRequest = stream.read_message(KeepRequest::MAX_BYTES).await?;
    let (decider, peer) = (core.clone(), stream.peer().clone());
    let (reply, ring) = blocking(move || decide(&decider, &peer, request)).await??;
    stream.write_message(&reply).await?;
    stream.close().await?;
    if let Some(job) = ring {
        core.live.tell(What::Transfers, None);
        core.board.ring(job);
    }
    Ok(())
}

/// The reply, and who has something to do then.
fn decide(core: &Arc<Core>, peer: &NodeId, request: KeepRequest) -> anyhow::Result<(KeepReply, Option<Job>)> {
    let event = request.event();
    let Some((member, _)) = core.events.member_by_node(&event, peer) else { return Ok((KeepReply::No, None)) };
    match request {
        KeepRequest::Room { size_bytes, .. } => {
            let reply = if keeper::has_room(core, &member, size_bytes) { KeepReply::Accept } else { KeepReply::No };
            Ok((reply, None))
        }
        KeepRequest::Erase { offer, .. } => {
            keeper::erase(core, &event, &member, offer)?;
            Ok((KeepReply::No, None))
        }
        KeepRequest::Delivery(delivery) if core.events.me_in(&event) == Some(delivery.label().to) => {
            let reply = receiver::decide(core, peer, *delivery)?;
            Ok((reply, (reply == KeepReply::Accept).then_some(Job::Receiving)))
        }
        KeepRequest::Delivery(delivery) => {
            let reply = keeper::decide(core, peer, &member, *delivery)?;
            Ok((reply, (reply == KeepReply::Accept).then_some(Job::Keeping)))
        }
    }
}

async fn ask(core: &Core, node: &NodeId, request: &KeepRequest) -> Option<KeepReply> {
    match transfer::ask(&core.network, node, Protocol::Keep, request).await {
        Ok(reply) => Some(reply),
        Err(error) => {
            tracing::debug!("a question about keeping was not answered: {error}");
            None
        }
    }
}

/// Sealed bytes that a node may fetch.
pub(super) enum Servable {
    /// Of a delivery of mine, for its keeper.
    Deposit(Arc<StoredDeposit>, Arc<StoredDelivery>),
    /// That I keep, for their receiver.
    Held(Arc<StoredHeld>),
}

/// What a request for sealed bytes is about, if they are for this node.
pub(super) fn servable(core: &Core, peer: &NodeId, request: &FetchRequest) -> Option<Servable> {
    if let Some(deposit) = core.deposits.get(&request.offer.0) {
        let delivery = core.deliveries.get(&request.offer.0)?;
        let open = matches!(delivery.state, DeliveryState::Pending | DeliveryState::Accepted);
        let theirs = deposit.keeper == *peer && deposit.delivery.label().content == request.content;
        let current = !sender::is_of_another_rendition(&deposit, &delivery);
        let may = open && theirs && current && core.may_be_served(&delivery).is_ok();
        return may.then_some(Servable::Deposit(deposit, delivery));
    }
    let held = core.held.get(&request.offer.0)?;
    let Label { event, to, content, .. } = held.delivery.label();
    let theirs = core.events.member_node(event, to).as_ref() == Some(peer);
    let may = theirs && held.state == HeldState::Kept && *content == request.content;
    may.then_some(Servable::Held(held))
}

/// Sends sealed bytes that were asked for.
pub(super) async fn serve(
    core: Arc<Core>,
    stream: PeerStream,
    request: FetchRequest,
    what: Servable,
) -> anyhow::Result<()> {
    let label = match &what {
        Servable::Deposit(deposit, _) => *deposit.delivery.label(),
        Servable::Held(held) => *held.delivery.label(),
    };
    let (to, from) = (core.events.nickname(&label.event, &label.to), core.events.nickname(&label.event, &label.from));
    let event_name = core.events.name(&label.event);
    if matches!(what, Servable::Deposit(..)) && !syncing::heard_all(&core, label.event, stream.peer()).await {
        anyhow::bail!("a fetch was put off until it is known what the members of the event wish");
    }
    // D4: the entry is durable before the first byte leaves.
    let (text, asset) = match &what {
        Servable::Deposit(deposit, delivery) => {
            let keeper = core.events.member_by_node(&label.event, &deposit.keeper).map(|(_, nickname)| nickname);
            let keeper = keeper.context("the keeper is no member any more")?;
            (
                format!("A photo for {to}, sealed for them, went to {keeper} in {event_name}, who keeps it for them."),
                Some(delivery.asset.to_string()),
            )
        }
        Servable::Held(_) => {
            (format!("What this device kept of {from} for {to} in {event_name}, sealed, went to {to}."), None)
        }
    };
    let noter = core.clone();
    blocking(move || noter.activity.note(ActivityKind::Left, text, asset, Some(label.event.to_string()))).await??;
    let limits = TransferLimits::at(core.up.clone());
    match what {
        Servable::Deposit(deposit, delivery) => {
            let rendition = delivery.rendition.clone().context("there is no rendition")?;
            let reader = core.clone();
            let (source, list) = blocking(move || {
                let open = || reader.vault.blobs().open(rendition.blob);
                let list = match reader.lists.get(held_blob(&label)) {
                    Some(list) => list,
                    None => Arc::new(Sealing::new(open()?, rendition.size_bytes, deposit.key).list()?),
                };
                reader.lists.keep(held_blob(&label), list.clone());
                anyhow::Ok((Sealing::new(open()?, rendition.size_bytes, deposit.key), list))
            })
            .await??;
            let under_way = UnderWay::begin(&core, label.offer, request.from_group.saturating_mul(GROUP_BYTES));
            let source = Guarded::new(core.clone(), delivery, source);
            let progress = move |progress: transfer::Progress| under_way.set(progress.bytes_done);
            let receipt = transfer::serve(stream, &request, list, source, &limits, progress).await;
            if receipt.context("a keeper was not given all of it")?.state == ReceiptState::Delivered {
                sender::is_kept(&core, label.offer).await?;
            }
        }
        Servable::Held(_) => {
            let reader = core.clone();
            let (source, list) = blocking(move || {
                let blob = held_blob(&label);
                anyhow::Ok((reader.vault.blobs().open(blob)?, sending::group_list(&reader, blob)?))
            })
            .await??;
            let source = WhileWanted { core: core.clone(), label, source };
            let receipt = transfer::serve(stream, &request, list, source, &limits, |_| ()).await;
            if receipt.context("a receiver was not given all that is kept for them")?.state == ReceiptState::Delivered {
                keeper::was_fetched(&core, label.offer).await?;
            }
        }
    }
    Ok(())
}

/// Asks before every group whether the delivery is still wanted and there.
struct WhileWanted {
    core: Arc<Core>,
    label: Label,
    source: BlobReader,
}

impl GroupSource for WhileWanted {
    fn read_group(&mut self, index: u64, group: &mut Vec<u8>) -> std::io::Result<()> {
        if let Some(quiet) = self.core.traffic.get().quiet_now() {
            return Err(std::io::Error::other(quiet));
        }
        if self.core.held.get(&self.label.offer.0).is_none() || keeper::is_over(&self.core, &self.label, now_ms()) {
            return Err(std::io::Error::other("it is not kept any more"));
        }
        self.source.read_group(index, group)
    }

    fn is_authenticated(&self) -> bool {
        self.source.is_authenticated()
    }
}

/// The hashes of a deposit's sealed groups are kept under the same name as the file of its keeper would have.
fn keep_list(core: &Core, label: &Label, list: GroupList) {
    core.lists.keep(held_blob(label), Arc::new(list));
}
