//! Catching up: what a node holds of an event, as it tells another in short or in full, and the page of what it lacks.
//!
//! In an event of a thousand members what a node holds takes 100 KB to say, and nodes hold the same nearly always. So a sync begins with a
//! digest of half a kilobyte, and goes on with the records of those slices of the authors whose digests differ.

use serde::{Deserialize, Serialize};

use crate::fixed_bytes;
use crate::frame::Message;
use crate::ids::{EventId, MemberId};
use crate::limits::{
    MAX_MEMBERS, MAX_RECORD_BYTES, MAX_RECORDS_PER_AUTHOR, MAX_SYNC_PAGE_BYTES, MAX_SYNC_REPLY_BYTES,
    MAX_SYNC_REQUEST_BYTES, SLICE_DIGEST_BYTES, SYNC_SLICES,
};
use crate::record::RecordTag;
use crate::roster::SignedRosterEntry;
use crate::text::{FieldError, check_count};

/// Derives the key by which authors fall into slices.
const SLICES_CONTEXT: &str = "inframe 1 sync slices";
/// Derives the digest of a slice.
const DIGEST_CONTEXT: &str = "inframe 1 sync digest";

/// Some of the slices that the authors of an event fall into: bit `i` stands for slice `i`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slices(pub u32);

impl Slices {
    /// All of them.
    pub const ALL: Self = Self(u32::MAX);
    /// None of them.
    pub const NONE: Self = Self(0);

    /// Whether this one is among them.
    pub fn contains(self, slice: usize) -> bool {
        slice < SYNC_SLICES && self.0 >> slice & 1 == 1
    }

    /// These and this one.
    #[must_use]
    pub fn with(self, slice: usize) -> Self {
        if slice < SYNC_SLICES { Self(self.0 | 1 << slice) } else { self }
    }

    /// These without those.
    #[must_use]
    pub fn without(self, those: Self) -> Self {
        Self(self.0 & !those.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

/// R58: how authors fall into slices. The key is the roster's newest hash: nobody can choose their id so that many share one slice.
pub(crate) struct Slicing([u8; 32]);

impl Slicing {
    pub(crate) fn of_head(head: &[u8; 32]) -> Self {
        Self(blake3::derive_key(SLICES_CONTEXT, head))
    }

    pub(crate) fn slice_of(&self, author: &MemberId) -> usize {
        let hash = blake3::keyed_hash(&self.0, author.as_bytes());
        usize::from(hash.as_bytes()[0]) % SYNC_SLICES
    }
}

/// The digest of one slice as it is made, and after all records of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceDigest(#[serde(with = "fixed_bytes")] pub [u8; SLICE_DIGEST_BYTES]);

/// R58: hashes the records of a slice, in the order of authors and numbers.
pub(crate) struct SliceHasher(blake3::Hasher);

impl SliceHasher {
    pub(crate) fn new() -> Self {
        Self(blake3::Hasher::new_derive_key(DIGEST_CONTEXT))
    }

    pub(crate) fn add(&mut self, author: &MemberId, held: Held) {
        self.0.update(author.as_bytes()).update(&held.seq.to_le_bytes()).update(&held.tag.0);
    }

    pub(crate) fn finish(&self) -> SliceDigest {
        let mut digest = [0; SLICE_DIGEST_BYTES];
        self.0.finalize_xof().fill(&mut digest);
        SliceDigest(digest)
    }
}

/// What a node holds of an event, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDigest {
    /// How many roster entries it has.
    pub roster: u32,
    /// Hash of the last of them: nodes that compare it notice a host who tells two stories.
    #[serde(with = "fixed_bytes")]
    pub head: [u8; 32],
    /// Records of earlier epochs are left out: one of the two cannot open them.
    pub from_epoch: u32,
    /// The digest of each slice; none where the roster alone is compared.
    pub slices: Vec<SliceDigest>,
}

impl StateDigest {
    /// R57: all slices or none.
    fn check(&self) -> Result<(), FieldError> {
        if self.slices.is_empty() || self.slices.len() == SYNC_SLICES {
            return Ok(());
        }
        Err(FieldError::Value { field: "slices", why: "a digest has all slices or none" })
    }
}

/// What a node holds of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVector {
    /// How many roster entries it has.
    pub roster: u32,
    /// Hash of the last of them.
    #[serde(with = "fixed_bytes")]
    pub head: [u8; 32],
    /// The first epoch whose records it can open. Old profiles of earlier epochs are not sent to it.
    pub oldest_epoch: u32,
    /// Slices that the authors below are from; of the others this says nothing.
    pub slices: Slices,
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

/// R54: whether a node that shows so many entries of the roster has gone back in time, when it had shown `before` of them.
pub fn has_gone_back(shows: u32, before: u32) -> bool {
    shows < before
}

/// What another node lacks, as much as fits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPage {
    /// Roster entries, the next one first.
    pub roster: Vec<SignedRosterEntry>,
    /// Bytes of records.
    pub records: Vec<Vec<u8>>,
    /// Whether there is more: ask again.
    pub more: bool,
}

impl SyncPage {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.roster.is_empty() && self.records.is_empty()
    }

