//! Bringing a vault back from a backup into an empty data folder.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use super::copy::{copy_file, hash_file};
use super::manifest::Row;
use super::{BackupError, MARK, Progress, SLOTS, SNAPSHOT, blob_path, find, newest, sync, version_path, versions};
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::limits::MAX_KEY_SLOTS_BYTES;
use crate::vault::blob::{BlobId, WrappingKeys};
use crate::vault::catalog::Catalog;
use crate::vault::durable;
use crate::vault::keys::{Keys, SlotKind, Unlock, refuse_unfinished};

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

/// A backup, looked at from outside.
#[derive(Debug)]
pub struct Found {
    root: PathBuf,
    slots: Vec<u8>,
    /// In which ways it is unlocked.
    pub ways: Vec<SlotKind>,
    /// Its newest version, Unix milliseconds.
    pub newest: u64,
}

/// A backup that was unlocked; nothing is written yet.
#[derive(Debug)]
pub struct Unlocked {
    root: PathBuf,
    slots: Vec<u8>,
    keys: Keys,
    version: u64,
    rows: HashMap<BlobId, Row>,
}

impl Found {
    /// Looks for the backup in `folder`; blocking.
    ///
    /// # Errors
    /// When there is none, or none that this version can read.
    pub fn look(folder: &Path) -> Result<Self, BackupError> {
        let root = find(folder)?;
        let path = root.join(SLOTS);
        let slots = durable::read_at_most(&path, MAX_KEY_SLOTS_BYTES).map_err(BackupError::io("read", &path))?;
        let slots = slots.ok_or_else(|| BackupError::NoBackup(root.join(MARK)))?;
        let ways = Keys::slots_of(&slots, &path)?;
        let newest = versions(&root)?.pop().ok_or_else(|| BackupError::NoVersion(root.clone()))?;
        Ok(Self { root, slots, ways, newest })
    }

    /// Unlocks it, to be brought back into `dir`; blocking.
    ///
    /// # Errors
    /// When `way` does not open it, or no version of it can be read.
    pub fn unlock(self, dir: &DataDir, way: &Unlock) -> Result<Unlocked, BackupError> {
        let keys = Keys::of_slots(&self.slots, &self.root.join(SLOTS), dir, way)?;
        let (version, rows) = newest(&self.root, &WrappingKeys::new(&keys))?;
        Ok(Unlocked { root: self.root, slots: self.slots, keys, version, rows })
    }
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
    tell: impl FnMut(Progress) -> bool,
) -> Result<Restored, BackupError> {
    if !dir.restoring.exists() {
        refuse_unfinished(dir)?;
        if Keys::is_there(dir)? {
            return Err(BackupError::NotEmpty(dir.root.clone()));
        }
    }
    let unlocked = Found::look(folder)?.unlock(dir, way)?;
    unlocked.check_room(dir, &Disk::of(&dir.root, None))?;
    mark(dir)?;
    unlocked.bring_back(dir, tell).map(|(restored, _keys)| restored)
}

/// Gives up the vault in `dir`, which was never used, so that another can be brought back in its place: from here on the folder does not start before
/// that was done. The caller knows that nothing is in it; that it holds no file is looked at here.
///
/// # Errors
/// [`BackupError::NotEmpty`] where there is any file in it.
pub fn give_way(dir: &DataDir) -> Result<(), BackupError> {
    if dir.restoring.exists() {
        return Ok(());
    }
    refuse_unfinished(dir)?;
    let incoming = fs::read_dir(&dir.incoming).map_err(BackupError::io("list", &dir.incoming))?.next().is_some();
    if incoming || !blobs_of(dir)?.is_empty() {
        return Err(BackupError::NotEmpty(dir.root.clone()));
    }
    mark(dir)
}

fn mark(dir: &DataDir) -> Result<(), BackupError> {
    if dir.restoring.exists() {
        return Ok(());
    }
    durable::replace(&dir.restoring, b"").map_err(BackupError::io("write", &dir.restoring))
}

