//! Opening the catalog in whatever state a crash, a power cut or a bad disk left it.

use std::{fs, io};

use super::{
    CatalogError, Kind,
    journal::{self, Journal, Owner, Replayed},
    snapshot,
    store::{SealedChange, Store},
    value::ValueKeys,
};
use crate::{
    data_dir::DataDir,
    vault::{blob::WrappingKeys, durable},
};

/// Where the database keeps the number of the last commit in it. No kind has number 0.
const POSITION: &[u8] = b"\0position";
const FORMAT: u16 = 1;
/// Records put into the database at a time while it is built again.
const RECORDS_PER_BATCH: usize = 500;

/// How the catalog was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// There was none.
    New,
    /// As it was left; after a crash, with so many commits taken over from the journal.
    Opened {
        /// Commits taken over.
        replayed: u64,
    },
    /// The database was lost or damaged and was built again from the snapshot and the journal.
    Rebuilt {
        /// What was wrong with it.
        reason: String,
        /// Records that came back from the snapshot.
        records: u64,
        /// Commits that came back from the journal.
        replayed: u64,
        /// Whether everything that was ever acknowledged came back. If not, rescan the blobs, whose metadata tells what they are.
        complete: bool,
    },
}

pub(super) struct Recovered {
    pub(super) store: Store,
    pub(super) opening: Opening,
    /// Number of the last commit.
    pub(super) number: u64,
    /// The journal to go on with, if it can be.
    pub(super) journal: Option<Journal>,
}

pub(super) fn is_position(place: &[u8]) -> bool {
    place == POSITION
}

/// The change that tells the database which commit it has; it is made together with the commit.
pub(super) fn position(values: &ValueKeys, number: u64) -> Result<SealedChange, CatalogError> {
    let plain = [FORMAT.to_le_bytes().as_slice(), &number.to_le_bytes()].concat();
    let sealed = values.seal(Kind::Settings, POSITION, &plain)?;
    Ok(SealedChange { place: POSITION.to_vec(), value: Some(sealed) })
}

fn read_position(store: &Store, values: &ValueKeys) -> Result<Option<u64>, CatalogError> {
    let Some(sealed) = store.get(POSITION)? else { return Ok(None) };
    let damaged = || CatalogError::Damaged { reason: "its position does not open".to_owned() };
    let plain = values.open(Kind::Settings, POSITION, &sealed).ok_or_else(damaged)?;
    let (format, number) = plain.split_first_chunk::<2>().ok_or_else(damaged)?;
    let format = u16::from_le_bytes(*format);
    if format > FORMAT {
        return Err(CatalogError::NewerFormat { version: format });
    }
    number.first_chunk::<8>().map(|number| Some(u64::from_le_bytes(*number))).ok_or_else(damaged)
}

pub(super) fn open(dir: &DataDir, values: &ValueKeys, wrapping: &WrappingKeys) -> Result<Recovered, CatalogError> {
    let existed = dir.catalog.exists();
    // A first start, or one that was cut short at any point: there is nothing to lose yet, so nothing is reported as lost.
    let nothing_committed = !dir.catalog_snapshot.exists() && !journal::holds_commits(&dir.catalog_journal)?;
    if nothing_committed && !existed {
        return start_new(dir, values);
    }
    if dir.catalog_damaged.exists() {
        return rebuild(dir, values, wrapping, "damage was found while it was in use".to_owned(), true);
    }
    if !existed {
        return rebuild(dir, values, wrapping, "its folder is missing".to_owned(), false);
    }
    match open_as_left(dir, values) {
        Ok(Some(recovered)) => Ok(recovered),
        Ok(None) if nothing_committed => {
            remove_database(dir)?;
            start_new(dir, values)
        }
        Err(CatalogError::Damaged { .. }) if nothing_committed => {
            set_aside(dir)?;
            start_new(dir, values)
        }
        Ok(None) => rebuild(dir, values, wrapping, "it was never filled".to_owned(), false),
        Err(CatalogError::Damaged { reason }) => rebuild(dir, values, wrapping, reason, true),
        Err(other) => Err(other),
    }
}

