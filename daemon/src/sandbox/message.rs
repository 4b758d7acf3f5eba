//! What the daemon asks of a child, and what it answers.

use serde::{Deserialize, Serialize};

use super::confinement::Report;
use super::container::Format;
use super::refusal::Refusal;

/// Changes with every change of these types: a daemon whose binary was replaced on disk must not misread its new children.
pub(crate) const VERSION: u32 = 8;

/// A child's first words.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// `VERSION` of the child.
    pub version: u32,
    /// What it is confined by and what not.
    pub report: Report,
}

/// Said when a job and its file were read whole and before anything is done with them, so that a child that ends earlier (it was killed while
/// idle) does not speak against the file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Taken;

/// One job; the file itself is the frame's payload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Metadata and thumbnails.
    Inspect,
    /// Every face.
    Faces,
    /// The one face of a selfie, with a still.
    Enrol,
    /// The only face of a camera's frame, however it is turned, with a still.
    Frame,
    /// A part of the upright image.
    Crop {
        /// What to cut out.
        rect: FractionRect,
        /// How much to add on each side, as a part of the rectangle's size.
        margin: f32,
        /// Long side of the result in pixels.
        long_side_px: u32,
    },
    /// The bytes that may leave.
    Rendition {
        /// What they still say.
        details: Details,
    },
    /// The bytes that may leave, without some faces.
    Blurred {
        /// Boxes of the faces that are destroyed.
        faces: Vec<FractionRect>,
        /// Boxes of those that stay.
        kept: Vec<FractionRect>,
        /// What the photo still says.
        details: Details,
    },
    /// Load the face model and run it; there is no file.
    TryModel,
    /// Whether a film, which follows the photo in the payload, was taken with the photo.
    Pair {
        /// Where the film begins.
        photo_bytes: u32,
    },
}

impl Job {
    /// Whether the face model is needed.
    pub(crate) fn needs_engine(&self) -> bool {
        matches!(self, Self::Faces | Self::Enrol | Self::Frame | Self::TryModel)
    }
}

/// What came of a job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Payload: grid thumbnail, then preview.
    Inspected {
        /// All but the thumbnails.
        inspection: Box<Inspection>,
        /// Where the preview begins.
        grid_bytes: u32,
    },
    /// No payload.
    Faces(FoundFaces),
    /// Payload: the still, then the source.
    Enrolled {
        /// The face.
        face: Box<inframe_models::Face>,
        /// Where the source begins.
        still_bytes: u32,
    },
    /// Payload: the image.
    Image,
    /// What film it is, if it belongs to the photo. No payload.
    Pair(Option<Film>),
    /// The file's own fault.
    Refused(Refusal),
    /// The child stopped half-way: where it panicked.
    Failed(String),
    /// The face model runs. No payload.
    ModelRuns,
    /// The face model does not load or run; nothing is wrong with the file.
    NoModel(String),
}

/// The container of a film that was taken with a photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Film {
    /// Apple's.
    QuickTime,
    /// MP4.
    Mp4,
}

impl Film {
    /// The IANA media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::QuickTime => "video/quicktime",
            Self::Mp4 => "video/mp4",
        }
    }
}

/// What a photo still says of its taking when it leaves: nothing, unless its owner chose so for the person whom it goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// When.
    pub time: bool,
    /// Where.
    pub place: bool,
    /// With what camera.
    pub camera: bool,
}

/// A place on the globe. Nothing of it is printed: it may be somebody's home.
#[derive(Clone, Copy, PartialEq)]
pub struct Place {
    /// Degrees north of the equator, -90 to 90.
    pub north: f64,
    /// Degrees east of Greenwich, -180 to 180.
    pub east: f64,
}

impl Place {
    /// `None` for what is not on the globe.
    #[must_use]
    pub fn of(north: f64, east: f64) -> Option<Self> {
        // Numbers that are none fail both comparisons.
        (north.abs() <= 90.0 && east.abs() <= 180.0).then_some(Self { north, east })
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place(..)")
    }
}

