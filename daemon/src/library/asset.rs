//! An asset as the catalog keeps it: a photo with its metadata, its blobs and its origin.

use std::fmt;
use std::str::FromStr;

use inframe_protocol::{ContentId, EventId, FindMeId, MemberId, OfferId};
use serde::{Deserialize, Serialize};

use crate::vault::BlobId;

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

/// One asset. Values only; the bytes lie in blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAsset {
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
    /// Small picture for the grid.
    pub grid: BlobId,
    /// Larger picture for the photo view.
    pub preview: BlobId,
    /// Origin.
    pub origin: Origin,
    /// A received photo whose face check was doubtful waits in the approvals list and stays out of the timeline.
    pub doubtful: bool,
    /// Search for faces.
    pub faces: FacesState,
}

impl StoredAsset {
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
