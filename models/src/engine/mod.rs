//! Runs the networks of a pack on one image: find faces, place landmarks, align, embed, judge quality.
//!
//! An [`Engine`] holds the optimised networks (about 200 MB) and no state between photos; it may be shared by threads, but a run uses one
//! thread, since one photo a thread is the faster way to use many. Faces run one by one: batches are slower in tract.

mod depthwise;
mod detail;
mod detector;
mod face;
#[cfg(test)]
mod kinds;
mod landmarks;
mod lie;
mod network;
mod pose;
mod quality;
mod recogniser;
#[cfg(test)]
mod reference;
mod search;
mod turned;

use std::time::Duration;

use image::RgbImage;
use thiserror::Error;

pub use detector::Detection;
pub use face::{Embedding, Face, Quality, five_points};
pub use pose::Pose;

use crate::{Pack, Rect, Thresholds};
use detector::Detector;
use landmarks::Landmarks;
use recogniser::Recogniser;
use search::{Found, Scores, Search};
use turned::TurnedCopy;

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
    /// For photos that people enrol with: when no face is found, the photo is tried on its sides and upside down even if nothing hints at a
    /// face, since some programs drop the note that says how a photo is to be turned.
    Thorough,
}

/// The turned copy of a face shows this many sides of its box, for the second look of the landmark net may reach beyond it.
const COPY_SIDES: f32 = 3.0;

/// Fewest and most pixels along a side of that copy. The net sees a third of it with 112.
const COPY_PX: (usize, usize) = (96, 672);

/// The networks of one pack, ready to run.
pub struct Engine {
    pack_id: String,
    thresholds: Thresholds,
    detector: Detector,
    scores: Scores,
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
    /// Parses and optimises the networks of a pack; the detector for some shapes of photos only when the first comes.
    ///
    /// # Errors
    /// When a network cannot be run or does not have the shapes that the pack states.
    pub fn load(pack: &Pack) -> Result<Self, EngineError> {
        let manifest = pack.manifest();
        Ok(Self {
            pack_id: pack.id().to_owned(),
            thresholds: *pack.thresholds(),
            // The search sorts faces from hints.
            detector: Detector::load(&manifest.detector.with_hints(), pack.detector())?,
            scores: Scores::of(&manifest.detector),
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
        let mut faces = Vec::new();
        for found in self.search(image, effort)? {
            faces.extend(self.describe_found(image, &found)?);
        }
        Ok(faces)
    }

    /// Runs every network once, on a drawn picture that holds no face: a pack that passes runs on photos as well.
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn try_out(&self) -> Result<(), EngineError> {
        let picture = RgbImage::from_fn(640, 480, |x, y| image::Rgb([(x / 3) as u8, (y / 2) as u8, (x ^ y) as u8]));
        self.detect(&picture)?;
        let rect = Rect { x: 200.0, y: 120.0, w: 200.0, h: 240.0 };
        let points = [[260.0, 220.0], [340.0, 220.0], [300.0, 270.0], [270.0, 310.0], [330.0, 310.0]];
        self.describe(&picture, &Detection { rect, score: 1.0, points: Some(points) })?;
        Ok(())
    }

    /// The least time of several runs of each network on black, by the name of its file; the detector on its square input.
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn network_times(&self) -> Result<Vec<(String, Duration)>, EngineError> {
        let mut times = vec![self.detector.time()?];
        if let Some(landmarks) = &self.landmarks {
            times.push(landmarks.time()?);
        }
        times.push(self.recogniser.time()?);
        Ok(times)
    }

    fn search(&self, image: &RgbImage, effort: Effort) -> Result<Vec<Found>, EngineError> {
        let lie = |found: &Found| {
            let landmarks = self.landmarks_of(image, found)?;
            Ok(landmarks.and_then(|points| self.recogniser.lie(&points)))
        };
        Search { detector: &self.detector, scores: self.scores, image, lie }.run(effort)
    }

    /// The first stage alone: boxes, the surest first, at most [`MAX_FACES`](crate::limits::MAX_FACES).
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn detect(&self, image: &RgbImage) -> Result<Vec<Detection>, EngineError> {
        Ok(self.search(image, Effort::Normal)?.into_iter().map(|found| found.detection).collect())
    }

    /// The stages after detection: the face in a box, or `None` when the box is too narrow for a face that could ever be recognised or holds
    /// nothing that can be aligned.
    ///
    /// # Errors
    /// As [`Engine::find_faces`].
    pub fn describe(&self, image: &RgbImage, detection: &Detection) -> Result<Option<Face>, EngineError> {
        self.describe_found(image, &Found { detection: *detection, turn: 0.0 })
    }

    fn describe_found(&self, image: &RgbImage, found: &Found) -> Result<Option<Face>, EngineError> {
        let detection = &found.detection;
        if detection.rect.w < quality::LEAST_WIDTH_PX {
            return Ok(None);
        }
        let Some(landmarks) = self.landmarks_of(image, found)? else { return Ok(None) };
        let Some(chip) = self.recogniser.align(image, &landmarks) else { return Ok(None) };
        let quality = quality::measure(&chip, &landmarks, detection);
        let embedding = self.recogniser.embed(&chip)?;
        Ok(Some(Face { rect: detection.rect, score: detection.score, landmarks, quality, embedding }))
    }

    /// The landmarks in a box, in pixels of the photo. The net knows upright faces only, so it sees a face that was found on a turned photo
    /// on a turned copy too.
    fn landmarks_of(&self, image: &RgbImage, found: &Found) -> Result<Option<Vec<[f32; 2]>>, EngineError> {
        let rect = found.detection.rect;
        let Some(net) = &self.landmarks else { return Ok(found.detection.points.map(Vec::from)) };
        if found.turn == 0.0 {
            return net.place(image, rect);
        }
        let side = COPY_SIDES * rect.w.max(rect.h);
        let pixels = (side as usize).clamp(COPY_PX.0, COPY_PX.1);
        let Some(copy) = TurnedCopy::cut(image, rect.centre(), side, found.turn, pixels) else { return Ok(None) };
        let within = Rect::around([pixels as f32 / 2.0; 2], rect.w * copy.scale(), rect.h * copy.scale());
        let placed = net.place(&copy.image, within)?;
        Ok(placed.map(|points| points.into_iter().map(|point| copy.point_back(point)).collect()))
    }
}
