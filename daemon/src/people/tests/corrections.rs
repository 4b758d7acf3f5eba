//! Corrections one by one.

use super::*;
use crate::people::{CorrectionError, Question};

/// Six photos of person 1, three of which show person 2 as well.
fn family() -> Grouping {
    let mut grouping = empty();
    for number in 0..6 {
        let people: &[u8] = if number < 3 { &[1, 2] } else { &[1] };
        grouping.put(asset(number), photo(people, number));
    }
    grouping
}

fn name(grouping: &mut Grouping, face: FaceRef, name: &str) -> PersonId {
    let person = grouping.person_of(face).unwrap();
    grouping.describe(person, |person| person.name = Some(name.into())).unwrap();
    person
}

#[test]
fn faces_find_their_people() {
    let grouping = family();
    let (one, two) = (grouping.person_of(at(0, 0)).unwrap(), grouping.person_of(at(0, 1)).unwrap());
    assert_ne!(one, two);
    assert_eq!(grouping.people().len(), 2);
    assert_eq!((grouping.summary(one).unwrap().photos, grouping.summary(two).unwrap().photos), (6, 3));
    assert!((0..6).all(|photo| grouping.person_of(at(photo, 0)) == Some(one)));
}

#[test]
fn a_face_that_is_not_theirs_never_comes_back() {
    let mut grouping = family();
    let one = grouping.person_of(at(4, 0)).unwrap();
    grouping.not(one, &[at(4, 0)]).unwrap();
    assert_eq!(grouping.person_of(at(4, 0)), None);
    grouping.put(asset(7), photo(&[1], 7));
    grouping.put(asset(4), photo(&[1], 4));
    assert_eq!(grouping.person_of(at(7, 0)), Some(one));
    assert_ne!(grouping.person_of(at(4, 0)), Some(one));
    assert_eq!(grouping.not(one, &[at(4, 0)]), Err(CorrectionError::NoFace));
}

#[test]
fn split_faces_stay_apart_and_take_those_with_them_that_are_clearly_theirs() {
    let mut grouping = empty();
    // Two people alike enough to be taken for one.
    let mix = |part: f32, variant: u16| -> Vec<f32> {
        let (a, b) = (embedding(1, variant), embedding(2, variant));
        a.iter().zip(b).map(|(a, b)| a * (1.0 - part) + b * part).collect()
    };
    let of =
        |part: f32, variant: u16| Arc::new(StoredFaces { pack: PACK.into(), faces: vec![face(0, mix(part, variant))] });
    for number in 0..8 {
        grouping.put(asset(number), of(if number % 2 == 0 { 0.0 } else { 0.3 }, number));
    }
    let both = grouping.person_of(at(0, 0)).unwrap();
    assert!((0..8).all(|photo| grouping.person_of(at(photo, 0)) == Some(both)), "they were taken for one");
    let other = grouping.split(&[at(1, 0), at(3, 0)]).unwrap();
    for photo in 0..8 {
        let expected = if photo % 2 == 0 { both } else { other };
        assert_eq!(grouping.person_of(at(photo, 0)), Some(expected), "photo {photo}");
    }
    grouping.put(asset(8), of(0.3, 8));
    assert_eq!(grouping.person_of(at(8, 0)), Some(other));
}

#[test]
fn people_in_one_photo_are_never_merged() {
    let mut grouping = family();
    let (one, two) = (grouping.person_of(at(0, 0)).unwrap(), grouping.person_of(at(0, 1)).unwrap());
    assert_eq!(grouping.merge(two, one), Err(CorrectionError::Together(3)));
    assert_eq!(grouping.merge(one, one), Err(CorrectionError::Same));
    assert_eq!(grouping.split(&[at(0, 0), at(0, 1)]), Err(CorrectionError::NoFace));
    assert_eq!(grouping.split(&[]), Err(CorrectionError::Nothing));
}

#[test]
fn merged_people_keep_a_name_and_find_both_looks() {
    let mut grouping = empty();
    for number in 0..4 {
        grouping.put(asset(number), photo(&[1], number));
        grouping.put(asset(10 + number), photo(&[2], number));
    }
    let child = name(&mut grouping, at(0, 0), "as a child");
    let grown = grouping.person_of(at(10, 0)).unwrap();
    grouping.merge(child, grown).unwrap();
    assert_eq!(grouping.people().len(), 1);
    assert_eq!(grouping.summary(grown).unwrap().person.name.as_deref(), Some("as a child"));
    grouping.put(asset(20), photo(&[1], 20));
    grouping.put(asset(21), photo(&[2], 21));
    assert_eq!((grouping.person_of(at(20, 0)), grouping.person_of(at(21, 0))), (Some(grown), Some(grown)));
    grouping.put(asset(22), photo(&[1, 2], 22));
    let here = [grouping.person_of(at(22, 0)), grouping.person_of(at(22, 1))];
    assert!(here.contains(&Some(grown)) && here[0] != here[1], "one of the two at most: {here:?}");
}

#[test]
fn one_face_that_looks_otherwise_does_not_come_to_stand_for_them() {
    let mut grouping = family();
    let one = name(&mut grouping, at(0, 0), "one");
    grouping.put(asset(9), photo(&[3], 9));
    grouping.assign(at(9, 0), Some(one)).unwrap();
    assert!(grouping.exemplars(one).contains(&at(9, 0)));
    let main = grouping.main_exemplars(one);
    assert!(!main.is_empty() && !main.contains(&at(9, 0)));
}

