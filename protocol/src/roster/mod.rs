//! The roster: who is in an event, as a chain of entries that the event's key signed.
//!
//! Each entry holds the hash of the one before it, so the last hash stands for the whole history. An entry is checked in full before
//! anything changes (R12 to R20); a second entry with a valid signature at a place that is taken means that the host told two stories,
//! and is reported as a fork. [`RosterWriter`] makes the entries.

mod entry;
mod error;
mod writer;

use std::collections::BTreeMap;

pub(crate) use entry::open_grant;
pub use entry::{Role, RosterBody, RosterEntry, SignedRosterEntry};
pub use error::RosterError;
pub use writer::{Joining, NewEvent, RosterWriter};

use crate::ids::{EventId, InviteId, MemberId, NodeId, UnixMillis};
use crate::keys::{self, MemberPublic, ROSTER_CONTEXT};
use crate::limits::{MAX_MEMBERS, MAX_ROSTER_BYTES, MAX_ROSTER_ENTRIES};

/// A member of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Public keys; the signing one is the member's id.
    pub public: MemberPublic,
    /// The member's node.
    pub node: NodeId,
    /// Nickname at joining; [`crate::event::EventState::profile`] knows later ones.
    pub nickname: String,
    /// What the member may do.
    pub role: Role,
    /// The invite that was used; the host and people that the host added have none.
    pub invite: Option<InviteId>,
    /// Epoch at joining: records of earlier epochs cannot be the member's, nor be read by the member.
    pub joined_epoch: u32,
    /// When the host admitted the member, by the host's clock.
    pub joined_at: UnixMillis,
}

impl Member {
    /// The member's id.
    pub fn id(&self) -> MemberId {
        self.public.sign
    }
}

/// The verified history of an event's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    event: EventId,
    entries: Vec<SignedRosterEntry>,
    hashes: Vec<[u8; 32]>,
    entry_bytes: usize,
    members: BTreeMap<MemberId, Member>,
    /// Removed members, with the epoch that their removal began.
    removed: BTreeMap<MemberId, u32>,
    epoch: u32,
    epoch_at: UnixMillis,
    rotation_due: bool,
    name: String,
    starts: Option<UnixMillis>,
    ends: Option<UnixMillis>,
    blur_bystanders: bool,
    children_present: bool,
}

impl Roster {
    /// The empty roster of an event.
    pub fn new(event: EventId) -> Self {
        Self {
            event,
            entries: Vec::new(),
            hashes: Vec::new(),
            entry_bytes: 0,
            members: BTreeMap::new(),
            removed: BTreeMap::new(),
            epoch: 0,
            epoch_at: UnixMillis(0),
            rotation_due: false,
            name: String::new(),
            starts: None,
            ends: None,
            blur_bystanders: false,
            children_present: false,
        }
    }

    /// Checks the next entry and takes it in.
    ///
    /// # Errors
    /// It is not the next entry, or breaks a rule; the roster is then unchanged.
    pub fn append(&mut self, signed: &SignedRosterEntry) -> Result<RosterEntry, RosterError> {
        let entry = self.judge(signed)?;
        self.take(signed, &entry);
        Ok(entry)
    }

    /// Takes in an entry that [`Roster::judge`] has just read and found right.
    pub(crate) fn take(&mut self, signed: &SignedRosterEntry, entry: &RosterEntry) {
        self.entries.push(signed.clone());
        self.hashes.push(signed.hash());
        self.entry_bytes += signed.bytes.len();
        self.apply(entry);
    }

    /// Checks the next entry and changes nothing.
    ///
    /// # Errors
    /// It is not the next entry, or breaks a rule.
    pub fn judge(&self, signed: &SignedRosterEntry) -> Result<RosterEntry, RosterError> {
        let entry = signed.read()?;
        // R12
        if entry.event != self.event {
            return Err(RosterError::WrongEvent);
        }
        let expected = self.next_index();
        let taken = self.hashes.get(entry.index as usize);
        if taken == Some(&signed.hash()) {
            return Err(RosterError::Known);
        }
        // R13: before anything is concluded from its index.
        keys::verify(&self.event.0, ROSTER_CONTEXT, &signed.bytes, &signed.signature)
            .map_err(|_| RosterError::BadSignature)?;
        // R15
        if taken.is_some() {
            return Err(RosterError::Forked { index: entry.index });
        }
        // R14
        if entry.index != expected {
            return Err(RosterError::Gap { expected, found: entry.index });
        }
        if entry.previous != self.head_hash() {
            return Err(RosterError::WrongPrevious);
        }
        // D7
        if self.entries.len() >= MAX_ROSTER_ENTRIES || self.entry_bytes + signed.bytes.len() > MAX_ROSTER_BYTES {
            return Err(RosterError::RosterFull);
        }
        self.check_body(&entry.body)?;
        Ok(entry)
    }

    /// R16 to R20.
    fn check_body(&self, body: &RosterBody) -> Result<(), RosterError> {
        body.check_fields()?;
        // R16
        if matches!(body, RosterBody::Created { .. }) != self.entries.is_empty() {
            return Err(RosterError::NotTheBeginning);
        }
        // R20
        if self.rotation_due && !matches!(body, RosterBody::Removed { .. } | RosterBody::Epoch { .. }) {
            return Err(RosterError::RotationDue);
        }
        match body {
            RosterBody::Created { host, .. } => Ok(host.check()?),
            RosterBody::Joined { member, node, .. } => self.check_joined(member, node),
            RosterBody::Removed { member } | RosterBody::Role { member, .. } => self.check_changeable(member),
            RosterBody::Epoch { number, sealed } => {
                // R19
                let expected = self.epoch.saturating_add(1);
                if *number != expected {
                    return Err(RosterError::WrongEpoch { expected, found: *number });
                }
                if !sealed.iter().map(|(member, _)| member).eq(self.members.keys()) {
                    return Err(RosterError::WrongGrants);
                }
                Ok(())
            }
            RosterBody::Changed { .. } | RosterBody::Rules { .. } | RosterBody::Children { .. } => Ok(()),
        }
    }

