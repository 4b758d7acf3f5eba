//! Faces found again where they were: boxes that overlap are the same face, whatever model found it.

use serde::{Deserialize, Serialize};

/// Where a face is in its photo or video, by which it is known again when that is looked at anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spot {
    /// Left, top, width and height as fractions of the upright image.
    pub rect: [f32; 4],
    /// In a video, when: milliseconds from the start.
    pub at_ms: Option<u64>,
}

/// Boxes of one face by two detectors overlap by at least this (intersection over union): they differ in how much hair and chin belong to a face.
const SAME_FACE: f32 = 0.3;

/// In a video somebody stays about where they are for this long.
const SAME_MOMENT_MS: u64 = 1500;

/// Intersection over union of two boxes; none at different moments of a video.
fn overlap(a: &Spot, b: &Spot) -> f32 {
    let one_moment = match (a.at_ms, b.at_ms) {
        (None, None) => true,
        (Some(a), Some(b)) => a.abs_diff(b) <= SAME_MOMENT_MS,
        _ => false,
    };
    if one_moment { of_rects(&a.rect, &b.rect) } else { 0.0 }
}

fn of_rects(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let side = |at: usize| {
        let end = (a[at] + a[at + 2]).min(b[at] + b[at + 2]);
        (end - a[at].max(b[at])).max(0.0)
    };
    let both = side(0) * side(1);
    let all = a[2] * a[3] + b[2] * b[3] - both;
    if all > 0.0 { both / all } else { 0.0 }
}

/// For every new box the old one that it is, if any: best overlaps first, each box once.
pub(super) fn found_again(old: &[Spot], new: &[Spot]) -> Vec<Option<usize>> {
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (n, new) in new.iter().enumerate() {
        pairs.extend(
            old.iter().enumerate().map(|(o, old)| (overlap(old, new), n, o)).filter(|pair| pair.0 >= SAME_FACE),
        );
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let (mut of_new, mut taken) = (vec![None; new.len()], vec![false; old.len()]);
    for (_, n, o) in pairs {
        if of_new[n].is_none() && !taken[o] {
            of_new[n] = Some(o);
            taken[o] = true;
        }
    }
    of_new
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spots(rects: &[[f32; 4]]) -> Vec<Spot> {
        rects.iter().map(|rect| Spot { rect: *rect, at_ms: None }).collect()
    }

    #[test]
    fn overlap_is_intersection_over_union() {
        let a = [0.0, 0.0, 0.2, 0.2];
        assert!((of_rects(&a, &a) - 1.0).abs() < 1e-6);
        assert!((of_rects(&a, &[0.1, 0.0, 0.2, 0.2]) - 1.0 / 3.0).abs() < 1e-5);
        assert_eq!(of_rects(&a, &[0.5, 0.5, 0.1, 0.1]), 0.0);
        assert_eq!(of_rects(&[0.0; 4], &[0.0; 4]), 0.0);
    }

    #[test]
    fn faces_are_known_again_whatever_their_order() {
        let old = spots(&[[0.1, 0.1, 0.1, 0.1], [0.5, 0.1, 0.1, 0.1]]);
        // A face that was missed before comes first, one that was there is missed now, the other has a somewhat larger box.
        let new = spots(&[[0.0, 0.6, 0.1, 0.1], [0.49, 0.09, 0.12, 0.13]]);
        assert_eq!(found_again(&old, &new), [None, Some(1)]);
        assert_eq!(found_again(&[], &new), [None, None]);
    }

    #[test]
    fn a_box_is_found_again_once_by_the_best() {
        let old = spots(&[[0.1, 0.1, 0.2, 0.2]]);
        let new = spots(&[[0.12, 0.1, 0.2, 0.2], [0.1, 0.1, 0.2, 0.2]]);
        assert_eq!(found_again(&old, &new), [None, Some(0)]);
    }

    #[test]
    fn the_same_place_in_a_video_is_somebody_else_later() {
        let at = |at_ms| vec![Spot { rect: [0.1, 0.1, 0.2, 0.2], at_ms: Some(at_ms) }];
        assert_eq!(found_again(&at(5_000), &at(5_900)), [Some(0)]);
        assert_eq!(found_again(&at(5_000), &at(60_000)), [None]);
        assert_eq!(found_again(&at(0), &spots(&[[0.1, 0.1, 0.2, 0.2]])), [None]);
    }
}
