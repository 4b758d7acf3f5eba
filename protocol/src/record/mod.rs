//! Records: signed and sealed statements of members, and the stages of trust that one goes through.
//!
//! Bytes become [`Received`] (they are one canonical record), then [`Verified`] (a member signed them, in time), then [`Applied`] (part of
//! an [`crate::event::EventState`], opened if the node holds the grant of the epoch). Each stage can only be made from the one before it.
//! The signature covers the header and the *sealed* bytes, so a member without the epoch's grant can still verify and pass on.

mod body;
mod contact;
mod error;
mod protection;

use serde::{Deserialize, Serialize};

pub use body::{FindMe, RecordBody, Subject};
pub use contact::Contact;
pub use error::RecordError;
pub use protection::{Protection, Wish};

use crate::fixed_bytes;
use crate::frame::{FrameError, from_canonical, to_canonical};
use crate::ids::{EventId, MemberId, UnixMillis};
use crate::keys::{self, EpochGrant, MemberKeys, RECORD_CONTEXT, Signature};
use crate::limits::{MAX_CLOCK_SKEW_MS, MAX_RECORD_BYTES, RECORD_TAG_BYTES, RECORD_WINDOW_MS};
use crate::roster::Roster;

/// Derives the tag of a record.
const TAG_CONTEXT: &str = "inframe 1 record tag";

/// What stands before the sealed body: signed, and bound to the body as associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The event.
    pub event: EventId,
    /// The epoch whose record key seals the body.
    pub epoch: u32,
    /// Who wrote it.
    pub author: MemberId,
    /// Sequence number: rises strictly with each record of an author, and need not be without gaps.
    pub seq: u64,
    /// When it was written, by its author's clock.
    pub at: UnixMillis,
}

/// The first bytes of a record's hash: tells apart what one author signed with one sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordTag(#[serde(with = "fixed_bytes")] pub [u8; RECORD_TAG_BYTES]);

impl RecordTag {
    fn of(bytes: &[u8]) -> Self {
        let mut tag = [0; RECORD_TAG_BYTES];
        blake3::Hasher::new_derive_key(TAG_CONTEXT).update(bytes).finalize_xof().fill(&mut tag);
        Self(tag)
    }
}

/// A record as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedRecord {
    /// What stands before the body.
    pub header: Header,
    /// Nonce and sealed, padded body.
    pub sealed: Vec<u8>,
    /// The author's signature over header and sealed bytes.
    pub signature: Signature,
}

impl SealedRecord {
    /// Writes and signs a record.
    ///
    /// # Errors
    /// The body may not stand in such a record, or the machine gave no randomness.
    pub fn write(
        header: Header,
        body: &RecordBody,
        keys: &MemberKeys,
        grant: &EpochGrant,
    ) -> Result<Self, RecordError> {
        let sealed = body::seal(body, &header, grant)?;
        let signature = keys.sign(RECORD_CONTEXT, &signed_bytes(&header, &sealed)?);
        Ok(Self { header, sealed, signature })
    }

    /// The bytes that travel.
    ///
    /// # Errors
    /// R21: they are too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let bytes = to_canonical(self)?;
        check_len(&bytes)?;
        Ok(bytes)
    }
}

fn signed_bytes(header: &Header, sealed: &[u8]) -> Result<Vec<u8>, FrameError> {
    to_canonical(&(header, sealed))
}

fn check_len(bytes: &[u8]) -> Result<(), FrameError> {
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(FrameError::TooLong { found: bytes.len(), limit: MAX_RECORD_BYTES });
    }
    Ok(())
}

/// Stage 1: the bytes are one canonical record. Nothing in it is to be trusted.
#[derive(Debug, Clone)]
pub struct Received {
    record: SealedRecord,
    bytes: Vec<u8>,
}

