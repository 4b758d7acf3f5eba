//! Keeping: a member whose node is always on holds sealed deliveries for members who are away.
//!
//! The keeper passes on what it cannot open: the bytes are sealed piece by piece with a key that only the receiver's letter holds. It learns who
//! sends to whom, under which find-me, how much and when, and nothing of what.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroize;

use crate::aead::{self, TAG_BYTES};
use crate::event::EventState;
use crate::fixed_bytes;
use crate::frame::{FrameError, Message, from_canonical, to_canonical};
use crate::ids::{ContentId, EventId, FindMeId, MemberId, OfferId, UnixMillis};
use crate::keys::{self, KeyError, MemberKeys, SealedBox, Signature, open_sealed, random, seal_to};
use crate::limits::{GROUP_BYTES, MAX_KEEP_BYTES, MAX_KEPT_MS, MAX_RENDITION_BYTES, MAX_SMALL_MESSAGE_BYTES};
use crate::offer::{check_media_type, check_picture, check_size};
use crate::text::{FieldError, check_count};

/// Signs a sealed delivery.
const DELIVERY_CONTEXT: &str = "inframe 1 kept delivery";
/// Seals the letter of one.
const LETTER_CONTEXT: &str = "inframe 1 kept letter";
/// Signs the receipt for one.
const RECEIPT_CONTEXT: &str = "inframe 1 kept receipt";

/// Plain bytes of a sealed piece: with its tag it is one group of the sealed content.
pub const PIECE_BYTES: u64 = GROUP_BYTES - TAG_BYTES as u64;

/// Why a sealed delivery is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeepError {
    /// It cannot be written or read.
    #[error("the sealed delivery cannot be read: {0}")]
    Unreadable(#[from] FrameError),
    /// R67: of another event, or by or for somebody who is no member.
    #[error("the sealed delivery is not from a member to a member of the event")]
    NotMembers,
    /// R67: not signed by its sender.
    #[error("the sealed delivery is not signed by its sender")]
    BadSignature,
    /// R68: its time is over, or too far ahead.
    #[error("the sealed delivery has no time left, or more than is allowed")]
    WrongTime,
    /// R69: the letter or a piece does not open.
    #[error("the sealed delivery does not open")]
    CannotOpen,
    /// R69: what the letter says does not fit the sealed bytes.
    #[error("the letter of the sealed delivery does not fit it")]
    WrongLetter,
    /// A key cannot be used or made.
    #[error(transparent)]
    Key(KeyError),
}

/// What everybody who carries a sealed delivery may read.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The event.
    pub event: EventId,
    /// The offer that it takes the place of: what it is fetched by.
    pub offer: OfferId,
    /// Who sends it.
    pub from: MemberId,
    /// Who may open it.
    pub to: MemberId,
    /// The find-me that it answers; when that is withdrawn, it is erased.
    pub find_me: FindMeId,
    /// The sealed bytes.
    pub content: ContentId,
    /// How many there are.
    pub size_bytes: u64,
    /// When it is erased at the latest.
    pub expires: UnixMillis,
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Label")
            .field("offer", &self.offer)
            .field("size_bytes", &self.size_bytes)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What only the receiver reads: the key, and what is in the sealed bytes. Fields as those of an offer.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// The key of the pieces, fresh for this delivery.
    #[serde(with = "fixed_bytes")]
    pub key: [u8; 32],
    /// The rendition.
    pub content: ContentId,
    /// Bytes of the rendition.
    pub size_bytes: u64,
    /// Its media type.
    pub media_type: String,
    /// Width in pixels as shown.
    pub width: u32,
    /// Height in pixels as shown.
    pub height: u32,
    /// When it was taken, if the holder tells.
    pub taken_at: Option<UnixMillis>,
    /// Template distance of the match.
    pub score: f32,
}

