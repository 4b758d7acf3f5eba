//! The kinds of packs that no weights are at hand for, on networks drawn here whose right answers are known: a detector with five points, and
//! recognisers that give back the pixels that they were fed.

use std::collections::HashMap;

use image::{Rgb, RgbImage};

use super::{Engine, EngineError};
use crate::convert::graph::Graph;
use crate::pixels::Planes;
use crate::{Face, Pack, PackError};

/// Pixels along the side of the drawn detector's input and of the photo.
const DETECTOR_SIDE: usize = 64;
const PHOTO_SIDE: u32 = 448;

/// Where five points of a face of ArcFace's proportions lie in the photo: its chip turned by about 17 degrees, doubled, and moved.
fn face_points() -> [[f32; 2]; 5] {
    let chip = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041_f32]];
    chip.map(|[x, y]| [1.9 * x - 0.6 * y + 150.0, 0.6 * x + 1.9 * y + 60.0])
}

/// A detector with one face, whatever it is shown, at the given cell of the finest grid.
fn detector(points: [[f32; 2]; 5]) -> Vec<u8> {
    let scale = DETECTOR_SIDE as f32 / PHOTO_SIDE as f32;
    let [column, row] = [4.0, 5.0];
    let cell = row as usize * (DETECTOR_SIDE / 8) + column as usize;
    let mut graph = Graph::default();
    let input = graph.input("input", &[1, 3, DETECTOR_SIDE as i64, DETECTOR_SIDE as i64]);
    // Nothing of the photo, but all values go through the network.
    let none = graph.constant(&[1, 1, 1, 1], &[0.0]);
    let none = graph.multiply(&input, &none);
    let none = graph.mean_over_pixels(&none);
    let none = graph.slice(&none, 1, 0, 1);
    let none = graph.reshape(&none, &[1, 1, 1]);
    for (part, numbers) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
        for stride in [8, 16, 32] {
            let cells = (DETECTOR_SIDE / stride) * (DETECTOR_SIDE / stride);
            let mut values = vec![0.0; cells * numbers];
            if stride == 8 {
                let face: Vec<f64> = match part {
                    "cls" | "obj" => vec![0.9],
                    // The middle, then the logarithms of four and five strides.
                    "bbox" => vec![0.5, 0.25, 4.0_f64.ln(), 5.0_f64.ln()],
                    _ => points
                        .iter()
                        .flat_map(|[x, y]| [x * scale / 8.0 - column, y * scale / 8.0 - row])
                        .map(f64::from)
                        .collect(),
                };
                values[cell * numbers..(cell + 1) * numbers].copy_from_slice(&face);
            }
            let values = graph.constant(&[1, cells, numbers], &values);
            let values = graph.add(&values, &none);
            graph.output(&values, &format!("{part}_{stride}"), &[1, cells as i64, numbers as i64]);
        }
    }
    graph.finish("detector")
}

/// Gives the means of squares of the chip, 14 pixels wide for 128 numbers and 7 for 512: plane by plane, row by row, as far as they go.
fn recogniser(dimensions: usize) -> Vec<u8> {
    let square = if dimensions == 128 { 14 } else { 7 };
    let cells = 3 * (112 / square) * (112 / square);
    let mut graph = Graph::default();
    let input = graph.input("data", &[1, 3, 112, 112]);
    let means = graph.average_pool(&input, square, square);
    let means = graph.reshape(&means, &[1, cells]);
    let means = graph.slice(&means, 1, 0, dimensions as i64);
    graph.output(&means, "fc1", &[1, dimensions as i64]);
    graph.finish("recogniser")
}

struct Files(HashMap<String, Vec<u8>>);

