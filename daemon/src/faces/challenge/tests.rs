//! The judgement over made-up frames: poses and embeddings are ours, the rules are the real ones.

use proptest::prelude::*;

use super::running::order;
use super::*;
use crate::faces::ProfileId;

const SAME: f32 = 0.55;

fn rules() -> Rules {
    Rules::new(SAME, 0.4)
}

/// A frame of a person whose straight pose is not zero, as of everybody.
fn frame(yaw: f32, pitch: f32) -> Frame {
    Frame {
        pose: Pose { yaw: yaw - 3.0, pitch: pitch - 5.0, roll: 2.0 },
        embedding: Embedding(vec![0.1; 128]),
        quality: 0.8,
        still: vec![1],
        source: vec![2],
        pack: "pack".into(),
    }
}

fn shows(ask: Ask) -> Frame {
    match ask {
        Ask::Straight => frame(0.0, 0.0),
        Ask::Left => frame(25.0, 2.0),
        Ask::Right => frame(-25.0, 2.0),
        Ask::Up => frame(1.0, 14.0),
    }
}

fn stranger(mut frame: Frame) -> Frame {
    frame.embedding = Embedding(vec![0.2; 128]);
    frame
}

const ORDER: [Ask; 3] = [Ask::Up, Ask::Left, Ask::Right];

fn begun() -> Challenge {
    let mut challenge = Challenge::new(ORDER, rules(), 0);
    assert_eq!(challenge.judge(shows(Ask::Straight), 1), Verdict::Step);
    challenge
}

/// Does what is asked until the end.
fn obey(challenge: &mut Challenge, mut now: u64) -> Verdict {
    loop {
        now += 400;
        match challenge.judge(shows(challenge.ask()), now) {
            Verdict::Step => {}
            other => return other,
        }
    }
}

#[test]
fn whoever_does_what_is_asked_passes_in_any_order() {
    for dice in 0..6 {
        let mut challenge = Challenge::new(order(dice), rules(), 1_000);
        assert_eq!(obey(&mut challenge, 1_000), Verdict::Passed);
        assert_eq!(challenge.progress(), (6, 6));
        assert_eq!(challenge.selfies(0.4).len(), 4);
    }
}

#[test]
fn each_order_begins_straight_and_asks_each_turn_once() {
    for dice in 0..60 {
        let mut turns = order(dice);
        assert_eq!(Challenge::new(turns, rules(), 0).ask(), Ask::Straight);
        turns.sort_unstable();
        assert_eq!(turns, [Ask::Left, Ask::Right, Ask::Up]);
    }
}

#[test]
fn a_photo_that_is_held_still_or_tilted_fails_by_the_clock() {
    let mut challenge = begun();
    for now in (400..30_000).step_by(400) {
        let mut held = frame(1.5, -1.5);
        held.pose.roll = (now % 60) as f32 - 30.0;
        assert!(matches!(challenge.judge(held, now), Verdict::More(_)), "{now}");
    }
    let Verdict::Failed(why) = challenge.judge(frame(0.0, 0.0), 30_001) else { panic!("it must end") };
    assert!(why.contains("A photo held before the camera does not work"), "{why}");
}

#[test]
fn a_film_with_the_turns_in_another_order_fails() {
    // The film goes round and round; only one of its orders is the one that is asked.
    let film = [Ask::Straight, Ask::Left, Ask::Straight, Ask::Right, Ask::Straight, Ask::Up];
    let mut passed = 0;
    for dice in 0..6 {
        let mut challenge = Challenge::new(order(dice), rules(), 0);
        let mut frames = film.iter().cycle().flat_map(|ask| [*ask, *ask]).zip((400..).step_by(400));
        let end = frames.find_map(|(ask, now)| match challenge.judge(shows(ask), now) {
            Verdict::Passed => Some(true),
            Verdict::Failed(_) => Some(false),
            _ => None,
        });
        passed += u32::from(end == Some(true));
    }
    assert!((1..=3).contains(&passed), "{passed} of 6 orders let this film through");
}

#[test]
fn one_wrong_turn_is_forgiven_with_a_word_and_the_second_is_not() {
    let mut challenge = begun();
    for now in [400, 800] {
        let Verdict::More(Some(advice)) = challenge.judge(shows(Ask::Left), now) else { panic!("no advice") };
        assert!(advice.contains("your left"), "{advice}");
    }
    assert!(matches!(challenge.judge(shows(Ask::Straight), 1_200), Verdict::More(_)));
    assert!(matches!(challenge.judge(shows(Ask::Right), 1_600), Verdict::Failed(_)));
}

