//! Checks on photos of people that are not part of the repository: they run when `INFRAME_EVAL_DIR` names a folder with `golden` (numbers of an
//! independent program for the sample photos) and `faces` (portraits with labelled pairs, group photos with labelled boxes).

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test or only called by one")]

use std::path::{Path, PathBuf};

use inframe_models::eval::{Part, Variant, evaluate};
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

fn measured(part: &str, variant: Variant) -> Option<Part> {
    let report = evaluate(&engine(), &folder(part)?, variant, None, &mut |_, _, _| {}).unwrap();
    eprintln!("{report}");
    report.parts.into_iter().next()
}

fn turned(turn: f32) -> Variant {
    Variant { turn, ..Variant::default() }
}

#[test]
fn labelled_portraits_are_told_apart() {
    let Some(part) = measured("faces/people", Variant::default()) else { return };
    let people = part.recognition.unwrap();
    let labelled = people.labelled.unwrap();
    assert_eq!((labelled.same + labelled.different, labelled.best_errors), (300, 0));
    let pooled = people.pooled.unwrap();
    assert!(pooled.eer <= 0.003 && pooled.tpr_at_1e2 == 1.0, "{pooled:?}");
    assert!(people.sure.told >= 0.9 && people.maybe.told >= 0.97, "{people:?}");
    assert_eq!((people.sure.wrong, people.maybe.wrong, part.strangers.sure), (0, 0, 0));
}

#[test]
fn portraits_turned_by_30_degrees_are_told_apart_nearly_as_well() {
    for turn in [30.0, -30.0] {
        let Some(part) = measured("faces/people", turned(turn)) else { return };
        let pooled = part.recognition.unwrap().pooled.unwrap();
        assert!(pooled.tpr_at_1e2 >= 0.98 && pooled.tpr_at_1e3 >= 0.95, "{turn}: {pooled:?}");
        assert_eq!(part.strangers.sure, 0, "{turn}");
    }
}

#[test]
fn labelled_faces_of_groups_are_found_and_told_apart() {
    let Some(part) = measured("faces/groups", Variant::default()) else { return };
    let found = part.detection.unwrap();
    assert!(found.wanted == 43 && found.found >= 42 && found.false_boxes <= 1, "{found:?}");
    let wrong_about_dogs = found.imperfect.iter().any(|(name, ..)| name == "dogs.jpg");
    assert!(!wrong_about_dogs, "{found:?}");
    assert!(part.strangers.pairs > 800 && part.strangers.fit_pairs > 20, "{:?}", part.strangers);
    assert_eq!((part.strangers.sure, part.within_photos.sure), (0, 0));
}

#[test]
fn faces_of_groups_are_found_in_turned_small_and_framed_photos() {
    let (small, frame) = (Some(20.0), Some((4000, 3000)));
    let variants = [
        turned(90.0),
        turned(30.0),
        turned(-30.0),
        Variant { shrink_to: small, ..Variant::default() },
        Variant { frame, ..Variant::default() },
    ];
    for variant in variants {
        let Some(part) = measured("faces/groups", variant) else { return };
        let found = part.detection.unwrap();
        assert!(found.found >= 41 && found.false_boxes <= 1, "{variant:?}: {found:?}");
        assert_eq!(part.strangers.sure, 0, "{variant:?}");
    }
}
