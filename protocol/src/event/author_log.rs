//! The records of one author, and what they amount to.
//!
//! What counts is a function of the *set* of records, taken in the order of their sequence numbers, and never of the order of arrival: so
//! all nodes that hold the same records agree. A record that breaks a budget is kept and has no effect, because a node that has not yet
//! heard of a withdrawal would otherwise refuse for good what others take.

use std::collections::BTreeMap;

use super::Profile;
use crate::ids::{FindMeId, UnixMillis};
use crate::limits::{
    FIND_ME_BUDGET_MS, MAX_CLOCK_SKEW_MS, MAX_FIND_MES_PER_HOUR, MAX_LIVE_FIND_MES, MAX_RECORDS_PER_AUTHOR,
};
use crate::record::{Applied, FindMe, RecordBody, RecordError, RecordTag, Subject};

/// The records of one author by sequence number.
#[derive(Debug, Clone, Default)]
pub(super) struct AuthorLog {
    records: BTreeMap<u64, Applied>,
}

/// What the records of one author amount to.
#[derive(Debug, Default)]
pub(super) struct Effect<'a> {
    /// The find-mes that count, expired ones included, each with its record.
    live: BTreeMap<FindMeId, (&'a Applied, &'a FindMe)>,
    /// Times of all find-me records that counted, superseded ones included.
    announced: Vec<UnixMillis>,
    /// Whether a record broke a budget.
    pub(super) over_budget: bool,
}

/// R37: whether a find-me takes the place of an earlier one: it renews it, or both look for the author.
fn replaces(find_me: &FindMe, other: &FindMe) -> bool {
    other.id == find_me.id || (find_me.subject == Subject::Me && other.subject == Subject::Me)
}

impl<'a> Effect<'a> {
    /// R38 and R39: whether a find-me at this time counts after what came before.
    pub(super) fn judge(&self, find_me: &FindMe, at: UnixMillis) -> Result<(), RecordError> {
        // R39: an hour to both sides, so that times which run backwards gain nothing.
        let near = self.announced.iter().filter(|other| other.0.abs_diff(at.0) < FIND_ME_BUDGET_MS);
        if near.count() >= MAX_FIND_MES_PER_HOUR {
            return Err(RecordError::TooManyInAnHour);
        }
        // R38
        let others = self.live.values().filter(|(_, other)| !replaces(find_me, other) && other.expires > at);
        if others.count() >= MAX_LIVE_FIND_MES { Err(RecordError::TooManyLive) } else { Ok(()) }
    }

    fn take(&mut self, record: &'a Applied) {
        match record.body() {
            Some(RecordBody::FindMe(find_me)) => {
                if self.judge(find_me, record.header().at).is_err() {
                    self.over_budget = true;
                    return;
                }
                self.announced.push(record.header().at);
                // R37: the highest sequence number counts, and records come in their order.
                self.live.retain(|_, (_, other)| !replaces(find_me, other));
                self.live.insert(find_me.id, (record, find_me));
            }
            Some(RecordBody::Withdraw { find_me }) => {
                self.live.remove(find_me);
            }
            Some(RecordBody::Profile { .. } | RecordBody::Leave) | None => {}
        }
    }

    /// The find-mes that count and have not expired at `now` (or at all, without a time): the newest three at most (R38).
    pub(super) fn live(&self, now: Option<UnixMillis>) -> Vec<(&'a Applied, &'a FindMe)> {
        let is_live = |find_me: &FindMe| now.is_none_or(|now| find_me.expires > now);
        let mut live: Vec<_> = self.live.values().copied().filter(|(_, find_me)| is_live(find_me)).collect();
        live.sort_by_key(|(record, _)| std::cmp::Reverse(record.header().seq));
        live.truncate(MAX_LIVE_FIND_MES);
        live
    }

    /// For each find-me that counts the record that says so: two of these tell what changed.
    pub(super) fn standing(&self) -> BTreeMap<FindMeId, RecordTag> {
        self.live(None).into_iter().map(|(record, find_me)| (find_me.id, record.tag())).collect()
    }
}

