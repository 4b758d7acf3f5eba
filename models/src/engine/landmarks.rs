//! The landmark net: 68 points within a box.

use std::time::Duration;

use image::RgbImage;

use super::EngineError;
use super::network::Network;
use crate::Rect;
use crate::pack::Landmarks as Spec;
use crate::pixels::{Fit, fit_square};

/// Two numbers for each of 68 points.
const OUTPUTS: usize = 136;

/// The box of the second look reaches this far beyond the outermost points, in shares of their width and height: at the sides, at the top
/// (the points end at the brows), at the bottom. Of six margins tried, those that came closest to the points of an independent program.
const MARGIN_SIDE: f32 = 0.1;
const MARGIN_TOP: f32 = 0.3;
const MARGIN_BOTTOM: f32 = 0.05;

pub(super) struct Landmarks {
    network: Network,
    side: usize,
}

impl Landmarks {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let network = Network::load(&spec.file, onnx, spec.input, spec.pixels.into(), &[("points", &[1, OUTPUTS])])?;
        Ok(Self { network, side: spec.input })
    }

    /// The points in pixels of the photo; some may lie outside the box. `None` when the box has no pixel in the photo.
    ///
    /// Two looks: the detector's boxes of faces that are turned or half hidden are often off, and the points with them. The second look is
    /// at the box around the points of the first.
    pub(super) fn place(&self, image: &RgbImage, rect: Rect) -> Result<Option<Vec<[f32; 2]>>, EngineError> {
        let Some(points) = self.look(image, rect)? else { return Ok(None) };
        Ok(self.look(image, around(&points))?.or(Some(points)))
    }

    pub(super) fn time(&self) -> Result<(String, Duration), EngineError> {
        self.network.time()
    }

    fn look(&self, image: &RgbImage, rect: Rect) -> Result<Option<Vec<[f32; 2]>>, EngineError> {
        let Some((planes, placement)) = fit_square(image, rect, self.side, Fit::Centre) else { return Ok(None) };
        let [fractions] = self.network.run(&planes)?;
        let side = self.side as f32;
        let points = fractions.as_chunks::<2>().0.iter();
        Ok(Some(points.map(|point| placement.to_source(point.map(|fraction| fraction * side))).collect()))
    }
}

/// The box of a face with these points.
fn around(points: &[[f32; 2]]) -> Rect {
    let (mut left, mut top, mut right, mut bottom) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    for &[x, y] in points {
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
    }
    let (width, height) = (right - left, bottom - top);
    Rect::from_corners(
        left - MARGIN_SIDE * width,
        top - MARGIN_TOP * height,
        right + MARGIN_SIDE * width,
        bottom + MARGIN_BOTTOM * height,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_of_a_face_reaches_above_its_brows() {
        let rect = around(&[[10.0, 50.0], [110.0, 70.0], [60.0, 150.0]]);
        let sides = [rect.x, rect.y, rect.w, rect.h];
        assert!(
            sides.iter().zip([0.0, 20.0, 120.0, 135.0]).all(|(side, wanted)| (side - wanted).abs() < 1e-3),
            "{rect:?}"
        );
    }
}
