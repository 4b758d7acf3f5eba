//! The faces worker: finds the faces of every asset that has not been looked at with the current model pack. Does nothing without consent.

use std::sync::Arc;

use anyhow::Context as _;
use futures::StreamExt as _;

use super::board::Step;
use super::{Core, Job, blocking};
use crate::faces::{Faces, StoredFaces};
use crate::library::{AssetId, FacesState, STRIKES};
use crate::live::What;
use crate::sandbox::SandboxError;
use crate::vault::Batch;

/// Assets looked at in one step, so that the state on the status page stays fresh.
const PER_STEP: usize = 32;

/// One step: a few waiting assets, newest first.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    if core.profile.consent_at().is_none() || core.background.get().paused {
        return Ok(Step::default());
    }
    if let Some(trouble) = core.packs.trouble() {
        anyhow::bail!("faces are not looked for: {trouble}");
    }
    let (some, left) = core.library.waiting_for_faces(&core.pack().id, PER_STEP);
    let parallel = core.sandbox.processes();
    let outcomes: Vec<anyhow::Result<()>> = futures::stream::iter(some.into_iter().map(|id| look(core.clone(), id)))
        .buffer_unordered(parallel)
        .collect()
        .await;
    let done = outcomes.len();
    for outcome in outcomes {
        outcome?;
    }
    if left > 0 {
        core.board.ring(Job::Faces);
    }
    Ok(Step { done: done as u64, pending: left as u64, again_in: None })
}

async fn look(core: Arc<Core>, id: AssetId) -> anyhow::Result<()> {
    let reader = core.clone();
    // Deleted meanwhile is no failure.
    let Ok(bytes) = blocking(move || reader.library.read_original(id)).await? else { return Ok(()) };
    let found = core.sandbox.faces(bytes).await;
    let faces = match found {
        Ok(found) => StoredFaces::new(found.pack, found.faces, found.width, found.height),
        Err(SandboxError::Refused(reason)) => return give_up(core, id, reason.to_string()).await,
        Err(error) if error.is_strike() => return strike(core, id).await,
        Err(other) => return Err(other).context("the sandbox is not available"),
    };
    blocking(move || {
        // Consent may have been taken back while the sandbox looked.
        if core.profile.if_consented(|| keep(&core, id, faces)).transpose()? == Some(true) {
            core.live.tell(What::Asset, Some(id.to_string()));
            core.board.ring(Job::Matching);
            core.board.ring(Job::People);
        }
        anyhow::Ok(())
    })
    .await?
}

/// Keeps the faces of an asset, durably; whether it is still there.
pub(super) fn keep(core: &Core, id: AssetId, faces: StoredFaces) -> anyhow::Result<bool> {
    let mut batch = Batch::default();
    Faces::put(&mut batch, id, &faces)?;
    let count = u16::try_from(faces.faces.len()).unwrap_or(u16::MAX);
    let done = FacesState::Done { pack: faces.pack.clone(), count };
    let is_there = core.library.change_if_there(id, batch, |asset| asset.faces = done)?;
    if is_there {
        core.faces.remember(id);
    }
    Ok(is_there)
}

async fn give_up(core: Arc<Core>, id: AssetId, reason: String) -> anyhow::Result<()> {
    blocking(move || {
        core.library.change_if_there(id, Batch::default(), |asset| asset.faces = FacesState::Failed(reason))
    })
    .await??;
    Ok(())
}

async fn strike(core: Arc<Core>, id: AssetId) -> anyhow::Result<()> {
    blocking(move || {
        core.library.change_if_there(id, Batch::default(), |asset| {
            let strikes = match asset.faces {
                FacesState::Waiting { strikes } => strikes + 1,
                _ => 1,
            };
            asset.faces = if strikes >= STRIKES {
                FacesState::Failed(
                    "looking for faces crashed or took too long three times; the photo itself is fine".into(),
                )
            } else {
                FacesState::Waiting { strikes }
            };
        })
    })
    .await??;
    Ok(())
}
