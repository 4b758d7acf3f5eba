//! Where a vault under test lies: the data folder and, beside it, the key file, as a daemon of the end-to-end tests has them.

use std::path::{Path, PathBuf};

use inframe::vault::KeyFile;

/// A folder with the data folder and the key file of one vault.
#[derive(Clone, Debug)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// The place in `folder`, which holds nothing else.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Everything that is the vault's.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The folder that is backed up to.
    #[must_use]
    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    /// The key file.
    #[must_use]
    pub fn key_file(&self) -> KeyFile {
        KeyFile::at(self.folder.join("master.key"))
    }
}

/// What a file of a vault is, by its path below the folder of the place: the words in which faults are counted.
#[must_use]
pub fn kind_of(path: &Path) -> &'static str {
    let mut parts = path.components().filter_map(|part| part.as_os_str().to_str());
    let (first, second, third) = (parts.next(), parts.next(), parts.next());
    match (first, second, third) {
        (Some("disk"), ..) => "backup",
        (Some("master.key" | "master.key.new"), ..) => "key file",
        (Some("data"), Some("key-slots" | "key-slots.copy" | "key-slots.new" | "key-slots.copy.new"), _) => "key slots",
        (Some("data"), Some("lock"), _) => "lock",
        (Some("data"), Some("format" | "format.new"), _) => "format",
        (Some("data"), Some("ballast"), _) => "ballast",
        (Some("data"), Some("purging"), _) => "note of a purge",
        (Some("data"), Some("journal"), Some(_)) => "journal",
        (Some("data"), Some("catalog.snapshot" | "catalog.snapshot.new"), _) => "snapshot",
        (
            Some("data"),
            Some("catalog" | "catalog.set-aside" | "catalog.damaged" | "catalog.incomplete" | "catalog.incomplete.new"),
            _,
        ) => "database",
        (Some("data"), Some("incoming"), Some(_)) => "received blob",
        (Some("data"), Some("blobs"), Some("temporary")) => "blob being written",
        (Some("data"), Some("blobs"), Some(_)) => "blob",
        _ => "folder",
    }
}
