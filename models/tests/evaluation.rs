//! Checks on photos of people that are not part of the repository: they run when `INFRAME_EVAL_DIR` names a folder with `golden` (numbers of an
//! independent program for the sample photos) and `faces` (portraits with labelled pairs, group photos with labelled boxes).

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test or only called by one")]

use std::collections::HashMap;
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

fn engine() -> Engine {
    Engine::load(&Pack::builtin().unwrap()).unwrap()
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
struct Independent {
    faces: Vec<IndependentFace>,
}

#[derive(Deserialize)]
struct IndependentFace {
    points5: [[f32; 2]; 5],
    embedding: Vec<f32>,
}

/// The independent program has another detector and takes no mirror image, so embeddings differ by more than rounding, most of all of a face in
/// profile. Strangers in these photos are at least 0.51 apart.
#[test]
fn an_independent_program_finds_the_same_faces() {
    let Some(golden) = folder("golden") else { return };
    let engine = engine();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/@vladmandic/face-api/demo");
    let (mut sum, mut furthest, mut count) = (0.0, 0.0_f32, 0);
    for number in 1..=6 {
        let text = std::fs::read_to_string(golden.join(format!("sample{number}.json"))).unwrap();
        let expected: Independent = serde_json::from_str(&text).unwrap();
        let faces = faces_of(&engine, &samples.join(format!("sample{number}.jpg")));
        assert_eq!(faces.len(), expected.faces.len(), "sample{number}");
        for theirs in expected.faces {
            let [nose_x, nose_y] = theirs.points5[2];
            let from_nose = |face: &Face| (face.landmarks[30][0] - nose_x).hypot(face.landmarks[30][1] - nose_y);
            let face = faces.iter().min_by(|a, b| from_nose(a).total_cmp(&from_nose(b))).unwrap();
            let apart = face.embedding.distance(&Embedding(theirs.embedding));
            assert!(from_nose(face) < 0.2 * face.rect.w, "sample{number}: nose {} px away", from_nose(face));
            let most = if engine.thresholds().fit_for_sure(&face.quality) { 0.25 } else { 0.35 };
            assert!(apart <= most, "sample{number}: {apart}");
            (sum, furthest, count) = (sum + apart, furthest.max(apart), count + 1);
        }
    }
    eprintln!("{count} faces, embeddings {:.3} apart on average, {furthest:.3} at most", sum / count as f32);
    assert_eq!(count, 22);
}

/// The faces of the portraits, by photo: the widest of each.
struct Portraits {
    faces: HashMap<String, Face>,
    same: Vec<(String, String)>,
    different: Vec<(String, String)>,
}

impl Portraits {
    fn read(engine: &Engine, folder: &Path) -> Self {
        let mut faces = HashMap::new();
        for path in photos_in(folder) {
            let widest = faces_of(engine, &path).into_iter().max_by(|a, b| a.rect.w.total_cmp(&b.rect.w));
            faces.extend(widest.map(|face| (path.file_name().unwrap().to_string_lossy().into_owned(), face)));
        }
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for line in std::fs::read_to_string(folder.join("pairs.csv")).unwrap().lines().skip(1) {
            let fields: Vec<&str> = line.split(',').map(str::trim).collect();
            let [a, b, decision] = fields.as_slice() else { panic!("{line}") };
            let list = if *decision == "Yes" { &mut same } else { &mut different };
            list.push(((*a).to_owned(), (*b).to_owned()));
        }
        Self { faces, same, different }
    }

    fn distances(&self, pairs: &[(String, String)]) -> Vec<f32> {
        let distance =
            |(a, b): &(String, String)| Some(self.faces.get(a)?.embedding.distance(&self.faces.get(b)?.embedding));
        pairs.iter().filter_map(distance).collect()
    }
}

#[test]
fn labelled_portraits_are_told_apart() {
    let Some(folder) = folder("faces/people") else { return };
    let engine = engine();
    let portraits = Portraits::read(&engine, &folder);
    let thresholds = *engine.thresholds();
    let (same, different) = (portraits.distances(&portraits.same), portraits.distances(&portraits.different));
    let share = |limit: f32| same.iter().filter(|apart| **apart <= limit).count() as f32 / same.len() as f32;
    let nearest = different.iter().copied().fold(f32::INFINITY, f32::min);
    let (sure, maybe) = (share(thresholds.sure), share(thresholds.maybe));
    eprintln!(
        "{} pairs of one person: {:.1} % sure, {:.1} % sure or maybe; {} pairs of strangers: the nearest {nearest:.3} apart",
        same.len(),
        100.0 * sure,
        100.0 * maybe,
        different.len()
    );
    assert!(nearest > thresholds.maybe, "strangers {nearest} apart");
    assert!(sure >= 0.9 && maybe >= 0.97);
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

#[test]
fn labelled_faces_of_groups_are_found_and_told_apart() {
    let Some(folder) = folder("faces/groups") else { return };
    let engine = engine();
    let thresholds = *engine.thresholds();
    let labels = std::fs::read_to_string(folder.join("boxes.json")).unwrap();
    let labels: HashMap<String, Vec<Labelled>> = serde_json::from_str(&labels).unwrap();
    let (mut wanted, mut hit, mut extra, mut nearest) = (0, 0, 0, f32::INFINITY);
    let mut everyone: Vec<Face> = Vec::new();
    for path in photos_in(&folder) {
        let faces = faces_of(&engine, &path);
        let labelled = labels.get(path.file_name().unwrap().to_str().unwrap()).map(Vec::as_slice).unwrap_or_default();
        wanted += labelled.iter().filter(|label| !label.ignore).count();
        hit += labelled.iter().filter(|label| !label.ignore && faces.iter().any(|face| label.is(face))).count();
        extra += faces.iter().filter(|face| !labelled.iter().any(|label| label.is(face))).count();
        everyone.extend(faces.into_iter().filter(|face| thresholds.fit_for_sure(&face.quality)));
    }
    for (at, a) in everyone.iter().enumerate() {
        nearest = everyone[..at].iter().map(|b| a.embedding.distance(&b.embedding)).fold(nearest, f32::min);
    }
    eprintln!(
        "{hit} of {wanted} labelled faces found, {extra} other boxes; {} faces fit to be surely somebody, the nearest two {nearest:.3} apart",
        everyone.len()
    );
    assert!(hit >= 41 && extra <= 3);
    assert!(nearest > thresholds.sure);
}
