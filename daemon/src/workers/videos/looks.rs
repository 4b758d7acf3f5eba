//! Looks at new videos: what they are, how long, when and where taken, and a poster.

use std::sync::Arc;

use anyhow::Context as _;

use super::{STRIKES, Step, input, next, waiting};
use crate::library::{AssetId, AssetKind, FacesState, Look, PlayableState, StoredAsset};
use crate::sandbox::SandboxError;
use crate::vault::Batch;
use crate::video::{Input, VideoError};
use crate::workers::{Core, Job, blocking};

/// One step: the newest video that was not looked at.
pub(crate) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let (id, _) = match next(&core, Job::Videos, waiting(&core, is_new)) {
        Ok(next) => next,
        Err(step) => return Ok(step),
    };
    let Some(input) = input(&core, id).await? else { return Ok(Step::default()) };
    let looked = match input {
        Ok(input) => look(&core, &input).await,
        Err(error) => Err(error),
    };
    let keeper = core.clone();
    match looked {
        Ok(look) => {
            // Deleted meanwhile is no failure.
            let _ = blocking(move || keeper.library.looked(id, look)).await?;
            core.board.ring(Job::Copies);
            core.board.ring(Job::VideoFaces);
        }
        Err(error) if error.is_final() || error.is_strike() => {
            blocking(move || {
                fail(&keeper, id, &error)?;
                crate::workers::receiving::settle_video(&keeper, id)
            })
            .await??;
        }
        Err(error) => return Err(error).context("a video could not be looked at yet"),
    }
    Ok(Step { done: 1, ..Step::default() })
}

fn is_new(asset: &StoredAsset) -> bool {
    let waits = matches!(asset.kind, AssetKind::Video { playable: PlayableState::Waiting { .. }, .. });
    waits && asset.grid.is_none()
}

async fn look(core: &Core, input: &Input) -> Result<Look, VideoError> {
    let mut facts = core.videos.probe(input).await?;
    if facts.duration_ms == 0 {
        facts.duration_ms = core.videos.length(input).await?;
    }
    let frame = core.videos.poster(input, facts.duration_ms).await?;
    let poster = core.sandbox.inspect(frame.jpeg).await.map_err(|error| match error {
        SandboxError::Refused(reason) => VideoError::Refused(reason.to_string()),
        SandboxError::Crashed(words) => VideoError::Crashed(words),
        SandboxError::TimedOut => VideoError::TimedOut,
        other => VideoError::Unavailable(other.to_string()),
    })?;
    Ok(Look { facts, poster })
}

fn fail(core: &Core, id: AssetId, error: &VideoError) -> anyhow::Result<()> {
    core.library.change_if_there(id, Batch::default(), |asset| {
        let AssetKind::Video { playable, .. } = &mut asset.kind else { return };
        let strikes = if let PlayableState::Waiting { strikes } = playable { *strikes + 1 } else { 1 };
        if error.is_final() || strikes >= STRIKES {
            *playable = PlayableState::Failed(error.to_string());
            asset.faces = FacesState::Failed(error.to_string());
        } else {
            *playable = PlayableState::Waiting { strikes };
        }
    })?;
    Ok(())
}
