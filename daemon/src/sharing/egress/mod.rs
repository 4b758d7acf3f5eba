//! The egress filter: the bytes of a photo that may leave (promise D4).
//!
//! It copies what makes the pixels and leaves out everything else: location, serial numbers, maker notes, captions, comments, embedded
//! thumbnails, XMP, further images, and whatever follows the image's end (the film of a "motion photo"). Pixels are copied as they are compressed.
//! Three things are kept on purpose: orientation (rewritten as an EXIF block that says nothing else), the colour profile (rebuilt from its tables
//! of numbers), and pixel density.
//!
//! It knows JPEG, PNG, WebP and GIF. Photos of other formats are decoded and made into a bare JPEG before they come here (`sandbox::child`), so
//! that nothing of such a file leaves but its pixels.
//!
//! It works by a list of what is allowed, not of what is forbidden, and gives nothing at all for a file whose structure it cannot follow to the end.
//! Pure functions, made to run in the sandbox. Not looked into: bytes inside the compressed pixel data, and the numbers of a colour profile.

mod gif;
mod icc;
mod jpeg;
mod png;
mod webp;

use crate::sandbox::container::{ContainerError, Format};
use crate::sandbox::{Refusal, Told};

/// Why nothing may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// Not a format that the filter knows.
    #[error("it is not a JPEG, PNG, WebP or GIF image")]
    NotAnImage,
    /// The file's structure cannot be followed to its end.
    #[error(transparent)]
    Structure(#[from] ContainerError),
    /// The structure is sound but holds something that the filter does not know to be harmless.
    #[error("it holds {0}")]
    Unknown(&'static str),
    /// A colour profile of an unlikely size, which could carry anything.
    #[error("its colour profile is too large")]
    ProfileTooLarge,
    /// Nothing in it makes pixels.
    #[error("it holds no pixels")]
    NoPixels,
}

/// The bytes that may leave, with nothing of the details. Decoding them gives the same pixels as decoding `file`; filtering them again gives the same bytes.
///
/// # Errors
/// When the file is no image that the filter knows, or cannot be taken apart with certainty. Nothing leaves then.
pub fn rendition(file: &[u8]) -> Result<Vec<u8>, EgressError> {
    telling(file, &Told::default())
}

/// As [`rendition`], with details written anew into an EXIF block of their own. A GIF, which has none, says nothing; so does a WebP without the
/// extended header, where a reader looks for none.
///
/// # Errors
/// As [`rendition`].
pub fn telling(file: &[u8], told: &Told) -> Result<Vec<u8>, EgressError> {
    match Format::sniff(file) {
        Some(Format::Jpeg) => jpeg::filter(file, told),
        Some(Format::Png) => png::filter(file, told),
        Some(Format::WebP) => webp::filter(file, told),
        Some(Format::Gif) => gif::filter(file),
        Some(Format::Tiff | Format::Bmp | Format::Avif | Format::Heif | Format::Raw(_)) | None => {
            Err(EgressError::NotAnImage)
        }
    }
}

/// [`telling`] in the form that the sandbox's child takes.
///
/// # Errors
/// The same, in the sandbox's words.
pub fn filter_in_sandbox(file: &[u8], told: &Told) -> Result<Vec<u8>, Refusal> {
    telling(file, told).map_err(|error| match error {
        EgressError::NotAnImage => Refusal::NotAnImage,
        EgressError::Structure(ContainerError::CutShort) => Refusal::CutShort,
        other => Refusal::NotCleanable(other.to_string()),
    })
}

#[cfg(test)]
mod planted;
#[cfg(test)]
mod tests;
