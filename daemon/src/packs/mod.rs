//! The model packs that the owner added, in the data folder, and which pack is in use.
//!
//! A pack is copied or downloaded into a folder of its own beside the others, checked there against the hashes of its `pack.toml`, tried out in a
//! decode process, and only then renamed into place: one that is listed is whole. What a network file holds is never parsed here.

mod download;
mod error;
mod intake;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use inframe_models::{MANIFEST, PackError, PackFacts};

pub use error::PacksError;
pub use intake::{Staged, Wish};

use crate::limits::MAX_MODEL_PACKS;
use crate::sandbox::Model;
use crate::vault::{Batch, CatalogError, Kind, Vault, VaultError};

/// Key of the chosen pack among the settings; absent for the built-in one.
const CHOSEN: &[u8] = b"model pack";

/// What the names of unfinished folders begin with. No id does.
const UNFINISHED: &str = ".new-";

/// A file on its way into a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adding {
    /// Its name in the pack.
    pub file: String,
    /// Bytes so far.
    pub done: u64,
    /// Bytes in all, where the server said so.
    pub total: Option<u64>,
}

/// A pack that is there.
#[derive(Debug)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Whether it is part of the program.
    pub built_in: bool,
    /// What its `pack.toml` says, or why it cannot be used.
    pub facts: Result<PackFacts, PackError>,
}

/// The packs of a node; cheap to clone.
#[derive(Clone)]
pub struct Packs {
    folder: PathBuf,
    vault: Vault,
    adding: Arc<Mutex<Option<Adding>>>,
    trouble: Arc<Mutex<Option<String>>>,
    /// Held while a pack is added or changed: one after the other.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Packs {
    /// Opens the folder, which must be there, and removes what an earlier run left unfinished.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: PathBuf, vault: Vault) -> Result<Self, PacksError> {
        let packs = Self { folder, vault, adding: Arc::default(), trouble: Arc::default(), turn: Arc::default() };
        for name in names(&packs.folder)?.into_iter().filter(|name| name.starts_with(UNFINISHED)) {
            let path = packs.folder.join(name);
            fs::remove_dir_all(&path).map_err(PacksError::io("remove", &path))?;
        }
        Ok(packs)
    }

    /// Every pack, the built-in one first, then by id.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Listed>, PacksError> {
        list_in(&self.folder)
    }

    /// What a pack is, and how children come by it. `id` is a whole id, or the name of a pack where there is one of that name only.
    ///
    /// # Errors
    /// When there is none, several, or one that cannot be used.
    pub fn find(&self, id: &str) -> Result<(PackFacts, Model), PacksError> {
        let mut found: Vec<Listed> = self
            .list()?
            .into_iter()
            .filter(|listed| listed.id == id || listed.facts.as_ref().is_ok_and(|facts| facts.name == id))
            .collect();
        if found.len() > 1 {
            found.retain(|listed| listed.id == id);
        }
        let one = found.pop().ok_or_else(|| PacksError::NotFound(id.to_owned()))?;
        let facts = one.facts?;
        let model =
            if one.built_in { Model::builtin() } else { Model::in_folder(&facts.id, self.folder.join(&one.id)) };
        // A folder whose pack.toml was changed by hand.
        if facts.id == one.id { Ok((facts, model)) } else { Err(PacksError::Renamed { id: one.id, holds: facts.id }) }
    }

    /// Id of the pack that the owner chose; `None` for the built-in one.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn chosen(&self) -> Result<Option<String>, VaultError> {
        Ok(self.vault.catalog().get_as::<Option<String>>(Kind::Settings, CHOSEN)?.flatten())
    }

    /// A batch that makes this pack the chosen one.
    ///
    /// # Errors
    /// When the value cannot be encoded.
    pub fn choose(model: &Model) -> Result<Batch, CatalogError> {
        let mut batch = Batch::default();
        batch.put_as(Kind::Settings, CHOSEN, &model.folder.is_some().then(|| model.id.to_string()))?;
        Ok(batch)
    }

    /// Why the chosen pack cannot be used, so that no faces are looked for.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes why the chosen pack cannot be used, or that it can.
    pub fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// The file that is on its way into a pack.
    #[must_use]
    pub fn adding(&self) -> Option<Adding> {
        self.adding.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, adding: Option<Adding>) {
        *self.adding.lock().unwrap_or_else(PoisonError::into_inner) = adding;
    }

    /// Waits until nobody else adds or changes a pack.
    pub async fn turn(&self) -> tokio::sync::OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }
}

/// Every pack where added ones lie in this folder, as [`Packs::list`] gives them.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_in(folder: &Path) -> Result<Vec<Listed>, PacksError> {
    let mut listed: Vec<Listed> = added(folder)?
        .into_iter()
        .map(|id| Listed { facts: read_facts(&folder.join(&id)), id, built_in: false })
        .collect();
    let facts = PackFacts::builtin();
    let id = facts.as_ref().map(|facts| facts.id.clone()).unwrap_or_default();
    listed.insert(0, Listed { id, built_in: true, facts });
    Ok(listed)
}

fn names(folder: &Path) -> Result<Vec<String>, PacksError> {
    let entries = fs::read_dir(folder).map_err(PacksError::io("list", folder))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

fn added(folder: &Path) -> Result<Vec<String>, PacksError> {
    let mut ids: Vec<String> = names(folder)?.into_iter().filter(|name| !name.starts_with('.')).collect();
    ids.sort();
    ids.truncate(MAX_MODEL_PACKS);
    Ok(ids)
}

fn read_facts(folder: &Path) -> Result<PackFacts, PackError> {
    PackFacts::read(|name| {
        let path = folder.join(name);
        // Neither a device nor a pipe that would never end.
        if fs::metadata(&path)?.is_file() { File::open(path) } else { Err(std::io::ErrorKind::InvalidInput.into()) }
    })
}

/// Name of the manifest, for the modules below.
const PACK_TOML: &str = MANIFEST;
