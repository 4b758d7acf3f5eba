//! The events worker and the answers to peers about events: asks to join, pushes what is new, heals by sync, renews find-mes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use inframe_protocol::event::Change;
use inframe_protocol::frame::Message;
use inframe_protocol::join::{JoinRefusal, JoinReply, JoinRequest};
use inframe_protocol::push::{Push, PushReply};
use inframe_protocol::record::RecordBody;
use inframe_protocol::{EventId, NodeId};

use super::board::Step;
use super::core::rules;
use super::syncing::{self, Syncs};
use super::{Core, Job, blocking, deputies, farewells, reach, recalls};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::events::{Alarm, EventsError, Outgoing, Portrait, Spoken, Taken};
use crate::faces::ProfileId;
use crate::live::What;
use crate::network::{GossipError, PeerStream, Protocol};
use crate::tasks::Stage;
use crate::transfer;

/// Peers told at once.
const PUSHES_AT_ONCE: usize = 16;
/// While a join waits for the host, it is asked again this often.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Records of large events that nobody listened to yet; what does not fit is healed by sync.
const MAX_UNHEARD: usize = 256;
/// Addresses told to others; the rest are variations.
const MAX_TOLD_ADDRESSES: usize = 8;

/// What the events worker remembers between two steps.
#[derive(Default)]
pub struct Rounds {
    inner: Mutex<RoundsInner>,
    pub(super) syncs: Syncs,
    pub(super) code_runs: super::codes::Runs,
    pub(super) deputies: super::deputies::Heard,
}

#[derive(Default)]
struct RoundsInner {
    /// Topics subscribed to.
    topics: BTreeSet<String>,
    /// Own records that were gossiped while nobody followed the topic, and their topic.
    unheard: VecDeque<(String, Vec<u8>)>,
    /// Nodes that have what I wrote in an event, up to which word.
    told: HashMap<EventId, HashMap<NodeId, u64>>,
}

impl Rounds {
    fn inner(&self) -> MutexGuard<'_, RoundsInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node has what I wrote up to this word, see [`crate::events::Events::words`].
    pub(super) fn has_it(&self, event: EventId, node: NodeId, words: u64) {
        let mut rounds = self.inner();
        let known = rounds.told.entry(event).or_default().entry(node).or_default();
        *known = words.max(*known);
    }
}

impl Core {
    /// How many nodes have all that I wrote in this event.
    #[must_use]
    pub fn told(&self, event: &EventId) -> usize {
        let last = self.events.words(event);
        self.rounds.inner().told.get(event).map_or(0, |told| told.values().filter(|words| **words == last).count())
    }
}

/// The portrait of a profile for find-mes, from its selfies.
pub(crate) fn portrait(core: &Core, profile: ProfileId) -> Option<Portrait> {
    let pack = core.pack();
    let likable = core.profile.portrait(profile, &pack.id)?;
    // Never the profile's own name: what a guardian calls a child stays here.
    let label = core.settings.get().nickname;
    Some(Portrait { profile, likable, mean: pack.mean.clone(), pack: pack.id.clone(), label })
}

/// Addresses to tell to others.
pub(crate) fn told_addresses(core: &Core) -> Vec<String> {
    core.network.addresses().into_iter().take(MAX_TOLD_ADDRESSES).collect()
}

/// One step.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    reach::name_nodes(&core).await;
    follow_topics(&core).await;
    let joining = ask_to_join(&core).await;
    let keeper = core.clone();
    blocking(move || keep_up(&keeper)).await?;
    let told = tell_others(&core).await;
    let unheard = publish_again(&core).await;
    farewells::say(&core).await;
    recalls::ask(&core).await;
    syncing::round(&core);
    deputies::ask(&core).await;
    let again = (joining > 0 || unheard).then_some(ASK_AGAIN);
    let again_in = again.into_iter().chain(core.events.writes_anew_in(now_ms())).min();
    Ok(Step { done: told, pending: joining, again_in })
}

