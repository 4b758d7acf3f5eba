//! The trash: out of sight at once, back with everything it had for thirty days, then gone for good.
//!
//! To purge is to note first, outside the catalog, that its files go; then to commit that an asset is gone; then to overwrite the key of each of its
//! files and to remove them. The order makes a crash harmless, even one that costs the whole catalog: what is noted is deleted to the end by the next
//! start, and what is not is still in the trash.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use super::asset::{AssetId, StoredAsset, Trashed};
use super::trash_clock::millis;
use super::{Library, LibraryError};
use crate::clock::now_ms;
use crate::limits::{MAX_TRASH_PER_REQUEST, TRASH_KEPT};
use crate::live::What;
use crate::vault::{Batch, BlobId, Kind, Vault};

/// Something in the trash.
#[derive(Clone, Debug)]
pub struct InTrash {
    /// Its id.
    pub id: AssetId,
    /// What it was, and is again when it is restored.
    pub asset: Arc<StoredAsset>,
    /// When it went there, Unix milliseconds.
    pub at: u64,
    /// How long it can still be restored.
    pub left: Duration,
}

impl Library {
    /// Moves assets, a thousand at most, into the trash in one commit; gives those that were moved. Durable when it returns; blocking. Unknown
    /// ones, and those there already, are passed over.
    ///
    /// # Errors
    /// [`LibraryError::Unanswered`], with nothing moved, when one still waits for the owner's word; or the vault fails.
    pub fn trash(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, LibraryError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.found(ids, |id| self.get(id));
        if found.iter().any(|(_, asset)| asset.doubtful) {
            return Err(LibraryError::Unanswered);
        }
        let mut batch = Batch::default();
        let trashed = Some(Trashed { at: now_ms(), counted_ms: self.trash_time() });
        // With them, so that a stop does not count again what had passed before.
        self.clock().put(&mut batch)?;
        self.write_all(&found, batch, |asset| asset.trashed = trashed)?;
        Ok(self.moved(found))
    }

