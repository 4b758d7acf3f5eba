//! `cargo bench --profile dev -p inframe --bench people [-- FACES]`: what grouping one more face costs as a library grows to 300,000 faces, what the
//! search misses, and how well made-up people are told apart.
//!
//! Strangers look more alike here than real ones do (`crowd`), so the precision is pessimistic.

mod crowd;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use inframe::faces::StoredFaces;
use inframe::library::AssetId;
use inframe::people::{FaceRef, Grouping, GroupingRules, PersonId};
use inframe_models::{Neighbours, distance_squared};

use crowd::{Crowd, Dice, NUMBERS};

const RULES: GroupingRules = GroupingRules { sure: 0.49, maybe: 0.60, min_face_px: 40.0, min_quality: 0.4 };

fn asset(number: usize) -> AssetId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    AssetId(id)
}

fn main() {
    let most = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(300_000);
    let mut crowd = Crowd::new(most);
    let mut grouping = Grouping::new("made-up".into(), NUMBERS, RULES, [1; 32]);
    let mut index = Neighbours::new(NUMBERS);
    let (mut truth, mut faces): (Vec<usize>, Vec<Vec<f32>>) = (Vec::new(), Vec::new());
    println!(
        "{:>8} {:>10} {:>10} {:>8} {:>9} {:>7} {:>9} {:>7}",
        "faces", "group", "search", "found", "memory", "people", "precision", "recall"
    );
    for target in [3_000, 10_000, 30_000, 100_000, 300_000].into_iter().filter(|target| *target <= most) {
        let (mut spent, before) = (0.0, truth.len());
        while truth.len() < target {
            let (person, face) = crowd.face();
            index.insert(truth.len() as u32, &face.embedding);
            faces.push(face.embedding.clone());
            let photo = Arc::new(StoredFaces { pack: "made-up".into(), faces: vec![face] });
            let start = Instant::now();
            grouping.put(asset(truth.len()), photo);
            spent += start.elapsed().as_secs_f64();
            grouping.forget_changes();
            truth.push(person);
        }
        let each = spent * 1e6 / (truth.len() - before) as f64;
        let (search, found) = search(&mut crowd.dice, &index, &faces, &truth);
        let (precision, recall) = pairs(&grouping, &truth);
        println!(
            "{target:>8} {each:>7.0} us {search:>7.0} us {:>6.1} % {:>6} MB {:>7} {:>7.2} % {:>5.1} %",
            100.0 * found,
            grouping.search_bytes() / 1_000_000,
            grouping.people().len(),
            100.0 * precision,
            100.0 * recall
        );
    }
}

/// Microseconds of a search among all faces, and the share of the faces of the same person within the sure distance that it finds.
fn search(dice: &mut Dice, index: &Neighbours, faces: &[Vec<f32>], truth: &[usize]) -> (f64, f64) {
    const QUERIES: usize = 300;
    let (mut there, mut found, mut spent) = (0usize, 0usize, 0.0);
    for _ in 0..QUERIES {
        let query = dice.below(faces.len());
        let same = |other: usize| {
            truth[other] == truth[query] && distance_squared(&faces[other], &faces[query]).sqrt() <= RULES.sure
        };
        there += (0..faces.len()).filter(|other| same(*other)).count();
        let start = Instant::now();
        let near = index.within(&faces[query], RULES.maybe, usize::MAX);
        spent += start.elapsed().as_secs_f64();
        found += near.iter().filter(|near| same(near.key as usize)).count();
    }
    (spent * 1e6 / QUERIES as f64, found as f64 / there.max(1) as f64)
}

/// Precision and recall of pairs of faces.
fn pairs(grouping: &Grouping, truth: &[usize]) -> (f64, f64) {
    let (mut both, mut put) = (HashMap::<(PersonId, usize), u64>::new(), HashMap::<PersonId, u64>::new());
    let mut are = HashMap::<usize, u64>::new();
    for (number, person) in truth.iter().enumerate() {
        *are.entry(*person).or_default() += 1;
        if let Some(found) = grouping.person_of(FaceRef { asset: asset(number), index: 0 }) {
            *both.entry((found, *person)).or_default() += 1;
            *put.entry(found).or_default() += 1;
        }
    }
    let count = |sizes: &mut dyn Iterator<Item = u64>| sizes.map(|size| size * (size - 1) / 2).sum::<u64>() as f64;
    let right = count(&mut both.into_values());
    (right / count(&mut put.into_values()).max(1.0), right / count(&mut are.into_values()).max(1.0))
}
