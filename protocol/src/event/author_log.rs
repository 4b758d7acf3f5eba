//! The records of one author, and what they amount to.
//!
//! What counts is a function of the *set* of records, taken in the order of their sequence numbers, and never of the order of arrival: so
//! all nodes that hold the same records agree. A record that breaks a budget is kept and has no effect, because a node that has not yet
//! heard of a withdrawal would otherwise refuse for good what others take.

use std::collections::BTreeMap;

use super::Profile;
use crate::ids::{FindMeId, UnixMillis};
use crate::keys::EpochGrant;
use crate::limits::{
    FIND_ME_BUDGET_MS, MAX_CLOCK_SKEW_MS, MAX_FIND_MES_PER_HOUR, MAX_LARGE_RECORDS_PER_AUTHOR, MAX_LIVE_FIND_MES,
    MAX_PROTECTION_LIFETIME_MS, MAX_RECORDS_PER_AUTHOR, MAX_SMALL_RECORD_BYTES, PROTECTION_BUDGET_MS,
};
use crate::record::{Applied, Contact, FindMe, RecordBody, RecordError, RecordTag, Subject};

/// The records of one author by sequence number.
#[derive(Debug, Clone, Default)]
pub(super) struct AuthorLog {
    records: BTreeMap<u64, Applied>,
}

/// What taking in a record did besides.
#[derive(Debug)]
pub(super) struct Taken {
    /// R35: whether it took the place of another one.
    pub(super) replaced: bool,
    /// Numbers of those that had to go for it.
    pub(super) dropped: Vec<u64>,
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
            Some(_) | None => {}
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