    /// Brings assets, a thousand at most, back from the trash in one commit; gives those that are back. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn restore(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, LibraryError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.found(ids, |id| self.in_trash(id));
        self.write_all(&found, Batch::default(), |asset| asset.trashed = None)?;
        Ok(self.moved(found))
    }

    /// Deletes for good, in one commit, what is in the trash, a thousand at most; gives those that are gone. That is durable when it returns; their
    /// files are erased by [`Library::erase_some`] or, after a crash, by the next start. Blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn purge(&self, ids: &[AssetId]) -> Result<Vec<AssetId>, LibraryError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.found(ids, |id| self.in_trash(id));
        self.forget(&found)?;
        Ok(self.moved(found))
    }

    /// Deletes an asset for good at once, past the trash; its files are erased by [`Library::erase_some`]. Blocking.
    ///
    /// # Errors
    /// When there is no such asset or the vault fails.
    pub fn delete(&self, id: AssetId) -> Result<(), LibraryError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let asset = self.get(id).ok_or(LibraryError::NotFound)?;
        self.forget(&[(id, asset)])?;
        self.tell_new(id);
        Ok(())
    }

    /// Takes assets out of the catalog, durably, and hands their files over to be erased.
    fn forget(&self, assets: &[(AssetId, Arc<StoredAsset>)]) -> Result<(), LibraryError> {
        let mut batch = Batch::default();
        for (id, _) in assets {
            batch.remove(Kind::Asset, id.0);
            batch.remove(Kind::Face, id.0);
        }
        // Held from the note on, so that nobody takes it for done in between.
        let mut to_erase = self.to_erase();
        let noted = self.vault.note_purging(assets.iter().flat_map(|(_, asset)| asset.blobs()));
        let before = match noted.map_err(LibraryError::Write) {
            Ok(before) => Some(before),
            // Deleting is what helps now. Without the note, only a loss of all of the catalog before the files are erased could bring them back.
            Err(error) if error.is_full() => None,
            Err(error) => return Err(error),
        };
        if let Err(error) = self.vault.catalog().commit(batch) {
            if let Some(Err(error)) = before.map(|before| self.vault.take_back_purging(before)) {
                tracing::error!("a photo that could not be deleted will be at the next start: {error}");
            }
            return Err(error.into());
        }
        let mut index = self.index();
        for (id, asset) in assets {
            index.remove(*id);
            to_erase.extend(asset.blobs());
        }
        Ok(())
    }

    /// Erases up to `most` files of what was purged: overwrites each key, then removes the file. Gives how many are left; blocking.
    ///
    /// # Errors
    /// When the disk fails; those that are left are tried again at the next call.
    pub fn erase_some(&self, most: usize) -> Result<usize, LibraryError> {
        for _ in 0..most {
            let Some(blob) = self.to_erase().pop() else { break };
            if let Err(error) = self.vault.blobs().remove(blob) {
                self.to_erase().insert(0, blob);
                return Err(error.into());
            }
        }
        let left = self.to_erase();
        if left.is_empty() {
            self.vault.purged().map_err(LibraryError::Write)?;
        }
        Ok(left.len())
    }

    /// How many files of what was purged are still to be erased.
    #[must_use]
    pub fn still_to_erase(&self) -> usize {
        self.to_erase().len()
    }

    fn to_erase(&self) -> std::sync::MutexGuard<'_, Vec<BlobId>> {
        self.to_erase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every blob that no asset names, in the trash or out of it, and that is not in `others` either. Its writer was stopped before the catalog named it,
    /// so nobody was told that it is kept; unless rows of the catalog are lost. For a start, before anything is written; blocking.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn unnamed(&self, others: &HashSet<BlobId>) -> Result<Vec<BlobId>, LibraryError> {
        let named: HashSet<BlobId> =
            self.index().every().flat_map(|(_, asset)| asset.blobs().collect::<Vec<_>>()).collect();
        let mut all = self.vault.blobs().list()?;
        all.retain(|id| !named.contains(id) && !others.contains(id));
        Ok(all)
    }

    /// An asset in the trash.
    #[must_use]
    pub fn in_trash(&self, id: AssetId) -> Option<Arc<StoredAsset>> {
        self.index().get_trashed(id)
    }

    /// The same, with how long it can still be restored.
    #[must_use]
    pub fn one_in_trash(&self, id: AssetId) -> Option<InTrash> {
        let time = self.trash_time();
        in_trash(id, &self.in_trash(id)?, time)
    }

    /// Ids of all of the trash.
    #[must_use]
    pub fn trash_ids(&self) -> HashSet<AssetId> {
        self.index().trash_ids().collect()
    }

    /// All of the trash, the newest first.
    #[must_use]
    pub fn all_trash(&self) -> Vec<InTrash> {
        let time = self.trash_time();
        let mut all: Vec<InTrash> = self.index().trash().filter_map(|(id, asset)| in_trash(id, &asset, time)).collect();
        all.sort_unstable_by(|a, b| b.at.cmp(&a.at).then(a.id.cmp(&b.id)));
        all
    }

    /// Number of assets in the trash and their plain bytes.
    #[must_use]
    pub fn trash_totals(&self) -> (u64, u64) {
        self.index().trash_totals()
    }

    /// What has lain in the trash for as long as it may.
    #[must_use]
    pub fn due(&self) -> Vec<AssetId> {
        let time = self.trash_time();
        let index = self.index();
        let all = index.trash().filter_map(|(id, asset)| in_trash(id, &asset, time));
        all.filter(|one| one.left.is_zero()).map(|one| one.id).collect()
    }

    /// Keeps what the clock of the trash has counted, so that little of it is lost by a crash; blocking.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn keep_trash_time(&self) -> Result<(), LibraryError> {
        self.trash_time();
        let mut batch = Batch::default();
        self.clock().put(&mut batch)?;
        Ok(self.vault.catalog().commit(batch)?)
    }

    /// The clock of the trash, in milliseconds.
    fn trash_time(&self) -> u64 {
        self.clock().tick(now_ms(), Instant::now())
    }

    fn clock(&self) -> std::sync::MutexGuard<'_, super::TrashClock> {
        self.trash_clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that `find` finds, each once.
    pub(super) fn found(
        &self,
        ids: &[AssetId],
        find: impl Fn(AssetId) -> Option<Arc<StoredAsset>>,
    ) -> Vec<(AssetId, Arc<StoredAsset>)> {
        let mut once = HashSet::new();
        ids.iter().filter(|id| once.insert(**id)).filter_map(|id| Some((*id, find(*id)?))).collect()
    }

    /// Tells the open pages, and gives the ids.
    fn moved(&self, assets: Vec<(AssetId, Arc<StoredAsset>)>) -> Vec<AssetId> {
        if !assets.is_empty() {
            self.live.tell(What::Timeline, None);
            self.live.tell(What::Trash, None);
        }
        assets.into_iter().map(|(id, _)| id).inspect(|id| self.live.tell(What::Asset, Some(id.to_string()))).collect()
    }
}

/// Deletes to the end what was being deleted for good when the daemon stopped. For a start, before anything else is read; blocking.
///
/// # Errors
/// When the vault fails.
pub fn finish_purges(vault: &Vault) -> Result<(), LibraryError> {
    let blobs: HashSet<BlobId> = vault.purging().map_err(LibraryError::Write)?.into_iter().collect();
    if blobs.is_empty() {
        return vault.purged().map_err(LibraryError::Write);
    }
    let mut named = Vec::new();
    vault.catalog().each_versioned::<StoredAsset>(Kind::Asset, |id, asset| {
        if blobs.contains(&asset.original) {
            named.push(id.to_vec());
        }
    })?;
    for some in named.chunks(MAX_TRASH_PER_REQUEST) {
        let mut batch = Batch::default();
        for id in some {
            batch.remove(Kind::Asset, id).remove(Kind::Face, id);
        }
        vault.catalog().commit(batch)?;
    }
    for blob in blobs {
        vault.blobs().remove(blob)?;
    }
    vault.purged().map_err(LibraryError::Write)
}

fn in_trash(id: AssetId, asset: &Arc<StoredAsset>, time_ms: u64) -> Option<InTrash> {
    let Trashed { at, counted_ms } = asset.trashed?;
    let left = millis(TRASH_KEPT).saturating_sub(time_ms.saturating_sub(counted_ms));
    Some(InTrash { id, asset: asset.clone(), at, left: Duration::from_millis(left) })
}

#[cfg(test)]
mod tests;
