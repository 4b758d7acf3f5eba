//! All photos, looks and people in memory, and the few ways to change them. Every change is noted for the catalog and for undoing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use inframe_models::Neighbours;

use super::boxes::{Spot, found_again};
use super::changes::Changes;
use super::look::Look;
use super::photos::print;
use super::source::{FaceSource, Remembered};
use super::{FaceRef, LookId, PersonId, StoredPerson, StoredRule};
use crate::faces::{StoredFace, StoredFaces};
use crate::library::AssetId;

/// Distances and gates, from the model pack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupingRules {
    /// Embeddings at most this far apart are surely one person.
    pub sure: f32,
    /// Embeddings at most this far apart may be one person.
    pub maybe: f32,
    /// Narrower faces (pixels) never begin a look.
    pub min_face_px: f32,
    /// Faces of lower quality (0..1) never begin a look.
    pub min_quality: f32,
}

/// A face's place in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) spot: Spot,
    pub(super) look: Option<LookId>,
    /// Boxed, since few have any.
    pub(super) doubt: Option<Box<(LookId, f32)>>,
    /// Quality of the face, once it takes part in the search.
    pub(super) quality: f32,
    /// Good enough to begin a look, as far as is known.
    pub(super) clear: bool,
    /// Part of the look's sums.
    pub(super) counts: bool,
    /// Key in the search.
    pub(super) slot: Option<u32>,
}

pub(super) struct Photo {
    pub(super) pack: Arc<str>,
    pub(super) print: [u8; 8],
    pub(super) places: Box<[Place]>,
    /// Whether its faces take part in the search; only those of the current pack do.
    pub(super) warm: bool,
}

/// What a list shows of a person.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Who.
    pub id: PersonId,
    /// What the owner said about them.
    pub person: StoredPerson,
    /// Their faces, which are as many as their photos.
    pub photos: usize,
}

/// Who is in which photo, as far as it is known.
pub struct Grouping {
    pub(super) rules: GroupingRules,
    pub(super) pack: Arc<str>,
    pub(super) persons: BTreeMap<PersonId, StoredPerson>,
    pub(super) looks: BTreeMap<LookId, Look>,
    pub(super) looks_of: BTreeMap<PersonId, BTreeSet<LookId>>,
    pub(super) photos: HashMap<AssetId, Photo>,
    pub(super) said: HashMap<AssetId, Vec<StoredRule>>,
    pub(super) apart: BTreeSet<(PersonId, PersonId)>,
    pub(super) index: Neighbours,
    pub(super) slots: Vec<Option<FaceRef>>,
    pub(super) free: Vec<u32>,
    /// Photos in the trash: they keep their places, so that they come back as they were, but neither count nor are asked about.
    pub(super) aside: HashSet<AssetId>,
    pub(super) changes: Changes,
    /// Looks that lost a face; dropped at the end of a step if they are empty.
    pub(super) touched: BTreeSet<LookId>,
    /// Looks that lost a face whose numbers were not to be had any more: their sums are made anew.
    pub(super) stale: BTreeSet<LookId>,
    /// Where the numbers of faces come from.
    pub(super) source: Arc<dyn FaceSource>,
    /// The photo that came last, whose faces are asked for again and again.
    pub(super) current: Option<(AssetId, Arc<StoredFaces>)>,
    seed: [u8; 32],
    ids: u64,
}

impl Grouping {
    /// Empty, for the faces of one pack. New ids follow from `seed`, which is random wherever ids must not meet.
    #[must_use]
    pub fn new(pack: String, dimensions: usize, rules: GroupingRules, seed: [u8; 32]) -> Self {
        Self {
            rules,
            pack: pack.into(),
            persons: BTreeMap::new(),
            looks: BTreeMap::new(),
            looks_of: BTreeMap::new(),
            photos: HashMap::new(),
            said: HashMap::new(),
            apart: BTreeSet::new(),
            index: Neighbours::new(dimensions),
            slots: Vec::new(),
            free: Vec::new(),
            aside: HashSet::new(),
            changes: Changes::default(),
            touched: BTreeSet::new(),
            stale: BTreeSet::new(),
            source: Arc::new(Remembered::default()),
            current: None,
            seed,
            ids: 0,
        }
    }

    /// Has the numbers of faces read from there instead of keeping what is put in.
    #[must_use]
    pub fn reading(self, source: Arc<dyn FaceSource>) -> Self {
        Self { source, ..self }
    }

