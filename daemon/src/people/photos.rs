//! Photos come, are looked at again, and go; their faces take part in the search.

use std::sync::Arc;

use super::boxes::{Spot, found_again};
use super::changes::PlacesBefore;
use super::grouping::{Grouping, Photo, Place};
use super::{FaceRef, LookId, PersonId, StoredPlace, StoredPlaces};
use crate::faces::{StoredFace, StoredFaces};
use crate::library::AssetId;

impl Grouping {
    /// Takes in what the catalog knows of a photo; its faces take part in the search once [`Grouping::warm`] is called.
    pub fn restore(&mut self, asset: AssetId, row: StoredPlaces) {
        let mut places = Vec::with_capacity(row.places.len());
        for (index, stored) in row.places.into_iter().enumerate() {
            let look = stored.look.filter(|look| self.looks.contains_key(look));
            if let (Some(look), Ok(index)) = (look.and_then(|look| self.looks.get_mut(&look)), u16::try_from(index)) {
                look.members.insert(FaceRef { asset, index });
            }
            places.push(Place { spot: stored.spot, look, doubt: stored.doubt.map(Box::new), ..Place::default() });
        }
        let pack = if *row.pack == *self.pack { self.pack.clone() } else { row.pack.into() };
        self.photos.insert(asset, Photo { pack, print: row.print, places: places.into(), warm: false });
    }

    /// Whether the photo's places are those of these very faces.
    #[must_use]
    pub fn knows(&self, asset: AssetId, faces: &StoredFaces) -> bool {
        self.photos.get(&asset).is_some_and(|photo| *photo.pack == *faces.pack && photo.print == print(faces))
    }

    /// Lets the faces of a photo that is known take part in the search.
    pub fn warm(&mut self, asset: AssetId, faces: Arc<StoredFaces>) {
        let fits = *faces.pack == *self.pack && self.knows(asset, &faces);
        let clear: Vec<bool> = faces.faces.iter().map(|face| self.is_clear(face)).collect();
        let Some(photo) = self.photos.get_mut(&asset).filter(|photo| fits && !photo.warm) else { return };
        if photo.places.len() != faces.faces.len() {
            return;
        }
        for ((place, face), clear) in photo.places.iter_mut().zip(&faces.faces).zip(clear) {
            (place.quality, place.clear) = (face.quality, clear);
        }
        photo.warm = true;
        let count = faces.faces.len();
        self.source.put(asset, &faces);
        self.current = Some((asset, faces));
        faces_of_photo(asset, count).for_each(|face| self.enter(face));
    }

    /// The face of a photo that is where one was before.
    #[must_use]
    pub fn find(&self, asset: AssetId, spot: &Spot) -> Option<FaceRef> {
        let places: Vec<Spot> = self.photos.get(&asset)?.places.iter().map(|place| place.spot).collect();
        let index = (*found_again(&places, &[*spot]).first()?)?;
        Some(FaceRef { asset, index: u16::try_from(index).ok()? })
    }

    /// Whether the photo's faces take part in the search.
    #[must_use]
    pub fn is_warm(&self, asset: AssetId) -> bool {
        self.photos.get(&asset).is_some_and(|photo| photo.warm)
    }

