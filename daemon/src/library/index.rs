//! The index in memory. The one place that keeps what is in the trash apart: whoever walks over assets meets none of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use inframe_protocol::ContentId;

use super::timeline::Item;
use super::{AssetId, StoredAsset, Timeline};

/// Every asset of the library, those in the trash on their own.
#[derive(Default)]
pub(super) struct Index {
    assets: HashMap<AssetId, Arc<StoredAsset>>,
    trash: HashMap<AssetId, Arc<StoredAsset>>,
    by_content: HashMap<ContentId, AssetId>,
    /// Contents being added now, so that the same bytes dropped twice at once become one asset.
    pub(super) in_flight: HashSet<ContentId>,
    timeline: Timeline,
    size_bytes: u64,
    trash_bytes: u64,
}

impl Index {
    /// From the rows of the catalog.
    pub(super) fn build(rows: impl Iterator<Item = (AssetId, StoredAsset)>) -> Self {
        let mut index = Self::default();
        let mut items = Vec::new();
        for (id, asset) in rows {
            if asset.trashed.is_none() && !asset.doubtful {
                items.push(Item::of(id, &asset));
            }
            index.hold(id, asset);
        }
        index.timeline = Timeline::build(items);
        index
    }

    /// Adds an asset or replaces what is known of it; into the trash, or out of it, as the asset says.
    pub(super) fn put(&mut self, id: AssetId, asset: StoredAsset) {
        self.let_go(id);
        if asset.trashed.is_some() || asset.doubtful {
            self.timeline.remove(id);
        } else {
            self.timeline.put(Item::of(id, &asset));
        }
        self.hold(id, asset);
    }

    /// Forgets an asset, wherever it is.
    pub(super) fn remove(&mut self, id: AssetId) {
        if let Some(asset) = self.let_go(id) {
            self.by_content.remove(&asset.content);
        }
        self.timeline.remove(id);
    }

    fn hold(&mut self, id: AssetId, asset: StoredAsset) {
        self.by_content.insert(asset.content, id);
        let (held, bytes) = match asset.trashed {
            Some(_) => (&mut self.trash, &mut self.trash_bytes),
            None => (&mut self.assets, &mut self.size_bytes),
        };
        *bytes += asset.size_bytes;
        held.insert(id, Arc::new(asset));
    }

    fn let_go(&mut self, id: AssetId) -> Option<Arc<StoredAsset>> {
        if let Some(asset) = self.assets.remove(&id) {
            self.size_bytes = self.size_bytes.saturating_sub(asset.size_bytes);
            return Some(asset);
        }
        let asset = self.trash.remove(&id)?;
        self.trash_bytes = self.trash_bytes.saturating_sub(asset.size_bytes);
        Some(asset)
    }

    /// An asset that is not in the trash.
    pub(super) fn get(&self, id: AssetId) -> Option<Arc<StoredAsset>> {
        self.assets.get(&id).cloned()
    }

    /// Assets that are not in the trash, in no order.
    pub(super) fn assets(&self) -> impl Iterator<Item = (&AssetId, &Arc<StoredAsset>)> {
        self.assets.iter()
    }

    /// Number and plain bytes of those.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.assets.len() as u64, self.size_bytes)
    }

    /// Their order, doubtful ones left out.
    pub(super) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// The asset with these plain bytes, be it in the trash.
    pub(super) fn by_content(&self, content: &ContentId) -> Option<AssetId> {
        self.by_content.get(content).copied()
    }

    /// Whether an asset is in the trash.
    pub(super) fn is_trashed(&self, id: AssetId) -> bool {
        self.trash.contains_key(&id)
    }

    /// What is in the trash, in no order.
    pub(super) fn trash(&self) -> &HashMap<AssetId, Arc<StoredAsset>> {
        &self.trash
    }

    /// Number and plain bytes of what is in the trash.
    pub(super) fn trash_totals(&self) -> (u64, u64) {
        (self.trash.len() as u64, self.trash_bytes)
    }

    /// Everything, the trash included, in no order.
    pub(super) fn every(&self) -> Vec<(AssetId, Arc<StoredAsset>)> {
        self.assets.iter().chain(&self.trash).map(|(id, asset)| (*id, asset.clone())).collect()
    }
}
