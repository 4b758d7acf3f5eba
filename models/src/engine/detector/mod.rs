//! The detector: boxes around faces.
//!
//! [`Detector::look`] is the one primitive: every box in one region of a photo, as often and in whichever regions a search wants; overlapping
//! boxes of one or of several looks are then made one by [`Detector::suppress`].

mod shapes;
mod ssd;
mod yunet;

use std::time::Duration;

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::EngineError;
use crate::Rect;
use crate::limits::{MAX_CANDIDATES, MAX_FACES};
use crate::pack::{Detector as Spec, DetectorKind};
use ssd::Ssd;
use yunet::Yunet;

/// A box that the detector takes for a face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Where, within the photo.
    pub rect: Rect,
    /// How sure, 0..1.
    pub score: f32,
    /// In pixels of the photo, from detectors that give them: the eye on the left of the image, the one on the right, the tip of the nose, the
    /// corner of the mouth on the left, the one on the right.
    pub points: Option<[[f32; 2]; 5]>,
}

pub(super) struct Detector {
    kind: Kind,
    max_overlap: f32,
}

enum Kind {
    Ssd(Box<Ssd>),
    Yunet(Box<Yunet>),
}

impl Detector {
    pub(super) fn load(spec: &Spec, onnx: &[u8]) -> Result<Self, EngineError> {
        let kind = match spec.kind {
            DetectorKind::Ssd => Kind::Ssd(Box::new(Ssd::load(spec, onnx)?)),
            DetectorKind::Yunet => Kind::Yunet(Box::new(Yunet::load(spec, onnx)?)),
        };
        Ok(Self { kind, max_overlap: spec.max_overlap })
    }

    /// Every box above the least score in one region of the photo, in no order and with overlaps; none for a region without a pixel.
    pub(super) fn look(&self, image: &RgbImage, region: Rect) -> Result<Vec<Detection>, EngineError> {
        match &self.kind {
            Kind::Ssd(ssd) => ssd.look(image, region),
            Kind::Yunet(yunet) => yunet.look(image, region),
        }
    }

    /// Of a look at a square.
    pub(super) fn time(&self) -> Result<(String, Duration), EngineError> {
        match &self.kind {
            Kind::Ssd(ssd) => ssd.shapes.time(),
            Kind::Yunet(yunet) => yunet.shapes.time(),
        }
    }

    /// Keeps the best of each set of boxes that overlap, the surest first, at most [`MAX_FACES`].
    pub(super) fn suppress(&self, candidates: Vec<Detection>) -> Vec<Detection> {
        suppress(candidates, self.max_overlap)
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
            .prop_map(|(x, y, w, h, score)| Detection { rect: Rect { x, y, w, h }, score, points: None })
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
        let rect = |at: usize| Rect { x: 10.0 * at as f32, y: 0.0, w: 5.0, h: 5.0 };
        let apart = |at: usize| Detection { rect: rect(at), score: 0.9, points: None };
        assert_eq!(suppress((0..5000).map(apart).collect(), 0.5).len(), MAX_FACES);
    }
}
