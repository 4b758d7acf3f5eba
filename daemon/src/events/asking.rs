//! What the other parts ask about events; nothing here changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use inframe_protocol::event::Asking;
use inframe_protocol::event::spreading::sync_partners;
use inframe_protocol::roster::SignedRosterEntry;
use inframe_protocol::sync::{StateVector, SyncPage, SyncReply, SyncRequest};
use inframe_protocol::{EventId, FindMeId, MemberId, NodeId, UnixMillis};

use super::entry::Entry;
use super::leaving::Farewell;
use super::{Events, LocalSettings, Search, Wanted};
use crate::clock::now_ms;
use crate::sandbox::Details;

impl Events {
    /// What this node has of an event.
    #[cfg(test)]
    #[must_use]
    pub fn vector(&self, event: &EventId) -> Option<StateVector> {
        self.read(event, |entry| entry.state.vector())
    }

    /// The next question of a sync; none when it is over.
    #[must_use]
    pub fn question(&self, event: &EventId, asking: &mut Asking) -> Option<SyncRequest> {
        self.read(event, |entry| asking.request(&entry.state)).flatten()
    }

    /// What to push to a node at the end of a sync.
    #[must_use]
    pub fn pushed_back(&self, event: &EventId, theirs: &StateVector) -> Option<SyncPage> {
        self.read(event, |entry| entry.state.pushed_back(theirs)).flatten()
    }

    /// The answer to a node (R46), and whether it has more of the roster than this one (R60).
    #[must_use]
    pub fn answer(&self, node: &NodeId, request: &SyncRequest) -> (SyncReply, bool) {
        let answer = |entry: &Entry| {
            entry.state.member_by_node(node)?;
            Some((entry.state.answer(request), entry.state.lags_behind(request)))
        };
        self.read(&request.event(), answer).flatten().unwrap_or((SyncReply::NotFound, false))
    }

    /// What tells others how long the roster is here.
    #[must_use]
    pub fn announcement(&self, event: &EventId) -> Option<SyncRequest> {
        self.read(event, |entry| entry.state.announcement())
    }

    /// Members of each event that a round of syncs is with, of those who are connected.
    #[must_use]
    pub fn partners(&self, round: u64, is_connected: impl Fn(&NodeId) -> bool) -> Vec<(EventId, NodeId)> {
        let of = |event: EventId| {
            let connected = self.nodes(&event).into_iter().filter(&is_connected).collect();
            sync_partners(connected, round).into_iter().map(move |node| (event, node))
        };
        self.ids().into_iter().flat_map(of).collect()
    }

    /// The nodes that this one keeps connected: the neighbours in each event, the hosts of those that it wants to join, and those who have not
    /// heard yet that it left one.
    #[must_use]
    pub fn kept_nodes(&self, is_connected: impl Fn(&NodeId) -> bool) -> BTreeSet<NodeId> {
        let mut kept: BTreeSet<NodeId> =
            self.entries().values().flat_map(|entry| entry.kept_nodes(&is_connected)).collect();
        kept.extend(self.farewells().values().flat_map(Farewell::untold).map(|(node, _)| node.clone()));
        kept
    }

    /// Whether an event is so large that not all of its members are kept connected.
    #[must_use]
    pub fn any_sparse(&self) -> bool {
        self.entries().values().any(|entry| entry.state.is_sparse())
    }

    /// Whether an event is so large.
    #[must_use]
    pub fn is_sparse(&self, event: &EventId) -> bool {
        self.read(event, |entry| entry.state.is_sparse()).unwrap_or(false)
    }

    /// When the next record may be written anew that waits for an epoch to spread.
    #[must_use]
    pub fn writes_anew_in(&self, now: u64) -> Option<Duration> {
        let waits = |entry: &Entry| entry.state.may_write_anew(UnixMillis(now)).err();
        self.entries().values().filter_map(waits).min().map(Duration::from_millis)
    }

    /// Ids of all events.
    #[must_use]
    pub fn ids(&self) -> Vec<EventId> {
        self.entries().keys().copied().collect()
    }

    /// Events that this node shares with another.
    #[must_use]
    pub fn shared_with(&self, node: &NodeId) -> Vec<EventId> {
        let shares = |entry: &Entry| entry.state.member_by_node(node).is_some();
        self.entries().values().filter(|entry| shares(entry)).map(|entry| entry.id).collect()
    }

    /// Nodes of the other members of an event.
    #[must_use]
    pub fn nodes(&self, event: &EventId) -> Vec<NodeId> {
        let others = |entry: &Entry| {
            entry.state.members().map(|member| member.node.clone()).filter(|node| *node != self.me).collect()
        };
        self.read(event, others).unwrap_or_default()
    }

    /// The connected nodes of an event that are told at once that its roster has changed.
    #[must_use]
    pub fn told_of_roster(&self, event: &EventId, is_connected: impl Fn(&NodeId) -> bool) -> Vec<NodeId> {
        let connected = self.nodes(event).into_iter().filter(is_connected);
        self.read(event, |entry| entry.state.told_of_roster(connected)).unwrap_or_default()
    }

    /// Every node that this one wants to be connected to, with addresses known for it.
    #[must_use]
    pub fn known_nodes(&self) -> Vec<(NodeId, Vec<String>)> {
        let mut known: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
        for entry in self.entries().values() {
            for (node, addresses) in entry.nodes_and_addresses() {
                if node != self.me {
                    let all = known.entry(node).or_default();
                    for address in addresses {
                        if !all.contains(&address) {
                            all.push(address);
                        }
                    }
                }
            }
        }
        // Those of an event that I left, until they have heard it.
        for (node, addresses) in self.farewells().values().flat_map(Farewell::untold) {
            known.entry(node.clone()).or_insert_with(|| addresses.clone());
        }
        known.into_iter().collect()
    }

