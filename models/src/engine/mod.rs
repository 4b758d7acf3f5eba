//! Runs the networks of a pack on one image: find faces, place landmarks, align, embed, judge quality.
//!
//! An [`Engine`] holds the optimised networks (about 200 MB) and no state between photos; it may be shared by threads, but a run uses one
//! thread, since one photo a thread is the faster way to use many. Faces run one by one: batches are slower in tract.

mod detector;
mod face;
#[cfg(test)]
mod kinds;
mod landmarks;
mod network;
mod pose;
mod quality;
mod recogniser;
#[cfg(test)]
mod reference;
mod turned;

use image::RgbImage;
use thiserror::Error;

pub use detector::Detection;
pub use face::{Embedding, Face, Quality, five_points};
pub use pose::Pose;

use crate::{Pack, Thresholds};
use detector::Detector;
use landmarks::Landmarks;
use recogniser::Recogniser;
use turned::Turn;

/// Why an engine could not be built or run.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A network file cannot be parsed or optimised.
    #[error("{file} is not a network that can be run")]
    Network {
        /// File name in the pack.
        file: String,
        /// The cause, as tract words it.
        reason: String,
    },
    /// A network puts out other values than the pack says.
    #[error("{file} puts out {found}, the pack says {expected}")]
    Shape {
        /// File name in the pack.
        file: String,
        /// Names and shapes that are expected.
        expected: String,
        /// Names and shapes that were found.
        found: String,
    },
    /// A run failed.
    #[error("{file} failed on a photo")]
    Run {
        /// File name in the pack.
        file: String,
        /// The cause, as tract words it.
        reason: String,
    },
    /// A run gave NaN or infinity.
    #[error("{file} put out numbers that are not finite")]
    NotFinite {
        /// File name in the pack.
        file: String,
    },
    /// A run gave zeros only, or numbers too large to scale to length 1.
    #[error("{file} put out numbers that have no direction")]
    NoDirection {
        /// File name in the pack.
        file: String,
    },
}

/// How much time a photo is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    /// For every photo of a library.
    #[default]
    Normal,
    /// For photos that people enrol with: when no face is found, the photo is tried on its sides and upside down too, since some programs
    /// drop the note that says how a photo is to be turned.
    Thorough,
}

/// The networks of one pack, ready to run.
pub struct Engine {
    pack_id: String,
    thresholds: Thresholds,
    detector: Detector,
    /// Absent in packs that align by the detector's points.
    landmarks: Option<Landmarks>,
    recogniser: Recogniser,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("pack_id", &self.pack_id).finish_non_exhaustive()
    }
}

impl Engine {
    /// Parses and optimises the networks of a pack. Takes about half a second of CPU time.
    ///
    /// # Errors
    /// When a network cannot be run or does not have the shapes that the pack states.
    pub fn load(pack: &Pack) -> Result<Self, EngineError> {
        let manifest = pack.manifest();
        Ok(Self {
            pack_id: pack.id().to_owned(),
            thresholds: *pack.thresholds(),
            detector: Detector::load(&manifest.detector, pack.detector())?,
            landmarks: match manifest.landmarks.as_ref().zip(pack.landmarks()) {
                Some((spec, onnx)) => Some(Landmarks::load(spec, onnx)?),
                None => None,
            },
            recogniser: Recogniser::load(&manifest.recogniser, pack.recogniser())?,
        })
    }

    /// [`Pack::id`] of the pack: embeddings of engines with equal ids compare.
    #[must_use]
    pub fn pack_id(&self) -> &str {
        &self.pack_id
    }

    /// [`Pack::thresholds`] of the pack.
    #[must_use]
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// The faces of an upright photo with [`Effort::Normal`], the surest first. Any size of image is fine, none included.
    ///
    /// # Errors
    /// When a network fails, which a sound pack never does.
    pub fn find_faces(&self, image: &RgbImage) -> Result<Vec<Face>, EngineError> {
        self.find_faces_with(image, Effort::Normal)
    }

    /// As [`Engine::find_faces`], with a choice of effort.
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn find_faces_with(&self, image: &RgbImage, effort: Effort) -> Result<Vec<Face>, EngineError> {
        let upright = self.find_upright(image)?;
        if !upright.is_empty() || effort == Effort::Normal {
            return Ok(upright);
        }
        for turn in Turn::ALL {
            let faces = self.find_upright(&turn.apply(image))?;
            if !faces.is_empty() {
                return Ok(faces.into_iter().map(|face| turn.undo(face, image.width(), image.height())).collect());
            }
        }
        Ok(Vec::new())
    }

    /// Runs every network once, on a drawn picture that holds no face: a pack that passes runs on photos as well.
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn try_out(&self) -> Result<(), EngineError> {
        let picture = RgbImage::from_fn(640, 480, |x, y| image::Rgb([(x / 3) as u8, (y / 2) as u8, (x ^ y) as u8]));
        self.detect(&picture)?;
        let rect = crate::Rect { x: 200.0, y: 120.0, w: 200.0, h: 240.0 };
        let points = [[260.0, 220.0], [340.0, 220.0], [300.0, 270.0], [270.0, 310.0], [330.0, 310.0]];
        self.describe(&picture, &Detection { rect, score: 1.0, points: Some(points) })?;
        Ok(())
    }

    fn find_upright(&self, image: &RgbImage) -> Result<Vec<Face>, EngineError> {
        let mut faces = Vec::new();
        for detection in self.detect(image)? {
            faces.extend(self.describe(image, &detection)?);
        }
        Ok(faces)
    }

    /// The first stage alone: boxes, the surest first, at most [`MAX_FACES`](crate::limits::MAX_FACES).
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn detect(&self, image: &RgbImage) -> Result<Vec<Detection>, EngineError> {
        self.detector.detect(image)
    }

    /// The stages after detection: the face in a box, or `None` when the box is too narrow for a face that could ever be recognised or holds
    /// nothing that can be aligned.
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn describe(&self, image: &RgbImage, detection: &Detection) -> Result<Option<Face>, EngineError> {
        if detection.rect.w < quality::LEAST_WIDTH_PX {
            return Ok(None);
        }
        let landmarks = match &self.landmarks {
            Some(net) => net.place(image, detection.rect)?,
            None => detection.points.map(Vec::from),
        };
        let Some(landmarks) = landmarks else { return Ok(None) };
        let Some(chip) = self.recogniser.align(image, &landmarks) else { return Ok(None) };
        let quality = quality::measure(&chip, &landmarks, detection);
        let embedding = self.recogniser.embed(&chip)?;
        Ok(Some(Face { rect: detection.rect, score: detection.score, landmarks, quality, embedding }))
    }
}
