//! What was found to be wrong in an event: members who say two things, a roster that was told in two ways, a node that went back in time, two members
//! who look for one face. Each is kept, so that it is noted once.

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::roster::SignedRosterEntry;
use inframe_protocol::sync::has_gone_back;
use inframe_protocol::template::{self, Template};
use inframe_protocol::{EventId, FindMeId, MemberId, NodeId, ProtectionId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::{Events, EventsError, MyRole, Portrait};
use crate::live::What;
use crate::vault::{Batch, Versioned};

/// The same of the same member is noted again after this long, milliseconds.
const AGAIN_MS: u64 = 24 * 3_600_000;
/// A vector says that a node went back in time only when it comes so long after the one that said more, milliseconds: answers that cross on their way
/// come in any order.
const CROSSING_MS: u64 = 2 * 60_000;
/// Two members of an event who speak for one face are told about for so many pairs. Twins and parents are a few; somebody who announces one face after
/// the other to make noise is heard no longer.
const MAX_ALIKE: usize = 64;

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
    /// A member speaks for a face that is very like mine.
    LooksLikeMine(MemberId),
    /// Two members speak for faces that are very alike; only the host hears of it.
    LookAlike(MemberId, MemberId),
}

/// How a member speaks for a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// They look for photos of it.
    Looks(FindMeId),
    /// They ask something of photos that show it.
    Asks(ProtectionId),
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
    /// Members who speak for one face, each two once, the smaller id first.
    pub alike: BTreeSet<(MemberId, MemberId)>,
}

impl Versioned for StoredAlarms {
    const VERSION: u8 = 2;
    type Before = first::StoredAlarms;
}

/// The form of the first version.
mod first {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use super::{Fork, MemberAlarms, MemberId};

    #[derive(Serialize, Deserialize)]
    pub struct StoredAlarms {
        pub(super) fork: Option<Fork>,
        pub(super) members: BTreeMap<MemberId, MemberAlarms>,
    }

    crate::first_version!(StoredAlarms);

    impl From<StoredAlarms> for super::StoredAlarms {
        fn from(StoredAlarms { fork, members }: StoredAlarms) -> Self {
            Self { fork, members, ..Self::default() }
        }
    }
}

impl StoredAlarms {
    /// Notes an alarm about a member; whether it is news.
    pub(super) fn raise(&mut self, alarm: Alarm, now: u64) -> bool {
        let (member, last): (_, fn(&mut MemberAlarms) -> &mut Option<u64>) = match alarm {
            Alarm::Forked { .. } | Alarm::LooksLikeMine(_) | Alarm::LookAlike(..) => return false,
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

    /// Notes that two members speak for one face; whether it is news.
    fn raise_alike(&mut self, one: MemberId, other: MemberId) -> bool {
        self.alike.len() < MAX_ALIKE && self.alike.insert((one.min(other), one.max(other)))
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
        let mut alarms = entry.alarms.clone();
        if !alarms.raise(alarm, now) {
            return Ok(None);
        }
        entry.turn_to_alarms(self, alarms)?;
        drop(entries);
        self.live.tell(What::Events, Some(event.to_string()));
        Ok(Some(alarm))
    }

    /// Looks whether one of these words, which have just come or been written, is about a face very like one that another member speaks for, or like
    /// mine, of which others need not know: as near as a sure match (`sure` is that distance between templates of `pack`). The host is told of any two
    /// members, everybody else of a face like their own; twins and both parents of a child are told about as well. Each two members once.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn look_for_alikes(
        &self,
        event: &EventId,
        came: &[Spoken],
        mine: Option<&Portrait>,
        pack: &str,
        sure: f32,
        now: u64,
    ) -> Result<Vec<Alarm>, EventsError> {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(event) else { return Ok(Vec::new()) };
        let (me, is_host) = (entry.my_id(), entry.role() == MyRole::Host);
        let live = entry.spoken_for(mine, pack, now);
        let mut alarms = entry.alarms.clone();
        let mut news = Vec::new();
        for (author, _, template) in live.iter().filter(|(_, word, _)| word.is_some_and(|word| came.contains(&word))) {
            let others = live.iter().filter(|(other, ..)| other != author);
            for (other, _, others) in others.filter(|(other, ..)| is_host || [*author, *other].contains(&me)) {
                if template::distance(template, others) <= sure && alarms.raise_alike(*author, *other) {
                    news.push(match (*author == me, *other == me) {
                        (true, _) => Alarm::LooksLikeMine(*other),
                        (_, true) => Alarm::LooksLikeMine(*author),
                        _ => Alarm::LookAlike(*author, *other),
                    });
                }
            }
        }
        if !news.is_empty() {
            entry.turn_to_alarms(self, alarms)?;
            drop(entries);
            self.live.tell(What::Events, Some(event.to_string()));
        }
        Ok(news)
    }
}

impl Entry {
    /// Every face that a member speaks for now, and mine though I may not: who, how, and its template under the projection in force, which alone
    /// compare with each other.
    fn spoken_for(&self, mine: Option<&Portrait>, pack: &str, now: u64) -> Vec<(MemberId, Option<Spoken>, Template)> {
        let Some(projection) = self.state.current_grant().map(|grant| grant.projection_key()) else {
            return Vec::new();
        };
        let looking = self.state.find_mes(UnixMillis(now)).into_iter().filter(|one| one.find_me.pack == pack);
        let looking = looking.map(|one| (one.author, Some(Spoken::Looks(one.find_me.id)), one.find_me.template));
        let asking = self.state.protections(UnixMillis(now)).into_iter();
        let asking = asking.filter(|one| one.protection.pack == pack && one.projection == projection);
        let asking = asking.map(|one| (one.author, Some(Spoken::Asks(one.protection.id)), one.protection.template));
        let mine = mine.filter(|mine| mine.pack == pack);
        let mine = mine.and_then(|mine| Template::project(&mine.likable.embedding, &mine.mean, &projection).ok());
        looking.chain(asking).chain(mine.map(|template| (self.my_id(), None, template))).collect()
    }

    /// Makes these the alarms, and writes them. When that fails, all is as before.
    fn turn_to_alarms(&mut self, events: &Events, alarms: StoredAlarms) -> Result<(), EventsError> {
        let before = std::mem::replace(&mut self.alarms, alarms);
        let mut batch = Batch::default();
        let written = self.put_alarms(&mut batch).and_then(|()| Ok(events.vault.catalog().commit(batch)?));
        if written.is_err() {
            self.alarms = before;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Older;

    #[test]
    fn alarms_of_the_first_version_know_of_nobody_alike() {
        let members =
            BTreeMap::from([(MemberId([3; 32]), MemberAlarms { went_back: Some(5), ..MemberAlarms::default() })]);
        let old = first::StoredAlarms { fork: None, members: members.clone() };
        let read = StoredAlarms::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        assert_eq!(read, StoredAlarms { members, ..StoredAlarms::default() });
    }
}
