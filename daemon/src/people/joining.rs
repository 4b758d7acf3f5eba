//! Where a face goes that belongs to nobody yet. The work for one face is bounded: one search, a few looks compared, a few faces woken.

use std::collections::VecDeque;

use inframe_models::distance_squared;

use super::grouping::Grouping;
use super::look::Look;
use super::{FaceRef, LookId, PersonId};

/// Neighbours that one search gives.
const NEIGHBOURS: usize = 64;
/// Looks that a face is compared with in full.
const LOOKS_COMPARED: usize = 8;
/// Faces that one new face may wake, over all: those without a person that it brings into reach.
const WOKEN: usize = 64;
/// Looks that a look is held against after it grew.
const LOOKS_MERGED: usize = 4;

/// Faces from which on a look is more than chance.
const ESTABLISHED: u32 = 5;

/// How near a face is to a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) look: LookId,
    pub(super) person: PersonId,
    /// Distance to its nearest exemplar.
    pub(super) nearest: f32,
    /// Average distance to its faces.
    pub(super) average: f32,
}

/// Bounds on distances; all lie between the pack's `sure` and `maybe`, or a little below `sure`.
pub(super) struct Bounds {
    /// Two faces that begin a look.
    pub(super) pair: f32,
    /// Nearest exemplar of a look that a face joins.
    pub(super) nearest: f32,
    /// Average distance to that look.
    pub(super) average: f32,
    /// The same as long as the look has few faces, whose middle says little.
    pub(super) young_average: f32,
    /// The same for a face that is too small or too poor.
    pub(super) poor_average: f32,
    /// Average distance between two looks that become one.
    pub(super) merge: f32,
    /// Somebody else whom the owner cares about must be further away by this.
    pub(super) margin: f32,
}

impl Grouping {
    pub(super) fn bounds(&self) -> Bounds {
        let (sure, step) = (self.rules.sure, self.rules.maybe - self.rules.sure);
        // The more faces there are, the nearer is the nearest stranger: begin with more caution.
        let caution = (self.index.len() as f32 / 1000.0).log10().clamp(0.0, 2.5);
        Bounds {
            pair: sure - (0.25 + 0.25 * caution) * step,
            nearest: sure,
            average: sure + 0.5 * step,
            young_average: sure - 0.25 * caution * step,
            poor_average: sure,
            merge: sure + 0.25 * step,
            margin: 0.25 * step,
        }
    }

    /// Finds a place for each of these faces that has none, and for those that they bring into reach; then drops what is empty.
    pub(super) fn settle_all(&mut self, faces: impl IntoIterator<Item = FaceRef>) {
        let mut queue: VecDeque<FaceRef> = faces.into_iter().collect();
        let mut left = queue.len() + WOKEN;
        while let Some(face) = queue.pop_front().filter(|_| left > 0) {
            left -= 1;
            if self.place(face).is_some_and(|place| place.look.is_none()) {
                self.settle(face, &mut queue);
            }
        }
        self.sweep();
    }

