//! Finds the faces of whole videos: frames from the tool, faces in the sandbox, one track for each person. Does nothing without consent.

use std::sync::Arc;

use anyhow::Context as _;

use super::{STRIKES, Step, Working, duration_ms, input, next, waiting};
use crate::faces::StoredFaces;
use crate::faces::tracks::Tracks;
use crate::library::{AssetId, FacesState, StoredAsset};
use crate::live::What;
use crate::sandbox::SandboxError;
use crate::vault::Batch;
use crate::video::{Input, VideoError};
use crate::workers::{Core, Job, blocking};

/// One step: the newest video that was looked at and not yet searched.
pub(crate) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    if core.profile.consent_at().is_none() || core.packs.trouble().is_some() {
        return Ok(Step::default());
    }
    let pack = core.pack().id.clone();
    let is_wanted = |asset: &StoredAsset| asset.grid.is_some() && asset.faces.waits_for(&pack);
    let (id, asset) = match next(&core, Job::VideoFaces, waiting(&core, is_wanted)) {
        Ok(next) => next,
        Err(step) => return Ok(step),
    };
    let Some(input) = input(&core, id).await? else { return Ok(Step::default()) };
    let found = match input {
        Ok(input) => search(&core, id, &asset, &input).await,
        Err(error) => Err(error),
    };
    let keeper = core.clone();
    match found {
        Ok(Some(faces)) => {
            blocking(move || {
                // Consent may have been taken back while the sandbox looked.
                if keeper.profile.if_consented(|| crate::workers::faces::keep(&keeper, id, faces)).transpose()?
                    == Some(true)
                {
                    keeper.live.tell(What::Asset, Some(id.to_string()));
                    keeper.board.ring(Job::People);
                    keeper.board.ring(Job::Matching);
                    crate::workers::receiving::settle_video(&keeper, id)?;
                }
                anyhow::Ok(())
            })
            .await??;
        }
        Ok(None) => {
            // With another pack it begins anew.
            core.board.ring(Job::VideoFaces);
            return Ok(Step::default());
        }
        Err(error) if error.is_final() || error.is_strike() => {
            blocking(move || {
                fail(&keeper, id, &error)?;
                crate::workers::receiving::settle_video(&keeper, id)
            })
            .await??;
        }
        Err(error) => return Err(error).context("a video could not be searched for faces yet"),
    }
    Ok(Step { done: 1, ..Step::default() })
}

/// All people of a video; `None` when consent was taken back or the model pack was changed meanwhile.
async fn search(
    core: &Arc<Core>,
    id: AssetId,
    asset: &StoredAsset,
    input: &Input,
) -> Result<Option<StoredFaces>, VideoError> {
    let working = Working::begin(core, id, Job::VideoFaces, duration_ms(asset));
    let mut frames = core.videos.frames(input, duration_ms(asset))?;
    let pack = core.pack();
    let mut tracks = Tracks::default();
    let mut seen_any = false;
    while let Some(frame) = frames.next().await? {
        if core.profile.consent_at().is_none() {
            return Ok(None);
        }
        working.at(frame.at_ms);
        // Meanwhile the tool waits at its full pipe.
        core.background.running().await;
        match core.sandbox.faces(frame.jpeg).await {
            Ok(found) if found.pack != pack.id => return Ok(None),
            Ok(found) => {
                seen_any = true;
                let faces = StoredFaces::new(found.pack, found.faces, found.width, found.height).faces;
                tracks.add(frame.at_ms, faces, &pack.thresholds);
            }
            // One bad frame says nothing about the next.
            Err(SandboxError::Refused(_)) => {}
            Err(SandboxError::Crashed(words)) => return Err(VideoError::Crashed(words)),
            Err(SandboxError::TimedOut) => return Err(VideoError::TimedOut),
            Err(other) => return Err(VideoError::Unavailable(other.to_string())),
        }
    }
    match frames.finish().await {
        // A damaged end does not undo what was seen before it.
        Err(error) if error.is_final() && seen_any => {}
        ended => ended?,
    }
    Ok(Some(StoredFaces { pack: pack.id.clone(), faces: tracks.finish(&pack.thresholds) }))
}

fn fail(core: &Core, id: AssetId, error: &VideoError) -> anyhow::Result<()> {
    core.library.change_if_there(id, Batch::default(), |asset| {
        let strikes = if let FacesState::Waiting { strikes } = asset.faces { strikes + 1 } else { 1 };
        asset.faces = if error.is_final() || strikes >= STRIKES {
            FacesState::Failed(error.to_string())
        } else {
            FacesState::Waiting { strikes }
        };
    })?;
    Ok(())
}
