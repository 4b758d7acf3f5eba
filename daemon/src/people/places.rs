//! The one way of a face into a look and out of it, with everything that follows from it: sums, exemplars, the search.

use super::grouping::{Grouping, Place};
use super::look::{Candidate, stands_for};
use super::{FaceRef, LookId, PersonId};

/// Faces of a look nearer to each other than this part of the sure distance say the same: one stands for both.
const ALIKE: f32 = 0.4;
/// Members looked at when a look needs new exemplars.
const REFILL: usize = 64;

impl Grouping {
    /// Puts a face into a look, or takes it out.
    pub(super) fn set_look(&mut self, face: FaceRef, look: Option<LookId>) {
        if self.place(face).is_none_or(|place| place.look == look) {
            return;
        }
        self.note_places(face.asset);
        self.leave(face);
        if let Some(place) = self.place_mut(face) {
            place.look = look;
            place.doubt = None;
        }
        if let Some(look) = look.and_then(|look| self.looks.get_mut(&look)) {
            look.members.insert(face);
        }
        self.enter(face);
    }

    fn place_mut(&mut self, face: FaceRef) -> Option<&mut Place> {
        self.photos.get_mut(&face.asset)?.places.get_mut(face.at())
    }

    pub(super) fn set_doubt(&mut self, face: FaceRef, doubt: Option<(LookId, f32)>) {
        if self.place(face).is_some_and(|place| place.doubt.as_deref().copied() != doubt) {
            self.note_places(face.asset);
            if let Some(place) = self.place_mut(face) {
                place.doubt = doubt.map(Box::new);
            }
        }
    }

    pub(super) fn leave(&mut self, face: FaceRef) {
        let Some(place) = self.place_mut(face) else { return };
        let (Some(id), counts, slot) = (place.look.take(), std::mem::take(&mut place.counts), place.slot) else {
            return;
        };
        self.touched.insert(id);
        let embedding = if counts { self.embedding(face) } else { None };
        let Some(look) = self.looks.get_mut(&id) else { return };
        look.members.remove(&face);
        match embedding {
            Some(embedding) => look.subtract(&embedding),
            None if counts => {
                look.lose();
                self.stale.insert(id);
            }
            None => {}
        }
        if let Some(at) = look.exemplars.iter().position(|one| *one == face) {
            look.exemplars.remove(at);
            if let Some(slot) = slot {
                self.index.remove(slot);
            }
        }
    }

    /// The face takes part: it can be found if it belongs to nobody; else it counts in its look, and may stand for it.
    pub(super) fn enter(&mut self, face: FaceRef) {
        let Some(embedding) = self.embedding(face) else { return };
        let (quality, clear) = self.place(face).map_or((0.0, false), |place| (place.quality, place.clear));
        let slot = self.slot(face);
        let Some(id) = self.place(face).and_then(|place| place.look) else {
            self.index.insert(slot, &embedding);
            return;
        };
        self.index.remove(slot);
        let maybe = self.rules.maybe;
        let Some(look) = self.looks.get_mut(&id) else { return };
        // What is no look of theirs (a face that the owner gave them, a poor one) must not draw others.
        if !clear || (look.count() > 1 && look.average(&embedding) > maybe) {
            return;
        }
        look.add(&embedding);
        if let Some(place) = self.place_mut(face) {
            place.counts = true;
        }
        self.offer(id, face, &embedding, quality);
    }

    fn offer(&mut self, id: LookId, face: FaceRef, embedding: &[f32], quality: f32) {
        let Some(known) = self.looks.get(&id).map(|look| look.exemplars.clone()) else { return };
        let of = |one: &FaceRef| Some((*one, self.about(*one)?, self.place(*one)?.quality));
        let known: Vec<(FaceRef, Vec<f32>, f32)> = known.iter().filter_map(of).collect();
        let candidates: Vec<Candidate> = known
            .iter()
            .map(|(face, embedding, quality)| Candidate { face: *face, embedding, quality: *quality })
            .collect();
        let new = Candidate { face, embedding, quality };
        let Some(at) = stands_for(&new, &candidates, self.rules.sure * ALIKE) else { return };
        let out = candidates.get(at).map(|one| one.face);
        if let Some(slot) = out.and_then(|out| self.place(out)).and_then(|place| place.slot) {
            self.index.remove(slot);
        }
        let slot = self.slot(face);
        self.index.insert(slot, embedding);
        if let Some(look) = self.looks.get_mut(&id) {
            look.exemplars.retain(|one| Some(*one) != out);
            look.exemplars.push(face);
        }
    }

    fn slot(&mut self, face: FaceRef) -> u32 {
        if let Some(slot) = self.place(face).and_then(|place| place.slot) {
            return slot;
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[slot as usize] = Some(face);
        if let Some(place) = self.place_mut(face) {
            place.slot = Some(slot);
        }
        slot
    }

    pub(super) fn face_at(&self, slot: u32) -> Option<FaceRef> {
        self.slots.get(slot as usize).copied().flatten()
    }

    /// Makes the sums anew of looks that lost a face whose numbers were not to be had.
    pub(super) fn recount(&mut self) {
        for id in std::mem::take(&mut self.stale) {
            let Some(look) = self.looks.get_mut(&id) else { continue };
            look.clear();
            for face in look.members.iter().copied().collect::<Vec<_>>() {
                if !self.place(face).is_some_and(|place| place.counts) {
                    continue;
                }
                // One whose photo was looked at again meanwhile counts no longer; it comes again with that look.
                let embedding = self.embedding(face);
                if let Some(place) = self.place_mut(face) {
                    place.counts = embedding.is_some();
                }
                if let (Some(embedding), Some(look)) = (embedding, self.looks.get_mut(&id)) {
                    look.add(&embedding);
                }
            }
        }
    }

    /// Drops looks that are empty and people who have none; looks that lost their last exemplar get others.
    pub(super) fn sweep(&mut self) {
        for id in std::mem::take(&mut self.touched) {
            let Some(look) = self.looks.get(&id) else { continue };
            let person = look.person;
            if look.members.is_empty() {
                self.set_owner(id, None);
                self.drop_without_looks(person);
            } else if look.exemplars.is_empty() && look.count() > 0 {
                let counts = |face: &FaceRef| self.place(*face).is_some_and(|place| place.counts);
                let members: Vec<FaceRef> = look.members.iter().copied().filter(counts).take(REFILL).collect();
                for face in members {
                    if let Some(embedding) = self.embedding(face) {
                        let quality = self.place(face).map_or(0.0, |place| place.quality);
                        self.offer(id, face, &embedding, quality);
                    }
                }
            }
        }
    }

    /// Drops a person who has no look left, with what was said about them and others.
    pub(super) fn drop_without_looks(&mut self, person: PersonId) {
        if self.looks_of.get(&person).is_some_and(|looks| !looks.is_empty()) {
            return;
        }
        self.looks_of.remove(&person);
        self.set_person(person, None);
        let gone: Vec<_> = self.apart.iter().filter(|pair| pair.0 == person || pair.1 == person).copied().collect();
        gone.into_iter().for_each(|(a, b)| self.set_apart(a, b, false));
    }
}
