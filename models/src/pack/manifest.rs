//! `pack.toml`: what is in a pack, how its networks are fed, and what its distances mean.

use serde::Deserialize;

use super::thresholds::Thresholds;
use super::{PackError, PackFile};
use crate::limits::{
    MAX_CENTRE_BYTES, MAX_EMBEDDING, MAX_INPUT_SIDE, MAX_LICENCE_BYTES, MAX_NETWORK_BYTES, MAX_URL_BYTES,
};

/// The only layout of `pack.toml` so far.
const FORMAT: u32 = 1;

/// Raised whenever the code around the networks changes what an embedding is, so that old and new ones never compare.
const PIPELINE: u8 = 1;

/// Points of the landmark net.
const POINTS: usize = 68;

/// Points of the detectors that give any, and of the alignment by them.
const FIVE: usize = 5;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) licence: String,
    pub(crate) provenance: String,
    pub(crate) detector: Detector,
    /// Absent in packs that align by the detector's five points.
    pub(crate) landmarks: Option<Landmarks>,
    pub(crate) recogniser: Recogniser,
    /// Absent in packs whose embeddings have no common direction: zero then.
    pub(crate) centre: Option<Centre>,
    pub(crate) thresholds: Thresholds,
}

/// How pixels are put before a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pixels {
    /// Red, green, blue planes, 0 to 255.
    RgbBytes,
    /// Blue, green, red planes, 0 to 255.
    BgrBytes,
}

impl Pixels {
    /// Which of red, green and blue (0, 1, 2) each plane holds.
    pub(crate) fn channels(self) -> [usize; 3] {
        match self {
            Self::RgbBytes => [0, 1, 2],
            Self::BgrBytes => [2, 1, 0],
        }
    }
}

/// What a detector puts out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DetectorKind {
    /// `boxes` (ymin, xmin, ymax, xmax as fractions of the square's side) and `scores`; the photo lies at the top left of the input.
    Ssd,
    /// For each of the strides 8, 16 and 32: `cls`, `obj`, `bbox` and `kps` of every cell, in pixels of the input; five points with each box.
    Yunet,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Detector {
    pub(crate) kind: DetectorKind,
    pub(crate) file: String,
    pub(crate) blake3: String,
    /// Where the file can be downloaded from.
    pub(crate) url: Option<String>,
    /// Pixels along the longer side of the input.
    pub(crate) input: usize,
    pub(crate) pixels: Pixels,
    /// Boxes that the net puts out for the square input; 0 for [`DetectorKind::Yunet`], where the input's size says it.
    #[serde(default)]
    pub(crate) boxes: usize,
    /// Boxes for an input of 4:3, upright or on its side; 0 when the file takes the square only, and for [`DetectorKind::Yunet`].
    #[serde(default)]
    pub(crate) oblong_boxes: usize,
    /// Least score of a face.
    pub(crate) min_score: f32,
    /// Score from which a face is beyond doubt: a photo with none is looked at again. As `min_score` when absent.
    #[serde(default)]
    clear_score: Option<f32>,
    /// Least score of a box that is worth a second look. As `min_score` when absent.
    #[serde(default)]
    hint_score: Option<f32>,
    /// Two boxes that overlap by more than this are one face.
    pub(crate) max_overlap: f32,
}

impl Detector {
    pub(crate) fn clear_score(&self) -> f32 {
        self.clear_score.unwrap_or(self.min_score)
    }

    /// The same detector, showing every box down to hints.
    pub(crate) fn with_hints(&self) -> Self {
        Self { min_score: self.hint_score(), ..self.clone() }
    }

    fn hint_score(&self) -> f32 {
        self.hint_score.unwrap_or(self.min_score)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Landmarks {
    pub(crate) file: String,
    pub(crate) blake3: String,
    /// Where the file can be downloaded from.
    pub(crate) url: Option<String>,
    pub(crate) input: usize,
    pub(crate) pixels: Pixels,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recogniser {
    pub(crate) file: String,
    pub(crate) blake3: String,
    /// Where the file can be downloaded from.
    pub(crate) url: Option<String>,
    pub(crate) input: usize,
    pub(crate) pixels: Pixels,
    /// Taken off each pixel value before it is multiplied by `scale`.
    #[serde(default)]
    pub(crate) mean: f32,
    #[serde(default = "unchanged")]
    pub(crate) scale: f32,
    /// Name of the output.
    #[serde(default = "descriptor")]
    pub(crate) output: String,
    pub(crate) dimensions: usize,
    #[serde(default)]
    pub(crate) metric: Metric,
    /// Whether an embedding is the mean of the face and its mirror image.
    pub(crate) mirrored: bool,
    #[serde(default)]
    pub(crate) alignment: Alignment,
    /// Margin around the reference points on each side, as a fraction of their square.
    #[serde(default)]
    padding: f32,
    /// Where chosen points lie in a face chip without margin, as `[number, x, y]` with x and y as fractions of its side. Absent with five
    /// points: those published for ArcFace.
    #[serde(default)]
    reference: Vec<(usize, f32, f32)>,
}

/// What a distance of embeddings is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metric {
    /// The length of the difference.
    #[default]
    Euclidean,
    /// One minus the cosine of the angle. Embeddings are scaled to length 1, so that the length of the difference says the same.
    Cosine,
}

/// Which points a face is aligned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Alignment {
    /// The 68 of the landmark net.
    #[default]
    Landmarks,
    /// Both eyes, the tip of the nose and both corners of the mouth: of the landmark net, or of the detector where there is none.
    FivePoints,
}

/// The five points in the chip that ArcFace and its kin are trained on, in pixels of its 112 x 112 (insightface, `face_align.py`).
const ARCFACE: [[f32; 2]; FIVE] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];
const ARCFACE_SIDE: f32 = 112.0;

