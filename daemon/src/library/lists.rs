//! Questions to the index about many assets at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use inframe_protocol::EventId;

use super::packed::{Looked, Packed};
use super::{AssetId, Library, Origin, Sort, StoredAsset, Timeline};

/// How far the search for faces in photos got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FacesProgress {
    /// Photos looked at with the pack that was asked about.
    pub done: u64,
    /// Photos.
    pub total: u64,
    /// Photos given up.
    pub failed: u64,
}

impl Library {
    /// The id of every asset, in no order.
    #[must_use]
    pub fn ids(&self) -> Vec<AssetId> {
        self.index().assets().keys().copied().collect()
    }

    /// The assets of a sort that `wanted` says yes to, in no order.
    #[must_use]
    pub fn select(&self, sort: Sort, wanted: impl Fn(&StoredAsset) -> bool) -> Vec<(AssetId, Arc<StoredAsset>)> {
        self.index().select(|packed| packed.sort == sort, wanted).collect()
    }

    /// Photos on which the search for faces was given up, in no order.
    #[must_use]
    pub fn without_faces(&self) -> Vec<(AssetId, Arc<StoredAsset>)> {
        let failed = |packed: &Packed| packed.sort == Sort::Photo && packed.looked == Looked::Failed;
        self.index().select(failed, |_| true).collect()
    }

    /// How far the search for faces in photos got with a model pack.
    #[must_use]
    pub fn faces_progress(&self, pack: &str) -> FacesProgress {
        let index = self.index();
        let pack = index.packs.number(pack);
        let mut progress = FacesProgress::default();
        for photo in index.assets().values().filter(|packed| packed.sort == Sort::Photo) {
            progress.total += 1;
            match photo.looked {
                Looked::Failed => progress.failed += 1,
                Looked::Done(done) if Some(done) == pack => progress.done += 1,
                _ => {}
            }
        }
        progress
    }

    /// How many assets wait for a look with a model pack.
    #[must_use]
    pub fn count_waiting(&self, pack: &str) -> usize {
        let index = self.index();
        let pack = index.packs.number(pack);
        index.assets().values().filter(|packed| packed.waits_for(pack)).count()
    }

    /// Up to `most` of the photos that wait for a look with a model pack, the newest first, and how many more there are.
    #[must_use]
    pub fn waiting_for_faces(&self, pack: &str, most: usize) -> (Vec<AssetId>, usize) {
        let index = self.index();
        let pack = index.packs.number(pack);
        let waits = |packed: &Packed| packed.sort == Sort::Photo && packed.waits_for(pack);
        let mut count = 0;
        // The oldest of those kept so far is on top, to be pushed out by a newer one.
        let mut newest = BinaryHeap::with_capacity(most + 1);
        for (id, packed) in index.assets().iter().filter(|(_, packed)| waits(packed)) {
            count += 1;
            newest.push((Reverse(packed.imported_at), *id));
            if newest.len() > most {
                newest.pop();
            }
        }
        let left = count - newest.len();
        (newest.into_sorted_vec().into_iter().map(|(_, id)| id).collect(), left)
    }

    /// Assets received in an event, in no order; doubtful ones left out.
    #[must_use]
    pub fn received_in(&self, event: &EventId) -> Vec<AssetId> {
        let index = self.index();
        let mine = |asset: &StoredAsset| matches!(&asset.origin, Origin::Received { event: e, .. } if e == event);
        index.select(|packed| packed.received, |asset| !asset.doubtful && mine(asset)).map(|(id, _)| id).collect()
    }

    /// Number of assets and their plain bytes.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let index = self.index();
        index.totals()
    }

    /// Runs `read` over the timeline.
    pub fn timeline<T>(&self, read: impl FnOnce(&Timeline) -> T) -> T {
        read(self.index().timeline())
    }
}
