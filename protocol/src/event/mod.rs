//! The state of one event on one node: the roster and the records of its members, and what they amount to.
//!
//! The state is pure and convergent: it is a function of the *set* of roster entries and records that it took in, whatever their order, so
//! all members who hold the same agree without asking anybody. Everything comes in through [`EventState::apply_roster`],
//! [`EventState::receive`] and [`EventState::write`], which check every rule; taking the same thing in again changes nothing (R34).
//!
//! A record of an epoch whose grant is not here (from before this member joined, say) is verified, kept sealed and passed on, and opened
//! once the grant arrives.

mod asking;
mod author_log;
mod catch_up;
mod keeping;
mod membership;
mod protecting;
pub mod spreading;
mod stored;
mod unsaved;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

pub use asking::{Asking, Heard};
pub use protecting::LiveProtection;
pub use stored::StateError;
pub use unsaved::Unsaved;

use crate::ids::{EventId, FindMeId, MemberId, ProtectionId, UnixMillis};
use crate::keys::{EpochGrant, MemberKeys, SealedBox};
use crate::limits::MAX_CLOCK_SKEW_MS;
use crate::record::{Contact, FindMe, Header, Received, RecordBody, RecordError, RecordTag, SealedRecord};
use crate::roster::{Roster, RosterBody, RosterError, SignedRosterEntry, open_grant};
use crate::sync::StateDigest;
use author_log::AuthorLog;
use protecting::Protecting;

/// What is different after something was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Somebody was admitted.
    MemberJoined(MemberId),
    /// R50: a member says that they have left; they count as a member no longer.
    MemberLeft(MemberId),
    /// The host removed a member who had not left; their records are gone.
    MemberRemoved(MemberId),
    /// A new epoch began: another topic, and perhaps another projection.
    EpochChanged(u32),
    /// A find-me was announced, renewed or made anew.
    FindMe(FindMeId),
    /// A find-me counts no longer.
    Withdrawn(FindMeId),
    /// A protection was said, renewed or made anew.
    Protected(ProtectionId),
    /// A protection counts no longer.
    Unprotected(ProtectionId),
    /// A member is called or reached differently.
    ProfileChanged(MemberId),
    /// R82: a member shows another name or e-mail address, or none any more.
    ContactChanged(MemberId),
    /// The event got another name, time, or roles, or a rule was said anew.
    EventChanged,
    /// R79: the host says that the faces of bystanders are blurred, or no longer.
    BystandersBlurred(bool),
    /// R81: the host says that children are present, or no longer.
    ChildrenPresent(bool),
    /// R35: a member signed two different records with one sequence number; one of them took the other's place.
    Equivocated(MemberId),
    /// R38, R39, R76: a member announced more than they may; what is too much does not count.
    OverBudget(MemberId),
}

/// A find-me that counts now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveFindMe<'a> {
    /// The find-me.
    pub find_me: &'a FindMe,
    /// Who announced it.
    pub author: MemberId,
}

/// How a member is called and reached, by their own word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Nickname.
    pub nickname: String,
    /// Multiaddresses of the member's node.
    pub addresses: Vec<String>,
    /// Epoch of the record. Those who join in a later epoch cannot read it: its author writes it anew when the epoch changes.
    pub epoch: u32,
}

/// The state of one event. A clone shares the roster and the records with the original, until one of the two changes them.
#[derive(Clone)]
pub struct EventState {
    roster: Arc<Roster>,
    logs: BTreeMap<MemberId, Arc<AuthorLog>>,
    keys: Option<MemberKeys>,
    /// The grants that the own keys open, by epoch.
    grants: BTreeMap<u32, EpochGrant>,
    /// What has changed since it was last asked for.
    unsaved: Unsaved,
    /// The digest of what is here, once it was asked for: a quiet event is compared again and again.
    digest: Arc<OnceLock<StateDigest>>,
}

impl EventState {
    /// The state of an event of which nothing is known yet.
    pub fn new(event: EventId) -> Self {
        Self {
            roster: Arc::new(Roster::new(event)),
            logs: BTreeMap::new(),
            keys: None,
            grants: BTreeMap::new(),
            unsaved: Unsaved::default(),
            digest: Arc::default(),
        }
    }

