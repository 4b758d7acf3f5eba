//! A data folder and a key file in a temporary folder, for the tests of the vault: opened, closed and opened again.

use std::path::{Path, PathBuf};

use super::{Blobs, Catalog, CatalogError, KeyFile, Keys, Vault};
use crate::data_dir::DataDir;

/// Where the vault of a test lies. What it opens holds the lock of the folder: drop it before the next.
pub(super) struct Place {
    folder: PathBuf,
    /// Removes the folder in the end, unless it is somebody else's.
    _owned: Option<tempfile::TempDir>,
}

impl Place {
    pub(super) fn new() -> Self {
        let owned = tempfile::tempdir().unwrap();
        Self { folder: owned.path().to_path_buf(), _owned: Some(owned) }
    }

    /// The place of another process.
    pub(super) fn of_another(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), _owned: None }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn key_file(&self) -> KeyFile {
        KeyFile::at(self.folder.join("config/key"))
    }

    pub(super) fn outside(&self) -> &Path {
        &self.folder
    }

    pub(super) fn dir(&self) -> DataDir {
        DataDir::open(self.root()).unwrap()
    }

    pub(super) fn dir_and_keys(&self) -> (DataDir, Keys) {
        let dir = self.dir();
        let (keys, _) = Keys::open(&dir, &self.key_file()).unwrap();
        (dir, keys)
    }

    pub(super) fn blobs(&self) -> Blobs {
        let (dir, keys) = self.dir_and_keys();
        Blobs::at(&dir, &keys).unwrap()
    }

    pub(super) fn try_catalog(&self) -> Result<Catalog, CatalogError> {
        let (dir, keys) = self.dir_and_keys();
        Catalog::open(&dir, &keys)
    }

    pub(super) fn catalog(&self) -> Catalog {
        self.try_catalog().unwrap()
    }

    pub(super) fn vault(&self) -> Vault {
        Vault::open(&self.dir(), &self.key_file()).unwrap()
    }
}

/// All files below `folder`, in order.
pub(super) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// `count` bytes in which no two places look the same for long.
pub(super) fn pattern(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    blake3::Hasher::new().update(b"pattern").finalize_xof().fill(&mut bytes);
    bytes
}
