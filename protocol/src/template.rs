//! Templates: a protected form of a face embedding, bound to one event's projection key.
//!
//! Centre by the pack's mean, put a constant before the coordinates (the "lift"), scale to length 1, pad to 256, mix by a keyed permutation
//! and three rounds of keyed signs and a Walsh-Hadamard transform, and keep two bits of each coordinate. Everything runs in `f64`, one
//! operation after the other in a fixed order, and only additions, multiplications, one division for each coordinate and one square root
//! are used, which IEEE 754 defines to the last bit: every machine gets the same template from the same embedding.
//!
//! The key is the whole protection: templates of one face under two keys are as far apart as strangers, but whoever holds the key of the
//! event can compute what the face is like.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::fixed_bytes;
use crate::limits::{
    MAX_EMBEDDING_COORDINATE, MAX_EMBEDDING_COORDINATES, MIN_FACELESS_DISTANCE_SQUARED, TEMPLATE_BYTES,
    TEMPLATE_COORDINATES, TEMPLATE_OUTER_CODES,
};

/// The constant before the centred coordinates: it hides how far a face is from the mean, and keeps the order of distances.
const LIFT: f64 = 0.5;
/// Rounds of signs and transform.
const ROUNDS: usize = 3;
/// One over the square root of 256: keeps the transform's length, and is exact.
const SCALE: f64 = 1.0 / 16.0;
/// Length of the embedding or of its centred form under which there is no face in it.
const SMALLEST_LENGTH: f64 = 1e-3;

/// Why an embedding gives no template, or a template is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// No coordinate, or more than fit.
    #[error("an embedding of {found} coordinates: 1 to 255 are allowed")]
    WrongLength {
        /// Coordinates of the embedding.
        found: usize,
    },
    /// The mean belongs to another model pack.
    #[error("the embedding has {embedding} coordinates and the mean {mean}: use the mean of the same pack")]
    WrongMean {
        /// Coordinates of the embedding.
        embedding: usize,
        /// Coordinates of the mean.
        mean: usize,
    },
    /// R26: NaN or infinite.
    #[error("the embedding or the mean is not finite: compute it again")]
    NotFinite,
    /// R26: a coordinate far outside what face models give.
    #[error("the embedding or the mean is too large: compute it again")]
    TooLarge,
    /// R26: zero, or the mean itself: no face.
    #[error("the embedding holds no face: compute it again")]
    NoFace,
    /// R28: the codes are not spread as those of a face are.
    #[error("the template is not one that a face gives")]
    Implausible,
    /// R29: so near to the middle that it would match many people.
    #[error("the template would match anybody")]
    Faceless,
}

/// Key of the projection of one event.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct ProjectionKey(pub [u8; 32]);

impl fmt::Debug for ProjectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProjectionKey(..)")
    }
}

/// 256 codes of 2 bits: code `i` is in byte `i / 4`, bits `2 * (i % 4)` and up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Template(#[serde(with = "fixed_bytes")] pub [u8; TEMPLATE_BYTES]);

/// Nothing of a template is printed: it is biometric data.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template(..)")
    }
}

impl Template {
    /// Projects an embedding of a pack whose mean embedding is `mean`. For many under one key, [`Projection`] does the same faster.
    ///
    /// # Errors
    /// R26: the embedding or the mean is not finite, too large, of the wrong length, or no face.
    pub fn project(embedding: &[f32], mean: &[f32], key: &ProjectionKey) -> Result<Self, TemplateError> {
        Projection::new(key).project(embedding, mean)
    }

    /// The template of no face at all under this key: what an embedding equal to the mean would give.
    pub fn faceless(key: &ProjectionKey) -> Self {
        Projection::new(key).faceless()
    }

    /// The 2-bit codes in order, 0 to 3.
    pub fn codes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().flat_map(|byte| [byte & 3, byte >> 2 & 3, byte >> 4 & 3, byte >> 6])
    }

    /// R28: refuses a template whose codes are not spread as those of a face: one with most codes in the middle is near to everybody.
    ///
    /// # Errors
    /// Too few or too many of its codes are outer ones.
    pub fn check(&self) -> Result<(), TemplateError> {
        let outer = self.codes().filter(|code| matches!(code, 0 | 3)).count();
        let plausible = u32::try_from(outer).is_ok_and(|outer| TEMPLATE_OUTER_CODES.contains(&outer));
        if plausible { Ok(()) } else { Err(TemplateError::Implausible) }
    }

    /// R29: refuses a template that lies so near to the faceless one of its key that it would match many people.
    ///
    /// # Errors
    /// It does.
    pub fn check_face(&self, key: &ProjectionKey) -> Result<(), TemplateError> {
        let near = distance_squared(self, &Self::faceless(key)) < MIN_FACELESS_DISTANCE_SQUARED;
        if near { Err(TemplateError::Faceless) } else { Ok(()) }
    }
}

