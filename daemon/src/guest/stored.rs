//! What the catalog keeps of guest pages. Every row stands behind the version byte of its kind.

use inframe_protocol::EventId;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::library::{AssetId, GuestId};
use crate::matching::Grade;

/// The guest page of an event, by the event's id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPage {
    /// Whether it can be reached.
    pub on: bool,
    /// Secret part of its address.
    pub token: [u8; 16],
    /// With which guests seal what they send; stands in the fragment of the link, which no browser sends.
    pub key: SealKey,
    /// Whether what guests add takes part only after the host's word.
    pub approve_first: bool,
    /// Whether guests may look for themselves with a selfie.
    pub selfies: bool,
    /// When guests may begin to add photos, Unix milliseconds; at once if not said.
    pub opens_at: Option<u64>,
    /// Until when; until everything is erased if not said.
    pub closes_at: Option<u64>,
    /// The end of the event for guests, Unix milliseconds.
    pub ends_at: u64,
    /// Days from then until guests' face data is erased.
    pub keep_days: u16,
    /// When it was made, Unix milliseconds.
    pub made_at: u64,
    /// When guests' data was erased, if it was.
    pub erased_at: Option<u64>,
    /// The Wi-Fi network that the poster names, if the host wanted it kept.
    pub wifi: Option<StoredWifi>,
}

/// A key that seals what guests send.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SealKey(pub [u8; 32]);

/// A Wi-Fi network as it is printed on a poster.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredWifi {
    /// Its name.
    pub name: String,
    /// Its password; empty for an open one.
    pub password: String,
}

impl std::fmt::Debug for StoredPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredPage {{ on: {}, ends_at: {}, link: hidden }}", self.on, self.ends_at)
    }
}

impl StoredPage {
    /// When guests' face data is erased, Unix milliseconds.
    #[must_use]
    pub fn erases_at(&self) -> u64 {
        self.ends_at.saturating_add(u64::from(self.keep_days).saturating_mul(DAY_MS))
    }

    /// Whether it is reached at this time.
    #[must_use]
    pub fn is_open(&self, now: u64) -> bool {
        self.on && now < self.erases_at()
    }

    /// Whether guests may add photos at this time.
    #[must_use]
    pub fn takes_uploads(&self, now: u64) -> bool {
        self.is_open(now)
            && self.opens_at.is_none_or(|opens| opens <= now)
            && self.closes_at.is_none_or(|closes| now < closes)
    }

    /// Whether the time has come to erase what guests left of themselves.
    #[must_use]
    pub fn is_due(&self, now: u64) -> bool {
        self.erased_at.is_none() && now >= self.erases_at()
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A guest, by their id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredGuest {
    /// The event.
    pub event: EventId,
    /// Hash of the secret in their private link; zeros once it brings nobody back.
    pub secret: [u8; 32],
    /// What they call themselves.
    pub name: String,
    /// When they came, Unix milliseconds.
    pub at: u64,
    /// Whether the host has shut them out.
    pub blocked: bool,
}

impl std::fmt::Debug for StoredGuest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredGuest {{ at: {}, blocked: {}, name: hidden }}", self.at, self.blocked)
    }
}

/// How far a file of a guest got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UploadState {
    /// Pieces are still missing.
    Coming,
    /// Every piece is here; it is taken into the library next.
    Here,
    /// In the library; waits for the host's word.
    Waiting(AssetId),
    /// It takes part in the event.
    Shown(AssetId),
    /// The host has it already, from somebody else.
    Known,
    /// The host did not want it.
    Refused,
    /// It could not be taken in, with the reason in words.
    Failed(String),
    /// It takes part in the event without the host's having looked at it.
    ShownUnseen(AssetId),
}

impl UploadState {
    /// Its asset, once there is one.
    #[must_use]
    pub fn asset(&self) -> Option<AssetId> {
        match self {
            Self::Waiting(asset) | Self::Shown(asset) | Self::ShownUnseen(asset) => Some(*asset),
            _ => None,
        }
    }
}

/// A file that a guest adds, by a random id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUpload {
    /// The event.
    pub event: EventId,
    /// The guest.
    pub guest: GuestId,
    /// File name, as shown.
    pub name: String,
    /// Plain bytes.
    pub size_bytes: u64,
    /// State.
    pub state: UploadState,
    /// When it was begun, Unix milliseconds.
    pub at: u64,
    /// When its state changed or a piece came the last time, as far as it was written down.
    pub changed_at: u64,
}

impl std::fmt::Debug for StoredUpload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredUpload {{ size_bytes: {}, state: {:?}, name: hidden }}", self.size_bytes, self.state)
    }
}

/// A guest's face, by the guest's id. The selfie itself is not kept.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredGuestSelfie {
    /// The event.
    pub event: EventId,
    /// Model pack of the embedding.
    pub pack: String,
    /// Raw embedding.
    pub embedding: Vec<f32>,
    /// JPEG of at most 3,000 bytes, for the host's eyes.
    pub still: Vec<u8>,
    /// When, Unix milliseconds.
    pub at: u64,
}

impl std::fmt::Debug for StoredGuestSelfie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredGuestSelfie {{ at: {}, face: hidden }}", self.at)
    }
}

/// The host's word on a photo and a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// None yet.
    None,
    /// The guest may see it.
    Allowed,
    /// The guest may not.
    Refused,
}

/// A photo in which a guest was found, by guest and photo.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredGuestMatch {
    /// The event.
    pub event: EventId,
    /// The face in the photo.
    pub face: u16,
    /// Template distance.
    pub score: f32,
    /// Sure or maybe.
    pub grade: Grade,
    /// What the host said.
    pub word: Word,
    /// Whether the guest has seen it, which was noted then.
    pub seen: bool,
    /// When it was found, Unix milliseconds.
    pub at: u64,
}

/// A guest's wish that a photo be removed, by a random id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRemoval {
    /// The event.
    pub event: EventId,
    /// Who asks.
    pub guest: GuestId,
    /// The photo.
    pub asset: AssetId,
    /// In their words.
    pub reason: String,
    /// When, Unix milliseconds.
    pub at: u64,
    /// Whether the host has dealt with it.
    pub done: bool,
}

impl std::fmt::Debug for StoredRemoval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredRemoval {{ asset: {:?}, done: {}, words: hidden }}", self.asset, self.done)
    }
}
