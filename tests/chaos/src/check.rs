//! The invariants: opens a vault as a start does, with nobody's help, and holds it against what was promised.

use std::{
    collections::BTreeMap,
    io::Read as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use inframe::{
    data_dir::{DataDir, DataDirError},
    library::{StoredAsset, finish_purges},
    vault::{
        BlobError, BlobId, CatalogError, Keys, Kind, Opening, RecoveryPhrase, Unlock, Vault, VaultError,
        backup::{BackupError, restore},
    },
};

use crate::{place::Place, promises::Promises};

/// A start takes no longer, whatever was done to the disk.
pub const START_LIMIT: Duration = Duration::from_secs(10);

/// How a vault was found whose promises all hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether its database was built again.
    pub rebuilt: bool,
}

/// Opens the vault and checks every promise; then once more, since what a start repairs must stay repaired.
///
/// # Errors
/// The first promise that does not hold.
pub fn all(place: &Place, promises: &Promises) -> Result<Found> {
    let first = once(place, promises)?;
    once(place, promises).context("at the second start")?;
    Ok(first)
}

/// The vault itself reports that something is lost for good.
#[derive(Debug)]
struct Losses(String);

impl std::fmt::Display for Losses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the catalog was built again with losses: {}", self.0)
    }
}

impl std::error::Error for Losses {}

/// Whether a failed check means that the vault has told of damage, as against served something wrong or lost something in silence.
#[must_use]
pub fn is_said_by_the_vault(error: &anyhow::Error) -> bool {
    let told = |error: &(dyn std::error::Error + 'static)| {
        error.is::<Losses>()
            || error.is::<VaultError>()
            || error.is::<CatalogError>()
            || error.is::<BackupError>()
            || error.downcast_ref::<BlobError>().is_some_and(|error| !matches!(error, BlobError::NotFound { .. }))
    };
    error.chain().any(|cause| {
        // A reader wraps what it says into an error of input and output, whose chain leaves it out.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        told(cause) || wrapped.is_some_and(|wrapped| told(wrapped))
    })
}

/// Whatever the vault still lists is served right or not at all.
///
/// # Errors
/// When something wrong is served.
pub fn nothing_wrong(place: &Place) -> Result<()> {
    let dir = data_dir(place)?;
    // A vault that does not open serves nothing.
    let Ok(vault) = Vault::open(&dir, &place.key_file()) else { return Ok(()) };
    let Ok(rows) = vault.catalog().scan_versioned::<StoredAsset>(Kind::Asset) else { return Ok(()) };
    for (_, asset) in rows {
        if let Ok(hash) = hash_of(&vault, asset.original) {
            ensure!(hash == asset.content.0, "wrong pixels: an original with other bytes was served");
        }
    }
    Ok(())
}

fn once(place: &Place, promises: &Promises) -> Result<Found> {
    let began = Instant::now();
    let dir = data_dir(place)?;
    let vault = Vault::open(&dir, &place.key_file()).context("the vault does not open")?;
    finish_purges(&vault).context("a purge is not finished")?;
    let opening = vault.catalog().opening().clone();
    ensure!(began.elapsed() <= START_LIMIT, "the start took {} s", began.elapsed().as_secs_f32());
    if let Opening::Rebuilt { complete: false, reason, .. } = &opening {
        return Err(Losses(reason.clone()).into());
    }
    listed(&vault, promises)?;
    records(&vault, promises)?;
    deleted(&vault, promises)?;
    phrases(&dir, promises)?;
    backed_up(place, promises)?;
    let temporary = std::fs::read_dir(&dir.blobs_temporary)?.count();
    ensure!(temporary == 0, "{temporary} half-written blobs were not swept");
    Ok(Found { rebuilt: matches!(opening, Opening::Rebuilt { .. }) })
}

/// Opens the data folder. A process that another lane is starting holds the lock of this one between its fork and its exec, so it is tried again.
fn data_dir(place: &Place) -> Result<DataDir> {
    let began = Instant::now();
    loop {
        match DataDir::open(place.data()) {
            Err(DataDirError::InUse { .. }) if began.elapsed() < START_LIMIT => std::thread::yield_now(),
            opened => return opened.context("the data folder does not open"),
        }
    }
}

