//! Catching up: what a node holds of an event, as it tells another, and the page of what it lacks.

use serde::{Deserialize, Serialize};

use crate::fixed_bytes;
use crate::frame::Message;
use crate::ids::{EventId, MemberId};
use crate::limits::{
    MAX_MEMBERS, MAX_RECORD_BYTES, MAX_RECORDS_PER_AUTHOR, MAX_SYNC_PAGE_BYTES, MAX_SYNC_REPLY_BYTES,
    MAX_SYNC_REQUEST_BYTES,
};
use crate::record::RecordTag;
use crate::roster::SignedRosterEntry;
use crate::text::{FieldError, check_count};

/// What a node holds of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVector {
    /// How many roster entries it has.
    pub roster: u32,
    /// Hash of the last of them: nodes that compare it notice a host who tells two stories.
    #[serde(with = "fixed_bytes")]
    pub head: [u8; 32],
    /// The first epoch whose records it can open. Old profiles of earlier epochs are not sent to it.
    pub oldest_epoch: u32,
    /// For each author, in the order of their ids, the records that it holds, their sequence numbers rising.
    pub authors: Vec<(MemberId, Vec<Held>)>,
}

/// A record that a node holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its sequence number.
    pub seq: u64,
    /// Its tag: nodes that hold different records under one number notice (R35).
    pub tag: RecordTag,
}

impl StateVector {
    /// The records that it holds of an author.
    pub(crate) fn of(&self, author: &MemberId) -> &[Held] {
        let held = self.authors.binary_search_by_key(author, |(id, _)| *id).ok().and_then(|at| self.authors.get(at));
        held.map_or(&[], |(_, held)| held)
    }

    /// R54: whether this node has gone back in time, when it has shown so many entries of the roster before.
    pub fn is_behind(&self, shown: u32) -> bool {
        self.roster < shown
    }

    /// R45: bounded, and in order.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        check_count("authors", self.authors.len() as u64, MAX_MEMBERS as u64)?;
        let field = "vector";
        if !self.authors.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Err(FieldError::Value { field, why: "authors stand once and in order" });
        }
        for (_, held) in &self.authors {
            check_count("records", held.len() as u64, MAX_RECORDS_PER_AUTHOR as u64)?;
            if !held.is_sorted_by(|a, b| a.seq < b.seq) {
                return Err(FieldError::Value { field, why: "sequence numbers stand once and rise" });
            }
        }
        Ok(())
    }
}

/// What another node lacks, as much as fits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPage {
    /// Roster entries, the next one first.
    pub roster: Vec<SignedRosterEntry>,
    /// Bytes of records.
    pub records: Vec<Vec<u8>>,
    /// Whether there is more: ask again with the new vector.
    pub more: bool,
}

impl SyncPage {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.roster.is_empty() && self.records.is_empty()
    }

    /// D7: the size of every part and of the whole.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        check_parts(&self.roster, &self.records)
    }
}

/// D7: checks roster entries and records that travel together.
pub(crate) fn check_parts(roster: &[SignedRosterEntry], records: &[Vec<u8>]) -> Result<(), FieldError> {
    roster.iter().try_for_each(SignedRosterEntry::check)?;
    for record in records {
        check_count("record", record.len() as u64, MAX_RECORD_BYTES as u64)?;
    }
    let entries: usize = roster.iter().map(SignedRosterEntry::wire_bytes).sum();
    let records: usize = records.iter().map(Vec::len).sum();
    check_count("page", (entries + records) as u64, MAX_SYNC_PAGE_BYTES as u64)
}

/// Asks a member for what one lacks of an event. The asker is known by the connection: its node must be in the roster (R46).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// The event.
    pub event: EventId,
    /// What the asker holds.
    pub vector: StateVector,
}

impl Message for SyncRequest {
    const MAX_BYTES: usize = MAX_SYNC_REQUEST_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        self.vector.check()
    }
}

/// The answer: what the asker lacks, and what the other holds, so that the asker can push what *it* lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncReply {
    /// What the asker lacks.
    Page {
        /// As much of it as fits.
        page: SyncPage,
        /// What the answering node holds.
        vector: StateVector,
    },
    /// R46: the asker's node is not a member, as far as this node knows, or the event is not known here; one answer for both.
    NotFound,
}

impl Message for SyncReply {
    const MAX_BYTES: usize = MAX_SYNC_REPLY_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        let Self::Page { page, vector } = self else { return Ok(()) };
        page.check()?;
        vector.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameError, decode_body, encode_body};

    fn request(authors: Vec<(MemberId, Vec<Held>)>) -> SyncRequest {
        let vector = StateVector { roster: u32::MAX, head: [9; 32], oldest_epoch: u32::MAX, authors };
        SyncRequest { event: EventId([1; 32]), vector }
    }

    #[test]
    fn r54_a_node_that_shows_fewer_entries_than_before_has_gone_back() {
        let vector = StateVector { roster: 5, head: [9; 32], oldest_epoch: 0, authors: Vec::new() };
        assert_eq!([4, 5, 6].map(|shown| vector.is_behind(shown)), [false, false, true]);
    }

    fn member(number: u8) -> MemberId {
        MemberId([number; 32])
    }

    fn held(seqs: impl IntoIterator<Item = u64>) -> Vec<Held> {
        seqs.into_iter().map(|seq| Held { seq, tag: RecordTag([0xff; 8]) }).collect()
    }

    /// How a request is refused that another implementation sent.
    fn refusal(request: &SyncRequest) -> FrameError {
        decode_body::<SyncRequest>(&postcard::to_stdvec(request).unwrap(), usize::MAX).unwrap_err()
    }

    #[test]
    fn d7_the_largest_vector_fits() {
        let most = u64::MAX - MAX_RECORDS_PER_AUTHOR as u64;
        let authors = (0..MAX_MEMBERS as u8).map(|author| (member(author), held(most..u64::MAX))).collect();
        let request = request(authors);
        assert!(encode_body(&request, usize::MAX).is_ok());
        let page = SyncPage { records: vec![vec![0; MAX_RECORD_BYTES]; 128], ..SyncPage::default() };
        let reply = SyncReply::Page { page, vector: request.vector };
        assert!(encode_body(&reply, usize::MAX).is_ok());
    }

    #[test]
    fn r45_a_vector_is_bounded_and_in_order() {
        let too_many = (0..=MAX_MEMBERS as u8).map(|author| (member(author), held([1]))).collect();
        for authors in [
            too_many,
            vec![(member(1), held(0..=MAX_RECORDS_PER_AUTHOR as u64))],
            vec![(member(2), held([1])), (member(1), held([1]))],
            vec![(member(1), held([1])), (member(1), held([2]))],
            vec![(member(1), held([2, 1]))],
            vec![(member(1), held([1, 1]))],
        ] {
            assert!(matches!(refusal(&request(authors)), FrameError::Field(_)));
        }
    }

    #[test]
    fn r46_not_a_member_and_no_such_event_look_the_same() {
        assert_eq!(encode_body(&SyncReply::NotFound, usize::MAX).unwrap(), [1]);
    }

    #[test]
    fn d7_a_page_is_bounded() {
        let page = |records| SyncPage { roster: Vec::new(), records, more: false };
        assert!(page(vec![]).is_empty() && !page(vec![vec![0]]).is_empty());
        assert!(page(vec![vec![0; MAX_RECORD_BYTES]; 128]).check().is_ok());
        assert!(page(vec![vec![0; MAX_RECORD_BYTES + 1]]).check().is_err());
        assert!(page(vec![vec![0; MAX_RECORD_BYTES]; 129]).check().is_err());
    }
}
