//! The outer structure of image files, taken apart without decoding a pixel and without copying.
//!
//! Absent on purpose: names and media types given by others. What a file is, its first bytes say (and, to tell camera raw files from other TIFF
//! files, its first directories).

pub mod bmff;
#[cfg(test)]
pub(crate) mod fuzz;
pub mod gif;
pub mod heif;
pub mod jpeg;
pub mod metadata;
pub mod motion;
pub mod png;
pub mod raw;
#[cfg(test)]
pub(crate) mod samples;
pub mod tiff;
pub mod webp;

use serde::{Deserialize, Serialize};

pub use raw::RawKind;

/// The image formats that Inframe reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// JPEG (JFIF, EXIF).
    Jpeg,
    /// PNG, animated ones too (the first frame counts).
    Png,
    /// WebP, lossy, lossless, animated (the first frame counts).
    WebP,
    /// GIF, animated ones too (the first frame counts).
    Gif,
    /// TIFF (the first page counts).
    Tiff,
    /// BMP.
    Bmp,
    /// AVIF: AV1 in HEIF's container.
    Avif,
    /// HEIC and other HEIF files, as telephones make them: HEVC in HEIF's container.
    Heif,
    /// A camera's raw file, of which the embedded preview counts.
    Raw(RawKind),
}

impl Format {
    /// Recognises a format by its contents, never by a name.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        Self::by_signature(bytes).or_else(|| match bytes {
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => bmff::sniff(bytes),
            _ => raw::sniff(bytes),
        })
    }

    /// Recognises those formats that their first bytes alone tell; this looks at nothing else, so that the daemon itself may ask it.
    #[must_use]
    pub fn by_signature(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            // The four reserved bytes are 0, and the size of the next header is one of those in use.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, _, _, _, _, 12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0, ..] => {
                Some(Self::Bmp)
            }
            _ => None,
        }
    }

    /// Whether a photo of this format is sent in it; others are sent as a JPEG.
    #[must_use]
    pub fn leaves_as_it_is(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::WebP | Self::Gif)
    }

    /// The IANA media type, or the usual one where none is registered.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Tiff => "image/tiff",
            Self::Bmp => "image/bmp",
            Self::Avif => "image/avif",
            Self::Heif => "image/heic",
            Self::Raw(kind) => kind.media_type(),
        }
    }

    /// The usual file extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Tiff => "tif",
            Self::Bmp => "bmp",
            Self::Avif => "avif",
            Self::Heif => "heic",
            Self::Raw(kind) => kind.extension(),
        }
    }
}

/// Why a file's structure cannot be followed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// The bytes stop before the structure ends.
    #[error("the file ends too early")]
    CutShort,
    /// The structure contradicts itself.
    #[error("the structure is damaged: {0}")]
    Malformed(&'static str),
}

/// A bounds-checked reader over a byte slice.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], ContainerError> {
        let (head, tail) = self.rest.split_at_checked(len).ok_or(ContainerError::CutShort)?;
        self.rest = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], ContainerError> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(ContainerError::CutShort)?;
        self.rest = tail;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_bytes() {
        assert_eq!(Format::sniff(b"\xff\xd8\xff\xe0rest"), Some(Format::Jpeg));
        assert_eq!(Format::sniff(b"\x89PNG\r\n\x1a\nrest"), Some(Format::Png));
        assert_eq!(Format::sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some(Format::WebP));
        assert_eq!(Format::sniff(b"RIFF\0\0\0\0WAVE"), None);
        assert_eq!(Format::sniff(b"GIF89a....."), Some(Format::Gif));
        assert_eq!(Format::sniff(b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01"), Some(Format::Bmp));
        assert_eq!(Format::sniff(b"BMW is a maker of cars and so on"), None);
        assert_eq!(Format::sniff(b"<svg xmlns="), None);
        assert_eq!(Format::sniff(b""), None);
    }
}
