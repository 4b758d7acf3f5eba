//! How a face lies in the photo, judged by its landmarks: what the search needs to know of a box.

use crate::Similarity;

/// How a face lies in the photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lie {
    /// By how many degrees clockwise the photo must be turned for the face to stand upright, -180 to 180.
    pub(super) turn: f32,
    /// How far the points are from those of a mean face at the same place, as a fraction of the side of its chip (root of the mean square).
    pub(super) misfit: f32,
}

impl Lie {
    /// From points and their places in a chip of this side. `None` when the points coincide.
    pub(super) fn measure(points: &[[f32; 2]], places: &[[f32; 2]], side: usize) -> Option<Self> {
        let to_chip = Similarity::fit(points, places)?;
        let off = |(point, place): (&[f32; 2], &[f32; 2])| {
            let [x, y] = to_chip.apply(*point);
            (x - place[0]).powi(2) + (y - place[1]).powi(2)
        };
        let squares: f32 = points.iter().zip(places).map(off).sum();
        let misfit = (squares / points.len() as f32).sqrt() / side as f32;
        Some(Self { turn: to_chip.degrees(), misfit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: [[f32; 2]; 4] = [[30.0, 40.0], [70.0, 40.0], [50.0, 60.0], [50.0, 85.0]];

    #[test]
    fn a_turned_mean_face_fits_and_tells_its_turn() {
        let lying = Similarity::turning(-40.0, 3.0, [50.0, 50.0], [400.0, 300.0]);
        let lie = Lie::measure(&PLACES.map(|place| lying.apply(place)), &PLACES, 100).unwrap();
        assert!((lie.turn - 40.0).abs() < 0.01 && lie.misfit < 1e-4, "{lie:?}");
    }

    #[test]
    fn points_that_are_no_face_fit_badly() {
        let lie = Lie::measure(&[[30.0, 40.0], [70.0, 40.0], [90.0, 10.0], [20.0, 0.0]], &PLACES, 100).unwrap();
        assert!(lie.misfit > 0.1, "{lie:?}");
        assert_eq!(Lie::measure(&[[1.0, 1.0]; 4], &PLACES, 100), None);
    }
}
