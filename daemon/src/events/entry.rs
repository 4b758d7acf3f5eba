//! One event in memory: what is stored of it, with the shared state and the keys in usable form.

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::event::EventState;
use inframe_protocol::keys::{EventKey, MemberKeys};
use inframe_protocol::record::Subject;
use inframe_protocol::{EventId, MemberId, NodeId, UnixMillis};

use super::stored::{Announcing, IssuedInvite, Joining, LocalSettings, StoredEvent, Takes, WaitingAdmission};
use super::{EventsError, Search, Wanted};
use crate::faces::ProfileId;
use crate::sharing::policy::Policy;
use crate::vault::{Batch, Kind, Vault};

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
    pub(super) joining: Option<Joining>,
    pub(super) invites: Vec<IssuedInvite>,
    pub(super) waiting: Vec<WaitingAdmission>,
    pub(super) declined: BTreeSet<MemberId>,
    pub(super) removed_nodes: BTreeSet<NodeId>,
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
            joining: None,
            invites: Vec::new(),
            waiting: Vec::new(),
            declined: BTreeSet::new(),
            removed_nodes: BTreeSet::new(),
        }
    }

    pub(super) fn read_all(vault: &Vault) -> Result<Vec<Self>, EventsError> {
        let mut entries = Vec::new();
        for (key, row) in vault.catalog().scan_versioned::<StoredEvent>(Kind::Event)? {
            match Self::from_row(&key, row) {
                Ok(entry) => entries.push(entry),
                Err(error) => tracing::error!("an event could not be read and is left out: {error}"),
            }
        }
        Ok(entries)
    }

    fn from_row(key: &[u8], row: StoredEvent) -> Result<Self, EventsError> {
        let damaged = |what: &str| EventsError::Damaged(what.to_owned());
        let id = EventId(key.try_into().map_err(|_| damaged("its id"))?);
        let keys = row.member_keys.as_slice().try_into().map_err(|_| damaged("its keys"))?;
        let keys = MemberKeys::from_bytes(keys);
        let mut state = EventState::from_bytes(&row.state).map_err(|error| EventsError::Damaged(error.to_string()))?;
        state.set_keys(keys.clone());
        Ok(Self {
            id,
            state,
            keys,
            event_key: row.event_key.map(EventKey::from_seed),
            invited_name: row.invited_name,
            settings: row.settings,
            announcing: row.announcing,
            joining: row.joining,
            invites: row.invites,
            waiting: row.waiting,
            declined: row.declined,
            removed_nodes: row.removed_nodes,
        })
    }

    /// Writes the row durably.
    pub(super) fn write(&self, vault: &Vault) -> Result<(), EventsError> {
        let row = StoredEvent {
            state: self.state.to_bytes(),
            invited_name: self.invited_name.clone(),
            member_keys: self.keys.to_bytes().to_vec(),
            event_key: self.event_key.as_ref().map(|key| *key.seed()),
            settings: self.settings.clone(),
            announcing: self.announcing.clone(),
            joining: self.joining.clone(),
            invites: self.invites.clone(),
            waiting: self.waiting.clone(),
            declined: self.declined.clone(),
            removed_nodes: self.removed_nodes.clone(),
        };
        let mut batch = Batch::default();
        batch.put_versioned(Kind::Event, self.id.0, &row)?;
        Ok(vault.catalog().commit(batch)?)
    }

    /// Has the row go with the batch.
    pub(super) fn erase(&self, batch: &mut Batch) {
        batch.remove(Kind::Event, self.id.0);
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
        if let Some(invite) =
            self.joining.as_ref().and_then(|joining| inframe_protocol::invite::Invite::parse(&joining.link).ok())
        {
            nodes.push((invite.host.clone(), invite.addresses.clone()));
        }
        nodes
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
        })
    }
}
