//! A photo on its side or upside down, and the way back for the faces that were found in it.

use image::{RgbImage, imageops};

use super::Face;
use crate::Rect;

/// By how much a photo is turned, clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Quarter,
    ThreeQuarters,
    Half,
}

impl Turn {
    /// The likelier first: phones are held on their side more often than upside down.
    pub(super) const ALL: [Self; 3] = [Self::Quarter, Self::ThreeQuarters, Self::Half];

    pub(super) fn apply(self, image: &RgbImage) -> RgbImage {
        match self {
            Self::Quarter => imageops::rotate90(image),
            Self::ThreeQuarters => imageops::rotate270(image),
            Self::Half => imageops::rotate180(image),
        }
    }

    /// The face as it lies in the photo before the turn, which had this size.
    pub(super) fn undo(self, mut face: Face, width: u32, height: u32) -> Face {
        let (width, height) = (width as f32, height as f32);
        let back = |[x, y]: [f32; 2]| match self {
            Self::Quarter => [y, height - x],
            Self::ThreeQuarters => [width - y, x],
            Self::Half => [width - x, height - y],
        };
        let [a, b] = [[face.rect.x, face.rect.y], [face.rect.right(), face.rect.bottom()]].map(back);
        face.rect = Rect::from_corners(a[0].min(b[0]), a[1].min(b[1]), a[0].max(b[0]), a[1].max(b[1]));
        face.landmarks = face.landmarks.into_iter().map(back).collect();
        face
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::{Embedding, Quality};

    #[test]
    fn undoing_a_turn_leads_back_to_the_same_pixel() {
        let mut image = RgbImage::new(7, 4);
        image.put_pixel(5, 1, Rgb([255; 3]));
        for turn in Turn::ALL {
            let turned = turn.apply(&image);
            let (x, y, _) = turned.enumerate_pixels().find(|(_, _, pixel)| pixel.0[0] == 255).unwrap();
            let (x, y) = (x as f32, y as f32);
            let face = Face {
                rect: Rect { x, y, w: 1.0, h: 1.0 },
                score: 1.0,
                landmarks: vec![[x + 0.5, y + 0.5]],
                quality: Quality { width_px: 1.0, sharpness: 0.0, frontality: 0.0, score: 0.0 },
                embedding: Embedding(vec![]),
            };
            let back = turn.undo(face, 7, 4);
            assert_eq!(back.rect, Rect { x: 5.0, y: 1.0, w: 1.0, h: 1.0 }, "{turn:?}");
            assert_eq!(back.landmarks, [[5.5, 1.5]], "{turn:?}");
        }
    }
}