    /// Gossip topic of an event's current epoch.
    #[must_use]
    pub fn topic(&self, event: &EventId) -> Option<String> {
        self.read(event, |entry| entry.state.current_grant().map(|grant| grant.topic_name())).flatten()
    }

    /// The event of a topic.
    #[must_use]
    pub fn by_topic(&self, topic: &str) -> Option<EventId> {
        let is_it = |entry: &&Entry| entry.state.current_grant().is_some_and(|grant| grant.topic_name() == topic);
        self.entries().values().find(is_it).map(|entry| entry.id)
    }

    /// My settings for an event.
    #[must_use]
    pub fn settings(&self, event: &EventId) -> Option<LocalSettings> {
        self.read(event, |entry| entry.settings.clone())
    }

    /// What photos still say when they go to a member: what I chose for them, else nothing; nothing either where children are present (R81).
    #[must_use]
    pub fn details_for(&self, event: &EventId, member: &MemberId) -> Details {
        let chosen = |entry: &Entry| {
            let chosen = entry.details.get(member).copied();
            chosen.filter(|_| !entry.state.roster().children_present())
        };
        self.read(event, chosen).flatten().unwrap_or_default()
    }

    /// Whether the host says that children are present (R81).
    #[must_use]
    pub fn children_present(&self, event: &EventId) -> bool {
        self.read(event, |entry| entry.state.roster().children_present()).unwrap_or(false)
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self, event: &EventId) -> String {
        self.read(event, Entry::name).unwrap_or_else(|| "an event you left".into())
    }

    /// A member's nickname.
    #[must_use]
    pub fn nickname(&self, event: &EventId, member: &MemberId) -> String {
        self.read(event, |entry| entry.nickname(member)).flatten().unwrap_or_else(|| "a former member".into())
    }

    /// A member's node.
    #[must_use]
    pub fn member_node(&self, event: &EventId, member: &MemberId) -> Option<NodeId> {
        self.read(event, |entry| entry.state.member(member).map(|member| member.node.clone())).flatten()
    }

    /// The member behind a node.
    #[must_use]
    pub fn member_by_node(&self, event: &EventId, node: &NodeId) -> Option<(MemberId, String)> {
        self.read(event, |entry| {
            let id = entry.state.member_by_node(node)?.id();
            Some((id, entry.nickname(&id).unwrap_or_default()))
        })
        .flatten()
    }

    /// Every event that I am admitted to, with who is wanted in it now.
    #[must_use]
    pub fn searches(&self, now: u64) -> Vec<Search> {
        self.entries().values().filter_map(|entry| entry.search(now)).collect()
    }

    /// One event as matching needs it.
    #[must_use]
    pub fn search(&self, event: &EventId, now: u64) -> Option<Search> {
        self.read(event, |entry| entry.search(now)).flatten()
    }

    /// A live find-me of somebody else.
    #[must_use]
    pub fn wanted(&self, event: &EventId, find_me: &FindMeId, now: u64) -> Option<Wanted> {
        self.read(event, |entry| entry.wanted(now).into_iter().find(|wanted| wanted.find_me == *find_me)).flatten()
    }

    /// The still of a live find-me, a small JPEG.
    #[must_use]
    pub fn still(&self, event: &EventId, find_me: &FindMeId, now: u64) -> Option<Vec<u8>> {
        self.read(event, |entry| {
            let live = entry.state.find_mes(UnixMillis(now));
            live.into_iter().find(|live| live.find_me.id == *find_me).map(|live| live.find_me.still.clone())
        })
        .flatten()
    }

    /// Whether my own profile record in an event says something else than this.
    #[must_use]
    pub fn my_profile_differs(&self, event: &EventId, nickname: &str, addresses: &[String]) -> bool {
        self.read(event, |entry| {
            // Whoever joined later cannot open records of earlier epochs, so each epoch needs its own.
            let epoch = entry.state.roster().epoch();
            entry.is_admitted()
                && entry.state.may_write_anew(UnixMillis(now_ms())).is_ok()
                && entry.state.profile(&entry.my_id()).is_none_or(|profile| {
                    profile.nickname != nickname || profile.addresses != addresses || profile.epoch < epoch
                })
        })
        .unwrap_or(false)
    }

    /// How many wait for admission.
    #[must_use]
    pub fn waiting_count(&self, event: &EventId) -> usize {
        self.read(event, |entry| entry.waiting.len()).unwrap_or(0)
    }

    /// Who waits for admission to an event of mine: their member id, what they call themselves, and since when.
    #[must_use]
    pub fn waiting(&self, event: &EventId) -> Vec<(MemberId, String, u64)> {
        let one = |waiting: &super::stored::WaitingAdmission| {
            (waiting.request.member.member_id(), waiting.request.nickname.clone(), waiting.at)
        };
        self.read(event, |entry| entry.waiting.iter().map(one).collect()).unwrap_or_default()
    }

    /// Whether what this node says about an event is looked at: members, and the host whom I asked to be admitted.
    #[must_use]
    pub fn listens_to(&self, event: &EventId, node: &NodeId) -> bool {
        self.read(event, |entry| {
            entry.state.member_by_node(node).is_some()
                || entry.nodes_and_addresses().iter().any(|(known, _)| known == node)
        })
        .unwrap_or(false)
    }

    /// Whether roster entries came that do not follow on mine, so that something between is missing.
    #[must_use]
    pub fn lacks_roster(&self, event: &EventId, roster: &[SignedRosterEntry]) -> bool {
        let Some(next) = self.read(event, |entry| entry.state.roster().next_index()) else { return false };
        roster.iter().filter_map(|signed| signed.index().ok()).min().is_some_and(|first| first > next)
    }
}
