//! Photos in the trash: they do not count and are not asked about, and come back as they were.

use std::collections::HashSet;

use super::*;
use crate::people::Question;

/// Person 1, with a name, in six photos; three of these show person 2 as well, who has none.
fn family() -> (Grouping, PersonId, PersonId) {
    let mut grouping = empty();
    for number in 0..6 {
        let people: &[u8] = if number < 3 { &[1, 2] } else { &[1] };
        grouping.put(asset(number), photo(people, number));
    }
    let (one, two) = (grouping.person_of(at(0, 0)).unwrap(), grouping.person_of(at(0, 1)).unwrap());
    grouping.describe(one, |person| person.name = Some("one".into())).unwrap();
    (grouping, one, two)
}

fn counts(grouping: &Grouping, people: [PersonId; 2]) -> [usize; 2] {
    people.map(|id| grouping.summary(id).unwrap().photos)
}

#[test]
fn photos_in_the_trash_do_not_count_and_whoever_is_seen_less_often_then_is_not_asked_about() {
    let (mut grouping, one, two) = family();
    assert!(grouping.questions(None).contains(&Question::Who { person: two }));
    grouping.aside = HashSet::from([asset(0), asset(5)]);
    assert_eq!(counts(&grouping, [one, two]), [4, 2]);
    assert!(grouping.is_aside(at(0, 1)) && !grouping.is_aside(at(1, 1)));
    assert_eq!(grouping.questions(None), [], "seen twice is not often enough");
    grouping.aside.clear();
    assert_eq!(counts(&grouping, [one, two]), [6, 3]);
    assert!(grouping.questions(None).contains(&Question::Who { person: two }));
}

#[test]
fn a_doubtful_face_in_the_trash_is_not_asked_about() {
    let (mut grouping, one, _) = family();
    // Half way between two people: near enough to ask, too far to join.
    let mix: Vec<f32> = embedding(1, 40).iter().zip(embedding(9, 40)).map(|(a, b)| a * 0.55 + b * 0.45).collect();
    grouping.put(asset(20), Arc::new(StoredFaces { pack: PACK.into(), faces: vec![face(0, mix)] }));
    let asked = |grouping: &Grouping| {
        let about = |question: &Question| matches!(question, Question::Is { face, person, .. } if *face == at(20, 0) && *person == one);
        grouping.questions(None).iter().any(about)
    };
    assert!(asked(&grouping), "{:?}", grouping.questions(None));
    grouping.aside.insert(asset(20));
    assert!(!asked(&grouping));
}

#[test]
fn who_is_only_in_the_trash_keeps_their_name_until_it_is_emptied() {
    let (mut grouping, one, two) = family();
    grouping.aside = (0..6).map(asset).collect();
    assert_eq!(counts(&grouping, [one, two]), [0, 0]);
    grouping.put(asset(30), photo(&[1], 30));
    assert_eq!(grouping.person_of(at(30, 0)), Some(one), "a new photo still finds them");
    for number in 0..6 {
        grouping.remove(asset(number));
    }
    assert!(grouping.aside.is_empty());
    assert_eq!(counts(&grouping, [one, one]), [1, 1]);
    assert!(grouping.summary(two).is_none());
}
