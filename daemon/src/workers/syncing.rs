//! Syncs: who holds the same is found out by a digest, and what is lacking is asked for, one sync of an event at a time; and the news that the roster
//! has changed, which travels from neighbour to neighbour.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use inframe_protocol::event::spreading::SYNC_EVERY_MS;
use inframe_protocol::event::{Asking, Heard};
use inframe_protocol::frame::Message;
use inframe_protocol::push::{Push, PushReply};
use inframe_protocol::sync::{SyncReply, SyncRequest};
use inframe_protocol::{EventId, NodeId};

use super::events::{sound, take};
use super::{Core, blocking};
use crate::clock::now_ms;
use crate::live::What;
use crate::network::{PeerStream, Protocol};
use crate::tasks::Stage;
use crate::transfer;

/// Questions of one sync; more follow at the next.
const MAX_QUESTIONS: usize = 64;
/// A sync waits so long for the one before it, which would bring the same; a slow member holds up nobody for longer.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Members who are asked what is new before something goes out.
const MAX_ASKED: usize = 16;
/// So long nothing goes out for the sake of one who does not answer.
const HEARD_WITHIN: Duration = Duration::from_secs(10);
/// And so long after a failed answer the receiver is asked again.
const ASKED_ANEW: Duration = Duration::from_secs(1);

/// What is remembered between two syncs.
#[derive(Default)]
pub struct Syncs {
    inner: Mutex<SyncsInner>,
}

#[derive(Default)]
struct SyncsInner {
    /// When the last round began, Unix milliseconds.
    round_at: u64,
    rounds: u64,
    /// Nodes that were asked, since they are connected, what is new in an event.
    asked: HashSet<(EventId, NodeId)>,
    /// Held by the sync of an event that runs.
    turns: HashMap<EventId, Arc<tokio::sync::Mutex<()>>>,
}

impl Syncs {
    /// The number of a new round, if it is time for one.
    fn next_round(&self, now: u64) -> Option<u64> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if now.abs_diff(inner.round_at) < SYNC_EVERY_MS {
            return None;
        }
        inner.round_at = now;
        inner.rounds += 1;
        // Of events that are left, nothing is kept.
        inner.turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Some(inner.rounds)
    }

    fn was_asked(&self, event: EventId, node: &NodeId) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).asked.contains(&(event, node.clone()))
    }

    fn note_asked(&self, event: EventId, node: NodeId) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).asked.insert((event, node));
    }

    /// A node has gone: what it hears meanwhile is asked for when it is back.
    pub(super) fn forget(&self, node: &NodeId) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).asked.retain(|(_, asked)| asked != node);
    }

    fn turn(&self, event: EventId) -> Arc<tokio::sync::Mutex<()>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).turns.entry(event).or_default().clone()
    }
}

/// Syncs with some connected members of each event, in case a push was lost or gossip did not reach everybody.
pub(super) fn round(core: &Arc<Core>) {
    let Some(round) = core.rounds.syncs.next_round(now_ms()) else { return };
    for (event, node) in core.events.partners(round, |node| core.network.is_connected(node)) {
        core.tasks.spawn(Stage::Work, "sync", one(core.clone(), node, event));
    }
}

/// Syncs every common event with a node that is connected.
pub(super) async fn with(core: Arc<Core>, node: NodeId) {
    for event in core.events.shared_with(&node) {
        one(core.clone(), node.clone(), event).await;
    }
}

/// Has asked every member who is connected what is new in an event, since they are: whoever was away may not know yet what somebody wishes for photos
/// of them (R79). Whether `receiver` is among them.
pub(super) async fn heard_all(core: &Arc<Core>, event: EventId, receiver: &NodeId) -> bool {
    let asked = |node: &NodeId| core.rounds.syncs.was_asked(event, node);
    let nodes = core.events.nodes(&event).into_iter();
    let unasked = nodes.filter(|node| core.network.is_connected(node) && !asked(node));
    let unasked: Vec<NodeId> = unasked.take(MAX_ASKED).collect();
    let ask = |node: NodeId| async move {
        let asking = async {
            loop {
                one(core.clone(), node.clone(), event).await;
                // What the receiver knows counts most, as others may not be there.
                if asked(&node) || node != *receiver {
                    return;
                }
                tokio::time::sleep(ASKED_ANEW).await;
            }
        };
        let _ = tokio::time::timeout(HEARD_WITHIN, asking).await;
        // Whoever does not answer in time holds up nobody.
        core.rounds.syncs.note_asked(event, node);
    };
    futures::stream::iter(unasked).for_each_concurrent(MAX_ASKED, ask).await;
    asked(receiver)
}

