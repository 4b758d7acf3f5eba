//! `cargo bench --profile dev -p inframe --bench people [-- FACES]`: what grouping one more face costs as a library grows to 300,000 faces, what the
//! search misses, and how well made-up people are told apart.
//!
//! The embeddings are made up with the geometry that the built-in pack has on real photos: two photos of one person 0.42 apart on average,
//! strangers 0.80 with a spread of 0.09. Real strangers are rarer at small distances than these, so the precision here is pessimistic.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use inframe::faces::{StoredFace, StoredFaces};
use inframe::library::AssetId;
use inframe::people::{FaceRef, Grouping, GroupingRules, PersonId};
use inframe_models::{Neighbours, distance_squared};

const NUMBERS: usize = 128;
/// Directions in which people differ, such that strangers' distances spread as much as real ones do.
const LATENT: usize = 40;
const STRANGERS: f32 = 0.80;
const ONE_PERSON: f32 = 0.42;
/// Faces of passers-by, seen once, among a hundred.
const PASSERS_BY: usize = 35;
/// Faces of each other person on average.
const FACES_EACH: usize = 15;
/// Faces too small or too poor to be surely anybody, among a hundred.
const POOR: usize = 15;
const RULES: GroupingRules = GroupingRules { sure: 0.49, maybe: 0.60, min_face_px: 40.0, min_quality: 0.4 };

/// A small generator (SplitMix64), so that every run has the same faces.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// About normal, with a variance of one.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1u64 << 24) as f32).sum::<f32>() - 6.0
    }

    fn vector(&mut self, length: usize, each: f32) -> Vec<f32> {
        (0..length).map(|_| self.normal() * each).collect()
    }
}

/// People to take faces from.
struct Crowd {
    dice: Dice,
    mixing: Vec<Vec<f32>>,
    people: Vec<Vec<f32>>,
}

impl Crowd {
    fn new() -> Self {
        let mut dice = Dice(7);
        let mixing = (0..LATENT).map(|_| dice.vector(NUMBERS, 1.0 / (NUMBERS as f32).sqrt())).collect();
        Self { dice, mixing, people: Vec::new() }
    }

    fn somebody(&mut self) -> usize {
        // Two points of variance s² in each of n directions are sqrt(2 n) s apart on average.
        let apart = (STRANGERS * STRANGERS - ONE_PERSON * ONE_PERSON).sqrt();
        let latent = self.dice.vector(LATENT, apart / (2.0 * LATENT as f32).sqrt());
        let mut vector = vec![0f32; NUMBERS];
        for (weight, direction) in latent.iter().zip(&self.mixing) {
            vector.iter_mut().zip(direction).for_each(|(sum, part)| *sum += weight * part);
        }
        self.people.push(vector);
        self.people.len() - 1
    }

    /// A face of somebody new or of somebody known, with who it is.
    fn face(&mut self, regulars: &mut Vec<usize>, wanted: usize) -> (usize, StoredFace) {
        let person = if self.dice.below(100) < PASSERS_BY {
            self.somebody()
        } else if regulars.len() < wanted {
            regulars.push(self.somebody());
            regulars[regulars.len() - 1]
        } else {
            // Some are seen far more often than others.
            let (a, b) = (self.dice.below(regulars.len()), self.dice.below(regulars.len()));
            regulars[a.min(b)]
        };
        let noise = self.dice.vector(NUMBERS, ONE_PERSON / (2.0 * NUMBERS as f32).sqrt());
        let embedding = self.people[person].iter().zip(noise).map(|(a, b)| a + b).collect();
        let width_px = if self.dice.below(100) < POOR { 30.0 } else { 120.0 };
        let quality = 0.4 + self.dice.below(60) as f32 / 100.0;
        (person, StoredFace { rect: [0.4, 0.3, 0.1, 0.15], width_px, quality, embedding, at_ms: None })
    }
}

fn asset(number: usize) -> AssetId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    AssetId(id)
}

fn main() {
    let most = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(300_000);
    let mut crowd = Crowd::new();
    let mut regulars = Vec::new();
    let mut grouping = Grouping::new("made-up".into(), NUMBERS, RULES, [1; 32]);
    let mut index = Neighbours::new(NUMBERS);
    let (mut truth, mut faces): (Vec<usize>, Vec<Vec<f32>>) = (Vec::new(), Vec::new());
    println!(
        "{:>8} {:>10} {:>10} {:>8} {:>9} {:>7} {:>9} {:>7}",
        "faces", "group", "search", "found", "memory", "people", "precision", "recall"
    );
    for target in [3_000, 10_000, 30_000, 100_000, 300_000].into_iter().filter(|target| *target <= most) {
        let wanted = most * (100 - PASSERS_BY) / 100 / FACES_EACH;
        let (mut spent, before) = (0.0, truth.len());
        while truth.len() < target {
            let (person, face) = crowd.face(&mut regulars, wanted);
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
