//! How well a face can be recognised: size, sharpness, and how far it is turned.

use super::{Detection, Quality};
use crate::pixels::Planes;

/// Narrower boxes are no faces that anybody would see. Those up to 20 px are found, and of no worth for recognition.
pub(super) const LEAST_WIDTH_PX: f32 = 7.0;

/// Width in pixels at which a face is worth nothing, and at which size stops to matter: below 40 px strangers of one photo get as close
/// as relatives, above 80 px the distances no longer depend on size.
const WIDTH_PX: (f32, f32) = (20.0, 80.0);

/// Variance of the Laplacian at which a chip is plainly blurred, and at which blur stops to matter.
const SHARPNESS: (f32, f32) = (5.0, 40.0);

/// The middle of the chip, as a fraction of its side: sharpness is that of the face, not of what is behind it.
const MIDDLE: (f32, f32) = (0.2, 0.8);

/// By how much the nose tip is off the middle between the outer eye corners, in distances between them, when the face is in profile.
const PROFILE_SHIFT: f32 = 0.4;

/// As [`PROFILE_SHIFT`] where only the middles of the eyes are known: they are 0.72 of that distance apart in the mean face.
const PROFILE_SHIFT_EYES: f32 = PROFILE_SHIFT / 0.72;

/// Landmarks: outer eye corners and nose tip.
const RIGHT_EYE: usize = 36;
const LEFT_EYE: usize = 45;
const NOSE_TIP: usize = 30;

pub(super) fn measure(chip: &Planes, landmarks: &[[f32; 2]], detection: &Detection) -> Quality {
    let width_px = detection.rect.w;
    let sharpness = sharpness(chip);
    let frontality = frontality(landmarks);
    let score = ramp(width_px, WIDTH_PX) * ramp(sharpness, SHARPNESS).sqrt() * frontality.sqrt();
    Quality { width_px, sharpness, frontality, score }
}

/// 0 below the range, 1 above it, straight in between.
fn ramp(value: f32, (from, to): (f32, f32)) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

/// Variance of the Laplacian (four neighbours) of the brightness in the middle of the chip (Pech-Pacheco 2000).
fn sharpness(chip: &Planes) -> f32 {
    let luma = chip.luma();
    let at = |row: usize, column: usize| luma[row * chip.width + column];
    let range =
        |side: usize| ((side as f32 * MIDDLE.0) as usize).max(1)..((side as f32 * MIDDLE.1) as usize).min(side - 1);
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for row in range(chip.height) {
        for column in range(chip.width) {
            let around = at(row - 1, column) + at(row + 1, column) + at(row, column - 1) + at(row, column + 1);
            let laplacian = around - 4.0 * at(row, column);
            sum += laplacian;
            squares += laplacian * laplacian;
            count += 1.0;
        }
    }
    if count == 0.0 { 0.0 } else { (squares / count - (sum / count) * (sum / count)).max(0.0) }
}

/// 1 when the nose tip is on the middle line between the eyes, 0 when it is as far off as in a profile. Turning the photo changes nothing.
fn frontality(landmarks: &[[f32; 2]]) -> f32 {
    let (right, left, nose, profile_shift) = match landmarks {
        [right, left, nose, _, _] => (right, left, nose, PROFILE_SHIFT_EYES),
        points => match (points.get(RIGHT_EYE), points.get(LEFT_EYE), points.get(NOSE_TIP)) {
            (Some(right), Some(left), Some(nose)) => (right, left, nose, PROFILE_SHIFT),
            _ => return 0.0,
        },
    };
    let across = [left[0] - right[0], left[1] - right[1]];
    let square = across[0] * across[0] + across[1] * across[1];
    if square <= 0.0 {
        return 0.0;
    }
    let along = ((nose[0] - right[0]) * across[0] + (nose[1] - right[1]) * across[1]) / square;
    (1.0 - (along - 0.5).abs() / profile_shift).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rect;

    fn points(nose_x: f32) -> Vec<[f32; 2]> {
        let mut points = vec![[0.0, 0.0]; 68];
        points[LEFT_EYE] = [100.0, 0.0];
        points[NOSE_TIP] = [nose_x, 60.0];
        points
    }

    fn checkered(contrast: f32) -> Planes {
        let mut planes = Planes::black(50, 50);
        planes
            .values
            .iter_mut()
            .enumerate()
            .for_each(|(at, value)| *value = 100.0 + contrast * ((at + at / 50) % 2) as f32);
        planes
    }

    #[test]
    fn frontality_falls_as_the_nose_leaves_the_middle() {
        assert_eq!(frontality(&points(50.0)), 1.0);
        assert!(frontality(&points(65.0)) < 0.7);
        assert_eq!(frontality(&points(95.0)), 0.0);
        assert_eq!(frontality(&[]), 0.0);
        assert_eq!(frontality(&vec![[1.0, 1.0]; 68]), 0.0);
    }

    #[test]
    fn sharpness_grows_with_contrast_and_is_zero_on_a_plain_chip() {
        assert_eq!(sharpness(&checkered(0.0)), 0.0);
        assert!(sharpness(&checkered(4.0)) < sharpness(&checkered(8.0)));
    }

    #[test]
    fn a_small_face_scores_less_than_a_large_one() {
        let of = |w: f32| {
            let detection = Detection { rect: Rect { x: 0.0, y: 0.0, w, h: w }, score: 0.9, points: None };
            measure(&checkered(8.0), &points(50.0), &detection).score
        };
        assert_eq!(of(10.0), 0.0);
        assert!(of(40.0) < of(80.0));
        assert_eq!(of(200.0), 1.0);
    }
}