    /// Bytes of entries and records, as the limit of a page counts them.
    pub fn bytes(&self) -> usize {
        parts_bytes(&self.roster, &self.records)
    }

    /// D7: the size of every part and of the whole.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        check_parts(&self.roster, &self.records)
    }
}

fn parts_bytes(roster: &[SignedRosterEntry], records: &[Vec<u8>]) -> usize {
    let entries: usize = roster.iter().map(SignedRosterEntry::wire_bytes).sum();
    entries + records.iter().map(Vec::len).sum::<usize>()
}

/// D7: checks roster entries and records that travel together.
pub(crate) fn check_parts(roster: &[SignedRosterEntry], records: &[Vec<u8>]) -> Result<(), FieldError> {
    roster.iter().try_for_each(SignedRosterEntry::check)?;
    for record in records {
        check_count("record", record.len() as u64, MAX_RECORD_BYTES as u64)?;
    }
    check_count("page", parts_bytes(roster, records) as u64, MAX_SYNC_PAGE_BYTES as u64)
}

/// Asks a member about an event. The asker is known by the connection: its node must be in the roster (R46).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncRequest {
    /// Whether both hold the same. Without slices it announces the roster that the asker has.
    Compare {
        /// The event.
        event: EventId,
        /// What the asker holds, in short.
        digest: StateDigest,
    },
    /// What the asker lacks in some slices.
    Lacking {
        /// The event.
        event: EventId,
        /// What the asker holds of them.
        vector: StateVector,
    },
}

impl SyncRequest {
    /// The event.
    pub fn event(&self) -> EventId {
        match self {
            Self::Compare { event, .. } | Self::Lacking { event, .. } => *event,
        }
    }

    /// How many roster entries the asker has.
    pub fn roster(&self) -> u32 {
        match self {
            Self::Compare { digest, .. } => digest.roster,
            Self::Lacking { vector, .. } => vector.roster,
        }
    }
}

impl Message for SyncRequest {
    const MAX_BYTES: usize = MAX_SYNC_REQUEST_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::Compare { digest, .. } => digest.check(),
            Self::Lacking { vector, .. } => vector.check(),
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SyncReply {
    /// What the asker lacks, and what the other holds, so that the asker can push what *it* lacks.
    Page {
        /// As much of it as fits.
        page: SyncPage,
        /// What the answering node holds of the slices that were asked for, or of as many of them as fit; of none while the rosters differ.
        vector: StateVector,
    },
    /// R46: the asker's node is not a member, as far as this node knows, or the event is not known here; one answer for both.
    NotFound,
    /// Both hold the same of what was compared.
    Same,
    /// The rosters are the same, and the records of these slices are not.
    Differs {
        /// Which.
        slices: Slices,
    },
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
        let vector =
            StateVector { roster: u32::MAX, head: [9; 32], oldest_epoch: u32::MAX, slices: Slices::ALL, authors };
        SyncRequest::Lacking { event: EventId([1; 32]), vector }
    }

