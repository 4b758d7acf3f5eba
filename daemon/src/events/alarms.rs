//! What was found to be wrong in an event: members who say two things, a roster that was told in two ways, a node that went back in time. Each is
//! kept, so that it is noted once.

use std::collections::BTreeMap;

use inframe_protocol::roster::SignedRosterEntry;
use inframe_protocol::sync::has_gone_back;
use inframe_protocol::{EventId, MemberId, NodeId};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::{Events, EventsError};
use crate::live::What;
use crate::vault::Batch;

/// The same of the same member is noted again after this long, milliseconds.
const AGAIN_MS: u64 = 24 * 3_600_000;
/// A vector says that a node went back in time only when it comes so long after the one that said more, milliseconds: answers that cross on their way
/// come in any order.
const CROSSING_MS: u64 = 2 * 60_000;

/// Something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// R15: the event's key signed two entries for one place: a proof of both is kept.
    Forked {
        /// The place.
        index: u32,
    },
    /// R35: a member signed two records with one number.
    Equivocated(MemberId),
    /// R38, R39: a member announced more than they may.
    OverBudget(MemberId),
    /// R54: a member's node knows less of the roster than it had shown before.
    WentBack(MemberId),
}

/// Two entries that the event's key signed for one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork {
    /// When it was found, Unix milliseconds.
    pub at: u64,
    /// The place.
    pub index: u32,
    /// The entry that is in the roster here.
    pub ours: SignedRosterEntry,
    /// The other one.
    pub theirs: SignedRosterEntry,
}

/// When each was noted last about a member, Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberAlarms {
    /// [`Alarm::Equivocated`].
    pub equivocated: Option<u64>,
    /// [`Alarm::OverBudget`].
    pub over_budget: Option<u64>,
    /// [`Alarm::WentBack`].
    pub went_back: Option<u64>,
}

/// The row of the catalog: as many members as the roster has had at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAlarms {
    /// The first fork that was found.
    pub fork: Option<Fork>,
    /// Members about whom there is something.
    pub members: BTreeMap<MemberId, MemberAlarms>,
}

impl StoredAlarms {
    /// Notes an alarm about a member; whether it is news.
    pub(super) fn raise(&mut self, alarm: Alarm, now: u64) -> bool {
        let (member, last): (_, fn(&mut MemberAlarms) -> &mut Option<u64>) = match alarm {
            Alarm::Forked { .. } => return false,
            Alarm::Equivocated(member) => (member, |of| &mut of.equivocated),
            Alarm::OverBudget(member) => (member, |of| &mut of.over_budget),
            Alarm::WentBack(member) => (member, |of| &mut of.went_back),
        };
        let last = last(self.members.entry(member).or_default());
        let news = last.is_none_or(|last| now.abs_diff(last) >= AGAIN_MS);
        if news {
            *last = Some(now);
        }
        news
    }

    /// Notes a fork; whether it is the first.
    pub(super) fn raise_fork(&mut self, fork: Fork) -> bool {
        let first = self.fork.is_none();
        self.fork.get_or_insert(fork);
        first
    }
}

/// What a node has shown of a roster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    entries: u32,
    at: u64,
}

impl Events {
    /// Looks at how many entries of the roster a member's node shows: not fewer than that very node had shown before (R54). Whether they are, and is news.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn look_at_roster(
        &self,
        event: &EventId,
        node: &NodeId,
        shows: u32,
        now: u64,
    ) -> Result<Option<Alarm>, EventsError> {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(event) else { return Ok(None) };
        let Some(member) = entry.state.member_by_node(node).map(inframe_protocol::roster::Member::id) else {
            return Ok(None);
        };
        let shown = entry.shown.entry(member).or_insert(Shown { entries: 0, at: now });
        if !has_gone_back(shows, shown.entries) {
            *shown = Shown { entries: shows, at: now };
            return Ok(None);
        }
        if now.saturating_sub(shown.at) < CROSSING_MS {
            return Ok(None);
        }
        *shown = Shown { entries: shows, at: now };
        let alarm = Alarm::WentBack(member);
        let raised = entry.raise_durably(self, alarm, now)?;
        drop(entries);
        if raised {
            self.live.tell(What::Events, Some(event.to_string()));
        }
        Ok(raised.then_some(alarm))
    }
}

impl Entry {
    fn raise_durably(&mut self, events: &Events, alarm: Alarm, now: u64) -> Result<bool, EventsError> {
        let before = self.alarms.clone();
        if !self.alarms.raise(alarm, now) {
            return Ok(false);
        }
        let mut batch = Batch::default();
        let written = self.put_alarms(&mut batch).and_then(|()| Ok(events.vault.catalog().commit(batch)?));
        if written.is_err() {
            self.alarms = before;
        }
        written.map(|()| true)
    }
}