impl Files {
    /// A pack of the drawn detector and a recogniser of this many numbers; `more` goes into its section.
    fn new(dimensions: usize, more: &str) -> Self {
        let (detector, recogniser) = (detector(face_points()), recogniser(dimensions));
        let (a, b) = (blake3::hash(&detector), blake3::hash(&recogniser));
        let manifest = format!(
            r#"
            format = 1
            name = "drawn"
            version = "1"
            licence = "none"
            provenance = "drawn for a test"
            [detector]
            kind = "yunet"
            file = "detector.onnx"
            blake3 = "{a}"
            input = {DETECTOR_SIDE}
            pixels = "bgr-bytes"
            min_score = 0.8
            max_overlap = 0.3
            [recogniser]
            file = "recogniser.onnx"
            blake3 = "{b}"
            input = 112
            dimensions = {dimensions}
            alignment = "five-points"
            output = "fc1"
            mirrored = false
            {more}
            [thresholds]
            sure = 0.5
            maybe = 0.637
            template_sure = 11.0
            template_maybe = 12.0
            template_margin = 0.5
            min_face_px = 40.0
            min_quality = 0.4
            min_enrol_quality = 0.5
            "#
        );
        let files =
            [("pack.toml", manifest.into_bytes()), ("detector.onnx", detector), ("recogniser.onnx", recogniser)];
        Self(files.map(|(name, bytes)| (name.to_owned(), bytes)).into())
    }

    fn change(&mut self, from: &str, to: &str) {
        let manifest = String::from_utf8(self.0["pack.toml"].clone()).unwrap();
        assert!(manifest.contains(from), "{from}");
        self.0.insert("pack.toml".to_owned(), manifest.replace(from, to).into_bytes());
    }

    fn pack(&self) -> Result<Pack, PackError> {
        Pack::read(|name| self.0.get(name).map(Vec::as_slice).ok_or_else(|| std::io::ErrorKind::NotFound.into()))
    }

    fn engine(&self) -> Engine {
        Engine::load(&self.pack().unwrap()).unwrap()
    }

    fn face(&self, photo: &RgbImage) -> Face {
        let mut faces = self.engine().find_faces(photo).unwrap();
        assert_eq!(faces.len(), 1);
        faces.remove(0)
    }
}

/// A grey photo with a bright dot at each of the five points, in this colour.
fn dotted(colour: [u8; 3]) -> RgbImage {
    let points = face_points();
    RgbImage::from_fn(PHOTO_SIDE, PHOTO_SIDE, |x, y| {
        let near = |[px, py]: &[f32; 2]| (x as f32 + 0.5 - px).hypot(y as f32 + 0.5 - py) < 4.0;
        if points.iter().any(near) { Rgb(colour) } else { Rgb([20; 3]) }
    })
}

const EUCLIDEAN: &str = "pixels = \"rgb-bytes\"";
const COSINE: &str = "pixels = \"rgb-bytes\"\nmetric = \"cosine\"";

#[test]
fn boxes_and_points_come_out_of_the_grid() {
    let photo = dotted([250; 3]);
    let found = Files::new(128, EUCLIDEAN).engine().detect(&photo).unwrap();
    assert_eq!(found.len(), 1);
    // Seven pixels of the photo for one of the input; the middle is at 4.5 and 5.25 strides.
    let (rect, scale) = (found[0].rect, 7.0);
    let expected = [(36.0 - 16.0) * scale, (42.0 - 20.0) * scale, 32.0 * scale, 40.0 * scale];
    for (found, expected) in [rect.x, rect.y, rect.w, rect.h].into_iter().zip(expected) {
        assert!((found - expected).abs() < 0.01, "{rect:?}");
    }
    assert!((found[0].score - 0.9).abs() < 1e-6);
    for (found, expected) in found[0].points.unwrap().as_flattened().iter().zip(face_points().as_flattened()) {
        assert!((found - expected).abs() < 0.01, "{found} {expected}");
    }
}

#[test]
fn boxes_under_the_least_score_are_none() {
    let mut files = Files::new(128, EUCLIDEAN);
    files.change("min_score = 0.8", "min_score = 0.91");
    assert!(files.engine().detect(&dotted([250; 3])).unwrap().is_empty());
}

