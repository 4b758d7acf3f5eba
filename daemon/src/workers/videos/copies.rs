//! Makes the copies that browsers play, of videos that they do not.

use std::sync::Arc;

use anyhow::Context as _;

use super::{STRIKES, Step, Working, duration_ms, input, next, waiting};
use crate::library::{AssetId, AssetKind, PlayableState, StoredAsset};
use crate::limits::DISK_WATCH;
use crate::vault::{BlobId, BlobKind};
use crate::video::{Input, VideoError, Wanted};
use crate::workers::{Core, Job, blocking};

/// One step: the newest video without a copy that it needs.
pub(crate) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let (id, asset) = match next(&core, Job::Copies, waiting(&core, needs_copy)) {
        Ok(next) => next,
        Err(step) => return Ok(step),
    };
    if core.disk.room_for(asset.size_bytes).is_err() {
        return Ok(Step { done: 0, pending: 1, again_in: Some(DISK_WATCH) });
    }
    let Some(input) = input(&core, id).await? else { return Ok(Step::default()) };
    let made = match input {
        Ok(input) => copy(&core, id, &asset, &input).await,
        Err(error) => Err(error),
    };
    let state = match made {
        Ok(blob) => PlayableState::Copy(blob),
        Err(error) if error.is_final() => PlayableState::Failed(error.to_string()),
        Err(error) if error.is_strike() => match &asset.kind {
            AssetKind::Video { playable: PlayableState::Waiting { strikes }, .. } if strikes + 1 < STRIKES => {
                PlayableState::Waiting { strikes: strikes + 1 }
            }
            _ => PlayableState::Failed(error.to_string()),
        },
        Err(error) => return Err(error).context("a playable copy could not be made yet"),
    };
    let keeper = core.clone();
    // Deleted meanwhile is no failure.
    let _ = blocking(move || keeper.library.set_playable(id, state)).await?;
    Ok(Step { done: 1, ..Step::default() })
}

fn needs_copy(asset: &StoredAsset) -> bool {
    matches!(asset.kind, AssetKind::Video { playable: PlayableState::Waiting { .. }, .. }) && asset.grid.is_some()
}

async fn copy(core: &Arc<Core>, id: AssetId, asset: &StoredAsset, input: &Input) -> Result<BlobId, VideoError> {
    let working = Working::begin(core, id, Job::Copies, duration_ms(asset));
    let facts = core.videos.probe(input).await?;
    let vault = core.vault.clone();
    let writer = blocking(move || vault.blobs().writer(BlobKind::Playable, &id.0)).await;
    let writer = writer.map_err(broken_off)?.map_err(|error| VideoError::Read(std::io::Error::other(error)))?;
    let background = &core.background;
    let progress = |done_ms| {
        working.at(done_ms);
        // While the owner pauses it, the tool waits at its full pipe.
        background.running()
    };
    let writer = core.videos.copy(input, Wanted::Playable, &facts, writer, progress).await?;
    let blob = blocking(move || writer.finish()).await.map_err(broken_off)?;
    blob.map_err(|error| VideoError::Read(std::io::Error::other(error)))
}

fn broken_off(error: anyhow::Error) -> VideoError {
    VideoError::Unavailable(format!("{error:#}"))
}
