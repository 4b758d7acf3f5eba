//! Looks from time to time whether the disk is almost full: the pages show it, and what waited for space goes on when it returns.

use std::sync::Arc;

use super::{Core, Job, blocking};
use crate::limits::DISK_WATCH;
use crate::live::What;
use crate::tasks::Stage;

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let stop = core.tasks.stop_token(Stage::Work);
    let mut was_low = false;
    loop {
        let disk = core.disk.clone();
        if let Ok(Err(error)) = blocking(move || disk.keep_ballast()).await {
            tracing::debug!("no space could be set aside for a full disk: {error}");
        }
        let is_low = core.disk.is_low();
        if is_low != was_low {
            changed(&core, is_low);
            was_low = is_low;
        }
        if stop.run_until_cancelled(tokio::time::sleep(DISK_WATCH)).await.is_none() {
            return;
        }
    }
}

fn changed(core: &Core, is_low: bool) {
    core.live.tell(What::Status, None);
    if is_low {
        tracing::warn!("the disk is almost full: imports and receiving wait until there is space");
        return;
    }
    tracing::info!("the disk has space again");
    for job in [Job::Watch, Job::Receiving, Job::Sending, Job::Copies] {
        core.board.ring(job);
    }
}
