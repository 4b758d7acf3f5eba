//! What is done about a blob that is damaged or missing.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{BlobError, BlobId, BlobReader, Blobs};
use crate::vault::durable;

impl Blobs {
    /// Puts the copy of blob `id` at `copy`, such as that of a backup, in the place of the one here, if it is whole; durable when it returns. Whether it was whole.
    ///
    /// # Errors
    /// What the vault's own disk reports; nothing is changed then.
    pub fn bring_back(&self, id: BlobId, copy: &Path) -> Result<bool, BlobError> {
        let Ok(mut from) = File::open(copy) else { return Ok(false) };
        let temporary = self.temporary_path(id);
        durable::remove_if_there(&temporary).map_err(BlobError::io(id, "write"))?;
        let mut to = durable::create_new(&temporary).map_err(BlobError::io(id, "write"))?;
        let copied = io::copy(&mut from, &mut to).and_then(|_| to.sync_all());
        // From what is written here: a disk that gives other bytes the second time is none to bring back from.
        let whole = copied.is_ok() && self.is_sound(&temporary, id);
        if !whole {
            durable::remove_if_there(&temporary).map_err(BlobError::io(id, "remove"))?;
            return match copied {
                Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                    Err(BlobError::io(id, "write")(error))
                }
                _ => Ok(false),
            };
        }
        let folder = self.make_folder_of(id)?;
        fs::rename(&temporary, self.path_of(id)).map_err(BlobError::io(id, "name"))?;
        durable::sync_folder(&folder).map_err(BlobError::io(id, "sync the folder of"))?;
        Ok(true)
    }

    /// Renames a blob that cannot be opened, so that nothing takes it for one that nobody needs: its bytes stay for whoever wants to look at them.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn set_aside(&self, id: BlobId) -> Result<(), BlobError> {
        let path = self.path_of(id);
        let aside = path.with_extension("damaged");
        fs::rename(&path, aside).map_err(BlobError::io(id, "set aside"))?;
        durable::sync_folder(durable::folder_of(&path)).map_err(BlobError::io(id, "sync the folder of"))
    }

    /// When the file of a blob was written, Unix milliseconds.
    #[must_use]
    pub fn written_at(&self, id: BlobId) -> Option<u64> {
        let modified = fs::metadata(self.path_of(id)).ok()?.modified().ok()?;
        u64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    }

    /// Reads a blob to its end; `see` is shown the plain bytes as they come and says whether to go on. `false` if it did not.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn walk(&self, id: BlobId, mut see: impl FnMut(&[u8]) -> bool) -> Result<bool, BlobError> {
        let reader: BlobReader = self.open(id)?;
        let mut piece = zeroize::Zeroizing::new(vec![0; crate::limits::BLOB_CHUNK_BYTES]);
        let mut at = 0;
        loop {
            let read = reader.read_at(at, &mut piece)?;
            if read == 0 {
                return Ok(true);
            }
            at += read as u64;
            if !see(piece.get(..read).unwrap_or_default()) {
                return Ok(false);
            }
        }
    }
}