    pub(super) fn numbers(&self) -> impl Iterator<Item = u64> {
        self.records.keys().copied()
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

    /// R82: the newest word about name and e-mail address, and its epoch. Nothing is shown of one who has left.
    pub(super) fn contact(&self) -> Option<(&Contact, u32)> {
        let newest = self.records.values().rev().find_map(|record| match record.body() {
            Some(RecordBody::Contact(contact)) => Some((contact, record.header().epoch)),
            _ => None,
        });
        newest.filter(|_| !self.has_left())
    }

    /// R50: whether the author has left the event.
    pub(super) fn has_left(&self) -> bool {
        self.newest(is_leave).is_some()
    }

    /// The number of the newest record of a kind.
    fn newest(&self, is_it: impl Fn(&Applied) -> bool) -> Option<u64> {
        self.records.values().rev().find(|record| is_it(record)).map(|record| record.header().seq)
    }

    /// R33: whether a record of this author has no effect any more. The newest profile, the newest contact and the newest leave have no end.
    fn is_spent(&self, record: &Applied, now: UnixMillis) -> bool {
        match record.body() {
            // Kept for an hour after its time, because it counts for the budget of that hour.
            Some(RecordBody::FindMe(find_me)) => {
                let counted = record.header().at.plus(FIND_ME_BUDGET_MS);
                find_me.expires.max(counted).plus(MAX_CLOCK_SKEW_MS) < now
            }
            Some(RecordBody::Profile { .. }) => self.is_replaced(record, is_profile) && record.is_past_window(now),
            // R82: an empty one has no end either, or what it takes back could be said again by whoever kept it.
            Some(RecordBody::Contact(_)) => self.is_replaced(record, is_contact) && record.is_past_window(now),
            Some(RecordBody::Leave) => self.is_replaced(record, is_leave) && record.is_past_window(now),
            // R78
            Some(RecordBody::Protect(protection)) => {
                let counted = record.header().at.plus(PROTECTION_BUDGET_MS);
                protection.expires.max(counted).plus(MAX_CLOCK_SKEW_MS) < now
            }
            Some(RecordBody::Unprotect { .. }) => is_past_protections(record, now),
            Some(RecordBody::Withdraw { .. }) | None => record.is_past_window(now),
        }
    }

    /// Whether a newer record of its kind is there.
    fn is_replaced(&self, record: &Applied, is_it: impl Fn(&Applied) -> bool) -> bool {
        self.newest(is_it).is_some_and(|newest| record.header().seq < newest)
    }

    /// What speaks against a record whose bytes are not there.
    ///
    /// # Errors
    /// R33: it is too old to have an effect. R35: another one stands at its place.
    pub(super) fn judge(&self, record: &Applied, now: UnixMillis) -> Result<(), RecordError> {
        if self.is_spent(record, now) {
            return Err(RecordError::Expired);
        }
        self.judge_place(record)
    }

    /// R35: all nodes keep the one with the lower tag, whichever came first.
    fn judge_place(&self, record: &Applied) -> Result<(), RecordError> {
        let other = self.records.get(&record.header().seq);
        if other.is_some_and(|other| other.tag() <= record.tag()) { Err(RecordError::Equivocation) } else { Ok(()) }
    }

    /// Takes in a record, whatever the time.
    ///
    /// # Errors
    /// R35: another one stands at its place. R36, R52: there are too many newer ones. Nothing has changed then.
    pub(super) fn insert(&mut self, record: Applied) -> Result<Taken, RecordError> {
        let seq = record.header().seq;
        let replaced = self.records.contains_key(&seq);
        self.keep(record)?;
        let dropped = self.trim();
        if dropped.contains(&seq) && !replaced {
            Err(RecordError::TooManyRecords)
        } else {
            Ok(Taken { replaced, dropped })
        }
    }

    /// As [`AuthorLog::insert`], however many there are: what this node has kept, whose bodies are not open yet.
    ///
    /// # Errors
    /// R35: another one stands at its place.
    pub(super) fn keep(&mut self, record: Applied) -> Result<(), RecordError> {
        self.judge_place(&record)?;
        self.records.insert(record.header().seq, record);
        Ok(())
    }

    /// Drops what is too much; gives the numbers. The highest ones stay, so the order of arrival does not matter. What has no end stays.
    pub(super) fn trim(&mut self) -> Vec<u64> {
        let mut dropped = Vec::new();
        while let Some(lowest) = self.too_many() {
            self.records.remove(&lowest);
            dropped.push(lowest);
        }
        dropped
    }

    /// The numbers of the records that have no end (R36): the newest profile, the newest contact and the newest leave.
    pub(super) fn endless(&self) -> [Option<u64>; 3] {
        [self.newest(is_profile), self.newest(is_contact), self.newest(is_leave)]
    }

    /// The record that has to go first, if there are too many.
    fn too_many(&self) -> Option<u64> {
        let endless = self.endless();
        let may_go = |seq: &&u64| !endless.contains(&Some(**seq));
        // R52: what has no end does not count, so that a newer one makes no room for what is gone elsewhere.
        let large = || self.records.iter().filter(|(_, record)| is_large(record)).map(|(seq, _)| seq).filter(may_go);
        if large().nth(MAX_LARGE_RECORDS_PER_AUTHOR).is_some() {
            return large().next().copied();
        }
        // R36
        let all = (self.records.len() > MAX_RECORDS_PER_AUTHOR).then(|| self.records.keys().find(may_go).copied());
        all.flatten()
    }

    /// Opens the records of an epoch; gives the numbers of those that did not open, which are gone.
    pub(super) fn unseal(&mut self, epoch: u32, grant: &EpochGrant) -> Vec<u64> {
        let mut dropped = Vec::new();
        self.records.retain(|seq, record| {
            let stays = record.header().epoch != epoch || record.unseal(grant).is_ok();
            if !stays {
                dropped.push(*seq);
            }
            stays
        });
        dropped
    }

    /// R33: the numbers of those that have no effect any more.
    pub(super) fn spent(&self, now: UnixMillis) -> Vec<u64> {
        self.records.values().filter(|record| self.is_spent(record, now)).map(|record| record.header().seq).collect()
    }

    pub(super) fn remove(&mut self, numbers: &[u64]) {
        self.records.retain(|seq, _| !numbers.contains(seq));
    }
}

/// Whether every protection of a record's time has ended, as far as clocks may differ.
fn is_past_protections(record: &Applied, now: UnixMillis) -> bool {
    record.header().at.plus(MAX_PROTECTION_LIFETIME_MS).plus(MAX_CLOCK_SKEW_MS) < now
}

fn is_large(record: &Applied) -> bool {
    record.bytes().len() > MAX_SMALL_RECORD_BYTES
}

fn is_profile(record: &Applied) -> bool {
    matches!(record.body(), Some(RecordBody::Profile { .. }))
}

fn is_contact(record: &Applied) -> bool {
    matches!(record.body(), Some(RecordBody::Contact(_)))
}

fn is_leave(record: &Applied) -> bool {
    matches!(record.body(), Some(RecordBody::Leave))
}
