//! The workers: each takes no input, asks the catalog what is not done yet, does it, and commits the result. A bell wakes a worker, a slow
//! timer wakes it anyway; first run, retry and recovery after a crash are the same path (D2).

pub(crate) mod again;
mod askers;
pub(crate) mod backup;
mod board;
pub(crate) mod codes;
mod core;
pub(crate) mod deputies;
mod disk;
pub(crate) mod events;
pub(crate) mod export;
mod faces;
pub(crate) mod farewells;
mod going;
pub(crate) mod guests;
pub(crate) mod import;
mod inbound;
pub(crate) mod keeping;
mod lanes;
mod lists;
pub(crate) mod matching;
pub(crate) mod notices;
mod people;
mod progress;
mod reach;
pub(crate) mod recalls;
mod receiving;
mod sending;
pub(crate) mod shielding;
mod syncing;
pub(crate) mod trash;
pub(crate) mod verify;
mod videos;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub use self::deputies::DeputyError;
pub use backup::{BackupState, Running};
pub use board::{Board, Job, Step};
pub use core::{Core, Held, embeddings};
pub use events::Rounds;
pub use export::ExportState;
pub use lanes::Lanes;
pub use lists::Lists;
pub use matching::Projected;
pub use notices::Desk;
pub use progress::Progress;
pub(crate) use receiving::LONGEST_PAUSE as FETCH_PAUSE;
pub(crate) use sending::ASK_AGAIN as OFFER_PAUSE;
pub use verify::{VerifyState, Verifying};
pub use videos::VideoProgress;
pub use watch::{SeenFile, Watchers};

use crate::network::NetworkEvent;
use crate::tasks::Stage;

/// How often each worker looks even when nothing rings.
const SLOWLY: [(Job, Duration); 18] = [
    (Job::Watch, Duration::from_secs(300)),
    (Job::Faces, Duration::from_secs(600)),
    (Job::Videos, Duration::from_secs(600)),
    (Job::Copies, Duration::from_secs(600)),
    (Job::VideoFaces, Duration::from_secs(600)),
    (Job::People, Duration::from_secs(600)),
    (Job::Trash, Duration::from_secs(3600)),
    (Job::Matching, Duration::from_secs(60)),
    (Job::Sending, Duration::from_secs(30)),
    (Job::Receiving, Duration::from_secs(30)),
    (Job::TakingIn, Duration::from_secs(30)),
    (Job::Keeping, Duration::from_secs(15)),
    (Job::Events, Duration::from_secs(30)),
    (Job::Backup, Duration::from_secs(600)),
    (Job::Verify, Duration::from_secs(3600)),
    (Job::Export, Duration::from_secs(600)),
    (Job::Guests, Duration::from_secs(60)),
    (Job::Notices, Duration::from_secs(30)),
];

/// How often it is looked whether a snapshot of the catalog is due.
const SNAPSHOT_CHECK: Duration = Duration::from_secs(60);

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
                            Job::Videos => videos::looks(core).await,
                            Job::Copies => videos::copies(core).await,
                            Job::VideoFaces => videos::faces(core).await,
                            Job::People => people::step(core).await,
                            Job::Trash => trash::step(core).await,
                            Job::Matching => matching::step(core).await,
                            Job::Sending => sending::step(core).await,
                            Job::Receiving => receiving::step(core).await,
                            Job::TakingIn => receiving::take_in(core).await,
                            Job::Keeping => keeping::step(core).await,
                            Job::Events => events::step(core).await,
                            Job::Backup => backup::step(core).await,
                            Job::Verify => verify::step(core).await,
                            Job::Export => export::step(core).await,
                            Job::Guests => guests::step(core).await,
                            Job::Notices => notices::step(core).await,
                        }
                    }
                })
                .await;
        });
    }
    core.tasks.spawn(Stage::Work, "files again", again::run(core.clone()));
    core.tasks.spawn(Stage::Work, "disk space", disk::run(core.clone()));
    core.tasks.spawn(Stage::Work, "what notices tell of", notices::listen(core.clone()));
    core.tasks.spawn(Stage::Storage, "snapshots", snapshots(core.clone()));
    core.tasks.spawn(Stage::Work, "network events", inbound::dispatch(core.clone(), incoming));
}

/// Writes the catalog's snapshot when enough was committed, so that the journal does not grow for as long as the node runs.
async fn snapshots(core: Arc<Core>) {
    let stop = core.tasks.stop_token(Stage::Storage);
    while stop.run_until_cancelled(tokio::time::sleep(SNAPSHOT_CHECK)).await.is_some() {
        let vault = core.vault.clone();
        match blocking(move || vault.catalog().snapshot_if_due()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!("the catalog's snapshot was not written, nothing is lost: {error}"),
            Err(error) => tracing::error!("{error}"),
        }
    }
}
