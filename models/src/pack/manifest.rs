//! `pack.toml`: what is in a pack, how its networks are fed, and what its distances mean.

use serde::{Deserialize, Serialize};

use super::PackError;
use crate::limits::{MAX_EMBEDDING, MAX_INPUT_SIDE};

/// The only layout of `pack.toml` so far.
const FORMAT: u32 = 1;

/// Raised whenever the code around the networks changes what an embedding is, so that old and new ones never compare.
const PIPELINE: u8 = 1;

/// Points of the landmark net.
const POINTS: usize = 68;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    pub(crate) name: String,
    version: String,
    pub(crate) licence: String,
    pub(crate) provenance: String,
    pub(crate) detector: Detector,
    pub(crate) landmarks: Landmarks,
    pub(crate) recogniser: Recogniser,
    pub(crate) centre: Centre,
    pub(crate) thresholds: Thresholds,
}

/// How pixels are prepared for a network. All known packs take RGB 0..255 and normalise in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pixels {
    /// Red, green, blue planes, 0 to 255.
    RgbBytes,
}

/// What a detector puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DetectorKind {
    /// `boxes` (ymin, xmin, ymax, xmax as fractions of the square) and `scores`; the photo lies at the top left of the square.
    Ssd,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detector {
    pub(crate) kind: DetectorKind,
    pub(crate) file: String,
    pub(crate) blake3: String,
    /// Pixels along a side of the square input.
    pub(crate) input: usize,
    #[serde(rename = "pixels")]
    _pixels: Pixels,
    /// Boxes that the net puts out.
    pub(crate) boxes: usize,
    /// Least score of a face.
    pub(crate) min_score: f32,
    /// Two boxes that overlap by more than this are one face.
    pub(crate) max_overlap: f32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Landmarks {
    pub(crate) file: String,
    pub(crate) blake3: String,
    pub(crate) input: usize,
    #[serde(rename = "pixels")]
    _pixels: Pixels,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recogniser {
    pub(crate) file: String,
    pub(crate) blake3: String,
    pub(crate) input: usize,
    #[serde(rename = "pixels")]
    _pixels: Pixels,
    pub(crate) dimensions: usize,
    /// Whether an embedding is the mean of the face and its mirror image.
    pub(crate) mirrored: bool,
    /// Margin around the reference points on each side, as a fraction of their square.
    padding: f32,
    /// Where chosen landmarks lie in a face chip without margin, as `[number, x, y]` with x and y as fractions of its side.
    reference: Vec<(usize, f32, f32)>,
}

impl Recogniser {
    /// Numbers of the landmarks that alignment uses, and their places in the chip in pixels.
    pub(crate) fn reference_points(&self) -> (Vec<usize>, Vec<[f32; 2]>) {
        let side = self.input as f32;
        let place = |fraction: f32| (self.padding + fraction) / (2.0 * self.padding + 1.0) * side;
        self.reference.iter().map(|&(number, x, y)| (number, [place(x), place(y)])).unzip()
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Centre {
    pub(crate) file: String,
    pub(crate) blake3: String,
}

/// When two faces count as one person. Distances are Euclidean; the reasons for the numbers stand beside them in `pack.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Embeddings at most this far apart are surely one person, when both faces are fit for it ([`Thresholds::fit_for_sure`]).
    pub sure: f32,
    /// Embeddings at most this far apart may be one person: ask.
    pub maybe: f32,
    /// As `sure`, between templates.
    pub template_sure: f32,
    /// As `maybe`, between templates.
    pub template_maybe: f32,
    /// A match is sure only if every other face of the photo is further from the template by at least this much.
    pub template_margin: f32,
    /// Faces narrower than this (pixels) are never surely anybody.
    pub min_face_px: f32,
    /// Faces of less quality than this (0..1) are never surely anybody.
    pub min_quality: f32,
    /// Least quality (0..1) of a face that somebody enrols with.
    pub min_enrol_quality: f32,
}

impl Thresholds {
    /// Whether a face of this quality may be surely somebody at all; if not, the best that a small distance can mean is "maybe".
    #[must_use]
    pub fn fit_for_sure(&self, quality: &crate::Quality) -> bool {
        quality.width_px >= self.min_face_px && quality.score >= self.min_quality
    }

    fn is_valid(&self) -> bool {
        let distances =
            [self.sure, self.maybe, self.template_sure, self.template_maybe, self.template_margin, self.min_face_px];
        let fractions = [self.min_quality, self.min_enrol_quality];
        distances.iter().all(|number| number.is_finite() && *number > 0.0)
            && fractions.iter().all(|number| (0.0..=1.0).contains(number))
            && self.sure <= self.maybe
            && self.template_sure <= self.template_maybe
    }
}

impl Manifest {
    pub(super) fn parse(text: &str) -> Result<Self, PackError> {
        let manifest: Self = toml::from_str(text).map_err(|error| PackError::Manifest(Box::new(error)))?;
        manifest.check()?;
        Ok(manifest)
    }

    /// `name@version-hash`; see [`Pack::id`](super::Pack::id).
    pub(super) fn id(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("inframe pack id 2026");
        for hash in [&self.landmarks.blake3, &self.recogniser.blake3, &self.centre.blake3] {
            hasher.update(hash.as_bytes());
        }
        hasher.update(&[PIPELINE, u8::from(self.recogniser.mirrored)]);
        let (numbers, places) = self.recogniser.reference_points();
        for (number, place) in std::iter::zip(numbers, places) {
            hasher.update(&(number as u64).to_le_bytes());
            place.iter().for_each(|part| _ = hasher.update(&part.to_le_bytes()));
        }
        format!("{}@{}-{}", self.name, self.version, &hasher.finalize().to_hex()[..12])
    }

    fn check(&self) -> Result<(), PackError> {
        let require =
            |holds: bool, otherwise: &'static str| if holds { Ok(()) } else { Err(PackError::Invalid(otherwise)) };
        require(self.format == FORMAT, "its format is not 1; a newer Inframe may read it")?;
        require(is_word(&self.name) && is_word(&self.version), "name and version must be 1 to 32 of a-z 0-9 . -")?;
        let files = [&self.detector.file, &self.landmarks.file, &self.recogniser.file, &self.centre.file];
        require(
            files.iter().all(|file| is_word(file) && !file.starts_with('.')),
            "a file name must be 1 to 32 of a-z 0-9 . -",
        )?;
        let inputs = [self.detector.input, self.landmarks.input, self.recogniser.input];
        require(inputs.iter().all(|side| (16..=MAX_INPUT_SIDE).contains(side)), "an input side is out of range")?;
        require((1..=1_000_000).contains(&self.detector.boxes), "the number of boxes is out of range")?;
        require((0.0..1.0).contains(&self.detector.min_score), "detector.min_score must be between 0 and 1")?;
        require((0.0..=1.0).contains(&self.detector.max_overlap), "detector.max_overlap must be between 0 and 1")?;
        require((1..=MAX_EMBEDDING).contains(&self.recogniser.dimensions), "recogniser.dimensions is out of range")?;
        require((0.0..=2.0).contains(&self.recogniser.padding), "recogniser.padding is out of range")?;
        let reference = &self.recogniser.reference;
        require((2..=POINTS).contains(&reference.len()), "recogniser.reference needs 2 to 68 points")?;
        require(
            reference.iter().all(|&(number, x, y)| number < POINTS && x.is_finite() && y.is_finite()),
            "a reference point is out of range",
        )?;
        require(self.thresholds.is_valid(), "the thresholds make no sense")
    }
}

/// Fit for a file name on every system and for an id that people read: no separator, no surprise (D8).
fn is_word(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILTIN: &str = super::super::builtin::MANIFEST;

    #[test]
    fn the_builtin_manifest_is_valid_and_uses_33_points() {
        let manifest = Manifest::parse(BUILTIN).unwrap();
        let (numbers, places) = manifest.recogniser.reference_points();
        assert_eq!(numbers.len(), 33);
        assert!(places.iter().flatten().all(|&place| (0.0..150.0).contains(&place)));
        assert!(manifest.id().starts_with("face-api@"));
    }

    #[test]
    fn d8_file_names_that_leave_the_folder_are_refused() {
        for name in ["../secret", "/etc/passwd", "a\\\\b", "", ".hidden", "LOUD"] {
            let text = BUILTIN.replacen("detector.onnx", name, 1);
            assert!(matches!(Manifest::parse(&text), Err(PackError::Invalid(_))), "{name}");
        }
    }

    #[test]
    fn d7_values_out_of_range_are_refused() {
        for (from, to) in [
            ("input = 512", "input = 100000"),
            ("dimensions = 128", "dimensions = 0"),
            ("min_score = 0.5", "min_score = nan"),
            ("padding = 0.25", "padding = -1.0"),
            ("format = 1", "format = 2"),
            ("[27, ", "[68, "),
        ] {
            let text = BUILTIN.replacen(from, to, 1);
            assert_ne!(text, BUILTIN, "{from} is not in pack.toml");
            assert!(matches!(Manifest::parse(&text), Err(PackError::Invalid(_))), "{to}");
        }
    }

    #[test]
    fn unknown_fields_and_missing_fields_are_refused() {
        assert!(matches!(Manifest::parse(&format!("surprise = 1\n{BUILTIN}")), Err(PackError::Manifest(_))));
        assert!(matches!(Manifest::parse(&BUILTIN.replacen("licence", "license", 1)), Err(PackError::Manifest(_))));
    }
}
