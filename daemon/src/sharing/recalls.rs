//! Photos that were asked back: by this node, and from it.

use inframe_protocol::recall::RecallAnswer;
use inframe_protocol::{EventId, MemberId};
use serde::{Deserialize, Serialize};

use crate::library::AssetId;

/// How far a recall got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecallState {
    /// They have not been asked yet: they are away.
    Waiting,
    /// Asked, and not decided.
    Open,
    /// They have deleted it.
    Deleted,
    /// They keep it.
    Kept,
    /// They do not have it from here.
    Unknown,
}

impl RecallState {
    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Open => "open",
            Self::Deleted => "deleted",
            Self::Kept => "kept",
            Self::Unknown => "unknown",
        }
    }

    /// What is answered to whoever asked.
    #[must_use]
    pub fn answer(self) -> RecallAnswer {
        match self {
            Self::Waiting | Self::Open => RecallAnswer::Open,
            Self::Deleted => RecallAnswer::Deleted,
            Self::Kept => RecallAnswer::Kept,
            Self::Unknown => RecallAnswer::Unknown,
        }
    }
}

impl From<RecallAnswer> for RecallState {
    fn from(answer: RecallAnswer) -> Self {
        match answer {
            RecallAnswer::Open => Self::Open,
            RecallAnswer::Deleted => Self::Deleted,
            RecallAnswer::Kept => Self::Kept,
            RecallAnswer::Unknown => Self::Unknown,
        }
    }
}

/// A photo that was asked back, kept under its offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRecall {
    /// The event.
    pub event: EventId,
    /// Who was asked, or who asks.
    pub member: MemberId,
    /// The photo in this library.
    pub asset: AssetId,
    /// How far it got.
    pub state: RecallState,
    /// When it was asked for, Unix milliseconds.
    pub at: u64,
    /// When its state changed last.
    pub changed_at: u64,
}
