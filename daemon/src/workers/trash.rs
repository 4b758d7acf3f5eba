//! The trash worker: purges what has lain in the trash long enough, and erases the files of what was purged. And what the rest of the node has to do
//! when a photo goes into the trash, comes back, or is gone.

use std::collections::HashSet;
use std::sync::Arc;

use super::board::Step;
use super::{Core, Job, blocking, matching};
use crate::library::{AssetId, LibraryError};
use crate::limits::{FILES_ERASED_PER_STEP, MAX_TRASH_PER_REQUEST};
use crate::live::What;
use crate::sharing::ledgers::{ApprovalKind, ApprovalState, DeliveryState};

/// One step.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    blocking(move || run(&core)).await?
}

fn run(core: &Core) -> anyhow::Result<Step> {
    let due = core.library.due();
    if !due.is_empty() {
        let gone = purge(core, &due)?;
        tracing::info!("{} photos had lain in the trash for as long as they may and are gone", gone.len());
    }
    let waiting = core.library.still_to_erase();
    let left = core.library.erase_some(FILES_ERASED_PER_STEP)?;
    if left > 0 {
        core.board.ring(Job::Trash);
    } else if waiting > 0 {
        core.live.tell(What::Trash, None);
    }
    // Last, as it needs space on the disk and what came before makes some.
    if core.library.trash_totals().0 > 0 {
        core.library.keep_trash_time()?;
    }
    Ok(Step { done: (due.len() + waiting.saturating_sub(left)) as u64, pending: left as u64, again_in: None })
}

/// Moves photos into the trash and stops everything that was under way with them; gives those that were moved. Durable when it returns; blocking.
///
/// # Errors
/// When one waits for the owner's word, or the vault fails.
pub(crate) fn discard(core: &Arc<Core>, ids: &[AssetId]) -> anyhow::Result<Result<Vec<AssetId>, LibraryError>> {
    let moved = match even_when_full(core, || core.library.trash(ids)) {
        Ok(moved) => moved,
        Err(refused) => return Ok(Err(refused)),
    };
    set_aside(core);
    // From now on none of them may leave, whatever happens below: see `Core::may_leave`. What a crash leaves open here is ended by the
    // matching worker.
    let gone: HashSet<AssetId> = moved.iter().copied().collect();
    for (key, delivery) in core.deliveries.all() {
        let under_way = matches!(delivery.state, DeliveryState::Pending | DeliveryState::Accepted);
        if under_way && gone.contains(&delivery.asset) {
            matching::cancel(core, &key, "you deleted the photo")?;
        }
    }
    for (key, approval) in core.approvals.all() {
        let open = approval.kind == ApprovalKind::Match && approval.state == ApprovalState::Waiting;
        if open && gone.contains(&approval.asset) {
            matching::end_question(core, &key)?;
        }
    }
    core.board.ring(Job::Matching);
    changed(core);
    Ok(Ok(moved))
}

/// Photos have come back from the trash: whatever was not finished with them goes on.
pub(crate) fn restored(core: &Core, ids: &[AssetId]) {
    if ids.is_empty() {
        return;
    }
    set_aside(core);
    for job in [Job::Faces, Job::Videos, Job::Copies, Job::VideoFaces, Job::Matching] {
        core.board.ring(job);
    }
    changed(core);
}

/// As [`restored`], from async code.
pub(crate) async fn restored_one(core: &Arc<Core>, id: AssetId) {
    let teller = core.clone();
    if let Err(error) = blocking(move || restored(&teller, &[id])).await {
        tracing::error!("{error}");
    }
}

/// Deletes for good what is in the trash; gives those that are gone, whose files are erased in the background. Durable when it returns; blocking.
///
/// # Errors
/// When the vault fails.
pub(crate) fn purge(core: &Core, ids: &[AssetId]) -> Result<Vec<AssetId>, LibraryError> {
    let mut gone = Vec::with_capacity(ids.len());
    for some in ids.chunks(MAX_TRASH_PER_REQUEST) {
        let purged = even_when_full(core, || core.library.purge(some))?;
        purged.iter().for_each(|id| core.faces.forget(*id));
        gone.extend(purged);
    }
    set_aside(core);
    core.board.ring(Job::Trash);
    core.board.ring(Job::People);
    changed(core);
    Ok(gone)
}

/// Does what frees space, on a disk without a free byte with what was set aside for that.
fn even_when_full<T>(core: &Core, work: impl Fn() -> Result<T, LibraryError>) -> Result<T, LibraryError> {
    match work() {
        Err(full) if full.is_full() && core.disk.give_ballast() => {
            tracing::warn!("the disk is full to its last byte; what was set aside for deleting is used");
            work()
        }
        done => done,
    }
}

fn set_aside(core: &Core) {
    core.people.set_aside(|| core.library.trash_ids());
}

fn changed(core: &Core) {
    core.live.tell(What::People, None);
    core.live.tell(What::Status, None);
    core.live.tell(What::Events, None);
}
