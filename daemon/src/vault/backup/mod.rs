//! Backup: an incremental copy of ciphertext in a folder elsewhere, from which an empty machine gets everything back.
//!
//! Public names: [`Backup`] copies, checks and thins out; [`restore()`] brings back, and [`Found`] does so step by step. The layout is described in `vault/FORMAT.md`. Blobs never change, so each
//! is copied once; a version is a snapshot of the catalog and the list of the blobs that were there, and is complete once its folder has its name.
//! Deliberately absent: nothing is decrypted on the way and no key is in the folder but the key slots, so whoever finds it learns no more than from the
//! data folder itself.

mod copy;
mod manifest;
mod restore;
mod retention;

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use restore::{Found, Restored, Unlocked, give_way, restore};

use self::copy::{Digest, copy_file, hash_file};
use self::manifest::{Manifest, Row};
use super::blob::{BlobError, BlobId, WrappingKeys};
use super::catalog::CatalogError;
use super::keys::{KeyError, Keys};
use super::{Vault, durable};
use crate::disk::NoRoom;
use crate::limits::BACKUP_ROUNDS;

/// The folder that is made in the one that the owner names.
const FOLDER: &str = "inframe-backup";
/// The file by which a backup is known: its format and which vault it is of.
const MARK: &str = "inframe-backup";
const MARK_HEAD: &str = "inframe backup 1\n";
const SLOTS: &str = "key-slots";
const BLOBS: &str = "blobs";
const VERSIONS: &str = "versions";
const SNAPSHOT: &str = "catalog.snapshot";
const LIST: &str = "blobs.list";

/// Why a backup was not made, checked or brought back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The folder that was named is not there.
    #[error("there is no backup in {}: connect the disk, or choose another folder", .0.display())]
    Away(PathBuf),
    /// The folder lies in the data folder.
    #[error("{} is a part of the data folder: choose a folder on another disk", .0.display())]
    Inside(PathBuf),
    /// There is a backup of another vault in the folder.
    #[error("{} holds the backup of another vault: choose another folder", .0.display())]
    OtherVault(PathBuf),
    /// Nothing to bring back.
    #[error("there is no backup in {}: choose the folder that was named when it was made", .0.display())]
    NoBackup(PathBuf),
    /// A later version wrote it.
    #[error("the backup in {} was made by a newer version of inframe: install that version or a later one", .0.display())]
    Newer(PathBuf),
    /// Every version is damaged, or none is complete.
    #[error("no version of the backup in {} can be read: see whether there is another backup", .0.display())]
    NoVersion(PathBuf),
    /// There is a vault already where one is to be brought back.
    #[error("there is a vault in {} already: choose an empty data folder with --data-dir", .0.display())]
    NotEmpty(PathBuf),
    /// What is to be brought back does not fit.
    #[error("the backup does not fit into {}: {}", .0.display(), .1)]
    NoRoom(PathBuf, NoRoom),
    /// The disk of the backup is full.
    #[error("the disk of {} is full: make room, or choose a larger one; the versions before are whole", .0.display())]
    Full(PathBuf),
    /// The owner stopped it.
    #[error("the backup was stopped; what was copied is used the next time")]
    Stopped,
    /// The key slots.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A list of blobs, or the folder of blobs.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The file system.
    #[error("cannot {action} {}: check the disk and your permissions", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl BackupError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            _ => Self::Io { action, path, source },
        }
    }
}

/// How far a backup is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files that are done.
    pub files: u64,
    /// All files.
    pub of: u64,
    /// Bytes copied or read.
    pub bytes: u64,
}

/// What a backup did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Its version, Unix milliseconds.
    pub version: u64,
    /// Files copied now.
    pub copied: u64,
    /// Bytes copied now.
    pub copied_bytes: u64,
    /// Files in this version.
    pub files: u64,
    /// Bytes in this version.
    pub bytes: u64,
    /// Blobs that cannot be read from the vault's own disk: they are in no version unless an earlier one has them.
    pub unreadable: Vec<BlobId>,
    /// Versions that were thinned out.
    pub removed: u64,
}

/// What a check of a backup found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Files that are as they were written.
    pub sound: u64,
    /// Files that are not, and were copied anew from the vault.
    pub mended: u64,
    /// Files that are damaged or missing both here and in the vault.
    pub lost: Vec<BlobId>,
}

/// The backup of one vault in one folder.
#[derive(Debug)]
pub struct Backup {
    root: PathBuf,
    vault: Vault,
    keys: WrappingKeys,
}

