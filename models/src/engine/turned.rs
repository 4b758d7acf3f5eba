//! Turned and scaled copies of a part of a photo, and the way back.

use image::RgbImage;

use crate::pixels::warp;
use crate::{Rect, Similarity};

/// A square part of a photo, turned and scaled; black where the photo ends.
pub(super) struct TurnedCopy {
    pub(super) image: RgbImage,
    to_copy: Similarity,
}

impl TurnedCopy {
    /// The square around `centre` whose sides are `side` pixels of the photo long, turned clockwise by `degrees`, as `pixels` times `pixels`.
    /// `None` when nothing of the photo is in it.
    pub(super) fn cut(photo: &RgbImage, centre: [f32; 2], side: f32, degrees: f32, pixels: usize) -> Option<Self> {
        let middle = pixels as f32 / 2.0;
        let to_copy = Similarity::turning(degrees, pixels as f32 / side, centre, [middle; 2]);
        Some(Self { image: warp(photo, &to_copy, pixels)?.to_image(), to_copy })
    }

    /// The whole photo.
    pub(super) fn whole(photo: &RgbImage, degrees: f32, pixels: usize) -> Option<Self> {
        let (width, height) = (photo.width() as f32, photo.height() as f32);
        let (sin, cos) = degrees.to_radians().sin_cos();
        let side = (width * cos.abs() + height * sin.abs()).max(width * sin.abs() + height * cos.abs());
        Self::cut(photo, [width / 2.0, height / 2.0], side, degrees, pixels)
    }

    /// By how much lengths grew.
    pub(super) fn scale(&self) -> f32 {
        self.to_copy.scale()
    }

    /// Where a point of the copy lies in the photo.
    pub(super) fn point_back(&self, point: [f32; 2]) -> [f32; 2] {
        self.to_copy.inverse().apply(point)
    }

    /// Around the same face in the photo: the same middle and, since a face is about as high as wide, the same size.
    pub(super) fn rect_back(&self, rect: Rect) -> Rect {
        Rect::around(self.point_back(rect.centre()), rect.w / self.scale(), rect.h / self.scale())
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn the_way_back_leads_to_the_same_pixel() {
        let mut photo = RgbImage::new(60, 40);
        for (x, y) in [(44, 9), (45, 9), (44, 10), (45, 10)] {
            photo.put_pixel(x, y, Rgb([255; 3]));
        }
        for degrees in [0.0, 90.0, 180.0, 270.0, 30.0, -45.0] {
            let copy = TurnedCopy::whole(&photo, degrees, 200).unwrap();
            let (x, y, _) = copy.image.enumerate_pixels().max_by_key(|(_, _, pixel)| pixel.0[0]).unwrap();
            let rect = copy.rect_back(Rect::around([x as f32 + 0.5, y as f32 + 0.5], 20.0, 20.0));
            let [x, y] = rect.centre();
            assert!((x - 45.0).abs() < 1.5 && (y - 10.0).abs() < 1.5, "{degrees}: {rect:?}");
            assert!((rect.w - 20.0 / copy.scale()).abs() < 1e-3);
        }
    }

    #[test]
    fn a_square_beside_the_photo_has_no_copy() {
        assert!(TurnedCopy::cut(&RgbImage::new(20, 20), [500.0, 500.0], 10.0, 30.0, 16).is_none());
        assert!(TurnedCopy::whole(&RgbImage::new(0, 0), 90.0, 16).is_none());
    }
}
