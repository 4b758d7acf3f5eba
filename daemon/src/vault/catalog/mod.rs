//! The catalog: everything that the node knows, as sealed records under (kind, key), changed in atomic and durable batches.
//!
//! Public names: [`Catalog`], [`Batch`], [`Kind`], [`Opening`] and [`CatalogError`]. Three things hold it: sled answers questions (`store`), the
//! journal makes commits durable (`journal`), and a snapshot from time to time lets the journal be trimmed (`snapshot`). sled alone is not trusted:
//! when it does not open, or has lost commits, it is built again from the other two without a question. What is absent on purpose: no blob is
//! ever kept here, and no other folder names sled.

mod batch;
mod error;
mod journal;
mod kind;
mod recovery;
mod snapshot;
mod store;
mod sync;
mod value;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use serde::de::DeserializeOwned;

pub use batch::Batch;
pub use error::CatalogError;
pub use kind::Kind;
pub use recovery::Opening;
pub use value::{Older, Versioned, strict};

use self::{
    batch::Change,
    journal::Journal,
    snapshot::SnapshotWriter,
    store::{Entry, SealedChange, Store},
    sync::GroupSync,
    value::{ValueKeys, place},
};
use super::{blob::WrappingKeys, durable, keys::Keys};
use crate::{
    data_dir::DataDir,
    limits::{CATALOG_JOURNAL_DUE_BYTES, CATALOG_JOURNAL_DUE_COMMITS, CATALOG_JOURNAL_MAX_BYTES},
};

/// Records that are held at a time when all of a kind are looked at.
const RECORDS_PER_PAGE: usize = 500;

/// A record: its key and its plain value.
pub type Record = (Vec<u8>, Vec<u8>);

/// The catalog of a vault. Clones share the same one. Every call blocks: async callers use `spawn_blocking`.
#[derive(Clone)]
pub struct Catalog {
    shared: Arc<Shared>,
}

struct Shared {
    dir: DataDir,
    store: Store,
    values: ValueKeys,
    wrapping: WrappingKeys,
    opening: Opening,
    /// Commits happen one after the other, from the read in [`Catalog::update`] to the change of the database.
    writer: Mutex<Writer>,
    /// Held for writing only while the database takes a batch, so that nobody sees half of one.
    applying: RwLock<()>,
    sync: GroupSync,
    /// One snapshot at a time.
    snapshotting: Mutex<()>,
    /// Bytes of journal above which a commit writes the snapshot.
    journal_max_bytes: u64,
}

struct Writer {
    journal: Journal,
    /// Number of the last commit.
    number: u64,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("opening", &self.shared.opening).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens the catalog, or makes it, or builds it again if it is damaged.
    pub(super) fn open(dir: &DataDir, keys: &Keys) -> Result<Self, CatalogError> {
        Self::open_with(dir, keys, CATALOG_JOURNAL_MAX_BYTES)
    }

    fn open_with(dir: &DataDir, keys: &Keys, journal_max_bytes: u64) -> Result<Self, CatalogError> {
        let recovered = recovery::open(dir, &ValueKeys::new(keys), &WrappingKeys::new(keys))?;
        let recovery::Recovered { store, opening, number, journal } = recovered;
        let values = ValueKeys::new(keys);
        let (journal, stale) = match journal {
            Some(journal) => (journal, false),
            // The files end before the database does, or badly: they are of no more use once a snapshot covers them.
            None => (Journal::begin(&dir.catalog_journal, values.journal(), number + 1)?, true),
        };
        let catalog = Self {
            shared: Arc::new(Shared {
                dir: dir.clone(),
                store,
                wrapping: WrappingKeys::new(keys),
                opening,
                sync: GroupSync::new(Arc::clone(&journal.file), number),
                writer: Mutex::new(Writer { journal, number }),
                applying: RwLock::default(),
                snapshotting: Mutex::default(),
                journal_max_bytes,
                values,
            }),
        };
        if stale {
            catalog.write_snapshot()?;
        }
        durable::remove_if_there(&dir.catalog_damaged).map_err(CatalogError::io("clear the mark of"))?;
        Ok(catalog)
    }

    /// Has a catalog that is opened with nothing but a snapshot know that the snapshot is all there was: for one that comes from a backup.
    pub(super) fn begin_after_snapshot(dir: &DataDir, keys: &Keys) -> Result<(), CatalogError> {
        if let Some(number) = snapshot::number(&WrappingKeys::new(keys), &dir.catalog_snapshot)? {
            Journal::begin(&dir.catalog_journal, ValueKeys::new(keys).journal(), number + 1)?;
        }
        Ok(())
    }

