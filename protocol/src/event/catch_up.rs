//! Catching up: what this node holds, in short and in full, and what another node lacks of it.

use super::EventState;
use crate::ids::{MemberId, NodeId};
use crate::limits::{MAX_RECORDS_PER_AUTHOR, MAX_SYNC_PAGE_BYTES, MAX_VECTOR_BYTES, SYNC_SLICES};
use crate::record::Applied;
use crate::roster::SignedRosterEntry;
use crate::sync::{Held, SliceHasher, Slices, Slicing, StateDigest, StateVector, SyncPage, SyncReply, SyncRequest};

/// Bytes of a vector besides its authors, with room to spare.
const VECTOR_FRAME_BYTES: usize = 256;
/// Bytes of an author in a vector besides the records: the id and their count.
const AUTHOR_BYTES: usize = 32 + 2;
/// Most bytes of one record in a vector: number and tag.
const HELD_BYTES: usize = 10 + 8;

fn held(record: &Applied) -> Held {
    Held { seq: record.header().seq, tag: record.tag() }
}

impl EventState {
    /// The first epoch that this node can open; the largest number if it can open none.
    fn oldest_epoch(&self) -> u32 {
        self.grants.keys().next().copied().unwrap_or(u32::MAX)
    }

    /// What this node holds, all of it. Two nodes with equal vectors hold the same.
    pub fn vector(&self) -> StateVector {
        self.vector_of(Slices::ALL)
    }

    /// What this node holds of these slices.
    fn vector_of(&self, slices: Slices) -> StateVector {
        let slicing = Slicing::of_head(&self.roster.head_hash());
        let told = |author: &MemberId| slices == Slices::ALL || slices.contains(slicing.slice_of(author));
        let authors = self.logs.iter().filter(|(author, _)| told(author));
        StateVector {
            roster: self.roster.next_index(),
            head: self.roster.head_hash(),
            oldest_epoch: self.oldest_epoch(),
            slices,
            authors: authors.map(|(author, log)| (*author, log.records().map(held).collect())).collect(),
        }
    }

    /// As many of these slices as fit one vector, the first ones, and one at least.
    fn fitting(&self, slices: Slices) -> Slices {
        let slicing = Slicing::of_head(&self.roster.head_hash());
        let mut bytes = [0; SYNC_SLICES];
        for (author, log) in &self.logs {
            if let Some(bytes) = bytes.get_mut(slicing.slice_of(author)) {
                *bytes += AUTHOR_BYTES + log.records().count() * HELD_BYTES;
            }
        }
        let mut room = MAX_VECTOR_BYTES - VECTOR_FRAME_BYTES;
        let mut fitting = Slices::NONE;
        for (slice, bytes) in bytes.iter().enumerate().filter(|(slice, _)| slices.contains(*slice)) {
            match room.checked_sub(*bytes) {
                Some(left) => room = left,
                None if fitting.is_empty() => {}
                None => break,
            }
            fitting = fitting.with(slice);
        }
        fitting
    }

    /// R58: what this node holds from an epoch on, in short.
    fn digest(&self, from_epoch: u32) -> StateDigest {
        // Nearly all members can open what this one can.
        if from_epoch != self.oldest_epoch() {
            return self.make_digest(from_epoch);
        }
        self.digest.get_or_init(|| self.make_digest(from_epoch)).clone()
    }

    fn make_digest(&self, from_epoch: u32) -> StateDigest {
        let slicing = Slicing::of_head(&self.roster.head_hash());
        let mut hashers: Vec<SliceHasher> = std::iter::repeat_with(SliceHasher::new).take(SYNC_SLICES).collect();
        for (author, log) in &self.logs {
            let Some(hasher) = hashers.get_mut(slicing.slice_of(author)) else { continue };
            let records = log.records().filter(|record| record.header().epoch >= from_epoch);
            records.for_each(|record| hasher.add(author, held(record)));
        }
        let slices = hashers.iter().map(SliceHasher::finish).collect();
        StateDigest { from_epoch, slices, ..self.roster_digest() }
    }

    fn roster_digest(&self) -> StateDigest {
        let (roster, head) = (self.roster.next_index(), self.roster.head_hash());
        StateDigest { roster, head, from_epoch: self.oldest_epoch(), slices: Vec::new() }
    }

    /// Asks a member's node whether it holds the same.
    pub fn compare_with(&self, node: &NodeId) -> SyncRequest {
        // What one of the two cannot open it does not get (R49), and must not make them differ for ever.
        let theirs = self.member_by_node(node).map_or(0, |member| member.joined_epoch);
        SyncRequest::Compare { event: self.event(), digest: self.digest(self.oldest_epoch().max(theirs)) }
    }

