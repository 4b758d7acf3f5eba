//! What of a state has changed since it was last kept, so that a node writes that much and not the whole.

use std::collections::BTreeSet;

use super::EventState;
use crate::ids::MemberId;

/// Where a state differs from what was kept of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unsaved {
    /// Index of the first roster entry that was not there.
    pub first_entry: u32,
    /// Places of records that came or went: author and sequence number. [`EventState::record`] tells what stands there now.
    pub records: BTreeSet<(MemberId, u64)>,
}

impl Unsaved {
    pub(super) fn note(&mut self, author: MemberId, numbers: impl IntoIterator<Item = u64>) {
        self.records.extend(numbers.into_iter().map(|seq| (author, seq)));
    }
}

impl EventState {
    /// What has changed since this was last called, or since the state was made or read.
    pub fn take_unsaved(&mut self) -> Unsaved {
        let saved = self.all_saved();
        std::mem::replace(&mut self.unsaved, saved)
    }

    /// Whether something has changed since then.
    pub fn is_unsaved(&self) -> bool {
        self.unsaved.first_entry < self.roster.next_index() || !self.unsaved.records.is_empty()
    }

    pub(super) fn all_saved(&self) -> Unsaved {
        Unsaved { first_entry: self.roster.next_index(), records: BTreeSet::new() }
    }

    /// The bytes of a record.
    pub fn record(&self, author: &MemberId, seq: u64) -> Option<&[u8]> {
        self.logs.get(author)?.get(seq).map(crate::record::Applied::bytes)
    }

    /// Places of all records: author and sequence number.
    pub fn records(&self) -> impl Iterator<Item = (MemberId, u64)> {
        self.logs.iter().flat_map(|(author, log)| log.numbers().map(|seq| (*author, seq)))
    }
}
