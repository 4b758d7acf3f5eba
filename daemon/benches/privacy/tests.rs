//! The same measurements on made-up faces: they fail when templates of two events can be linked, or opened with another key.

#![allow(dead_code, clippy::unwrap_used, reason = "everything here is a test, and the bench uses the rest")]

mod attack;
mod figures;
mod measure;

use attack::{COORDINATES, LIFT, STEP, mixed, unmixed};
use figures::{Face, People, TRAITS, event};
use inframe_protocol::template::{Projection, ProjectionKey, distance};
use measure::{auc, linkability, mean_and_error};

/// Enough that the mean over them moves by less than a hundredth.
const KEYS: u32 = 30;
/// How far embeddings of one person may be apart, for "sure" and "maybe".
const PASSING: [f32; 2] = [0.5, 0.6];

/// Thirty people in two photos each, as far apart as real ones.
fn made_up() -> People {
    let direction = |seed: &str| {
        let mut bytes = [0; 128 * 8];
        blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
        let sums = bytes.chunks_exact(8).map(|eight| eight.iter().map(|byte| f32::from(*byte)).sum::<f32>() - 1020.0);
        let values: Vec<f32> = sums.collect();
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.into_iter().map(|value| value / length).collect::<Vec<f32>>()
    };
    let mean = direction("mean");
    let face = |photo: usize| {
        let (person, here) = (direction(&format!("person {}", photo / 2)), direction(&format!("photo {photo}")));
        let parts = mean.iter().zip(person.iter().zip(&here));
        let embedding = parts.map(|(mean, (person, here))| mean + 0.55 * person + 0.25 * here).collect();
        Face { person: photo / 2, embedding }
    };
    People { faces: (0..60).map(face).collect(), mean: mean.clone() }
}

#[test]
fn d5_templates_of_one_face_in_two_events_cannot_be_linked() {
    let people = made_up();
    for same in [people.selves(), people.others()] {
        let linked = people.linked(&same, KEYS, &distance).unwrap();
        assert!((linked.auc - 0.5).abs() < 0.05, "{linked:?}");
        assert!(linked.d_sys < 0.05, "{linked:?}");
        for (name, shown) in TRAITS {
            let linked = people.linked_by(&same, KEYS, shown).unwrap();
            assert!((linked.auc - 0.5).abs() < 0.07, "{name}: {linked:?}");
        }
    }
    // The same measure sees what can be linked: templates of one event.
    let within = people.distances(Some(1)).remove(0);
    assert!(auc(&within.0, &within.1) > 0.99);
}

#[test]
fn d5_a_template_is_opened_by_its_own_key_only() {
    let people = made_up();
    let right = people.rebuilt(&[event(1)], &[event(1)], PASSING);
    assert!(right.cosine > 0.9 && right.passes.unwrap()[1] > 0.9, "SECURITY.md says that it does: {right:?}");
    let both = people.rebuilt(&[event(1), event(2)], &[event(1), event(2)], PASSING);
    assert!(both.cosine > right.cosine, "{both:?}");
    let wrong = people.rebuilt(&[event(1)], &[event(2)], PASSING);
    // Chance for 128 coordinates: the root of 2 / (128 pi).
    assert!(wrong.absolute < 0.1 && wrong.cosine.abs() < 0.04, "{wrong:?}");
    assert!(wrong.passes.unwrap()[1] < 0.02, "{wrong:?}");
}

#[test]
fn an_old_template_is_worth_nothing_under_a_new_key() {
    let people = made_up();
    assert_eq!(people.still_passing(KEYS, 13.0), 0.0);
}

#[test]
fn mixing_is_undone_and_is_the_protocols() {
    let projection = Projection::new(&ProjectionKey([7; 32]));
    let embedding: Vec<f32> = (0..128).map(|at: u32| (at * 37 % 101) as f32 / 1000.0 - 0.05).collect();
    let mut lifted = [0.0; COORDINATES];
    lifted[0] = LIFT;
    lifted[1..=128].iter_mut().zip(&embedding).for_each(|(to, value)| *to = f64::from(*value));
    let length = lifted.iter().map(|value| value * value).sum::<f64>().sqrt();
    lifted.iter_mut().for_each(|value| *value /= length);
    let mixed = mixed(&projection, &lifted);
    assert!(unmixed(&projection, &mixed).iter().zip(lifted).all(|(a, b)| (a - b).abs() < 1e-12));
    let template = projection.project(&embedding, &[0.0; 128]).unwrap();
    for (value, code) in mixed.iter().zip(template.codes()) {
        assert_eq!(((value / STEP).floor().clamp(-2.0, 1.0) + 2.0) as u8, code);
    }
}

fn ramp(from: f32, count: usize) -> Vec<f32> {
    (0..count).map(|step| from + step as f32 / count as f32).collect()
}

#[test]
fn areas_of_known_distributions() {
    assert_eq!(auc(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
    assert_eq!(auc(&[3.0, 4.0], &[1.0, 2.0]), 0.0);
    assert_eq!(auc(&[1.0, 1.0], &[1.0]), 0.5);
    assert_eq!(auc(&[1.0, 3.0], &[2.0, 2.0]), 0.5);
    // Uniform on 0..1 against 0.5..1.5: one half, and three quarters of the other half.
    assert!((auc(&ramp(0.0, 1000), &ramp(0.5, 1000)) - 0.875).abs() < 2e-3);
}

#[test]
fn the_error_of_a_mean_shrinks_with_the_root_of_the_count() {
    let (mean, error) = mean_and_error(&[1.0, 2.0, 3.0]);
    assert!((mean - 2.0).abs() < 1e-12 && (error - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
}

#[test]
fn linkability_is_one_apart_and_none_together() {
    let (here, there) = (ramp(0.0, 5000), ramp(1.0, 5000));
    assert!((linkability(&here, &there, 20) - 1.0).abs() < 1e-9);
    assert!(linkability(&here, &here, 20).abs() < 1e-9);
    // Half of the distances are nobody else's and speak for one person; the other half are as likely either way.
    let half = linkability(&ramp(0.0, 5000), &ramp(0.5, 5000), 15);
    assert!((half - 0.5).abs() < 1e-2, "{half}");
}
