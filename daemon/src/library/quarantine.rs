//! Files over which decoders stopped: counted over restarts, and left alone after the third time until the owner wants another try.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ContentId;
use crate::clock::now_ms;
use crate::ledger::Ledger;
use crate::vault::{Kind, Vault, VaultError};

/// How often a file may stop its decoder before it is left alone: the machine may be to blame once or twice, with too little memory.
pub const STRIKES: u8 = 3;

/// A file that stopped its decoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredStrike {
    /// Its name, as shown.
    pub file_name: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its contents.
    pub content: ContentId,
    /// How often.
    pub strikes: u8,
    /// What happened the last time.
    pub reason: String,
    /// When, in Unix milliseconds.
    pub at: u64,
}

/// All of them, by the tag of their contents; cheap to clone.
#[derive(Clone)]
pub struct Quarantine {
    vault: Vault,
    rows: Ledger<StoredStrike>,
}

impl Quarantine {
    /// Reads the catalog into memory.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault) -> Result<Self, VaultError> {
        Ok(Self { rows: Ledger::open(vault.clone(), Kind::Strike)?, vault })
    }

    fn key(&self, content: &ContentId) -> [u8; 32] {
        self.vault.content_tag(&content.0)
    }

    /// Why these contents are left alone, if they are.
    #[must_use]
    pub fn reason(&self, content: &ContentId) -> Option<String> {
        let row = self.rows.get(&self.key(content))?;
        (row.strikes >= STRIKES).then(|| row.reason.clone())
    }

    /// Counts a strike; blocking, durable when it returns. Gives how many there are.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn strike(
        &self,
        content: &ContentId,
        file_name: &str,
        size_bytes: u64,
        reason: String,
    ) -> Result<u8, VaultError> {
        let key = self.key(content);
        let strikes = self.rows.get(&key).map_or(0, |row| row.strikes).saturating_add(1);
        let content = *content;
        let row = StoredStrike { file_name: file_name.to_owned(), size_bytes, content, strikes, reason, at: now_ms() };
        self.rows.put(&key, row)?;
        Ok(strikes)
    }

    /// Forgets the strikes of a file that was read after all; blocking, and free when there are none.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn forgive(&self, content: &ContentId) -> Result<(), VaultError> {
        let key = self.key(content);
        if self.rows.get(&key).is_none() {
            return Ok(());
        }
        self.rows.remove(&[key.to_vec()])
    }

    /// What is left alone now, with its key.
    #[must_use]
    pub fn all(&self) -> Vec<(Vec<u8>, Arc<StoredStrike>)> {
        self.rows.all().into_iter().filter(|(_, row)| row.strikes >= STRIKES).collect()
    }

    /// Lets a file be tried again from the start; blocking. `None` when it is not in quarantine.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn release(&self, key: &[u8]) -> Result<Option<Arc<StoredStrike>>, VaultError> {
        let row = self.rows.get(key).filter(|row| row.strikes >= STRIKES);
        if row.is_some() {
            self.rows.remove(&[key.to_vec()])?;
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::DataDir;
    use crate::vault::KeyFile;

    #[test]
    fn the_third_strike_counts_over_restarts_and_another_try_starts_at_none() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let dir = DataDir::open(folder.path().join("data")).unwrap();
            Quarantine::open(Vault::open(&dir, &KeyFile::at(folder.path().join("key"))).unwrap()).unwrap()
        };
        let content = ContentId([7; 32]);
        let strike = |quarantine: &Quarantine| quarantine.strike(&content, "bomb.png", 9, "it burst".into()).unwrap();
        for count in 1..=STRIKES {
            let quarantine = open();
            assert_eq!(quarantine.reason(&content), None);
            assert!(quarantine.all().is_empty());
            assert_eq!(strike(&quarantine), count);
        }
        let quarantine = open();
        assert_eq!(quarantine.reason(&content).as_deref(), Some("it burst"));
        let (key, row) = quarantine.all().pop().unwrap();
        assert_eq!((row.file_name.as_str(), row.content), ("bomb.png", content));
        assert!(key != content.0, "the key must tell nothing about the file");
        assert!(quarantine.release(&key).unwrap().is_some() && quarantine.release(&key).unwrap().is_none());
        assert_eq!(strike(&quarantine), 1);
        quarantine.forgive(&content).unwrap();
        assert_eq!(strike(&quarantine), 1);
    }
}
