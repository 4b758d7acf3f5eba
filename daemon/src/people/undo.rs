//! Taking a correction back.

use super::changes::Changes;
use super::grouping::Grouping;
use super::photos::faces_of_photo;
use super::{FaceRef, PersonId};
use crate::library::AssetId;

impl Grouping {
    /// Takes a correction back: everything that it touched is as before, as far as it is still there.
    pub(super) fn undo(&mut self, before: Changes) {
        for (id, person) in &before.persons {
            if person.is_some() {
                self.set_person(*id, person.clone());
            }
        }
        for (id, owner) in &before.looks {
            if owner.is_some_and(|owner| self.persons.contains_key(&owner)) {
                self.set_owner(*id, *owner);
            }
        }
        self.touched.extend(before.looks.keys().filter(|look| self.looks.contains_key(look)));
        for (pair, apart) in &before.apart {
            if self.persons.contains_key(&pair.0) && self.persons.contains_key(&pair.1) {
                self.set_apart(pair.0, pair.1, *apart);
            }
        }
        let mut loose = Vec::new();
        let said: Vec<AssetId> = before.rules.keys().filter(|asset| self.photos.contains_key(asset)).copied().collect();
        for (asset, rules) in before.rules {
            if said.contains(&asset) {
                self.set_rules(asset, rules);
            }
        }
        let places = || before.places.iter().filter_map(|(asset, before)| Some((*asset, before.as_ref()?)));
        let same = |asset, print| self.photos.get(&asset).is_some_and(|photo| photo.print == print);
        let photos: Vec<_> = places().filter(|(asset, before)| same(*asset, before.print)).collect();
        // First out, then in: two faces of one photo may have to change places.
        for (asset, before) in &photos {
            for (face, place) in faces_of_photo(*asset, before.places.len()).zip(&before.places) {
                if self.place(face).is_some_and(|now| now.look != place.look) {
                    self.set_look(face, None);
                }
            }
        }
        for (asset, before) in &photos {
            for (face, place) in faces_of_photo(*asset, before.places.len()).zip(&before.places) {
                let look = place.look.filter(|look| self.looks.contains_key(look));
                if look.is_some() {
                    self.set_look(face, look);
                } else {
                    self.set_doubt(face, place.doubt);
                }
            }
        }
        // Photos that were looked at again meanwhile have other places; what was said about their faces holds all the same.
        for asset in said {
            loose.extend(self.heed(asset));
        }
        // What joined a person meanwhile who was not there before belongs to nobody again.
        for id in before.persons.iter().filter(|(_, person)| person.is_none()).map(|(id, _)| *id) {
            loose.extend(self.faces_of(id).collect::<Vec<_>>());
        }
        for face in &loose {
            self.set_look(*face, None);
        }
        before.persons.keys().for_each(|id| self.drop_without_looks(*id));
        self.settle_all(loose);
    }

    /// Makes what the owner said about the faces of a photo so; gives those that belong to nobody now.
    fn heed(&mut self, asset: AssetId) -> Vec<FaceRef> {
        let count = self.photos.get(&asset).map_or(0, |photo| photo.places.len());
        let is = |face: FaceRef| -> Option<PersonId> { self.rule(face)?.is.filter(|is| self.persons.contains_key(is)) };
        let denied = |face: &FaceRef| {
            let person = self.person_of(*face);
            person.is_some_and(|person| self.rule(*face).is_some_and(|rule| rule.not.contains(&person)))
        };
        let said: Vec<_> = faces_of_photo(asset, count).filter_map(|face| Some((face, is(face)?))).collect();
        let loose: Vec<FaceRef> = faces_of_photo(asset, count).filter(denied).collect();
        loose.iter().for_each(|face| self.set_look(*face, None));
        said.into_iter().for_each(|(face, person)| self.force(face, person));
        loose
    }
}
