//! What records say, and how a body is padded and sealed under an epoch's record key.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Contact, Header, Protection, RecordError};
use crate::frame::{from_canonical, to_canonical};
use crate::ids::{FindMeId, ProtectionId, UnixMillis};
use crate::keys::{EpochGrant, random};
use crate::limits::{
    MAX_FIND_ME_LIFETIME_MS, MAX_LABEL_BYTES, MAX_NICKNAME_BYTES, MAX_PACK_ID_BYTES, MAX_RECORD_PLAIN_BYTES,
    MAX_STILL_BYTES, RECORD_PADDED_BYTES,
};
use crate::template::Template;
use crate::text::{FieldError, check_addresses, check_count, check_label, check_name};

/// Bytes of the length before a body.
const LENGTH_BYTES: usize = 2;
/// Bytes of the nonce before the sealed bytes: long enough to be drawn at random.
const NONCE_BYTES: usize = 24;

/// Whom a find-me looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// Its author.
    Me,
    /// A child whose guardian its author is.
    Child,
}

/// Announces the template of an enrolled face to the members of an event (D5: made only for a profile that was enrolled with consent).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindMe {
    /// Id, the same through all renewals; bound to the author (R31).
    pub id: FindMeId,
    /// Id of the model pack that the template comes from; only equal ids compare.
    pub pack: String,
    /// The template under the projection key of the record's epoch.
    pub template: Template,
    /// Whom it looks for.
    pub subject: Subject,
    /// Whether the selfie was taken live with a camera, by the word of its author.
    pub live: bool,
    /// When it ends: at most 24 hours after the record's time.
    pub expires: UnixMillis,
    /// A small selfie as JPEG, for the holder who has to decide; may be empty.
    pub still: Vec<u8>,
    /// What to call the subject, such as a child's name; may be empty.
    pub label: String,
}

/// Prints nothing of the face.
impl fmt::Debug for FindMe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FindMe")
            .field("id", &self.id)
            .field("pack", &self.pack)
            .field("subject", &self.subject)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What a record says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordBody {
    /// Announces or renews a find-me.
    FindMe(FindMe),
    /// Takes a find-me back.
    Withdraw {
        /// Which one.
        find_me: FindMeId,
    },
    /// How the author is called and reached from now on.
    Profile {
        /// Nickname.
        nickname: String,
        /// Multiaddresses of the author's node.
        addresses: Vec<String>,
    },
    /// R50: the author has left the event. The last record of an author; nothing of theirs counts any more.
    Leave,
    /// Says what is to become of photos that show somebody, or renews that.
    Protect(Protection),
    /// Takes a protection back.
    Unprotect {
        /// Which one.
        protection: ProtectionId,
    },
    /// R82: the name and the e-mail address that the author shows from now on.
    Contact(Contact),
}

impl fmt::Debug for RecordBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FindMe(find_me) => find_me.fmt(f),
            Self::Withdraw { find_me } => f.debug_struct("Withdraw").field("find_me", find_me).finish(),
            Self::Profile { .. } => f.write_str("Profile(..)"),
            Self::Leave => f.write_str("Leave"),
            Self::Protect(protection) => protection.fmt(f),
            Self::Unprotect { protection } => f.debug_struct("Unprotect").field("protection", protection).finish(),
            Self::Contact(contact) => contact.fmt(f),
        }
    }
}

impl RecordBody {
    /// R27 to R31, R74, R75, R82: what a body may hold in a record of this header under this grant.
    fn check(&self, header: &Header, grant: &EpochGrant) -> Result<(), RecordError> {
        match self {
            Self::FindMe(find_me) => find_me.check(header, grant),
            Self::Withdraw { find_me } if find_me.belongs_to(&header.author) => Ok(()),
            Self::Withdraw { .. } => Err(RecordError::ForeignFindMe),
            Self::Profile { nickname, addresses } => {
                check_name("nickname", nickname, MAX_NICKNAME_BYTES)?;
                Ok(check_addresses(addresses)?)
            }
            Self::Leave => Ok(()),
            Self::Protect(protection) => protection.check(header, grant),
            // R75
            Self::Unprotect { protection } if protection.belongs_to(&header.author) => Ok(()),
            Self::Unprotect { .. } => Err(RecordError::ForeignProtection),
            Self::Contact(contact) => Ok(contact.check()?),
        }
    }
}