    fn settle(&mut self, face: FaceRef, woken: &mut VecDeque<FaceRef>) {
        let Some(embedding) = self.about(face) else { return };
        let clear = self.place(face).is_some_and(|place| place.clear);
        let bounds = self.bounds();
        let near = self.index.within(&embedding, self.rules.maybe, NEIGHBOURS);
        let near: Vec<(FaceRef, f32)> = near
            .into_iter()
            .filter_map(|near| Some((self.face_at(near.key)?, near.distance)))
            .filter(|(other, _)| other.asset != face.asset)
            .collect();
        let mut fits: Vec<Fit> = Vec::new();
        for (other, nearest) in &near {
            let Some(look) = self.place(*other).and_then(|place| place.look) else { continue };
            if fits.len() < LOOKS_COMPARED && fits.iter().all(|fit| fit.look != look) {
                fits.extend(self.fit(&embedding, look, *nearest));
            }
        }
        fits.retain(|fit| self.may(face, fit.person));
        let joins = |fit: &Fit| self.joins(fit, clear);
        let best = fits.iter().filter(|fit| joins(fit)).min_by(|a, b| a.average.total_cmp(&b.average)).copied();
        let doubted = fits.iter().min_by(|a, b| a.nearest.total_cmp(&b.nearest)).map(|fit| (fit.look, fit.nearest));
        if let Some(best) = best {
            if self.is_ambiguous(&best, &fits) {
                return self.set_doubt(face, Some((best.look, best.nearest)));
            }
            self.set_look(face, Some(best.look));
            return self.grown(face, best.look, woken);
        }
        if clear && let Some(other) = self.companion(&near, bounds.pair) {
            let person = self.new_person();
            let look = self.new_look(person);
            self.set_look(other, Some(look));
            self.set_look(face, Some(look));
            self.grown(other, look, woken);
            return self.grown(face, look, woken);
        }
        self.set_doubt(face, doubted.filter(|_| clear));
    }

    pub(super) fn fit(&self, embedding: &[f32], look: LookId, nearest: f32) -> Option<Fit> {
        let of = self.looks.get(&look)?;
        Some(Fit { look, person: of.person, nearest, average: of.average(embedding) })
    }

    /// Whether a face belongs to a look by nearness alone.
    pub(super) fn joins(&self, fit: &Fit, clear: bool) -> bool {
        let bounds = self.bounds();
        let count = self.looks.get(&fit.look).map_or(0, Look::count);
        let (nearest, average) = match (clear, count) {
            (false, _) => (bounds.pair, bounds.poor_average),
            (true, 0..2) => (bounds.pair, bounds.pair),
            (true, 2..ESTABLISHED) => (bounds.nearest, bounds.young_average),
            (true, _) => (bounds.nearest, bounds.average),
        };
        fit.nearest <= nearest && fit.average <= average
    }

    /// Somebody else whom the owner cares about is about as near.
    fn is_ambiguous(&self, best: &Fit, fits: &[Fit]) -> bool {
        let kept = |person: &PersonId| self.persons.get(person).is_some_and(|person| person.kept);
        let margin = self.bounds().margin;
        kept(&best.person)
            && fits.iter().any(|fit| {
                fit.person != best.person
                    && kept(&fit.person)
                    && fit.average.min(fit.nearest) < best.average.min(best.nearest) + margin
            })
    }

    /// The nearest clear face without a person, with which this one can begin a look.
    fn companion(&self, near: &[(FaceRef, f32)], within: f32) -> Option<FaceRef> {
        let alone = |face: &FaceRef| self.place(*face).is_some_and(|place| place.look.is_none() && place.clear);
        near.iter().take_while(|(_, distance)| *distance <= within).map(|(face, _)| *face).find(alone)
    }

    /// After a look has got a face that stands for it: faces without a person come into reach, and other looks may turn out to be the same.
    pub(super) fn grown(&mut self, face: FaceRef, look: LookId, woken: &mut VecDeque<FaceRef>) {
        if self.looks.get(&look).is_none_or(|look| !look.exemplars.contains(&face)) {
            return;
        }
        let Some(embedding) = self.about(face) else { return };
        let mut others: Vec<LookId> = Vec::new();
        for near in self.index.within(&embedding, self.rules.sure, NEIGHBOURS) {
            let Some(other) = self.face_at(near.key) else { continue };
            match self.place(other).and_then(|place| place.look) {
                None => woken.push_back(other),
                Some(id) if id != look && others.len() < LOOKS_MERGED && !others.contains(&id) => others.push(id),
                Some(_) => {}
            }
        }
        for other in others {
            self.merge_looks(look, other);
        }
    }

