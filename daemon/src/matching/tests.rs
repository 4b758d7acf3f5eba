//! Matching against made-up embeddings: the geometry is ours, the projection is the real one.

use inframe_protocol::template::{ProjectionKey, Template};
use proptest::prelude::*;

use super::*;

const RULES: MatchRules =
    MatchRules { sure: 11.0, maybe: 13.0, child_maybe: 11.0, min_face_px: 40.0, min_quality: 0.2, min_margin: 3.0 };

/// A repeatable unit-ish embedding; `toward` mixes in another one.
fn embedding(seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..128)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state as f32 / u32::MAX as f32 - 0.5) * 0.18
        })
        .collect()
}

fn near(seed: u32, other: u32, amount: f32) -> Vec<f32> {
    embedding(seed).iter().zip(embedding(other)).map(|(a, b)| a * (1.0 - amount) + b * amount).collect()
}

fn template(embedding: &[f32]) -> Template {
    Template::project(embedding, &[0.0; 128], &ProjectionKey([7; 32])).unwrap()
}

fn sought(embedding: &[f32]) -> Sought {
    Sought { template: template(embedding), child: false }
}

fn face(index: u16, embedding: &[f32]) -> PhotoFace {
    PhotoFace { index, template: template(embedding), width_px: 120.0, quality: 0.8 }
}

#[test]
fn the_same_face_is_sure_and_strangers_are_nothing() {
    let faces = [face(0, &embedding(1)), face(1, &near(2, 9, 0.1)), face(2, &embedding(3))];
    let found = match_photo(&faces, &[sought(&embedding(2))], &RULES);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].face, found[0].grade), (1, Grade::Sure));
    assert!(found[0].next_best.unwrap() > found[0].score + RULES.min_margin);
    assert!(match_photo(&faces, &[sought(&embedding(77))], &RULES).is_empty());
}

#[test]
fn a_small_or_poor_face_is_only_a_maybe() {
    let mut small = face(0, &embedding(2));
    small.width_px = 39.0;
    assert_eq!(match_photo(&[small.clone()], &[sought(&embedding(2))], &RULES)[0].grade, Grade::Maybe);
    small.width_px = 120.0;
    small.quality = 0.1;
    assert_eq!(match_photo(&[small], &[sought(&embedding(2))], &RULES)[0].grade, Grade::Maybe);
}

#[test]
fn two_lookalikes_in_one_photo_are_never_both_the_person_and_never_sure() {
    let faces = [face(0, &embedding(2)), face(1, &near(2, 9, 0.02))];
    let found = match_photo(&faces, &[sought(&embedding(2))], &RULES);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].grade, Grade::Maybe);
}

#[test]
fn one_face_is_never_given_to_two_people() {
    let faces = [face(0, &embedding(2))];
    let found = match_photo(&faces, &[sought(&near(2, 9, 0.4)), sought(&embedding(2))], &RULES);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].wanted, 1);
}

#[test]
fn a_child_is_never_more_than_a_maybe_and_from_nearer_than_an_adult() {
    let child = Sought { child: true, ..sought(&embedding(2)) };
    let itself = match_photo(&[face(0, &embedding(2))], &[child], &RULES);
    assert_eq!((itself[0].score, itself[0].grade), (0.0, Grade::Maybe));
    // A face between the two bounds is a question for an adult's find-me and nothing for a child's.
    let between = (0..100).map(|step| near(2, 9, step as f32 / 100.0)).find(|other| {
        let distance = template::distance(&template(other), &template(&embedding(2)));
        distance > RULES.child_maybe && distance <= RULES.maybe
    });
    let between = [face(0, &between.unwrap())];
    assert_eq!(match_photo(&between, &[sought(&embedding(2))], &RULES).len(), 1);
    assert!(match_photo(&between, &[child], &RULES).is_empty());
}

#[test]
fn a_face_near_two_find_mes_is_a_question_about_both_with_the_margin_told() {
    let lookalikes = [sought(&embedding(2)), sought(&near(2, 9, 0.02))];
    let found = match_photo(&[face(0, &embedding(2))], &lookalikes, &RULES);
    assert_eq!(
        found.iter().map(|m| (m.wanted, m.face, m.grade)).collect::<Vec<_>>(),
        [(0, 0, Grade::Maybe), (1, 0, Grade::Maybe)]
    );
    assert_eq!((found[0].rival, found[1].rival), (Some(found[1].score), Some(found[0].score)));
    // Whoever is further away than the margin loses, and the winner is sure.
    let clear = match_photo(&[face(0, &embedding(2))], &[lookalikes[0], sought(&embedding(5))], &RULES);
    assert_eq!((clear.len(), clear[0].grade), (1, Grade::Sure));
    assert!(clear[0].rival.unwrap() >= RULES.min_margin);
}

proptest! {
    #[test]
    fn every_match_is_within_the_bound_and_sure_of_one_person_only(seeds in prop::collection::vec(0u32..20, 0..8), wanted in prop::collection::vec(0u32..20, 0..8)) {
        let faces: Vec<_> = seeds.iter().enumerate().map(|(i, s)| face(i as u16, &embedding(*s))).collect();
        let wanted: Vec<_> = wanted.iter().map(|s| Sought { template: template(&embedding(*s)), child: s % 3 == 0 }).collect();
        let found = match_photo(&faces, &wanted, &RULES);
        for (i, a) in found.iter().enumerate() {
            prop_assert!(a.score <= RULES.maybe);
            for b in &found[i + 1..] {
                prop_assert!(a.wanted != b.wanted);
                prop_assert!(a.face != b.face || (a.grade == Grade::Maybe && b.grade == Grade::Maybe));
            }
            prop_assert!(a.grade == Grade::Maybe || !wanted[a.wanted].child);
        }
    }
}
