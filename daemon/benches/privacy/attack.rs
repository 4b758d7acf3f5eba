//! What somebody with the key of an event makes of the templates announced in it: the faces behind them, nearly.
//!
//! A template says for each of 256 mixed coordinates between which two numbers it lies. Of the 256 only the first 129 are not zero before they are
//! mixed (lift and centred embedding), so the best guess is the point of that space that lies in all the intervals: it is found by going back and
//! forth between the two.

use inframe_protocol::template::{Projection, Template};

/// Numbers that a template is made of.
pub const COORDINATES: usize = 256;
/// The constant before the centred coordinates.
pub const LIFT: f64 = 0.5;
/// One over the square root of 256: the deviation of a mixed coordinate, in which the codes are steps.
pub const STEP: f64 = 1.0 / 16.0;
/// Where a coordinate of each code lies on average, in steps, if they are spread normally.
const MIDDLES: [f64; 4] = [-1.525, -0.460, 0.460, 1.525];
/// More change the result by less than a thousandth.
const ROUNDS: usize = 60;

/// Mixed, or about to be.
pub type Coordinates = [f64; COORDINATES];

/// The centred embedding behind templates of one face, each with the projection of its event; `length` is that of an embedding.
pub fn rebuilt(seen: &[(&Projection, &Template)], length: usize) -> Vec<f64> {
    let guesses = seen.iter().map(|(projection, template)| {
        let mut codes = [0.0; COORDINATES];
        codes.iter_mut().zip(template.codes()).for_each(|(to, code)| *to = MIDDLES[usize::from(code)] * STEP);
        unmixed(projection, &codes)
    });
    let mut face = mean(guesses);
    for _ in 0..ROUNDS {
        face[length + 1..].fill(0.0);
        face = mean(seen.iter().map(|(projection, template)| {
            let mut codes = mixed(projection, &face);
            for (value, code) in codes.iter_mut().zip(template.codes()) {
                let least = (f64::from(code) - 2.0) * STEP;
                *value = match code {
                    0 => value.min(-STEP),
                    3 => value.max(STEP),
                    _ => value.clamp(least, least + STEP),
                };
            }
            unmixed(projection, &codes)
        }));
    }
    // The lift was LIFT before all was scaled to length 1, which tells the scale.
    let scale = LIFT / face[0].max(1e-3);
    face[1..=length].iter().map(|value| value * scale).collect()
}

fn mean(all: impl ExactSizeIterator<Item = Coordinates>) -> Coordinates {
    let share = 1.0 / all.len() as f64;
    let mut sum = [0.0; COORDINATES];
    for one in all {
        sum.iter_mut().zip(one).for_each(|(to, value)| *to += share * value);
    }
    sum
}

/// As the protocol mixes.
pub fn mixed(projection: &Projection, input: &Coordinates) -> Coordinates {
    let mut out = projection.permutation().map(|from| input[usize::from(from)]);
    for signs in projection.signs() {
        turn(&mut out, signs);
        transform(&mut out);
    }
    out
}

/// The way back: the transform and the signs undo themselves.
pub fn unmixed(projection: &Projection, input: &Coordinates) -> Coordinates {
    let mut values = *input;
    for signs in projection.signs().iter().rev() {
        transform(&mut values);
        turn(&mut values, signs);
    }
    let mut out = [0.0; COORDINATES];
    projection.permutation().iter().zip(values).for_each(|(place, value)| out[usize::from(*place)] = value);
    out
}

fn turn(values: &mut Coordinates, signs: &[u8; COORDINATES / 8]) {
    for (place, value) in values.iter_mut().enumerate() {
        if signs[place / 8] >> (place % 8) & 1 == 1 {
            *value = -*value;
        }
    }
}

fn transform(values: &mut Coordinates) {
    let mut half = 1;
    while half < COORDINATES {
        for block in values.chunks_exact_mut(half * 2) {
            let (left, right) = block.split_at_mut(half);
            left.iter_mut().zip(right).for_each(|(a, b)| (*a, *b) = (*a + *b, *a - *b));
        }
        half *= 2;
    }
    values.iter_mut().for_each(|value| *value *= STEP);
}
