//! Bringing a vault back from a backup into an empty data folder.

use std::io;
use std::path::Path;

use super::copy::{copy_file, hash_file};
use super::{BackupError, MARK, Progress, SLOTS, SNAPSHOT, blob_path, find, newest, sync, version_path};
use crate::data_dir::DataDir;
use crate::limits::MAX_KEY_SLOTS_BYTES;
use crate::vault::blob::{BlobId, WrappingKeys};
use crate::vault::catalog::Catalog;
use crate::vault::durable;
use crate::vault::keys::{KeyError, Keys, Unlock};

/// What was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The version, Unix milliseconds.
    pub version: u64,
    /// Files that are whole.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are damaged or missing in the backup.
    pub lost: Vec<BlobId>,
}

/// Brings the newest version of the backup in `folder` back into `dir`, which must hold no vault; unlocked with `way`. Blocking. One that was cut
/// short is taken up again by the next call; until then the data folder does not start.
///
/// # Errors
/// A [`BackupError`] that says what to do.
pub fn restore(
    folder: &Path,
    dir: &DataDir,
    way: &Unlock,
    mut tell: impl FnMut(Progress) -> bool,
) -> Result<Restored, BackupError> {
    let root = find(folder)?;
    if !dir.restoring.exists() {
        if Keys::is_there(dir)? {
            return Err(BackupError::NotEmpty(dir.root.clone()));
        }
        durable::replace(&dir.restoring, b"").map_err(BackupError::io("write", &dir.restoring))?;
    }
    let path = root.join(SLOTS);
    let slots = durable::read_at_most(&path, MAX_KEY_SLOTS_BYTES).map_err(BackupError::io("read", &path))?;
    let slots = slots.ok_or_else(|| BackupError::NoBackup(root.join(MARK)))?;
    let keys = match Keys::adopt(dir, &slots, way) {
        Ok(keys) => keys,
        Err(error) => return Err(given_up(dir, error)),
    };
    let wrapping = WrappingKeys::new(&keys);
    let (version, rows) = newest(&root, &wrapping)?;
    let mut progress = Progress { of: rows.len() as u64, ..Progress::default() };
    let mut restored = Restored { version, ..Restored::default() };
    let mut folders = std::collections::BTreeSet::new();
    for (id, row) in rows {
        let BlobId([first_byte, ..]) = id;
        let target = dir.blobs.join(format!("{first_byte:02x}")).join(id.to_string());
        if folders.insert(first_byte) {
            super::make_folder(durable::folder_of(&target))?;
        }
        // What an earlier try has brought is not copied again.
        let mut going = |bytes| tell(Progress { bytes: progress.bytes + bytes, ..progress });
        let there = hash_file(&target, &mut going).is_ok_and(|there| there == row.digest());
        let whole = there
            || match copy_file(&blob_path(&root, id), &target, &mut going) {
                Ok(digest) => digest == row.digest(),
                Err(BackupError::Io { action: "open" | "read", .. }) => false,
                Err(error) => return Err(error),
            };
        if whole {
            restored.files += 1;
            restored.bytes += row.size;
        } else {
            durable::remove_if_there(&target).map_err(BackupError::io("remove", &target))?;
            restored.lost.push(id);
        }
        progress.files += 1;
        progress.bytes += row.size;
        if !tell(progress) {
            return Err(BackupError::Stopped);
        }
    }
    for first_byte in folders {
        sync(&dir.blobs.join(format!("{first_byte:02x}")))?;
    }
    sync(&dir.blobs)?;
    copy_file(&version_path(&root, version).join(SNAPSHOT), &dir.catalog_snapshot, |_| true)?;
    Catalog::begin_after_snapshot(dir, &keys)?;
    sync(&dir.root)?;
    durable::remove_if_there(&dir.restoring).map_err(BackupError::io("remove", &dir.restoring))?;
    sync(&dir.root)?;
    Ok(restored)
}

/// A wrong secret leaves the folder as empty as it was.
fn given_up(dir: &DataDir, error: KeyError) -> BackupError {
    for path in [&dir.key_slots, &dir.key_slots_copy, &dir.restoring] {
        match durable::remove_if_there(path) {
            Ok(_) => {}
            Err(source) if source.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return BackupError::io("remove", path)(source),
        }
    }
    error.into()
}
