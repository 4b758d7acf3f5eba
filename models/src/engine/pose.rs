//! How a head is turned, from where its landmarks lie.
//!
//! The points are explained as a generic head seen from afar: `point = A · head + shift`, with the 2x3 matrix `A` found by least squares (the
//! first step of POSIT, DeMenthon and Davis 1995). The one direction that `A` maps to nothing is the direction of sight in the head's own
//! frame; yaw and pitch are its angles. They are read off that direction, not off the rows of `A`, for a reason: whatever is done to the
//! *plane* of the picture (turned, shrunk in one direction, slanted) changes `A` to `B · A`, which maps the same direction to nothing. A
//! printed photo that is slanted before a camera therefore keeps its yaw and pitch, while a head that turns does not.
//!
//! Every head differs from the generic one by some degrees, mostly in pitch: compare frames of one person ([`Pose::from`]) where it matters.

use super::Face;

/// How a head is turned, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// To the side: positive when the person looks to their own left, which is to the right in a picture that is not mirrored.
    pub yaw: f32,
    /// Up and down: positive when the person looks up.
    pub pitch: f32,
    /// Tilt in the plane of the picture: positive when it is turned clockwise.
    pub roll: f32,
}

/// Degrees by which faces in portraits seem to look down on the generic head: the landmark network sets the tip of the nose lower than anatomy
/// does, and people lower their chins. The middle one of 60 portraits of people who look into the camera; half of them lie within 7 degrees of
/// it. Taken off, so that a pitch of zero is that of a portrait.
const PORTRAIT_PITCH: f32 = -17.0;

/// Degrees to the side, and up or down, that no head with both eyes in the picture is turned by: the landmarks are then not those of a face.
const MOST_YAW: f32 = 75.0;
const MOST_PITCH: f32 = 65.0;

/// A landmark and its place on a generic head, in millimetres: x to the person's left, y down, z towards the camera, from the middle between
/// the outer corners of the eyes. Mean adult proportions (Farkas 1994), rounded; jaw and brows are left out since speech moves them.
const HEAD: [(usize, [f32; 3]); 15] = [
    (36, [-44.0, 0.0, 0.0]),
    (39, [-16.0, 0.0, 6.0]),
    (42, [16.0, 0.0, 6.0]),
    (45, [44.0, 0.0, 0.0]),
    (27, [0.0, -3.0, 19.0]),
    (28, [0.0, 9.0, 26.0]),
    (29, [0.0, 20.0, 34.0]),
    (30, [0.0, 32.0, 42.0]),
    (31, [-15.0, 41.0, 22.0]),
    (33, [0.0, 43.0, 30.0]),
    (35, [15.0, 41.0, 22.0]),
    (48, [-25.0, 70.0, 16.0]),
    (54, [25.0, 70.0, 16.0]),
    (51, [0.0, 61.0, 30.0]),
    (57, [0.0, 81.0, 26.0]),
];

impl Pose {
    /// The pose of a face with these 68 points (iBUG scheme, pixels). `None` when points are missing, not finite, coincide, or
    /// lie as those of no face can.
    #[must_use]
    pub fn of(landmarks: &[[f32; 2]]) -> Option<Self> {
        let mut points = [[0.0; 2]; HEAD.len()];
        for (point, (index, _)) in points.iter_mut().zip(&HEAD) {
            *point = landmarks.get(*index).copied().filter(|[x, y]| x.is_finite() && y.is_finite())?.map(f64::from);
        }
        let head = HEAD.map(|(_, place)| place.map(f64::from));
        let [across, down] = project_rows(&centred(head), &centred(points))?;
        let sight = unit(cross(across, down))?;
        let degrees = |radians: f64| radians.to_degrees() as f32;
        let pose = Self {
            // A neck turns about the vertical axis whatever the head nods, so the nod is that of the head before it turned.
            yaw: degrees((-sight[0]).clamp(-1.0, 1.0).asin()),
            pitch: degrees(sight[1].atan2(sight[2])) - PORTRAIT_PITCH,
            roll: degrees(down[0].atan2(across[0])),
        };
        // Comparisons with what is no number are false.
        (pose.yaw.abs() <= MOST_YAW && pose.pitch.abs() <= MOST_PITCH && pose.roll.is_finite()).then_some(pose)
    }

