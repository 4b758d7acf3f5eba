//! The database behind the catalog: the only file that names sled, behind the few operations that the catalog needs.
//!
//! sled 0.34 survives the death of the process well, but its `flush` is no fsync, and after a power cut it may refuse to open. So it is used as an
//! index that can be made again at any time: the journal is what makes a commit durable. A panic inside sled counts as damage.

use std::{
    io,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use super::{CatalogError, Kind};
use crate::limits::{CATALOG_CACHE_BYTES, DATABASE_LOCK_PATIENCE};

/// How often sled writes its buffers and fsyncs, in the background. Only the time to open after a crash depends on it.
const FLUSH_EVERY_MS: u64 = 500;

/// Entries read before pages are let go of.
const READ_BEFORE_LETTING_GO: usize = 40_000;

/// Pages asked for to that end, six for each of sled's shards, and how often: more than the 64 that a shard waits for.
const PAGES_ASKED: u64 = 6 * 256;
const PAGES_ASKED_AGAIN: usize = 16;

/// A database that is smaller may stay in memory.
const WORTH_LETTING_GO_BYTES: u64 = 32 * 1024 * 1024;

/// One sealed change: where, and the sealed value or `None` to remove it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SealedChange {
    pub(super) place: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

/// A key of the database and the sealed value there.
pub(super) type Entry = (Vec<u8>, Vec<u8>);

pub(super) struct Store {
    /// There until the store is dropped.
    open: Option<Open>,
}

struct Open {
    // One tree for all kinds, told apart by the first byte of the key, so that a batch over several kinds is atomic.
    tree: sled::Tree,
    db: sled::Db,
    /// Entries read since pages were let go last.
    read: AtomicUsize,
}

impl Drop for Store {
    /// sled panics when the disk refuses the last sync. That loses nothing: the journal holds what was promised, and the next start finds the rest.
    fn drop(&mut self) {
        let open = self.open.take();
        if let Err(error) = guarded("close", move || {
            drop(open);
            Ok(())
        }) {
            tracing::warn!(error = &error as &dyn std::error::Error, "the catalog's database was not closed cleanly");
        }
    }
}

impl Store {
    pub(super) fn open(folder: &Path) -> Result<Self, CatalogError> {
        let began = Instant::now();
        loop {
            let config = sled::Config::new()
                .path(folder)
                .cache_capacity(CATALOG_CACHE_BYTES)
                .flush_every_ms(Some(FLUSH_EVERY_MS));
            let opened = guarded("open", || {
                let db = config.open()?;
                let tree = db.open_tree("records")?;
                Ok(Self { open: Some(Open { tree, db, read: AtomicUsize::new(0) }) })
            });
            match opened {
                // A database that was closed a moment ago in this process may still be ending its threads.
                Err(CatalogError::Io { source, .. })
                    if is_lock_taken(&source) && began.elapsed() < DATABASE_LOCK_PATIENCE =>
                {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                other => return other,
            }
        }
    }

    fn tree(&self) -> sled::Result<&sled::Tree> {
        Ok(&self.opened()?.tree)
    }

    fn opened(&self) -> sled::Result<&Open> {
        self.open.as_ref().ok_or_else(|| sled::Error::Unsupported("the database is closed".to_owned()))
    }

    pub(super) fn get(&self, place: &[u8]) -> Result<Option<Vec<u8>>, CatalogError> {
        self.let_go_after(1)?;
        guarded("read", || Ok(self.tree()?.get(place)?.map(|value| value.to_vec())))
    }

    pub(super) fn contains(&self, place: &[u8]) -> Result<bool, CatalogError> {
        guarded("read", || self.tree()?.contains_key(place))
    }

    /// Makes all changes or none.
    pub(super) fn apply(&self, changes: &[SealedChange]) -> Result<(), CatalogError> {
        guarded("write", || {
            let mut batch = sled::Batch::default();
            for SealedChange { place, value } in changes {
                match value {
                    Some(value) => batch.insert(place.as_slice(), value.as_slice()),
                    None => batch.remove(place.as_slice()),
                }
            }
            self.tree()?.apply_batch(batch)
        })
    }

    /// Entries whose key begins with `prefix` and lies within the bounds, first to last or last to first, at most `limit`.
    pub(super) fn entries(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        before: Option<&[u8]>,
        backwards: bool,
        limit: usize,
    ) -> Result<Vec<Entry>, CatalogError> {
        let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
        let end = before.map(<[u8]>::to_vec).or_else(|| past(prefix));
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        if let (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to)) = (from, to)
            && from >= to
        {
            return Ok(Vec::new());
        }
        let owned = |entry: sled::Result<(sled::IVec, sled::IVec)>| {
            entry.map(|(place, value)| (place.to_vec(), value.to_vec()))
        };
        let found: Vec<Entry> = guarded("read", || {
            let range = self.tree()?.range::<&[u8], _>((from, to));
            if backwards {
                range.rev().take(limit).map(owned).collect()
            } else {
                range.take(limit).map(owned).collect()
            }
        })?;
        self.let_go_after(found.len())?;
        Ok(found)
    }

    /// Calls `each` with every key that begins with `prefix`, in order.
    pub(super) fn each_key(&self, prefix: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), CatalogError> {
        guarded("read", || {
            self.tree()?.scan_prefix(prefix).keys().try_for_each(|place| place.map(|place| each(&place)))
        })
    }

    pub(super) fn count(&self, prefix: &[u8]) -> Result<usize, CatalogError> {
        guarded("read", || self.tree()?.scan_prefix(prefix).try_fold(0, |count, entry| entry.map(|_| count + 1)))
    }

    /// Calls `each` with every entry, in order of the keys.
    pub(super) fn for_each(
        &self,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), CatalogError>,
    ) -> Result<(), CatalogError> {
        let (mut outcome, mut count) = (Ok(()), 0);
        guarded("read", || {
            for entry in self.tree()?.iter() {
                let (place, value) = entry?;
                outcome = each(&place, &value);
                if outcome.is_err() {
                    break;
                }
                count += 1;
            }
            Ok(())
        })?;
        self.let_go_after(count)?;
        outcome
    }

    /// Has sled let go of pages from time to time. It counts pages against its cache only once 64 more of a shard were asked for, and there are 256
    /// shards: at 100,000 photos that is most of the database. To ask for the same few pages again and again makes it count.
    fn let_go_after(&self, read: usize) -> Result<(), CatalogError> {
        let Some(open) = &self.open else { return Ok(()) };
        if open.read.fetch_add(read, Ordering::Relaxed) + read < READ_BEFORE_LETTING_GO {
            return Ok(());
        }
        open.read.store(0, Ordering::Relaxed);
        guarded("read", || {
            if open.db.size_on_disk()? < WORTH_LETTING_GO_BYTES {
                return Ok(());
            }
            for _ in 0..PAGES_ASKED_AGAIN {
                for page in 0..PAGES_ASKED {
                    // Somewhere in the rows of assets, of their faces and of where these belong.
                    let kind = [Kind::Asset, Kind::Face, Kind::PersonPlaces][page as usize % 3];
                    let mut place = [kind as u8; 17];
                    place[1..9].copy_from_slice(&page.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
                    open.tree.contains_key(place)?;
                }
            }
            Ok(())
        })
    }

    /// Writes out what sled still buffers, so that the next start has less to recover.
    pub(super) fn flush(&self) -> Result<(), CatalogError> {
        guarded("flush", || self.opened()?.db.flush().map(|_| ()))
    }
}

/// The first key after all that begin with `prefix`; `None` if there is none.
fn past(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

fn guarded<T>(action: &'static str, work: impl FnOnce() -> sled::Result<T>) -> Result<T, CatalogError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sled::Error::Io(source))) => match source.kind() {
            // What a cut or mangled file gives, as against a disk that does not answer.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Err(CatalogError::Damaged { reason: source.to_string() })
            }
            // sled looks for files of its own that it has lost, or finds something else under their names.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                Err(CatalogError::Damaged { reason: source.to_string() })
            }
            _ => Err(CatalogError::io(action)(source)),
        },
        Ok(Err(error)) => Err(CatalogError::Damaged { reason: error.to_string() }),
        Err(_) => Err(CatalogError::Damaged { reason: format!("the database gave up while asked to {action}") }),
    }
}

/// sled reports a taken lock only in words.
fn is_lock_taken(error: &io::Error) -> bool {
    error.to_string().contains("could not acquire lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_carries_over() {
        assert_eq!(past(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(past(&[1, 255]), Some(vec![2]));
        assert_eq!(past(&[255, 255]), None);
        assert_eq!(past(&[]), None);
    }

    #[test]
    fn a_panic_in_the_database_is_damage() {
        let failed: Result<(), _> = guarded("read", || panic!("assertion of sled"));
        assert!(matches!(failed, Err(CatalogError::Damaged { .. })));
    }
}
