//! Every path of the data folder, its creation with private permissions, and the lock that keeps a second daemon out.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

/// Mode of every folder that the daemon makes: nobody but the owner.
const FOLDER_MODE: u32 = 0o700;

/// Why a data folder cannot be used.
#[derive(Debug, Error)]
pub enum DataDirError {
    /// Another process holds the lock.
    #[error("another inframe daemon uses {}: stop it, or start this one with another --data-dir", path.display())]
    InUse {
        /// The data folder.
        path: PathBuf,
    },
    /// The folder holds files that are not ours.
    #[error("{} is not empty and is not an inframe data folder: choose an empty folder with --data-dir", path.display())]
    Foreign {
        /// The data folder.
        path: PathBuf,
    },
    /// A file system error.
    #[error("cannot {action} {}: check that the folder exists and that you may write there", path.display())]
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

/// The data folder of one node: every path in it, and the lock on it for as long as one clone lives.
///
/// The key file is not among them on purpose: it lies outside, so that a copy of this folder alone opens nothing.
#[derive(Clone, Debug)]
pub struct DataDir {
    /// The folder itself.
    pub root: PathBuf,
    /// The locked file; also the mark of an inframe data folder.
    pub lock: PathBuf,
    /// Key slots: the master key, wrapped.
    pub key_slots: PathBuf,
    /// Second copy of the key slots, used when the first is damaged.
    pub key_slots_copy: PathBuf,
    /// Finished blobs, in folders named by the first byte of their id.
    pub blobs: PathBuf,
    /// Blobs being written; emptied at start.
    pub blobs_temporary: PathBuf,
    /// Blobs being received; kept over restarts.
    pub incoming: PathBuf,
    /// The database of the catalog.
    pub catalog: PathBuf,
    /// Where a damaged database is moved, one at most.
    pub catalog_set_aside: PathBuf,
    /// Mark that the database was found damaged while running, so that the next start rebuilds it.
    pub catalog_damaged: PathBuf,
    /// Mark that the catalog may lack records of blobs that are here.
    pub catalog_incomplete: PathBuf,
    /// Sealed snapshot of the catalog.
    pub catalog_snapshot: PathBuf,
    /// Sealed journal of the commits since the snapshot.
    pub catalog_journal: PathBuf,
    /// Mark that a backup is being brought back into the folder.
    pub restoring: PathBuf,
    /// Model packs that the owner added, each in a folder named by its id.
    pub models: PathBuf,
    /// Unix socket of the CLI.
    pub socket: PathBuf,
    /// Open for as long as any clone lives, and with it the lock.
    _held: Arc<File>,
}

impl DataDir {
    /// Opens or makes the data folder at `root` and takes its lock.
    ///
    /// # Errors
    /// [`DataDirError::InUse`] if another daemon holds it, [`DataDirError::Foreign`] if it holds other people's files.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, DataDirError> {
        let root = root.as_ref();
        let failed = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| DataDirError::Io { action, path, source }
        };
        make_folder(root).map_err(failed("make", root))?;
        let root = root.canonicalize().map_err(failed("resolve", root))?;
        let lock = root.join("lock");
        // Key slots are ours too: somebody who removed only the lock file must not be told that the folder is foreign.
        if !lock.exists() && !root.join("key-slots").exists() {
            let mut entries = fs::read_dir(&root).map_err(failed("list", &root))?;
            if entries.next().is_some() {
                return Err(DataDirError::Foreign { path: root });
            }
        }
        let held = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(failed("open", &lock))?;
        match held.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse { path: root }),
            Err(TryLockError::Error(source)) => return Err(failed("lock", &lock)(source)),
        }
        fs::set_permissions(&root, fs::Permissions::from_mode(FOLDER_MODE)).map_err(failed("make private", &root))?;
        // The mark of our folder is durable before anything else in there, so that no power cut makes the folder look like somebody else's.
        File::open(&root).and_then(|root| root.sync_all()).map_err(failed("sync", &root))?;
        let blobs = root.join("blobs");
        let dir = Self {
            lock,
            key_slots: root.join("key-slots"),
            key_slots_copy: root.join("key-slots.copy"),
            blobs_temporary: blobs.join("temporary"),
            blobs,
            incoming: root.join("incoming"),
            catalog: root.join("catalog"),
            catalog_set_aside: root.join("catalog.set-aside"),
            catalog_damaged: root.join("catalog.damaged"),
            catalog_incomplete: root.join("catalog.incomplete"),
            catalog_snapshot: root.join("catalog.snapshot"),
            catalog_journal: root.join("journal"),
            restoring: root.join("restoring"),
            models: root.join("models"),
            socket: root.join("inframe.sock"),
            _held: Arc::new(held),
            root,
        };
        for folder in [&dir.blobs, &dir.blobs_temporary, &dir.incoming, &dir.catalog_journal, &dir.models] {
            make_folder(folder).map_err(failed("make", folder))?;
        }
        // What is acknowledged later would be lost with a folder whose name a power cut took (D1).
        File::open(&dir.root).and_then(|root| root.sync_all()).map_err(failed("sync", &dir.root))?;
        sync_names_above(&dir.root).map_err(failed("sync the folders above", &dir.root))?;
        Ok(dir)
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Makes the name of `folder` and of the folders above it durable, as far as this user may open them: what cannot be opened was not made here.
pub(crate) fn sync_names_above(folder: &Path) -> io::Result<()> {
    for parent in std::path::absolute(folder)?.ancestors().skip(1) {
        match File::open(parent).and_then(|parent| parent.sync_all()) {
            // Read-only and special file systems above refuse fsync with EINVAL or EROFS.
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::ReadOnlyFilesystem
                ) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_is_kept_out_and_let_in_after_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path().join("data")).unwrap();
        let second = DataDir::open(folder.path().join("data"));
        assert!(matches!(second, Err(DataDirError::InUse { .. })), "{second:?}");
        assert!(second.unwrap_err().to_string().contains("--data-dir"));
        let clone = first.clone();
        drop(first);
        assert!(matches!(DataDir::open(folder.path().join("data")), Err(DataDirError::InUse { .. })));
        drop(clone);
        assert!(DataDir::open(folder.path().join("data")).is_ok());
    }

    #[test]
    fn folders_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path().join("deep/data")).unwrap();
        for path in [&dir.root, &dir.blobs, &dir.incoming, &dir.blobs_temporary] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
        }
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), b"mine").unwrap();
        let before = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert!(matches!(DataDir::open(folder.path()), Err(DataDirError::Foreign { .. })));
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode(), before);
    }
}
