//! Pictures of one head turned each way, made from a single photo.
//!
//! No one person in the sample photos looks straight, left, right and up, so the turned heads are computed: the photo is taken for a relief (a
//! dome for the face, a bump for the nose) and seen from the side. It is good to some 25 degrees, and it is what a forger with an animated
//! photo would show: the pose challenge discourages, it does not prove.

use anyhow::Result;
use image::{DynamicImage, Rgb, RgbImage};

use crate::photos;

/// Side of the pictures in pixels.
const SIDE: u32 = 560;
/// Her face in `sample1.jpg`: its middle in pixels, by how much her head is tilted in degrees, and half the width of her face in pixels.
const MIDDLE: (f32, f32) = (1575.0, 325.0);
const TILT: f32 = 48.0;
const HALF_WIDTH: f32 = 95.0;

/// How the head is turned in the picture, in degrees: to her left, and up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Turn {
    /// To her own left.
    pub yaw: f32,
    /// Up.
    pub pitch: f32,
}

/// The turn that a pose challenge asks for, as its API words it.
///
/// # Errors
/// When it asks for something else.
pub fn turn(ask: &str) -> Result<Turn> {
    Ok(match ask {
        "straight" => Turn::default(),
        "left" => Turn { yaw: 28.0, pitch: 0.0 },
        "right" => Turn { yaw: -28.0, pitch: 0.0 },
        "up" => Turn { yaw: 0.0, pitch: 16.0 },
        other => anyhow::bail!("nobody can look {other:?}"),
    })
}

/// Height of the face above the picture's plane at a place in half widths of the face from its middle, in the same unit.
fn relief(x: f32, y: f32) -> f32 {
    let bump = |height: f32, at: (f32, f32), wide: (f32, f32)| {
        let (dx, dy) = ((x - at.0) / wide.0, (y - at.1) / wide.1);
        height * (-0.5 * (dx * dx + dy * dy)).exp()
    };
    bump(0.75, (0.0, 0.0), (0.85, 1.1)) + bump(0.45, (0.0, 0.15), (0.2, 0.32))
}

/// Her face, upright and turned, as a camera before her would show it.
///
/// # Errors
/// When the sample cannot be read.
pub fn hers(turn: Turn) -> Result<RgbImage> {
    let photo = image::load_from_memory(&photos::sample(1)?)?.to_rgb8();
    let (sin, cos) = TILT.to_radians().sin_cos();
    let (across, up) = (turn.yaw.to_radians().sin(), -turn.pitch.to_radians().sin());
    Ok(RgbImage::from_fn(SIDE, SIDE, |column, row| {
        let unit = |at: u32| (at as f32 - SIDE as f32 / 2.0) / HALF_WIDTH;
        let (seen_x, seen_y) = (unit(column), unit(row));
        let (mut x, mut y) = (seen_x, seen_y);
        // The place on the relief that is seen here: a few steps suffice, the relief is never steep.
        for _ in 0..12 {
            let height = relief(x, y);
            (x, y) = (seen_x - height * across, seen_y - height * up);
        }
        let (x, y) = (x * HALF_WIDTH, y * HALF_WIDTH);
        sampled(&photo, MIDDLE.0 + x * cos - y * sin, MIDDLE.1 + x * sin + y * cos)
    }))
}

/// As [`hers`], as a JPEG.
///
/// # Errors
/// As for [`hers`].
pub fn jpeg(turn: Turn) -> Result<Vec<u8>> {
    photos::to_jpeg(&DynamicImage::ImageRgb8(hers(turn)?))
}

/// The colour between four pixels; beyond the edge that of the edge.
fn sampled(photo: &RgbImage, x: f32, y: f32) -> Rgb<u8> {
    let (x, y) = (x.clamp(0.0, photo.width() as f32 - 1.01), y.clamp(0.0, photo.height() as f32 - 1.01));
    let (left, top) = (x as u32, y as u32);
    let (right, down) = (x - left as f32, y - top as f32);
    let pixel =
        |dx: u32, dy: u32| photo.get_pixel((left + dx).min(photo.width() - 1), (top + dy).min(photo.height() - 1)).0;
    let [a, b, c, d] = [pixel(0, 0), pixel(1, 0), pixel(0, 1), pixel(1, 1)];
    Rgb(std::array::from_fn(|at| {
        let [a, b, c, d] = [a[at], b[at], c[at], d[at]].map(f32::from);
        let (upper, lower) = (a + (b - a) * right, c + (d - c) * right);
        (upper + (lower - upper) * down).round() as u8
    }))
}