#[test]
fn a_named_face_moves_the_one_that_was_taken_for_them() {
    let mut grouping = family();
    let one = name(&mut grouping, at(0, 0), "one");
    // The owner says that the other face of photo 0 is person 1.
    assert_eq!(grouping.assign(at(0, 1), Some(one)), Ok(one));
    assert_eq!(grouping.person_of(at(0, 1)), Some(one));
    assert_ne!(grouping.person_of(at(0, 0)), Some(one));
    assert_eq!(grouping.assign(at(0, 0), Some(one)), Err(CorrectionError::Taken));
    let new = grouping.assign(at(0, 0), None).unwrap();
    assert_ne!(new, one);
    assert_eq!(grouping.person_of(at(0, 0)), Some(new));
}

#[test]
fn small_and_poor_faces_join_but_never_begin() {
    let poor = |person: u8, variant: u16| {
        let face = StoredFace { width_px: 25.0, ..face(0, embedding(person, variant)) };
        Arc::new(StoredFaces { pack: PACK.into(), faces: vec![face] })
    };
    let mut grouping = empty();
    (0..6).for_each(|number| grouping.put(asset(number), poor(3, number)));
    assert!(grouping.people().is_empty(), "small faces alone are nobody");
    (10..14).for_each(|number| grouping.put(asset(number), photo(&[3], number)));
    let person = grouping.person_of(at(10, 0)).unwrap();
    assert!((0..6).all(|photo| grouping.person_of(at(photo, 0)) == Some(person)), "clear faces give them their person");
    assert!(grouping.exemplars(person).iter().all(|face| face.asset >= asset(10)));
}

#[test]
fn undoing_brings_everything_back() {
    let mut grouping = family();
    let one = name(&mut grouping, at(0, 0), "one");
    let everyone = |grouping: &Grouping| (0..6).map(|photo| grouping.person_of(at(photo, 0))).collect::<Vec<_>>();
    let before = everyone(&grouping);
    for correction in 0..4 {
        grouping.changes = Default::default();
        match correction {
            0 => grouping.not(one, &[at(0, 0), at(1, 0)]).unwrap(),
            1 => _ = grouping.split(&[at(0, 0), at(3, 0)]).unwrap(),
            2 => _ = grouping.assign(at(2, 1), Some(one)).unwrap(),
            _ => grouping.not(one, &(0..6).map(|photo| at(photo, 0)).collect::<Vec<_>>()).unwrap(),
        }
        assert_ne!((everyone(&grouping), grouping.person_of(at(2, 1)) == Some(one)), (before.clone(), false));
        let changes = std::mem::take(&mut grouping.changes);
        grouping.undo(changes);
        assert_eq!(everyone(&grouping), before, "correction {correction}");
        assert_eq!(grouping.summary(one).unwrap().person.name.as_deref(), Some("one"));
        assert!(grouping.said.is_empty());
    }
}

#[test]
fn undoing_leaves_nobody_without_faces() {
    let mut grouping = empty();
    grouping.put(asset(0), photo(&[1], 0));
    grouping.put(asset(1), photo(&[1], 1));
    let found = grouping.person_of(at(0, 0)).unwrap();
    grouping.forget_changes();
    // Somebody new, to whom the rest of the group follows.
    let named = grouping.assign(at(1, 0), None).unwrap();
    assert_eq!(grouping.person_of(at(0, 0)), Some(named));
    let before = std::mem::take(&mut grouping.changes);
    grouping.put(asset(1), photo(&[], 1));
    grouping.undo(before);
    assert_eq!(grouping.person_of(at(0, 0)), Some(found));
    assert_eq!(grouping.persons.keys().collect::<Vec<_>>(), [&found]);
}

#[test]
fn questions_are_who_is_often_seen_and_who_may_be_named() {
    let mut grouping = family();
    let (one, two) = (grouping.person_of(at(0, 0)).unwrap(), grouping.person_of(at(0, 1)).unwrap());
    let who = |person| Question::Who { person };
    assert_eq!(grouping.questions(None), [who(one), who(two)]);
    assert_eq!(grouping.questions(Some(one)), [who(two)]);
    name(&mut grouping, at(0, 0), "one");
    assert_eq!(grouping.questions(None), [who(two)]);
    // Near enough to ask, too far to be sure.
    let doubtful: Vec<f32> = embedding(1, 40).iter().zip(embedding(9, 40)).map(|(a, b)| a * 0.55 + b * 0.45).collect();
    grouping.put(asset(9), Arc::new(StoredFaces { pack: PACK.into(), faces: vec![face(0, doubtful)] }));
    let questions = grouping.questions(None);
    assert!(
        matches!(questions[1], Question::Is { face, person, .. } if face == at(9, 0) && person == one),
        "{questions:?}"
    );
    grouping.skip(two).unwrap();
    assert!(matches!(grouping.questions(None)[0], Question::Is { .. }));
    grouping.deny(at(9, 0), one).unwrap();
    assert_eq!(grouping.questions(None), [who(two)]);
    grouping.describe(two, |person| person.hidden = true).unwrap();
    assert!(grouping.questions(None).is_empty());
}

#[test]
fn names_never_show_in_what_is_printed_for_debugging() {
    let person = StoredPerson { name: Some("Name-Canary".into()), ..StoredPerson::default() };
    assert!(!format!("{person:?}").contains("Canary"));
}
