//! Why the library could not do something.

use std::io;

use crate::disk::NoRoom;
use crate::sandbox::SandboxError;
use crate::vault::{BlobError, CatalogError, VaultError};

/// Why the library could not do something.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// There is nothing to keep; the text says why and what to do.
    #[error("{0}")]
    Unreadable(String),
    /// Too large.
    #[error("the file has {size_bytes} bytes; files of this kind up to {limit_bytes} bytes can be imported")]
    TooLarge {
        /// Its size.
        size_bytes: u64,
        /// The bound.
        limit_bytes: u64,
    },
    /// No such asset.
    #[error("no such photo")]
    NotFound,
    /// A received photo that waits for the owner's word.
    #[error("this photo waits for your answer under Approvals: say there whether it shows you")]
    Unanswered,
    /// A file that cannot be shown.
    #[error("this file has no picture")]
    NoPicture,
    /// The sandbox could not do its work just now.
    #[error("the photo could not be examined: {0}")]
    Sandbox(SandboxError),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The bytes stop before their end, or cannot be read.
    #[error("the file could not be read to its end: {0}")]
    Cut(std::io::Error),
    /// The disk is almost full.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// The disk is full or fails.
    #[error("the file could not be stored: {0}")]
    Write(std::io::Error),
    /// No randomness.
    #[error("the system gives no random numbers")]
    Random,
    /// The daemon is ending.
    #[error("the daemon is ending")]
    Ending,
}

impl LibraryError {
    /// Whether there was no space on the disk, so that it goes on once there is.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::NoRoom(_)
            | Self::Vault(VaultError::Blob(BlobError::DiskFull { .. }) | VaultError::Catalog(CatalogError::DiskFull)) => {
                true
            }
            Self::Write(error) => matches!(BlobError::of(error), Some(BlobError::DiskFull { .. })) || is_full(error),
            _ => false,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<BlobError> for LibraryError {
    fn from(error: BlobError) -> Self {
        Self::Vault(error.into())
    }
}

impl From<CatalogError> for LibraryError {
    fn from(error: CatalogError) -> Self {
        Self::Vault(error.into())
    }
}
