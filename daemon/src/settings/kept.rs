//! A row of the settings, in memory and in the catalog.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::vault::{Batch, Kind, Vault, VaultError};

/// A value that has a row of its own.
pub trait KeptRow: Clone + Default + Serialize + DeserializeOwned {
    /// Key of the row among the settings.
    const KEY: &'static [u8];
}

/// Such a value in memory and in the catalog; cheap to clone.
#[derive(Clone)]
pub struct Kept<T> {
    vault: Vault,
    now: Arc<Mutex<T>>,
}

impl<T: KeptRow> Kept<T> {
    /// Reads it.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault) -> Result<Self, VaultError> {
        let stored: Option<T> = vault.catalog().get_as(Kind::Settings, T::KEY)?;
        Ok(Self { vault, now: Arc::new(Mutex::new(stored.unwrap_or_default())) })
    }

    /// As it is now.
    #[must_use]
    pub fn get(&self) -> T {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes it durably; blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn change(&self, change: impl FnOnce(&mut T)) -> Result<T, VaultError> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = now.clone();
        change(&mut next);
        let mut batch = Batch::default();
        batch.put_as(Kind::Settings, T::KEY, &next)?;
        self.vault.catalog().commit(batch)?;
        *now = next.clone();
        Ok(next)
    }
}
