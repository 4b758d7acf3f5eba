//! The index in memory. The one place that keeps what is in the trash apart: whoever walks over assets meets none of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use inframe_protocol::ContentId;

use super::packed::{Packed, Packs};
use super::timeline::Item;
use super::{AssetId, StoredAsset, Timeline};

/// Every asset of the library, those in the trash on their own.
#[derive(Default)]
pub(super) struct Index {
    assets: HashMap<AssetId, Packed>,
    trash: HashMap<AssetId, Packed>,
    pub(super) packs: Packs,
    by_content: HashMap<ContentId, AssetId>,
    /// Contents being added now, so that the same bytes dropped twice at once become one asset.
    pub(super) in_flight: HashSet<ContentId>,
    timeline: Timeline,
    size_bytes: u64,
    trash_bytes: u64,
}

impl Index {
    /// From the rows of the catalog, of which `rows` shows one after the other.
    pub(super) fn build<E>(
        rows: impl FnOnce(&mut dyn FnMut(AssetId, StoredAsset)) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut index = Self::default();
        let mut items = Vec::new();
        rows(&mut |id, asset| {
            if is_listed(&asset) {
                items.push(Item::of(id, &asset));
            }
            index.hold(id, &asset);
        })?;
        items.shrink_to_fit();
        index.timeline = Timeline::build(items);
        Ok(index)
    }

    /// Adds an asset or replaces what is known of it; into the trash, or out of it, as the asset says.
    pub(super) fn put(&mut self, id: AssetId, asset: &StoredAsset) {
        let before = self.let_go(id).filter(is_listed).map(|before| Item::of(id, &before));
        match (before, is_listed(asset)) {
            (before, true) => self.timeline.put(before.as_ref(), Item::of(id, asset)),
            (Some(before), false) => self.timeline.remove(&before),
            (None, false) => {}
        }
        self.hold(id, asset);
    }

    /// Forgets an asset, wherever it is.
    pub(super) fn remove(&mut self, id: AssetId) {
        let Some(asset) = self.let_go(id) else { return };
        self.by_content.remove(&asset.content);
        if is_listed(&asset) {
            self.timeline.remove(&Item::of(id, &asset));
        }
    }

    fn hold(&mut self, id: AssetId, asset: &StoredAsset) {
        self.by_content.insert(asset.content, id);
        let packed = Packed::of(asset, &mut self.packs);
        let (held, bytes) = match asset.trashed {
            Some(_) => (&mut self.trash, &mut self.trash_bytes),
            None => (&mut self.assets, &mut self.size_bytes),
        };
        *bytes += asset.size_bytes;
        held.insert(id, packed);
    }

    fn let_go(&mut self, id: AssetId) -> Option<StoredAsset> {
        if let Some(packed) = self.assets.remove(&id) {
            let asset = packed.open(id)?;
            self.size_bytes = self.size_bytes.saturating_sub(asset.size_bytes);
            return Some(asset);
        }
        let asset = self.trash.remove(&id)?.open(id)?;
        self.trash_bytes = self.trash_bytes.saturating_sub(asset.size_bytes);
        Some(asset)
    }

    /// An asset that is not in the trash.
    pub(super) fn get(&self, id: AssetId) -> Option<Arc<StoredAsset>> {
        self.assets.get(&id)?.open(id).map(Arc::new)
    }

    /// Assets that are not in the trash, in no order.
    pub(super) fn assets(&self) -> &HashMap<AssetId, Packed> {
        &self.assets
    }

    /// Those of which both the packed form and the whole are wanted, in no order.
    pub(super) fn select<'a>(
        &'a self,
        likely: impl Fn(&Packed) -> bool + 'a,
        wanted: impl Fn(&StoredAsset) -> bool + 'a,
    ) -> impl Iterator<Item = (AssetId, Arc<StoredAsset>)> + 'a {
        let some = self.assets.iter().filter(move |(_, packed)| likely(packed));
        some.filter_map(|(id, packed)| Some((*id, packed.open(*id)?)))
            .filter(move |(_, asset)| wanted(asset))
            .map(|(id, asset)| (id, Arc::new(asset)))
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

    /// An asset in the trash.
    pub(super) fn get_trashed(&self, id: AssetId) -> Option<Arc<StoredAsset>> {
        self.trash.get(&id)?.open(id).map(Arc::new)
    }

    /// What is in the trash, in no order.
    pub(super) fn trash(&self) -> impl Iterator<Item = (AssetId, Arc<StoredAsset>)> {
        self.trash.iter().filter_map(|(id, packed)| Some((*id, Arc::new(packed.open(*id)?))))
    }

    /// Ids of what is in the trash, in no order.
    pub(super) fn trash_ids(&self) -> impl Iterator<Item = AssetId> {
        self.trash.keys().copied()
    }

    /// Number and plain bytes of what is in the trash.
    pub(super) fn trash_totals(&self) -> (u64, u64) {
        (self.trash.len() as u64, self.trash_bytes)
    }

    /// Everything, the trash included, one after the other and in no order.
    pub(super) fn every(&self) -> impl Iterator<Item = (AssetId, StoredAsset)> {
        self.assets.iter().chain(&self.trash).filter_map(|(id, packed)| Some((*id, packed.open(*id)?)))
    }
}

/// Whether the timeline has it.
fn is_listed(asset: &StoredAsset) -> bool {
    asset.trashed.is_none() && !asset.doubtful
}
