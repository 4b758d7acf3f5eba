//! The facade of a running node: every wish that the dashboard or the CLI can have, as one typed method.
//!
//! | file | wishes |
//! |---|---|
//! | `start` | bringing up and down every part in order |
//! | `library` | status, settings, imports, timeline, photos |
//! | `backup` | the copy of the vault elsewhere |
//! | `export` | plain originals written elsewhere |
//! | `models` | model packs |
//! | `profile` | consent, selfies, erasure |
//! | `protecting` | what is asked of photos that show a profile |
//! | `people` | who is in which photo, names, corrections |
//! | `events` | events, invites, members, find-mes |
//! | `guests` | the guest page of an event, for its host |
//! | `visits` | the guest page, for a guest |
//! | `first_run` | the first steps, and whether there is anything to lose |
//! | `erasure` | what erasing would destroy, and the farewell before it |
//! | `quarantine` | files over which decoders stopped, and another try |
//! | `verify` | reading every file, and mending what is damaged |
//! | `trash` | moving into the trash, restoring, deleting for good |
//! | `privacy` | who can see what, everything about the owner |
//! | `recalls` | photos that were sent and are asked back |
//! | `peers` | other nodes and their addresses |
//! | `doctor` | how everything is on which the node depends |
//! | `notices` | what the owner is told of, and how |
//! | `relay` | the relay through which others may reach this node |
//! | `sharing` | approvals, transfers, activity |

mod backup;
mod challenge;
mod doctor;
mod erasure;
mod events;
mod export;
mod first_run;
mod guests;
mod invites;
mod keeping;
mod library;
mod media;
mod membership;
mod models;
mod notices;
mod peers;
mod people;
mod privacy;
mod profile;
mod protecting;
mod protection;
mod quarantine;
mod recalls;
mod relay;
mod sharing;
mod start;
mod traffic;
mod transfers;
mod trash;
mod verify;
mod visits;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use libp2p::Multiaddr;
use tokio::sync::broadcast;

pub use start::{NodeConfig, Remains, StartError};
pub use visits::{Shape, Visitor};

use crate::activity::Activity;
use crate::data_dir::DataDir;
use crate::disk::NoRoom;
use crate::events::EventsError;
use crate::faces::ProfileError;
use crate::faces::challenge::ChallengeError;
use crate::guest::{ComingError, GuestsError};
use crate::library::LibraryError;
use crate::sandbox::SandboxError;
use crate::tls::Tls;
use crate::vault::{BlobError, CatalogError, KeyFile, SlotKind, Vault, VaultError};
use crate::views::LiveView;
use crate::workers::Core;

/// A running node; cheap to clone.
#[derive(Clone)]
pub struct Node {
    core: Arc<Core>,
    place: Arc<Place>,
}

/// Where the node lives.
struct Place {
    dir: DataDir,
    key_file: KeyFile,
    unlocked_by: SlotKind,
    /// Where it was told to listen for other nodes.
    listen: Vec<Multiaddr>,
    /// Whether it looks for others on the local network.
    mdns: bool,
    dashboard: SocketAddr,
    /// The certificate for the network, if there is one.
    certificate: Option<Tls>,
    /// Bytes to keep free on the disk, if the owner said so.
    keep_free: Option<u64>,
}

/// Why a wish was refused; the sentence is meant for the owner.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Nothing with that id.
    #[error("there is no such {0}; it may have been deleted meanwhile")]
    NotFound(&'static str),
    /// The wish is not valid; says what to change. The first field is a stable kind such as `invite-expired`.
    #[error("{1}")]
    Invalid(&'static str, String),
    /// The wish conflicts with the present state.
    #[error("{1}")]
    Conflict(&'static str, String),
    /// Only the host may do that.
    #[error("only the host of the event can do that")]
    NotHost,
    /// Too large, with the bound in words.
    #[error("{0}")]
    TooLarge(String),
    /// Too often or too fast, with what to do in words.
    #[error("{0}")]
    TooOften(String),
    /// The disk is almost full, with what is free and what is needed in words.
    #[error("{0}")]
    NoRoom(String),
    /// Something failed inside; the text says what to do.
    #[error("{0}")]
    Internal(String),
}

impl From<anyhow::Error> for NodeError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(format!("{error:#}"))
    }
}

