//! Why a pack cannot be added or used.

use std::io;
use std::path::{Path, PathBuf};

use inframe_models::PackError;

/// Why a pack cannot be added or used; the sentence is meant for the owner.
#[derive(Debug, thiserror::Error)]
pub enum PacksError {
    /// The pack itself is not in order.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A file is neither in the folder nor part of the program, and its address was not to be used.
    #[error("the file {file} is not in the folder; it can be downloaded from {address}, which --download allows")]
    NotDownloaded {
        /// File name.
        file: String,
        /// Where it could come from.
        address: String,
    },
    /// The path does not name a folder with a pack.
    #[error("{} is no folder with a model pack: it has no pack.toml", .0.display())]
    NoPack(PathBuf),
    /// Another kind of address than may be used.
    #[error(
        "the address {0} cannot be used: it must begin with https://, or with http:// and name this machine (--insecure allows others)"
    )]
    Address(String),
    /// What came has another hash.
    #[error(
        "what {address} gave has the BLAKE3 {found}, not {expected}: it was changed, or the hash is that of another file"
    )]
    OtherHash {
        /// The address.
        address: String,
        /// What was asked for.
        expected: String,
        /// What came.
        found: String,
    },
    /// A hash that is none.
    #[error("a BLAKE3 hash is 64 of 0-9 a-f; give the one of pack.toml")]
    NoHash,
    /// A download failed.
    #[error("nothing could be downloaded from {address}: {reason}")]
    Download {
        /// The address.
        address: String,
        /// Why, in words.
        reason: String,
    },
    /// What came is larger than a real file.
    #[error("what comes from {what} is larger than {limit} bytes, the most that such a file may have")]
    TooLarge {
        /// Path or address.
        what: String,
        /// The bound in bytes.
        limit: u64,
    },
    /// Another pack has the same id.
    #[error("another pack with the id {0} was added before; give this one another version in pack.toml")]
    Known(String),
    /// The built-in pack needs no adding.
    #[error("the pack {0} is part of Inframe; there is nothing to add")]
    BuiltIn(String),
    /// Too many packs.
    #[error(
        "there are {0} model packs already; remove the folder of one that is not in use from `models` in the data folder"
    )]
    TooMany(usize),
    /// No such pack.
    #[error("there is no model pack {0}; `inframe models list` shows those that are there")]
    NotFound(String),
    /// The folder of a pack holds another one.
    #[error("the folder of the model pack {id} now holds {holds}; add the pack again")]
    Renamed {
        /// Name of the folder.
        id: String,
        /// What is in it.
        holds: String,
    },
    /// A file system error.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers; restart the daemon")]
    Random,
    /// The daemon is ending.
    #[error("the daemon is ending; add the pack again when it runs")]
    Ending,
}

impl PacksError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