impl Backup {
    /// The backup of `vault` that was begun in `folder`. Where there is none any more, a disk is not connected, and its empty mount point is no place
    /// for a backup.
    ///
    /// # Errors
    /// When the backup is away or is that of another vault.
    pub fn open(vault: &Vault, folder: &Path) -> Result<Self, BackupError> {
        match find(folder) {
            Ok(_) => Self::begin(vault, folder),
            Err(BackupError::NoBackup(folder)) => Err(BackupError::Away(folder)),
            Err(error) => Err(error),
        }
    }

    /// The backup of `vault` in `folder`; made there if there is none.
    ///
    /// # Errors
    /// When the folder is away, lies in the data folder or holds the backup of another vault.
    pub fn begin(vault: &Vault, folder: &Path) -> Result<Self, BackupError> {
        let data = &vault.dir().root;
        let folder = folder.canonicalize().map_err(|_| BackupError::Away(folder.to_path_buf()))?;
        if !folder.is_dir() {
            return Err(BackupError::Away(folder));
        }
        if folder.starts_with(data) {
            return Err(BackupError::Inside(folder));
        }
        let root = if folder.join(MARK).is_file() { folder } else { folder.join(FOLDER) };
        let mark = format!("{MARK_HEAD}{}\n", data_encoding::HEXLOWER.encode(&Keys::vault_id(vault.dir())?));
        match read_mark(&root)? {
            Some(there) if there == mark => {}
            Some(_) => return Err(BackupError::OtherVault(root)),
            None => {
                make_folder(&root)?;
                let path = root.join(MARK);
                durable::replace(&path, mark.as_bytes()).map_err(BackupError::io("write", &path))?;
            }
        }
        for folder in [BLOBS, VERSIONS] {
            make_folder(&root.join(folder))?;
        }
        // A power cut must not take the folder itself from under the versions that are in it.
        sync(durable::folder_of(&root))?;
        Ok(Self { root, vault: vault.clone(), keys: WrappingKeys::new(vault.keys()) })
    }

    /// Whether it lies on the disk of the vault itself, and would be lost with it.
    #[must_use]
    pub fn on_the_same_disk(&self) -> bool {
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
        match (device(&self.root), device(&self.vault.dir().root)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
    }

    /// Versions that are complete, Unix milliseconds, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn versions(&self) -> Result<Vec<u64>, BackupError> {
        versions(&self.root)
    }

    /// Copies what is new, and thins out old versions; blocking. `now` is Unix milliseconds. `tell` is told how far it is and says whether to go on.
    ///
    /// # Errors
    /// A [`BackupError`]; the versions before are whole then.
    pub fn make(&self, now: u64, mut tell: impl FnMut(Progress) -> bool) -> Result<Made, BackupError> {
        let slots = self.root.join(SLOTS);
        let bytes = Keys::slots_bytes(self.vault.dir())?;
        durable::replace(&slots, &bytes).map_err(BackupError::io("write", &slots))?;
        let mut made = Made { version: self.free_version(now)?, ..Made::default() };
        let partial = self.root.join(VERSIONS).join(format!("{:013}.partial", made.version));
        self.sweep_partial()?;
        make_folder(&partial)?;
        let known = self.known()?;
        let mut rows = HashMap::new();
        for round in 1.. {
            // The snapshot first: whatever it names is in the vault then, and is copied below.
            self.vault.settle()?;
            let snapshot = partial.join(SNAPSHOT);
            copy_file(&self.vault.dir().catalog_snapshot, &snapshot, |_| true)?;
            let ids = self.vault.blobs().list()?;
            self.copy_blobs(&ids, &known, &mut rows, &mut made, &mut tell)?;
            // What was deleted meanwhile must not come back with a restored catalog: then once more, which is quick.
            let there = self.vault.blobs().list()?;
            let gone = ids.iter().any(|id| there.binary_search(id).is_err());
            if !gone || round >= BACKUP_ROUNDS {
                rows.retain(|id, _| there.binary_search(id).is_ok());
                break;
            }
        }
        made.files = rows.len() as u64;
        made.bytes = rows.values().map(|row: &Row| row.size).sum();
        Manifest::write(&self.keys, &partial.join(LIST), &rows)?;
        self.sync_names(&partial)?;
        let complete = self.root.join(VERSIONS).join(format!("{:013}", made.version));
        fs::rename(&partial, &complete).map_err(BackupError::io("name", &complete))?;
        sync(&self.root.join(VERSIONS))?;
        made.removed = self.thin_out(now)?;
        Ok(made)
    }