impl Letter {
    /// R42, R43: as an offer.
    fn check(&self) -> Result<(), FieldError> {
        check_size(self.size_bytes)?;
        check_media_type(&self.media_type)?;
        check_picture(self.width, self.height, self.score)
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

/// A delivery that only its receiver opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedDelivery {
    label: Label,
    letter: SealedBox,
    signature: Signature,
}

/// A fresh key for the pieces of one delivery.
///
/// # Errors
/// The machine gave no randomness.
pub fn fresh_key() -> Result<[u8; 32], KeyError> {
    random()
}

impl SealedDelivery {
    /// Writes one: seals the letter to `recipient` (the X25519 half of their keys) and signs everything as the sender.
    ///
    /// # Errors
    /// A field breaks its limit, the key of the recipient is not usable, or the machine gave no randomness.
    pub fn write(label: Label, letter: &Letter, recipient: &[u8; 32], keys: &MemberKeys) -> Result<Self, KeepError> {
        check_label(&label).and_then(|()| letter.check()).map_err(FrameError::from)?;
        let plain = zeroize::Zeroizing::new(to_canonical(letter)?);
        let sealed = seal_to(recipient, LETTER_CONTEXT, &to_canonical(&label)?, &plain).map_err(KeepError::Key)?;
        let signature = keys.sign(DELIVERY_CONTEXT, &to_canonical(&(&label, &sealed))?);
        Ok(Self { label, letter: sealed, signature })
    }

    /// The label, as its sender claims it.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// R67: a member of this event signed it for another one.
    ///
    /// # Errors
    /// They are not members, or somebody else signed.
    pub fn verify(&self, state: &EventState) -> Result<(), KeepError> {
        let Label { event, from, to, .. } = &self.label;
        let members = state.member(from).is_some() && state.member(to).is_some();
        if *event != state.event() || from == to || !members {
            return Err(KeepError::NotMembers);
        }
        let signed = to_canonical(&(&self.label, &self.letter))?;
        keys::verify(&from.0, DELIVERY_CONTEXT, &signed, &self.signature).map_err(|_| KeepError::BadSignature)
    }

    /// R68: it has time left, and not more than may be asked for.
    ///
    /// # Errors
    /// Else.
    pub fn check_time(&self, now: UnixMillis) -> Result<(), KeepError> {
        let left = self.label.expires.0.checked_sub(now.0).filter(|left| *left > 0);
        left.filter(|left| *left <= MAX_KEPT_MS).map(drop).ok_or(KeepError::WrongTime)
    }

    /// R69: opens the letter as the receiver.
    ///
    /// # Errors
    /// It is not for these keys, or does not fit the sealed bytes.
    pub fn open(&self, keys: &MemberKeys) -> Result<Letter, KeepError> {
        let aad = to_canonical(&self.label)?;
        let plain = open_sealed(keys, LETTER_CONTEXT, &aad, &self.letter).map_err(|_| KeepError::CannotOpen)?;
        let letter: Letter = from_canonical(&plain)?;
        letter.check().map_err(FrameError::from)?;
        if sealed_bytes(letter.size_bytes) == self.label.size_bytes { Ok(letter) } else { Err(KeepError::WrongLetter) }
    }

    /// What the receiver signs when the rendition is durable: the sender reads it, whoever brings it.
    ///
    /// # Errors
    /// Never in practice: the label is written to memory.
    pub fn receipt(&self, keys: &MemberKeys) -> Result<Signature, KeepError> {
        Ok(keys.sign(RECEIPT_CONTEXT, &to_canonical(&self.label)?))
    }

    /// R70: checks a receipt.
    ///
    /// # Errors
    /// The receiver did not sign it for this delivery.
    pub fn verify_receipt(&self, receipt: &Signature) -> Result<(), KeepError> {
        let signed = to_canonical(&self.label)?;
        keys::verify(&self.label.to.0, RECEIPT_CONTEXT, &signed, receipt).map_err(|_| KeepError::BadSignature)
    }

    fn check(&self) -> Result<(), FieldError> {
        check_label(&self.label)?;
        self.letter.check()
    }
}

/// R68: sealed bytes are within their limits.
fn check_label(label: &Label) -> Result<(), FieldError> {
    check_kept_size(label.size_bytes)
}

fn check_kept_size(size_bytes: u64) -> Result<(), FieldError> {
    if size_bytes <= TAG_BYTES as u64 {
        return Err(FieldError::Empty { field: "size_bytes" });
    }
    check_count("size_bytes", size_bytes, MAX_RENDITION_BYTES)
}

/// Bytes of a rendition of so many bytes when it is sealed.
pub fn sealed_bytes(plain_bytes: u64) -> u64 {
    plain_bytes + plain_bytes.div_ceil(PIECE_BYTES) * TAG_BYTES as u64
}

/// The nonce of a piece: its number, and whether it is the last. The key is fresh for each delivery.
fn nonce(index: u64, is_last: bool) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = index.to_le_bytes();
    [a, b, c, d, e, f, g, h, u8::from(is_last), 0, 0, 0]
}

