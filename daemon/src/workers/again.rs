//! Looks again at files that could not be shown: at a start, since the program may be a newer one, and when libheif has appeared.

use std::sync::Arc;
use std::time::Duration;

use super::{Core, Job};
use crate::library::AssetId;
use crate::live::What;
use crate::tasks::Stage;

/// How often it is looked whether libheif has appeared: a look at four paths.
const CHECK: Duration = Duration::from_secs(60);

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

/// Looks at one file again, because its owner wants it.
pub(crate) async fn look_again(core: Arc<Core>, id: AssetId) {
    match core.library.look_again(id).await {
        Ok(true) => core.board.ring(Job::Faces),
        Ok(false) => {}
        Err(error) => tracing::warn!("a file was not looked at again; the next start tries it: {error}"),
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