fn unchanged() -> f32 {
    1.0
}

fn descriptor() -> String {
    "descriptor".to_owned()
}

impl Recogniser {
    /// Numbers of the points that alignment uses, and their places in the chip in pixels.
    pub(crate) fn reference_points(&self) -> (Vec<usize>, Vec<[f32; 2]>) {
        let side = self.input as f32;
        if self.reference.is_empty() {
            return ARCFACE.iter().map(|point| point.map(|at| at / ARCFACE_SIDE * side)).enumerate().unzip();
        }
        let place = |fraction: f32| (self.padding + fraction) / (2.0 * self.padding + 1.0) * side;
        self.reference.iter().map(|&(number, x, y)| (number, [place(x), place(y)])).unzip()
    }

    fn check(&self, has_landmarks: bool, has_five: bool) -> Result<(), PackError> {
        require((1..=MAX_EMBEDDING).contains(&self.dimensions), "recogniser.dimensions is out of range")?;
        require((0.0..=2.0).contains(&self.padding), "recogniser.padding is out of range")?;
        require(self.mean.is_finite() && self.mean.abs() <= 255.0, "recogniser.mean must be between -255 and 255")?;
        require(self.scale > 0.0 && self.scale <= 1.0, "recogniser.scale must be above 0 and at most 1")?;
        require((1..=64).contains(&self.output.len()), "recogniser.output must be 1 to 64 bytes long")?;
        let points = match self.alignment {
            Alignment::Landmarks => {
                require(has_landmarks, "alignment by landmarks needs a section [landmarks]")?;
                require(!self.reference.is_empty(), "alignment by landmarks needs recogniser.reference")?;
                POINTS
            }
            Alignment::FivePoints => {
                let absent = "alignment by five points needs a section [landmarks] or a detector of the kind yunet";
                require(has_landmarks || has_five, absent)?;
                let sized = !self.reference.is_empty() || self.padding == 0.0;
                require(sized, "recogniser.padding needs recogniser.reference")?;
                FIVE
            }
        };
        let reference = &self.reference;
        require(
            reference.is_empty() || (2..=points).contains(&reference.len()),
            "recogniser.reference has too few or too many points",
        )?;
        require(
            reference.iter().all(|&(number, x, y)| number < points && x.is_finite() && y.is_finite()),
            "a reference point is out of range",
        )
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Centre {
    pub(crate) file: String,
    pub(crate) blake3: String,
    /// Where the file can be downloaded from.
    pub(crate) url: Option<String>,
}

impl Manifest {
    pub(super) fn parse(text: &str) -> Result<Self, PackError> {
        let mut manifest: Self = toml::from_str(text).map_err(|error| PackError::Manifest(Box::new(error)))?;
        manifest.check()?;
        if manifest.recogniser.metric == Metric::Cosine {
            manifest.thresholds = manifest.thresholds.of_unit_vectors()?;
        }
        Ok(manifest)
    }

    /// `name@version-hash`; see [`Pack::id`](super::Pack::id).
    pub(super) fn id(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("inframe pack id 2026");
        let recogniser = &self.recogniser;
        // Where there is no landmark net, the points come from the detector.
        let points = self.landmarks.as_ref().map_or(&self.detector.blake3, |landmarks| &landmarks.blake3);
        let centre = self.centre.as_ref().map_or("", |centre| &centre.blake3);
        for hash in [points, &recogniser.blake3, centre] {
            hasher.update(hash.as_bytes());
        }
        hasher.update(&[PIPELINE, u8::from(recogniser.mirrored)]);
        // Added to the format later: ids of packs that do not use it stay what they were.
        let kinds = [recogniser.pixels as u8, recogniser.metric as u8, recogniser.alignment as u8];
        if kinds != [0; 3] || (recogniser.mean, recogniser.scale) != (0.0, unchanged()) {
            hasher.update(&kinds).update(&recogniser.mean.to_le_bytes()).update(&recogniser.scale.to_le_bytes());
        }
        let (numbers, places) = self.recogniser.reference_points();
        for (number, place) in std::iter::zip(numbers, places) {
            hasher.update(&(number as u64).to_le_bytes());
            place.iter().for_each(|part| _ = hasher.update(&part.to_le_bytes()));
        }
        format!("{}@{}-{}", self.name, self.version, &hasher.finalize().to_hex()[..12])
    }

    /// The files beside `pack.toml`.
    pub(super) fn files(&self) -> Vec<PackFile> {
        let file = |name: &str, blake3: &str, url: &Option<String>, limit| PackFile {
            name: name.to_owned(),
            blake3: blake3.to_owned(),
            url: url.clone(),
            limit,
        };
        let (detector, recogniser) = (&self.detector, &self.recogniser);
        let mut files = vec![file(&detector.file, &detector.blake3, &detector.url, MAX_NETWORK_BYTES)];
        files.extend(self.landmarks.iter().map(|part| file(&part.file, &part.blake3, &part.url, MAX_NETWORK_BYTES)));
        files.push(file(&recogniser.file, &recogniser.blake3, &recogniser.url, MAX_NETWORK_BYTES));
        files.extend(self.centre.iter().map(|part| file(&part.file, &part.blake3, &part.url, MAX_CENTRE_BYTES)));
        files
    }

    fn check(&self) -> Result<(), PackError> {
        require(self.format == FORMAT, "its format is not 1; a newer Inframe may read it")?;
        require(is_word(&self.name) && is_word(&self.version), "name and version must be 1 to 32 of a-z 0-9 . -")?;
        // The id, which begins with the name, is the name of a folder that must be seen.
        require(!self.name.starts_with('.'), "the name must not begin with a dot")?;
        require(
            self.licence.len() <= MAX_LICENCE_BYTES,
            "licence is longer than 200 bytes; name it, and put its text into provenance",
        )?;
        let files = self.files();
        let is_name = |name: &str| is_word(name) && !name.starts_with('.') && name != super::MANIFEST;
        require(
            files.iter().all(|file| is_name(&file.name)),
            "a file name must be 1 to 32 of a-z 0-9 . - and name a file in the pack's own folder",
        )?;
        require(files.iter().all(|file| is_hash(&file.blake3)), "a blake3 must be 64 of 0-9 a-f")?;
        let mut urls = files.iter().filter_map(|file| file.url.as_deref());
        require(urls.all(|url| url.len() <= MAX_URL_BYTES), "a url is longer than 2,000 bytes")?;
        let landmarks = self.landmarks.as_ref().map(|landmarks| landmarks.input);
        let mut inputs = [self.detector.input, self.recogniser.input].into_iter().chain(landmarks);
        require(inputs.all(|side| (16..=MAX_INPUT_SIDE).contains(&side)), "an input side is out of range")?;
        require((0.0..1.0).contains(&self.detector.min_score), "detector.min_score must be between 0 and 1")?;
        let scores = [self.detector.hint_score(), self.detector.min_score, self.detector.clear_score()];
        require(
            scores.is_sorted() && scores.iter().all(|score| (0.0..=1.0).contains(score)),
            "detector scores must be between 0 and 1, hint_score the least and clear_score the most",
        )?;
        require((0.0..=1.0).contains(&self.detector.max_overlap), "detector.max_overlap must be between 0 and 1")?;
        let (boxes, oblong, input) = (self.detector.boxes, self.detector.oblong_boxes, self.detector.input);
        match self.detector.kind {
            DetectorKind::Ssd => {
                require((1..=1_000_000).contains(&boxes) && oblong <= boxes, "the number of boxes is out of range")?;
            }
            DetectorKind::Yunet => {
                require(input.is_multiple_of(32) && input >= 64, "detector.input must be a multiple of 32 from 64 on")?;
                require([boxes, oblong] == [0, 0], "detector.boxes is not for the kind yunet")?;
            }
        }
        self.recogniser.check(landmarks.is_some(), self.detector.kind == DetectorKind::Yunet)?;
        require(self.thresholds.is_valid(), "the thresholds make no sense")
    }
}

pub(super) fn require(holds: bool, otherwise: &'static str) -> Result<(), PackError> {
    if holds { Ok(()) } else { Err(PackError::Invalid(otherwise)) }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
            ("hint_score = 0.1", "hint_score = 0.6"),
            ("clear_score = 0.95", "clear_score = 0.4"),
            ("padding = 0.25", "padding = -1.0"),
            ("format = 1", "format = 2"),
            ("name = \"face-api\"", "name = \".new-1\""),
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
