//! One event in memory: what is stored of it, with the shared state and the keys in usable form.

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::event::EventState;
use inframe_protocol::invite::Invite;
use inframe_protocol::keys::{EventKey, MemberKeys};
use inframe_protocol::record::Subject;
use inframe_protocol::{EventId, MemberId, NodeId, UnixMillis};

use super::alarms::{Shown, StoredAlarms};
use super::protecting::StoredProtecting;
use super::stored::{Announcing, IssuedInvite, Joining, LocalSettings, ShownCode, Takes, WaitingAdmission};
use super::{Search, Wanted};
use crate::faces::ProfileId;
use crate::sandbox::Details;
use crate::sharing::policy::Policy;

/// What this node is in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MyRole {
    /// Made it.
    Host,
    /// May admit.
    CoHost,
    /// Takes part.
    Member,
    /// Waits to be admitted.
    Waiting,
}

impl MyRole {
    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            MyRole::Host => "host",
            MyRole::CoHost => "co-host",
            MyRole::Member => "member",
            MyRole::Waiting => "waiting",
        }
    }
}

/// One event.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) id: EventId,
    pub(super) state: EventState,
    pub(super) keys: MemberKeys,
    pub(super) event_key: Option<EventKey>,
    pub(super) invited_name: String,
    pub(super) settings: LocalSettings,
    pub(super) announcing: BTreeMap<ProfileId, Announcing>,
    pub(super) protecting: StoredProtecting,
    /// What photos still say when they go to these members; to others nothing.
    pub(super) details: BTreeMap<MemberId, Details>,
    /// Whether the members see my name and e-mail address.
    pub(super) shows_contact: bool,
    pub(super) joining: Option<Joining>,
    pub(super) invites: Vec<IssuedInvite>,
    pub(super) code: Option<ShownCode>,
    pub(super) waiting: Vec<WaitingAdmission>,
    pub(super) declined: BTreeSet<MemberId>,
    pub(super) removed_nodes: BTreeSet<NodeId>,
    pub(super) alarms: StoredAlarms,
    /// How much of the roster each member's node has shown since the start.
    pub(super) shown: BTreeMap<MemberId, Shown>,
}

impl Entry {
    pub(super) fn new(id: EventId, keys: MemberKeys, invited_name: String, takes: Takes) -> Self {
        let mut state = EventState::new(id);
        state.set_keys(keys.clone());
        Self {
            id,
            state,
            keys,
            event_key: None,
            invited_name,
            settings: LocalSettings {
                policy: Policy::Ask,
                persons: Default::default(),
                takes,
                chosen: Default::default(),
                taken_out: Default::default(),
                admit_automatically: false,
            },
            announcing: BTreeMap::new(),
            protecting: BTreeMap::new(),
            details: BTreeMap::new(),
            shows_contact: false,
            joining: None,
            invites: Vec::new(),
            code: None,
            waiting: Vec::new(),
            declined: BTreeSet::new(),
            removed_nodes: BTreeSet::new(),
            alarms: StoredAlarms::default(),
            shown: BTreeMap::new(),
        }
    }

    pub(super) fn my_id(&self) -> MemberId {
        self.keys.member_id()
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.state.member(&self.my_id()).is_some() && self.state.current_grant().is_some()
    }

    pub(super) fn role(&self) -> MyRole {
        use inframe_protocol::roster::Role;
        match self.state.roster().member(&self.my_id()).map(|member| member.role) {
            Some(Role::Host) => MyRole::Host,
            Some(Role::CoHost) => MyRole::CoHost,
            Some(Role::Member) => MyRole::Member,
            None => MyRole::Waiting,
        }
    }

    pub(super) fn name(&self) -> String {
        let name = self.state.roster().name();
        if name.is_empty() { self.invited_name.clone() } else { name.to_owned() }
    }

    /// A member's nickname: their own latest word, else what they joined with.
    pub(super) fn nickname(&self, member: &MemberId) -> Option<String> {
        if let Some(profile) = self.state.profile(member) {
            return Some(profile.nickname.clone());
        }
        self.state.roster().member(member).map(|member| member.nickname.clone())
    }

    pub(super) fn nodes_and_addresses(&self) -> Vec<(NodeId, Vec<String>)> {
        let mut nodes: Vec<(NodeId, Vec<String>)> = self
            .state
            .members()
            .map(|member| {
                let addresses = self.state.profile(&member.id()).map(|profile| profile.addresses.clone());
                (member.node.clone(), addresses.unwrap_or_default())
            })
            .collect();
        if let Some(invite) = self.wished_host() {
            nodes.push((invite.host.clone(), invite.addresses.clone()));
        }
        nodes
    }

    /// Nodes that this one keeps connected.
    pub(super) fn kept_nodes(&self, is_connected: impl Fn(&NodeId) -> bool) -> Vec<NodeId> {
        let mut nodes = self.state.neighbours(is_connected);
        nodes.extend(self.wished_host().map(|invite| invite.host.clone()));
        nodes
    }

    /// The invite that I want to join with, until I am admitted.
    fn wished_host(&self) -> Option<Invite> {
        self.joining.as_ref().and_then(|joining| Invite::parse(&joining.link).ok())
    }

    /// Live find-mes of others.
    pub(super) fn wanted(&self, now: u64) -> Vec<Wanted> {
        let me = self.my_id();
        self.state
            .find_mes(UnixMillis(now))
            .into_iter()
            .filter(|live| live.author != me)
            .map(|live| Wanted {
                member: live.author,
                find_me: live.find_me.id,
                template: live.find_me.template,
                child: live.find_me.subject == Subject::Child,
                live: live.find_me.live,
                pack: live.find_me.pack.clone(),
            })
            .collect()
    }

    pub(super) fn search(&self, now: u64) -> Option<Search> {
        if !self.is_admitted() {
            return None;
        }
        let grant = self.state.current_grant()?;
        Some(Search {
            event: self.id,
            settings: self.settings.clone(),
            starts: self.state.roster().starts().map(|at| at.0),
            ends: self.state.roster().ends().map(|at| at.0),
            projection: grant.projection_key(),
            wanted: self.wanted(now),
            protected: self.protected(now),
            blur_bystanders: self.state.roster().hides_bystanders(),
            children_present: self.state.roster().children_present(),
        })
    }
}