/// The middle of the bright dot near a place of the aligned face, in pixels.
fn dot_near(chip: &Planes, [x, y]: [f32; 2]) -> [f32; 2] {
    let (mut sum, mut weight) = ([0.0; 2], 0.0);
    for row in 0..chip.height {
        for column in 0..chip.width {
            let middle = [column as f32 + 0.5, row as f32 + 0.5];
            let excess = chip.values[row * chip.width + column] - 20.0;
            if (middle[0] - x).hypot(middle[1] - y) < 6.0 && excess > 0.0 {
                sum = [sum[0] + excess * middle[0], sum[1] + excess * middle[1]];
                weight += excess;
            }
        }
    }
    assert!(weight > 500.0, "no dot near {x} {y}");
    sum.map(|sum| sum / weight)
}

fn aligned(more: &str) -> (Face, Planes) {
    let (files, photo) = (Files::new(128, more), dotted([250; 3]));
    let face = files.face(&photo);
    let chip = files.engine().recogniser.align(&photo, &face.landmarks).unwrap();
    (face, chip)
}

#[test]
fn a_face_is_aligned_to_the_published_five_points() {
    let (face, chip) = aligned(EUCLIDEAN);
    assert_eq!((face.landmarks.len(), chip.width, chip.height), (5, 112, 112));
    assert!(face.quality.frontality > 0.9, "{}", face.quality.frontality);
    for [x, y] in [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]] {
        let dot = dot_near(&chip, [x, y]);
        assert!((dot[0] - x).hypot(dot[1] - y) < 0.25, "{dot:?}, not {x} {y}");
    }
}

#[test]
fn a_reference_of_the_pack_takes_the_place_of_the_published_one() {
    let reference = "reference = [[0, 0.25, 0.25], [1, 0.75, 0.25]]\npadding = 0.5";
    let (_, chip) = aligned(&format!("{EUCLIDEAN}\n{reference}"));
    // Half a side of margin on both ends: the eyes are at 3/8 and 5/8 of 112 pixels.
    for place in [[42.0, 42.0], [70.0, 42.0]] {
        let dot = dot_near(&chip, place);
        assert!((dot[0] - place[0]).hypot(dot[1] - place[1]) < 0.25, "{dot:?}, not {place:?}");
    }
}

#[test]
fn pixels_are_fed_in_the_order_and_scale_that_the_pack_states() {
    let photo = RgbImage::from_pixel(PHOTO_SIDE, PHOTO_SIDE, Rgb([200, 100, 50]));
    let planes = |more: &str| {
        let face = Files::new(128, more).face(&photo);
        // 64 squares of the first plane, 64 of the second; one in the middle of each.
        [face.embedding.0[27], face.embedding.0[64 + 27]]
    };
    let close = |found: [f32; 2], expected: [f32; 2]| {
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-3), "{found:?}");
    };
    close(planes("pixels = \"rgb-bytes\""), [200.0, 100.0]);
    close(planes("pixels = \"bgr-bytes\""), [50.0, 100.0]);
    close(planes("pixels = \"bgr-bytes\"\nmean = 127.5\nscale = 0.0078125"), [-77.5 / 128.0, -27.5 / 128.0]);
}

#[test]
fn a_cosine_pack_gives_unit_vectors_whose_distance_is_the_angle() {
    let (one, two) = (dotted([250; 3]), dotted([250, 90, 40]));
    for dimensions in [128, 512] {
        let plain = Files::new(dimensions, EUCLIDEAN);
        let (a, b) = (plain.face(&one).embedding.0, plain.face(&two).embedding.0);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();

        let files = Files::new(dimensions, COSINE);
        let (a, b) = (files.face(&one).embedding, files.face(&two).embedding);
        assert!((dot(&a.0, &a.0) - 1.0).abs() < 1e-5);
        let distance = a.distance(&b);
        assert!(distance > 0.05, "{distance}");
        assert!((distance - (2.0 * (1.0 - cosine)).sqrt()).abs() < 1e-3, "{distance} {cosine}");
    }
}