impl Unlocked {
    /// The keys of its vault.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Bytes of all its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.rows.values().map(|row| row.size).sum()
    }

    /// How many files it has.
    #[must_use]
    pub fn files(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Whether it fits on the disk of `dir`, beside what an earlier try has brought.
    ///
    /// # Errors
    /// [`BackupError::NoRoom`].
    pub fn check_room(&self, dir: &DataDir, disk: &Disk) -> Result<(), BackupError> {
        let there = |id: BlobId, row: &Row| fs::metadata(target(dir, id)).is_ok_and(|found| found.len() == row.size);
        let missing = self.rows.iter().filter(|(id, row)| !there(**id, row)).map(|(_, row)| row.size).sum();
        disk.room_for(missing).map_err(|why| BackupError::NoRoom(dir.root.clone(), why))
    }

    /// Brings it back into `dir`, which is marked for that; blocking. Gives the keys that open the vault then.
    ///
    /// # Errors
    /// A [`BackupError`]; calling it again goes on where it was.
    pub fn bring_back(
        self,
        dir: &DataDir,
        mut tell: impl FnMut(Progress) -> bool,
    ) -> Result<(Restored, Keys), BackupError> {
        clear_catalog(dir)?;
        // Of another backup, which was given up for this one.
        for (id, path) in blobs_of(dir)? {
            if id.is_none_or(|id| !self.rows.contains_key(&id)) {
                durable::remove_if_there(&path).map_err(BackupError::io("remove", &path))?;
            }
        }
        Keys::adopt(dir, &self.slots)?;
        let mut progress = Progress { of: self.files(), ..Progress::default() };
        let mut restored = Restored { version: self.version, ..Restored::default() };
        let mut folders = BTreeSet::new();
        for (&id, row) in &self.rows {
            let BlobId([first_byte, ..]) = id;
            let target = target(dir, id);
            if folders.insert(first_byte) {
                super::make_folder(durable::folder_of(&target))?;
            }
            // What an earlier try has brought is not copied again.
            let mut going = |bytes| tell(Progress { bytes: progress.bytes + bytes, ..progress });
            let there = hash_file(&target, &mut going).is_ok_and(|there| there == row.digest());
            let whole = there
                || match copy_file(&blob_path(&self.root, id), &target, &mut going) {
                    Ok(digest) => digest == row.digest(),
                    // A disk that was pulled out has not lost this file: go on when it is back.
                    Err(BackupError::Io { action: "open" | "read", .. }) if self.root.join(MARK).exists() => false,
                    Err(BackupError::Io { action: "open" | "read", .. }) => {
                        return Err(BackupError::Away(self.root.clone()));
                    }
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
        copy_file(&version_path(&self.root, self.version).join(SNAPSHOT), &dir.catalog_snapshot, |_| true)?;
        Catalog::begin_after_snapshot(dir, &self.keys)?;
        sync(&dir.root)?;
        durable::remove_if_there(&dir.restoring).map_err(BackupError::io("remove", &dir.restoring))?;
        sync(&dir.root)?;
        Ok((restored, self.keys))
    }
}

fn target(dir: &DataDir, id: BlobId) -> PathBuf {
    let BlobId([first_byte, ..]) = id;
    dir.blobs.join(format!("{first_byte:02x}")).join(id.to_string())
}

/// The catalog of the vault that gave way, or that of a try that was cut short.
fn clear_catalog(dir: &DataDir) -> Result<(), BackupError> {
    for path in [
        &dir.catalog,
        &dir.catalog_set_aside,
        &dir.catalog_journal,
        &dir.catalog_snapshot,
        &dir.catalog_damaged,
        &dir.catalog_incomplete,
        &dir.purging,
    ] {
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { durable::remove_if_there(path).map(drop) };
        removed.map_err(BackupError::io("remove", path))?;
    }
    super::make_folder(&dir.catalog_journal)?;
    sync(&dir.root)
}

/// Every file in the folders of blobs, and of which blob it is.
fn blobs_of(dir: &DataDir) -> Result<Vec<(Option<BlobId>, PathBuf)>, BackupError> {
    let mut found = Vec::new();
    for folder in fs::read_dir(&dir.blobs).map_err(BackupError::io("list", &dir.blobs))? {
        let folder = folder.map_err(BackupError::io("list", &dir.blobs))?.path();
        if folder == dir.blobs_temporary || !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(BackupError::io("list", &folder))? {
            let path = entry.map_err(BackupError::io("list", &folder))?.path();
            found.push((path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok()), path));
        }
    }
    Ok(found)
}
