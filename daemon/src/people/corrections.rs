//! What the owner says about people. It is kept with the boxes of the faces, so that no later grouping and no other model pack undoes it.

use std::collections::{BTreeSet, VecDeque};

use super::grouping::Grouping;
use super::{FaceRef, PersonId, StoredPerson};

/// Why a correction is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    /// Nobody with that id.
    #[error("there is no such person; they may have become part of another meanwhile")]
    NoPerson,
    /// No such face, or not one of that person.
    #[error("there is no such face; the photo may have been looked at again meanwhile")]
    NoFace,
    /// They are in photos together.
    #[error(
        "these two are in {0} photos together, so they cannot be one person; say first which of those faces are wrong"
    )]
    Together(usize),
    /// Two of the faces are in one photo.
    #[error("two of these faces are in one photo, so they cannot be one person")]
    OnePhoto,
    /// The owner said that another face of the photo is that person.
    #[error("you said that another face in this photo is that person; say first that it is not")]
    Taken,
    /// One person only.
    #[error("this is one and the same person")]
    Same,
    /// No faces named.
    #[error("choose at least one face")]
    Nothing,
    /// Nothing to undo.
    #[error("there is nothing to undo")]
    NothingToUndo,
}

pub(super) type Corrected<T> = Result<T, CorrectionError>;

impl Grouping {
    pub(super) fn person(&self, id: PersonId) -> Corrected<StoredPerson> {
        self.persons.get(&id).cloned().ok_or(CorrectionError::NoPerson)
    }

    fn known(&self, face: FaceRef) -> Corrected<FaceRef> {
        self.place(face).map(|_| face).ok_or(CorrectionError::NoFace)
    }

