//! Every path of the data folder, its creation with private permissions, and the lock that keeps a second daemon out.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

/// Format of the data folder as a whole. Whoever writes anything in it that this version does not read raises it, so that an older version stops before
/// it touches a thing.
pub const FORMAT: u32 = 1;

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
    /// A later version wrote it.
    #[error("{} was written by a newer version of inframe (format {version}): install that version or a later one; nothing was changed", path.display())]
    Newer {
        /// The data folder.
        path: PathBuf,
        /// Its format.
        version: u32,
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
    /// Format of the whole, in the clear.
    pub format: PathBuf,
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
    /// Blobs that are being deleted for good, while they are.
    pub purging: PathBuf,
    /// Mark that a backup is being brought back into the folder.
    pub restoring: PathBuf,
    /// Mark that everything in the folder is being erased.
    pub erasing: PathBuf,
    /// Model packs that the owner added, each in a folder named by its id.
    pub models: PathBuf,
    /// Folder of what the dashboard needs to be reached over the network; not there before that.
    pub lan: PathBuf,
    /// Hash of the password that signs in over the network, while there is one.
    pub lan_password: PathBuf,
    /// The certificate that this node made for itself.
    pub lan_certificate: PathBuf,
    /// The key of that certificate. It opens nothing of the vault.
    pub lan_key: PathBuf,
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
        if let Some(version) = format_in(&root.join("format")).filter(|version| *version > FORMAT) {
            return Err(DataDirError::Newer { path: root, version });
        }
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
        let (blobs, lan) = (root.join("blobs"), root.join("lan"));
        let dir = Self {
            lock,
            format: root.join("format"),
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
            purging: root.join("purging"),
            restoring: root.join("restoring"),
            erasing: root.join("erasing"),
            models: root.join("models"),
            lan_password: lan.join("password"),
            lan_certificate: lan.join("certificate.pem"),
            lan_key: lan.join("key.pem"),
            lan,
            socket: root.join("inframe.sock"),
            _held: Arc::new(held),
            root,
        };
        dir.make_folders()?;
        // What is acknowledged later would be lost with a folder whose name a power cut took (D1).
        File::open(&dir.root).and_then(|root| root.sync_all()).map_err(failed("sync", &dir.root))?;
        sync_names_above(&dir.root).map_err(failed("sync the folders above", &dir.root))?;
        Ok(dir)
    }
}

impl DataDir {
    /// Makes the folders of the folder, where they are not there.
    ///
    /// # Errors
    /// What the file system says.
    pub fn make_folders(&self) -> Result<(), DataDirError> {
        for folder in [&self.blobs, &self.blobs_temporary, &self.incoming, &self.catalog_journal, &self.models] {
            let failed = |source| DataDirError::Io { action: "make", path: folder.clone(), source };
            make_folder(folder).map_err(failed)?;
        }
        Ok(())
    }
}

/// The line that states a format; with a checksum, so that a flipped bit is not taken for a newer version.
pub(crate) fn format_line(version: u32) -> String {
    let line = format!("inframe vault {version}");
    let sum: String = blake3::hash(line.as_bytes()).to_hex().chars().take(8).collect();
    format!("{line} {sum}\n")
}

/// The format that a file states; `None` where it is missing or damaged.
pub(crate) fn format_in(path: &Path) -> Option<u32> {
    let text = fs::read_to_string(path).ok()?;
    let version = text.strip_prefix("inframe vault ")?.split(' ').next()?.parse().ok()?;
    (text == format_line(version)).then_some(version)
}

/// Makes a folder that only its owner opens, and those above it; nothing happens where it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
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
    fn a_folder_of_a_newer_version_is_refused_and_not_a_byte_of_it_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let write = |text: &str| fs::write(folder.path().join("format"), text).unwrap();
        write(&format_line(FORMAT + 1));
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        let error = DataDir::open(folder.path()).unwrap_err();
        assert!(matches!(error, DataDirError::Newer { version: 2, .. }), "{error}");
        assert!(error.to_string().contains("install that version or a later one"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no lock, no folder");
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode(), mode);
        // Damage is not taken for a newer version: what is there decides.
        fs::write(folder.path().join("lock"), b"").unwrap();
        for text in ["", "inframe vault", "inframe vault 9 00000000\n", &format_line(1).replace('1', "3")] {
            write(text);
            assert!(DataDir::open(folder.path()).is_ok(), "{text:?}");
        }
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
