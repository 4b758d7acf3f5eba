//! What is said on a stream of an exchange by code.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fixed_bytes;
use crate::frame::Message;
use crate::limits::{CODE_SELECTORS, MAX_CODE_GRANT_BYTES, MAX_SMALL_MESSAGE_BYTES, MAX_WRONG_CODES};
use crate::text::{FieldError, check_count};

/// Asks a node whether it shows a code of this selector, and begins a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeAsk {
    /// The first two digits of the code.
    pub selector: u8,
    /// The joiner's element.
    #[serde(with = "fixed_bytes")]
    pub element: [u8; 32],
}

impl Message for CodeAsk {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        // R62
        check_count("selector", u64::from(self.selector), CODE_SELECTORS as u64 - 1)
    }
}

/// The node's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeReply {
    /// It shows no code of this selector; nothing is counted.
    Declined,
    /// It does: the run goes on.
    Go(Element),
}

/// An element of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Element(#[serde(with = "fixed_bytes")] pub [u8; 32]);

impl Message for CodeReply {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}

/// The joiner's proof.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeProof {
    /// Derived from the key of the run.
    #[serde(with = "fixed_bytes")]
    pub proof: [u8; 32],
}

impl fmt::Debug for CodeProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeProof(hidden)")
    }
}

impl Message for CodeProof {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}

/// The host's proof, and the invite under the key of the run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedInvite {
    /// Derived from the key of the run.
    #[serde(with = "fixed_bytes")]
    pub proof: [u8; 32],
    /// Random.
    #[serde(with = "fixed_bytes")]
    pub nonce: [u8; 24],
    /// The invite's fields and a tag.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedInvite {{ sealed: {} bytes, .. }}", self.sealed.len())
    }
}

/// What comes of a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodeGrant {
    /// It does not fit, or the code has ended meanwhile. So many wrong ones are borne until it ends.
    Wrong(u8),
    /// It fits.
    Granted(SealedInvite),
}

impl Message for CodeGrant {
    const MAX_BYTES: usize = MAX_CODE_GRANT_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::Wrong(left) => check_count("guesses_left", u64::from(*left), u64::from(MAX_WRONG_CODES)),
            Self::Granted(_) => Ok(()),
        }
    }
}
