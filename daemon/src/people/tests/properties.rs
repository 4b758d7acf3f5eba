//! Whatever happens in whatever order, what the owner said holds, two faces of one photo are never one person, and a restart finds what was there.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::people::CorrectionError;
use crate::people::changes::Changes;

/// Something that happens to a library.
#[derive(Clone, Debug)]
enum Event {
    Photo {
        photo: u16,
        people: Vec<u8>,
        variant: u16,
    },
    Delete {
        photo: u16,
    },
    /// The same photo is looked at again: another order of faces, boxes a little elsewhere, maybe by another pack.
    Again {
        photo: u16,
        turn: usize,
        pack: bool,
    },
    Name {
        face: FaceRef,
    },
    Assign {
        face: FaceRef,
        to: Option<FaceRef>,
    },
    Not {
        face: FaceRef,
    },
    Deny {
        face: FaceRef,
        of: FaceRef,
    },
    Split {
        faces: Vec<FaceRef>,
    },
    Merge {
        one: FaceRef,
        other: FaceRef,
    },
    Apart {
        one: FaceRef,
        other: FaceRef,
    },
    Hide {
        face: FaceRef,
    },
    Undo,
    Restart,
}

fn a_face() -> impl Strategy<Value = FaceRef> {
    (0u16..12, 0u16..3).prop_map(|(photo, index)| at(photo, index))
}

fn event() -> impl Strategy<Value = Event> {
    let people = prop::collection::vec(0u8..5, 0..4);
    prop_oneof![
        8 => (0u16..12, people, any::<u16>()).prop_map(|(photo, people, variant)| Event::Photo { photo, people, variant }),
        1 => (0u16..12).prop_map(|photo| Event::Delete { photo }),
        2 => (0u16..12, 0usize..3, any::<bool>()).prop_map(|(photo, turn, pack)| Event::Again { photo, turn, pack }),
        1 => a_face().prop_map(|face| Event::Name { face }),
        2 => (a_face(), prop::option::of(a_face())).prop_map(|(face, to)| Event::Assign { face, to }),
        2 => a_face().prop_map(|face| Event::Not { face }),
        1 => (a_face(), a_face()).prop_map(|(face, of)| Event::Deny { face, of }),
        2 => prop::collection::vec(a_face(), 1..4).prop_map(|faces| Event::Split { faces }),
        2 => (a_face(), a_face()).prop_map(|(one, other)| Event::Merge { one, other }),
        1 => (a_face(), a_face()).prop_map(|(one, other)| Event::Apart { one, other }),
        1 => a_face().prop_map(|face| Event::Hide { face }),
        2 => Just(Event::Undo),
        1 => Just(Event::Restart),
    ]
}

struct World {
    grouping: Grouping,
    catalog: Catalog,
    faces: BTreeMap<AssetId, Arc<StoredFaces>>,
    pack: String,
    undo: Vec<Changes>,
    starts: u8,
}

impl World {
    fn new() -> Self {
        Self {
            grouping: empty(),
            catalog: Catalog::default(),
            faces: BTreeMap::new(),
            pack: PACK.into(),
            undo: Vec::new(),
            // The seed of `empty`; every start has another, so that ids never meet.
            starts: 7,
        }
    }

    fn commit(&mut self) -> Changes {
        let changes = std::mem::take(&mut self.grouping.changes);
        self.catalog.commit(self.grouping.rows(&changes));
        changes
    }

    fn corrected<T>(&mut self, outcome: Result<T, CorrectionError>) {
        if outcome.is_err() {
            assert!(self.grouping.changes.is_empty(), "a refused correction changed something");
            return;
        }
        let changes = self.commit();
        self.undo.push(changes);
    }

    fn put(&mut self, asset: AssetId, faces: Arc<StoredFaces>) {
        self.faces.insert(asset, faces.clone());
        self.grouping.put(asset, faces);
        self.commit();
    }