impl AuthorLog {
    pub(super) fn get(&self, seq: u64) -> Option<&Applied> {
        self.records.get(&seq)
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Applied> {
        self.records.values()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn last(&self) -> Option<&Applied> {
        self.records.values().next_back()
    }

    pub(super) fn effect(&self) -> Effect<'_> {
        let mut effect = Effect::default();
        // R50: whatever its number, so that nobody has to ask which came first.
        if self.has_left() {
            return effect;
        }
        self.records.values().for_each(|record| effect.take(record));
        effect
    }

    /// The newest profile.
    pub(super) fn profile(&self) -> Option<Profile> {
        self.records.values().rev().find_map(|record| match record.body() {
            Some(RecordBody::Profile { nickname, addresses }) => {
                Some(Profile { nickname: nickname.clone(), addresses: addresses.clone(), epoch: record.header().epoch })
            }
            _ => None,
        })
    }

    /// R50: whether the author has left the event.
    pub(super) fn has_left(&self) -> bool {
        self.newest(is_leave).is_some()
    }

    /// The number of the newest record of a kind.
    fn newest(&self, is_it: impl Fn(&Applied) -> bool) -> Option<u64> {
        self.records.values().rev().find(|record| is_it(record)).map(|record| record.header().seq)
    }

    /// R33: whether a record of this author has no effect any more. The newest profile and the newest leave have no end.
    fn is_spent(&self, record: &Applied, now: UnixMillis) -> bool {
        match record.body() {
            // Kept for an hour after its time, because it counts for the budget of that hour.
            Some(RecordBody::FindMe(find_me)) => {
                let counted = record.header().at.plus(FIND_ME_BUDGET_MS);
                find_me.expires.max(counted).plus(MAX_CLOCK_SKEW_MS) < now
            }
            Some(RecordBody::Profile { .. }) => self.is_replaced(record, is_profile) && record.is_past_window(now),
            Some(RecordBody::Leave) => self.is_replaced(record, is_leave) && record.is_past_window(now),
            Some(RecordBody::Withdraw { .. }) | None => record.is_past_window(now),
        }
    }

    /// Whether a newer record of its kind is there.
    fn is_replaced(&self, record: &Applied, is_it: impl Fn(&Applied) -> bool) -> bool {
        self.newest(is_it).is_some_and(|newest| record.header().seq < newest)
    }

    /// Takes in a record whose bytes are not there. Says whether it took the place of another one (R35).
    ///
    /// # Errors
    /// R33: it is too old to have an effect. R35: another one stands at its place. R36: there are too many newer ones.
    pub(super) fn insert(&mut self, record: Applied, now: UnixMillis) -> Result<bool, RecordError> {
        if self.is_spent(&record, now) {
            return Err(RecordError::Expired);
        }
        self.insert_kept(record)
    }

    /// As [`AuthorLog::insert`], whatever the time.
    pub(super) fn insert_kept(&mut self, record: Applied) -> Result<bool, RecordError> {
        let seq = record.header().seq;
        if let Some(other) = self.records.get(&seq) {
            // R35: all nodes keep the one with the lower tag, whichever came first.
            if other.tag() <= record.tag() {
                return Err(RecordError::Equivocation);
            }
        }
        let replaced = self.records.insert(seq, record).is_some();
        // R36: the ones with the highest numbers stay, so the order of arrival does not matter. What has no end stays.
        while self.records.len() > MAX_RECORDS_PER_AUTHOR {
            let endless = [self.newest(is_profile), self.newest(is_leave)];
            let Some(lowest) = self.records.keys().copied().find(|seq| !endless.contains(&Some(*seq))) else { break };
            self.records.remove(&lowest);
            if lowest == seq {
                return Err(RecordError::TooManyRecords);
            }
        }
        Ok(replaced)
    }

    /// Keeps the records for which `keep` says so; it may also open them.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut Applied) -> bool) {
        self.records.retain(|_, record| keep(record));
    }

    /// R33: drops what has no effect any more; returns how many.
    pub(super) fn prune(&mut self, now: UnixMillis) -> usize {
        let spent: Vec<u64> = self
            .records
            .values()
            .filter(|record| self.is_spent(record, now))
            .map(|record| record.header().seq)
            .collect();
        spent.iter().for_each(|seq| drop(self.records.remove(seq)));
        spent.len()
    }
}

fn is_profile(record: &Applied) -> bool {
    matches!(record.body(), Some(RecordBody::Profile { .. }))
}

fn is_leave(record: &Applied) -> bool {
    matches!(record.body(), Some(RecordBody::Leave))
}
