//! The vault: the encrypted store of one node.
//!
//! Public names: [`Vault`] opens it; [`backup`] copies it elsewhere and brings it back; [`erase`] destroys it; [`Blobs`] holds files, one encrypted file each; [`Catalog`] holds records; [`Keys`] and [`KeyFile`] unlock both.
//! The formats are described in `FORMAT.md` beside this file. Every call blocks: async callers use `spawn_blocking`. What is absent on purpose: nothing in
//! here knows what a photo, a face or an event is, nothing touches the network, and nothing writes plaintext to the disk (D3).

pub mod backup;
pub mod blob;
pub mod catalog;
pub(crate) mod durable;
pub mod erase;
pub mod incoming;
pub mod keys;
pub mod password;
mod purging;
mod seal;
mod secret;

use std::sync::Arc;

use thiserror::Error;

pub use blob::{BlobBatch, BlobEntry, BlobError, BlobId, BlobKind, BlobReader, BlobWriter, Blobs};
pub use catalog::{Batch, Catalog, CatalogError, Kind, Older, Opening, Versioned};
pub use incoming::Incoming;
pub use keys::{KeyError, KeyFile, Keys, Passphrase, RECOVERY_WORDS, RecoveryPhrase, SlotKind, Subkey, Unlock};
pub use seal::SealError;
pub use secret::Secret32;
pub(crate) use secret::wipe_stack;

use crate::data_dir::{self, DataDir, FORMAT};

/// Why the vault cannot be opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// It cannot be unlocked.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The folder of blobs cannot be used.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The catalog cannot be used.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// The vault of this node. Clones share the same one.
#[derive(Clone, Debug)]
pub struct Vault {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    dir: DataDir,
    keys: Keys,
    content_tags: Secret32,
    blobs: Blobs,
    catalog: Catalog,
}

impl Vault {
    /// Unlocks the vault in `dir` with `key_file`, and makes both at the very first start. Sweeps half-written blobs, and builds the catalog again
    /// if it is damaged: see [`Catalog::opening`].
    ///
    /// # Errors
    /// A [`VaultError`] that says what to do. A new key is never made over an existing vault.
    pub fn open(dir: &DataDir, key_file: &KeyFile) -> Result<Self, VaultError> {
        Self::unlock(dir, &Unlock::KeyFile(key_file.clone()))
    }

    /// As [`Vault::open`], unlocked in any way; only a key file makes a new vault.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn unlock(dir: &DataDir, way: &Unlock) -> Result<Self, VaultError> {
        Self::with(dir, Keys::unlock(dir, way)?)
    }

    /// As [`Vault::open`], with keys that were unlocked before.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn with(dir: &DataDir, keys: Keys) -> Result<Self, VaultError> {
        // Before anything is written in it. A full disk is no reason not to start.
        if data_dir::format_in(&dir.format) != Some(FORMAT)
            && let Err(error) = durable::replace(&dir.format, data_dir::format_line(FORMAT).as_bytes())
        {
            tracing::warn!("the format of the data folder could not be noted: {error}");
        }
        let blobs = Blobs::at(dir, &keys)?;
        let catalog = Catalog::open(dir, &keys)?;
        let content_tags = keys.subkey(Subkey::ContentTags);
        Ok(Self { parts: Arc::new(Parts { dir: dir.clone(), keys, content_tags, blobs, catalog }) })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &DataDir {
        &self.parts.dir
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.parts.keys
    }

    /// The files.
    #[must_use]
    pub fn blobs(&self) -> &Blobs {
        &self.parts.blobs
    }

    /// The records.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.parts.catalog
    }

    /// Whether the catalog may lack records of blobs that are here, as after a loss of all its files: then nothing is removed for want of one.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.parts.dir.catalog_incomplete.exists()
    }

    /// Every blob has its record again, or was set aside; blocking.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn is_complete_again(&self) -> std::io::Result<()> {
        if durable::remove_if_there(&self.parts.dir.catalog_incomplete)? {
            durable::sync_folder(&self.parts.dir.root)?;
        }
        Ok(())
    }

    /// The sub-key for one use.
    #[must_use]
    pub fn subkey(&self, subkey: Subkey) -> Secret32 {
        self.parts.keys.subkey(subkey)
    }

    /// A tag of a content id by which duplicates are found, which tells a thief of the disk nothing: without the key nobody can test whether a known
    /// photo is here.
    #[must_use]
    pub fn content_tag(&self, content: &[u8; 32]) -> [u8; 32] {
        *blake3::keyed_hash(self.parts.content_tags.expose(), content).as_bytes()
    }

    /// For a clean shutdown: writes the snapshot of the catalog. The vault can still be used.
    ///
    /// # Errors
    /// As [`Catalog::snapshot`]; nothing is lost then.
    pub fn settle(&self) -> Result<(), CatalogError> {
        self.parts.catalog.snapshot()
    }
}

#[cfg(test)]
mod newer;
#[cfg(test)]
mod place;
#[cfg(test)]
mod tests;
