//! An asset as the catalog keeps it: a photo with its metadata, its blobs and its origin.

use std::fmt;
use std::str::FromStr;

use inframe_protocol::{ContentId, EventId, FindMeId, MemberId, OfferId};
use serde::{Deserialize, Serialize};

use crate::vault::{BlobId, Versioned};

/// Names an asset on this node; random, never leaves it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssetId(pub [u8; 16]);

impl AssetId {
    /// A fresh id.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssetId({})", &self.to_string()[..8])
    }
}

impl FromStr for AssetId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| ())?;
        Ok(Self(bytes.try_into().map_err(|_| ())?))
    }
}

/// Where an asset came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Imported by the owner.
    Imported,
    /// Sent by a member of an event because the owner is in it.
    Received {
        /// The event.
        event: EventId,
        /// The sender.
        from: MemberId,
        /// The find-me that it answered.
        find_me: FindMeId,
        /// The offer it came with.
        offer: OfferId,
    },
    /// Added on the guest page of an event by somebody without a node. It takes part in that event once the owner has chosen it.
    Guest {
        /// The event.
        event: EventId,
        /// The guest.
        guest: GuestId,
    },
}

/// Names somebody who uses the guest page of an event; random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GuestId(pub [u8; 16]);

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuestId({})", &self.to_string()[..8])
    }
}

impl FromStr for GuestId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| ())?;
        Ok(Self(bytes.try_into().map_err(|_| ())?))
    }
}

/// How far the search for faces got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FacesState {
    /// Not looked at yet; counts the attempts that crashed or timed out.
    Waiting {
        /// Failed attempts so far.
        strikes: u8,
    },
    /// Looked at with this model pack.
    Done {
        /// The pack's id.
        pack: String,
        /// Faces found.
        count: u16,
    },
    /// Given up, with the reason in words.
    Failed(String),
}

impl FacesState {
    /// Whether faces are still to be looked for with this model pack.
    #[must_use]
    pub fn waits_for(&self, pack: &str) -> bool {
        match self {
            Self::Waiting { .. } => true,
            Self::Done { pack: done, .. } => done != pack,
            Self::Failed(_) => false,
        }
    }
}

/// What an asset is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssetKind {
    /// A picture that can be shown.
    Photo,
    /// A moving picture.
    Video {
        /// Length in milliseconds.
        duration_ms: u64,
        /// A copy that every browser plays, once it is made; browsers play the original without one where [`PlayableState::Original`] says so.
        playable: PlayableState,
    },
    /// Anything else: kept and given back as it is.
    File {
        /// Why it cannot be shown, in words.
        reason: String,
        /// Whether another version or tool may be able to show it, so that it is tried again at a start.
        may_change: bool,
    },
}

/// Whether a video plays in a browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlayableState {
    /// As it is.
    Original,
    /// A copy is still to be made; counts the attempts that failed.
    Waiting {
        /// Failed attempts so far.
        strikes: u8,
    },
    /// This copy does.
    Copy(BlobId),
    /// No copy can be made, with the reason in words.
    Failed(String),
}

/// The moving part of a photo that was taken with one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMotion {
    /// BLAKE3 of its plain bytes.
    pub content: ContentId,
    /// Media type by content.
    pub media_type: String,
    /// Plain size.
    pub size_bytes: u64,
    /// Its bytes, when they are a file of their own; otherwise they are the end of the original.
    pub blob: Option<BlobId>,
}

/// One asset. Values only; the bytes lie in blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAsset {
    /// What it is.
    pub kind: AssetKind,
    /// BLAKE3 of the plain bytes.
    pub content: ContentId,
    /// File name as imported; shown, never used as a path.
    pub file_name: String,
    /// Media type by content, never by name.
    pub media_type: String,
    /// Plain size.
    pub size_bytes: u64,
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// Capture time in Unix milliseconds; true UTC when the offset is known, else local wall time taken as UTC.
    pub taken_at: Option<i64>,
    /// Offset of local time to UTC in minutes, when the file says so.
    pub offset_minutes: Option<i16>,
    /// Import time, Unix milliseconds.
    pub imported_at: u64,
    /// Camera make and model.
    pub camera: Option<String>,
    /// Whether the file carries a location.
    pub has_location: bool,
    /// Mean colour, RGB565.
    pub mean_colour: u16,
    /// Thumbhash.
    pub thumbhash: Vec<u8>,
    /// The bytes as imported or received.
    pub original: BlobId,
    /// Small picture for the grid, if it can be shown.
    pub grid: Option<BlobId>,
    /// Larger picture for the photo view, if it can be shown.
    pub preview: Option<BlobId>,
    /// The moving part of a photo.
    pub motion: Option<StoredMotion>,
    /// Origin.
    pub origin: Origin,
    /// A received photo whose face check was doubtful waits in the approvals list and stays out of the timeline.
    pub doubtful: bool,
    /// Search for faces.
    pub faces: FacesState,
    /// Since when it is in the trash, if it is.
    pub trashed: Option<Trashed>,
}

/// One of the files of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// The bytes as imported or received.
    Original,
    /// The moving part of a photo, where it is a file of its own.
    Film,
    /// The small picture.
    Grid,
    /// The larger picture.
    Preview,
    /// The copy of a video that browsers play.
    Copy,
}

impl Part {
    /// Whether it cannot be made again from anything else.
    #[must_use]
    pub fn is_precious(self) -> bool {
        matches!(self, Self::Original | Self::Film)
    }
}

/// When an asset went into the trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// By the wall clock, Unix milliseconds: shown, and the order of the trash.
    pub at: u64,
    /// By the clock of the trash, in milliseconds: what its age is counted by.
    pub counted_ms: u64,
}

impl Versioned for StoredAsset {
    const VERSION: u8 = 3;
    type Before = super::older::Second;
}

impl StoredAsset {
    /// Every blob that belongs to it.
    pub fn blobs(&self) -> impl Iterator<Item = BlobId> {
        self.parts().map(|(_, blob)| blob)
    }

    /// The same, with what each is.
    pub fn parts(&self) -> impl Iterator<Item = (Part, BlobId)> {
        let copy = match &self.kind {
            AssetKind::Video { playable: PlayableState::Copy(blob), .. } => Some(*blob),
            _ => None,
        };
        let film = self.motion.as_ref().and_then(|motion| motion.blob);
        let parts = [
            (Part::Original, Some(self.original)),
            (Part::Film, film),
            (Part::Grid, self.grid),
            (Part::Preview, self.preview),
            (Part::Copy, copy),
        ];
        parts.into_iter().filter_map(|(part, blob)| Some((part, blob?)))
    }

    /// BLAKE3 of the plain bytes of a part, where it is known.
    #[must_use]
    pub fn content_of(&self, part: Part) -> Option<ContentId> {
        match part {
            Part::Original => Some(self.content),
            Part::Film => self.motion.as_ref().map(|motion| motion.content),
            Part::Grid | Part::Preview | Part::Copy => None,
        }
    }

    /// The moment that orders the timeline: capture time where known, else import time. Unix milliseconds, UTC.
    #[must_use]
    pub fn moment(&self) -> i64 {
        self.taken_at.unwrap_or(i64::try_from(self.imported_at).unwrap_or(i64::MAX))
    }

    /// Days since 1970-01-01 on the wall calendar of the place where the photo was taken.
    #[must_use]
    pub fn local_day(&self) -> i32 {
        let local = self.moment().saturating_add(i64::from(self.offset_minutes.unwrap_or(0)) * 60_000);
        i32::try_from(local.div_euclid(86_400_000)).unwrap_or(if local < 0 { i32::MIN } else { i32::MAX })
    }
}
