//! Names and kinds of blobs.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// The random name of a blob: 128 bits, 32 lowercase hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobId(pub [u8; 16]);

impl BlobId {
    /// A fresh name.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, as a catalog key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

/// Text that is not 32 lowercase hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob id is 32 lowercase hex digits")]
pub struct BlobIdError;

impl FromStr for BlobId {
    type Err = BlobIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| BlobIdError)?;
        bytes.try_into().map(Self).map_err(|_| BlobIdError)
    }
}

/// What a blob holds. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum BlobKind {
    /// A photo, video or other file, exactly as it came.
    Original = 1,
    /// Thumbnail of the timeline.
    Grid = 2,
    /// Screen-sized picture.
    Preview = 3,
    /// Small face picture that a find-me shows. Face data.
    Still = 4,
    /// Picture from which somebody was enrolled. Face data.
    Selfie = 5,
    /// Cut-out of a face, shown when approval is asked. Face data.
    Crop = 6,
    /// What leaves: an original after the egress filter.
    Rendition = 7,
    /// Embeddings too large for the catalog. Face data.
    Embeddings = 8,
    /// Copy of a video that browsers play: its fragments, its head, and the head's length.
    Playable = 9,
    /// Snapshot of the catalog; made by the catalog itself.
    CatalogSnapshot = 64,
    /// List of the blobs of one version of a backup.
    BackupList = 65,
}

impl BlobKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Original,
        Self::Grid,
        Self::Preview,
        Self::Still,
        Self::Selfie,
        Self::Crop,
        Self::Rendition,
        Self::Embeddings,
        Self::Playable,
        Self::CatalogSnapshot,
        Self::BackupList,
    ];

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Whether it is face data, whose key is wrapped with the biometrics sub-key and never with that of the photos.
    #[must_use]
    pub fn is_biometric(self) -> bool {
        matches!(self, Self::Still | Self::Selfie | Self::Crop | Self::Embeddings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_goes_both_ways_and_only_that() {
        let id = BlobId::random().unwrap();
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "00", &"A".repeat(32), &"g".repeat(32), &"0".repeat(34), "../../../../../../../etc/passwd1"] {
            assert_eq!(bad.parse::<BlobId>(), Err(BlobIdError), "{bad}");
        }
    }

    #[test]
    fn numbers_name_kinds() {
        for kind in BlobKind::ALL {
            assert_eq!(BlobKind::from_number(kind as u8), Some(kind));
        }
        assert_eq!(BlobKind::from_number(0), None);
    }
}