/// What a host does by itself, renewals, my own profile record, and pruning; a refused record is logged and tried again later.
fn keep_up(core: &Core) {
    // First, so that what follows is written under the keys that hold from now on.
    if let Err(error) = core.events.keep_roster(now_ms()) {
        tracing::warn!("the roster of an event could not be kept up: {error}");
    }
    if let Err(error) = core.events.renew(|profile| portrait(core, profile)) {
        tracing::warn!("a find-me could not be renewed: {error}");
    }
    if let Err(error) = core.events.renew_protections(|profile| portrait(core, profile)) {
        tracing::warn!("what is asked of photos could not be renewed: {error}");
    }
    let nickname = core.settings.get().nickname;
    let addresses = told_addresses(core);
    for event in core.events.ids() {
        if core.events.my_profile_differs(&event, &nickname, &addresses) {
            let body = RecordBody::Profile { nickname: nickname.clone(), addresses: addresses.clone() };
            if let Err(error) = core.events.write(&event, body) {
                tracing::warn!("my addresses could not be told to an event: {error}");
            }
        }
    }
    if let Err(error) = core.events.keep_contacts(&core.settings.contact(), now_ms()) {
        tracing::warn!("who the owner is could not be told to an event, or not taken back: {error}");
    }
    if let Err(error) = core.activity.sum_up(now_ms()) {
        tracing::warn!("what was passed over in the activity log could not be told: {error}");
    }
    if let Err(error) = core.events.prune(now_ms()) {
        tracing::warn!("expired records could not be dropped: {error}");
    }
}

async fn follow_topics(core: &Arc<Core>) {
    let wanted: BTreeSet<String> = core.events.ids().iter().filter_map(|event| core.events.topic(event)).collect();
    let before = { std::mem::replace(&mut core.rounds.inner().topics, wanted.clone()) };
    for topic in before.difference(&wanted) {
        core.network.unsubscribe(topic).await;
    }
    for topic in wanted.difference(&before) {
        if let Err(error) = core.network.subscribe(topic).await {
            tracing::debug!("a topic could not be followed: {error}");
        }
    }
}

/// Asks every host whose invite I hold; gives how many have not answered finally.
async fn ask_to_join(core: &Arc<Core>) -> u64 {
    let nickname = core.settings.get().nickname;
    let requests = core.events.join_requests(&nickname, &told_addresses(core));
    let mut open = 0;
    for (event, invite, request) in requests {
        open += u64::from(!ask_host(core, event, &invite, &request).await);
    }
    open
}

async fn ask_host(
    core: &Arc<Core>,
    event: EventId,
    invite: &inframe_protocol::invite::Invite,
    request: &JoinRequest,
) -> bool {
    if let Err(error) = core.network.connect(&invite.host, &invite.addresses).await {
        tracing::debug!("a host is not reached yet: {error}");
        return false;
    }
    let reply: JoinReply = match transfer::ask(&core.network, &invite.host, Protocol::Join, request).await {
        Ok(reply) => reply,
        Err(error) => {
            tracing::debug!("a host did not answer a join request: {error}");
            return false;
        }
    };
    match reply {
        JoinReply::Waiting => false,
        JoinReply::Refused(JoinRefusal::Busy) => false,
        JoinReply::Admitted(roster) => {
            take(core, event, roster, Vec::new()).await;
            let host = invite.host.clone();
            core.tasks.spawn(Stage::Work, "first sync", syncing::with(core.clone(), host));
            core.board.ring(Job::Events);
            true
        }
        JoinReply::Refused(why) => {
            let writer = core.clone();
            let problem = capital(&why.to_string());
            let _ = blocking(move || writer.events.joining_failed(&event, problem)).await;
            true
        }
    }
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>() + ".")
}

/// Pushes what is new to connected members and publishes records under the topic; what does not arrive is healed by sync.
pub(crate) async fn tell_others(core: &Arc<Core>) -> u64 {
    let outgoing = core.events.take_outgoing();
    let count = outgoing.len() as u64;
    for Outgoing { event, topic, records, roster, words } in outgoing {
        if let Some(topic) = topic {
            for record in &records {
                publish(core, &event, &topic, record).await;
            }
        }
        let push = Push { event, roster, records };
        let nodes: Vec<NodeId> =
            core.events.nodes(&event).into_iter().filter(|node| core.network.is_connected(node)).collect();
        futures::stream::iter(nodes)
            .for_each_concurrent(PUSHES_AT_ONCE, |node| {
                let push = push.clone();
                async move {
                    match transfer::ask(&core.network, &node, Protocol::Push, &push).await {
                        Ok(PushReply::Taken) => core.rounds.has_it(event, node, words),
                        Ok(PushReply::Refused) => tracing::debug!("a push was refused"),
                        Err(error) => tracing::debug!("a push did not arrive: {error:#}"),
                    }
                }
            })
            .await;
    }
    count
}

/// Gossips a record. In a small event nobody depends on it: whoever is connected gets a push, and the others sync. In a large one those who are not
/// neighbours hear of it by gossip, so what found nobody is tried again.
async fn publish(core: &Core, event: &EventId, topic: &str, record: &[u8]) {
    let published = core.network.publish(topic, record.to_vec()).await;
    if matches!(published, Err(GossipError::NobodyListens)) && core.events.is_sparse(event) {
        let mut rounds = core.rounds.inner();
        if rounds.unheard.len() == MAX_UNHEARD {
            rounds.unheard.pop_front();
        }
        rounds.unheard.push_back((topic.to_owned(), record.to_vec()));
    }
}

