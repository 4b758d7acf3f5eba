//! What the owner may be asked: who somebody is that is often seen, and whether a face is somebody they named.

use super::grouping::Grouping;
use super::{FaceRef, LookId, PersonId};

/// Photos from which on somebody without a name is shown; fewer are mostly passers-by.
pub const SHOWN_FROM: usize = 3;
/// People offered as the answer to "who is this?".
const SUGGESTIONS: usize = 3;
/// Neighbours of each face that stands for somebody, among whom suggestions are looked for.
const NEIGHBOURS: usize = 32;

/// A question to the owner.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Who is this?
    Who {
        /// Somebody without a name.
        person: PersonId,
    },
    /// Is this face that person?
    Is {
        /// A face without a person.
        face: FaceRef,
        /// Somebody with a name.
        person: PersonId,
        /// How far the face is from the nearest of theirs.
        distance: f32,
    },
}

impl Grouping {
    /// Everything worth asking: the most often seen first, then doubtful faces from the nearest on, then who was skipped. `me` needs no name.
    #[must_use]
    pub fn questions(&self, me: Option<PersonId>) -> Vec<Question> {
        let unnamed = |summary: &super::Summary| {
            summary.person.name.is_none()
                && !summary.person.hidden
                && summary.photos >= SHOWN_FROM
                && Some(summary.id) != me
        };
        let mut who: Vec<_> = self.people().into_iter().filter(unnamed).collect();
        who.sort_by_key(|one| (one.person.skipped, std::cmp::Reverse(one.photos), one.id));
        let mut doubts: Vec<(f32, FaceRef, PersonId)> = self
            .photos
            .iter()
            .flat_map(|(asset, photo)| super::photos::faces_of_photo(*asset, photo.places.len()))
            .filter_map(|face| self.doubt(face))
            .collect();
        doubts.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let asked = who.iter().filter(|one| !one.person.skipped);
        let skipped = who.iter().filter(|one| one.person.skipped);
        let is = doubts.into_iter().map(|(distance, face, person)| Question::Is { face, person, distance });
        let who = |one: &super::Summary| Question::Who { person: one.id };
        asked.map(who).chain(is).chain(skipped.map(who)).collect()
    }

    /// Whom these embeddings, all of one person, show: the owner's selfies find the owner.
    #[must_use]
    pub fn recognise(&self, embeddings: &[Vec<f32>]) -> Option<PersonId> {
        let mut looks: Vec<LookId> = Vec::new();
        for embedding in embeddings {
            for hit in self.index.within(embedding, self.rules.sure, NEIGHBOURS) {
                let look = self.face_at(hit.key).and_then(|face| self.place(face)).and_then(|place| place.look);
                looks.extend(look.filter(|look| !looks.contains(look)));
            }
        }
        let near = looks.into_iter().filter_map(|id| self.looks.get(&id)).map(|look| {
            let sum: f32 = embeddings.iter().map(|embedding| look.average(embedding)).sum();
            (sum / embeddings.len() as f32, look.person)
        });
        let nearest = near.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))?;
        (nearest.0 <= self.bounds().average).then_some(nearest.1)
    }

    fn doubt(&self, face: FaceRef) -> Option<(f32, FaceRef, PersonId)> {
        let place = self.place(face).filter(|place| place.look.is_none() && !self.is_aside(face))?;
        let (look, distance) = *place.doubt.as_deref()?;
        let person = self.looks.get(&look)?.person;
        let named = self.persons.get(&person).is_some_and(|one| one.name.is_some() && !one.hidden);
        let skipped = self.rule(face).is_some_and(|rule| rule.skipped.contains(&person));
        (named && !skipped && self.may(face, person)).then_some((distance, face, person))
    }

    /// People with a name, or `me`, whom somebody may be: the nearest first.
    #[must_use]
    pub fn suggestions(&self, person: PersonId, me: Option<PersonId>) -> Vec<PersonId> {
        let mut near: Vec<(f32, PersonId)> = Vec::new();
        let own: Vec<LookId> = self.looks_of.get(&person).into_iter().flatten().copied().collect();
        for exemplar in self.exemplars(person) {
            let Some(embedding) = self.about(exemplar) else { continue };
            for hit in self.index.within(&embedding, self.rules.maybe, NEIGHBOURS) {
                let Some(look) = self.face_at(hit.key).and_then(|face| self.place(face)).and_then(|place| place.look)
                else {
                    continue;
                };
                let Some(other) = self.looks.get(&look) else { continue };
                let named = self.persons.get(&other.person).is_some_and(|one| one.name.is_some());
                if other.person == person || !(named || Some(other.person) == me) {
                    continue;
                }
                let looks = own.iter().filter_map(|look| self.looks.get(look));
                let average = looks.map(|look| look.average_between(other)).fold(f32::INFINITY, f32::min);
                near.push((average, other.person));
            }
        }
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut found: Vec<PersonId> = Vec::new();
        for (_, other) in near {
            let seen = self.aside.is_empty() || self.summary(other).is_some_and(|other| other.photos > 0);
            if seen && !found.contains(&other) && !self.is_apart(person, other) && self.together(person, other) == 0 {
                found.push(other);
            }
        }
        found.truncate(SUGGESTIONS);
        found
    }
}
