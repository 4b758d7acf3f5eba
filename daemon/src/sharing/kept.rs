//! What is remembered of sealed deliveries: those that others keep for my receivers, those that I keep for others, and the keys of those that were
//! kept for me. All by the id of the offer whose place they take.

use inframe_protocol::keep::SealedDelivery;
use inframe_protocol::keys::Signature;
use inframe_protocol::{NodeId, OfferId};
use serde::{Deserialize, Serialize};

use crate::vault::{BlobId, Versioned};

/// A delivery of mine that somebody keeps for its receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDeposit {
    /// As it was given to the keeper.
    pub delivery: SealedDelivery,
    /// The key of its pieces.
    pub key: PieceKey,
    /// The keeper's node.
    pub keeper: NodeId,
    /// Whether the keeper has all of it.
    pub is_kept: bool,
    /// When the keeper was asked the last time, Unix milliseconds.
    pub asked_at: u64,
    /// The rendition that was sealed; not known of what older versions gave away.
    pub rendition: Option<BlobId>,
}

impl Versioned for StoredDeposit {
    const VERSION: u8 = 2;
    type Before = first::StoredDeposit;
}

/// The form of the first version: it was not kept which rendition was sealed.
mod first {
    use serde::{Deserialize, Serialize};

    use super::{NodeId, PieceKey, SealedDelivery};

    #[derive(Serialize, Deserialize)]
    pub struct StoredDeposit {
        delivery: SealedDelivery,
        key: PieceKey,
        keeper: NodeId,
        is_kept: bool,
        asked_at: u64,
    }

    crate::first_version!(StoredDeposit);

    impl From<StoredDeposit> for super::StoredDeposit {
        fn from(StoredDeposit { delivery, key, keeper, is_kept, asked_at }: StoredDeposit) -> Self {
            Self { delivery, key, keeper, is_kept, asked_at, rendition: None }
        }
    }
}

/// Opens the pieces of a sealed delivery.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PieceKey(pub [u8; 32]);

impl std::fmt::Debug for PieceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PieceKey(..)")
    }
}

/// How far something that I keep got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeldState {
    /// To be fetched from its sender.
    Accepted,
    /// It is here.
    Kept,
    /// Its receiver has it; the bytes are erased, the receipt waits for the sender.
    Delivered(Signature),
}

/// A delivery between two others that I keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredHeld {
    /// What its label says; nobody here can open it.
    pub delivery: SealedDelivery,
    /// The sender's node.
    pub sender: NodeId,
    /// State.
    pub state: HeldState,
    /// When its receiver was told of it the last time, Unix milliseconds.
    pub told_at: u64,
}

impl StoredHeld {
    /// Bytes that lie here or will.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match self.state {
            HeldState::Accepted | HeldState::Kept => self.delivery.label().size_bytes,
            HeldState::Delivered(_) => 0,
        }
    }

    /// What it is fetched by.
    #[must_use]
    pub fn offer(&self) -> OfferId {
        self.delivery.label().offer
    }
}

/// How an arrival is fetched that a keeper has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSealed {
    /// As the keeper brought it.
    pub delivery: SealedDelivery,
    /// The key of its pieces.
    pub key: PieceKey,
    /// The keeper's node. The arrival is fetched so only while it names the same.
    pub keeper: NodeId,
}