/// R26.
fn check_embedding(embedding: &[f32], mean: &[f32]) -> Result<(), TemplateError> {
    if embedding.is_empty() || embedding.len() > MAX_EMBEDDING_COORDINATES {
        return Err(TemplateError::WrongLength { found: embedding.len() });
    }
    if embedding.len() != mean.len() {
        return Err(TemplateError::WrongMean { embedding: embedding.len(), mean: mean.len() });
    }
    if embedding.iter().chain(mean).any(|value| !value.is_finite()) {
        return Err(TemplateError::NotFinite);
    }
    if embedding.iter().chain(mean).any(|value| value.abs() > MAX_EMBEDDING_COORDINATE) {
        return Err(TemplateError::TooLarge);
    }
    Ok(())
}

/// The keyed stream that permutation and signs are drawn from.
struct KeyStream(blake3::OutputReader);

impl KeyStream {
    fn new(key: &ProjectionKey) -> Self {
        Self(blake3::Hasher::new_keyed(&key.0).update(b"inframe 1 projection stream").finalize_xof())
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.0.fill(&mut byte);
        u8::from_le_bytes(byte)
    }

    /// A number from 0 to `last`, each as likely: bytes above the largest multiple are thrown away.
    fn up_to(&mut self, last: u8) -> usize {
        let choices = u16::from(last) + 1;
        let fair = 256 - 256 % choices;
        loop {
            let drawn = u16::from(self.byte());
            if drawn < fair {
                return usize::from(drawn % choices);
            }
        }
    }
}

type Coordinates = [f64; TEMPLATE_COORDINATES];

/// The keyed rotation, drawn from its key once: a permutation, then three rounds of signs and transform. It keeps lengths and angles.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Projection {
    permutation: [u8; TEMPLATE_COORDINATES],
    signs: [[u8; TEMPLATE_COORDINATES / 8]; ROUNDS],
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Projection(..)")
    }
}

impl Projection {
    /// Draws the rotation of a key.
    pub fn new(key: &ProjectionKey) -> Self {
        let mut stream = KeyStream::new(key);
        let mut permutation = [0; TEMPLATE_COORDINATES];
        permutation.iter_mut().zip(0..=u8::MAX).for_each(|(to, place)| *to = place);
        // Fisher-Yates from the end: position `last` gets one of the positions up to it.
        for last in (1..=u8::MAX).rev() {
            permutation.swap(usize::from(last), stream.up_to(last));
        }
        let mut signs = [[0; TEMPLATE_COORDINATES / 8]; ROUNDS];
        signs.iter_mut().flatten().for_each(|byte| *byte = stream.byte());
        Self { permutation, signs }
    }

    /// Place `i` gets the coordinate `permutation[i]`.
    pub fn permutation(&self) -> &[u8; TEMPLATE_COORDINATES] {
        &self.permutation
    }

    /// For each round 256 bits, the lowest of each byte first: where one is set, the sign is turned.
    pub fn signs(&self) -> &[[u8; TEMPLATE_COORDINATES / 8]; ROUNDS] {
        &self.signs
    }

    /// As [`Template::project`].
    ///
    /// # Errors
    /// R26: the embedding or the mean is not finite, too large, of the wrong length, or no face.
    pub fn project(&self, embedding: &[f32], mean: &[f32]) -> Result<Template, TemplateError> {
        check_embedding(embedding, mean)?;
        let mut lifted = [0.0; TEMPLATE_COORDINATES];
        let mut squares = LIFT * LIFT;
        let (mut centred_squares, mut embedding_squares) = (0.0, 0.0);
        for ((to, value), middle) in lifted.iter_mut().skip(1).zip(embedding).zip(mean) {
            let (value, centred) = (f64::from(*value), f64::from(*value) - f64::from(*middle));
            *to = centred;
            squares += centred * centred;
            centred_squares += centred * centred;
            embedding_squares += value * value;
        }
        if centred_squares.sqrt() < SMALLEST_LENGTH || embedding_squares.sqrt() < SMALLEST_LENGTH {
            return Err(TemplateError::NoFace);
        }
        let length = squares.sqrt();
        for value in lifted.iter_mut() {
            *value /= length;
        }
        if let Some(first) = lifted.first_mut() {
            *first = LIFT / length;
        }
        Ok(quantise(&self.mix(&lifted)))
    }