/// Gossips what found nobody before; whether there is still something and somebody connected.
async fn publish_again(core: &Core) -> bool {
    let unheard = std::mem::take(&mut core.rounds.inner().unheard);
    for (topic, record) in unheard {
        // A topic that is not followed any more belongs to an earlier epoch.
        if let Some(event) = core.events.by_topic(&topic) {
            publish(core, &event, &topic, &record).await;
        }
    }
    !core.rounds.inner().unheard.is_empty() && !core.network.peers().borrow().is_empty()
}

/// Takes what a peer gave and wakes whom it concerns. Gives whether all that holds of it is stored for good.
pub(super) async fn take(
    core: &Arc<Core>,
    event: EventId,
    roster: Vec<inframe_protocol::roster::SignedRosterEntry>,
    records: Vec<Vec<u8>>,
) -> bool {
    let worker = core.clone();
    let entries = !roster.is_empty();
    let taken = blocking(move || worker.events.take(&event, &roster, &records)).await;
    let Ok(Taken { changes, alarms, problem }) = taken else { return false };
    let stored = !matches!(problem, Some(EventsError::Vault(_) | EventsError::Catalog(_)));
    for alarm in &alarms {
        sound(core, event, alarm).await;
    }
    if let Some(problem) = problem {
        tracing::info!("something of an event was refused: {problem}");
        if is_suspicious(&problem) {
            let text = format!("A record in {} was refused: {problem}.", core.events.name(&event));
            core.note(ActivityKind::Suspicious, text, None, Some(event)).await;
        }
    }
    for change in &changes {
        note_change(core, event, change).await;
    }
    if changes.is_empty() {
        return stored;
    }
    let spoken = |change: &Change| match change {
        Change::FindMe(id) => Some(Spoken::Looks(*id)),
        Change::Protected(id) => Some(Spoken::Asks(*id)),
        _ => None,
    };
    look_for_alikes(core, event, changes.iter().filter_map(spoken).collect()).await;
    if entries {
        // At once: the streams of those who joined just now would be refused.
        reach::name_nodes(core).await;
        core.tasks.spawn(Stage::Work, "announcing a roster", syncing::announce(core.clone(), event));
    }
    core.live.tell(What::Events, Some(event.to_string()));
    core.board.ring(Job::Matching);
    core.board.ring(Job::Events);
    stored
}

async fn note_change(core: &Arc<Core>, event: EventId, change: &Change) {
    let name = core.events.name(&event);
    let text = match change {
        Change::MemberJoined(member) => format!("{} joined {name}.", core.events.nickname(&event, member)),
        Change::MemberLeft(member) => format!("{} left {name}.", core.events.nickname(&event, member)),
        Change::MemberRemoved(_) => format!("A member was removed from {name}."),
        Change::BystandersBlurred(blur) => format!("The host of {name} says that {}.", blur_words(*blur)),
        Change::ChildrenPresent(present) => format!("The host of {name} says that {}.", children_words(*present)),
        _ => return,
    };
    core.note(ActivityKind::Member, text, None, Some(event)).await;
}

/// The rule about bystanders, as the activity log words it.
pub(crate) fn blur_words(blur: bool) -> &'static str {
    if blur { "the faces of bystanders are blurred" } else { "the faces of bystanders are not blurred any more" }
}

/// The word that children are present, as the activity log puts it.
pub(crate) fn children_words(present: bool) -> &'static str {
    match present {
        true => "children are present: nothing goes to anybody there unless its owner has answered for that photo",
        false => "children are not present any more: everybody's own settings hold again",
    }
}

/// Notes what one peer asked or did wrong; a flood of it is counted (D7).
pub(super) async fn note_of(core: &Arc<Core>, peer: NodeId, kind: ActivityKind, text: String, event: Option<EventId>) {
    let writer = core.clone();
    let event = event.map(|event| event.to_string());
    if !matches!(blocking(move || writer.activity.note_of(&peer, kind, text, event)).await, Ok(Ok(()))) {
        tracing::error!("an activity entry could not be written");
    }
}

/// Tells whom it concerns that somebody speaks for a face that another member speaks for.
pub(crate) async fn look_for_alikes(core: &Arc<Core>, event: EventId, came: Vec<Spoken>) {
    if came.is_empty() {
        return;
    }
    let (pack, looker) = (core.pack(), core.clone());
    let sure = rules(&pack).sure;
    let found = blocking(move || {
        let mine = portrait(&looker, ProfileId::ME);
        looker.events.look_for_alikes(&event, &came, mine.as_ref(), &pack.id, sure, now_ms())
    });
    let found = found.await;
    match found.and_then(|found| Ok(found?)) {
        Ok(alarms) => {
            for alarm in &alarms {
                sound(core, event, alarm).await;
            }
        }
        Err(error) => tracing::error!("who looks like whom could not be looked at: {error:#}"),
    }
}