    /// R17.
    fn check_joined(&self, member: &MemberPublic, node: &NodeId) -> Result<(), RosterError> {
        member.check()?;
        let id = member.member_id();
        if self.members.contains_key(&id) || self.removed.contains_key(&id) {
            return Err(RosterError::KeysInUse);
        }
        if self.member_by_node(node).is_some() {
            return Err(RosterError::NodeInUse);
        }
        if self.members.len() >= MAX_MEMBERS { Err(RosterError::EventFull) } else { Ok(()) }
    }

    /// R18.
    fn check_changeable(&self, id: &MemberId) -> Result<(), RosterError> {
        match self.members.get(id).ok_or(RosterError::NoSuchMember)?.role {
            Role::Host => Err(RosterError::HostStays),
            Role::CoHost | Role::Member => Ok(()),
        }
    }

    fn apply(&mut self, entry: &RosterEntry) {
        match &entry.body {
            RosterBody::Created { name, host, node, nickname, starts, ends, .. } => {
                self.epoch_at = entry.at;
                self.describe(name, *starts, *ends);
                self.admit(host, node, nickname, Role::Host, None, entry.at);
            }
            RosterBody::Joined { member, node, nickname, invite, .. } => {
                self.admit(member, node, nickname, Role::Member, *invite, entry.at);
            }
            RosterBody::Removed { member } => {
                self.members.remove(member);
                self.removed.insert(*member, self.epoch.saturating_add(1));
                self.rotation_due = true;
            }
            RosterBody::Role { member, role } => {
                if let Some(member) = self.members.get_mut(member) {
                    member.role = *role;
                }
            }
            RosterBody::Epoch { number, .. } => {
                self.epoch = *number;
                self.epoch_at = entry.at;
                self.rotation_due = false;
            }
            RosterBody::Changed { name, starts, ends } => self.describe(name, *starts, *ends),
            RosterBody::Rules { blur_bystanders } => self.blur_bystanders = *blur_bystanders,
            RosterBody::Children { present } => self.children_present = *present,
        }
    }

    fn describe(&mut self, name: &str, starts: Option<UnixMillis>, ends: Option<UnixMillis>) {
        (self.name, self.starts, self.ends) = (name.to_owned(), starts, ends);
    }

    fn admit(
        &mut self,
        public: &MemberPublic,
        node: &NodeId,
        nickname: &str,
        role: Role,
        invite: Option<InviteId>,
        joined_at: UnixMillis,
    ) {
        let member = Member {
            public: *public,
            node: node.clone(),
            nickname: nickname.to_owned(),
            role,
            invite,
            joined_epoch: self.epoch,
            joined_at,
        };
        self.members.insert(member.id(), member);
    }

    /// The event.
    pub fn event(&self) -> EventId {
        self.event
    }

    /// All entries in order.
    pub fn entries(&self) -> &[SignedRosterEntry] {
        &self.entries
    }

    /// Index of the next entry: how many there are.
    pub fn next_index(&self) -> u32 {
        // Bounded by MAX_ROSTER_ENTRIES.
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// Hash of the last entry: it stands for the whole history. Zeros if there is none.
    pub fn head_hash(&self) -> [u8; 32] {
        self.hashes.last().copied().unwrap_or_default()
    }

    /// Hash of the last of the first `count` entries; `None` if there are fewer.
    pub fn hash_after(&self, count: u32) -> Option<[u8; 32]> {
        match count.checked_sub(1) {
            None => Some([0; 32]),
            Some(last) => self.hashes.get(last as usize).copied(),
        }
    }

    /// Whether the event has begun: the first entry is there.
    pub fn is_created(&self) -> bool {
        !self.entries.is_empty()
    }

    /// The members, in the order of their ids.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    /// The member of this id, unless removed.
    pub fn member(&self, id: &MemberId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The member whose node this is, unless removed.
    pub fn member_by_node(&self, node: &NodeId) -> Option<&Member> {
        self.members.values().find(|member| member.node == *node)
    }

    /// Whether this was a member and was removed.
    pub fn was_removed(&self, id: &MemberId) -> bool {
        self.removed.contains_key(id)
    }

    /// The host.
    pub fn host(&self) -> Option<&Member> {
        self.members.values().find(|member| member.role == Role::Host)
    }

    /// Number of the current epoch; 0 from the creation on.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// When the current epoch began, by the host's clock.
    pub fn epoch_at(&self) -> UnixMillis {
        self.epoch_at
    }

    /// Name of the event.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the event starts, if it says so.
    pub fn starts(&self) -> Option<UnixMillis> {
        self.starts
    }

    /// When the event ends, if it does.
    pub fn ends(&self) -> Option<UnixMillis> {
        self.ends
    }

    /// R79: whether the host has said that the faces of bystanders are blurred in what leaves.
    pub fn blur_bystanders(&self) -> bool {
        self.blur_bystanders
    }

    /// R81: whether children are present.
    pub fn children_present(&self) -> bool {
        self.children_present
    }

    /// R79, R81: whether the faces of bystanders are blurred in what leaves, by either word of the host.
    pub fn hides_bystanders(&self) -> bool {
        self.blur_bystanders || self.children_present
    }
}