    // ---- reading ----

    pub(super) fn place(&self, face: FaceRef) -> Option<&Place> {
        self.photos.get(&face.asset)?.places.get(face.at())
    }

    /// The embedding of a face that takes part in the search; `None` when its photo was looked at again meanwhile, or is gone.
    pub(super) fn embedding(&self, face: FaceRef) -> Option<Vec<f32>> {
        let photo = self.photos.get(&face.asset).filter(|photo| photo.warm)?;
        let these = |faces: &Arc<StoredFaces>| faces.pack == *photo.pack && print(faces) == photo.print;
        let current = self.current.as_ref().filter(|current| current.0 == face.asset).map(|current| current.1.clone());
        let faces = current.filter(these).or_else(|| self.source.faces(face.asset).filter(these))?;
        faces.faces.get(face.at()).map(|face| face.embedding.clone())
    }

    /// The same, or about the same from the search, which has it at hand.
    pub(super) fn about(&self, face: FaceRef) -> Option<Vec<f32>> {
        let slot = self.place(face).and_then(|place| place.slot);
        slot.and_then(|slot| self.index.get(slot)).or_else(|| self.embedding(face))
    }

    pub(super) fn is_clear(&self, face: &StoredFace) -> bool {
        face.width_px >= self.rules.min_face_px && face.quality >= self.rules.min_quality
    }

    /// Whose face it is.
    #[must_use]
    pub fn person_of(&self, face: FaceRef) -> Option<PersonId> {
        Some(self.looks.get(&self.place(face)?.look?)?.person)
    }

    /// What the owner said about a face.
    #[must_use]
    pub fn rule(&self, face: FaceRef) -> Option<&StoredRule> {
        let photo = self.photos.get(&face.asset)?;
        let said = self.said.get(&face.asset)?;
        let (old, new): (Vec<_>, Vec<_>) =
            (said.iter().map(|rule| rule.spot).collect(), photo.places.iter().map(|place| place.spot).collect());
        said.get((*found_again(&old, &new).get(face.at())?)?)
    }

    /// Another face of the same photo that is this person.
    pub(super) fn rival(&self, face: FaceRef, person: PersonId) -> Option<FaceRef> {
        let photo = self.photos.get(&face.asset)?;
        let others = (0..photo.places.len()).filter_map(|index| u16::try_from(index).ok());
        others
            .map(|index| FaceRef { asset: face.asset, index })
            .find(|other| *other != face && self.person_of(*other) == Some(person))
    }

    /// Whether nothing that was said, and no other face of the photo, keeps a face from being this person.
    pub(super) fn may(&self, face: FaceRef, person: PersonId) -> bool {
        let allowed = |rule: &StoredRule| rule.is.is_none_or(|is| is == person) && !rule.not.contains(&person);
        self.rule(face).is_none_or(allowed) && self.rival(face, person).is_none()
    }

    pub(super) fn is_apart(&self, a: PersonId, b: PersonId) -> bool {
        self.apart.contains(&pair(a, b))
    }

