//! The recogniser: aligns a face to the reference chip and embeds it.

use image::RgbImage;

use super::network::Network;
use super::{Embedding, EngineError};
use crate::Similarity;
use crate::pack::Recogniser as Spec;
use crate::pixels::{Planes, warp};

pub(super) struct Recogniser {
    network: Network,
    side: usize,
    mirrored: bool,
    numbers: Vec<usize>,
    places: Vec<[f32; 2]>,
}

impl Recogniser {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let network = Network::load(&spec.file, onnx, spec.input, &[("descriptor", &[1, spec.dimensions])])?;
        let (numbers, places) = spec.reference_points();
        Ok(Self { network, side: spec.input, mirrored: spec.mirrored, numbers, places })
    }

    /// The upright, scaled face. `None` when the landmarks coincide or lie outside the photo.
    pub(super) fn align(&self, image: &RgbImage, landmarks: &[[f32; 2]]) -> Option<Planes> {
        let chosen: Option<Vec<[f32; 2]>> = self.numbers.iter().map(|&number| landmarks.get(number).copied()).collect();
        warp(image, &Similarity::fit(&chosen?, &self.places)?, self.side)
    }

    /// Where the chip lies in feature space; with `mirrored`, the mean of the chip and its mirror image.
    pub(super) fn embed(&self, chip: &Planes) -> Result<Embedding, EngineError> {
        let [mut embedding] = self.network.run(chip)?;
        if self.mirrored {
            let [mirrored] = self.network.run(&chip.mirrored())?;
            embedding.iter_mut().zip(mirrored).for_each(|(number, other)| *number = (*number + other) / 2.0);
        }
        Ok(Embedding(embedding))
    }
}