/// What is promised is listed, and what is listed is whole.
fn listed(vault: &Vault, promises: &Promises) -> Result<()> {
    let rows = vault.catalog().scan_versioned::<StoredAsset>(Kind::Asset).context("the library does not list")?;
    let rows: BTreeMap<Vec<u8>, StoredAsset> = rows.into_iter().collect();
    for (id, hash) in &promises.photos {
        let row = rows.get(id.as_slice()).context("lost: an acknowledged photo is not listed")?;
        ensure!(row.content.0 == *hash, "wrong: a photo is listed with other contents");
    }
    for asset in rows.values() {
        whole(vault, asset)?;
    }
    Ok(())
}

/// Every blob of a listed asset is there, authentic, and the original hash-equal.
///
/// # Errors
/// When one is not.
pub fn whole(vault: &Vault, asset: &StoredAsset) -> Result<()> {
    let hash = hash_of(vault, asset.original).context("half there: a listed photo has no original")?;
    ensure!(hash == asset.content.0, "wrong pixels: an original with other bytes was served");
    for blob in asset.blobs().filter(|blob| *blob != asset.original) {
        hash_of(vault, blob).context("half there: a listed photo has no thumbnail")?;
    }
    Ok(())
}

fn hash_of(vault: &Vault, blob: BlobId) -> Result<[u8; 32]> {
    let mut plain = Vec::new();
    vault.blobs().open(blob)?.read_to_end(&mut plain)?;
    Ok(*blake3::hash(&plain).as_bytes())
}

fn records(vault: &Vault, promises: &Promises) -> Result<()> {
    for ((kind, key), promised) in &promises.records {
        let kind = kind_numbered(*kind)?;
        let value = vault.catalog().get(kind, key)?;
        let found = value.map(|value| *blake3::hash(&value).as_bytes());
        match promised {
            Some(_) => ensure!(found == *promised, "lost: an acknowledged record of {kind:?} is not there"),
            None => ensure!(found.is_none(), "revoked came back: a removed record of {kind:?} is there"),
        }
    }
    for kind in &promises.erased {
        let kind = kind_numbered(*kind)?;
        ensure!(vault.catalog().count(kind)? == 0, "erased came back: there are records of {kind:?}");
    }
    Ok(())
}

fn kind_numbered(number: u8) -> Result<Kind> {
    Kind::ALL.into_iter().find(|kind| *kind as u8 == number).context("no kind of record has this number")
}

fn deleted(vault: &Vault, promises: &Promises) -> Result<()> {
    for (id, blobs) in &promises.deleted {
        ensure!(!vault.catalog().contains(Kind::Asset, id)?, "deleted came back: a photo is listed");
        for blob in blobs {
            ensure!(hash_of(vault, BlobId(*blob)).is_err(), "deleted came back: its bytes can be read");
        }
    }
    Ok(())
}

/// What a backup promised comes back from it on an empty machine.
///
/// # Errors
/// When it does not.
pub fn backed_up(place: &Place, promises: &Promises) -> Result<()> {
    let Some(photos) = &promises.backed_up else { return Ok(()) };
    let empty = tempfile::tempdir()?;
    let dir = DataDir::open(empty.path().join("data"))?;
    let way = Unlock::KeyFile(place.key_file());
    let restored = restore(&place.disk(), &dir, &way, |_| true).context("the backup is not brought back")?;
    if !restored.lost.is_empty() {
        return Err(Losses(format!("{} files of the backup are damaged", restored.lost.len())).into());
    }
    let vault = Vault::open(&dir, &place.key_file()).context("what was brought back does not open")?;
    if let Opening::Rebuilt { complete: false, reason, .. } = vault.catalog().opening() {
        return Err(Losses(reason.clone()).into());
    }
    let there = Promises { photos: photos.clone(), ..Promises::default() };
    listed(&vault, &there).context("in what was brought back")
}

fn phrases(dir: &DataDir, promises: &Promises) -> Result<()> {
    for (words, opens) in &promises.phrases {
        let phrase = RecoveryPhrase::typed(&words.replace('-', " "))?;
        let opened = Keys::unlock(dir, &Unlock::Recovery(phrase)).is_ok();
        ensure!(opened || !opens, "lost: an acknowledged recovery phrase opens nothing");
        ensure!(!opened || *opens, "revoked came back: a removed recovery phrase opens the vault");
    }
    Ok(())
}
