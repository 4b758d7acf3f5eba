//! The people of a library behind one lock: every change is durable before it is seen (D1).

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::changes::{Changes, Rows};
use super::stored::StoredLook;
use super::{CorrectionError, Grouping, GroupingRules, LookId, PersonId, StoredPerson, StoredPlaces, StoredRule};
use crate::faces::{Faces, StoredFaces};
use crate::library::AssetId;
use crate::limits::{CORRECTIONS_KEPT, PEOPLE_ROWS_PER_BATCH};
use crate::vault::{Batch, CatalogError, Kind, Vault, VaultError};

/// Everything of people in the catalog.
const KINDS: [Kind; 5] = [Kind::Person, Kind::PersonLook, Kind::PersonPlaces, Kind::PersonRules, Kind::PersonApart];

/// Why people could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The correction makes no sense as things are.
    #[error(transparent)]
    Correction(#[from] CorrectionError),
    /// The vault failed; what is in memory is read from it again.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The people of a library; cheap to clone.
#[derive(Clone)]
pub struct People {
    vault: Vault,
    faces: Faces,
    held: Arc<Mutex<Held>>,
}

/// What faces are grouped by: embeddings of one model pack.
#[derive(Clone, Debug)]
pub struct Embeddings {
    /// Id of the pack; faces of others take no part.
    pub pack: String,
    /// Numbers of an embedding.
    pub dimensions: usize,
    /// When two of them are of one person.
    pub rules: GroupingRules,
}

struct Held {
    grouping: Grouping,
    by: Embeddings,
    /// Photos whose faces do not take part in the search yet: after a start they are fed to it a few at a time.
    cold: Vec<AssetId>,
    /// What was before the last corrections.
    undo: VecDeque<Changes>,
}

impl People {
    /// Reads the catalog. `seed` is random: new ids follow from it.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault, faces: Faces, by: Embeddings, seed: [u8; 32]) -> Result<Self, VaultError> {
        let held = read(&vault, &faces, by, seed)?;
        mark_new(&held, &faces);
        Ok(Self { vault, faces, held: Arc::new(Mutex::new(held)) })
    }

    /// Groups by the embeddings of another model pack from now on; blocking. People, names and corrections stay, the last corrections cannot be
    /// taken back any more.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn change_pack(&self, by: Embeddings) -> Result<(), VaultError> {
        let mut held = self.held();
        let (seed, aside) = (held.grouping.next_seed(), std::mem::take(&mut held.grouping.aside));
        *held = read(&self.vault, &self.faces, by, seed)?;
        held.grouping.aside = aside;
        mark_new(&held, &self.faces);
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at who is where.
    pub fn read<T>(&self, look: impl FnOnce(&Grouping) -> T) -> T {
        look(&self.held().grouping)
    }

    /// Makes a correction that the owner asked for; blocking, durable when it returns.
    ///
    /// # Errors
    /// When it makes no sense or the vault fails; nothing is changed then.
    pub fn correct<T>(
        &self,
        correction: impl FnOnce(&mut Grouping) -> Result<T, CorrectionError>,
    ) -> Result<T, PeopleError> {
        let mut held = self.held();
        // A correction moves faces by their nearness, so all of them have to be there.
        warm(&mut held, &self.faces, usize::MAX);
        match correction(&mut held.grouping) {
            Ok(done) => {
                let before = self.commit(&mut held)?;
                held.undo.push_back(before);
                if held.undo.len() > CORRECTIONS_KEPT {
                    held.undo.pop_front();
                }
                Ok(done)
            }
            Err(refused) => {
                // Corrections check before they change; if one did not, the catalog knows better.
                if !held.grouping.changes.is_empty() {
                    self.read_again(&mut held)?;
                }
                Err(refused.into())
            }
        }
    }

    /// Takes the last correction back; blocking, durable when it returns.
    ///
    /// # Errors
    /// When there is none since the start, or the vault fails.
    pub fn undo(&self) -> Result<(), PeopleError> {
        let mut held = self.held();
        let before = held.undo.pop_back().ok_or(CorrectionError::NothingToUndo)?;
        warm(&mut held, &self.faces, usize::MAX);
        held.grouping.undo(before);
        self.commit(&mut held)?;
        Ok(())
    }

    /// Lets the photos that are in the trash neither count nor be asked about; `trashed` says which these are now.
    pub fn set_aside(&self, trashed: impl FnOnce() -> HashSet<AssetId>) {
        let mut held = self.held();
        held.grouping.aside = trashed();
    }

    /// Groups the faces of photos that are new, were looked at again, or (without faces) are gone; blocking, durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn group(&self, photos: Vec<(AssetId, Option<Arc<StoredFaces>>)>) -> Result<bool, VaultError> {
        let mut held = self.held();
        for (asset, faces) in photos {
            match faces {
                Some(faces) if held.grouping.knows(asset, &faces) => held.grouping.warm(asset, faces),
                Some(faces) => held.grouping.put(asset, faces),
                None => held.grouping.remove(asset),
            }
        }
        Ok(!self.commit(&mut held)?.is_empty())
    }

    /// Lets the faces of some more photos take part in the search. Whether there are others still; blocking.
    #[must_use]
    pub fn warm_some(&self, photos: usize) -> bool {
        let mut held = self.held();
        warm(&mut held, &self.faces, photos);
        !held.cold.is_empty()
    }

    /// Erases everything, names included; blocking, durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; calling it again goes on.
    pub fn erase(&self) -> Result<(), VaultError> {
        let mut held = self.held();
        for kind in KINDS {
            loop {
                let some = self.vault.catalog().page_after(kind, None, PEOPLE_ROWS_PER_BATCH)?;
                if some.is_empty() {
                    break;
                }
                let mut batch = Batch::default();
                some.iter().for_each(|(key, _)| _ = batch.remove(kind, key));
                self.vault.catalog().commit(batch)?;
            }
        }
        self.read_again(&mut held)
    }

    /// Writes what changed and gives what was before.
    fn commit(&self, held: &mut Held) -> Result<Changes, VaultError> {
        held.grouping.recount();
        let changes = std::mem::take(&mut held.grouping.changes);
        let written = batches(held.grouping.rows(&changes))
            .and_then(|batches| batches.into_iter().try_for_each(|batch| self.vault.catalog().commit(batch)));
        if let Err(error) = written {
            self.read_again(held)?;
            return Err(error.into());
        }
        Ok(changes)
    }

    fn read_again(&self, held: &mut Held) -> Result<(), VaultError> {
        // Ids of changes that were not written must not come again.
        let (seed, aside) = (held.grouping.next_seed(), std::mem::take(&mut held.grouping.aside));
        *held = read(&self.vault, &self.faces, held.by.clone(), seed)?;
        held.grouping.aside = aside;
        Ok(())
    }
}

