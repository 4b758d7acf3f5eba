//! How well people are told apart: on the package's sample photos always; on labelled photos of people where `INFRAME_EVAL_DIR` names a folder
//! with `faces/people` and `faces/groups`. These are few people and all adults, so the figures are optimistic.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use inframe_models::{Engine, Pack, PackFacts, photo as pixels};
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    photos: Vec<GoldenPhoto>,
}

#[derive(Deserialize)]
struct GoldenPhoto {
    faces: Vec<GoldenFace>,
}

#[derive(Deserialize)]
struct GoldenFace {
    rect: [f32; 4],
    quality: f32,
    embedding: Vec<f32>,
}

/// Photos are shrunk to this long side, as the daemon does.
const LONG_SIDE_PX: u32 = 2560;
/// Orders in which photos come in.
const ORDERS: u64 = 30;

fn builtin() -> Grouping {
    let facts = PackFacts::builtin().unwrap();
    let [sure, maybe] = [facts.thresholds.sure, facts.thresholds.maybe];
    let (min_face_px, min_quality) = (facts.thresholds.min_face_px, facts.thresholds.min_quality);
    Grouping::new(PACK.into(), facts.centre.len(), GroupingRules { sure, maybe, min_face_px, min_quality }, [3; 32])
}

fn samples() -> Vec<Arc<StoredFaces>> {
    let golden: Golden = serde_json::from_str(include_str!("../../../../models/golden/sample_photos.json")).unwrap();
    let of = |one: GoldenPhoto| {
        let face = |face: GoldenFace| StoredFace {
            rect: face.rect.map(|pixels| pixels / LONG_SIDE_PX as f32),
            width_px: face.rect[2],
            quality: face.quality,
            embedding: face.embedding,
            at_ms: None,
        };
        Arc::new(StoredFaces { pack: PACK.into(), faces: one.faces.into_iter().map(face).collect() })
    };
    golden.photos.into_iter().map(of).collect()
}

/// Numbers 0 to `count` in an order that depends on the seed.
fn order(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|at| *blake3::hash(&[seed.to_le_bytes(), (*at as u64).to_le_bytes()].concat()).as_bytes());
    order
}

#[test]
fn of_the_sample_photos_exactly_the_one_person_in_two_is_found() {
    let photos = samples();
    for seed in 0..ORDERS {
        let mut grouping = builtin();
        for number in order(photos.len(), seed) {
            grouping.put(asset(number as u16), photos[number].clone());
        }
        let [person] = grouping.people().try_into().expect("one person");
        assert_eq!(person.photos, 2);
        // The last face listed of the first sample and of the third.
        assert_eq!((grouping.person_of(at(0, 2)), grouping.person_of(at(2, 2))), (Some(person.id), Some(person.id)));
    }
}

/// A face with the name that the labels give it.
type Labelled = (FaceRef, String);

/// Share of true pairs among those found, share of those found among the true ones; and the same by face (B-cubed).
#[derive(Debug)]
struct Score {
    pairs: (f64, f64),
    by_face: (f64, f64),
}

fn score(grouping: &Grouping, labelled: &[Labelled]) -> Score {
    // A face without a person is alone.
    let found: Vec<String> = labelled
        .iter()
        .map(|(face, _)| grouping.person_of(*face).map_or_else(|| format!("{face:?}"), |person| person.to_string()))
        .collect();
    let (mut right, mut put, mut truth) = (0.0, 0.0, 0.0);
    let (mut precision, mut recall) = (0.0, 0.0);
    for (a, (_, name)) in labelled.iter().enumerate() {
        let (mut both, mut together, mut same) = (0.0, 0.0, 0.0);
        for (b, (_, other)) in labelled.iter().enumerate() {
            let (is, was) = (name == other, found[a] == found[b]);
            both += f64::from(is && was);
            together += f64::from(was);
            same += f64::from(is);
        }
        (precision, recall) = (precision + both / together, recall + both / same);
        (right, put, truth) = (right + both - 1.0, put + together - 1.0, truth + same - 1.0);
    }
    let faces = labelled.len() as f64;
    Score {
        pairs: (right / f64::max(put, 1.0), right / f64::max(truth, 1.0)),
        by_face: (precision / faces, recall / faces),
    }
}

