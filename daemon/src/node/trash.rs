//! Moving photos into the trash, bringing them back, deleting them for good.

use super::library::asset_id;
use super::{Answer, Node, NodeError};
use crate::clock::now_ms;
use crate::library::{AssetId, AssetKind, InTrash, Origin, ending};
use crate::limits::{MAX_TRASH_PER_REQUEST, TRASH_KEPT};
use crate::views::{TrashDoneView, TrashView, TrashedView};
use crate::workers::{Core, trash};

const DAY_MS: u128 = 24 * 3600 * 1000;

impl Node {
    /// Moves a photo into the trash and stops everything that was under way with it. Durable when it returns.
    ///
    /// # Errors
    /// When there is none with that id, or it waits for an answer under Approvals.
    pub async fn trash_asset(&self, id: String) -> Answer<TrashedView> {
        let id = asset_id(&id)?;
        self.blocking(move |core| {
            trash::discard(core, &[id])??;
            // It may have been there already: then this is no mistake, and no later day either.
            let found = core.library.one_in_trash(id).ok_or(NodeError::NotFound("photo"))?;
            Ok(trashed_view(&found))
        })
        .await
    }

    /// A part of the trash, newest first: `limit` of what comes `before` the mark that the part before it gave.
    ///
    /// # Errors
    /// When the mark is none.
    pub async fn trash(&self, before: Option<String>, limit: usize) -> Answer<TrashView> {
        let before = before.as_deref().map(mark).transpose()?;
        self.blocking(move |core| {
            let all = core.library.all_trash();
            let rest = before.map_or(0, |(at, id)| all.partition_point(|one| (one.at, id) >= (at, one.id)));
            let rest = all.get(rest..).unwrap_or_default();
            let some = rest.get(..limit.clamp(1, MAX_TRASH_PER_REQUEST)).unwrap_or(rest);
            let (total, total_bytes) = core.library.trash_totals();
            Ok(TrashView {
                items: some.iter().map(trashed_view).collect(),
                next: some.last().filter(|_| some.len() < rest.len()).map(|last| format!("{}-{}", last.at, last.id)),
                total,
                total_bytes,
                erasing: core.library.still_to_erase() as u64,
                kept_days: days(TRASH_KEPT.as_millis()),
            })
        })
        .await
    }

    /// Brings photos back from the trash. Durable when it returns.
    ///
    /// # Errors
    /// When too many are named, an id is none, or none of them is in the trash.
    pub async fn restore(&self, assets: Vec<String>) -> Answer<TrashDoneView> {
        self.with_trash(assets, |core, ids| {
            let back = core.library.restore(ids)?;
            trash::restored(core, &back);
            Ok(back.len())
        })
        .await
    }

    /// Deletes photos in the trash for good. That is durable when it returns; their files are erased right after.
    ///
    /// # Errors
    /// When too many are named, an id is none, or none of them is in the trash.
    pub async fn purge(&self, assets: Vec<String>) -> Answer<TrashDoneView> {
        self.with_trash(assets, |core, ids| Ok(trash::purge(core, ids)?.len())).await
    }

    async fn with_trash(
        &self,
        assets: Vec<String>,
        work: impl FnOnce(&Core, &[AssetId]) -> Answer<usize> + Send + 'static,
    ) -> Answer<TrashDoneView> {
        if assets.len() > MAX_TRASH_PER_REQUEST {
            return Err(NodeError::TooLarge(format!("name at most {MAX_TRASH_PER_REQUEST} photos at once")));
        }
        let ids = assets.iter().map(|asset| asset_id(asset)).collect::<Answer<Vec<AssetId>>>()?;
        self.blocking(move |core| match work(core, &ids)? {
            0 => Err(NodeError::NotFound("photo in the trash")),
            done => Ok(done_view(core, done)),
        })
        .await
    }

    /// Deletes everything in the trash for good.
    ///
    /// # Errors
    /// When the vault fails.
    pub async fn empty_trash(&self) -> Answer<TrashDoneView> {
        self.blocking(|core| {
            let all: Vec<AssetId> = core.library.trash_ids().into_iter().collect();
            let done = trash::purge(core, &all)?.len();
            Ok(done_view(core, done))
        })
        .await
    }
}

/// Where a part of the trash ended: when that one was moved there, and its id.
fn mark(text: &str) -> Answer<(u64, AssetId)> {
    let parts = text.split_once('-').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| NodeError::Invalid("bad-mark", "take `before` from the `next` of the answer before".into()))
}

fn days(millis: u128) -> u32 {
    u32::try_from(millis.div_ceil(DAY_MS)).unwrap_or(u32::MAX)
}

fn trashed_view(one: &InTrash) -> TrashedView {
    let InTrash { id, asset, at, left } = one;
    TrashedView {
        id: id.to_string(),
        file_name: asset.file_name.clone(),
        size_bytes: asset.size_bytes,
        width: asset.width,
        height: asset.height,
        duration_ms: match asset.kind {
            AssetKind::Video { duration_ms, .. } => Some(duration_ms),
            _ => None,
        },
        file: asset.grid.is_none().then(|| ending(&asset.file_name)),
        received: matches!(asset.origin, Origin::Received { .. }),
        trashed_at: *at,
        purged_at: now_ms().saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        days_left: days(left.as_millis()),
    }
}

fn done_view(core: &Core, done: usize) -> TrashDoneView {
    TrashDoneView {
        done: done as u64,
        total: core.library.trash_totals().0,
        erasing: core.library.still_to_erase() as u64,
    }
}
