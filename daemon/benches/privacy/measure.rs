//! How well two sets of distances can be told apart.

/// The chance that one pair of `near` is nearer than one of `far`; equal distances count half. 0.5 says that nothing can be told. The area under the
/// curve of true against false alarms.
pub fn auc(near: &[f32], far: &[f32]) -> f64 {
    let mut far = far.to_vec();
    far.sort_by(f32::total_cmp);
    let beaten = |distance: &f32| {
        let nearer = far.partition_point(|other| other < distance);
        let not_further = far.partition_point(|other| other <= distance);
        (far.len() - not_further) as f64 + (not_further - nearer) as f64 / 2.0
    };
    near.iter().map(beaten).sum::<f64>() / (near.len() * far.len()) as f64
}

/// The mean and its standard error.
pub fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (mean, (squares / (count - 1.0) / count).sqrt())
}

/// The global measure of linkability of Gomez-Barrero and others (IEEE TIFS 13(6), 2018), with equal odds: 0 when no distance speaks more for one
/// person than for two, 1 when each does. Densities are histograms of `bins` equal parts; too few distances for so many parts make it too large.
pub fn linkability(same: &[f32], different: &[f32], bins: usize) -> f64 {
    let all = || same.iter().chain(different).copied();
    let (least, most) = (all().fold(f32::INFINITY, f32::min), all().fold(f32::NEG_INFINITY, f32::max));
    let histogram = |distances: &[f32]| {
        let mut shares = vec![0.0; bins];
        for distance in distances {
            let place = ((distance - least) / (most - least) * bins as f32) as usize;
            shares[place.min(bins - 1)] += 1.0 / distances.len() as f64;
        }
        shares
    };
    // The local measure is 2 LR / (1 + LR) - 1 where the ratio LR of the densities is above 1; with shares a and b this is (a - b) / (a + b).
    let local = |(a, b): (f64, f64)| if a > b { a * (a - b) / (a + b) } else { 0.0 };
    histogram(same).into_iter().zip(histogram(different)).map(local).sum()
}