/// Notes an alarm; that it is news was judged before.
pub(super) async fn sound(core: &Arc<Core>, event: EventId, alarm: &Alarm) {
    let name = core.events.name(&event);
    let who = |member| core.events.nickname(&event, member);
    let text = match alarm {
        Alarm::Forked { .. } => format!(
            "The host of {name} has told different members different things about who is in it, and signed both. Ask the others whom they see \
             as members; until that is clear, do not trust the list of members."
        ),
        Alarm::Equivocated(member) => {
            format!("{} signed two different things in {name} as if they were one; one of them counts.", who(member))
        }
        Alarm::OverBudget(member) => {
            format!("{} announced more in {name} than is allowed; what was too much does not count.", who(member))
        }
        Alarm::WentBack(member) => format!(
            "The device of {} knows less of {name} than it did before: it may have been restored from a backup.",
            who(member)
        ),
        Alarm::LooksLikeMine(member) => format!(
            "{} looks in {name} for photos of a face very like yours or your child's, or asks what becomes of them. If that is no twin of yours and no \
             parent of the same child, somebody may be using a picture of you: ask them, or tell the host, who can remove them.",
            who(member)
        ),
        Alarm::LookAlike(one, other) => format!(
            "{} and {} look in {name} for photos of faces that are very alike, or ask what becomes of them. They may \
             be twins, or parents of one child; or one of them uses a picture of the other. Ask them; you can remove a member on the page of the event.",
            who(one),
            who(other)
        ),
    };
    core.note(ActivityKind::Suspicious, text, None, Some(event)).await;
}

fn is_suspicious(problem: &EventsError) -> bool {
    match problem {
        EventsError::Record(error) => error.is_hostile(),
        EventsError::Roster(error) => error.is_hostile(),
        _ => false,
    }
}

/// A peer asks to join an event of mine.
pub(super) async fn answer_join(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let request: JoinRequest = stream.read_message(JoinRequest::MAX_BYTES).await?;
    let (answerer, from, event) = (core.clone(), stream.peer().clone(), request.event);
    let peer = from.clone();
    let nickname = request.nickname.clone();
    let before = core.events.waiting_count(&event);
    let reply = blocking(move || answerer.events.answer_join(&from, request)).await??;
    // Before the newcomer hears of it: a stranger's next stream would be refused.
    reach::name_nodes(&core).await;
    stream.write_message(&reply).await?;
    stream.close().await?;
    let name = core.events.name(&event);
    match reply {
        JoinReply::Admitted(_) => core.board.ring(Job::Events),
        JoinReply::Waiting if core.events.waiting_count(&event) > before => {
            deputies::tell_co_hosts(&core, event);
            core.note(ActivityKind::Asked, format!("{nickname} asks to join {name}."), None, Some(event)).await;
        }
        JoinReply::Waiting => {}
        JoinReply::Refused(why) => {
            let text = format!("A request to join {name} was refused: {why}.");
            note_of(&core, peer, ActivityKind::Refused, text, Some(event)).await;
        }
    }
    Ok(())
}

/// A peer pushes something new. Signatures decide what is taken, not who brings it; but only members of the event, or the host whom I asked to
/// be admitted, are listened to.
pub(super) async fn take_push(core: Arc<Core>, mut stream: PeerStream) -> anyhow::Result<()> {
    let push: Push = stream.read_message(Push::MAX_BYTES).await?;
    let peer = stream.peer().clone();
    if !core.events.listens_to(&push.event, &peer) {
        stream.write_message(&PushReply::Refused).await?;
        stream.close().await?;
        anyhow::bail!("a push from a node that is no member was passed over");
    }
    let gap = core.events.lacks_roster(&push.event, &push.roster);
    anyhow::ensure!(take(&core, push.event, push.roster, push.records).await, "a push could not be stored");
    stream.write_message(&PushReply::Taken).await?;
    // What the push brought is looked after below, however the stream ends.
    let _ = stream.close().await;
    if gap {
        // Not admitted by what I know: the host may have admitted me just now, which the answer to a join request tells.
        core.board.ring(Job::Events);
        core.tasks.spawn(Stage::Work, "sync", syncing::with(core.clone(), peer));
    }
    Ok(())
}

/// A record came by gossip.
pub(super) async fn take_gossip(core: Arc<Core>, topic: String, bytes: Vec<u8>) {
    if let Some(event) = core.events.by_topic(&topic) {
        take(&core, event, Vec::new(), vec![bytes]).await;
    }
}
