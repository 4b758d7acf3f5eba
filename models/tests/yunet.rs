//! A pack with another detector, as `packs/yunet/pack.toml` describes it, on photos of people that are not part of the repository: it must do
//! what the built-in pack does. Runs when `INFRAME_EVAL_DIR` names a folder with `models` (YuNet) and `faces` (labelled photos).

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test or only called by one")]

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use inframe_models::{Embedding, Engine, Face, Pack, photo};
use serde::Deserialize;

/// Photos are shrunk to this long side, as the daemon does.
const LONG_SIDE_PX: u32 = 2560;

fn folder(part: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("INFRAME_EVAL_DIR").map(|root| Path::new(&root).join(part));
    if folder.is_none() {
        eprintln!("skipped: INFRAME_EVAL_DIR is not set");
    }
    folder
}

/// The pack with its landmarks and recogniser taken from the built-in one; `change` may change `pack.toml`.
fn engine(yunet: &Path, change: impl Fn(String) -> String) -> Engine {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = change(std::fs::read_to_string(root.join("packs/yunet/pack.toml")).unwrap());
    let toml = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(toml.path(), manifest).unwrap();
    let open = |name: &str| match name {
        "pack.toml" => File::open(toml.path()),
        "detector.onnx" => File::open(yunet),
        other => File::open(root.join("pack/face-api").join(other)),
    };
    Engine::load(&Pack::read(open).unwrap()).unwrap()
}

fn faces_of(engine: &Engine, path: &Path) -> Vec<Face> {
    let image = image::load_from_memory(&std::fs::read(path).unwrap()).unwrap();
    engine.find_faces(&photo::flatten(photo::shrink(image, LONG_SIDE_PX))).unwrap()
}

fn photos_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut photos: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "jpg")).collect();
    photos.sort();
    photos
}

#[derive(Deserialize)]
struct Labelled {
    x: f32,
    y: f32,
    w: f32,
    h: f32,
    ignore: bool,
}

impl Labelled {
    /// Labels are tight: a face counts as found when the middles are within half a box.
    fn is(&self, face: &Face) -> bool {
        let (dx, dy) = (face.rect.x + face.rect.w / 2.0, face.rect.y + face.rect.h / 2.0);
        (dx - self.x - self.w / 2.0).hypot(dy - self.y - self.h / 2.0) <= self.w.max(self.h) / 2.0
    }
}

/// Labelled faces, those of them that were found, and boxes that are no labelled face.
fn groups(engine: &Engine, folder: &Path) -> [usize; 3] {
    let labels = std::fs::read_to_string(folder.join("boxes.json")).unwrap();
    let labels: HashMap<String, Vec<Labelled>> = serde_json::from_str(&labels).unwrap();
    let mut counts = [0; 3];
    let photos = photos_in(folder);
    for path in &photos {
        let faces = faces_of(engine, path);
        let labelled = labels.get(path.file_name().unwrap().to_str().unwrap()).map(Vec::as_slice).unwrap_or_default();
        counts[0] += labelled.iter().filter(|label| !label.ignore).count();
        counts[1] += labelled.iter().filter(|label| !label.ignore && faces.iter().any(|face| label.is(face))).count();
        counts[2] += faces.iter().filter(|face| !labelled.iter().any(|label| label.is(face))).count();
    }
    counts
}

/// Distances of the labelled pairs of one person and of two, each photo standing for its widest face.
fn pairs(engine: &Engine, folder: &Path) -> [Vec<f32>; 2] {
    let mut known: HashMap<String, Embedding> = HashMap::new();
    for path in photos_in(folder) {
        let widest = faces_of(engine, &path).into_iter().max_by(|a, b| a.rect.w.total_cmp(&b.rect.w));
        known.extend(widest.map(|face| (path.file_name().unwrap().to_string_lossy().into_owned(), face.embedding)));
    }
    let mut distances = [Vec::new(), Vec::new()];
    for line in std::fs::read_to_string(folder.join("pairs.csv")).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [a, b, decision] = fields.as_slice() else { panic!("{line}") };
        distances[usize::from(*decision != "Yes")].push(known[*a].distance(&known[*b]));
    }
    distances
}

fn check(engine: &Engine, people: &Path, groups_in: &Path, most_wrong: usize) {
    let [labelled, found, other] = groups(engine, groups_in);
    let [same, different] = pairs(engine, people);
    let furthest = same.iter().copied().fold(0.0, f32::max);
    let nearest = different.iter().copied().fold(f32::INFINITY, f32::min);
    let maybe = engine.thresholds().maybe;
    let wrong =
        same.iter().filter(|apart| **apart > maybe).count() + different.iter().filter(|apart| **apart <= maybe).count();
    eprintln!(
        "{found} of {labelled} faces, {other} other boxes; {} pairs of one person up to {furthest:.3} apart, {} of strangers from {nearest:.3} on; {wrong} wrong at {maybe}",
        same.len(),
        different.len()
    );
    assert_eq!((labelled, found, other), (43, 43, 0));
    assert_eq!(same.len() + different.len(), 300);
    assert!(wrong <= most_wrong);
}

#[test]
fn a_yunet_pack_does_what_the_builtin_pack_does() {
    let (Some(models), Some(faces)) = (folder("models"), folder("faces")) else { return };
    let engine = engine(&models.join("yunet_n_dynamic.onnx"), |manifest| manifest);
    check(&engine, &faces.join("people"), &faces.join("groups"), 0);
}

/// The same network exported for one size only; its hash is put in the place of the other's.
#[test]
fn a_yunet_file_of_one_size_finds_the_same_faces() {
    let (Some(models), Some(faces)) = (folder("models"), folder("faces")) else { return };
    let file = models.join("yunet_n_640_640.onnx");
    let hash = |path: &Path| blake3::hash(&std::fs::read(path).unwrap()).to_hex().to_string();
    let change = |text: String| text.replace(&hash(&models.join("yunet_n_dynamic.onnx")), &hash(&file));
    assert_eq!(groups(&engine(&file, change), &faces.join("groups")), [43, 43, 0]);
}

/// Five points of the detector in the place of the landmark net: less exact, so a few pairs may be told wrongly.
#[test]
fn a_pack_without_landmarks_aligns_by_the_five_points_of_the_detector() {
    let (Some(models), Some(faces)) = (folder("models"), folder("faces")) else { return };
    let five = |text: String| {
        let text: Vec<&str> = text.split("[landmarks]").collect();
        let rest = text[1].split_once("[recogniser]").unwrap().1;
        let (head, tail) = rest.split_once("reference = [").unwrap();
        let tail = tail.split_once("\n]\n").unwrap().1;
        // Where the five points lie in faces that were aligned by 68.
        let reference = "alignment = \"five-points\"\nreference = [[0, 0.2264, 0.1988], [1, 0.7522, 0.1916], [2, 0.4952, 0.5071], [3, 0.2554, 0.7674], [4, 0.7257, 0.7665]]\n";
        format!("{}[recogniser]{head}{reference}{tail}", text[0])
    };
    check(&engine(&models.join("yunet_n_dynamic.onnx"), five), &faces.join("people"), &faces.join("groups"), 3);
}