    /// Groups the faces of a photo that is new or was looked at again. What the owner said is found again by the boxes. Faces of people whom the
    /// owner cares about stay theirs when another pack looked; groups without a name are left to be made anew.
    pub fn put(&mut self, asset: AssetId, faces: Arc<StoredFaces>) {
        if *faces.pack != *self.pack {
            return;
        }
        self.source.put(asset, &faces);
        let spots: Vec<Spot> = faces.faces.iter().map(spot).collect();
        let mut carried = vec![None; spots.len()];
        if let Some(old) = self.photos.get(&asset) {
            let stays = |look: &LookId| {
                let person = self.looks.get(look).and_then(|look| self.persons.get(&look.person));
                *old.pack == *faces.pack || person.is_some_and(|person| person.kept)
            };
            let before: Vec<Spot> = old.places.iter().map(|place| place.spot).collect();
            for (new, found) in found_again(&before, &spots).into_iter().enumerate() {
                carried[new] = found.and_then(|found| old.places[found].look).filter(stays);
            }
        }
        self.note_places(asset);
        self.empty(asset);
        self.recount();
        let place = |(spot, face): (Spot, &StoredFace)| {
            let (quality, clear) = (face.quality, self.is_clear(face));
            Place { spot, quality, clear, ..Place::default() }
        };
        let places = spots.into_iter().zip(&faces.faces).map(place).collect();
        let (pack, print) = (self.pack.clone(), print(&faces));
        let count = faces.faces.len();
        self.photos.insert(asset, Photo { pack, print, places, warm: true });
        self.current = Some((asset, faces));
        faces_of_photo(asset, count).for_each(|face| self.enter(face));
        let said: Vec<(FaceRef, PersonId)> = faces_of_photo(asset, count)
            .filter_map(|face| Some((face, self.rule(face)?.is.filter(|is| self.persons.contains_key(is))?)))
            .collect();
        said.into_iter().for_each(|(face, person)| self.force(face, person));
        for (face, look) in faces_of_photo(asset, count).zip(carried) {
            let person = look.and_then(|look| self.looks.get(&look)).map(|look| look.person);
            if self.place(face).is_some_and(|place| place.look.is_none())
                && person.is_some_and(|person| self.may(face, person))
            {
                self.set_look(face, look);
            }
        }
        self.settle_all(faces_of_photo(asset, count));
    }

    /// Forgets a photo that was deleted, with what was said about its faces.
    pub fn remove(&mut self, asset: AssetId) {
        self.source.forget(asset);
        if self.photos.contains_key(&asset) {
            self.note_places(asset);
            self.empty(asset);
            self.photos.remove(&asset);
        }
        self.aside.remove(&asset);
        if self.said.contains_key(&asset) {
            self.set_rules(asset, Vec::new());
        }
        self.sweep();
    }

    /// Takes every face of a photo out of its look and out of the search.
    fn empty(&mut self, asset: AssetId) {
        let count = self.photos.get(&asset).map_or(0, |photo| photo.places.len());
        for face in faces_of_photo(asset, count) {
            self.leave(face);
            if let Some(slot) = self.photos.get_mut(&asset).and_then(|photo| photo.places[face.at()].slot.take()) {
                self.index.remove(slot);
                self.slots[slot as usize] = None;
                self.free.push(slot);
            }
        }
    }

    pub(super) fn note_places(&mut self, asset: AssetId) {
        let before = self.photos.get(&asset).map(|photo| PlacesBefore { print: photo.print, places: stored(photo) });
        self.changes.places.entry(asset).or_insert(before);
    }

    /// A photo's row for the catalog.
    pub(super) fn row(&self, asset: AssetId) -> Option<StoredPlaces> {
        let photo = self.photos.get(&asset)?;
        Some(StoredPlaces { pack: photo.pack.to_string(), print: photo.print, places: stored(photo) })
    }
}

fn stored(photo: &Photo) -> Vec<StoredPlace> {
    let place =
        |place: &Place| StoredPlace { spot: place.spot, look: place.look, doubt: place.doubt.as_deref().copied() };
    photo.places.iter().map(place).collect()
}

fn spot(face: &StoredFace) -> Spot {
    Spot { rect: face.rect, at_ms: face.at_ms }
}

pub(super) fn faces_of_photo(asset: AssetId, count: usize) -> impl Iterator<Item = FaceRef> {
    (0..count).filter_map(move |index| Some(FaceRef { asset, index: u16::try_from(index).ok()? }))
}

/// Tells whether a photo was looked at again: a hash of the boxes and of some numbers of each embedding.
pub(super) fn print(faces: &StoredFaces) -> [u8; 8] {
    const NUMBERS: usize = 8;
    let mut hasher = blake3::Hasher::new();
    for face in &faces.faces {
        face.rect.iter().chain(face.embedding.iter().take(NUMBERS)).for_each(|n| _ = hasher.update(&n.to_le_bytes()));
        hasher.update(&face.at_ms.unwrap_or(u64::MAX).to_le_bytes());
    }
    let mut print = [0; 8];
    print.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    print
}
