//! The recogniser: aligns a face to the reference chip and embeds it.

use std::time::Duration;

use image::RgbImage;

use super::lie::Lie;
use super::network::{Feed, Network};
use super::{Embedding, EngineError, five_points};
use crate::Similarity;
use crate::pack::{Alignment, Metric, Recogniser as Spec};
use crate::pixels::{Planes, warp};

/// Shorter outputs have no direction worth the name.
const LEAST_LENGTH: f32 = 1e-6;

pub(super) struct Recogniser {
    network: Network,
    file: String,
    side: usize,
    mirrored: bool,
    metric: Metric,
    alignment: Alignment,
    numbers: Vec<usize>,
    places: Vec<[f32; 2]>,
}

impl Recogniser {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let outputs: [(&str, &[usize]); 1] = [(&spec.output, &[1, spec.dimensions])];
        let feed = Feed { pixels: spec.pixels, mean: spec.mean, scale: spec.scale };
        let network = Network::load(&spec.file, onnx, spec.input, feed, &outputs)?;
        let (numbers, places) = spec.reference_points();
        Ok(Self {
            network,
            file: spec.file.clone(),
            side: spec.input,
            mirrored: spec.mirrored,
            metric: spec.metric,
            alignment: spec.alignment,
            numbers,
            places,
        })
    }

    pub(super) fn time(&self) -> Result<(String, Duration), EngineError> {
        self.network.time()
    }

    /// The upright, scaled face. `None` when the landmarks coincide or lie outside the photo.
    pub(super) fn align(&self, image: &RgbImage, landmarks: &[[f32; 2]]) -> Option<Planes> {
        warp(image, &Similarity::fit(&self.chosen(landmarks)?, &self.places)?, self.side)
    }

    /// The points that alignment uses.
    fn chosen(&self, landmarks: &[[f32; 2]]) -> Option<Vec<[f32; 2]>> {
        let five;
        let points = match self.alignment {
            Alignment::Landmarks => landmarks,
            Alignment::FivePoints => {
                five = five_points(landmarks)?;
                &five
            }
        };
        self.numbers.iter().map(|&number| points.get(number).copied()).collect()
    }

    /// How the face lies in the photo, from the points that alignment uses. `None` when they coincide.
    pub(super) fn lie(&self, landmarks: &[[f32; 2]]) -> Option<Lie> {
        Lie::measure(&self.chosen(landmarks)?, &self.places, self.side)
    }

    /// Where the chip lies in feature space; with `mirrored`, the mean of the chip and its mirror image. Of length 1 where the metric is the
    /// cosine.
    pub(super) fn embed(&self, chip: &Planes) -> Result<Embedding, EngineError> {
        let [mut embedding] = self.network.run(chip)?;
        if self.mirrored {
            let [mirrored] = self.network.run(&chip.mirrored())?;
            embedding.iter_mut().zip(mirrored).for_each(|(number, other)| *number = (*number + other) / 2.0);
        }
        if self.metric == Metric::Cosine {
            let length = embedding.iter().map(|number| number * number).sum::<f32>().sqrt();
            if !(LEAST_LENGTH..f32::INFINITY).contains(&length) {
                return Err(EngineError::NoDirection { file: self.file.clone() });
            }
            embedding.iter_mut().for_each(|number| *number /= length);
        }
        Ok(Embedding(embedding))
    }
}
