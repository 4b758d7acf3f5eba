//! The workers: each takes no input, asks the catalog what is not done yet, does it, and commits the result. A bell wakes a worker, a slow
//! timer wakes it anyway; first run, retry and recovery after a crash are the same path (D2).

mod board;
mod core;
pub(crate) mod events;
mod faces;
pub(crate) mod import;
mod inbound;
pub(crate) mod matching;
mod receiving;
mod sending;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub use board::{Board, Job, Step};
pub use core::{Core, Held, Pack, Progress};
pub use events::Rounds;
pub use matching::Projected;
pub use watch::{SeenFile, Watchers};

use crate::network::NetworkEvent;
use crate::tasks::Stage;

/// How often each worker looks even when nothing rings.
const SLOWLY: [(Job, Duration); 6] = [
    (Job::Watch, Duration::from_secs(300)),
    (Job::Faces, Duration::from_secs(600)),
    (Job::Matching, Duration::from_secs(60)),
    (Job::Sending, Duration::from_secs(30)),
    (Job::Receiving, Duration::from_secs(30)),
    (Job::Events, Duration::from_secs(30)),
];

/// Runs blocking work on the blocking pool.
///
/// # Errors
/// When the work panicked.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| anyhow::anyhow!("a blocking step panicked"))
}

/// Starts every worker and the dispatcher of what comes in from the network.
pub fn start(core: &Arc<Core>, incoming: tokio::sync::mpsc::Receiver<NetworkEvent>) {
    for (job, slowly) in SLOWLY {
        let (core, stop) = (core.clone(), core.tasks.stop_token(Stage::Work));
        let board = core.board.clone();
        let tasks = core.tasks.clone();
        tasks.spawn(Stage::Work, job.name(), async move {
            board
                .run(job, slowly, stop, || {
                    let core = core.clone();
                    async move {
                        match job {
                            Job::Watch => watch::step(core).await,
                            Job::Faces => faces::step(core).await,
                            Job::Matching => matching::step(core).await,
                            Job::Sending => sending::step(core).await,
                            Job::Receiving => receiving::step(core).await,
                            Job::Events => events::step(core).await,
                        }
                    }
                })
                .await;
        });
    }
    core.tasks.spawn(Stage::Work, "network events", inbound::dispatch(core.clone(), incoming));
}
