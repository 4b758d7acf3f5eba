//! Where the vault is backed up, how often, and how the last time went: one row of the catalog.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::vault::{Batch, Kind, Vault, VaultError};

const KEY: &[u8] = b"backup";

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

/// [`BackupPlan`] in memory and in the catalog; cheap to clone.
#[derive(Clone)]
pub struct BackupRow {
    vault: Vault,
    now: Arc<Mutex<BackupPlan>>,
}

impl BackupRow {
    /// Reads it.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault) -> Result<Self, VaultError> {
        let stored: Option<BackupPlan> = vault.catalog().get_as(Kind::Settings, KEY)?;
        Ok(Self { vault, now: Arc::new(Mutex::new(stored.unwrap_or_default())) })
    }

    /// As it is now.
    #[must_use]
    pub fn get(&self) -> BackupPlan {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes it durably; blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn change(&self, change: impl FnOnce(&mut BackupPlan)) -> Result<BackupPlan, VaultError> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = now.clone();
        change(&mut next);
        let mut batch = Batch::default();
        batch.put_as(Kind::Settings, KEY, &next)?;
        self.vault.catalog().commit(batch)?;
        *now = next.clone();
        Ok(next)
    }
}
