//! Error rates of distances between pairs of one person and pairs of strangers.

use serde::Serialize;

/// Rates of one set of distances. All are between 0 and 1; NaN never occurs, since a curve needs pairs of both kinds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Curve {
    /// Pairs of one person.
    pub same: usize,
    /// Pairs of strangers.
    pub different: usize,
    /// Equal error rate: where as large a share of strangers is taken for one person as the other way round.
    pub eer: f32,
    /// Share of the pairs of one person that is told when at most 1 in 100 pairs of strangers is taken for one person.
    pub tpr_at_1e2: f32,
    /// The same for 1 in 1000. With fewer than 1000 pairs of strangers: for none.
    pub tpr_at_1e3: f32,
    /// The distance that separates best.
    pub best_threshold: f32,
    /// Pairs on the wrong side of it.
    pub best_errors: usize,
    /// The two strangers who are closest.
    pub nearest_strangers: f32,
    /// The two photos of one person that are furthest apart; infinite when a face was not found.
    #[serde(serialize_with = "finite_or_nothing")]
    pub furthest_same: f32,
}

fn finite_or_nothing<S: serde::Serializer>(number: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    number.is_finite().then_some(*number).serialize(serializer)
}

/// What a fixed threshold does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtThreshold {
    /// The distance.
    pub threshold: f32,
    /// Share of the pairs of one person that is at most so far apart.
    pub told: f32,
    /// Pairs of strangers that are at most so far apart.
    pub wrong: usize,
}

impl Curve {
    /// Of the distances of these pairs; `None` without pairs of both kinds.
    #[must_use]
    pub fn of(mut same: Vec<f32>, mut different: Vec<f32>) -> Option<Self> {
        same.sort_by(f32::total_cmp);
        different.sort_by(f32::total_cmp);
        let (furthest_same, nearest_strangers) = (*same.last()?, *different.first()?);
        let share = |part: usize, whole: usize| part as f32 / whole as f32;
        let up_to = |list: &[f32], limit: f32| list.partition_point(|apart| *apart <= limit);
        let tpr_at = |rate: f64| {
            let allowed = (rate * different.len() as f64) as usize;
            let below = different.get(allowed).map_or(same.len(), |first| same.partition_point(|apart| apart < first));
            share(below, same.len())
        };
        let (mut eer, mut gap) = (1.0, f32::INFINITY);
        let (mut best_threshold, mut best_errors) = (0.0, same.len());
        let mut candidates: Vec<f32> =
            same.iter().chain(&different).copied().filter(|apart| apart.is_finite()).collect();
        candidates.sort_by(f32::total_cmp);
        for (at, &limit) in candidates.iter().enumerate() {
            let (missed, taken) = (same.len() - up_to(&same, limit), up_to(&different, limit));
            let (missed_share, taken_share) = (share(missed, same.len()), share(taken, different.len()));
            if (missed_share - taken_share).abs() < gap {
                gap = (missed_share - taken_share).abs();
                eer = f32::midpoint(missed_share, taken_share);
            }
            if missed + taken < best_errors {
                best_errors = missed + taken;
                best_threshold = candidates.get(at + 1).map_or(limit, |next| f32::midpoint(limit, *next));
            }
        }
        Some(Self {
            same: same.len(),
            different: different.len(),
            eer,
            tpr_at_1e2: tpr_at(1e-2),
            tpr_at_1e3: tpr_at(1e-3),
            best_threshold,
            best_errors,
            nearest_strangers,
            furthest_same,
        })
    }
}

impl AtThreshold {
    pub(super) fn of(threshold: f32, same: &[f32], different: &[f32]) -> Self {
        let up_to = |list: &[f32]| list.iter().filter(|apart| **apart <= threshold).count();
        Self { threshold, told: up_to(same) as f32 / same.len().max(1) as f32, wrong: up_to(different) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_lie_apart_have_no_errors() {
        let curve = Curve::of(vec![0.3, 0.1, 0.2], vec![0.9, 0.7, 0.8]).unwrap();
        assert_eq!((curve.eer, curve.tpr_at_1e2, curve.tpr_at_1e3, curve.best_errors), (0.0, 1.0, 1.0, 0));
        assert_eq!((curve.furthest_same, curve.nearest_strangers), (0.3, 0.7));
        assert!((curve.best_threshold - 0.5).abs() < 1e-6);
    }

    #[test]
    fn rates_count_what_is_on_the_wrong_side() {
        // 100 strangers at 1.00, 1.01, ..; of ten pairs of one person nine are near, one is as far as the second stranger.
        let different: Vec<f32> = (0..100).map(|at| 1.0 + at as f32 / 100.0).collect();
        let mut same = vec![0.5; 9];
        same.push(1.005);
        let curve = Curve::of(same.clone(), different.clone()).unwrap();
        assert_eq!((curve.tpr_at_1e2, curve.tpr_at_1e3), (1.0, 0.9));
        assert_eq!(curve.best_errors, 1);
        assert!((curve.eer - 0.005).abs() < 1e-3, "{}", curve.eer);
        let at = AtThreshold::of(1.005, &same, &different);
        assert_eq!((at.told, at.wrong), (1.0, 1));
    }

    #[test]
    fn a_face_that_was_not_found_is_an_error_at_every_threshold() {
        let curve = Curve::of(vec![0.1, f32::INFINITY], vec![0.9, f32::INFINITY]).unwrap();
        assert_eq!((curve.tpr_at_1e2, curve.best_errors), (0.5, 1));
        assert!(serde_json::to_string(&curve).unwrap().contains("\"furthest_same\":null"));
    }

    #[test]
    fn without_pairs_of_both_kinds_there_is_nothing_to_say() {
        assert_eq!(Curve::of(vec![], vec![1.0]), None);
        assert_eq!(Curve::of(vec![1.0], vec![]), None);
    }
}