fn photos_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut photos: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "jpg")).collect();
    photos.sort();
    photos
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Files of one person, by what the pairs say; files of no pair have no label.
fn labels(folder: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(folder.join("pairs.csv")).unwrap();
    let mut of: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [a, b, decision] = fields.as_slice() else { panic!("{line}") };
        let [first, second] =
            [a, b].map(|file| of.entry((*file).to_owned()).or_insert_with(|| (*file).to_owned()).clone());
        if *decision == "Yes" {
            of.values_mut().filter(|label| **label == second).for_each(|label| label.clone_from(&first));
        }
    }
    of
}

#[test]
fn labelled_people_are_told_apart() {
    let Some(root) = std::env::var_os("INFRAME_EVAL_DIR") else {
        eprintln!("skipped: INFRAME_EVAL_DIR is not set");
        return;
    };
    let folder = Path::new(&root).join("faces");
    let engine = Engine::load(&Pack::builtin().unwrap()).unwrap();
    let labels = labels(&folder.join("people"));
    let (mut photos, mut labelled): (Vec<Arc<StoredFaces>>, Vec<Labelled>) = (Vec::new(), Vec::new());
    for path in [photos_in(&folder.join("people")), photos_in(&folder.join("groups"))].concat() {
        let image = image::load_from_memory(&std::fs::read(&path).unwrap()).unwrap();
        let image = pixels::flatten(pixels::shrink(image, LONG_SIDE_PX));
        let found = engine.find_faces(&image).unwrap();
        let faces = StoredFaces::new(PACK.into(), found, image.width(), image.height());
        let file = name_of(&path);
        let refs = (0..faces.faces.len() as u16).map(|index| at(photos.len() as u16, index));
        if path.starts_with(folder.join("people")) {
            // The labels are those of the widest face.
            let widest = refs.max_by(|a, b| {
                let width = |face: &FaceRef| faces.faces[usize::from(face.index)].rect[2];
                width(a).total_cmp(&width(b))
            });
            labelled.extend(widest.and_then(|face| Some((face, labels.get(&file)?.clone()))));
        } else {
            // People of one photo are different people.
            labelled.extend(refs.map(|face| (face, format!("{file} {}", face.index))));
        }
        photos.push(Arc::new(faces));
    }
    let (mut sum, mut worst) = ([0.0; 4], [1.0_f64; 4]);
    for seed in 0..ORDERS {
        let mut grouping = builtin();
        for number in order(photos.len(), seed) {
            grouping.put(asset(number as u16), photos[number].clone());
        }
        let Score { pairs, by_face } = score(&grouping, &labelled);
        for (at, value) in [pairs.0, pairs.1, by_face.0, by_face.1].into_iter().enumerate() {
            sum[at] += value / ORDERS as f64;
            worst[at] = worst[at].min(value);
        }
    }
    let names: HashMap<&String, ()> = labelled.iter().map(|(_, name)| (name, ())).collect();
    eprintln!(
        "{} faces of {} people, {ORDERS} orders; pairs: precision {:.4} (at least {:.4}), recall {:.4} ({:.4}); B-cubed: precision {:.4} ({:.4}), recall {:.4} ({:.4})",
        labelled.len(),
        names.len(),
        sum[0],
        worst[0],
        sum[1],
        worst[1],
        sum[2],
        worst[2],
        sum[3],
        worst[3]
    );
    assert!(worst[0] >= 0.99 && worst[2] >= 0.99, "strangers were taken for one person");
    assert!(worst[1] >= 0.9 && worst[3] >= 0.9, "one person was taken for several");
}
