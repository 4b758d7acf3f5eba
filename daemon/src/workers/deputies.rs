//! Co-hosts: the host's node tells them that somebody waits and does what they decide; a co-host's node asks it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inframe_protocol::deputy::{DeputyReply, DeputyRequest, WaitingJoin};
use inframe_protocol::frame::Message as _;
use inframe_protocol::{EventId, MemberId, NodeId};

use super::{Core, Job, blocking, events};
use crate::activity::ActivityKind;
use crate::events::{EventsError, WaitingDescription};
use crate::live::What;
use crate::network::{PeerStream, Protocol};
use crate::tasks::Stage;
use crate::transfer::{self, AskError};

/// Who waits at the hosts of the events in which this node is co-host, as last heard; lost at a restart, when it is asked for again.
#[derive(Default)]
pub struct Heard(Mutex<HashMap<EventId, Vec<WaitingJoin>>>);

impl Heard {
    fn inner(&self) -> MutexGuard<'_, HashMap<EventId, Vec<WaitingJoin>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a co-host's wish was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeputyError {
    /// Nobody else has the event's key.
    #[error("the host's device is not connected, and without it nobody comes or goes; try again when it is back")]
    HostAway,
    /// It answered no.
    #[error("the host's device did not do it: it was done already, or you are no co-host any more")]
    Refused,
    /// The question or the answer got lost.
    #[error("the host's device did not answer; look whether it was done, and try again")]
    NoAnswer(#[from] AskError),
}

/// Who waits at the host of an event in which this node is co-host; nobody while the host is away, since nothing could be done.
#[must_use]
pub(crate) fn waiting(core: &Core, event: &EventId) -> Vec<WaitingDescription> {
    let Some(host) = core.events.host_for_co_host(event).filter(|host| core.network.is_connected(host)) else {
        return Vec::new();
    };
    let heard = core.rounds.deputies.inner().get(event).cloned().unwrap_or_default();
    heard.iter().map(|one| core.events.seen_by_co_host(event, &host, one)).collect()
}

/// Has the host's node do something. Gives whether this node is a co-host at all.
///
/// # Errors
/// [`DeputyError`].
pub(crate) async fn wish(core: &Arc<Core>, request: DeputyRequest) -> Result<bool, DeputyError> {
    let event = request.event();
    let Some(host) = core.events.host_for_co_host(&event) else { return Ok(false) };
    if !core.network.is_connected(&host) {
        return Err(DeputyError::HostAway);
    }
    let reply: DeputyReply = transfer::ask(&core.network, &host, Protocol::Deputy, &request).await?;
    hear(core, event).await;
    if reply == DeputyReply::Done { Ok(true) } else { Err(DeputyError::Refused) }
}

/// Asks the hosts that are connected who waits, where this node is co-host and does not know.
pub(super) async fn ask(core: &Arc<Core>) {
    core.rounds.deputies.inner().retain(|event, _| core.events.host_for_co_host(event).is_some());
    for event in core.events.ids() {
        let unknown = !core.rounds.deputies.inner().contains_key(&event);
        if unknown && core.events.host_for_co_host(&event).is_some() {
            hear(core, event).await;
        }
    }
}

/// What was heard from a host is old when they are back.
pub(super) fn is_back(core: &Core, node: &NodeId) {
    let mut heard = core.rounds.deputies.inner();
    heard.retain(|event, _| core.events.host_for_co_host(event).is_some_and(|host| host != *node));
}

/// Asks a host who waits, if they are there.
async fn hear(core: &Arc<Core>, event: EventId) {
    let host = core.events.host_for_co_host(&event).filter(|host| core.network.is_connected(host));
    let Some(host) = host else { return };
    let request = DeputyRequest::Waiting { event };
    let reply = transfer::ask::<_, DeputyReply>(&core.network, &host, Protocol::Deputy, &request).await;
    let heard = match reply {
        Ok(DeputyReply::Waiting(waiting)) => waiting,
        // Not a co-host for them yet, or any more.
        Ok(_) => Vec::new(),
        Err(error) => return tracing::debug!("a host did not say who waits: {error}"),
    };
    core.rounds.deputies.inner().insert(event, heard);
    core.live.tell(What::Events, Some(event.to_string()));
}

/// Tells the co-hosts of my event that who waits has changed.
pub(crate) fn tell_co_hosts(core: &Arc<Core>, event: EventId) {
    for node in core.events.co_hosts(&event) {
        if !core.network.is_connected(&node) {
            continue;
        }
        let core = core.clone();
        core.clone().tasks.spawn(Stage::Work, "telling a co-host", async move {
            let request = DeputyRequest::Changed { event };
            if let Err(error) = transfer::ask::<_, DeputyReply>(&core.network, &node, Protocol::Deputy, &request).await
            {
                // They ask when they are connected again.
                tracing::debug!("a co-host was not told who waits: {error}");
            }
        });
    }
}

/// Answers a co-host, or a host.
pub(super) async fn answer(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let request: DeputyRequest = stream.read_message(DeputyRequest::MAX_BYTES).await?;
    let (event, peer) = (request.event(), stream.peer().clone());
    let reply = match request {
        DeputyRequest::Changed { .. } => match core.events.host_for_co_host(&event) {
            Some(host) if host == peer => {
                let core = core.clone();
                core.clone().tasks.spawn(Stage::Work, "asking a host", async move { hear(&core, event).await });
                DeputyReply::Done
            }
            _ => DeputyReply::No,
        },
        request => decide(&core, &peer, request).await?,
    };
    stream.write_message(&reply).await?;
    Ok(stream.close().await?)
}

/// R71: does what a co-host asks.
async fn decide(core: &Arc<Core>, peer: &NodeId, request: DeputyRequest) -> anyhow::Result<DeputyReply> {
    let event = request.event();
    let name = core.events.name(&event);
    let who = core.events.member_by_node(&event, peer).map(|(_, nickname)| nickname);
    let Some(waiting) = core.events.waiting_for(&event, peer) else {
        if let Some(who) = who {
            let text = format!("{who} wanted to decide who is in {name}, and is no co-host.");
            events::note_of(core, peer.clone(), ActivityKind::Refused, text, Some(event)).await;
        }
        return Ok(DeputyReply::No);
    };
    let who = who.unwrap_or_default();
    let text = match request {
        DeputyRequest::Waiting { .. } | DeputyRequest::Changed { .. } => return Ok(DeputyReply::Waiting(waiting)),
        DeputyRequest::Decide { member, admit, .. } => {
            let Some(one) = waiting.iter().find(|one| one.member.member_id() == member) else {
                return Ok(DeputyReply::No);
            };
            let did = if admit { "admitted" } else { "did not admit" };
            let text = format!("{who}, co-host, {did} {} to {name}.", one.nickname);
            let deciding = core.clone();
            let decided = blocking(move || deciding.events.decide_admission(&event, &member, admit)).await?;
            if !was_done(decided.map(drop))? {
                return Ok(DeputyReply::No);
            }
            text
        }
        DeputyRequest::Remove { member, .. } => {
            if !core.events.is_for_co_hosts_to_remove(&event, &member) {
                return Ok(DeputyReply::No);
            }
            let text = format!("{who}, co-host, removed {} from {name}.", core.events.nickname(&event, &member));
            if !was_done(remove(core, event, member).await?)? {
                return Ok(DeputyReply::No);
            }
            text
        }
    };
    core.note(ActivityKind::Member, text, None, Some(event)).await;
    core.live.tell(What::Events, Some(event.to_string()));
    core.board.ring(Job::Events);
    core.board.ring(Job::Matching);
    tell_co_hosts(core, event);
    Ok(DeputyReply::Done)
}

async fn remove(core: &Arc<Core>, event: EventId, member: MemberId) -> anyhow::Result<Result<(), EventsError>> {
    let core = core.clone();
    blocking(move || core.events.remove_member(&event, &member)).await
}

/// Somebody else was faster: that is no error.
fn was_done(outcome: Result<(), EventsError>) -> anyhow::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(EventsError::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