    /// How far this pose is turned from another one of the same person: what the generic head gets wrong of them cancels out.
    #[must_use]
    pub fn from(&self, other: &Self) -> Self {
        Self { yaw: self.yaw - other.yaw, pitch: self.pitch - other.pitch, roll: self.roll - other.roll }
    }
}

impl Face {
    /// How the head is turned; `None` when the landmarks say nothing.
    #[must_use]
    pub fn pose(&self) -> Option<Pose> {
        Pose::of(&self.landmarks)
    }
}

/// The rows of `A`: least squares of each picture coordinate over the head's three, `(H'H)^-1 H'p`.
fn project_rows(head: &[[f64; 3]], points: &[[f64; 2]]) -> Option<[[f64; 3]; 2]> {
    let mut square = [[0.0; 3]; 3];
    let mut onto = [[0.0; 3]; 2];
    for (place, point) in head.iter().zip(points) {
        for row in 0..3 {
            for column in 0..3 {
                square[row][column] += place[row] * place[column];
            }
            onto[0][row] += place[row] * point[0];
            onto[1][row] += place[row] * point[1];
        }
    }
    // A symmetric matrix is inverted by the cross products of its rows.
    let [a, b, c] = square;
    let inverse = [cross(b, c), cross(c, a), cross(a, b)];
    let determinant = dot(a, inverse[0]);
    (determinant.abs() > f64::EPSILON).then(|| onto.map(|sums| inverse.map(|row| dot(row, sums) / determinant)))
}

