//! The people worker: groups the faces that came, and lets go of those that went. Does nothing without consent.

use std::sync::Arc;

use super::board::Step;
use super::{Core, Job, blocking};
use crate::limits::{PHOTOS_GROUPED_PER_STEP, PHOTOS_WARMED_PER_STEP};
use crate::live::What;
use crate::vault::VaultError;

/// One step: after a start some more of the known faces take part in the search; then a few photos are grouped.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    blocking(move || run(&core)).await?
}

fn run(core: &Core) -> anyhow::Result<Step> {
    if core.profile.consent_at().is_none() {
        return Ok(Step::default());
    }
    if core.people.warm_some(PHOTOS_WARMED_PER_STEP) {
        core.board.ring(Job::People);
        return Ok(Step { pending: 1, ..Step::default() });
    }
    let (some, left) = core.faces.take_changed(PHOTOS_GROUPED_PER_STEP);
    let done = some.len() as u64;
    let read = some.iter().map(|asset| Ok((*asset, core.faces.read(*asset)?))).collect::<Result<Vec<_>, VaultError>>();
    let photos = read.inspect_err(|_| core.faces.mark_changed(some.iter().copied()))?;
    // Consent may be taken back at any moment; what was grouped before that is erased with the rest.
    let grouped = core.profile.if_consented(|| core.people.group(photos));
    if !matches!(grouped, Some(Ok(_))) {
        core.faces.mark_changed(some);
    }
    if grouped.transpose()?.unwrap_or_default() {
        core.live.tell(What::People, None);
    }
    if left > 0 {
        core.board.ring(Job::People);
    }
    Ok(Step { done, pending: left as u64, again_in: None })
}
