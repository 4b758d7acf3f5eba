//! Recall: asking those who were sent a photo to delete it. A request, which its receiver answers as they like.

use serde::{Deserialize, Serialize};

use crate::frame::Message;
use crate::ids::{EventId, OfferId};
use crate::limits::{MAX_RECALL_BYTES, MAX_RECALLS};
use crate::text::{FieldError, check_count};

/// What is asked, or told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recall {
    /// The holder asks the finder to delete what they were sent under these offers; asked again, it hears how it stands.
    Ask {
        /// The event.
        event: EventId,
        /// R80: at least one, at most [`MAX_RECALLS`].
        offers: Vec<OfferId>,
    },
    /// The finder tells the holder how it stands with one of them.
    Tell {
        /// The event.
        event: EventId,
        /// The offer.
        offer: OfferId,
        /// How it stands.
        answer: RecallAnswer,
    },
}

/// How it stands with a photo that was asked back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecallAnswer {
    /// Its receiver has not decided yet.
    Open,
    /// It is deleted at its receiver's.
    Deleted,
    /// Its receiver keeps it.
    Kept,
    /// Nothing was received under this offer from this node in this event; or the teller is not who was asked.
    Unknown,
}

impl Message for Recall {
    const MAX_BYTES: usize = MAX_RECALL_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::Ask { offers, .. } if offers.is_empty() => Err(FieldError::Empty { field: "offers" }),
            Self::Ask { offers, .. } => check_count("offers", offers.len() as u64, MAX_RECALLS as u64),
            Self::Tell { .. } => Ok(()),
        }
    }
}

/// One answer for each offer in the order of the question; to a [`Recall::Tell`], the answer as it was noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecallReply {
    /// R80: at most [`MAX_RECALLS`].
    pub answers: Vec<RecallAnswer>,
}

impl Message for RecallReply {
    const MAX_BYTES: usize = MAX_RECALL_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        check_count("answers", self.answers.len() as u64, MAX_RECALLS as u64)
    }
}
