//! The protections of an event: what its members say about photos of them that others took (R74 to R79).
//!
//! They count as find-mes do, as a function of the set of records of each author. Unlike a find-me, one of an earlier projection still counts: a
//! device that is off while somebody is removed does not cost its owner the protection.

use std::collections::BTreeMap;

use super::EventState;
use super::author_log::AuthorLog;
use crate::ids::{MemberId, ProtectionId, UnixMillis};
use crate::limits::{MAX_LIVE_PROTECTIONS, MAX_PROTECTIONS_PER_HOUR, PROTECTION_BUDGET_MS};
use crate::record::{Applied, Protection, RecordBody, RecordError, RecordTag, Subject};
use crate::template::ProjectionKey;

/// A protection that counts now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveProtection<'a> {
    /// What is asked, and of which face.
    pub protection: &'a Protection,
    /// Who asks.
    pub author: MemberId,
    /// The projection that the template was made with (R77).
    pub projection: ProjectionKey,
}

/// What the protections of one author amount to.
#[derive(Debug, Default)]
pub(super) struct Protecting<'a> {
    live: BTreeMap<ProtectionId, (&'a Applied, &'a Protection)>,
    /// Times of all that counted, superseded ones included.
    said: Vec<UnixMillis>,
    /// Whether a record broke a budget.
    pub(super) over_budget: bool,
}

/// R76: whether a protection takes the place of an earlier one.
fn replaces(protection: &Protection, other: &Protection) -> bool {
    other.id == protection.id || (protection.subject == Subject::Me && other.subject == Subject::Me)
}

impl<'a> Protecting<'a> {
    pub(super) fn of(log: &'a AuthorLog) -> Self {
        let mut effect = Self::default();
        // R50
        if !log.has_left() {
            log.records().for_each(|record| effect.take(record));
        }
        effect
    }

    /// R76: whether a protection at this time counts after what came before.
    pub(super) fn judge(&self, protection: &Protection, at: UnixMillis) -> Result<(), RecordError> {
        let near = self.said.iter().filter(|other| other.0.abs_diff(at.0) < PROTECTION_BUDGET_MS);
        if near.count() >= MAX_PROTECTIONS_PER_HOUR {
            return Err(RecordError::TooManyProtectionsInAnHour);
        }
        let others = self.live.values().filter(|(_, other)| !replaces(protection, other) && other.expires > at);
        if others.count() >= MAX_LIVE_PROTECTIONS { Err(RecordError::TooManyProtections) } else { Ok(()) }
    }

    fn take(&mut self, record: &'a Applied) {
        match record.body() {
            Some(RecordBody::Protect(protection)) => {
                if self.judge(protection, record.header().at).is_err() {
                    self.over_budget = true;
                    return;
                }
                self.said.push(record.header().at);
                self.live.retain(|_, (_, other)| !replaces(protection, other));
                self.live.insert(protection.id, (record, protection));
            }
            Some(RecordBody::Unprotect { protection }) => {
                self.live.remove(protection);
            }
            _ => {}
        }
    }

    /// Those that count and have not expired at `now` (or at all, without a time): the newest three at most.
    fn live(&self, now: Option<UnixMillis>) -> Vec<(&'a Applied, &'a Protection)> {
        let is_live = |one: &Protection| now.is_none_or(|now| one.expires > now);
        let mut live: Vec<_> = self.live.values().copied().filter(|(_, one)| is_live(one)).collect();
        live.sort_by_key(|(record, _)| std::cmp::Reverse(record.header().seq));
        live.truncate(MAX_LIVE_PROTECTIONS);
        live
    }

    /// For each that counts the record that says so: two of these tell what changed.
    pub(super) fn standing(&self) -> BTreeMap<ProtectionId, RecordTag> {
        self.live(None).into_iter().map(|(record, one)| (one.id, record.tag())).collect()
    }
}

impl EventState {
    /// The protections that count at `now`: not taken back, not expired, within their author's budget (R76, R77). In the order of their authors.
    pub fn protections(&self, now: UnixMillis) -> Vec<LiveProtection<'_>> {
        let mut found = Vec::new();
        for (author, log) in &self.logs {
            for (record, protection) in Protecting::of(log).live(Some(now)) {
                // R77: what could be opened has its grant here.
                if let Some(grant) = self.grant(record.header().epoch) {
                    found.push(LiveProtection { protection, author: *author, projection: grant.projection_key() });
                }
            }
        }
        found
    }
}