    /// How it was opened: new, as it was left, or built again.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.shared.opening
    }

    /// The value of a record.
    ///
    /// # Errors
    /// [`CatalogError::ValueDamaged`] and [`CatalogError::Damaged`], which the next start repairs; what the disk reports.
    pub fn get(&self, kind: Kind, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, CatalogError> {
        let place = place(kind, key.as_ref());
        let sealed = self.mark(self.reading(|store| store.get(&place)))?;
        sealed.map(|sealed| self.unseal(kind, &place, &sealed)).transpose()
    }

    /// The typed value of a record that [`Batch::put_as`] wrote.
    ///
    /// # Errors
    /// As [`Catalog::get`], and [`CatalogError::Decode`] or [`CatalogError::NewerValue`].
    pub fn get_as<T: DeserializeOwned>(&self, kind: Kind, key: impl AsRef<[u8]>) -> Result<Option<T>, CatalogError> {
        self.get(kind, key)?.map(|bytes| value::decode(kind, &bytes)).transpose()
    }

    /// The value of a record that [`Batch::put_versioned`] or an older version wrote.
    ///
    /// # Errors
    /// As [`Catalog::get_as`].
    pub fn get_versioned<T: Versioned>(&self, kind: Kind, key: impl AsRef<[u8]>) -> Result<Option<T>, CatalogError> {
        self.get(kind, key)?.map(|bytes| value::decode_versioned(kind, &bytes)).transpose()
    }

    /// All records of a kind as values of a type that has older forms, in order of their keys.
    ///
    /// # Errors
    /// As [`Catalog::get_as`].
    pub fn scan_versioned<T: Versioned>(&self, kind: Kind) -> Result<Vec<(Vec<u8>, T)>, CatalogError> {
        let mut all = Vec::new();
        self.each_versioned(kind, |key, value| all.push((key.to_vec(), value)))?;
        Ok(all)
    }

    /// Shows all records of a kind to `see`, as values of a type that has older forms, in order of their keys. Holds few of them at a time.
    ///
    /// # Errors
    /// As [`Catalog::get_as`].
    pub fn each_versioned<T: Versioned>(&self, kind: Kind, see: impl FnMut(&[u8], T)) -> Result<(), CatalogError> {
        self.each(kind, value::decode_versioned, see)
    }

    /// Shows all records of a kind to `see`, as typed values, in order of their keys. Holds few of them at a time.
    ///
    /// # Errors
    /// As [`Catalog::get_as`].
    pub fn each_as<T: DeserializeOwned>(&self, kind: Kind, see: impl FnMut(&[u8], T)) -> Result<(), CatalogError> {
        self.each(kind, value::decode, see)
    }

    fn each<T>(
        &self,
        kind: Kind,
        decode: impl Fn(Kind, &[u8]) -> Result<T, CatalogError>,
        mut see: impl FnMut(&[u8], T),
    ) -> Result<(), CatalogError> {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let some = self.page_after(kind, after.as_deref(), RECORDS_PER_PAGE)?;
            for (key, bytes) in &some {
                see(key, decode(kind, bytes)?);
            }
            after = some.into_iter().next_back().map(|(key, _)| key);
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The keys of all records of a kind, in order; decrypts none.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn keys(&self, kind: Kind) -> Result<Vec<Vec<u8>>, CatalogError> {
        let mut keys = Vec::new();
        self.mark(self.reading(|store| store.each_key(&[kind as u8], |place| keys.push(place[1..].to_vec()))))?;
        Ok(keys)
    }

    /// Whether there is a record.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn contains(&self, kind: Kind, key: impl AsRef<[u8]>) -> Result<bool, CatalogError> {
        let place = place(kind, key.as_ref());
        self.mark(self.reading(|store| store.contains(&place)))
    }

    /// All records of a kind, in order of their keys.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn scan(&self, kind: Kind) -> Result<Vec<Record>, CatalogError> {
        self.scan_prefix(kind, [])
    }

    /// All records of a kind as typed values, in order of their keys.
    ///
    /// # Errors
    /// As [`Catalog::get_as`].
    pub fn scan_as<T: DeserializeOwned>(&self, kind: Kind) -> Result<Vec<(Vec<u8>, T)>, CatalogError> {
        self.scan_prefix_as(kind, [])
    }

    /// The records of a kind whose key begins with `prefix`, in order of their keys.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn scan_prefix(&self, kind: Kind, prefix: impl AsRef<[u8]>) -> Result<Vec<Record>, CatalogError> {
        self.range(kind, prefix.as_ref(), None, None, false, usize::MAX)
    }

    /// The typed records of a kind whose key begins with `prefix`, in order of their keys.
    ///
    /// # Errors
    /// As [`Catalog::get_as`].
    pub fn scan_prefix_as<T: DeserializeOwned>(
        &self,
        kind: Kind,
        prefix: impl AsRef<[u8]>,
    ) -> Result<Vec<(Vec<u8>, T)>, CatalogError> {
        let typed = |(key, bytes): Record| Ok((key, value::decode(kind, &bytes)?));
        self.scan_prefix(kind, prefix)?.into_iter().map(typed).collect()
    }

    /// At most `limit` records of a kind with keys after `after`, in order.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn page_after(&self, kind: Kind, after: Option<&[u8]>, limit: usize) -> Result<Vec<Record>, CatalogError> {
        self.range(kind, &[], after, None, false, limit)
    }

    /// At most `limit` records of a kind with keys before `before`, last first.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn page_before(&self, kind: Kind, before: Option<&[u8]>, limit: usize) -> Result<Vec<Record>, CatalogError> {
        self.range(kind, &[], None, before, true, limit)
    }

    /// The record of a kind with the greatest key.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn last(&self, kind: Kind) -> Result<Option<Record>, CatalogError> {
        Ok(self.page_before(kind, None, 1)?.pop())
    }

    /// Number of records of a kind; decrypts none.
    ///
    /// # Errors
    /// As [`Catalog::get`].
    pub fn count(&self, kind: Kind) -> Result<usize, CatalogError> {
        self.mark(self.reading(|store| store.count(&[kind as u8])))
    }

    fn range(
        &self,
        kind: Kind,
        prefix: &[u8],
        after: Option<&[u8]>,
        before: Option<&[u8]>,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<Record>, CatalogError> {
        let (prefix, after, before) =
            (place(kind, prefix), after.map(|key| place(kind, key)), before.map(|key| place(kind, key)));
        let found = self.reading(|store| store.entries(&prefix, after.as_deref(), before.as_deref(), backwards, limit));
        let open = |(mut place, sealed): Entry| {
            let plain = self.unseal(kind, &place, &sealed)?;
            place.remove(0);
            Ok((place, plain))
        };
        self.mark(found)?.into_iter().map(open).collect()
    }

    /// Makes all changes of `batch` or none; when it returns, they survive a power cut (D1). Commits that wait at the same time share one fsync.
    ///
    /// Another thread may see the changes a moment before this returns; one that wants to promise something because of what it has read calls
    /// [`Catalog::settle`] first.
    ///
    /// # Errors
    /// [`CatalogError::TooLarge`] and [`CatalogError::DiskFull`] change nothing. After any other error the catalog takes no more changes until it is
    /// opened again, and those of `batch` may be there then or not.
    pub fn commit(&self, batch: Batch) -> Result<(), CatalogError> {
        let number = self.apply(&mut self.writer(), batch)?;
        self.after_commit(number)
    }

    /// Reads, decides and commits with no other commit in between: `decide` may read the catalog and fills the batch. It must not commit by itself.
    ///
    /// # Errors
    /// What `decide` returns, with nothing changed; else as [`Catalog::commit`].
    pub fn update<T, E: From<CatalogError>>(
        &self,
        decide: impl FnOnce(&Self, &mut Batch) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer();
        let mut batch = Batch::new();
        let decided = decide(self, &mut batch)?;
        let number = self.apply(&mut writer, batch)?;
        drop(writer);
        self.after_commit(number)?;
        Ok(decided)
    }

    /// Waits until everything that can be read now is durable.
    ///
    /// # Errors
    /// [`CatalogError::Stopped`] if it cannot be made so.
    pub fn settle(&self) -> Result<(), CatalogError> {
        self.shared.sync.wait_for_all()
    }

    fn after_commit(&self, number: u64) -> Result<(), CatalogError> {
        self.shared.sync.wait_for(number)?;
        let journal_bytes = self.writer().journal.bytes;
        // A damaged database is no source for a snapshot: the journal grows until the restart that was asked for.
        if journal_bytes > self.shared.journal_max_bytes
            && !self.shared.dir.catalog_damaged.exists()
            && let Err(error) = self.write_snapshot()
        {
            // The commit itself is durable, so it has succeeded.
            tracing::warn!(error = &error as &dyn std::error::Error, "the snapshot of the catalog failed");
        }
        Ok(())
    }

    /// Journals a batch and applies it; the number of the commit to wait for.
    fn apply(&self, writer: &mut Writer, batch: Batch) -> Result<u64, CatalogError> {
        batch.check()?;
        self.shared.sync.check()?;
        if batch.is_empty() {
            return Ok(writer.number);
        }
        let number = writer.number + 1;
        let mut changes = Vec::with_capacity(batch.len() + 1);
        for Change { kind, key, value } in batch.changes {
            let place = place(kind, &key);
            let value = value.map(|plain| self.shared.values.seal(kind, &place, &plain)).transpose()?;
            changes.push(SealedChange { place, value });
        }
        if let Err(error) = writer.journal.append(number, &changes) {
            if matches!(error, CatalogError::Stopped) {
                self.shared.sync.stop();
            }
            return Err(error);
        }
        // From here on the commit counts, so a failure to apply it stops the catalog: the next start applies it from the journal.
        writer.number = number;
        self.shared.sync.written(number);
        let applied = recovery::position(&self.shared.values, number).and_then(|position| {
            changes.push(position);
            let _alone = self.shared.applying.write().unwrap_or_else(PoisonError::into_inner);
            self.shared.store.apply(&changes)
        });
        if let Err(error) = self.mark(applied) {
            self.shared.sync.stop();
            // To say that the disk is full would be to say that nothing was changed.
            return Err(if matches!(error, CatalogError::DiskFull) { CatalogError::Stopped } else { error });
        }
        Ok(number)
    }

    /// Writes the snapshot if enough was committed since the last one. Whether it was.
    ///
    /// # Errors
    /// [`CatalogError::DiskFull`], [`CatalogError::Snapshot`] and what the disk reports; nothing is lost then.
    pub fn snapshot_if_due(&self) -> Result<bool, CatalogError> {
        let writer = self.writer();
        let commits = writer.number + 1 - writer.journal.first;
        let due = writer.journal.bytes > CATALOG_JOURNAL_DUE_BYTES || commits > CATALOG_JOURNAL_DUE_COMMITS;
        drop(writer);
        if due {
            self.write_snapshot()?;
        }
        Ok(due)
    }

    /// Writes the snapshot, if anything was committed since the last one, and has the database write out its buffers: for a clean shutdown.
    ///
    /// # Errors
    /// As [`Catalog::snapshot_if_due`].
    pub fn snapshot(&self) -> Result<(), CatalogError> {
        let writer = self.writer();
        let current = writer.journal.first == writer.number + 1 && self.shared.dir.catalog_snapshot.exists();
        drop(writer);
        if !current {
            self.write_snapshot()?;
        }
        self.mark(self.shared.store.flush())
    }

    fn write_snapshot(&self) -> Result<(), CatalogError> {
        let _one = self.shared.snapshotting.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = &self.shared.dir.catalog_journal;
        let mut snapshot = SnapshotWriter::begin(&self.shared.wrapping, &self.shared.dir.catalog_snapshot)?;
        let mut writer = self.writer();
        let number = writer.number;
        self.mark(self.shared.store.for_each(|place, sealed| {
            if recovery::is_position(place) {
                return Ok(());
            }
            // A value that was damaged in the database must not take the place of the sound one in the journal or in the snapshot before.
            self.shared.values.check(place, sealed).map_err(|kind| CatalogError::ValueDamaged { kind })?;
            snapshot.append(place, sealed)
        }))?;
        // The old file is made durable before a new one follows it, so that only the last file can ever have a torn end.
        self.shared.sync.wait_for(number)?;
        if writer.journal.first != number + 1 {
            writer.journal = Journal::begin(folder, self.shared.values.journal(), number + 1)?;
            self.shared.sync.turn_to(Arc::clone(&writer.journal.file));
        }
        drop(writer);
        snapshot.finish(number)?;
        journal::remove_all_but(folder, number + 1)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic within leaves the number and the journal in step: both change after the last call that can fail.
        self.shared.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading<T>(&self, read: impl FnOnce(&Store) -> T) -> T {
        let _shared: RwLockReadGuard<'_, ()> = self.shared.applying.read().unwrap_or_else(PoisonError::into_inner);
        read(&self.shared.store)
    }

    fn unseal(&self, kind: Kind, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CatalogError> {
        match self.shared.values.open(kind, place, sealed) {
            Some(mut plain) => Ok(std::mem::take(&mut *plain)),
            None => self.mark(Err(CatalogError::ValueDamaged { kind })),
        }
    }

    /// Leaves a mark when the database turns out to be damaged, so that the next start builds it again (D2: no repair by hand).
    fn mark<T>(&self, outcome: Result<T, CatalogError>) -> Result<T, CatalogError> {
        if let Err(CatalogError::Damaged { .. } | CatalogError::ValueDamaged { .. }) = &outcome {
            tracing::error!("the catalog is damaged; the next start rebuilds it");
            if let Err(error) = durable::replace(&self.shared.dir.catalog_damaged, b"") {
                tracing::error!(error = &error as &dyn std::error::Error, "the damage of the catalog cannot be marked");
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