impl FindMe {
    fn check(&self, header: &Header, grant: &EpochGrant) -> Result<(), RecordError> {
        // R31
        if !self.id.belongs_to(&header.author) {
            return Err(RecordError::ForeignFindMe);
        }
        // R27
        check_name("pack", &self.pack, MAX_PACK_ID_BYTES)?;
        check_label("label", &self.label, MAX_LABEL_BYTES)?;
        check_count("still", self.still.len() as u64, MAX_STILL_BYTES as u64)?;
        if !self.still.is_empty() && !self.still.starts_with(&[0xff, 0xd8, 0xff]) {
            return Err(FieldError::Value { field: "still", why: "a still is a JPEG" }.into());
        }
        // R30
        if self.expires <= header.at || self.expires > header.at.plus(MAX_FIND_ME_LIFETIME_MS) {
            return Err(RecordError::Lifetime);
        }
        // R28, R29
        self.template.check()?;
        Ok(self.template.check_face(&grant.projection_key())?)
    }
}

/// R25: pads a body and seals it to the header under the grant's record key.
pub(super) fn seal(body: &RecordBody, header: &Header, grant: &EpochGrant) -> Result<Vec<u8>, RecordError> {
    body.check(header, grant)?;
    let plain = pad(&Zeroizing::new(to_canonical(body)?))?;
    let nonce = random::<NONCE_BYTES>()?;
    let aad = to_canonical(header)?;
    let sealed = XChaCha20Poly1305::new(&(*grant.record_key()).into())
        .encrypt(&nonce.into(), Payload { msg: &plain, aad: &aad })
        .map_err(|_| RecordError::CannotOpen)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// R25: opens what [`seal`] sealed, and checks the body.
pub(super) fn open(sealed: &[u8], header: &Header, grant: &EpochGrant) -> Result<RecordBody, RecordError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(RecordError::CannotOpen)?;
    let aad = to_canonical(header)?;
    let plain = XChaCha20Poly1305::new(&(*grant.record_key()).into())
        .decrypt(&(*nonce).into(), Payload { msg: sealed, aad: &aad })
        .map(Zeroizing::new)
        .map_err(|_| RecordError::CannotOpen)?;
    let body: RecordBody = from_canonical(unpad(&plain).ok_or(RecordError::WrongPadding)?)?;
    body.check(header, grant)?;
    Ok(body)
}

/// Length, body, and zeros up to the next size of the list.
fn pad(body: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordError> {
    let too_long = || FieldError::TooLong {
        field: "record body",
        found: body.len() as u64,
        limit: (MAX_RECORD_PLAIN_BYTES - LENGTH_BYTES) as u64,
    };
    let length = u16::try_from(body.len()).map_err(|_| too_long())?;
    let padded = padded_len(body.len()).ok_or_else(too_long)?;
    let mut plain = Zeroizing::new(vec![0; padded]);
    let filled = length.to_le_bytes().into_iter().chain(body.iter().copied());
    plain.iter_mut().zip(filled).for_each(|(to, from)| *to = from);
    Ok(plain)
}

/// The body within its padding, if that is exactly what [`pad`] makes.
fn unpad(plain: &[u8]) -> Option<&[u8]> {
    let (length, rest) = plain.split_first_chunk::<LENGTH_BYTES>()?;
    let (body, padding) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let exact = padded_len(body.len()) == Some(plain.len()) && padding.iter().all(|byte| *byte == 0);
    exact.then_some(body)
}

fn padded_len(body_len: usize) -> Option<usize> {
    RECORD_PADDED_BYTES.into_iter().find(|size| *size >= body_len + LENGTH_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r25_padding_is_exact() {
        for len in [0, 1, 254, 255, 1_022, 1_023, MAX_RECORD_PLAIN_BYTES - 2] {
            let body = vec![7; len];
            let plain = pad(&body).unwrap();
            assert!(RECORD_PADDED_BYTES.contains(&plain.len()), "{len}");
            assert_eq!(unpad(&plain), Some(body.as_slice()), "{len}");
        }
        assert!(pad(&vec![7; MAX_RECORD_PLAIN_BYTES - 1]).is_err());
        assert!(pad(&vec![7; 70_000]).is_err());
        let mut plain = pad(b"body").unwrap().to_vec();
        *plain.last_mut().unwrap() = 1;
        assert_eq!(unpad(&plain), None, "padding that is not zero");
        assert_eq!(unpad(&[4, 0, 1, 2, 3, 4]), None, "no padding");
        assert_eq!(unpad(&[9, 0, 1]), None, "longer than there is");
        assert_eq!(unpad(&[9]), None, "no length");
        let mut larger = pad(b"body").unwrap().to_vec();
        larger.resize(1_024, 0);
        assert_eq!(unpad(&larger), None, "more padding than needed");
    }
}
