//! SSD on MobileNet: one square input, boxes and scores out.

use image::RgbImage;

use super::Detection;
use crate::Rect;
use crate::engine::EngineError;
use crate::engine::network::Network;
use crate::pack::Detector as Spec;
use crate::pixels::{Fit, fit_square};

pub(super) struct Ssd {
    network: Network,
    side: usize,
    min_score: f32,
}

impl Ssd {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let outputs: [(&str, &[usize]); 2] = [("boxes", &[1, spec.boxes, 4]), ("scores", &[1, spec.boxes])];
        let network = Network::load(&spec.file, onnx, spec.input, spec.pixels.into(), &outputs)?;
        Ok(Self { network, side: spec.input, min_score: spec.min_score })
    }

    pub(super) fn look(&self, image: &RgbImage, region: Rect) -> Result<Vec<Detection>, EngineError> {
        let Some((planes, placement)) = fit_square(image, region, self.side, Fit::Start) else { return Ok(Vec::new()) };
        let [boxes, scores] = self.network.run(&planes)?;
        let side = self.side as f32;
        let mut found = Vec::new();
        for (corners, score) in boxes.as_chunks::<4>().0.iter().zip(scores) {
            if score <= self.min_score {
                continue;
            }
            let [top, left, bottom, right] = corners.map(|fraction| fraction * side);
            let [left, top] = placement.to_source([left, top]);
            let [right, bottom] = placement.to_source([right, bottom]);
            let rect = Rect::from_corners(left, top, right, bottom).within(image.width(), image.height());
            if rect.w >= 1.0 && rect.h >= 1.0 {
                found.push(Detection { rect, score, points: None });
            }
        }
        Ok(found)
    }
}