impl Received {
    /// R21: reads the bytes.
    ///
    /// # Errors
    /// They are not one canonical record, or too long.
    pub fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        check_len(bytes)?;
        Ok(Self { record: from_canonical(bytes)?, bytes: bytes.to_vec() })
    }

    /// The header as its sender claims it.
    pub fn claimed(&self) -> &Header {
        &self.record.header
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// R21 to R24 and R32: a member of the roster signed it, for this event and an epoch of theirs, and not in the future.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn verify(self, roster: &Roster, now: UnixMillis) -> Result<Verified, RecordError> {
        if self.record.header.at > now.plus(MAX_CLOCK_SKEW_MS) {
            return Err(RecordError::FromTheFuture);
        }
        self.verify_kept(roster)
    }

    /// As [`Received::verify`] without the time, for a state that this node itself kept: its records were in time when they came.
    pub(crate) fn verify_kept(self, roster: &Roster) -> Result<Verified, RecordError> {
        let header = &self.record.header;
        // R21
        if header.event != roster.event() {
            return Err(RecordError::WrongEvent);
        }
        // R22: before the signature, so that a stranger costs no more than a look-up.
        let Some(author) = roster.member(&header.author) else {
            let removed = roster.was_removed(&header.author);
            return Err(if removed { RecordError::AuthorRemoved } else { RecordError::UnknownAuthor });
        };
        // R23
        if header.epoch > roster.epoch() {
            return Err(RecordError::UnknownEpoch);
        }
        if header.epoch < author.joined_epoch {
            return Err(RecordError::BeforeJoining);
        }
        // R24
        let signed = signed_bytes(header, &self.record.sealed)?;
        keys::verify(&header.author.0, RECORD_CONTEXT, &signed, &self.record.signature)
            .map_err(|_| RecordError::BadSignature)?;
        Ok(Verified(self))
    }
}

/// Stage 2: a member wrote it. It may be kept and passed on.
#[derive(Debug, Clone)]
pub struct Verified(Received);

impl Verified {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.0.record.header
    }

    /// R25 to R31: opens the body if the grant of its epoch is there, and leaves it sealed otherwise.
    ///
    /// # Errors
    /// The grant is there and the body does not open, or may not stand there.
    pub fn open(self, grant: Option<&EpochGrant>) -> Result<Applied, RecordError> {
        let Received { record, bytes } = self.0;
        let content = match grant {
            Some(grant) => Content::Opened(body::open(&record.sealed, &record.header, grant)?),
            None => Content::Sealed(record.sealed),
        };
        Ok(Applied { header: record.header, content, tag: RecordTag::of(&bytes), bytes })
    }
}

/// The body of an applied record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    /// Nonce and sealed body: the grant of the epoch is not there (yet).
    Sealed(Vec<u8>),
    /// What it says.
    Opened(RecordBody),
}

/// Stage 3: part of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    header: Header,
    content: Content,
    tag: RecordTag,
    bytes: Vec<u8>,
}

impl Applied {
    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What stands for it in a state vector.
    pub fn tag(&self) -> RecordTag {
        self.tag
    }

    /// The bytes, to be passed on.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says, if it could be opened.
    pub fn body(&self) -> Option<&RecordBody> {
        match &self.content {
            Content::Opened(body) => Some(body),
            Content::Sealed(_) => None,
        }
    }

    /// Opens a body that was left sealed, now that the grant of its epoch is there.
    ///
    /// # Errors
    /// As [`Verified::open`].
    pub(crate) fn unseal(&mut self, grant: &EpochGrant) -> Result<(), RecordError> {
        if let Content::Sealed(sealed) = &self.content {
            self.content = Content::Opened(body::open(sealed, &self.header, grant)?);
        }
        Ok(())
    }

    /// R33: whether it is so old that it can have no effect, a profile, a contact and a leave excepted.
    pub(crate) fn is_past_window(&self, now: UnixMillis) -> bool {
        self.header.at.plus(RECORD_WINDOW_MS) < now
    }
}
