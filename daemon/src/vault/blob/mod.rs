//! Blobs: one encrypted, self-describing file each.
//!
//! Public names: [`Blobs`], [`BlobWriter`], [`BlobBatch`], [`BlobReader`], [`BlobEntry`], [`BlobId`], [`BlobKind`] and [`BlobError`]. The bytes are
//! described in `vault/FORMAT.md`. What is absent on purpose: a blob is never changed once it has its name, only removed; and no name that a
//! stranger chose ever becomes a path.

mod error;
mod header;
mod id;
mod mend;
mod reader;
mod stream;
mod writer;

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use zeroize::Zeroizing;

pub use error::{BlobEntry, BlobError};
pub use id::{BlobId, BlobIdError, BlobKind};
pub use reader::BlobReader;
pub use writer::{BlobBatch, BlobWriter};

pub(super) use header::{Header, OpenedHeader, WrappingKeys};
pub(super) use stream::{ChunkCipher, SEALED_CHUNK_BYTES, chunk_bytes, chunk_count};
pub(super) use writer::SealingFile;

use super::{durable, keys::Keys, seal::SealError};
use crate::{data_dir::DataDir, limits::MAX_BLOB_READ_WHOLE_BYTES};

/// The blobs of a vault. Clones share the same store. Every call blocks: async callers use `spawn_blocking`.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<Store>,
}

#[derive(Debug)]
struct Store {
    dir: DataDir,
    keys: WrappingKeys,
    receiving: Mutex<HashSet<BlobId>>,
    /// Folders by first byte whose names this process has made durable. One that a killed process made may not be.
    durable_folders: Mutex<HashSet<u8>>,
}

fn random_id() -> Result<BlobId, BlobError> {
    BlobId::random().map_err(|_| BlobError::Seal(SealError))
}

impl Blobs {
    /// Opens the store and sweeps what a crash left half-written. Partly received blobs stay.
    pub(super) fn at(dir: &DataDir, keys: &Keys) -> Result<Self, BlobError> {
        let failed = |action| move |source| BlobError::Folder { action, source };
        for entry in fs::read_dir(&dir.blobs_temporary).map_err(failed("list"))? {
            fs::remove_file(entry.map_err(failed("list"))?.path()).map_err(failed("sweep"))?;
        }
        let store = Store {
            dir: dir.clone(),
            keys: WrappingKeys::new(keys),
            receiving: Mutex::default(),
            durable_folders: Mutex::default(),
        };
        Ok(Self { store: Arc::new(store) })
    }

    /// Writes `plain` as one blob; durable when it returns. `meta` must suffice to rebuild what the catalog says about it.
    ///
    /// # Errors
    /// [`BlobError::DiskFull`], and whatever the disk reports; the blob is then not in the vault.
    pub fn put(&self, kind: BlobKind, meta: &[u8], plain: &[u8]) -> Result<BlobId, BlobError> {
        let mut batch = self.batch()?;
        let id = batch.put(kind, meta, plain)?;
        batch.commit()?;
        Ok(id)
    }

    /// Begins a blob whose bytes come one after the other.
    ///
    /// # Errors
    /// [`BlobError::MetaTooLarge`], and whatever the disk reports.
    pub fn writer(&self, kind: BlobKind, meta: &[u8]) -> Result<BlobWriter, BlobError> {
        BlobWriter::new(self.clone(), random_id()?, kind, meta)
    }