#[test]
fn the_thresholds_of_a_cosine_pack_are_one_minus_the_cosine() {
    let thresholds = *Files::new(128, COSINE).pack().unwrap().thresholds();
    assert!((thresholds.sure - 1.0).abs() < 1e-6);
    // The published threshold of SFace: a cosine of 0.363, or a distance of 1.128.
    assert!((thresholds.maybe - 1.128).abs() < 1e-3, "{}", thresholds.maybe);
    let plain = *Files::new(128, EUCLIDEAN).pack().unwrap().thresholds();
    assert_eq!((plain.sure, plain.maybe), (0.5, 0.637));
    let mut files = Files::new(128, COSINE);
    files.change("maybe = 0.637", "maybe = 2.5");
    assert!(matches!(files.pack(), Err(PackError::Invalid(_))));
}

#[test]
fn a_black_chip_has_no_direction() {
    let photo = RgbImage::new(PHOTO_SIDE, PHOTO_SIDE);
    let error = Files::new(128, COSINE).engine().find_faces(&photo).unwrap_err();
    assert!(matches!(&error, EngineError::NoDirection { file } if file == "recogniser.onnx"), "{error}");
}

#[test]
fn what_an_embedding_depends_on_changes_the_id() {
    let id = |more: &str| Files::new(128, more).pack().unwrap().id().to_owned();
    let ids = [
        id(EUCLIDEAN),
        id(COSINE),
        id("pixels = \"bgr-bytes\""),
        id("pixels = \"rgb-bytes\"\nmean = 1.0"),
        id("pixels = \"rgb-bytes\"\nscale = 0.5"),
    ];
    for (at, one) in ids.iter().enumerate() {
        assert!(!ids[..at].contains(one), "{ids:?}");
    }
    assert_eq!(id(COSINE), id(COSINE));
}

#[test]
fn a_centre_is_zero_when_the_pack_has_none() {
    assert_eq!(Files::new(512, COSINE).pack().unwrap().centre(), vec![0.0; 512]);
}

#[test]
fn what_does_not_fit_together_is_refused_with_the_reason() {
    for (from, to, word) in [
        ("alignment = \"five-points\"", "alignment = \"landmarks\"", "[landmarks]"),
        ("kind = \"yunet\"", "kind = \"ssd\"\nboxes = 5", "yunet"),
        ("mirrored = false", "mirrored = false\nreference = [[5, 0.1, 0.1], [1, 0.2, 0.2]]", "reference point"),
        ("mirrored = false", "mirrored = false\npadding = 0.25", "padding"),
        ("mirrored = false", "mirrored = false\nscale = 0.0", "scale"),
        ("mirrored = false", "mirrored = false\nmean = 300.0", "mean"),
        ("input = 64", "input = 80", "32"),
        ("output = \"fc1\"", "output = \"\"", "output"),
        ("blake3 = \"", "blake3 = \"X", "64 of 0-9 a-f"),
    ] {
        let mut files = Files::new(128, EUCLIDEAN);
        files.change(from, to);
        let error = files.pack().unwrap_err();
        assert!(matches!(&error, PackError::Invalid(_)), "{to}: {error}");
        assert!(error.to_string().contains(word), "{to}: {error}");
    }
    for (from, to) in
        [("kind = \"yunet\"", "kind = \"retina\""), ("mirrored = false", "mirrored = false\nmetric = \"manhattan\"")]
    {
        let mut files = Files::new(128, EUCLIDEAN);
        files.change(from, to);
        assert!(matches!(files.pack(), Err(PackError::Manifest(_))), "{to}");
    }
}

#[test]
fn networks_of_other_sizes_or_outputs_are_refused_with_their_name() {
    let refused = |from: &str, to: &str| {
        let mut files = Files::new(128, EUCLIDEAN);
        files.change(from, to);
        Engine::load(&files.pack().unwrap()).unwrap_err()
    };
    let error = refused("input = 64", "input = 96");
    assert!(
        matches!(&error, EngineError::Network { file, reason } if file == "detector.onnx" && reason.contains("64 x 64")),
        "{error}"
    );
    for (from, to) in [("output = \"fc1\"", "output = \"descriptor\""), ("dimensions = 128", "dimensions = 127")] {
        let error = refused(from, to);
        assert!(matches!(&error, EngineError::Shape { file, .. } if file == "recogniser.onnx"), "{error}");
    }
}