/// The details themselves, as parsed: what is written anew into what leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// When.
    pub taken_at: Option<CaptureTime>,
    /// Where.
    pub place: Option<Place>,
    /// Maker and model, printable and short.
    pub camera: Option<String>,
}

/// A rectangle in fractions (0 to 1) of the upright image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FractionRect {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

/// When a photo was taken, as its EXIF block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureTime {
    /// What the camera's clock showed, in milliseconds since 1970-01-01 00:00 of that same clock.
    pub wall_ms: i64,
    /// Minutes that the camera's clock was ahead of UTC, if the camera said so.
    pub offset_min: Option<i16>,
}

impl CaptureTime {
    /// Unix time in milliseconds, with `fallback_offset_min` where the camera did not say its offset.
    #[must_use]
    pub fn unix_ms(&self, fallback_offset_min: i16) -> i64 {
        self.wall_ms - i64::from(self.offset_min.unwrap_or(fallback_offset_min)) * 60_000
    }

    /// The calendar day on the camera's clock, in days since 1970-01-01.
    #[must_use]
    pub fn wall_day(&self) -> i64 {
        self.wall_ms.div_euclid(86_400_000)
    }
}

/// What an image file is and says. Thumbnails are upright; colours are those of the file's profile, which goes with them if it is small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// What the first bytes say it is.
    pub format: Format,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// EXIF orientation, 1 to 8.
    pub orientation: u8,
    /// When it was taken, if it says so.
    pub taken_at: Option<CaptureTime>,
    /// Maker and model of the camera, printable and short.
    pub camera: Option<String>,
    /// Whether EXIF or XMP hold a geographic position.
    pub has_location: bool,
    /// Bytes of the film at the file's end, if it carries one.
    pub motion_bytes: Option<u64>,
    /// Mean colour, red in the upper five bits.
    pub mean_rgb565: u16,
    /// ThumbHash of the upright image, about 25 bytes.
    pub thumbhash: Vec<u8>,
    /// JPEG of 480 pixels at most on the long side. Not part of the serialised form.
    #[serde(skip)]
    pub grid: Vec<u8>,
    /// JPEG of 1600 pixels at most on the long side. Not part of the serialised form.
    #[serde(skip)]
    pub preview: Vec<u8>,
}

impl Inspection {
    /// The IANA media type.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        self.format.media_type()
    }
}

/// The faces of one photo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FoundFaces {
    /// The model pack that found and described them. Not part of the serialised form: the daemon knows what it gave the child.
    #[serde(skip)]
    pub pack: String,
    /// Width of the upright image in pixels, to which boxes and landmarks refer.
    pub width: u32,
    /// Height of the upright image in pixels.
    pub height: u32,
    /// Every face; `quality.width_px` counts pixels of the working size (2560 on the long side at most), where the face was measured.
    pub faces: Vec<inframe_models::Face>,
}

/// The face of a selfie.
#[derive(Clone)]
pub struct EnrolledFace {
    /// The model pack that found and described it.
    pub pack: String,
    /// The face, box and landmarks in pixels of the upright image.
    pub face: inframe_models::Face,
    /// Square JPEG of 112 to 128 pixels, 3,000 bytes at most.
    pub still: Vec<u8>,
    /// JPEG of the face with its surroundings, 512 pixels at most: from it another model pack can describe the face anew.
    pub source: Vec<u8>,
}

impl std::fmt::Debug for EnrolledFace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EnrolledFace {{ pack: {:?}, face: hidden }}", self.pack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_times_turn_into_unix_time_and_days() {
        let evening = CaptureTime { wall_ms: 86_400_000 - 1, offset_min: Some(120) };
        assert_eq!((evening.unix_ms(0), evening.wall_day()), (86_400_000 - 1 - 7_200_000, 0));
        let unknown = CaptureTime { wall_ms: -1, offset_min: None };
        assert_eq!((unknown.unix_ms(60), unknown.wall_day()), (-3_600_001, -1));
    }
}
