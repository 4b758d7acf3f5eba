//! The export that was wished for last, and what came of it: one row of the catalog, so that one that a restart cut is gone on with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::vault::{Batch, Kind, Vault, VaultError};

const KEY: &[u8] = b"export";

/// What the owner wished for, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPlan {
    /// The folder that was named last, an absolute path.
    pub folder: Option<String>,
    /// Whether it is to be exported to, or is being.
    pub wished: bool,
    /// What came of the last one that ended.
    pub result: Option<ExportResult>,
    /// Why the last one ended before its time, in words.
    pub problem: Option<String>,
}

impl ExportPlan {
    /// The folder to export to, if that is wished for.
    #[must_use]
    pub fn wished_folder(&self) -> Option<PathBuf> {
        self.folder.as_ref().filter(|_| self.wished).map(PathBuf::from)
    }
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportResult {
    /// When it ended, Unix milliseconds.
    pub at: u64,
    /// Originals that are in the folder.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that were written this time.
    pub new_files: u64,
    /// Damaged originals, the first of them: file name and reason.
    pub damaged: Vec<(String, String)>,
    /// How many there are.
    pub damaged_count: u64,
}

/// [`ExportPlan`] in memory and in the catalog; cheap to clone.
#[derive(Clone)]
pub struct ExportRow {
    vault: Vault,
    now: Arc<Mutex<ExportPlan>>,
}

impl ExportRow {
    /// Reads it.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault) -> Result<Self, VaultError> {
        let stored: Option<ExportPlan> = vault.catalog().get_as(Kind::Settings, KEY)?;
        Ok(Self { vault, now: Arc::new(Mutex::new(stored.unwrap_or_default())) })
    }

    /// As it is now.
    #[must_use]
    pub fn get(&self) -> ExportPlan {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes it durably; blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn change(&self, change: impl FnOnce(&mut ExportPlan)) -> Result<ExportPlan, VaultError> {
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
