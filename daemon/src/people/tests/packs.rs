//! Another model pack sees other numbers in the same faces: corrections and names outlast it, groups without a name are made anew.

use super::*;

const OTHER: &str = "pack-b";

/// The same photo seen by another pack: other numbers, boxes a little elsewhere, in another order.
fn seen_otherwise(faces: &StoredFaces) -> Arc<StoredFaces> {
    let mut faces = faces.faces.clone();
    for face in &mut faces {
        face.embedding.rotate_right(5);
        face.rect[0] += 0.01;
        face.rect[3] *= 1.2;
    }
    faces.reverse();
    Arc::new(StoredFaces { pack: OTHER.into(), faces })
}

#[test]
fn names_and_corrections_outlast_a_change_of_packs() {
    let mut grouping = empty();
    let mut catalog = Catalog::default();
    let photos: Vec<Arc<StoredFaces>> = (0..8).map(|number| photo(&[1, 2], number)).collect();
    for (number, faces) in (0..).zip(&photos) {
        grouping.put(asset(number), faces.clone());
    }
    let one = grouping.person_of(at(0, 0)).unwrap();
    grouping.describe(one, |person| person.name = Some("one".into())).unwrap();
    grouping.not(one, &[at(3, 0)]).unwrap();
    let unnamed = grouping.person_of(at(0, 1)).unwrap();
    let other = grouping.assign(at(5, 1), None).unwrap();
    let changes = std::mem::take(&mut grouping.changes);
    catalog.commit(grouping.rows(&changes));

    let mut grouping = Grouping::new(OTHER.into(), NUMBERS, RULES, [9; 32]);
    grouping.load(catalog.rows());
    // Until a photo was looked at again, it stays as it was; the old faces do not take part in the search.
    for (number, faces) in (0..).zip(&photos) {
        grouping.warm(asset(number), faces.clone());
        assert!(!grouping.is_warm(asset(number)));
    }
    assert_eq!(grouping.person_of(at(0, 0)), Some(one));
    for (number, faces) in (0..).zip(&photos) {
        grouping.put(asset(number), seen_otherwise(faces));
    }
    for number in 0..8 {
        // The order of the faces is the other way round now.
        let (first, second) = (grouping.person_of(at(number, 1)), grouping.person_of(at(number, 0)));
        if number == 3 {
            assert_ne!(first, Some(one), "what was denied came back");
        } else {
            assert_eq!(first, Some(one), "photo {number}");
        }
        if number == 5 {
            assert_eq!(second, Some(other));
        } else {
            assert!(second.is_some_and(|second| second != unnamed), "a group without a name is made anew");
        }
    }
    assert_eq!(grouping.summary(one).unwrap().person.name.as_deref(), Some("one"));
}

#[test]
fn faces_of_another_pack_are_not_compared() {
    let mut grouping = empty();
    for number in 0..4 {
        grouping.put(asset(number), seen_otherwise(&photo(&[1], number)));
    }
    assert!(grouping.people().is_empty() && grouping.index.is_empty());
}