    /// Tells a member's node what roster is here; it asks for what it lacks (R60).
    pub fn announcement(&self) -> SyncRequest {
        SyncRequest::Compare { event: self.event(), digest: self.roster_digest() }
    }

    /// Asks for what is lacking here in these slices, as many of them as fit one request.
    pub fn lacking(&self, slices: Slices) -> SyncRequest {
        SyncRequest::Lacking { event: self.event(), vector: self.vector_of(self.fitting(slices)) }
    }

    /// The answer to a member's node.
    pub fn answer(&self, request: &SyncRequest) -> SyncReply {
        match request {
            SyncRequest::Compare { digest, .. } => self.compared(digest),
            SyncRequest::Lacking { vector, .. } => {
                let same = vector.roster == self.roster.next_index() && vector.head == self.roster.head_hash();
                let slices = if same { self.fitting(vector.slices) } else { Slices::NONE };
                SyncReply::Page { page: self.page(vector, slices), vector: self.vector_of(slices) }
            }
        }
    }

    fn compared(&self, theirs: &StateDigest) -> SyncReply {
        let StateDigest { roster, head, from_epoch, slices } = theirs;
        if (*roster, head) != (self.roster.next_index(), &self.roster.head_hash()) {
            // R59
            let authors = Vec::new();
            let held = StateVector { roster: *roster, head: *head, oldest_epoch: 0, slices: Slices::NONE, authors };
            return SyncReply::Page { page: self.page(&held, Slices::NONE), vector: self.vector_of(Slices::NONE) };
        }
        if slices.is_empty() {
            return SyncReply::Same;
        }
        let ours = self.digest(*from_epoch).slices;
        let pairs = ours.iter().zip(slices).enumerate();
        let differ = pairs.filter(|(_, (ours, theirs))| ours != theirs).map(|(slice, _)| slice);
        let slices = differ.fold(Slices::NONE, Slices::with);
        if slices.is_empty() { SyncReply::Same } else { SyncReply::Differs { slices } }
    }

    /// R15: whether another node was shown another roster by the host than this one.
    pub fn contradicts(&self, theirs: &StateVector) -> bool {
        theirs.roster > 0 && self.roster.hash_after(theirs.roster).is_some_and(|hash| hash != theirs.head)
    }

    /// What another node lacks, as much as fits into one page.
    pub fn missing_for(&self, theirs: &StateVector) -> SyncPage {
        self.page(theirs, theirs.slices)
    }

    fn page(&self, theirs: &StateVector, slices: Slices) -> SyncPage {
        let mut page = PageWriter { page: SyncPage::default(), room: MAX_SYNC_PAGE_BYTES };
        let first = theirs.roster as usize;
        if self.contradicts(theirs) {
            // R47: the entry here against theirs, both signed: the proof that the host tells two stories. Nothing else is said.
            self.roster.entries().get(first - 1).into_iter().for_each(|entry| page.entry(entry));
            return page.page;
        }
        if theirs.roster != self.roster.next_index() {
            // R59: records are judged by the roster, so it comes first; and slices are those of one roster.
            self.roster.entries().iter().skip(first).for_each(|entry| page.entry(entry));
            page.page.more |= !page.page.roster.is_empty();
            return page.page;
        }
        let slicing = Slicing::of_head(&self.roster.head_hash());
        for (author, log) in &self.logs {
            if slices != Slices::ALL && !slices.contains(slicing.slice_of(author)) {
                continue;
            }
            // R49: what it cannot open it would keep sealed for ever.
            let open = log.records().filter(|record| record.header().epoch >= theirs.oldest_epoch);
            let endless = log.endless();
            let missing = |record: &&Applied| {
                // R36: it takes one of the places there, however full they are.
                let stays = endless.contains(&Some(record.header().seq));
                is_missing(record, theirs.of(author), stays)
            };
            open.filter(missing).for_each(|record| page.record(record));
        }
        page.page
    }
}

/// Whether another node lacks a record and would keep it beside those that it holds of the author.
fn is_missing(record: &Applied, held: &[Held], stays: bool) -> bool {
    match held.binary_search_by_key(&record.header().seq, |held| held.seq) {
        // R35: of two records with one number, the one with the lower tag is kept by all.
        Ok(at) => held.get(at).is_some_and(|held| record.tag() < held.tag),
        // R36: they have as many newer ones as they keep.
        Err(place) => stays || place > 0 || held.len() < MAX_RECORDS_PER_AUTHOR,
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
