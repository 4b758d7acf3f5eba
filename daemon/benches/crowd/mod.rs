//! Made-up faces with the geometry that the built-in pack has on real photos: two photos of one person 0.42 apart on average, strangers 0.80 with a
//! spread of 0.09. Real strangers are rarer at small distances than these.

use inframe::faces::StoredFace;

/// Numbers of an embedding.
pub const NUMBERS: usize = 128;
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

/// A small generator (SplitMix64), so that every run has the same faces.
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
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
pub struct Crowd {
    /// What it is made up with.
    pub dice: Dice,
    mixing: Vec<Vec<f32>>,
    people: Vec<Vec<f32>>,
    regulars: Vec<usize>,
    /// People who are seen again and again.
    wanted: usize,
}

impl Crowd {
    /// For so many faces in the end.
    pub fn new(faces: usize) -> Self {
        let mut dice = Dice(7);
        let mixing = (0..LATENT).map(|_| dice.vector(NUMBERS, 1.0 / (NUMBERS as f32).sqrt())).collect();
        let wanted = faces * (100 - PASSERS_BY) / 100 / FACES_EACH;
        Self { dice, mixing, people: Vec::new(), regulars: Vec::new(), wanted }
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
    pub fn face(&mut self) -> (usize, StoredFace) {
        let person = if self.dice.below(100) < PASSERS_BY {
            self.somebody()
        } else if self.regulars.len() < self.wanted {
            let new = self.somebody();
            self.regulars.push(new);
            new
        } else {
            // Some are seen far more often than others.
            let (a, b) = (self.dice.below(self.regulars.len()), self.dice.below(self.regulars.len()));
            self.regulars[a.min(b)]
        };
        let noise = self.dice.vector(NUMBERS, ONE_PERSON / (2.0 * NUMBERS as f32).sqrt());
        let embedding = self.people[person].iter().zip(noise).map(|(a, b)| a + b).collect();
        let width_px = if self.dice.below(100) < POOR { 30.0 } else { 120.0 };
        let quality = 0.4 + self.dice.below(60) as f32 / 100.0;
        (person, StoredFace { rect: [0.4, 0.3, 0.1, 0.15], width_px, quality, embedding, at_ms: None })
    }
}
