//! Where the vault is backed up, how often, and how the last time went: one row of the catalog.

use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow};

/// What the owner chose, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlan {
    /// The folder, an absolute path; none while there is no backup.
    pub folder: Option<String>,
    /// Whether the folder lies on the disk of the vault itself.
    pub same_disk: bool,
    /// Hours between two backups; only by hand when absent.
    pub every_hours: Option<u32>,
    /// The last one that was complete, Unix milliseconds.
    pub last_at: Option<u64>,
    /// Files in it.
    pub files: u64,
    /// Bytes in it.
    pub bytes: u64,
    /// The last check, Unix milliseconds.
    pub checked_at: Option<u64>,
    /// What is wrong, in words, since the last try.
    pub problem: Option<String>,
    /// When the last try was, Unix milliseconds.
    pub tried_at: Option<u64>,
}

impl KeptRow for BackupPlan {
    const KEY: &'static [u8] = b"backup";
}

/// [`BackupPlan`] in memory and in the catalog.
pub type BackupRow = Kept<BackupPlan>;
