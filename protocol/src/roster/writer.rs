//! Making the entries of a roster, for whoever holds the event's key.

use super::entry::seal_grant;
use super::{Role, Roster, RosterBody, RosterEntry, RosterError, SignedRosterEntry};
use crate::ids::{InviteId, MemberId, NodeId, UnixMillis};
use crate::keys::{EpochGrant, EventKey, MemberPublic};

/// What a new event is made of.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Name of the event.
    pub name: String,
    /// When it starts, if it says so.
    pub starts: Option<UnixMillis>,
    /// When it ends, if it does.
    pub ends: Option<UnixMillis>,
    /// The host's keys for it.
    pub host: MemberPublic,
    /// The host's node.
    pub node: NodeId,
    /// The host's nickname.
    pub nickname: String,
}

/// Who is admitted.
#[derive(Debug, Clone)]
pub struct Joining {
    /// The new member's keys.
    pub member: MemberPublic,
    /// The new member's node, as the transport proved it.
    pub node: NodeId,
    /// The new member's nickname.
    pub nickname: String,
    /// The invite that was used.
    pub invite: Option<InviteId>,
}

/// Makes entries that follow one roster. Each is judged as any other node will judge it before it is given out; append it, and make a new
/// writer for the next.
#[derive(Debug)]
pub struct RosterWriter<'a> {
    key: &'a EventKey,
    roster: &'a Roster,
}

impl<'a> RosterWriter<'a> {
    /// A writer for a roster whose event key this is.
    ///
    /// # Errors
    /// It is another event's.
    pub fn new(key: &'a EventKey, roster: &'a Roster) -> Result<Self, RosterError> {
        if key.event_id() == roster.event() { Ok(Self { key, roster }) } else { Err(RosterError::WrongKey) }
    }

    /// The first entry of a new event, and the grant of its epoch 0.
    ///
    /// # Errors
    /// A field breaks its limit, or the machine gave no randomness.
    pub fn create(
        key: &EventKey,
        event: NewEvent,
        now: UnixMillis,
    ) -> Result<(SignedRosterEntry, EpochGrant), RosterError> {
        let roster = Roster::new(key.event_id());
        let grant = EpochGrant::generate()?;
        let body = RosterBody::Created {
            grant: seal_grant(&roster.event(), &event.host, 0, &grant)?,
            name: event.name,
            host: event.host,
            node: event.node,
            nickname: event.nickname,
            starts: event.starts,
            ends: event.ends,
        };
        let entry = RosterWriter { key, roster: &roster }.write(body, now)?;
        Ok((entry, grant))
    }

    /// Admits a member and seals the current epoch's grant to them.
    ///
    /// # Errors
    /// R17: they cannot be admitted.
    pub fn admit(
        &self,
        grant: &EpochGrant,
        joining: Joining,
        now: UnixMillis,
    ) -> Result<SignedRosterEntry, RosterError> {
        let body = RosterBody::Joined {
            grant: seal_grant(&self.roster.event(), &joining.member, self.roster.epoch(), grant)?,
            member: joining.member,
            node: joining.node,
            nickname: joining.nickname,
            invite: joining.invite,
        };
        self.write(body, now)
    }

    /// Removes a member and begins a new epoch with a new projection: two entries, to be appended and sent in this order.
    ///
    /// # Errors
    /// R18: the member cannot be removed.
    pub fn remove_and_rotate(&self, member: &MemberId, now: UnixMillis) -> Result<[SignedRosterEntry; 2], RosterError> {
        let mut roster = self.roster.clone();
        let removed = self.remove_from(&mut roster, member, now)?;
        let epoch = RosterWriter { key: self.key, roster: &roster }.begin_epoch(&EpochGrant::generate()?, now)?;
        Ok([removed, epoch])
    }

    /// Removes several members under one new epoch with a new projection (R20), to be appended and sent in this order. Nobody to remove: no
    /// entry.
    ///
    /// # Errors
    /// R18: one of them cannot be removed.
    pub fn remove_all_and_rotate(
        &self,
        members: &[MemberId],
        now: UnixMillis,
    ) -> Result<Vec<SignedRosterEntry>, RosterError> {
        let mut roster = self.roster.clone();
        let mut entries = Vec::with_capacity(members.len() + 1);
        for member in members {
            entries.push(self.remove_from(&mut roster, member, now)?);
        }
        if !entries.is_empty() {
            entries.push(RosterWriter { key: self.key, roster: &roster }.begin_epoch(&EpochGrant::generate()?, now)?);
        }
        Ok(entries)
    }

    fn remove_from(
        &self,
        roster: &mut Roster,
        member: &MemberId,
        now: UnixMillis,
    ) -> Result<SignedRosterEntry, RosterError> {
        let removed =
            RosterWriter { key: self.key, roster: &*roster }.write(RosterBody::Removed { member: *member }, now)?;
        roster.append(&removed)?;
        Ok(removed)
    }

    /// Begins a new epoch that keeps the projection of `current`.
    ///
    /// # Errors
    /// The machine gave no randomness, or the roster is full.
    pub fn rotate(&self, current: &EpochGrant, now: UnixMillis) -> Result<SignedRosterEntry, RosterError> {
        self.begin_epoch(&current.rotated()?, now)
    }

    fn begin_epoch(&self, grant: &EpochGrant, now: UnixMillis) -> Result<SignedRosterEntry, RosterError> {
        let number = self.roster.epoch().saturating_add(1);
        let sealed = self
            .roster
            .members()
            .map(|member| Ok((member.id(), seal_grant(&self.roster.event(), &member.public, number, grant)?)))
            .collect::<Result<_, RosterError>>()?;
        self.write(RosterBody::Epoch { number, sealed }, now)
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// R18: not this member, or not this role.
    pub fn change_role(
        &self,
        member: &MemberId,
        role: Role,
        now: UnixMillis,
    ) -> Result<SignedRosterEntry, RosterError> {
        self.write(RosterBody::Role { member: *member, role }, now)
    }

    /// Describes the event anew.
    ///
    /// # Errors
    /// A field breaks its limit.
    pub fn change(
        &self,
        name: impl Into<String>,
        starts: Option<UnixMillis>,
        ends: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<SignedRosterEntry, RosterError> {
        self.write(RosterBody::Changed { name: name.into(), starts, ends }, now)
    }

    /// Says what holds for photos of the event from now on (R79).
    ///
    /// # Errors
    /// The roster is full, or a removal waits for its new epoch.
    pub fn set_rules(&self, blur_bystanders: bool, now: UnixMillis) -> Result<SignedRosterEntry, RosterError> {
        self.write(RosterBody::Rules { blur_bystanders }, now)
    }

    /// Says whether children are present in the event from now on (R81).
    ///
    /// # Errors
    /// The roster is full, or a removal waits for its new epoch.
    pub fn set_children(&self, present: bool, now: UnixMillis) -> Result<SignedRosterEntry, RosterError> {
        self.write(RosterBody::Children { present }, now)
    }

    fn write(&self, body: RosterBody, at: UnixMillis) -> Result<SignedRosterEntry, RosterError> {
        let entry = RosterEntry {
            event: self.roster.event(),
            index: self.roster.next_index(),
            previous: self.roster.head_hash(),
            at,
            body,
        };
        let signed = SignedRosterEntry::sign(&entry, self.key)?;
        self.roster.judge(&signed)?;
        Ok(signed)
    }
}