    fn person(&self, face: FaceRef) -> Option<PersonId> {
        self.grouping.person_of(face)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Photo { photo: number, people, variant } => {
                let faces = StoredFaces { pack: self.pack.clone(), ..StoredFaces::clone(&photo(&people, variant)) };
                self.put(asset(number), Arc::new(faces));
            }
            Event::Delete { photo } => {
                self.faces.remove(&asset(photo));
                self.grouping.remove(asset(photo));
                self.commit();
            }
            Event::Again { photo, turn, pack } => self.look_again(asset(photo), turn, pack),
            Event::Name { face } => {
                let Some(person) = self.person(face) else { return };
                let outcome = self.grouping.describe(person, |person| person.name = Some("named".into()));
                self.corrected(outcome);
            }
            Event::Assign { face, to } => {
                let to = to.and_then(|to| self.person(to));
                let outcome = self.grouping.assign(face, to);
                self.corrected(outcome);
            }
            Event::Not { face } => {
                let Some(person) = self.person(face) else { return };
                let outcome = self.grouping.not(person, &[face]);
                self.corrected(outcome);
            }
            Event::Deny { face, of } => {
                let Some(person) = self.person(of) else { return };
                let outcome = self.grouping.deny(face, person);
                self.corrected(outcome);
            }
            Event::Split { faces } => {
                let outcome = self.grouping.split(&faces);
                self.corrected(outcome);
            }
            Event::Merge { one, other } => {
                let (Some(one), Some(other)) = (self.person(one), self.person(other)) else { return };
                let outcome = self.grouping.merge(one, other);
                self.corrected(outcome);
            }
            Event::Apart { one, other } => {
                let (Some(one), Some(other)) = (self.person(one), self.person(other)) else { return };
                let outcome = self.grouping.keep_apart(one, other);
                self.corrected(outcome);
            }
            Event::Hide { face } => {
                let Some(person) = self.person(face) else { return };
                let outcome = self.grouping.describe(person, |person| person.hidden = true);
                self.corrected(outcome);
            }
            Event::Undo => {
                let Some(before) = self.undo.pop() else { return };
                self.grouping.undo(before);
                self.commit();
            }
            Event::Restart => self.restart(),
        }
    }

    fn look_again(&mut self, asset: AssetId, turn: usize, pack: bool) {
        let Some(known) = self.faces.get(&asset).cloned() else { return };
        let mut faces = known.faces.clone();
        for face in &mut faces {
            face.rect[0] += 0.004;
            // Another pack sees everybody somewhere else.
            if pack {
                face.embedding.rotate_right(7);
            }
        }
        if !faces.is_empty() {
            let turn = turn % faces.len();
            faces.rotate_left(turn);
        }
        if pack {
            self.pack = if self.pack == PACK { "pack-b".into() } else { PACK.into() };
            self.restart();
        }
        self.put(asset, Arc::new(StoredFaces { pack: self.pack.clone(), faces }));
    }

    fn restart(&mut self) {
        self.undo.clear();
        self.starts += 1;
        self.grouping = Grouping::new(self.pack.clone(), NUMBERS, RULES, [self.starts; 32]);
        self.grouping.load(self.catalog.rows());
        for (asset, faces) in &self.faces {
            self.grouping.warm(*asset, faces.clone());
        }
    }

    fn check(&self) {
        let grouping = &self.grouping;
        let mut members = 0;
        for (asset, photo) in &grouping.photos {
            let mut here = BTreeSet::new();
            for (index, place) in photo.places.iter().enumerate() {
                let face = FaceRef { asset: *asset, index: index as u16 };
                let person = grouping.person_of(face);
                assert!(person.is_none_or(|person| here.insert(person)), "two faces of one photo are one person");
                members += usize::from(place.look.is_some());
                assert_eq!(place.look.is_some(), person.is_some(), "a look that is nobody's");
                let Some(rule) = grouping.rule(face) else { continue };
                if let Some(is) = rule.is.filter(|is| grouping.persons.contains_key(is)) {
                    assert_eq!(person, Some(is), "what the owner said was undone");
                }
                assert!(person.is_none_or(|person| !rule.not.contains(&person)), "what the owner denied came back");
            }
        }
        assert_eq!(members, grouping.looks.values().map(|look| look.members.len()).sum::<usize>());
        for (id, look) in &grouping.looks {
            assert!(!look.members.is_empty(), "an empty look");
            assert!(look.exemplars.iter().all(|face| look.members.contains(face)));
            assert!(grouping.persons.contains_key(&look.person) && grouping.looks_of[&look.person].contains(id));
        }
        assert_eq!(grouping.persons.len(), grouping.looks_of.len(), "people without faces");
        assert!(
            grouping.apart.iter().all(|(a, b)| grouping.persons.contains_key(a) && grouping.persons.contains_key(b))
        );
        // A restart finds exactly this.
        assert_eq!(grouping.persons, self.catalog.persons);
        assert_eq!(grouping.said.len(), self.catalog.rules.len());
        assert!(grouping.looks.iter().all(|(id, look)| self.catalog.looks[id].person == look.person));
        assert_eq!(grouping.looks.len(), self.catalog.looks.len());
        assert!(grouping.photos.keys().all(|asset| grouping.row(*asset).as_ref() == self.catalog.places.get(asset)));
        assert_eq!(grouping.photos.len(), self.catalog.places.len());
    }
}

proptest! {
    #[test]
    fn what_the_owner_said_always_holds(events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::new();
        for event in events {
            world.happen(event);
            world.check();
        }
    }

    /// The order in which photos come in changes neither that faces of one photo are apart nor that far people are apart.
    #[test]
    fn any_order_of_photos_tells_these_people_apart(order in Just((0u16..24).collect::<Vec<_>>()).prop_shuffle()) {
        let mut world = World::new();
        for number in &order {
            let (left, right) = ((number % 5) as u8, ((number + 1 + number / 5) % 5) as u8);
            let people = if left == right { vec![left] } else { vec![left, right] };
            world.happen(Event::Photo { photo: *number, people, variant: *number });
            world.check();
        }
        prop_assert_eq!(world.grouping.persons.len(), 5);
        for (asset, faces) in &world.faces {
            for index in 0..faces.faces.len() as u16 {
                let face = FaceRef { asset: *asset, index };
                prop_assert!(world.grouping.person_of(face).is_some());
            }
        }
    }
}