    /// Changes what the owner said about a person; they are kept apart from all others who are kept from then on.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn describe(&mut self, id: PersonId, change: impl FnOnce(&mut StoredPerson)) -> Corrected<()> {
        let mut person = self.person(id)?;
        change(&mut person);
        person.kept = true;
        self.set_person(id, Some(person));
        Ok(())
    }

    /// The owner would rather not say who this is; asked last from now on.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn skip(&mut self, id: PersonId) -> Corrected<()> {
        let person = self.person(id)?;
        self.set_person(id, Some(StoredPerson { skipped: true, ..person }));
        Ok(())
    }

    /// Chooses the face that stands for a person.
    ///
    /// # Errors
    /// When it is not a face of theirs.
    pub fn choose_cover(&mut self, id: PersonId, face: FaceRef) -> Corrected<()> {
        if self.person_of(face) != Some(id) {
            return Err(CorrectionError::NoFace);
        }
        let spot = self.place(face).map(|place| place.spot);
        self.describe(id, |person| person.cover = spot.map(|spot| (face.asset, spot)))
    }

    /// These faces of a person are somebody else, all of them the same. Gives the new person.
    ///
    /// # Errors
    /// When they are not all faces of one person, or two are in one photo.
    pub fn split(&mut self, faces: &[FaceRef]) -> Corrected<PersonId> {
        let first = *faces.first().ok_or(CorrectionError::Nothing)?;
        let source = self.person_of(first).ok_or(CorrectionError::NoFace)?;
        self.check(source, faces)?;
        let mut photos = BTreeSet::new();
        if !faces.iter().all(|face| photos.insert(face.asset)) {
            return Err(CorrectionError::OnePhoto);
        }
        let target = self.new_person();
        let looks = self.looks_of.get(&source).cloned().unwrap_or_default();
        for face in faces {
            self.say(*face, |rule| {
                rule.is = Some(target);
                add(&mut rule.not, source);
            });
            self.force(*face, target);
        }
        self.describe(target, |_| {})?;
        self.set_apart(source, target, true);
        self.move_nearer(looks, source, target);
        self.wake(faces.to_vec());
        Ok(target)
    }

    /// These faces are not this person.
    ///
    /// # Errors
    /// When one of them is no face of that person.
    pub fn not(&mut self, id: PersonId, faces: &[FaceRef]) -> Corrected<()> {
        self.check(id, faces)?;
        for face in faces {
            self.say(*face, |rule| {
                rule.is = rule.is.filter(|is| *is != id);
                add(&mut rule.not, id);
            });
            self.set_look(*face, None);
        }
        self.settle_all(faces.iter().copied());
        Ok(())
    }

    fn check(&self, id: PersonId, faces: &[FaceRef]) -> Corrected<()> {
        self.person(id)?;
        if faces.is_empty() {
            return Err(CorrectionError::Nothing);
        }
        let mut seen = BTreeSet::new();
        let theirs = |face: &FaceRef| seen.insert(*face) && self.person_of(*face) == Some(id);
        if faces.iter().all(theirs) { Ok(()) } else { Err(CorrectionError::NoFace) }
    }

    /// This face is this person; a new one if none is named. Gives the person.
    ///
    /// # Errors
    /// When the owner said that another face of the photo is that person.
    pub fn assign(&mut self, face: FaceRef, person: Option<PersonId>) -> Corrected<PersonId> {
        self.known(face)?;
        if let Some(person) = person {
            self.person(person)?;
            let rival = self.rival(face, person);
            if rival.and_then(|rival| self.rule(rival)).is_some_and(|rule| rule.is == Some(person)) {
                return Err(CorrectionError::Taken);
            }
        }
        let person = person.unwrap_or_else(|| self.new_person());
        let rival = self.rival(face, person);
        self.say(face, |rule| {
            rule.is = Some(person);
            rule.not.retain(|not| *not != person);
        });
        self.force(face, person);
        self.describe(person, |_| {})?;
        self.wake(vec![face]);
        self.settle_all(rival);
        Ok(person)
    }

    /// Asked whether a face is this person, the owner said no.
    ///
    /// # Errors
    /// When there is no such face or person.
    pub fn deny(&mut self, face: FaceRef, id: PersonId) -> Corrected<()> {
        if self.person_of(face) == Some(id) {
            return self.not(id, &[face]);
        }
        self.known(face)?;
        self.person(id)?;
        self.say(face, |rule| add(&mut rule.not, id));
        self.set_doubt(face, None);
        self.settle_all([face]);
        Ok(())
    }

    /// Asked whether a face is this person, the owner would not say.
    ///
    /// # Errors
    /// When there is no such face or person.
    pub fn skip_doubt(&mut self, face: FaceRef, id: PersonId) -> Corrected<()> {
        self.known(face)?;
        self.person(id)?;
        self.say(face, |rule| add(&mut rule.skipped, id));
        Ok(())
    }

    /// These two are different people, however alike.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn keep_apart(&mut self, a: PersonId, b: PersonId) -> Corrected<()> {
        self.person(a)?;
        self.person(b)?;
        if a == b {
            return Err(CorrectionError::Same);
        }
        self.set_apart(a, b, true);
        Ok(())
    }

    /// Faces that were grouped with `source` without a word of the owner go to `target` if they are clearly nearer to it.
    fn move_nearer(&mut self, looks: BTreeSet<super::LookId>, source: PersonId, target: PersonId) {
        let of_target: Vec<_> = self.looks_of.get(&target).into_iter().flatten().copied().collect();
        let margin = self.bounds().margin;
        let members: Vec<FaceRef> = looks
            .iter()
            .filter_map(|look| self.looks.get(look))
            .flat_map(|look| look.members.iter().copied())
            .collect();
        for face in members {
            let Some(from) =
                self.place(face).and_then(|place| place.look).filter(|_| self.person_of(face) == Some(source))
            else {
                continue;
            };
            let Some(embedding) = self.about(face) else { continue };
            let clear = self.place(face).is_some_and(|place| place.clear);
            let stays = self.looks.get(&from).map_or(f32::INFINITY, |look| look.average(&embedding));
            let fits = of_target.iter().filter_map(|look| self.fit(&embedding, *look, self.nearest(&embedding, *look)));
            let nearer = fits.filter(|fit| self.joins(fit, clear) && fit.average + margin < stays);
            let best = nearer.min_by(|a, b| a.average.total_cmp(&b.average));
            if let Some(best) = best.filter(|_| self.may(face, target)) {
                self.set_look(face, Some(best.look));
            }
        }
    }

    /// What these faces may have brought into reach finds its place.
    pub(super) fn wake(&mut self, faces: Vec<FaceRef>) {
        let mut woken = VecDeque::new();
        for face in faces {
            if let Some(look) = self.place(face).and_then(|place| place.look) {
                self.grown(face, look, &mut woken);
            }
        }
        self.settle_all(woken);
    }
}

fn add(list: &mut Vec<PersonId>, id: PersonId) {
    if !list.contains(&id) {
        list.push(id);
    }
}
