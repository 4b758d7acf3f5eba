//! The converted networks against the package itself: `golden/reference.json` is what its own code computes on its own weights for a drawn
//! picture (`golden/reference.mjs` made it).

use serde::Deserialize;

use super::network::Network;
use crate::Pack;
use crate::pack::Pixels;
use crate::pixels::Planes;

/// Both sides compute in `f32`, in another order: differences of some 1e-6 are to be expected.
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    detector: Vec<Anchor>,
    landmarks: Vec<f32>,
    descriptor: Vec<f32>,
}

#[derive(Deserialize)]
struct Anchor {
    index: usize,
    score: f32,
    #[serde(rename = "box")]
    corners: [f32; 4],
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../golden/reference.json")).unwrap()
}

/// One pixel of the drawn face, as `golden/reference.mjs` has it.
fn pixel(x: i64, y: i64, side: i64) -> [i64; 3] {
    let (u, v) = (x * 1000 / side, y * 1000 / side);
    let within = |cx: i64, cy: i64, rx: i64, ry: i64| {
        let (dx, dy) = ((u - cx) * ry, (v - cy) * rx);
        dx * dx + dy * dy <= rx * ry * rx * ry
    };
    let colour = if within(400, 430, 35, 18) || within(600, 430, 35, 18) {
        [40, 30, 25]
    } else if within(500, 660, 95, 28) {
        [150, 60, 60]
    } else if within(500, 550, 40, 25) {
        [170, 120, 95]
    } else if within(500, 520, 230, 300) {
        [200, 150, 120]
    } else if within(500, 440, 280, 330) {
        [60, 40, 30]
    } else {
        [90, v >> 3, u >> 3]
    };
    let grain = (x * 7 + y * 13) % 17 + (x * y) % 11 * 2;
    colour.map(|value| value + grain)
}

fn drawn(side: usize) -> Planes {
    let mut planes = Planes::black(side, side);
    for at in 0..side * side {
        for (channel, value) in pixel((at % side) as i64, (at / side) as i64, side as i64).into_iter().enumerate() {
            planes.values[channel * side * side + at] = value as f32;
        }
    }
    planes
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= TOLERANCE, "number {at} is {found}, the package has {expected}");
    }
}

#[test]
fn the_detector_agrees_with_the_package() {
    let pack = Pack::builtin().unwrap();
    let outputs: [(&str, &[usize]); 2] = [("boxes", &[1, 5118, 4]), ("scores", &[1, 5118])];
    let network = Network::load("detector.onnx", pack.detector(), 512, Pixels::RgbBytes.into(), &outputs).unwrap();
    let [boxes, scores] = network.run(&drawn(512)).unwrap();
    for anchor in reference().detector {
        assert_close(&scores[anchor.index..=anchor.index], &[anchor.score]);
        assert_close(&boxes[4 * anchor.index..4 * anchor.index + 4], &anchor.corners);
    }
}

#[test]
fn the_landmark_net_agrees_with_the_package() {
    let pack = Pack::builtin().unwrap();
    let network = Network::load(
        "landmarks.onnx",
        pack.landmarks().unwrap(),
        112,
        Pixels::RgbBytes.into(),
        &[("points", &[1, 136])],
    )
    .unwrap();
    let [points] = network.run(&drawn(112)).unwrap();
    assert_close(&points, &reference().landmarks);
}

#[test]
fn the_recogniser_agrees_with_the_package() {
    let pack = Pack::builtin().unwrap();
    let network =
        Network::load("recogniser.onnx", pack.recogniser(), 150, Pixels::RgbBytes.into(), &[("descriptor", &[1, 128])])
            .unwrap();
    let [descriptor] = network.run(&drawn(150)).unwrap();
    assert_close(&descriptor, &reference().descriptor);
}