    /// Sets the keys of this node's member: opens the grants that are sealed to them, and the records of those epochs.
    pub fn set_keys(&mut self, keys: MemberKeys) {
        self.digest = Arc::default();
        self.keys = Some(keys);
        self.grants.clear();
        let mut epoch = 0;
        let entries: Vec<_> = self.roster.entries().iter().filter_map(|signed| signed.read().ok()).collect();
        for entry in entries {
            if let RosterBody::Epoch { number, .. } = entry.body {
                epoch = number;
            }
            self.open_grant(&entry.body, epoch);
        }
        // R36, R52: an older version kept more.
        for (author, log) in &mut self.logs {
            let dropped = Arc::make_mut(log).trim();
            self.unsaved.note(*author, dropped);
        }
    }

    /// The event.
    pub fn event(&self) -> EventId {
        self.roster.event()
    }

    /// The id of this node's member, once its keys are set.
    pub fn me(&self) -> Option<MemberId> {
        self.keys.as_ref().map(MemberKeys::member_id)
    }

    /// The roster.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The grant of an epoch, if it was sealed to this member.
    pub fn grant(&self, epoch: u32) -> Option<&EpochGrant> {
        self.grants.get(&epoch)
    }

    /// The grant of the current epoch, if it was sealed to this member.
    pub fn current_grant(&self) -> Option<&EpochGrant> {
        self.grant(self.roster.epoch())
    }

    /// What a member calls themself and where their node is reached, if they have said so.
    pub fn profile(&self, member: &MemberId) -> Option<Profile> {
        self.logs.get(member)?.profile()
    }

    /// R82: the name and the e-mail address that a member shows by their newest word, which may be empty, and the epoch of that word. Those who join in
    /// a later epoch cannot read it: its author writes it anew when the epoch changes.
    pub fn contact(&self, member: &MemberId) -> Option<(&Contact, u32)> {
        self.logs.get(member)?.contact()
    }