    /// As [`Template::faceless`].
    pub fn faceless(&self) -> Template {
        let mut lifted = [0.0; TEMPLATE_COORDINATES];
        if let Some(first) = lifted.first_mut() {
            *first = 1.0;
        }
        quantise(&self.mix(&lifted))
    }

    fn mix(&self, input: &Coordinates) -> Coordinates {
        let mut mixed = [0.0; TEMPLATE_COORDINATES];
        for (to, from) in mixed.iter_mut().zip(self.permutation) {
            *to = input.get(usize::from(from)).copied().unwrap_or_default();
        }
        for round in &self.signs {
            for (eight, signs) in mixed.chunks_exact_mut(8).zip(round) {
                for (bit, value) in eight.iter_mut().enumerate() {
                    if signs >> bit & 1 == 1 {
                        *value = -*value;
                    }
                }
            }
            transform(&mut mixed);
        }
        mixed
    }
}

/// The Walsh-Hadamard transform in its natural order, scaled to keep lengths.
fn transform(values: &mut Coordinates) {
    let mut half = 1;
    while half < TEMPLATE_COORDINATES {
        for block in values.chunks_exact_mut(half * 2) {
            let (left, right) = block.split_at_mut(half);
            for (a, b) in left.iter_mut().zip(right) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    for value in values {
        *value *= SCALE;
    }
}

/// Two bits of each coordinate, in steps of the deviation of a coordinate (1/16): below -1, -1 to 0, 0 to 1, above.
fn quantise(mixed: &Coordinates) -> Template {
    let mut bytes = [0; TEMPLATE_BYTES];
    for (byte, four) in bytes.iter_mut().zip(mixed.chunks_exact(4)) {
        for (place, value) in four.iter().enumerate() {
            let code: u8 = match (value / SCALE).floor() {
                step if step < -1.0 => 0,
                step if step < 0.0 => 1,
                step if step < 1.0 => 2,
                _ => 3,
            };
            *byte |= code << (2 * place);
        }
    }
    Template(bytes)
}

/// Squared Euclidean distance of the codes: 0 to 2304.
pub fn distance_squared(a: &Template, b: &Template) -> u32 {
    let (a, _) = a.0.as_chunks::<8>();
    let (b, _) = b.0.as_chunks::<8>();
    a.iter().zip(b).map(|(a, b)| word_distance_squared(u64::from_le_bytes(*a), u64::from_le_bytes(*b))).sum()
}

/// The squared distance of 32 codes at once: codes differ by 0 to 3, which their two bits tell.
fn word_distance_squared(a: u64, b: u64) -> u32 {
    /// The lower bit of each code.
    const LOWER: u64 = 0x5555_5555_5555_5555;
    let differs = a ^ b;
    let (lower, upper) = (differs & LOWER, differs >> 1 & LOWER);
    let (one_bit, both) = (lower & !upper, lower & upper);
    // Both bits differ: 0 and 3 are three apart, 1 and 2 are one apart. In 0 and 3 both bits are the same.
    let same_bits = !(a ^ a >> 1);
    let (two, three) = (upper & !lower, both & same_bits);
    one_bit.count_ones() + (both & !same_bits).count_ones() + 4 * two.count_ones() + 9 * three.count_ones()
}

/// Euclidean distance of the codes: 0 for equal templates, about 21 for unrelated ones, under 13 for most pairs of one person.
pub fn distance(a: &Template, b: &Template) -> f32 {
    // The sum is a small whole number, exact in f32, and its root is rounded the same way everywhere.
    (distance_squared(a, b) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn face(seed: u32, noise: f32) -> Vec<f32> {
        let mut bytes = [0; 256];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        let centre = |byte: u8| (f32::from(byte) - 127.5) / 800.0;
        bytes
            .iter()
            .take(128)
            .zip(bytes.iter().skip(128))
            .map(|(face, other)| centre(*face) + noise * centre(*other))
            .collect()
    }

    fn project(face: &[f32], key: u8) -> Template {
        Template::project(face, &[0.0; 128], &ProjectionKey([key; 32])).unwrap()
    }

    #[test]
    fn near_faces_are_near_under_one_key_and_strangers_under_two() {
        for seed in 0..20 {
            let (one, again, other) = (face(seed, 0.0), face(seed, 0.3), face(seed + 1_000, 0.0));
            let (a, b) = (project(&one, 1), project(&again, 1));
            assert!(distance(&a, &b) < 13.0, "{}", distance(&a, &b));
            assert!(distance(&a, &project(&other, 1)) > 15.0);
            assert!(distance(&a, &project(&one, 2)) > 15.0, "two events cannot compare");
        }
    }

    #[test]
    fn r26_what_is_no_face_gives_no_template() {
        let key = ProjectionKey([1; 32]);
        let good = face(1, 0.0);
        let with = |value: f32| {
            let mut face = good.clone();
            face[77] = value;
            Template::project(&face, &[0.0; 128], &key)
        };
        assert_eq!(with(f32::NAN), Err(TemplateError::NotFinite));
        assert_eq!(with(f32::INFINITY), Err(TemplateError::NotFinite));
        assert_eq!(with(65.0), Err(TemplateError::TooLarge));
        assert_eq!(Template::project(&[], &[], &key), Err(TemplateError::WrongLength { found: 0 }));
        assert_eq!(Template::project(&[1.0; 256], &[0.0; 256], &key), Err(TemplateError::WrongLength { found: 256 }));
        let mean = TemplateError::WrongMean { embedding: 128, mean: 127 };
        assert_eq!(Template::project(&good, &[0.0; 127], &key), Err(mean));
        assert_eq!(Template::project(&[0.0; 128], &[0.1; 128], &key), Err(TemplateError::NoFace));
        assert_eq!(Template::project(&good, &good, &key), Err(TemplateError::NoFace));
    }

    #[test]
    fn r28_the_codes_of_a_face_are_spread() {
        for seed in 0..200 {
            assert_eq!(project(&face(seed, 0.0), 1).check(), Ok(()));
        }
        assert_eq!(Template([0x66; 64]).check(), Err(TemplateError::Implausible));
    }

    #[test]
    fn r29_a_face_is_far_from_the_faceless_template() {
        for seed in 0..200 {
            assert_eq!(project(&face(seed, 0.0), 1).check_face(&ProjectionKey([1; 32])), Ok(()));
        }
        let key = ProjectionKey([1; 32]);
        assert_eq!(Template::faceless(&key).check_face(&key), Err(TemplateError::Faceless));
        // Each outer code that becomes the other outer one adds 9 to the squared distance; the limit is 81.
        let turned = |count: usize| {
            let mut template = Template::faceless(&key);
            let outer = template.codes().enumerate().filter(|(_, code)| matches!(code, 0 | 3)).map(|(place, _)| place);
            for place in outer.take(count).collect::<Vec<_>>() {
                template.0[place / 4] ^= 3 << (2 * (place % 4));
            }
            template
        };
        assert_eq!(turned(8).check_face(&key), Err(TemplateError::Faceless));
        assert_eq!(turned(9).check_face(&key), Ok(()));
    }

    #[test]
    fn d3_debug_shows_nothing_of_a_face_or_a_key() {
        let key = ProjectionKey([0x5a; 32]);
        let shown = format!("{key:?} {:?} {:?}", Projection::new(&key), project(&face(1, 0.0), 1));
        assert_eq!(shown, "ProjectionKey(..) Projection(..) Template(..)");
    }

    proptest! {
        #[test]
        fn the_fast_distance_is_the_plain_one(
            a in prop::array::uniform32(any::<u8>()),
            b in prop::array::uniform32(any::<u8>()),
        ) {
            let whole = |half: [u8; 32]| {
                let mut bytes = [0; 64];
                bytes[..32].copy_from_slice(&half);
                bytes[32..].copy_from_slice(&half.map(|byte| !byte.rotate_left(3)));
                Template(bytes)
            };
            let (a, b) = (whole(a), whole(b));
            let plain: u32 = a.codes().zip(b.codes()).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum();
            prop_assert_eq!(distance_squared(&a, &b), plain);
            prop_assert_eq!(distance_squared(&a, &a), 0);
        }
    }
}
