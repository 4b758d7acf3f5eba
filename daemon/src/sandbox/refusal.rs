//! Why the sandbox does not take a file, in words for the person who gave it.

use serde::{Deserialize, Serialize};

use super::limits;

/// A file's own fault: trying again does not help.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// No known magic bytes.
    #[error("this is not an image that Inframe can read")]
    NotAnImage,
    /// The file stops before its end.
    #[error("the file ends too early: it was cut off, copy or download it again")]
    CutShort,
    /// The structure or the compressed pixels are broken.
    #[error("the image is damaged: {0}")]
    Damaged(String),
    /// A valid file of a kind that the decoder does not know.
    #[error("this kind of {0} cannot be read yet")]
    Unsupported(String),
    /// A HEIF file that only libheif reads.
    #[error(
        "this kind of HEIC is read with the help of libheif: install the Debian package libheif-examples, then it is tried again"
    )]
    NeedsLibheif,
    /// The header announces too many pixels.
    #[error("the image has {megapixels} megapixels; at most {} megapixels can be read", limits::MAX_PIXELS / 1_000_000)]
    TooManyPixels {
        /// Millions of pixels, rounded up.
        megapixels: u64,
    },
    /// The header announces too long a side.
    #[error("a side of the image is {side_px} pixels long; at most {} can be read", limits::MAX_SIDE_PX)]
    SideTooLong {
        /// The longer side in pixels.
        side_px: u32,
    },
    /// Decoding would need more memory than a child may have.
    #[error("the image needs more memory than is allowed for one image")]
    NeedsTooMuchMemory,
    /// Enrolment: no face was found.
    #[error("no face was found: look into the camera in good light, with your whole face in the picture")]
    NoFace,
    /// Enrolment: no face stands out.
    #[error("{faces} faces were found: use a photo in which you are alone, or clearly the nearest")]
    SeveralFaces {
        /// How many faces were found.
        faces: usize,
    },
    /// Enrolment: too far away.
    #[error("the face is only {width_px} pixels wide and must be {needed_px}: come nearer or use a larger photo")]
    FaceTooSmall {
        /// Width of the face in pixels.
        width_px: u32,
        /// What it must be.
        needed_px: u32,
    },
    /// Enrolment: not sharp.
    #[error("the face is blurred: hold still and use more light")]
    FaceBlurred,
    /// Enrolment: hardly any light on the face.
    #[error("the face is too dark: turn towards a window or a lamp")]
    FaceTooDark,
    /// Enrolment: so much light that nothing of the face is left.
    #[error("the face is too bright: turn away from the light, or lower the brightness of the camera")]
    FaceTooBright,
    /// Enrolment: not frontal.
    #[error("the face is turned away: look straight into the camera")]
    FaceTurned,
    /// Enrolment: none of the above, but not good enough to be told apart.
    #[error("the face is hard to make out: use more light and look straight into the camera")]
    FaceUnclear,
    /// The egress filter cannot prove what is in the file, so nothing leaves (promise D4).
    #[error("this photo cannot be cleaned of its hidden data, so it is not sent: {0}")]
    NotCleanable(String),
}

impl Refusal {
    /// The same in a few words, for whoever moves before a camera and reads along.
    #[must_use]
    pub fn in_short(&self) -> &'static str {
        match self {
            Self::NoFace => "No face to be seen: come into the picture",
            Self::SeveralFaces { .. } => "More than one face: stay alone in the picture",
            Self::FaceTooSmall { .. } => "Too far away: come nearer",
            Self::FaceBlurred => "Blurred: hold still, use more light",
            Self::FaceTooDark => "Too dark: turn towards a window or a lamp",
            Self::FaceTooBright => "Too bright: turn away from the light",
            Self::FaceTurned | Self::FaceUnclear => "Hard to make out: use more light",
            _ => "The camera's picture could not be read",
        }
    }

    /// The same with tame words: a child that decoded hostile bytes may say anything.
    pub(crate) fn tamed(self) -> Self {
        match self {
            Self::Damaged(words) => Self::Damaged(tame(&words)),
            Self::Unsupported(words) => Self::Unsupported(tame(&words)),
            Self::NotCleanable(words) => Self::NotCleanable(tame(&words)),
            other => other,
        }
    }
}

/// Keeps words from a decoder short and printable: they are shown to people, and a hostile file may shape them (promise D8).
pub(crate) fn tame(words: &str) -> String {
    words.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named_in_the_words() {
        let words = Refusal::TooManyPixels { megapixels: 400 }.to_string();
        assert_eq!(words, "the image has 400 megapixels; at most 150 megapixels can be read");
    }

    #[test]
    fn d8_decoder_words_are_tamed() {
        assert_eq!(tame("bad\u{1b}[31m\u{202e}chunk\n"), "bad[31mchunk");
        assert_eq!(tame(&"x".repeat(500)).len(), 120);
    }
}
