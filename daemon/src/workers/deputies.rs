//! Co-hosts: the host's node tells them that somebody waits and does what they decide; a co-host's node asks it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inframe_protocol::deputy::{DeputyInvite, DeputyReply, DeputyRequest, WaitingJoin};
use inframe_protocol::frame::Message as _;
use inframe_protocol::invite::Invite;
use inframe_protocol::limits::MAX_DEPUTY_INVITES;
use inframe_protocol::{EventId, MemberId, NodeId};

use super::{Core, Job, blocking, events};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::events::{Events, EventsError, IssuedLink, Terms, WaitingDescription};
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
    /// It made no invite.
    #[error(
        "the host's device made no invite: you have {MAX_DEPUTY_INVITES} that can be used already, or are no co-host any more"
    )]
    NoInvite,
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
    let Some((_, reply)) = ask_host(core, &request).await? else { return Ok(false) };
    hear(core, request.event()).await;
    if reply == DeputyReply::Done { Ok(true) } else { Err(DeputyError::Refused) }
}

/// Has the host's node make an invite, or say which ones can be used. None when this node is no co-host.
///
/// # Errors
/// [`DeputyError`].
pub(crate) async fn invites(
    core: &Arc<Core>,
    request: DeputyRequest,
) -> Result<Option<Vec<DeputyInvite>>, DeputyError> {
    let Some((host, reply)) = ask_host(core, &request).await? else { return Ok(None) };
    let DeputyReply::Invites(invites) = reply else { return Err(DeputyError::NoInvite) };
    let fits = |one: &DeputyInvite| one.invite.event == request.event() && one.invite.host == host;
    if invites.iter().all(fits) { Ok(Some(invites)) } else { Err(DeputyError::NoInvite) }
}

/// The host's node and what it answers, where this node is a co-host.
async fn ask_host(core: &Arc<Core>, request: &DeputyRequest) -> Result<Option<(NodeId, DeputyReply)>, DeputyError> {
    let Some(host) = core.events.host_for_co_host(&request.event()) else { return Ok(None) };
    if !core.network.is_connected(&host) {
        return Err(DeputyError::HostAway);
    }
    let reply = transfer::ask(&core.network, &host, Protocol::Deputy, request).await?;
    Ok(Some((host, reply)))
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
    let by = format!("{who}, co-host,");
    let done = match request {
        DeputyRequest::Waiting { .. } | DeputyRequest::Changed { .. } => return Ok(DeputyReply::Waiting(waiting)),
        DeputyRequest::Decide { member, admit, .. } => admit_as_host(core, by, event, member, admit).await?,
        DeputyRequest::Remove { member, .. } if core.events.is_for_co_hosts_to_remove(&event, &member) => {
            remove_as_host(core, by, event, member).await?
        }
        DeputyRequest::Remove { .. } => return Ok(DeputyReply::No),
        DeputyRequest::Invites { .. } => return listed(core.events.invites_of_co_host(&event, peer)),
        DeputyRequest::Invite { uses, life_ms, .. } => {
            return invite_as_host(core, by, event, peer.clone(), Terms { life_ms, uses, by_hand: false }).await;
        }
        DeputyRequest::Withdraw { invite, .. } => {
            let peer = peer.clone();
            let withdraw = move |events: &Events| {
                events.withdraw_for(&event, &peer, &invite)?;
                Ok(format!("{by} withdrew an invite to {}.", events.name(&event)))
            };
            as_host(core, event, withdraw).await?
        }
    };
    Ok(if was_done(done)? { DeputyReply::Done } else { DeputyReply::No })
}