    /// The find-mes that count at `now`: not withdrawn, not expired, within their author's budget, and made under the projection that holds
    /// now (R48). In the order of their authors, the newest of each first.
    pub fn find_mes(&self, now: UnixMillis) -> Vec<LiveFindMe<'_>> {
        let Some(current) = self.current_grant() else { return Vec::new() };
        let mut found = Vec::new();
        for (author, log) in &self.logs {
            for (record, find_me) in log.effect().live(Some(now)) {
                // R48
                if self.grant(record.header().epoch).is_some_and(|grant| grant.projection == current.projection) {
                    found.push(LiveFindMe { find_me, author: *author });
                }
            }
        }
        found
    }

    /// Takes in the next roster entry; one that is known already changes nothing.
    ///
    /// # Errors
    /// It is not the next entry, or breaks a rule (R12 to R20); nothing has changed then.
    pub fn apply_roster(&mut self, signed: &SignedRosterEntry) -> Result<Vec<Change>, RosterError> {
        let entry = match self.roster.judge(signed) {
            Err(RosterError::Known) => return Ok(Vec::new()),
            judged => judged?,
        };
        let before = (self.roster.blur_bystanders(), self.roster.children_present());
        Arc::make_mut(&mut self.roster).take(signed, &entry);
        self.digest = Arc::default();
        let mut changes = match &entry.body {
            RosterBody::Created { host, .. } => vec![Change::EventChanged, Change::MemberJoined(host.member_id())],
            RosterBody::Joined { member, .. } => vec![Change::MemberJoined(member.member_id())],
            RosterBody::Removed { member } => self.forget(member),
            RosterBody::Epoch { number, .. } => vec![Change::EpochChanged(*number)],
            RosterBody::Rules { blur_bystanders } if *blur_bystanders != before.0 => {
                vec![Change::BystandersBlurred(*blur_bystanders)]
            }
            RosterBody::Children { present } if *present != before.1 => vec![Change::ChildrenPresent(*present)],
            RosterBody::Role { .. }
            | RosterBody::Changed { .. }
            | RosterBody::Rules { .. }
            | RosterBody::Children { .. } => vec![Change::EventChanged],
        };
        changes.extend(self.open_grant(&entry.body, self.roster.epoch()));
        Ok(changes)
    }

    /// R22: what a removed member said counts no longer.
    fn forget(&mut self, member: &MemberId) -> Vec<Change> {
        let log = self.logs.remove(member).unwrap_or_default();
        self.unsaved.note(*member, log.numbers());
        // Of one who left, that was the news; the removal only puts it down.
        let news = if log.has_left() { Change::EventChanged } else { Change::MemberRemoved(*member) };
        let withdrawn = log.effect().standing().into_keys().map(Change::Withdrawn);
        let unprotected = Protecting::of(&log).standing().into_keys().map(Change::Unprotected);
        std::iter::once(news).chain(withdrawn).chain(unprotected).collect()
    }

    /// Opens the grant that an entry seals to this member, if any, and then the records of its epoch. A box that does not open is left: its
    /// maker harms this member only, who cannot take part in that epoch.
    fn open_grant(&mut self, body: &RosterBody, epoch: u32) -> Vec<Change> {
        let Some(keys) = &self.keys else { return Vec::new() };
        let grant = sealed_to(body, &keys.member_id())
            .and_then(|sealed| open_grant(keys, &self.roster.event(), epoch, sealed).ok());
        let Some(grant) = grant else { return Vec::new() };
        let mut changes = Vec::new();
        for (author, log) in &mut self.logs {
            if !log.records().any(|record| record.header().epoch == epoch) {
                continue;
            }
            let before = Standing::of(log);
            let log = Arc::make_mut(log);
            // One that does not open with its own epoch's key breaks R25 and would have been refused.
            let dropped = log.unseal(epoch, &grant);
            self.unsaved.note(*author, dropped);
            changes.extend(before.changes(*author, log));
        }
        self.logs.retain(|_, log| !log.is_empty());
        self.grants.insert(epoch, grant);
        changes
    }

    /// Takes in a record. One that is known already changes nothing (R34).
    ///
    /// # Errors
    /// It breaks a rule (R21 to R36); nothing has changed then.
    pub fn receive(&mut self, bytes: &[u8], now: UnixMillis) -> Result<Vec<Change>, RecordError> {
        let received = Received::read(bytes)?;
        let Header { event, epoch, author, seq, .. } = *received.claimed();
        // R34: before the costly checks, since records arrive on several ways.
        let held = self.logs.get(&author).and_then(|log| log.get(seq));
        if event == self.event() && held.is_some_and(|held| held.bytes() == bytes) {
            return Ok(Vec::new());
        }
        let applied = received.verify(&self.roster, now)?.open(self.grants.get(&epoch))?;
        if let Some(log) = self.logs.get(&author) {
            log.judge(&applied, now)?;
        } else {
            AuthorLog::default().judge(&applied, now)?;
        }
        let log = Arc::make_mut(self.logs.entry(author).or_default());
        let before = Standing::of(log);
        let taken = log.insert(applied)?;
        self.digest = Arc::default();
        let changes = before.changes(author, log);
        self.unsaved.note(author, taken.dropped);
        self.unsaved.note(author, [seq]);
        let replaced = taken.replaced.then_some(Change::Equivocated(author));
        Ok(replaced.into_iter().chain(changes).collect())
    }

    /// Writes a record as this node's member, under the grant of the current epoch, and takes it in. Gives its bytes to be sent.
    ///
    /// # Errors
    /// This node is no member, the body is not allowed, or a budget is used up (R38, R39, R76); nothing has changed then.
    pub fn write(&mut self, body: RecordBody, now: UnixMillis) -> Result<(Vec<u8>, Vec<Change>), RecordError> {
        let keys = self.keys.as_ref().ok_or(RecordError::NotAMember)?;
        let author = keys.member_id();
        // R50: nothing follows a leave.
        self.member(&author).ok_or(RecordError::NotAMember)?;
        let grant = self.current_grant().ok_or(RecordError::NoGrant)?;
        let log = self.logs.get(&author);
        let last = log.and_then(|log| log.last()).map(|record| *record.header());
        let header = Header {
            event: self.event(),
            epoch: self.roster.epoch(),
            author,
            // The time is part of the number, so that a member whose state came back from an old backup does not use a number twice.
            seq: last.map_or(0, |last| last.seq.saturating_add(1)).max(now.0),
            at: not_before(last.map(|last| last.at), now),
        };
        if let (RecordBody::FindMe(find_me), Some(log)) = (&body, log) {
            log.effect().judge(find_me, header.at)?;
        }
        if let (RecordBody::Protect(protection), Some(log)) = (&body, log) {
            Protecting::of(log).judge(protection, header.at)?;
        }
        let bytes = SealedRecord::write(header, &body, keys, grant)?.to_bytes()?;
        let changes = self.receive(&bytes, now)?;
        Ok((bytes, changes))
    }

    /// R33: drops the records that have no effect any more; gives how many.
    pub fn prune(&mut self, now: UnixMillis) -> usize {
        let mut dropped = 0;
        for (author, log) in &mut self.logs {
            let spent = log.spent(now);
            if !spent.is_empty() {
                dropped += spent.len();
                self.digest = Arc::default();
                Arc::make_mut(log).remove(&spent);
                self.unsaved.note(*author, spent);
            }
        }
        self.logs.retain(|_, log| !log.is_empty());
        dropped
    }
}

