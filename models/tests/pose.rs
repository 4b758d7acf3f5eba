//! Poses of the faces in the sample photos that come with the package, by the whole engine.

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test or only called by one")]

use std::path::Path;
use std::sync::LazyLock;

use image::{RgbImage, imageops};
use inframe_models::{Engine, Face, Pack, Pose, photo};

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::load(&Pack::builtin().unwrap()).unwrap());

fn sample(number: usize) -> RgbImage {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/@vladmandic/face-api/demo");
    let path = folder.join(format!("sample{number}.jpg"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make setup`", path.display()));
    photo::flatten(image::load_from_memory(&bytes).unwrap())
}

/// Faces from left to right, each with the middle of its box as fractions of the width and height.
fn faces(image: &RgbImage) -> Vec<(Face, [f32; 2])> {
    let mut faces = ENGINE.find_faces(image).unwrap();
    faces.sort_by(|a, b| a.rect.x.total_cmp(&b.rect.x));
    let middle = |face: &Face| {
        [
            (face.rect.x + face.rect.w / 2.0) / image.width() as f32,
            (face.rect.y + face.rect.h / 2.0) / image.height() as f32,
        ]
    };
    faces.into_iter().map(|face| (face.clone(), middle(&face))).collect()
}

/// Each face of an image with the one at the same place of a changed image, where it was found again.
fn pairs(before: &RgbImage, after: &RgbImage, mirrored: bool) -> Vec<(Pose, Pose)> {
    let others = faces(after);
    let upright = |pose: &Pose| pose.roll.abs() <= 30.0;
    let mut pairs = Vec::new();
    for (face, [x, y]) in faces(before) {
        // Profiles and heads that lie on their side are at the end of what the landmarks can do.
        let Some(pose) = face.pose().filter(|pose| face.quality.frontality >= 0.4 && upright(pose)) else { continue };
        let x = if mirrored { 1.0 - x } else { x };
        let same = others.iter().find(|(_, [ox, oy])| (ox - x).abs() < 0.03 && (oy - y).abs() < 0.03);
        pairs.extend(same.and_then(|(other, _)| Some((pose, other.pose().filter(upright)?))));
    }
    pairs
}

/// What a person sees in the photos: photo, face from left to right, and whether she looks to her own left (1), right (-1) or ahead (0).
const SEEN: [(usize, usize, i8); 9] =
    [(1, 0, -1), (2, 2, -1), (3, 2, 1), (4, 0, 1), (5, 0, 0), (5, 1, 1), (5, 4, -1), (6, 1, -1), (6, 2, 0)];

#[test]
fn the_women_in_the_sample_photos_look_where_they_look() {
    for (number, at, side) in SEEN {
        let yaw = faces(&sample(number))[at].0.pose().unwrap().yaw;
        let found = if yaw > 15.0 { 1 } else { i8::from(yaw >= -15.0) - 1 };
        assert_eq!(found, side, "face {at} of sample{number}.jpg: {yaw} degrees");
    }
}

#[test]
fn a_mirror_image_looks_the_other_way() {
    let mut count = 0;
    for number in 1..=6 {
        let photo = sample(number);
        for (before, after) in pairs(&photo, &imageops::flip_horizontal(&photo), true) {
            assert!((before.yaw + after.yaw).abs() < 10.0, "sample{number}.jpg: {before:?} {after:?}");
            assert!((before.pitch - after.pitch).abs() < 10.0, "sample{number}.jpg: {before:?} {after:?}");
            count += 1;
        }
    }
    assert!(count >= 15, "only {count} faces were found again");
}

#[test]
fn a_photo_that_is_slanted_does_not_turn_the_faces_in_it() {
    let (mut count, mut sum) = (0, 0.0);
    for number in 1..=6 {
        let photo = sample(number);
        let slanted = imageops::resize(&photo, photo.width() * 3 / 4, photo.height(), imageops::FilterType::CatmullRom);
        for (before, after) in pairs(&photo, &slanted, false) {
            let turned = after.from(&before);
            // The challenge asks for 16 and 9 degrees, against a straight frame.
            assert!(turned.yaw.abs() < 14.0 && turned.pitch.abs() < 14.0, "sample{number}.jpg: {before:?} {after:?}");
            (count, sum) = (count + 1, sum + turned.yaw.abs());
        }
    }
    assert!(count >= 10 && sum / count as f32 <= 4.0, "{count} faces, {} degrees on average", sum / count as f32);
}