fn centred<const N: usize, const D: usize>(points: [[f64; D]; N]) -> [[f64; D]; N] {
    let mean: [f64; D] = std::array::from_fn(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / N as f64);
    points.map(|point| std::array::from_fn(|axis| point[axis] - mean[axis]))
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(a: [f64; 3]) -> Option<[f64; 3]> {
    let length = dot(a, a).sqrt();
    (length > f64::EPSILON && length.is_finite()).then(|| a.map(|part| part / length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A head of these proportions (1 = the generic one) seen in perspective from `distance_mm`, at 3 pixels a millimetre.
    fn seen(pose: Pose, proportions: [f32; 3], distance_mm: f32) -> Vec<[f32; 2]> {
        let [yaw, pitch, roll] = [pose.yaw, pose.pitch, pose.roll].map(f32::to_radians);
        let mut points = vec![[0.0, 0.0]; 68];
        for (index, place) in HEAD {
            let [x, y, z] = [0, 1, 2].map(|axis| place[axis] * proportions[axis]);
            let (y, z) = (y * pitch.cos() - z * pitch.sin(), y * pitch.sin() + z * pitch.cos());
            let (x, z) = (x * yaw.cos() + z * yaw.sin(), -x * yaw.sin() + z * yaw.cos());
            let (x, y) = (x * roll.cos() - y * roll.sin(), x * roll.sin() + y * roll.cos());
            let nearness = 3.0 * distance_mm / (distance_mm - z);
            points[index] = [640.0 + x * nearness, 360.0 + y * nearness];
        }
        points
    }

    fn near(a: f32, b: f32, degrees: f32) -> bool {
        (a - b).abs() <= degrees
    }

    const STRAIGHT: Pose = Pose { yaw: 0.0, pitch: 0.0, roll: 0.0 };

    proptest! {
        #[test]
        fn the_generic_head_seen_from_afar_gives_its_pose_back(yaw in -60.0..60.0_f32, pitch in -40.0..40.0_f32, roll in -60.0..60.0_f32) {
            let found = Pose::of(&seen(Pose { yaw, pitch, roll }, [1.0; 3], 1e6)).unwrap();
            prop_assert!(near(found.yaw, yaw, 0.1) && near(found.pitch, pitch - PORTRAIT_PITCH, 0.1), "{found:?}");
            // Tilt mixes with a turn of a head that nods at the same time.
            if pitch.abs() < 1.0 || yaw.abs() < 1.0 {
                prop_assert!(near(found.roll, roll, 2.0), "{found:?}");
            }
        }

        #[test]
        fn other_heads_before_a_webcam_turn_by_nearly_the_right_angle(
            yaw in -35.0..35.0_f32, pitch in -20.0..20.0_f32, wide in 0.92..1.08_f32, long in 0.92..1.08_f32, deep in 0.88..1.15_f32
        ) {
            let of = |pose| Pose::of(&seen(pose, [wide, long, deep], 450.0)).unwrap();
            let turned = of(Pose { yaw, pitch, roll: 0.0 }).from(&of(STRAIGHT));
            prop_assert!(near(turned.yaw, yaw, 0.4 * yaw.abs() + 3.0), "{yaw}: {turned:?}");
            prop_assert!(near(turned.pitch, pitch, 0.45 * pitch.abs() + 3.0), "{pitch}: {turned:?}");
        }

        #[test]
        fn a_flat_picture_keeps_its_yaw_and_pitch_however_it_is_slanted(
            yaw in -30.0..30.0_f32, pitch in -20.0..20.0_f32, squeeze in 0.5..1.0_f32, shear in -0.3..0.3_f32, tilt in -0.5..0.5_f32
        ) {
            let picture = seen(Pose { yaw, pitch, roll: 0.0 }, [1.0; 3], 600.0);
            let slanted: Vec<_> = picture
                .iter()
                .map(|[x, y]| {
                    let (x, y) = (x * squeeze + y * shear, *y);
                    [x * tilt.cos() - y * tilt.sin(), x * tilt.sin() + y * tilt.cos()]
                })
                .collect();
            let (before, after) = (Pose::of(&picture).unwrap(), Pose::of(&slanted).unwrap());
            prop_assert!(near(before.yaw, after.yaw, 0.2) && near(before.pitch, after.pitch, 0.2), "{before:?} {after:?}");
        }

        #[test]
        fn a_mirrored_head_looks_the_other_way(yaw in -40.0..40.0_f32, pitch in -20.0..20.0_f32) {
            let found = Pose::of(&seen(Pose { yaw, pitch, roll: 0.0 }, [1.0; 3], 600.0)).unwrap();
            let mirror = Pose::of(&seen(Pose { yaw: -yaw, pitch, roll: 0.0 }, [1.0; 3], 600.0)).unwrap();
            prop_assert!(near(found.yaw, -mirror.yaw, 0.1) && near(found.pitch, mirror.pitch, 0.1));
        }
    }

    #[test]
    fn points_that_are_missing_coincide_or_are_no_numbers_have_no_pose() {
        assert_eq!(Pose::of(&[]), None);
        assert_eq!(Pose::of(&[[5.0, 5.0]; 68]), None);
        assert_eq!(Pose::of(&[[f32::NAN, 5.0]; 68]), None);
        let on_a_line: Vec<_> = (0..68).map(|at| [at as f32, 2.0 * at as f32]).collect();
        assert!(Pose::of(&on_a_line).is_none_or(|pose| pose.yaw.is_finite()));
        assert_eq!(
            Pose::of(&seen(Pose { pitch: 70.0, ..STRAIGHT }, [1.0; 3], 1e6)),
            None,
            "no face is seen from below"
        );
        assert_eq!(
            Pose::of(&seen(Pose { yaw: 85.0, ..STRAIGHT }, [1.0; 3], 1e6)),
            None,
            "nor with both eyes from the side"
        );
    }
}