    /// Makes two looks of two people one person, if they are as near as faces of one person are and nothing speaks against it.
    fn merge_looks(&mut self, a: LookId, b: LookId) {
        let (Some(one), Some(other)) = (self.looks.get(&a), self.looks.get(&b)) else { return };
        let (one_person, other_person) = (one.person, other.person);
        if one_person == other_person || one.average_between(other) > self.bounds().merge {
            return;
        }
        let kept = |person: &PersonId| self.persons.get(person).is_some_and(|person| person.kept);
        let size = |person: &PersonId| self.summary(*person).map_or(0, |summary| summary.photos);
        let (target, source) = match (kept(&one_person), kept(&other_person)) {
            (true, true) => return,
            (true, false) => (one_person, other_person),
            (false, true) => (other_person, one_person),
            _ if size(&one_person) >= size(&other_person) => (one_person, other_person),
            _ => (other_person, one_person),
        };
        if self.is_apart(target, source) || self.together(source, target) > 0 || self.ruled_apart(source, target) {
            return;
        }
        self.take_over(source, target);
    }

    /// Photos in which both are.
    pub(super) fn together(&self, a: PersonId, b: PersonId) -> usize {
        let size = |person: PersonId| self.summary(person).map_or(0, |summary| summary.photos);
        let (fewer, more) = if size(a) <= size(b) { (a, b) } else { (b, a) };
        self.faces_of(fewer).filter(|face| self.rival(*face, more).is_some()).count()
    }

    /// Whether the owner said of a face of one that it is not the other.
    pub(super) fn ruled_apart(&self, a: PersonId, b: PersonId) -> bool {
        let says = |face: FaceRef, person: PersonId| self.rule(face).is_some_and(|rule| rule.not.contains(&person));
        let any = |of: PersonId, other: PersonId| self.faces_of(of).any(|face| says(face, other));
        any(a, b) || any(b, a)
    }

    /// All looks of one become the other's, with what keeps people apart from them.
    pub(super) fn take_over(&mut self, source: PersonId, target: PersonId) {
        for look in self.looks_of.get(&source).cloned().unwrap_or_default() {
            self.set_owner(look, Some(target));
        }
        self.looks_of.remove(&source);
        let pairs: Vec<_> = self.apart.iter().filter(|pair| pair.0 == source || pair.1 == source).copied().collect();
        for (a, b) in pairs {
            let other = if a == source { b } else { a };
            self.set_apart(a, b, false);
            if other != target {
                self.set_apart(other, target, true);
            }
        }
        self.set_person(source, None);
    }

    /// Makes a face this person's because the owner said so: in the look that it fits, or in a new one.
    pub(super) fn force(&mut self, face: FaceRef, person: PersonId) {
        if self.person_of(face) == Some(person) {
            return;
        }
        if let Some(rival) = self.rival(face, person) {
            self.set_look(rival, None);
        }
        let looks: Vec<LookId> = self.looks_of.get(&person).into_iter().flatten().copied().collect();
        let fits = self.about(face).map_or_else(Vec::new, |embedding| {
            looks.iter().filter_map(|look| self.fit(&embedding, *look, self.nearest(&embedding, *look))).collect()
        });
        let clear = self.place(face).is_some_and(|place| place.clear);
        let fitting = fits.iter().filter(|fit| self.joins(fit, clear)).min_by(|a, b| a.average.total_cmp(&b.average));
        let look = match fitting {
            Some(fit) => fit.look,
            None if clear || looks.is_empty() => self.new_look(person),
            // A poor face in a look of its own would stand for nothing.
            None => looks[0],
        };
        self.set_look(face, Some(look));
    }

    /// Distance to the nearest exemplar of a look.
    pub(super) fn nearest(&self, embedding: &[f32], look: LookId) -> f32 {
        let exemplars = self.looks.get(&look).map_or(&[][..], |look| &look.exemplars);
        let nearest = exemplars
            .iter()
            .filter_map(|one| self.about(*one))
            .map(|one| distance_squared(&one, embedding))
            .fold(f32::INFINITY, f32::min);
        nearest.sqrt()
    }
}