#[test]
fn another_face_never_counts_and_soon_ends_it() {
    let mut challenge = begun();
    for now in [400, 800, 1_200] {
        assert!(matches!(challenge.judge(stranger(shows(Ask::Up)), now), Verdict::More(Some(_))));
    }
    assert_eq!(challenge.ask(), Ask::Up, "no step is done by another face");
    let Verdict::Failed(why) = challenge.judge(stranger(shows(Ask::Up)), 1_600) else { panic!("it must end") };
    assert!(why.contains("Another face"), "{why}");
}

#[test]
fn the_first_frame_must_be_straight_and_clear() {
    let mut challenge = Challenge::new(ORDER, rules(), 0);
    let poor = Frame { quality: 0.1, ..frame(0.0, 0.0) };
    let tilted = Frame { pose: Pose { yaw: 0.0, pitch: 0.0, roll: 40.0 }, ..frame(0.0, 0.0) };
    for unfit in [frame(30.0, 0.0), frame(0.0, 40.0), frame(0.0, -40.0), poor, tilted] {
        assert!(matches!(challenge.judge(unfit, 10), Verdict::More(Some(_))));
        assert_eq!(challenge.progress().0, 0);
    }
    assert_eq!(challenge.judge(frame(0.0, 0.0), 10), Verdict::Step);
}

#[test]
fn advice_says_how_far_to_turn_and_the_ring_fills() {
    let mut challenge = begun();
    assert_eq!(challenge.judge(frame(0.0, 1.0), 400), Verdict::More(None));
    assert_eq!(challenge.judge(frame(0.0, 6.0), 800), Verdict::More(Some("A little higher")));
    assert!((0.5..1.0).contains(&challenge.reached()));
    assert_eq!(challenge.judge(frame(15.0, 8.0), 1_200), Verdict::More(Some("Only up, not to the side")));
}

#[test]
fn d7_frames_and_time_end() {
    let mut challenge = begun();
    for _ in 0..rules().max_frames {
        challenge.unusable();
    }
    assert!(matches!(challenge.judge(shows(Ask::Up), 2), Verdict::Failed(_)));
    let mut challenge = Challenge::new(ORDER, rules(), 0);
    assert!(matches!(challenge.judge(shows(Ask::Straight), rules().step_ms), Verdict::Failed(_)));
}

#[test]
fn d7_starts_are_counted_and_a_new_one_ends_the_one_before() {
    let challenges = Challenges::default();
    let begin = |now| challenges.begin(ProfileId::ME, rules(), now, |place| place.id);
    let first = begin(0).unwrap();
    let second = begin(1).unwrap();
    assert_eq!(challenges.reserve(&first, ProfileId::ME), Err(ChallengeError::Over));
    assert_eq!(challenges.reserve(&second, ProfileId([1; 8])), Err(ChallengeError::Over));
    assert_eq!(challenges.reserve(&second, ProfileId::ME), Ok(()));
    assert_eq!(challenges.reserve(&second, ProfileId::ME), Err(ChallengeError::Busy));
    let third = begin(2).unwrap();
    challenges.release(&second);
    assert_eq!(challenges.reserve(&third, ProfileId::ME), Ok(()), "a frame of the one before does not hold it up");
    challenges.release(&second);
    assert_eq!(challenges.reserve(&third, ProfileId::ME), Err(ChallengeError::Busy), "nor sets it free");
    challenges.release(&third);
    let second = third;
    assert_eq!(challenges.reserve(&second, ProfileId::ME), Ok(()));
    assert!(challenges.judge(&second, |_| (true, ())).unwrap().1.is_none());
    assert!(challenges.judge(&second, |_| (false, ())).unwrap().1.is_some());
    assert!(challenges.judge(&second, |_| (true, ())).is_err(), "it was taken out");
    let begun = (0..100).take_while(|now| begin(*now).is_ok()).count();
    assert_eq!(begun, 27);
    assert!(begin(3_600_001).is_ok());
}

proptest! {
    #[test]
    fn nobody_passes_without_each_of_the_three_turns(
        frames in prop::collection::vec((-40.0..40.0_f32, -20.0..20.0_f32), 1..80), dice in 0..6_u64, missing in 0..3_u8
    ) {
        let mut challenge = Challenge::new(order(dice), rules(), 0);
        // Straight frames in between, or hardly any of these would get beyond the first turn.
        let frames = frames.into_iter().flat_map(|turn| [(0.0, 0.0), turn]).zip((0..).step_by(100));
        for ((yaw, pitch), now) in frames {
            let shown = match missing {
                0 => frame(yaw.min(10.0), pitch),
                1 => frame(yaw.max(-10.0), pitch),
                _ => frame(yaw, pitch.min(6.0)),
            };
            match challenge.judge(shown, now) {
                Verdict::Failed(_) => break,
                verdict => prop_assert!(verdict != Verdict::Passed),
            }
        }
    }
}