impl From<VaultError> for NodeError {
    fn from(error: VaultError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<CatalogError> for NodeError {
    fn from(error: CatalogError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<BlobError> for NodeError {
    fn from(error: BlobError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<getrandom::Error> for NodeError {
    fn from(_: getrandom::Error) -> Self {
        Self::Internal("the system gives no random numbers; restart the daemon".into())
    }
}

impl From<LibraryError> for NodeError {
    fn from(error: LibraryError) -> Self {
        match error {
            full if full.is_full() => Self::NoRoom(full.to_string()),
            LibraryError::NotFound => Self::NotFound("photo"),
            LibraryError::Unanswered => Self::Conflict("waits-for-answer", error.to_string()),
            LibraryError::NoPicture => Self::NotFound("picture of this file"),
            LibraryError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            LibraryError::Cut(_) => Self::Invalid("cut-short", error.to_string()),
            LibraryError::Unreadable(reason) => Self::Invalid("unreadable-photo", reason),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<NoRoom> for NodeError {
    fn from(error: NoRoom) -> Self {
        Self::NoRoom(error.to_string())
    }
}

impl From<SandboxError> for NodeError {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::TooLarge => Self::TooLarge(error.to_string()),
            SandboxError::Unavailable(_) | SandboxError::Model(_) => Self::Internal(error.to_string()),
            other => Self::Invalid("unusable-picture", other.to_string()),
        }
    }
}

impl From<ProfileError> for NodeError {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::OtherText => Self::Conflict("consent-text-changed", error.to_string()),
            ProfileError::NoConsent => Self::Conflict("no-consent", error.to_string()),
            ProfileError::Full | ProfileError::OtherPerson => Self::Invalid("selfie-refused", error.to_string()),
            ProfileError::TooMany | ProfileError::NoName | ProfileError::NameTaken => {
                Self::Invalid("profile-refused", error.to_string())
            }
            ProfileError::NoProfile => Self::NotFound("profile"),
            ProfileError::NotFound => Self::NotFound("selfie"),
            ProfileError::Vault(_) | ProfileError::Catalog(_) | ProfileError::Random => {
                Self::Internal(error.to_string())
            }
        }
    }
}

impl From<ChallengeError> for NodeError {
    fn from(error: ChallengeError) -> Self {
        match error {
            ChallengeError::TooMany | ChallengeError::Busy => Self::TooOften(error.to_string()),
            ChallengeError::Over => Self::Conflict("challenge-over", error.to_string()),
            ChallengeError::Random => Self::Internal(error.to_string()),
        }
    }
}

impl From<GuestsError> for NodeError {
    fn from(error: GuestsError) -> Self {
        match error {
            GuestsError::Full(_) => Self::Invalid("full", error.to_string()),
            GuestsError::Random | GuestsError::Vault(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<ComingError> for NodeError {
    fn from(error: ComingError) -> Self {
        match error {
            ComingError::NotFound => Self::NotFound("upload"),
            ComingError::Length { .. } => Self::Invalid("bad-piece", error.to_string()),
            ComingError::Missing(_) => Self::Conflict("pieces-missing", error.to_string()),
            ComingError::Vault(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<EventsError> for NodeError {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::NotFound => Self::NotFound("event, invite or member"),
            EventsError::NotHost => Self::NotHost,
            EventsError::NotAdmitted => Self::Conflict("not-admitted", error.to_string()),
            EventsError::Invite(_) => Self::Invalid("bad-invite", error.to_string()),
            EventsError::Invalid(_) | EventsError::Roster(_) | EventsError::Record(_) => {
                Self::Invalid("not-possible", error.to_string())
            }
            other => Self::Internal(other.to_string()),
        }
    }
}

/// Which picture of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThumbSize {
    /// For the grid.
    Grid,
    /// For the photo view.
    Preview,
}

/// Decrypted bytes with their media type.
pub struct Picture {
    /// Such as `image/jpeg`.
    pub media_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl Picture {
    fn jpeg(bytes: impl Into<Bytes>) -> Self {
        Self { media_type: "image/jpeg".into(), bytes: bytes.into() }
    }
}

/// A stored original, read piece by piece.
pub struct Original {
    /// Media type.
    pub media_type: String,
    /// File name to save it under.
    pub file_name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Stands for these bytes; letters and digits.
    pub tag: String,
    /// Whether it is to be shown in a page rather than saved.
    pub is_shown: bool,
    /// Where it begins in what `read_at` reads.
    pub start: u64,
    /// Reads up to `len` bytes at `offset`, best at multiples of a chunk of a blob; blocking, call it on a blocking thread.
    pub read_at: ReadAt,
}

/// Reads a number of bytes at an offset of a stored file.
pub type ReadAt = Arc<dyn Fn(u64, usize) -> Result<Bytes, NodeError> + Send + Sync>;

type Answer<T> = Result<T, NodeError>;

impl Node {
    /// Runs blocking work over the parts.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Core>) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let core = self.core.clone();
        crate::workers::blocking(move || work(&core)).await?
    }

    /// The vault, for what the web edge keeps over restarts.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.core.vault
    }

    /// The activity log.
    #[must_use]
    pub fn activity_log(&self) -> &Activity {
        &self.core.activity
    }

    /// Live messages after `since`, then a receiver of what follows; a `resync` message stands first when some were missed.
    #[must_use]
    pub fn live(&self, since: Option<u64>) -> (Vec<LiveView>, broadcast::Receiver<LiveView>) {
        self.core.live.follow(since)
    }
}
