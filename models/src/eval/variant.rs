//! Photos made harder: turned, shrunk, pasted into a larger frame. The labelled boxes go with them.

use image::{Rgb, RgbImage, imageops};
use serde::Serialize;

use super::EvalError;
use crate::limits::MAX_EVAL_SIDE;
use crate::pixels::warp;
use crate::{Rect, Similarity, photo};

/// What is around a pasted or turned photo.
const GREY: Rgb<u8> = Rgb([128; 3]);

/// How photos are changed before they are looked at: first shrunk, then turned, then framed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Variant {
    /// Clockwise, in degrees.
    pub turn: f32,
    /// Width in pixels that the middling face of a photo gets.
    pub shrink_to: Option<f32>,
    /// Width and height in pixels of a plain frame that the photo is pasted into the middle of.
    pub frame: Option<(u32, u32)>,
}

/// A photo with the labelled boxes in it.
pub(super) struct Placed {
    pub(super) image: RgbImage,
    pub(super) boxes: Vec<Rect>,
}

impl Variant {
    pub(super) fn check(&self) -> Result<(), EvalError> {
        let sides = self.frame.map(|(width, height)| [width, height]);
        if sides.is_some_and(|sides| sides.iter().any(|side| !(1..=MAX_EVAL_SIDE).contains(side))) {
            return Err(EvalError::Variant("a side of the frame must be 1 to 12000 pixels"));
        }
        if self.shrink_to.is_some_and(|width| !(4.0..=1000.0).contains(&width)) {
            return Err(EvalError::Variant("faces can be shrunk to 4 to 1000 pixels"));
        }
        if !(-360.0..=360.0).contains(&self.turn) {
            return Err(EvalError::Variant("photos can be turned by -360 to 360 degrees"));
        }
        Ok(())
    }

    /// Changes one photo; `face_px` is the width of its middling face, by which it is shrunk (never enlarged).
    pub(super) fn apply(&self, placed: Placed, face_px: Option<f32>) -> Placed {
        let scale = self.shrink_to.zip(face_px).map_or(1.0, |(wanted, width)| (wanted / width).min(1.0));
        framed(turned(scaled(placed, scale), self.turn), self.frame)
    }
}

fn scaled(placed: Placed, scale: f32) -> Placed {
    if scale >= 1.0 {
        return placed;
    }
    let side = |length: u32| ((length as f32 * scale).round() as u32).max(1);
    let (width, height) = (side(placed.image.width()), side(placed.image.height()));
    let boxes = placed.boxes.iter().map(|r| Rect { x: r.x * scale, y: r.y * scale, w: r.w * scale, h: r.h * scale });
    let boxes = boxes.collect();
    Placed { image: photo::flatten(photo::resize(&placed.image.into(), width, height)), boxes }
}

/// Boxes keep their size and follow with their middle: faces are about as high as wide.
fn turned(placed: Placed, degrees: f32) -> Placed {
    let degrees = degrees.rem_euclid(360.0);
    if degrees == 0.0 {
        return placed;
    }
    let (width, height) = (placed.image.width() as f32, placed.image.height() as f32);
    let quarter = [
        (90.0, imageops::rotate90 as fn(&RgbImage) -> RgbImage),
        (180.0, imageops::rotate180),
        (270.0, imageops::rotate270),
    ];
    let exact = quarter.into_iter().find(|(quarter, _)| *quarter == degrees).map(|(_, turn)| turn(&placed.image));
    let (sin, cos) = degrees.to_radians().sin_cos();
    let side = (width * cos.abs() + height * sin.abs()).max(width * sin.abs() + height * cos.abs()).ceil();
    let middle = match &exact {
        Some(image) => [image.width() as f32 / 2.0, image.height() as f32 / 2.0],
        None => [side / 2.0; 2],
    };
    let turn = Similarity::turning(degrees, 1.0, [width / 2.0, height / 2.0], middle);
    let image = exact.or_else(|| warp(&placed.image, &turn, side as usize).map(|planes| planes.to_image()));
    let boxes = placed.boxes.iter().map(|r| Rect::around(turn.apply(r.centre()), r.w, r.h)).collect();
    Placed { image: image.unwrap_or_default(), boxes }
}

/// A photo that is larger than the frame is shrunk into it.
fn framed(placed: Placed, frame: Option<(u32, u32)>) -> Placed {
    let Some((width, height)) = frame else { return placed };
    let fits = (width as f32 / placed.image.width() as f32).min(height as f32 / placed.image.height() as f32);
    let placed = scaled(placed, fits);
    let (x, y) = (width.saturating_sub(placed.image.width()) / 2, height.saturating_sub(placed.image.height()) / 2);
    let mut image = RgbImage::from_pixel(width, height, GREY);
    imageops::replace(&mut image, &placed.image, i64::from(x), i64::from(y));
    let boxes = placed.boxes.iter().map(|r| Rect { x: r.x + x as f32, y: r.y + y as f32, ..*r }).collect();
    Placed { image, boxes }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dark photo with a bright square where the box is.
    fn marked() -> Placed {
        let rect = Rect { x: 60.0, y: 10.0, w: 12.0, h: 12.0 };
        let inside = |x: u32, y: u32| (60..72).contains(&x) && (10..22).contains(&y);
        Placed {
            image: RgbImage::from_fn(100, 80, |x, y| Rgb([if inside(x, y) { 255 } else { 0 }; 3])),
            boxes: vec![rect],
        }
    }

    #[test]
    fn boxes_stay_on_what_they_label() {
        for turn in [0.0, 30.0, 90.0, 180.0, 270.0, -30.0] {
            for (shrink_to, frame) in
                [(None, None), (Some(8.0), None), (None, Some((400, 300))), (Some(8.0), Some((90, 70)))]
            {
                let variant = Variant { turn, shrink_to, frame };
                let placed = variant.apply(marked(), Some(12.0));
                let [x, y] = placed.boxes[0].centre();
                assert!(placed.image.get_pixel(x as u32, y as u32).0[0] > 200, "{variant:?} {:?}", placed.boxes);
                if let Some(size) = frame {
                    assert_eq!(placed.image.dimensions(), size);
                }
            }
        }
    }

    #[test]
    fn faces_are_shrunk_and_never_enlarged() {
        let shrunk = |to| Variant { shrink_to: Some(to), ..Variant::default() }.apply(marked(), Some(12.0));
        assert_eq!(shrunk(6.0).image.dimensions(), (50, 40));
        assert_eq!(shrunk(24.0).image.dimensions(), (100, 80));
    }

    #[test]
    fn d7_changes_out_of_range_are_refused() {
        for variant in [
            Variant { turn: f32::NAN, ..Variant::default() },
            Variant { shrink_to: Some(0.0), ..Variant::default() },
            Variant { frame: Some((0, 10)), ..Variant::default() },
            Variant { frame: Some((10, 100_000)), ..Variant::default() },
        ] {
            assert!(matches!(variant.check(), Err(EvalError::Variant(_))), "{variant:?}");
        }
        assert!(Variant::default().check().is_ok());
    }
}