/// Has photos that were never grouped looked at by the worker.
fn mark_new(held: &Held, faces: &Faces) {
    let new = |asset: &AssetId| !held.grouping.photos.contains_key(asset);
    faces.mark_changed(faces.assets().into_iter().filter(new));
}

fn warm(held: &mut Held, faces: &Faces, photos: usize) {
    for _ in 0..photos {
        let Some(asset) = held.cold.pop() else { return };
        match faces.of(asset) {
            Some(faces) if held.grouping.knows(asset, &faces) => held.grouping.warm(asset, faces),
            // Deleted or looked at again before the node was stopped.
            _ => faces.mark_changed([asset]),
        }
    }
}

fn read(vault: &Vault, faces: &Faces, by: Embeddings, seed: [u8; 32]) -> Result<Held, VaultError> {
    let catalog = vault.catalog();
    let id = |key: &[u8]| <[u8; 16]>::try_from(key).ok();
    let rows = Rows {
        persons: catalog
            .scan_as::<StoredPerson>(Kind::Person)?
            .into_iter()
            .filter_map(|(key, row)| Some((PersonId(id(&key)?), Some(row))))
            .collect(),
        looks: catalog
            .scan_as::<StoredLook>(Kind::PersonLook)?
            .into_iter()
            .filter_map(|(key, row)| Some((LookId(id(&key)?), Some(row))))
            .collect(),
        // Row by row below: there is one for each photo.
        places: Vec::new(),
        rules: catalog
            .scan_as::<Vec<StoredRule>>(Kind::PersonRules)?
            .into_iter()
            .filter_map(|(key, row)| Some((AssetId(id(&key)?), Some(row))))
            .collect(),
        apart: catalog
            .scan(Kind::PersonApart)?
            .into_iter()
            .filter_map(|(key, _)| {
                let (a, b) = key.split_at_checked(16)?;
                Some(((PersonId(id(a)?), PersonId(id(b)?)), true))
            })
            .collect(),
    };
    let source = Arc::new(faces.clone());
    let mut grouping = Grouping::new(by.pack.clone(), by.dimensions, by.rules, seed).reading(source);
    grouping.load(rows);
    catalog.each_as::<StoredPlaces>(Kind::PersonPlaces, |key, row| {
        if let Some(key) = id(key) {
            grouping.restore(AssetId(key), row);
        }
    })?;
    let cold = grouping.photos.keys().copied().collect();
    Ok(Held { grouping, by, cold, undo: VecDeque::new() })
}

/// Rows as batches. People and looks come before the places that name them, so that a crash in between leaves nothing that refers to nothing.
fn batches(rows: Rows) -> Result<Vec<Batch>, CatalogError> {
    fn put<T: serde::Serialize>(batch: &mut Batch, kind: Kind, key: &[u8], row: Option<T>) -> Result<(), CatalogError> {
        match row {
            Some(row) => _ = batch.put_as(kind, key, &row)?,
            None => _ = batch.remove(kind, key),
        }
        Ok(())
    }
    let mut batches = vec![Batch::default()];
    let mut next = |put: &mut dyn FnMut(&mut Batch) -> Result<(), CatalogError>| -> Result<(), CatalogError> {
        if batches.last().is_none_or(|batch| batch.len() >= PEOPLE_ROWS_PER_BATCH) {
            batches.push(Batch::default());
        }
        batches.last_mut().map_or(Ok(()), put)
    };
    let Rows { persons, looks, places, rules, apart } = rows;
    for (id, row) in persons {
        next(&mut |batch| put(batch, Kind::Person, &id.0, row.as_ref()))?;
    }
    for (id, row) in looks {
        next(&mut |batch| put(batch, Kind::PersonLook, &id.0, row))?;
    }
    for ((a, b), row) in apart {
        next(&mut |batch| put(batch, Kind::PersonApart, &[a.0, b.0].concat(), row.then_some(())))?;
    }
    for (id, row) in rules {
        next(&mut |batch| put(batch, Kind::PersonRules, &id.0, row.as_ref()))?;
    }
    for (id, row) in places {
        next(&mut |batch| put(batch, Kind::PersonPlaces, &id.0, row.as_ref()))?;
    }
    Ok(batches)
}