impl fmt::Debug for EventState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventState")
            .field("event", &self.event())
            .field("roster", &self.roster.next_index())
            .field("epoch", &self.roster.epoch())
            .field("authors", &self.logs.len())
            .finish_non_exhaustive()
    }
}

/// Times of one author do not run backwards when a clock is set back a little; a time far ahead is a fault of the clock, and is left behind.
fn not_before(last: Option<UnixMillis>, now: UnixMillis) -> UnixMillis {
    last.filter(|last| *last > now && *last <= now.plus(MAX_CLOCK_SKEW_MS)).unwrap_or(now)
}

/// The grant that an entry seals to a member.
fn sealed_to<'a>(body: &'a RosterBody, member: &MemberId) -> Option<&'a SealedBox> {
    match body {
        RosterBody::Created { host: sealed_for, grant, .. } | RosterBody::Joined { member: sealed_for, grant, .. } => {
            (sealed_for.member_id() == *member).then_some(grant)
        }
        RosterBody::Epoch { sealed, .. } => sealed.iter().find(|(id, _)| id == member).map(|(_, grant)| grant),
        RosterBody::Removed { .. }
        | RosterBody::Role { .. }
        | RosterBody::Changed { .. }
        | RosterBody::Rules { .. }
        | RosterBody::Children { .. } => None,
    }
}

/// What the records of one author amounted to before something was taken in.
struct Standing {
    find_mes: BTreeMap<FindMeId, RecordTag>,
    protections: BTreeMap<ProtectionId, RecordTag>,
    over_budget: bool,
    profile: Option<Profile>,
    contact: Option<(Contact, u32)>,
    left: bool,
}

impl Standing {
    fn of(log: &AuthorLog) -> Self {
        let (effect, protecting) = (log.effect(), Protecting::of(log));
        Self {
            find_mes: effect.standing(),
            protections: protecting.standing(),
            over_budget: effect.over_budget || protecting.over_budget,
            profile: log.profile(),
            contact: log.contact().map(|(contact, epoch)| (contact.clone(), epoch)),
            left: log.has_left(),
        }
    }

    /// What is different now.
    fn changes(self, author: MemberId, log: &AuthorLog) -> Vec<Change> {
        let now = Self::of(log);
        let mut changes = Vec::new();
        if now.left && !self.left {
            changes.push(Change::MemberLeft(author));
        }
        let gone = self.find_mes.keys().filter(|id| !now.find_mes.contains_key(id));
        changes.extend(gone.map(|id| Change::Withdrawn(*id)));
        let fresh = now.find_mes.iter().filter(|(id, tag)| self.find_mes.get(id) != Some(tag));
        changes.extend(fresh.map(|(id, _)| Change::FindMe(*id)));
        let gone = self.protections.keys().filter(|id| !now.protections.contains_key(id));
        changes.extend(gone.map(|id| Change::Unprotected(*id)));
        let fresh = now.protections.iter().filter(|(id, tag)| self.protections.get(id) != Some(tag));
        changes.extend(fresh.map(|(id, _)| Change::Protected(*id)));
        if now.profile != self.profile {
            changes.push(Change::ProfileChanged(author));
        }
        if now.contact != self.contact {
            changes.push(Change::ContactChanged(author));
        }
        if now.over_budget && !self.over_budget {
            changes.push(Change::OverBudget(author));
        }
        changes
    }
}
