//! What the catalog keeps of guest pages. Every row stands behind the version byte of its kind.

use inframe_protocol::{EventId, InviteId};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::library::{AssetId, GuestId};
use crate::matching::Grade;
use crate::vault::Versioned;

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
    /// The invite that its link carries, if members may join with it too.
    pub members: Option<StoredMembersInvite>,
}

/// An invite that rides in the link to a guest page. It is kept with the event's others; this says which one it is, also when it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMembersInvite {
    /// The invite.
    pub id: InviteId,
    /// When it ends, Unix milliseconds.
    pub expires: u64,
}

impl Versioned for StoredPage {
    const VERSION: u8 = 2;
    type Before = FirstPage;
}

/// A page as the first version kept it: its link was for guests alone.
#[derive(Serialize, Deserialize)]
pub struct FirstPage {
    on: bool,
    token: [u8; 16],
    key: SealKey,
    approve_first: bool,
    selfies: bool,
    opens_at: Option<u64>,
    closes_at: Option<u64>,
    ends_at: u64,
    keep_days: u16,
    made_at: u64,
    erased_at: Option<u64>,
    wifi: Option<StoredWifi>,
}

crate::first_version!(FirstPage);

impl From<FirstPage> for StoredPage {
    fn from(old: FirstPage) -> Self {
        Self {
            on: old.on,
            token: old.token,
            key: old.key,
            approve_first: old.approve_first,
            selfies: old.selfies,
            opens_at: old.opens_at,
            closes_at: old.closes_at,
            ends_at: old.ends_at,
            keep_days: old.keep_days,
            made_at: old.made_at,
            erased_at: old.erased_at,
            wifi: old.wifi,
            members: None,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Older;

    #[test]
    fn a_page_of_the_first_version_has_a_link_for_guests_alone() {
        let old = FirstPage {
            on: true,
            token: [1; 16],
            key: SealKey([2; 32]),
            approve_first: true,
            selfies: false,
            opens_at: Some(3),
            closes_at: None,
            ends_at: 4,
            keep_days: 5,
            made_at: 6,
            erased_at: None,
            wifi: Some(StoredWifi { name: "Barn".into(), password: "p".into() }),
        };
        let page = StoredPage::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        assert!(page.on && page.token == [1; 16] && page.key.0 == [2; 32] && page.members.is_none());
        assert_eq!((page.opens_at, page.ends_at, page.keep_days, page.made_at), (Some(3), 4, 5, 6));
        assert_eq!(page.wifi.unwrap().name, "Barn");
    }
}
