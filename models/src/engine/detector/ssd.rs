//! SSD on MobileNet: boxes and scores, from a square input or, where the file takes one, an input of 4:3.

use image::RgbImage;

use super::Detection;
use super::shapes::{Shapes, with_oblong};
use crate::Rect;
use crate::engine::EngineError;
use crate::engine::network::Source;
use crate::pack::Detector as Spec;
use crate::pixels::{Fit, fit};

pub(super) struct Ssd {
    pub(super) shapes: Shapes,
    /// Boxes are fractions of it, in both directions and for every shape of input.
    side: f32,
    min_score: f32,
}

impl Ssd {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let square = [spec.input, spec.input];
        let sizes = if spec.oblong_boxes == 0 { vec![square] } else { with_oblong(spec.input) };
        let outputs = |size| {
            let boxes = if size == square { spec.boxes } else { spec.oblong_boxes };
            vec![("boxes".to_owned(), vec![1, boxes, 4]), ("scores".to_owned(), vec![1, boxes])]
        };
        let shapes = Shapes::load(Source::parse(&spec.file, onnx)?, spec.pixels.into(), sizes, outputs)?;
        Ok(Self { shapes, side: spec.input as f32, min_score: spec.min_score })
    }

    pub(super) fn look(&self, image: &RgbImage, region: Rect) -> Result<Vec<Detection>, EngineError> {
        let visible = region.within(image.width(), image.height());
        let Some((size, network)) = self.shapes.suiting(&visible)? else { return Ok(Vec::new()) };
        let Some((planes, placement)) = fit(image, region, size, Fit::Start) else { return Ok(Vec::new()) };
        let [boxes, scores] = network.run(&planes)?;
        let mut found = Vec::new();
        for (corners, score) in boxes.as_chunks::<4>().0.iter().zip(scores) {
            if score <= self.min_score {
                continue;
            }
            let [top, left, bottom, right] = corners.map(|fraction| fraction * self.side);
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