/// Makes an invite for a co-host (`by`), and notes it.
async fn invite_as_host(
    core: &Arc<Core>,
    by: String,
    event: EventId,
    co_host: NodeId,
    terms: Terms,
) -> anyhow::Result<DeputyReply> {
    let addresses = events::told_addresses(core);
    let made = Arc::new(Mutex::new(None));
    let out = made.clone();
    let outcome = as_host(core, event, move |events| {
        let link = events.issue_invite_for(&event, &co_host, addresses, terms)?;
        let whom = if terms.uses == 1 { "one person".to_owned() } else { format!("{} people", terms.uses) };
        let text = format!("{by} made an invite for {whom} to {}.", events.name(&event));
        *out.lock().unwrap_or_else(PoisonError::into_inner) = Some(link);
        Ok(text)
    });
    match outcome.await? {
        Ok(()) => listed(made.lock().unwrap_or_else(PoisonError::into_inner).take().into_iter().collect()),
        // They have as many as they may, or are no co-host since a moment ago.
        Err(EventsError::Invalid(_) | EventsError::NotFound) => Ok(DeputyReply::No),
        Err(error) => Err(error.into()),
    }
}

fn listed(links: Vec<IssuedLink>) -> anyhow::Result<DeputyReply> {
    let one = |link: IssuedLink| {
        let invite = Invite::parse(&link.link)?;
        Ok(DeputyInvite { invite, uses: link.uses, uses_left: link.uses_left })
    };
    Ok(DeputyReply::Invites(links.into_iter().map(one).collect::<anyhow::Result<_>>()?))
}

/// What the host's node does for its owner or a co-host (`by`): admits or refuses somebody who waits, and notes it.
///
/// # Errors
/// The outer one when the note cannot be written, the inner one when this node is not the host or nobody of that id waits.
pub(crate) async fn admit_as_host(
    core: &Arc<Core>,
    by: String,
    event: EventId,
    member: MemberId,
    admit: bool,
) -> anyhow::Result<Result<(), EventsError>> {
    let outcome = as_host(core, event, move |events| {
        let waiting = events.describe(&event, now_ms()).map(|event| event.waiting).unwrap_or_default();
        let nickname = waiting.into_iter().find(|one| one.id == member).map(|one| one.nickname).unwrap_or_default();
        events.decide_admission(&event, &member, admit)?;
        let did = if admit { "admitted" } else { "did not admit" };
        Ok(format!("{by} {did} {nickname} to {}.", events.name(&event)))
    });
    let outcome = outcome.await?;
    if outcome.is_ok() {
        tell_co_hosts(core, event);
    }
    Ok(outcome)
}

/// What the host's node does for its owner or a co-host (`by`): removes a member, begins a new epoch, and notes it.
///
/// # Errors
/// The outer one when the note cannot be written, the inner one when this node is not the host or there is no such member.
pub(crate) async fn remove_as_host(
    core: &Arc<Core>,
    by: String,
    event: EventId,
    member: MemberId,
) -> anyhow::Result<Result<(), EventsError>> {
    as_host(core, event, move |events| {
        let text = format!("{by} removed {} from {}.", events.nickname(&event, &member), events.name(&event));
        events.remove_member(&event, &member)?;
        Ok(text)
    })
    .await
}

/// Does something to an event, notes what it says of it, and wakes whom it concerns.
async fn as_host(
    core: &Arc<Core>,
    event: EventId,
    work: impl FnOnce(&Events) -> Result<String, EventsError> + Send + 'static,
) -> anyhow::Result<Result<(), EventsError>> {
    let doing = core.clone();
    let outcome = blocking(move || match work(&doing.events) {
        Ok(text) => doing.activity.note(ActivityKind::Member, text, None, Some(event.to_string())).map(Ok),
        Err(error) => Ok(Err(error)),
    });
    let outcome = outcome.await??;
    if outcome.is_ok() {
        core.live.tell(What::Events, Some(event.to_string()));
        core.board.ring(Job::Events);
        core.board.ring(Job::Matching);
    }
    Ok(outcome.map(drop))
}

/// Somebody else was faster: that is no error.
fn was_done(outcome: Result<(), EventsError>) -> anyhow::Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(EventsError::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