    /// Reads every file of the newest version through, and copies what is damaged anew from the vault; blocking.
    ///
    /// # Errors
    /// When there is no version, or the disk fails.
    pub fn check(&self, mut tell: impl FnMut(Progress) -> bool) -> Result<Checked, BackupError> {
        let rows = newest(&self.root, &self.keys)?.1;
        let mut progress = Progress { of: rows.len() as u64, ..Progress::default() };
        let mut checked = Checked::default();
        for (id, row) in &rows {
            let mut going = |bytes| tell(Progress { bytes: progress.bytes + bytes, ..progress });
            let is_it = |found: Result<Digest, BackupError>| match found {
                Err(BackupError::Stopped) => Err(BackupError::Stopped),
                found => Ok(found.is_ok_and(|found| found == row.digest())),
            };
            if is_it(hash_file(&blob_path(&self.root, *id), &mut going))? {
                checked.sound += 1;
            } else if is_it(self.copy_blob(*id, &mut going))? {
                checked.mended += 1;
            } else {
                checked.lost.push(*id);
            }
            progress.files += 1;
            progress.bytes += row.size;
            if !tell(progress) {
                return Err(BackupError::Stopped);
            }
        }
        Ok(checked)
    }

    fn copy_blobs(
        &self,
        ids: &[BlobId],
        known: &HashMap<BlobId, Row>,
        rows: &mut HashMap<BlobId, Row>,
        made: &mut Made,
        tell: &mut impl FnMut(Progress) -> bool,
    ) -> Result<(), BackupError> {
        let mut progress = Progress { files: 0, of: ids.len() as u64, bytes: made.copied_bytes };
        for id in ids {
            progress.files += 1;
            if rows.contains_key(id) {
                continue;
            }
            let going = |bytes| tell(Progress { bytes: progress.bytes + bytes, ..progress });
            match self.row(*id, known.get(id), going) {
                Ok((row, copied)) => {
                    if copied {
                        made.copied += 1;
                        made.copied_bytes += row.size;
                        progress.bytes += row.size;
                    }
                    rows.insert(*id, row);
                }
                // Deleted meanwhile.
                Err(BackupError::Io { action: "open", source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(BackupError::Io { action: "read", .. }) => made.unreadable.push(*id),
                Err(error) => return Err(error),
            }
            if !tell(progress) {
                return Err(BackupError::Stopped);
            }
        }
        Ok(())
    }

    /// What the list says of a blob, which is copied if it is not here yet; and whether it was.
    fn row(&self, id: BlobId, known: Option<&Row>, going: impl FnMut(u64) -> bool) -> Result<(Row, bool), BackupError> {
        let path = blob_path(&self.root, id);
        let size = fs::metadata(&path).map(|file| file.len()).ok();
        if let Some(row) = known.filter(|row| size == Some(row.size)) {
            return Ok((*row, false));
        }
        // A backup that was cut short has left it, and no list names it yet.
        if known.is_none() && size.is_some() && self.vault.blobs().is_sound(&path, id) {
            return Ok((Row::of(hash_file(&path, going)?), false));
        }
        Ok((Row::of(self.copy_blob(id, going)?), true))
    }

    fn copy_blob(&self, id: BlobId, going: impl FnMut(u64) -> bool) -> Result<Digest, BackupError> {
        let target = blob_path(&self.root, id);
        make_folder(durable::folder_of(&target))?;
        copy_file(&self.vault.blobs().path_of(id), &target, going)
    }

    /// What the versions before say about blobs that are here.
    fn known(&self) -> Result<HashMap<BlobId, Row>, BackupError> {
        match newest(&self.root, &self.keys) {
            Ok((_, rows)) => Ok(rows),
            Err(BackupError::NoVersion(_)) => Ok(HashMap::new()),
            Err(error) => Err(error),
        }
    }

    /// A version that is not taken: clocks go backwards.
    fn free_version(&self, now: u64) -> Result<u64, BackupError> {
        Ok(self.versions()?.last().map_or(now, |last| now.max(last + 1)))
    }

    /// Removes what a backup that was cut short left; its blobs stay and are used.
    fn sweep_partial(&self) -> Result<(), BackupError> {
        let folder = self.root.join(VERSIONS);
        for entry in fs::read_dir(&folder).map_err(BackupError::io("list", &folder))? {
            let path = entry.map_err(BackupError::io("list", &folder))?.path();
            if path.extension().is_some_and(|extension| extension == "partial") {
                fs::remove_dir_all(&path).map_err(BackupError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn sync_names(&self, partial: &Path) -> Result<(), BackupError> {
        let blobs = self.root.join(BLOBS);
        for entry in fs::read_dir(&blobs).map_err(BackupError::io("list", &blobs))? {
            sync(&entry.map_err(BackupError::io("list", &blobs))?.path())?;
        }
        for folder in [&blobs, partial, &self.root] {
            sync(folder)?;
        }
        Ok(())
    }

    /// Removes versions that need not be kept any more, and the blobs that no version names; how many versions.
    fn thin_out(&self, now: u64) -> Result<u64, BackupError> {
        let all = self.versions()?;
        let kept = retention::kept(&all, now);
        if kept.len() == all.len() {
            return Ok(0);
        }
        let mut named = HashSet::new();
        for version in &kept {
            match Manifest::read(&self.keys, &version_path(&self.root, *version).join(LIST)) {
                Ok(rows) => named.extend(rows.into_keys()),
                // Nothing goes while it is not known what is needed.
                Err(error) => {
                    tracing::warn!(
                        "the list of the backup's version {version} cannot be read, nothing is thinned out: {error}"
                    );
                    return Ok(0);
                }
            }
        }
        let mut removed = 0;
        for version in all.iter().filter(|version| !kept.contains(version)) {
            let path = version_path(&self.root, *version);
            fs::remove_dir_all(&path).map_err(BackupError::io("remove", &path))?;
            removed += 1;
        }
        let blobs = self.root.join(BLOBS);
        for folder in fs::read_dir(&blobs).map_err(BackupError::io("list", &blobs))? {
            let folder = folder.map_err(BackupError::io("list", &blobs))?.path();
            for entry in fs::read_dir(&folder).map_err(BackupError::io("list", &folder))? {
                let path = entry.map_err(BackupError::io("list", &folder))?.path();
                let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<BlobId>().ok());
                if id.is_none_or(|id| !named.contains(&id)) {
                    durable::remove_if_there(&path).map_err(BackupError::io("remove", &path))?;
                }
            }
        }
        Ok(removed)
    }
}

/// The root of the backup in `folder`, which is the one that was named when it was made, or the one that was made in it.
fn find(folder: &Path) -> Result<PathBuf, BackupError> {
    let folder = folder.canonicalize().map_err(|_| BackupError::Away(folder.to_path_buf()))?;
    for root in [folder.clone(), folder.join(FOLDER)] {
        if read_mark(&root)?.is_some() {
            return Ok(root);
        }
    }
    Err(BackupError::NoBackup(folder))
}

fn read_mark(root: &Path) -> Result<Option<String>, BackupError> {
    let path = root.join(MARK);
    let bytes = match durable::read_at_most(&path, 4096) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        // A folder of that name is no mark.
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(None),
        Err(error) => return Err(BackupError::io("read", &path)(error)),
    };
    let text = String::from_utf8(bytes).unwrap_or_default();
    if text.starts_with(MARK_HEAD) {
        Ok(Some(text))
    } else if text.starts_with("inframe backup ") {
        Err(BackupError::Newer(root.to_path_buf()))
    } else {
        Ok(None)
    }
}

fn versions(root: &Path) -> Result<Vec<u64>, BackupError> {
    let folder = root.join(VERSIONS);
    let mut versions = Vec::new();
    for entry in fs::read_dir(&folder).map_err(BackupError::io("list", &folder))? {
        let name = entry.map_err(BackupError::io("list", &folder))?.file_name();
        versions.extend(name.to_str().filter(|name| name.len() == 13).and_then(|name| name.parse::<u64>().ok()));
    }
    versions.sort_unstable();
    Ok(versions)
}

/// The newest version that can be read, and its blobs.
fn newest(root: &Path, keys: &WrappingKeys) -> Result<(u64, HashMap<BlobId, Row>), BackupError> {
    for version in versions(root)?.into_iter().rev() {
        match Manifest::read(keys, &version_path(root, version).join(LIST)) {
            Ok(rows) => return Ok((version, rows)),
            Err(error) => tracing::warn!("the backup's version {version} cannot be read: {error}"),
        }
    }
    Err(BackupError::NoVersion(root.to_path_buf()))
}

fn version_path(root: &Path, version: u64) -> PathBuf {
    root.join(VERSIONS).join(format!("{version:013}"))
}

fn blob_path(root: &Path, id: BlobId) -> PathBuf {
    let BlobId([first_byte, ..]) = id;
    root.join(BLOBS).join(format!("{first_byte:02x}")).join(id.to_string())
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(BackupError::io("make", path))
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    durable::sync_folder(folder).map_err(BackupError::io("sync", folder))
}

#[cfg(test)]
mod tests;
