//! What can be wrong with a blob; each error names the blob.

use std::io;

use super::{BlobId, BlobKind};
use crate::{limits, vault::seal::SealError};

/// Why a blob cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such blob.
    #[error("blob {id} is not in the vault")]
    NotFound {
        /// Which blob.
        id: BlobId,
    },
    /// The file does not begin like a blob.
    #[error("the file of blob {id} is not a blob: restore it from a backup")]
    NotABlob {
        /// Which blob.
        id: BlobId,
    },
    /// A later version wrote it.
    #[error(
        "blob {id} was written by a newer version of inframe (format {version}): install that version or a later one"
    )]
    NewerVersion {
        /// Which blob.
        id: BlobId,
        /// Its format.
        version: u16,
    },
    /// The header, or the file is that of another blob or of another vault.
    #[error("the header of blob {id} is damaged or not of this vault: restore the file from a backup")]
    HeaderDamaged {
        /// Which blob.
        id: BlobId,
    },
    /// A chunk was changed, moved, or taken from elsewhere.
    #[error("blob {id} is damaged in chunk {chunk}: restore it from a backup")]
    ChunkDamaged {
        /// Which blob.
        id: BlobId,
        /// Chunk number, from 0.
        chunk: u64,
    },
    /// Shorter or longer than it was written.
    #[error(
        "blob {id} has {found} bytes in its file instead of {expected}: it was cut or extended; restore it from a backup"
    )]
    WrongLength {
        /// Which blob.
        id: BlobId,
        /// Bytes that the file should have.
        expected: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// Its key was destroyed by a removal that a crash cut short.
    #[error("blob {id} was removed")]
    Removed {
        /// Which blob.
        id: BlobId,
    },
    /// More metadata than a header may hold.
    #[error("{given} bytes of metadata are more than the {limit} that fit")]
    MetaTooLarge {
        /// Bytes given.
        given: usize,
        /// Bytes that fit.
        limit: usize,
    },
    /// Larger than a blob may be, or than may be read in one piece.
    #[error("{size} bytes are more than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes asked for.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// More blobs than one batch takes.
    #[error("a batch takes {} blobs at most: commit it and begin another", limits::MAX_BLOBS_PER_BATCH)]
    BatchFull,
    /// An incoming blob under this id has another size or kind.
    #[error("blob {id} is being received with another size or kind: discard it first")]
    IncomingDiffers {
        /// Which blob.
        id: BlobId,
    },
    /// Somebody else in this process is receiving it.
    #[error("blob {id} is being received already")]
    IncomingInUse {
        /// Which blob.
        id: BlobId,
    },
    /// It was received in full before.
    #[error("blob {id} is in the vault already")]
    Finished {
        /// Which blob.
        id: BlobId,
    },
    /// A group of the wrong length, or one too many.
    #[error("group {group} of blob {id} must have {expected} bytes, not {found}")]
    WrongGroup {
        /// Which blob.
        id: BlobId,
        /// Group number, from 0.
        group: u64,
        /// Bytes that it must have; 0 when the blob is complete.
        expected: u64,
        /// Bytes given.
        found: u64,
    },
    /// Finished before everything was there.
    #[error("blob {id} has {present} of {expected} groups: receive the rest first")]
    Incomplete {
        /// Which blob.
        id: BlobId,
        /// Groups that are there.
        present: u64,
        /// Groups that there must be.
        expected: u64,
    },
    /// No room left.
    #[error("the disk is full: free some space, then try blob {id} again")]
    DiskFull {
        /// Which blob.
        id: BlobId,
    },
    /// No randomness.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The folder itself.
    #[error("cannot {action} the folder of blobs: check the disk and your permissions")]
    Folder {
        /// What was tried, as a verb.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file system error.
    #[error("cannot {action} blob {id}: check the disk and your permissions")]
    Io {
        /// Which blob.
        id: BlobId,
        /// What was tried, as a verb.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl BlobError {
    /// Sorts out the causes that a caller treats apart.
    pub(in crate::vault) fn io(id: BlobId, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { id },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { id },
            _ => Self::Io { id, action, source },
        }
    }

    /// The error inside an [`io::Error`] that a reader or a writer of blobs returned.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// Whether the stored bytes are at fault, so that a copy from elsewhere would help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::NotABlob { .. } | Self::HeaderDamaged { .. } | Self::ChunkDamaged { .. } | Self::WrongLength { .. }
        )
    }
}

impl From<BlobError> for io::Error {
    fn from(error: BlobError) -> Self {
        let kind = match error {
            BlobError::NotFound { .. } | BlobError::Removed { .. } => io::ErrorKind::NotFound,
            BlobError::DiskFull { .. } => io::ErrorKind::StorageFull,
            BlobError::Io { ref source, .. } => source.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

/// A blob as its header describes it: enough to build a catalog entry again.
#[derive(Clone, PartialEq, Eq)]
pub struct BlobEntry {
    /// Its name.
    pub id: BlobId,
    /// What it holds.
    pub kind: BlobKind,
    /// Plain bytes.
    pub size_bytes: u64,
    /// Metadata that its writer gave.
    pub meta: Vec<u8>,
}

impl std::fmt::Debug for BlobEntry {
    /// Leaves the metadata out: it may hold names and places, which no log may show.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, kind, size_bytes, meta: _ } = self;
        f.debug_struct("BlobEntry")
            .field("id", id)
            .field("kind", kind)
            .field("size_bytes", size_bytes)
            .finish_non_exhaustive()
    }
}