async fn one(core: Arc<Core>, node: NodeId, event: EventId) {
    let turn = core.rounds.syncs.turn(event);
    // Whoever comes back to many neighbours would else be given the same by each of them.
    let held = tokio::time::timeout(TURN_WITHIN, turn.lock()).await;
    match sync(&core, &node, event).await {
        Ok(()) => core.rounds.syncs.note_asked(event, node),
        Err(error) => tracing::debug!("a sync ended early: {error:#}"),
    }
    drop(held);
}

/// As [`one`], of a type that has a name: a sync may lead to an announcement, and that to a sync.
fn boxed(core: Arc<Core>, node: NodeId, event: EventId) -> BoxFuture<'static, ()> {
    Box::pin(one(core, node, event))
}

/// Fetches what I lack, then pushes what the other lacks, if that is little.
async fn sync(core: &Arc<Core>, node: &NodeId, event: EventId) -> anyhow::Result<()> {
    // What I write from now on need not be in what is exchanged.
    let words = core.events.words(&event);
    let mut asking = Asking::new(node.clone());
    for _ in 0..MAX_QUESTIONS {
        let Some(request) = core.events.question(&event, &mut asking) else { return Ok(()) };
        let reply: SyncReply = transfer::ask(&core.network, node, Protocol::Sync, &request).await?;
        let (page, theirs) = match asking.hear(reply) {
            Heard::NotFound => return Ok(()),
            Heard::AskAgain => continue,
            Heard::Same => {
                look_at(core, event, node, request.roster()).await;
                holds_the_same(core, event, node, words);
                return Ok(());
            }
            Heard::Page { page, theirs, ask_again } => {
                look_at(core, event, node, theirs.roster).await;
                take(core, event, page.roster, page.records).await;
                if ask_again {
                    continue;
                }
                (core.events.pushed_back(&event, &theirs), theirs)
            }
        };
        if let Some(page) = page {
            let push = Push::page(event, page);
            let reply: PushReply = transfer::ask(&core.network, node, Protocol::Push, &push).await?;
            if reply == PushReply::Refused {
                return Ok(());
            }
        } else if theirs.slices.is_empty() {
            // They have less of the roster, and ask for it themselves.
            return Ok(());
        }
        holds_the_same(core, event, node, words);
        return Ok(());
    }
    Ok(())
}

fn holds_the_same(core: &Core, event: EventId, node: &NodeId, words: u64) {
    core.rounds.has_it(event, node.clone(), words);
    core.live.tell(What::Events, Some(event.to_string()));
}

/// Tells some neighbours how long the roster is here; they ask for what they lack (R60).
pub(super) async fn announce(core: Arc<Core>, event: EventId) {
    let Some(announcement) = core.events.announcement(&event) else { return };
    let told = core.events.told_of_roster(&event, |node| core.network.is_connected(node));
    let at_once = told.len();
    let tell = |node: NodeId| {
        let (core, announcement) = (core.clone(), &announcement);
        async move {
            let reply = transfer::ask(&core.network, &node, Protocol::Sync, announcement).await;
            match reply {
                Ok(SyncReply::Page { page, .. }) if !page.roster.is_empty() => {
                    // They have more of it: all of that comes with a sync.
                    core.tasks.spawn(Stage::Work, "sync", boxed(core.clone(), node, event));
                }
                Ok(_) => {}
                Err(error) => tracing::debug!("a roster could not be announced: {error:#}"),
            }
        }
    };
    futures::stream::iter(told).for_each_concurrent(at_once, tell).await;
}

/// A peer asks what it lacks, or tells how long its roster is.
pub(super) async fn answer(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let request: SyncRequest = stream.read_message(SyncRequest::MAX_BYTES).await?;
    let (answerer, node, event) = (core.clone(), stream.peer().clone(), request.event());
    look_at(&core, event, &node, request.roster()).await;
    let peer = node.clone();
    let (reply, lags_behind) = blocking(move || answerer.events.answer(&peer, &request)).await?;
    stream.write_message(&reply).await?;
    // What it brought is looked after below, however the stream ends.
    let _ = stream.close().await;
    if lags_behind {
        core.tasks.spawn(Stage::Work, "sync", one(core.clone(), node, event));
    }
    Ok(())
}

/// Looks whether a node went back in time.
async fn look_at(core: &Arc<Core>, event: EventId, node: &NodeId, shows: u32) {
    let (worker, node) = (core.clone(), node.clone());
    match blocking(move || worker.events.look_at_roster(&event, &node, shows, now_ms())).await {
        Ok(Ok(Some(alarm))) => sound(core, event, &alarm).await,
        Ok(Ok(None)) => {}
        Ok(Err(error)) => tracing::warn!("an alarm could not be kept: {error}"),
        Err(error) => tracing::warn!("an alarm could not be kept: {error:#}"),
    }
}