    /// Every face of a person.
    pub fn faces_of(&self, person: PersonId) -> impl Iterator<Item = FaceRef> + '_ {
        let looks = self.looks_of.get(&person).into_iter().flatten();
        looks.filter_map(|look| self.looks.get(look)).flat_map(|look| look.members.iter().copied())
    }

    /// One person.
    #[must_use]
    pub fn summary(&self, id: PersonId) -> Option<Summary> {
        let looks = self.looks_of.get(&id).into_iter().flatten();
        let photos = looks.filter_map(|look| self.looks.get(look)).map(|look| self.seen(look)).sum();
        Some(Summary { id, person: self.persons.get(&id)?.clone(), photos })
    }

    /// How many photos of a look are not in the trash.
    fn seen(&self, look: &Look) -> usize {
        if self.aside.is_empty() {
            return look.members.len();
        }
        look.members.iter().filter(|face| !self.is_aside(**face)).count()
    }

    /// Whether a face is in a photo that lies in the trash.
    #[must_use]
    pub fn is_aside(&self, face: FaceRef) -> bool {
        self.aside.contains(&face.asset)
    }

    /// Everybody, in no order that means anything.
    #[must_use]
    pub fn people(&self) -> Vec<Summary> {
        self.persons.keys().filter_map(|id| self.summary(*id)).collect()
    }

    /// The faces that stand for a person.
    #[must_use]
    pub fn exemplars(&self, person: PersonId) -> Vec<FaceRef> {
        let looks = self.looks_of.get(&person).into_iter().flatten();
        looks.filter_map(|look| self.looks.get(look)).flat_map(|look| look.exemplars.iter().copied()).collect()
    }

    /// The faces that stand for a person as most photos show them: those of their largest look.
    #[must_use]
    pub fn main_exemplars(&self, person: PersonId) -> Vec<FaceRef> {
        let looks = self.looks_of.get(&person).into_iter().flatten().filter_map(|look| self.looks.get(look));
        let largest = looks.filter(|look| !look.exemplars.is_empty()).max_by_key(|look| look.members.len());
        largest.map_or_else(Vec::new, |look| look.exemplars.clone())
    }

    /// Bytes of memory that the search takes.
    #[must_use]
    pub fn search_bytes(&self) -> usize {
        self.index.bytes()
    }

    /// Takes everything as written: for whoever groups without a catalog.
    pub fn forget_changes(&mut self) {
        self.changes = Changes::default();
    }

    // ---- people and looks ----

    /// A seed from which other ids follow than from this one's.
    pub(super) fn next_seed(&self) -> [u8; 32] {
        blake3::keyed_hash(&self.seed, b"next seed").into()
    }

    fn fresh(&mut self, what: &str) -> [u8; 16] {
        self.ids += 1;
        let hash =
            blake3::Hasher::new_keyed(&self.seed).update(what.as_bytes()).update(&self.ids.to_le_bytes()).finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&hash.as_bytes()[..16]);
        id
    }

    pub(super) fn new_person(&mut self) -> PersonId {
        let id = PersonId(self.fresh("person"));
        self.set_person(id, Some(StoredPerson::default()));
        id
    }

    pub(super) fn new_look(&mut self, person: PersonId) -> LookId {
        let id = LookId(self.fresh("look"));
        self.set_owner(id, Some(person));
        id
    }

    pub(super) fn set_person(&mut self, id: PersonId, person: Option<StoredPerson>) {
        let before = match person {
            Some(person) => self.persons.insert(id, person),
            None => self.persons.remove(&id),
        };
        self.changes.persons.entry(id).or_insert(before);
    }

    /// Makes a look somebody's; without anybody it is dropped, and must be empty.
    pub(super) fn set_owner(&mut self, id: LookId, person: Option<PersonId>) {
        let before = self.looks.get(&id).map(|look| look.person);
        self.changes.looks.entry(id).or_insert(before);
        if let Some(looks) = before.and_then(|before| self.looks_of.get_mut(&before)) {
            looks.remove(&id);
        }
        match person {
            Some(person) => {
                self.looks.entry(id).or_insert_with(|| Look::of(person)).person = person;
                self.looks_of.entry(person).or_default().insert(id);
            }
            None => _ = self.looks.remove(&id),
        }
    }

    pub(super) fn set_apart(&mut self, a: PersonId, b: PersonId, apart: bool) {
        let before = if apart { !self.apart.insert(pair(a, b)) } else { self.apart.remove(&pair(a, b)) };
        self.changes.apart.entry(pair(a, b)).or_insert(before);
    }

    pub(super) fn set_rules(&mut self, asset: AssetId, rules: Vec<StoredRule>) {
        let before = if rules.is_empty() { self.said.remove(&asset) } else { self.said.insert(asset, rules) };
        self.changes.rules.entry(asset).or_insert(before.unwrap_or_default());
    }

    /// Changes what was said about a face.
    pub(super) fn say(&mut self, face: FaceRef, change: impl FnOnce(&mut StoredRule)) {
        let Some(spot) = self.place(face).map(|place| place.spot) else { return };
        let mut rules = self.said.get(&face.asset).cloned().unwrap_or_default();
        let known = self.rule(face).cloned();
        let at = known.and_then(|known| rules.iter().position(|rule| *rule == known)).unwrap_or_else(|| {
            rules.push(StoredRule::at(spot));
            rules.len() - 1
        });
        change(&mut rules[at]);
        rules.retain(|rule| rule.is.is_some() || !rule.not.is_empty() || !rule.skipped.is_empty());
        self.set_rules(face.asset, rules);
    }
}

pub(super) fn pair(a: PersonId, b: PersonId) -> (PersonId, PersonId) {
    (a.min(b), a.max(b))
}
