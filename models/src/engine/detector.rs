//! The detector: boxes around faces.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::EngineError;
use super::network::Network;
use crate::Rect;
use crate::limits::{MAX_CANDIDATES, MAX_FACES};
use crate::pack::{Detector as Spec, DetectorKind};
use crate::pixels::{Fit, fit_square};

/// A box that the detector takes for a face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Where, within the photo.
    pub rect: Rect,
    /// How sure, 0..1.
    pub score: f32,
}

pub(super) struct Detector {
    network: Network,
    side: usize,
    min_score: f32,
    max_overlap: f32,
}

impl Detector {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let DetectorKind::Ssd = spec.kind;
        let outputs: [(&str, &[usize]); 2] = [("boxes", &[1, spec.boxes, 4]), ("scores", &[1, spec.boxes])];
        let network = Network::load(&spec.file, onnx, spec.input, &outputs)?;
        Ok(Self { network, side: spec.input, min_score: spec.min_score, max_overlap: spec.max_overlap })
    }

    /// Faces of the whole photo, the surest first, at most [`MAX_FACES`].
    pub(super) fn detect(&self, image: &RgbImage) -> Result<Vec<Detection>, EngineError> {
        let whole = Rect { x: 0.0, y: 0.0, w: image.width() as f32, h: image.height() as f32 };
        Ok(suppress(self.look(image, whole)?, self.max_overlap))
    }

    /// Every box above the least score in one region of the photo.
    fn look(&self, image: &RgbImage, region: Rect) -> Result<Vec<Detection>, EngineError> {
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
                found.push(Detection { rect, score });
            }
        }
        Ok(found)
    }
}

/// Keeps the best of each set of boxes that overlap, the surest first.
fn suppress(mut candidates: Vec<Detection>, max_overlap: f32) -> Vec<Detection> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(MAX_CANDIDATES);
    let mut kept: Vec<Detection> = Vec::new();
    for candidate in candidates {
        if kept.len() == MAX_FACES {
            break;
        }
        if kept.iter().all(|better| better.rect.overlap(&candidate.rect) <= max_overlap) {
            kept.push(candidate);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn detection() -> impl Strategy<Value = Detection> {
        (0.0..100.0_f32, 0.0..100.0_f32, 1.0..50.0_f32, 1.0..50.0_f32, 0.0..1.0_f32)
            .prop_map(|(x, y, w, h, score)| Detection { rect: Rect { x, y, w, h }, score })
    }

    proptest! {
        #[test]
        fn kept_boxes_overlap_little_and_every_other_box_has_a_better_one(
            candidates in proptest::collection::vec(detection(), 0..60)
        ) {
            let kept = suppress(candidates.clone(), 0.5);
            for (at, a) in kept.iter().enumerate() {
                prop_assert!(candidates.contains(a));
                prop_assert!(kept[..at].iter().all(|b| b.rect.overlap(&a.rect) <= 0.5 && b.score >= a.score));
            }
            for candidate in &candidates {
                let covered = kept.iter().any(|k| k == candidate || (k.rect.overlap(&candidate.rect) > 0.5 && k.score >= candidate.score));
                prop_assert!(covered);
            }
        }
    }

    #[test]
    fn d7_no_more_than_the_limit_is_kept() {
        let apart = |at: usize| Detection { rect: Rect { x: 10.0 * at as f32, y: 0.0, w: 5.0, h: 5.0 }, score: 0.9 };
        assert_eq!(suppress((0..5000).map(apart).collect(), 0.5).len(), MAX_FACES);
    }
}
