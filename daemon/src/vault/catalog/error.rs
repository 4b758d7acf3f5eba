//! What can go wrong with the catalog.

use std::io;

use super::Kind;
use crate::vault::{blob::BlobError, seal::SealError};

/// Why the catalog could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Beyond a limit.
    #[error("{given} {what} are more than the {limit} that the catalog takes")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many.
        given: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A record does not open with its key: it was changed, or moved from elsewhere.
    #[error("a record of kind {kind:?} is damaged: restart the daemon, which rebuilds the catalog")]
    ValueDamaged {
        /// Of which kind.
        kind: Kind,
    },
    /// The database itself is damaged.
    #[error("the catalog's database is damaged ({reason}): restart the daemon, which rebuilds it")]
    Damaged {
        /// What the database says.
        reason: String,
    },
    /// A write or sync failed before, so that nothing more may be promised.
    #[error("the catalog stopped after a failed write: check the disk, then restart the daemon")]
    Stopped,
    /// The disk is full; nothing was changed.
    #[error("the disk is full: free some space and try again")]
    DiskFull,
    /// A value without a postcard form.
    #[error("a record of kind {kind:?} cannot be encoded")]
    Encode {
        /// Of which kind.
        kind: Kind,
        /// The cause.
        #[source]
        source: postcard::Error,
    },
    /// A value of another type.
    #[error("a record of kind {kind:?} does not have the expected form")]
    Decode {
        /// Of which kind.
        kind: Kind,
        /// The cause.
        #[source]
        source: postcard::Error,
    },
    /// A value that a later version wrote.
    #[error(
        "a record of kind {kind:?} was written by a newer version of inframe (form {version}): install that version or a later one"
    )]
    NewerValue {
        /// Of which kind.
        kind: Kind,
        /// Its form.
        version: u8,
    },
    /// Files that a later version wrote.
    #[error(
        "the catalog was written by a newer version of inframe (format {version}): install that version or a later one"
    )]
    NewerFormat {
        /// Its format.
        version: u16,
    },
    /// What is there was sealed with the keys of another vault.
    #[error(
        "the catalog belongs to another vault than the key slots do: restore the key slots that belong to it from a backup; nothing was changed"
    )]
    WrongKey,
    /// The snapshot cannot be written or read.
    #[error("the snapshot of the catalog cannot be used")]
    Snapshot(#[source] BlobError),
    /// No randomness.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A file system error.
    #[error("cannot {action} the catalog: check the disk and your permissions")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl CatalogError {
    pub(super) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io { action, source },
        }
    }
}
