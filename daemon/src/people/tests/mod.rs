//! Made-up people with the geometry of real ones, and a small catalog to keep them in.

mod corrections;
mod packs;
mod properties;
mod quality;
mod trash;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::changes::Rows;
use super::grouping::Grouping;
use super::stored::StoredLook;
use super::{FaceRef, GroupingRules, LookId, PersonId, StoredPerson, StoredPlaces, StoredRule};
use crate::faces::{StoredFace, StoredFaces};
use crate::library::AssetId;

pub(super) const PACK: &str = "pack-a";
pub(super) const RULES: GroupingRules = GroupingRules { sure: 0.49, maybe: 0.60, min_face_px: 40.0, min_quality: 0.4 };
/// Numbers of a made-up embedding.
pub(super) const NUMBERS: usize = 32;

/// Somebody: a point far from every other person's, with all faces near it.
pub(super) fn embedding(person: u8, variant: u16) -> Vec<f32> {
    let mut numbers = vec![0f32; NUMBERS];
    numbers[usize::from(person) % NUMBERS] = 0.8;
    // Variants of one person are up to 0.3 apart from each other.
    let mut hash = u32::from(variant).wrapping_mul(2_654_435_761) ^ 0x5bd1_e995;
    for number in &mut numbers {
        hash = hash.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *number += ((hash >> 16) as f32 / 65_536.0 - 0.5) * 0.08;
    }
    numbers
}

/// A clear face at place `at` of its photo.
pub(super) fn face(at: u16, embedding: Vec<f32>) -> StoredFace {
    StoredFace { rect: [f32::from(at) * 0.1, 0.2, 0.08, 0.1], width_px: 120.0, quality: 0.8, embedding, at_ms: None }
}

pub(super) fn asset(number: u16) -> AssetId {
    let mut id = [0; 16];
    id[..2].copy_from_slice(&number.to_be_bytes());
    AssetId(id)
}

pub(super) fn at(photo: u16, index: u16) -> FaceRef {
    FaceRef { asset: asset(photo), index }
}

/// A photo of these people, left to right.
pub(super) fn photo(people: &[u8], variant: u16) -> Arc<StoredFaces> {
    let faces = people
        .iter()
        .zip(0..)
        .map(|(person, at)| face(at, embedding(*person, variant.wrapping_mul(31).wrapping_add(at))));
    Arc::new(StoredFaces { pack: PACK.into(), faces: faces.collect() })
}

pub(super) fn empty() -> Grouping {
    Grouping::new(PACK.into(), NUMBERS, RULES, [7; 32])
}

/// The catalog, as far as people are concerned.
#[derive(Clone, Default)]
pub(super) struct Catalog {
    persons: BTreeMap<PersonId, StoredPerson>,
    looks: BTreeMap<LookId, StoredLook>,
    places: BTreeMap<AssetId, StoredPlaces>,
    rules: BTreeMap<AssetId, Vec<StoredRule>>,
    apart: BTreeMap<(PersonId, PersonId), ()>,
}

impl Catalog {
    pub(super) fn commit(&mut self, rows: Rows) {
        fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, rows: impl IntoIterator<Item = (K, Option<V>)>) {
            for (key, row) in rows {
                match row {
                    Some(row) => _ = map.insert(key, row),
                    None => _ = map.remove(&key),
                }
            }
        }
        put(&mut self.persons, rows.persons);
        put(&mut self.looks, rows.looks);
        put(&mut self.places, rows.places);
        put(&mut self.rules, rows.rules);
        put(&mut self.apart, rows.apart.into_iter().map(|(pair, apart)| (pair, apart.then_some(()))));
    }

    pub(super) fn rows(&self) -> Rows {
        Rows {
            persons: self.persons.iter().map(|(id, row)| (*id, Some(row.clone()))).collect(),
            looks: self.looks.iter().map(|(id, row)| (*id, Some(*row))).collect(),
            places: self.places.iter().map(|(id, row)| (*id, Some(row.clone()))).collect(),
            rules: self.rules.iter().map(|(id, row)| (*id, Some(row.clone()))).collect(),
            apart: self.apart.keys().map(|pair| (*pair, true)).collect(),
        }
    }
}
