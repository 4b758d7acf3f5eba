//! Looks again at files that could not be shown: at a start, since the program may be a newer one, and when libheif has appeared.

use std::sync::Arc;
use std::time::Duration;

use super::{Core, Job};
use crate::library::{AssetId, LibraryError};
use crate::live::What;
use crate::tasks::Stage;

/// How often it is looked whether libheif has appeared: a look at four paths.
const CHECK: Duration = Duration::from_secs(60);
/// How long a look that was not possible waits before the next, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// Runs until the node stops.
pub(super) async fn run(core: Arc<Core>) {
    let stop = core.tasks.stop_token(Stage::Work);
    let mut known = None;
    loop {
        let now = core.sandbox.has_libheif();
        if known.replace(now) != Some(now) && stop.run_until_cancelled(look(&core)).await.is_none() {
            return;
        }
        if stop.run_until_cancelled(tokio::time::sleep(CHECK)).await.is_none() {
            return;
        }
    }
}

/// Looks at one file again, because its owner wants it; waits while the machine is too busy for it, as when many are tried at once.
pub(crate) async fn look_again(core: Arc<Core>, id: AssetId) {
    let stop = core.tasks.stop_token(Stage::Work);
    let mut pause = FIRST_PAUSE;
    loop {
        match core.library.look_again(id).await {
            Ok(true) => core.board.ring(Job::Faces),
            // Deleted meanwhile is no failure.
            Ok(false) | Err(LibraryError::NotFound) => {}
            Err(error) => {
                tracing::debug!("a file was not looked at again yet: {error}");
                // Should the node stop, the next start tries it.
                if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                    return;
                }
                pause = (pause * 2).min(CHECK);
                continue;
            }
        }
        break;
    }
    core.live.tell(What::Status, None);
}

/// One after the other: this is never urgent.
async fn look(core: &Arc<Core>) {
    let mut shown = 0_u32;
    for (id, _) in core.library.undecided_files() {
        match core.library.look_again(id).await {
            Ok(true) => shown += 1,
            Ok(false) => {}
            // Deleted meanwhile, or tried again at the next start.
            Err(error) => tracing::debug!("a file was not looked at again: {error}"),
        }
    }
    if shown > 0 {
        tracing::info!("{shown} files that could not be shown before are photos now");
        core.board.ring(Job::Faces);
    }
}