/// Seals a piece of a rendition in place: its tag follows it then.
///
/// # Errors
/// [`KeepError::CannotOpen`], never for a piece of at most [`PIECE_BYTES`].
pub fn seal_piece(key: &[u8; 32], index: u64, is_last: bool, piece: &mut Vec<u8>) -> Result<(), KeepError> {
    let tag = aead::seal(key, &nonce(index, is_last), &[], piece).ok_or(KeepError::CannotOpen)?;
    piece.extend_from_slice(&tag);
    Ok(())
}

/// R69: opens a piece in place.
///
/// # Errors
/// It was sealed with another key, as another piece, or changed.
pub fn open_piece(key: &[u8; 32], index: u64, is_last: bool, piece: &mut Vec<u8>) -> Result<(), KeepError> {
    let (_, tag) = piece.split_last_chunk::<TAG_BYTES>().ok_or(KeepError::CannotOpen)?;
    let tag = *tag;
    piece.truncate(piece.len() - TAG_BYTES);
    if aead::open(key, &nonce(index, is_last), &[], piece, tag) { Ok(()) } else { Err(KeepError::CannotOpen) }
}

/// Asks a member to keep something for another one, or brings it to the one that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeepRequest {
    /// Whether there is room for so many sealed bytes.
    Room {
        /// The event.
        event: EventId,
        /// Sealed bytes.
        size_bytes: u64,
    },
    /// From its sender: keep this, or what has become of it. From a keeper to its receiver: this is for you.
    Delivery(Box<SealedDelivery>),
    /// From its sender: erase it.
    Erase {
        /// The event.
        event: EventId,
        /// The delivery.
        offer: OfferId,
    },
}

impl KeepRequest {
    /// The event.
    pub fn event(&self) -> EventId {
        match self {
            Self::Room { event, .. } | Self::Erase { event, .. } => *event,
            Self::Delivery(delivery) => delivery.label.event,
        }
    }
}

impl Message for KeepRequest {
    const MAX_BYTES: usize = MAX_KEEP_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::Room { size_bytes, .. } => check_kept_size(*size_bytes),
            Self::Delivery(delivery) => delivery.check(),
            Self::Erase { .. } => Ok(()),
        }
    }
}

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeepReply {
    /// There is room; or I shall fetch it from you.
    Accept,
    /// It is kept here, whole, and was not fetched yet.
    Kept,
    /// Its receiver has it: their receipt (R70).
    Delivered(Signature),
    /// Not now: try again later.
    NotNow,
    /// No, or no longer: I do not keep, I do not want it, or it is erased.
    No,
}

impl Message for KeepReply {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r69_pieces_open_in_their_place_only() {
        let (key, plain) = ([7; 32], vec![5_u8; 1_000]);
        let mut sealed = plain.clone();
        seal_piece(&key, 3, false, &mut sealed).unwrap();
        assert_eq!(sealed.len(), 1_016);
        for (key, index, is_last) in [([8; 32], 3, false), (key, 4, false), (key, 3, true)] {
            assert_eq!(open_piece(&key, index, is_last, &mut sealed.clone()), Err(KeepError::CannotOpen));
        }
        let mut changed = sealed.clone();
        changed[0] ^= 1;
        assert_eq!(open_piece(&key, 3, false, &mut changed), Err(KeepError::CannotOpen));
        assert_eq!(open_piece(&key, 3, false, &mut vec![0; 15]), Err(KeepError::CannotOpen));
        open_piece(&key, 3, false, &mut sealed).unwrap();
        assert_eq!(sealed, plain);
    }

    #[test]
    fn a_full_piece_is_one_group_of_the_sealed_content() {
        assert_eq!(sealed_bytes(PIECE_BYTES), GROUP_BYTES);
        assert_eq!(sealed_bytes(PIECE_BYTES + 1), GROUP_BYTES + 17);
        assert_eq!(sealed_bytes(1), 17);
    }
}
