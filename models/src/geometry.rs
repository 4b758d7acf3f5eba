//! Boxes and similarity transforms, in pixels, with x to the right and y down.

use serde::{Deserialize, Serialize};

/// A box in pixels of the upright photo.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl Rect {
    /// The box between two corners; empty when they are in the wrong order.
    #[must_use]
    pub fn from_corners(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self { x: left, y: top, w: (right - left).max(0.0), h: (bottom - top).max(0.0) }
    }

    /// Right edge.
    #[must_use]
    pub fn right(&self) -> f32 {
        self.x + self.w
    }

    /// Bottom edge.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        self.y + self.h
    }

    /// Square pixels.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// The part that both boxes cover.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self::from_corners(
            self.x.max(other.x),
            self.y.max(other.y),
            self.right().min(other.right()),
            self.bottom().min(other.bottom()),
        )
    }

    /// Shared area over the area that either covers: 1 for equal boxes, 0 for boxes that do not touch (or have no area).
    #[must_use]
    pub fn overlap(&self, other: &Self) -> f32 {
        let shared = self.intersection(other).area();
        let either = self.area() + other.area() - shared;
        if either > 0.0 { (shared / either).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The point in the middle.
    #[must_use]
    pub fn centre(&self) -> [f32; 2] {
        [self.x + self.w / 2.0, self.y + self.h / 2.0]
    }

    /// A box of this size around a point.
    #[must_use]
    pub fn around([x, y]: [f32; 2], w: f32, h: f32) -> Self {
        Self { x: x - w / 2.0, y: y - h / 2.0, w, h }
    }

    /// The part within an image of this size.
    #[must_use]
    pub fn within(&self, width: u32, height: u32) -> Self {
        self.intersection(&Self { x: 0.0, y: 0.0, w: width as f32, h: height as f32 })
    }

    pub(crate) fn is_finite(&self) -> bool {
        [self.x, self.y, self.w, self.h].iter().all(|side| side.is_finite())
    }
}

/// A rotation, scaling and shift: `x' = c x - s y + tx`, `y' = s x + c y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    c: f32,
    s: f32,
    tx: f32,
    ty: f32,
}

impl Similarity {
    /// The transform that moves `from` closest to `to` in the least-squares sense. `None` for fewer than two points, lists of different
    /// length, points that all coincide, or numbers that are not finite.
    ///
    /// With both lists centred on their means, `c = sum(a·b) / sum(a·a)` and `s = sum(a×b) / sum(a·a)` (Umeyama 1991, without reflection).
    #[must_use]
    pub fn fit(from: &[[f32; 2]], to: &[[f32; 2]]) -> Option<Self> {
        if from.len() != to.len() || from.len() < 2 {
            return None;
        }
        let ([from_x, from_y], [to_x, to_y]) = (mean(from), mean(to));
        let (mut dot, mut cross, mut norm) = (0.0, 0.0, 0.0);
        for (a, b) in from.iter().zip(to) {
            let (ax, ay) = (f64::from(a[0]) - from_x, f64::from(a[1]) - from_y);
            let (bx, by) = (f64::from(b[0]) - to_x, f64::from(b[1]) - to_y);
            dot += ax * bx + ay * by;
            cross += ax * by - ay * bx;
            norm += ax * ax + ay * ay;
        }
        let (c, s) = (dot / norm, cross / norm);
        let found = Self {
            c: c as f32,
            s: s as f32,
            tx: (to_x - (c * from_x - s * from_y)) as f32,
            ty: (to_y - (s * from_x + c * from_y)) as f32,
        };
        let usable = [found.c, found.s, found.tx, found.ty].iter().all(|part| part.is_finite()) && found.scale() > 0.0;
        usable.then_some(found)
    }

    /// Turns clockwise by `degrees` around `from`, scales, and moves `from` to `to`.
    pub(crate) fn turning(degrees: f32, scale: f32, from: [f32; 2], to: [f32; 2]) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (c, s) = (scale * cos, scale * sin);
        Self { c, s, tx: to[0] - (c * from[0] - s * from[1]), ty: to[1] - (s * from[0] + c * from[1]) }
    }

    /// By how many degrees it turns clockwise, -180 to 180.
    #[must_use]
    pub fn degrees(&self) -> f32 {
        self.s.atan2(self.c).to_degrees()
    }

    /// By how much lengths grow.
    #[must_use]
    pub fn scale(&self) -> f32 {
        self.c.hypot(self.s)
    }

    /// Where a point goes.
    #[must_use]
    pub fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [self.c * x - self.s * y + self.tx, self.s * x + self.c * y + self.ty]
    }

    /// The way back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let square = self.c * self.c + self.s * self.s;
        let (c, s) = (self.c / square, -self.s / square);
        Self { c, s, tx: -(c * self.tx - s * self.ty), ty: -(s * self.tx + c * self.ty) }
    }
}