fn start_new(dir: &DataDir, values: &ValueKeys) -> Result<Recovered, CatalogError> {
    if holds_blobs(dir)? {
        mark_incomplete(dir)?;
    }
    let store = Store::open(&dir.catalog)?;
    store.apply(&[position(values, 0)?])?;
    store.flush()?;
    let journal = Journal::begin(&dir.catalog_journal, values.journal(), 1)?;
    Ok(Recovered { store, opening: Opening::New, number: 0, journal: Some(journal) })
}

/// Records of blobs may be missing from now on: nothing is swept away for want of one.
fn mark_incomplete(dir: &DataDir) -> Result<(), CatalogError> {
    if dir.catalog_incomplete.exists() {
        return Ok(());
    }
    durable::replace(&dir.catalog_incomplete, b"").map_err(CatalogError::io("mark"))
}

/// Whether there is any finished blob.
fn holds_blobs(dir: &DataDir) -> Result<bool, CatalogError> {
    let failed = || CatalogError::io("look at the blobs of");
    for folder in fs::read_dir(&dir.blobs).map_err(failed())? {
        let folder = folder.map_err(failed())?.path();
        if folder != dir.blobs_temporary && folder.is_dir() && fs::read_dir(&folder).map_err(failed())?.next().is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens the database and brings it up to the journal; `None` if it was never filled.
fn open_as_left(dir: &DataDir, values: &ValueKeys) -> Result<Option<Recovered>, CatalogError> {
    let store = Store::open(&dir.catalog)?;
    let Some(position) = read_position(&store, values)? else { return Ok(None) };
    if journal::files(&dir.catalog_journal)?.first().is_some_and(|(first, _)| *first > position + 1) {
        // The database fell back to before the snapshot, as after a power cut that took its last writes.
        return Err(CatalogError::Damaged { reason: "it is older than its journal".to_owned() });
    }
    let mut progress = Progress::at(position);
    let replayed = replay(dir, values, &store, &mut progress)?;
    let opening = if progress.jumped || progress.bad > 0 {
        mark_incomplete(dir)?;
        let reason = "its journal is damaged before its end".to_owned();
        Opening::Rebuilt { reason, records: 0, replayed: progress.replayed, complete: false }
    } else {
        Opening::Opened { replayed: progress.replayed }
    };
    Ok(Some(Recovered { store, opening, number: progress.number, journal: usable(replayed, &progress) }))
}

/// How far the journal was taken over.
struct Progress {
    /// Number of the last commit in the database.
    number: u64,
    /// Commits taken over.
    replayed: u64,
    /// Values left out because they do not open.
    bad: u64,
    /// Whether commits were missing before one that was taken over.
    jumped: bool,
}

impl Progress {
    fn at(number: u64) -> Self {
        Self { number, replayed: 0, bad: 0, jumped: false }
    }
}

/// The journal to go on with, if its files lead up to the database without a gap.
fn usable(replayed: Replayed, progress: &Progress) -> Option<Journal> {
    replayed.journal.filter(|_| !replayed.broken && !progress.jumped && replayed.last == Some(progress.number))
}

/// Applies the commits that the database does not have yet.
fn replay(dir: &DataDir, values: &ValueKeys, store: &Store, progress: &mut Progress) -> Result<Replayed, CatalogError> {
    journal::replay(&dir.catalog_journal, values.journal(), progress.number, |commit, mut changes| {
        if commit <= progress.number {
            return Ok(());
        }
        changes.retain(|change| keep(values, &change.place, change.value.as_deref(), &mut progress.bad));
        changes.push(position(values, commit)?);
        store.apply(&changes)?;
        progress.jumped |= commit != progress.number + 1;
        progress.number = commit;
        progress.replayed += 1;
        Ok(())
    })
}

/// Whether a change is worth keeping: a value that does not open never will.
fn keep(values: &ValueKeys, place: &[u8], value: Option<&[u8]>, bad: &mut u64) -> bool {
    let sound = value.is_none_or(|value| values.check(place, value).is_ok());
    *bad += u64::from(!sound);
    sound
}

/// Refuses to touch the files of another vault: to rebuild with the wrong keys would be to throw all of them away.
fn refuse_another_vault(dir: &DataDir, values: &ValueKeys, wrapping: &WrappingKeys) -> Result<(), CatalogError> {
    let another = snapshot::opens(wrapping, &dir.catalog_snapshot)? != Some(true)
        && journal::owner(&dir.catalog_journal, values.journal())? == Owner::Other;
    if another { Err(CatalogError::WrongKey) } else { Ok(()) }
}

fn rebuild(
    dir: &DataDir,
    values: &ValueKeys,
    wrapping: &WrappingKeys,
    reason: String,
    worth_keeping: bool,
) -> Result<Recovered, CatalogError> {
    refuse_another_vault(dir, values, wrapping)?;
    // Before anything else: should this be cut short, the next start must not take blobs for unnamed that only the catalog has lost.
    let was_incomplete = dir.catalog_incomplete.exists();
    mark_incomplete(dir)?;
    tracing::warn!(%reason, "the catalog's database cannot be used and is built again from its snapshot and journal");
    if worth_keeping {
        set_aside(dir)?
    } else {
        remove_database(dir)?
    }
    let (mut store, mut bad, mut records) = (Store::open(&dir.catalog)?, 0, 0);
    let restored = restore_snapshot(dir, values, wrapping, &store, &mut records, &mut bad);
    let snapshot_lost = restored.is_err();
    let number = match restored {
        Ok(number) => number.unwrap_or(0),
        // Only damage: what a newer version wrote, and what the disk does not give today, stays where it is.
        Err(CatalogError::Snapshot(error)) if error.is_damage() => {
            tracing::error!(error = &error as &dyn std::error::Error, "the snapshot of the catalog is damaged too");
            snapshot::set_aside(&dir.catalog_snapshot)?;
            // What came out of it before the damage is of no certain age, so it is not kept.
            drop(store);
            remove_database(dir)?;
            store = Store::open(&dir.catalog)?;
            (records, bad) = (0, 0);
            0
        }
        Err(other) => return Err(other),
    };
    store.apply(&[position(values, number)?])?;
    let mut progress = Progress { bad, ..Progress::at(number) };
    let replayed = replay(dir, values, &store, &mut progress)?;
    store.flush()?;
    let sound = !snapshot_lost && !progress.jumped && progress.bad == 0;
    let complete = sound && !replayed.broken && replayed.last.is_some();
    if complete && !was_incomplete {
        durable::remove_if_there(&dir.catalog_incomplete).map_err(CatalogError::io("clear the mark of"))?;
    }
    let opening = Opening::Rebuilt { reason, records, replayed: progress.replayed, complete };
    // Without its snapshot the journal alone does not lead up to the database, so a new snapshot is due at once.
    let journal = usable(replayed, &progress).filter(|_| sound);
    Ok(Recovered { store, opening, number: progress.number, journal })
}

fn restore_snapshot(
    dir: &DataDir,
    values: &ValueKeys,
    wrapping: &WrappingKeys,
    store: &Store,
    records: &mut u64,
    bad: &mut u64,
) -> Result<Option<u64>, CatalogError> {
    let mut pending = Vec::new();
    let number = snapshot::read(wrapping, &dir.catalog_snapshot, |(place, value)| {
        if keep(values, &place, Some(&value), bad) {
            *records += 1;
            pending.push(SealedChange { place, value: Some(value) });
        }
        if pending.len() >= RECORDS_PER_BATCH {
            store.apply(&pending)?;
            pending.clear();
        }
        Ok(())
    })?;
    store.apply(&pending)?;
    Ok(number)
}

/// Keeps the damaged database for somebody who wants to look at it: one, the latest.
fn set_aside(dir: &DataDir) -> Result<(), CatalogError> {
    if !dir.catalog.exists() {
        return Ok(());
    }
    remove_folder(&dir.catalog_set_aside)?;
    fs::rename(&dir.catalog, &dir.catalog_set_aside).map_err(CatalogError::io("set aside"))?;
    durable::sync_folder(&dir.root).map_err(CatalogError::io("sync"))
}

fn remove_database(dir: &DataDir) -> Result<(), CatalogError> {
    remove_folder(&dir.catalog)
}

/// Removes whatever is under this name.
fn remove_folder(path: &std::path::Path) -> Result<(), CatalogError> {
    let removed = match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => fs::remove_file(path),
        other => other,
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CatalogError::io("clear")(error)),
        _ => Ok(()),
    }
}