    /// Begins several blobs that become durable together.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn batch(&self) -> Result<BlobBatch, BlobError> {
        BlobBatch::new(self.clone())
    }

    /// Opens a blob for reading at any place.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], or what is wrong with it.
    pub fn open(&self, id: BlobId) -> Result<BlobReader, BlobError> {
        BlobReader::open(&self.store.keys, id, &self.path_of(id))
    }

    /// All plain bytes of a blob of at most [`MAX_BLOB_READ_WHOLE_BYTES`].
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::TooLarge`], or what is wrong with it.
    pub fn read(&self, id: BlobId) -> Result<Zeroizing<Vec<u8>>, BlobError> {
        self.open(id)?.read_whole(MAX_BLOB_READ_WHOLE_BYTES)
    }

    /// Whether there is a file for this blob; it may still be damaged.
    #[must_use]
    pub fn contains(&self, id: BlobId) -> bool {
        self.path_of(id).exists()
    }

    /// What the header of a blob says.
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub fn describe(&self, id: BlobId) -> Result<BlobEntry, BlobError> {
        Ok(self.open(id)?.entry().clone())
    }

    /// Removes a blob for good: its key is overwritten on the disk before the file goes. Whether it was there.
    /// On disks that write elsewhere than they are told (SSDs, copy-on-write file systems) the old block may live on until it is reused.
    ///
    /// # Errors
    /// Whatever the disk reports; call it again then.
    pub fn remove(&self, id: BlobId) -> Result<bool, BlobError> {
        self.erase(id, &self.path_of(id))
    }

    /// Destroys the key in the file at `path`, then the file. Whether it was there.
    pub(super) fn erase(&self, id: BlobId, path: &Path) -> Result<bool, BlobError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(BlobError::io(id, "open")(error)),
        };
        header::destroy(id, &file)?;
        let removed = durable::remove_if_there(path).map_err(BlobError::io(id, "remove"))?;
        durable::sync_folder(durable::folder_of(path)).map_err(BlobError::io(id, "sync the folder of"))?;
        Ok(removed)
    }

    /// Names of all blobs, in order. Files with other names are left alone and not listed.
    ///
    /// # Errors
    /// Whatever the disk reports.
    pub fn list(&self) -> Result<Vec<BlobId>, BlobError> {
        let failed = |source| BlobError::Folder { action: "list", source };
        let mut ids = Vec::new();
        for folder in fs::read_dir(&self.store.dir.blobs).map_err(failed)? {
            let folder = folder.map_err(failed)?.path();
            if folder != self.store.dir.blobs_temporary && folder.is_dir() {
                list_ids(&folder, &mut ids).map_err(failed)?;
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Names of partly received blobs, in order.
    ///
    /// # Errors
    /// Whatever the disk reports.
    pub fn list_incoming(&self) -> Result<Vec<BlobId>, BlobError> {
        let mut ids = Vec::new();
        list_ids(&self.store.dir.incoming, &mut ids).map_err(|source| BlobError::Folder { action: "list", source })?;
        ids.sort_unstable();
        Ok(ids)
    }

    pub(super) fn wrapping_keys(&self) -> &WrappingKeys {
        &self.store.keys
    }

    pub(super) fn path_of(&self, id: BlobId) -> PathBuf {
        self.folder_of(id).join(id.to_string())
    }

    /// Whether the file at `path` is this blob, whole, down to its last chunk.
    pub(super) fn is_sound(&self, path: &Path, id: BlobId) -> bool {
        BlobReader::open(&self.store.keys, id, path).is_ok_and(|reader| reader.verify().is_ok())
    }

    fn folder_of(&self, id: BlobId) -> PathBuf {
        let BlobId([first_byte, ..]) = id;
        self.store.dir.blobs.join(format!("{first_byte:02x}"))
    }

    /// Makes the folder in which `id` belongs, durably.
    pub(super) fn make_folder_of(&self, id: BlobId) -> Result<PathBuf, BlobError> {
        let BlobId([first_byte, ..]) = id;
        let folder = self.folder_of(id);
        // Held over the fsync, so that nobody takes a folder for durable that another thread is only making.
        let mut durable_folders = self.store.durable_folders.lock().unwrap_or_else(PoisonError::into_inner);
        if !durable_folders.contains(&first_byte) {
            match DirBuilder::new().mode(0o700).create(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(BlobError::io(id, "make the folder of")(error));
                }
                _ => {}
            }
            durable::sync_folder(&self.store.dir.blobs).map_err(BlobError::io(id, "sync the folder of"))?;
            durable_folders.insert(first_byte);
        }
        Ok(folder)
    }

    fn temporary_path(&self, id: BlobId) -> PathBuf {
        self.store.dir.blobs_temporary.join(id.to_string())
    }

    pub(super) fn incoming_path(&self, id: BlobId) -> PathBuf {
        self.store.dir.incoming.join(id.to_string())
    }

    pub(super) fn incoming_folder(&self) -> &Path {
        &self.store.dir.incoming
    }

    pub(super) fn receiving(&self) -> MutexGuard<'_, HashSet<BlobId>> {
        self.store.receiving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list_ids(folder: &Path, ids: &mut Vec<BlobId>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        ids.extend(name.to_str().and_then(|name| name.parse::<BlobId>().ok()));
    }
    Ok(())
}

#[cfg(test)]
mod kit;
#[cfg(test)]
mod tests;
