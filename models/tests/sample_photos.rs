//! The whole engine on the sample photos that come with the package: the faces found when `golden/sample_photos.json` was made are found again,
//! and the thresholds tell these people apart.

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test or only called by one")]

use std::path::Path;
use std::sync::LazyLock;

use image::{RgbImage, imageops};
use inframe_models::{Detection, Effort, Embedding, Engine, Face, Pack, Rect, photo};
use serde::Deserialize;

/// Photos are shrunk to this long side, as the daemon does.
const LONG_SIDE_PX: u32 = 2560;

/// Other machines have other vector units, and rounding decides the last bits of every sum: tiny next to a face or to the distance of two people.
const TOLERANCE_PX: f32 = 1.0;
const TOLERANCE_L2: f32 = 0.02;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::load(&Pack::builtin().unwrap()).unwrap());

#[derive(Deserialize)]
struct Golden {
    pack: String,
    photos: Vec<GoldenPhoto>,
}

#[derive(Deserialize)]
struct GoldenPhoto {
    file: String,
    faces: Vec<GoldenFace>,
}

#[derive(Deserialize)]
struct GoldenFace {
    rect: [f32; 4],
    score: f32,
    quality: f32,
    landmarks: Vec<f32>,
    embedding: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../golden/sample_photos.json")).unwrap()
}

fn sample(number: usize) -> RgbImage {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/@vladmandic/face-api/demo");
    let path = folder.join(format!("sample{number}.jpg"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make setup`", path.display()));
    photo::flatten(photo::shrink(image::load_from_memory(&bytes).unwrap(), LONG_SIDE_PX))
}

/// Faces of photo 1 to 6, from left to right.
fn found() -> &'static [Vec<Face>] {
    static FOUND: LazyLock<Vec<Vec<Face>>> = LazyLock::new(|| {
        let by_place = |number| {
            let mut faces = ENGINE.find_faces(&sample(number)).unwrap();
            faces.sort_by(|a, b| a.rect.x.total_cmp(&b.rect.x));
            faces
        };
        (1..=6).map(by_place).collect()
    });
    &FOUND
}

/// The only person in two of the photos: at the right of the first and in the middle of the third.
fn woman() -> [&'static Face; 2] {
    [&found()[0][2], &found()[2][1]]
}

/// Every two faces of different people.
fn strangers() -> Vec<(&'static Face, &'static Face)> {
    let faces: Vec<&Face> = found().iter().flatten().collect();
    let [first, second] = woman();
    let mut pairs = Vec::new();
    for (at, a) in faces.iter().enumerate() {
        pairs.extend(faces[..at].iter().map(|b| (*a, *b)));
    }
    pairs.retain(|(a, b)| !(a.rect == second.rect && b.rect == first.rect));
    pairs
}

#[test]
fn all_22_faces_are_found_as_before() {
    let golden = golden();
    assert_eq!(golden.pack, ENGINE.pack_id(), "golden/sample_photos.json is of another pack");
    assert_eq!(found().iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 3, 4, 5, 4]);
    for (photo, faces) in golden.photos.iter().zip(found()) {
        assert_eq!(photo.faces.len(), faces.len(), "{}", photo.file);
        for expected in &photo.faces {
            let [x, y, w, h] = expected.rect;
            let rect = Rect { x, y, w, h };
            let face = faces.iter().max_by(|a, b| a.rect.overlap(&rect).total_cmp(&b.rect.overlap(&rect))).unwrap();
            let where_from = &photo.file;
            assert!(face.rect.overlap(&rect) > 0.98, "{where_from}: {rect:?} became {:?}", face.rect);
            assert!((face.score - expected.score).abs() < 0.01, "{where_from}");
            assert!((face.quality.score - expected.quality).abs() < 0.02, "{where_from}");
            let points = face.landmarks.as_flattened();
            let furthest = points.iter().zip(&expected.landmarks).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(points.len() == expected.landmarks.len() && furthest < TOLERANCE_PX, "{where_from}: {furthest} px");
            let apart = face.embedding.distance(&Embedding(expected.embedding.clone()));
            assert!(apart < TOLERANCE_L2, "{where_from}: embedding moved by {apart}");
        }
    }
}

#[test]
fn the_one_person_in_two_photos_is_surely_the_same() {
    let [first, second] = woman();
    let thresholds = ENGINE.thresholds();
    assert!(thresholds.fit_for_sure(&first.quality) && thresholds.fit_for_sure(&second.quality));
    let apart = first.embedding.distance(&second.embedding);
    assert!((0.38..0.45).contains(&apart) && apart <= thresholds.sure, "{apart}");
}

#[test]
fn no_two_strangers_are_surely_the_same() {
    assert_eq!(strangers().len(), 22 * 21 / 2 - 1);
    for (a, b) in strangers() {
        let apart = a.embedding.distance(&b.embedding);
        assert!(apart > ENGINE.thresholds().sure, "{apart}: {:?} {:?}", a.rect, b.rect);
    }
}

#[test]
fn a_selfie_on_its_side_is_found_with_its_place_in_the_photo() {
    let photo = sample(1);
    let selfie = imageops::crop_imm(&photo, 1330, 90, 540, 560).to_image();
    let on_its_side = imageops::rotate270(&selfie);
    let faces = ENGINE.find_faces_with(&on_its_side, Effort::Thorough).unwrap();
    let [face] = faces.as_slice() else { panic!("{} faces", faces.len()) };
    let [known, _] = woman();
    assert!(face.embedding.distance(&known.embedding) < 0.25);
    // The nose tip of the upright selfie, turned by 270 degrees: (x, y) goes to (y, width - x).
    let [x, y] = known.landmarks[30];
    let expected = [y - 90.0, 540.0 - (x - 1330.0)];
    let nose = face.landmarks[30];
    assert!((nose[0] - expected[0]).hypot(nose[1] - expected[1]) < 12.0, "{nose:?} {expected:?}");
    assert!(face.rect.x <= nose[0] && nose[0] <= face.rect.right(), "{:?} {nose:?}", face.rect);
}

#[test]
fn images_of_every_size_without_a_face_give_none() {
    for (width, height) in [(1, 1), (1, 3000), (3000, 1), (7, 5), (640, 480)] {
        let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([(x % 251) as u8, (y % 241) as u8, 90]));
        assert_eq!(ENGINE.find_faces_with(&image, Effort::Thorough).unwrap(), [], "{width}x{height}");
    }
    assert_eq!(ENGINE.find_faces(&RgbImage::new(0, 0)).unwrap(), []);
}

#[test]
fn a_face_too_small_for_landmarks_is_not_described_and_a_small_one_is_worth_nothing() {
    let photo = sample(1);
    let small = |factor: u32| imageops::thumbnail(&photo, photo.width() / factor, photo.height() / factor);
    for (w, described) in [(6.5, false), (7.5, true)] {
        let rect = Rect { x: 3.0, y: 3.0, w, h: w };
        let face = ENGINE.describe(&small(32), &Detection { rect, score: 0.9, points: None }).unwrap();
        assert_eq!(face.is_some(), described, "{w} px");
    }
    let faces = ENGINE.find_faces(&small(11)).unwrap();
    assert_eq!(faces.len(), 3);
    assert!(faces.iter().all(|face| face.rect.w < 20.0 && face.quality.score == 0.0), "{faces:?}");
}