fn mean(points: &[[f32; 2]]) -> [f64; 2] {
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + f64::from(p[0]), y + f64::from(p[1])));
    let count = points.len() as f64;
    [x / count, y / count]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rect() -> impl Strategy<Value = Rect> {
        (-100.0..100.0_f32, -100.0..100.0_f32, 0.0..100.0_f32, 0.0..100.0_f32).prop_map(|(x, y, w, h)| Rect {
            x,
            y,
            w,
            h,
        })
    }

    fn points(count: usize) -> impl Strategy<Value = Vec<[f32; 2]>> {
        proptest::collection::vec(proptest::array::uniform2(-500.0..500.0_f32), count)
    }

    proptest! {
        #[test]
        fn overlap_is_symmetric_and_bounded(a in rect(), b in rect()) {
            prop_assert!((0.0..=1.0).contains(&a.overlap(&b)));
            prop_assert!((a.overlap(&b) - b.overlap(&a)).abs() < 1e-6);
        }

        #[test]
        fn a_box_overlaps_itself_fully(a in rect()) {
            prop_assume!(a.area() > 1.0);
            prop_assert!(a.overlap(&a) > 0.99);
        }

        #[test]
        fn a_clipped_box_lies_within_the_image(a in rect(), width in 1..50_u32, height in 1..50_u32) {
            let clipped = a.within(width, height);
            prop_assert!(clipped.area() == 0.0 || (clipped.x >= 0.0 && clipped.right() <= width as f32 + 1e-3));
            prop_assert!(clipped.area() == 0.0 || (clipped.y >= 0.0 && clipped.bottom() <= height as f32 + 1e-3));
        }

        #[test]
        fn fitting_recovers_the_transform(
            angle in -3.1..3.1_f32, scale in 0.05..20.0_f32, tx in -500.0..500.0_f32, ty in -500.0..500.0_f32, from in points(33)
        ) {
            let truth = Similarity { c: scale * angle.cos(), s: scale * angle.sin(), tx, ty };
            let to: Vec<_> = from.iter().map(|&p| truth.apply(p)).collect();
            let found = Similarity::fit(&from, &to).unwrap();
            for &p in &from {
                let (a, b) = (truth.apply(p), found.apply(p));
                prop_assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 0.02 * scale.max(1.0), "{a:?} {b:?}");
            }
        }

        #[test]
        fn the_inverse_leads_back(from in points(5), to in points(5), p in proptest::array::uniform2(-500.0..500.0_f32)) {
            let Some(found) = Similarity::fit(&from, &to) else { return Ok(()) };
            prop_assume!(found.scale() > 0.01);
            let back = found.inverse().apply(found.apply(p));
            prop_assert!((back[0] - p[0]).hypot(back[1] - p[1]) < 0.5, "{back:?} {p:?}");
        }
    }

    #[test]
    fn a_quarter_turn_clockwise_takes_up_to_the_right() {
        let quarter = Similarity::turning(90.0, 2.0, [10.0, 10.0], [5.0, 5.0]);
        let [x, y] = quarter.apply([10.0, 9.0]);
        assert!((x - 7.0).abs() < 1e-4 && (y - 5.0).abs() < 1e-4, "{x} {y}");
        assert!((quarter.degrees() - 90.0).abs() < 1e-3);
        assert!((quarter.scale() - 2.0).abs() < 1e-4);
    }

    #[test]
    fn points_that_coincide_or_are_not_finite_fit_nothing() {
        assert_eq!(Similarity::fit(&[[1.0, 1.0]; 4], &[[2.0, 2.0]; 4]), None);
        assert_eq!(Similarity::fit(&[[f32::NAN, 1.0], [0.0, 2.0]], &[[2.0, 2.0], [3.0, 3.0]]), None);
        assert_eq!(Similarity::fit(&[[0.0, 1.0]], &[[2.0, 2.0]]), None);
    }

    #[test]
    fn boxes_without_area_overlap_nothing() {
        let flat = Rect { x: 0.0, y: 0.0, w: 0.0, h: 5.0 };
        assert_eq!(flat.overlap(&flat), 0.0);
    }
}
