//! How long an answer can be taken back before anything leaves: one row of the catalog.

use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow};

/// The longest time, seconds.
pub const MOST_UNDO_SECONDS: u32 = 600;

/// What the owner chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoTime {
    /// Seconds; 0 lets photos go at once.
    pub seconds: u32,
}

impl Default for UndoTime {
    fn default() -> Self {
        // Long enough to see what one has pressed, short enough that nobody at a party waits for it.
        Self { seconds: 10 }
    }
}

impl KeptRow for UndoTime {
    const KEY: &'static [u8] = b"undo";
}

/// [`UndoTime`] in memory and in the catalog.
pub type UndoRow = Kept<UndoTime>;
