//! Which labelled faces were found, and which boxes are none.

use serde::Serialize;

use super::labels::LabelledBox;
use crate::{Face, Rect};

/// Labels and boxes that overlap by this much are one face.
const SAME_FACE: f32 = 0.4;

/// Found and false boxes of a folder.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Detections {
    /// Labelled faces, without those to be ignored.
    pub wanted: usize,
    /// Those of them that were found.
    pub found: usize,
    /// Boxes that are no labelled face.
    pub false_boxes: usize,
    /// Photos with a face that was missed or a false box: name, wanted, found, false boxes.
    pub imperfect: Vec<(String, usize, usize, usize)>,
}

impl Detections {
    /// Counts one photo; the boxes are where the labels lie in the photo as it was looked at.
    pub(super) fn count(&mut self, name: &str, labels: &[LabelledBox], boxes: &[Rect], faces: &[Face]) {
        let is = |label: &Rect, face: &Face| is_face(label, &face.rect);
        let wanted: Vec<&Rect> =
            labels.iter().zip(boxes).filter(|(label, _)| !label.ignore).map(|(_, rect)| rect).collect();
        let found = wanted.iter().filter(|rect| faces.iter().any(|face| is(rect, face))).count();
        let false_boxes = faces.iter().filter(|face| !boxes.iter().any(|rect| is(rect, face))).count();
        self.wanted += wanted.len();
        self.found += found;
        self.false_boxes += false_boxes;
        if found < wanted.len() || false_boxes > 0 {
            self.imperfect.push((name.to_owned(), wanted.len(), found, false_boxes));
        }
    }
}

/// Labels are tight: a face is also found when the middles are within half a box.
fn is_face(label: &Rect, face: &Rect) -> bool {
    let ([x, y], [label_x, label_y]) = (face.centre(), label.centre());
    (x - label_x).hypot(y - label_y) <= label.w.max(label.h) / 2.0 || label.overlap(face) >= SAME_FACE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Embedding, Quality};

    fn face(x: f32) -> Face {
        Face {
            rect: Rect { x, y: 0.0, w: 20.0, h: 20.0 },
            score: 0.9,
            landmarks: vec![],
            quality: Quality { width_px: 20.0, sharpness: 0.0, frontality: 0.0, score: 0.0 },
            embedding: Embedding(vec![]),
        }
    }

    #[test]
    fn ignored_labels_are_neither_wanted_nor_wrong() {
        let rects: Vec<Rect> = [0.0, 100.0, 200.0].map(|x| face(x).rect).to_vec();
        let labels: Vec<LabelledBox> =
            rects.iter().enumerate().map(|(at, rect)| LabelledBox { rect: *rect, ignore: at == 2 }).collect();
        let mut counted = Detections::default();
        counted.count("a", &labels, &rects, &[face(4.0), face(203.0), face(500.0)]);
        counted.count("b", &[], &[], &[]);
        assert_eq!((counted.wanted, counted.found, counted.false_boxes), (2, 1, 1));
        assert_eq!(counted.imperfect, [("a".to_owned(), 2, 1, 1)]);
    }
}