    #[test]
    fn r54_a_node_that_shows_fewer_entries_than_before_has_gone_back() {
        assert_eq!([4, 5, 6].map(|before| has_gone_back(5, before)), [false, false, true]);
    }

    fn member(number: u16) -> MemberId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        MemberId(id)
    }

    fn held(seqs: impl IntoIterator<Item = u64>) -> Vec<Held> {
        seqs.into_iter().map(|seq| Held { seq, tag: RecordTag([0xff; 8]) }).collect()
    }

    /// How a request is refused that another implementation sent.
    fn refusal(request: &SyncRequest) -> FrameError {
        decode_body::<SyncRequest>(&postcard::to_stdvec(request).unwrap(), usize::MAX).unwrap_err()
    }

    #[test]
    fn d7_the_vector_of_a_slice_fits_however_full_its_authors_are() {
        // Of 1,000 authors 31 share a slice; 150 never do.
        let most = u64::MAX - MAX_RECORDS_PER_AUTHOR as u64;
        let authors = (0..150).map(|author| (member(author), held(most..u64::MAX))).collect();
        let SyncRequest::Lacking { event, vector } = request(authors) else { unreachable!() };
        assert!(encode_body(&SyncRequest::Lacking { event, vector: vector.clone() }, usize::MAX).is_ok());
        let page = SyncPage { records: vec![vec![0; MAX_RECORD_BYTES]; 128], ..SyncPage::default() };
        assert!(encode_body(&SyncReply::Page { page, vector }, usize::MAX).is_ok());
    }

    #[test]
    fn r45_a_vector_is_bounded_and_in_order() {
        let too_many = (0..=MAX_MEMBERS as u16).map(|author| (member(author), held([1]))).collect();
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
    fn r57_a_digest_has_all_slices_or_none() {
        let compare = |count| {
            let slices = vec![SliceDigest([7; SLICE_DIGEST_BYTES]); count];
            let digest = StateDigest { roster: u32::MAX, head: [9; 32], from_epoch: u32::MAX, slices };
            SyncRequest::Compare { event: EventId([1; 32]), digest }
        };
        for count in [1, SYNC_SLICES - 1, SYNC_SLICES + 1] {
            assert!(matches!(refusal(&compare(count)), FrameError::Field(_)), "{count}");
        }
        let lengths = [0, SYNC_SLICES].map(|count| encode_body(&compare(count), usize::MAX).unwrap().len());
        assert_eq!(lengths, [76, 588], "short enough to be asked often");
    }

    #[test]
    fn r58_slices_are_even_and_change_with_the_roster() {
        let mut sizes = [0; SYNC_SLICES];
        let (one, other) = (Slicing::of_head(&[1; 32]), Slicing::of_head(&[2; 32]));
        let authors = || (0..MAX_MEMBERS as u16).map(member);
        authors().for_each(|author| sizes[one.slice_of(&author)] += 1);
        assert!(sizes.iter().all(|size| (8..64).contains(size)), "{sizes:?}");
        let stay = authors().filter(|author| one.slice_of(author) == other.slice_of(author)).count();
        assert!(stay < 100, "{stay}");
        assert!(Slices::ALL.contains(SYNC_SLICES - 1) && !Slices::ALL.contains(SYNC_SLICES));
        let two = Slices::NONE.with(3).with(31);
        assert!(two.contains(3) && two.contains(31) && !two.contains(4) && two.without(two).is_empty());
    }

    #[test]
    fn d7_a_page_is_bounded() {
        let page = |records| SyncPage { roster: Vec::new(), records, more: false };
        assert!(page(vec![]).is_empty() && !page(vec![vec![0]]).is_empty());
        assert!(page(vec![vec![0; MAX_RECORD_BYTES]; 128]).check().is_ok());
        assert!(page(vec![vec![0; MAX_RECORD_BYTES + 1]]).check().is_err());
        assert!(page(vec![vec![0; MAX_RECORD_BYTES]; 129]).check().is_err());
        assert_eq!(page(vec![vec![0; 5]; 3]).bytes(), 15);
    }
}
