//! What has changed since the last commit, with what was there before: the first is written, the second undoes a correction.

use std::collections::BTreeMap;

use super::grouping::Grouping;
use super::stored::StoredLook;
use super::{LookId, PersonId, StoredPerson, StoredPlace, StoredPlaces, StoredRule};
use crate::library::AssetId;

/// Everything touched, each with its value before.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) persons: BTreeMap<PersonId, Option<StoredPerson>>,
    pub(super) looks: BTreeMap<LookId, Option<PersonId>>,
    pub(super) places: BTreeMap<AssetId, Option<PlacesBefore>>,
    pub(super) rules: BTreeMap<AssetId, Vec<StoredRule>>,
    pub(super) apart: BTreeMap<(PersonId, PersonId), bool>,
}

/// Where the faces of a photo belonged.
#[derive(Debug)]
pub(super) struct PlacesBefore {
    /// Which faces these were.
    pub(super) print: [u8; 8],
    pub(super) places: Vec<StoredPlace>,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.persons.is_empty()
            && self.looks.is_empty()
            && self.places.is_empty()
            && self.rules.is_empty()
            && self.apart.is_empty()
    }
}

/// Rows of the catalog; `None` where one is to be removed.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) persons: Vec<(PersonId, Option<StoredPerson>)>,
    pub(super) looks: Vec<(LookId, Option<StoredLook>)>,
    pub(super) places: Vec<(AssetId, Option<StoredPlaces>)>,
    pub(super) rules: Vec<(AssetId, Option<Vec<StoredRule>>)>,
    pub(super) apart: Vec<((PersonId, PersonId), bool)>,
}

impl Grouping {
    /// The rows that the changes made, as they are now.
    pub(super) fn rows(&self, changes: &Changes) -> Rows {
        let look = |id: &LookId| self.looks.get(id).map(|look| StoredLook { person: look.person });
        Rows {
            persons: changes.persons.keys().map(|id| (*id, self.persons.get(id).cloned())).collect(),
            looks: changes.looks.keys().map(|id| (*id, look(id))).collect(),
            places: changes.places.keys().map(|id| (*id, self.row(*id))).collect(),
            rules: changes.rules.keys().map(|id| (*id, self.said.get(id).cloned())).collect(),
            apart: changes.apart.keys().map(|pair| (*pair, self.apart.contains(pair))).collect(),
        }
    }

    /// Takes in what the catalog holds. What refers to something that is not there is left out.
    pub(super) fn load(&mut self, rows: Rows) {
        self.persons = rows.persons.into_iter().filter_map(|(id, row)| Some((id, row?))).collect();
        for (id, row) in rows.looks {
            if let Some(row) = row.filter(|row| self.persons.contains_key(&row.person)) {
                self.set_owner(id, Some(row.person));
                self.touched.insert(id);
            }
        }
        for (asset, row) in rows.places {
            if let Some(row) = row {
                self.restore(asset, row);
            }
        }
        self.said = rows.rules.into_iter().filter_map(|(id, row)| Some((id, row?))).collect();
        self.apart = rows.apart.into_iter().filter(|(_, apart)| *apart).map(|(pair, _)| pair).collect();
        self.changes = Changes::default();
    }
}
