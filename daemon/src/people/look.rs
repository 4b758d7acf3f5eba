//! One look of a person: the sums from which the average distance to all its faces follows, and the few faces that stand for it in the search.

use std::collections::BTreeSet;

use inframe_models::distance_squared;

use super::{FaceRef, PersonId};

/// Faces that stand for a look. More add cost to every search; fewer miss a turned head.
pub(super) const EXEMPLARS: usize = 8;

/// A look.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) person: PersonId,
    /// Every face, those that do not count included.
    pub(super) members: BTreeSet<FaceRef>,
    pub(super) exemplars: Vec<FaceRef>,
    /// Sum of the embeddings that count, in double precision, since they are taken out again one by one.
    sum: Vec<f64>,
    squares: f64,
    count: u32,
}

impl Look {
    pub(super) fn of(person: PersonId) -> Self {
        Self { person, members: BTreeSet::new(), exemplars: Vec::new(), sum: Vec::new(), squares: 0.0, count: 0 }
    }

    /// Faces that count.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn add(&mut self, embedding: &[f32]) {
        self.sum.resize(embedding.len(), 0.0);
        self.change(embedding, 1.0);
        self.count += 1;
    }

    pub(super) fn subtract(&mut self, embedding: &[f32]) {
        self.count = self.count.saturating_sub(1);
        if self.count == 0 {
            (self.sum, self.squares) = (Vec::new(), 0.0);
        } else {
            self.change(embedding, -1.0);
        }
    }

    /// One less, whose embedding is not to be had: the sums are wrong until they are made anew.
    pub(super) fn lose(&mut self) {
        self.count = self.count.saturating_sub(1);
        if self.count == 0 {
            self.clear();
        }
    }

    /// Forgets the sums.
    pub(super) fn clear(&mut self) {
        (self.sum, self.squares, self.count) = (Vec::new(), 0.0, 0);
    }

    fn change(&mut self, embedding: &[f32], sign: f64) {
        for (sum, number) in self.sum.iter_mut().zip(embedding) {
            *sum += sign * f64::from(*number);
            self.squares += sign * f64::from(*number) * f64::from(*number);
        }
    }

    /// Root of the mean squared distance to all faces that count; infinite without any.
    pub(super) fn average(&self, embedding: &[f32]) -> f32 {
        if self.count == 0 || self.sum.len() != embedding.len() {
            return f32::INFINITY;
        }
        let (mut own, mut both) = (0.0, 0.0);
        for (sum, number) in self.sum.iter().zip(embedding) {
            let number = f64::from(*number);
            own += number * number;
            both += number * sum;
        }
        let count = f64::from(self.count);
        (own - 2.0 * both / count + self.squares / count).max(0.0).sqrt() as f32
    }

    /// The same between all faces of two looks.
    pub(super) fn average_between(&self, other: &Self) -> f32 {
        if self.count == 0 || other.count == 0 || self.sum.len() != other.sum.len() {
            return f32::INFINITY;
        }
        let (a, b) = (f64::from(self.count), f64::from(other.count));
        let both: f64 = self.sum.iter().zip(&other.sum).map(|(x, y)| x * y).sum();
        (self.squares / a + other.squares / b - 2.0 * both / (a * b)).max(0.0).sqrt() as f32
    }
}

/// A face as the choice of exemplars sees it.
pub(super) struct Candidate<'a> {
    pub(super) face: FaceRef,
    pub(super) embedding: &'a [f32],
    pub(super) quality: f32,
}

/// Which exemplar a new face shall stand in for: `Some(at)` of `known`, `Some(known.len())` to be one more, `None` if the look is better off as it is.
/// Exemplars are kept good and unlike each other, so that a few of them cover a look.
pub(super) fn stands_for(new: &Candidate, known: &[Candidate], alike: f32) -> Option<usize> {
    let apart = |a: &Candidate, b: &Candidate| distance_squared(a.embedding, b.embedding).sqrt();
    let (nearest, at) = known
        .iter()
        .enumerate()
        .map(|(at, one)| (apart(new, one), at))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((f32::INFINITY, 0));
    if nearest <= alike {
        return (new.quality > known[at].quality).then_some(at);
    }
    if known.len() < EXEMPLARS {
        return Some(known.len());
    }
    let (mut closest, mut weaker) = (f32::INFINITY, 0);
    for (a, one) in known.iter().enumerate() {
        for (b, other) in known.iter().enumerate().skip(a + 1) {
            let distance = apart(one, other);
            if distance < closest {
                (closest, weaker) = (distance, if one.quality < other.quality { a } else { b });
            }
        }
    }
    (nearest > closest).then_some(weaker)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::AssetId;

    fn face(index: u16) -> FaceRef {
        FaceRef { asset: AssetId([0; 16]), index }
    }

    #[test]
    fn averages_are_those_of_all_pairs() {
        let (a, b) = ([[0.0f32, 0.0], [2.0, 0.0]], [[0.0f32, 3.0], [0.0, 5.0], [1.0, 1.0]]);
        let look = |of: &[[f32; 2]]| {
            let mut look = Look::of(PersonId([1; 16]));
            of.iter().for_each(|one| look.add(one));
            look
        };
        let (left, mut right) = (look(&a), look(&b));
        let mean = |pairs: Vec<f32>| (pairs.iter().sum::<f32>() / pairs.len() as f32).sqrt();
        let to_left = mean(a.iter().map(|one| distance_squared(one, &[1.0, 4.0])).collect());
        assert!((left.average(&[1.0, 4.0]) - to_left).abs() < 1e-5);
        let all = |b: &[[f32; 2]]| mean(a.iter().flat_map(|x| b.iter().map(move |y| distance_squared(x, y))).collect());
        assert!((left.average_between(&right) - all(&b)).abs() < 1e-5);
        right.subtract(&b[0]);
        assert!((left.average_between(&right) - all(&b[1..])).abs() < 1e-5);
        b[1..].iter().for_each(|one| right.subtract(one));
        assert_eq!((right.count(), right.average(&[0.0, 0.0])), (0, f32::INFINITY));
    }

    #[test]
    fn exemplars_are_few_and_unlike_each_other() {
        let points: Vec<[f32; 2]> = (0..9).map(|at| [at as f32, 0.0]).collect();
        let candidate = |at: usize, quality: f32| Candidate { face: face(at as u16), embedding: &points[at], quality };
        let known: Vec<Candidate> = (0..8).map(|at| candidate(at, 0.5)).collect();
        assert_eq!(stands_for(&candidate(0, 0.5), &[], 0.1), Some(0));
        assert_eq!(stands_for(&candidate(8, 0.5), &known[..3], 0.1), Some(3));
        // The same place again: only a better picture of it is of use.
        assert_eq!(stands_for(&candidate(2, 0.4), &known, 0.1), None);
        assert_eq!(stands_for(&candidate(2, 0.6), &known, 0.1), Some(2));
        // As far from its nearest as all others are from theirs: nothing is gained.
        assert_eq!(stands_for(&candidate(8, 0.9), &known, 0.1), None);
        let far = Candidate { face: face(9), embedding: &[20.0, 0.0], quality: 0.5 };
        assert_eq!(stands_for(&far, &known, 0.1), Some(1));
    }
}
