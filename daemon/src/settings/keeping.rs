//! Whether this device keeps sealed deliveries for members who are away, and how much room they may take: one row of the catalog.

use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow};

/// The least room that makes sense, bytes: some photos.
pub const LEAST_ROOM_BYTES: u64 = 64 << 20;

/// What the owner chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Sealed bytes that may lie here; nothing is kept for others when absent.
    pub room_bytes: Option<u64>,
}

impl KeptRow for Keeping {
    const KEY: &'static [u8] = b"keeping";
}

/// [`Keeping`] in memory and in the catalog.
pub type KeepingRow = Kept<Keeping>;
