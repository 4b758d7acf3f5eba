//! Catching up: what this node holds, in short, and what another node lacks of it.

use super::EventState;
use crate::limits::{MAX_RECORDS_PER_AUTHOR, MAX_SYNC_PAGE_BYTES};
use crate::record::Applied;
use crate::roster::SignedRosterEntry;
use crate::sync::{Held, StateVector, SyncPage};

impl EventState {
    /// What this node holds. Two nodes with equal vectors hold the same.
    pub fn vector(&self) -> StateVector {
        let held = |record: &Applied| Held { seq: record.header().seq, tag: record.tag() };
        StateVector {
            roster: self.roster.next_index(),
            head: self.roster.head_hash(),
            oldest_epoch: self.grants.keys().next().copied().unwrap_or(u32::MAX),
            authors: self.logs.iter().map(|(author, log)| (*author, log.records().map(held).collect())).collect(),
        }
    }

    /// R15: whether another node was shown another roster by the host than this one.
    pub fn contradicts(&self, theirs: &StateVector) -> bool {
        theirs.roster > 0 && self.roster.hash_after(theirs.roster).is_some_and(|hash| hash != theirs.head)
    }

    /// What another node lacks, as much as fits into one page. Records come only once the roster is whole, because they are judged by it.
    pub fn missing_for(&self, theirs: &StateVector) -> SyncPage {
        let mut page = PageWriter { page: SyncPage::default(), room: MAX_SYNC_PAGE_BYTES };
        let first = theirs.roster as usize;
        if self.contradicts(theirs) {
            // R47: the entry here against theirs, both signed: the proof that the host tells two stories. Nothing else is said.
            self.roster.entries().get(first - 1).into_iter().for_each(|entry| page.entry(entry));
            return page.page;
        }
        self.roster.entries().iter().skip(first).for_each(|entry| page.entry(entry));
        if page.page.more {
            return page.page;
        }
        let mut held_back = false;
        for (author, log) in &self.logs {
            for record in log.records().filter(|record| is_missing(record, theirs.of(author))) {
                // R49: it cannot open them, and would keep old profiles sealed for ever.
                if record.header().epoch < theirs.oldest_epoch {
                    held_back = true;
                } else {
                    page.record(record);
                }
            }
        }
        // A grant in these entries may open what is held back: then the other node asks again, as one who can.
        page.page.more |= held_back && !page.page.roster.is_empty();
        page.page
    }
}

/// Whether another node lacks a record and would keep it beside those that it holds of the author.
fn is_missing(record: &Applied, held: &[Held]) -> bool {
    match held.binary_search_by_key(&record.header().seq, |held| held.seq) {
        // R35: of two records with one number, the one with the lower tag is kept by all.
        Ok(at) => held.get(at).is_some_and(|held| record.tag() < held.tag),
        // R36: they have as many newer ones as they keep.
        Err(place) => place > 0 || held.len() < MAX_RECORDS_PER_AUTHOR,
    }
}

/// Fills a page up to its limit.
struct PageWriter {
    page: SyncPage,
    room: usize,
}

impl PageWriter {
    /// Whether so many bytes still fit. Once something did not fit, nothing more goes in, so that the order stays.
    fn takes(&mut self, bytes: usize) -> bool {
        match self.room.checked_sub(bytes) {
            Some(left) if !self.page.more => self.room = left,
            _ => self.page.more = true,
        }
        !self.page.more
    }

    fn entry(&mut self, entry: &SignedRosterEntry) {
        if self.takes(entry.wire_bytes()) {
            self.page.roster.push(entry.clone());
        }
    }

    fn record(&mut self, record: &Applied) {
        if self.takes(record.bytes().len()) {
            self.page.records.push(record.bytes().to_vec());
        }
    }
}
