//! What the last look at every file has shown: one row of the catalog.

use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow};

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When everything was read to its end, Unix milliseconds.
    pub last_at: Option<u64>,
    /// Files that were read.
    pub files: u64,
    /// Their plain bytes.
    pub bytes: u64,
    /// Files that were not as they were written and are again, then.
    pub mended: u64,
    /// Why it could not be done at the last try, in words.
    pub problem: Option<String>,
}

impl KeptRow for Verified {
    const KEY: &'static [u8] = b"verified";
}

/// [`Verified`] in memory and in the catalog.
pub type VerifiedRow = Kept<Verified>;
