//! Bells that wake workers, the loop that runs each, and the board that shows their state.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::live::{Live, What};
use crate::views::WorkerView;

/// A failing worker is tried again after this long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A worker that goes through the whole library at each step rests for so many times as long before the next bell, and never longer than this.
/// While a step takes less than a fifth of a second its share of a core stays below a tenth, and in a small library what is new is dealt with at once.
const REST_TIMES: u32 = 10;
const LONGEST_REST: Duration = Duration::from_secs(2);
/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The workers, one a kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Job {
    /// Looks for new files in watched folders.
    Watch,
    /// Finds faces.
    Faces,
    /// Looks at new videos.
    Videos,
    /// Makes copies of videos that browsers play.
    Copies,
    /// Finds faces in videos.
    VideoFaces,
    /// Groups faces into people.
    People,
    /// Purges what lay in the trash long enough, and erases the files of what was purged.
    Trash,
    /// Compares faces with find-mes.
    Matching,
    /// Makes renditions and offers them.
    Sending,
    /// Fetches what was accepted.
    Receiving,
    /// Looks at what was fetched and takes it into the library.
    TakingIn,
    /// Gives to keepers, and keeps for others.
    Keeping,
    /// Joins, syncs, renews find-mes.
    Events,
    /// Copies the vault elsewhere.
    Backup,
    /// Reads every file, and mends what is damaged.
    Verify,
    /// Writes plain originals elsewhere.
    Export,
    /// Takes in what guests add, looks for them, and erases what is left of them.
    Guests,
    /// Tells the owner what came.
    Notices,
}

impl Job {
    /// All of them.
    pub const ALL: [Job; 18] = [
        Job::Watch,
        Job::Faces,
        Job::Videos,
        Job::Copies,
        Job::VideoFaces,
        Job::People,
        Job::Trash,
        Job::Matching,
        Job::Sending,
        Job::Receiving,
        Job::TakingIn,
        Job::Keeping,
        Job::Events,
        Job::Backup,
        Job::Verify,
        Job::Export,
        Job::Guests,
        Job::Notices,
    ];

    /// Whether a step goes through the whole library.
    fn is_long(self) -> bool {
        self == Job::Matching
    }

    /// Its name on the status page.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Job::Watch => "watched folders",
            Job::Faces => "faces",
            Job::Videos => "new videos",
            Job::Copies => "playable copies",
            Job::VideoFaces => "faces in videos",
            Job::People => "people",
            Job::Trash => "trash",
            Job::Matching => "matching",
            Job::Sending => "sending",
            Job::Receiving => "receiving",
            Job::TakingIn => "taking in",
            Job::Keeping => "keeping",
            Job::Events => "events",
            Job::Backup => "backup",
            Job::Verify => "file check",
            Job::Export => "export",
            Job::Guests => "guests",
            Job::Notices => "notices",
        }
    }
}

/// What one step of a worker did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Jobs finished in this step.
    pub done: u64,
    /// Jobs that still wait.
    pub pending: u64,
    /// When something waits for a time rather than for a bell.
    pub again_in: Option<Duration>,
}

impl Step {
    /// The sum of jobs that were tried side by side, each of which says whether it is settled. One that fails must not make the whole worker
    /// back off: the others were served, and it is tried at the next step.
    ///
    /// # Errors
    /// A failure, when nothing at all was settled.
    pub fn of(outcomes: Vec<anyhow::Result<bool>>) -> anyhow::Result<Self> {
        let tried = outcomes.len() as u64;
        let mut done = 0;
        let mut failure = None;
        for outcome in outcomes {
            match outcome {
                Ok(settled) => done += u64::from(settled),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if done == 0 => Err(error),
            _ => Ok(Self { done, pending: tried - done, again_in: None }),
        }
    }
}

struct Post {
    bell: Notify,
    view: Mutex<WorkerView>,
}

/// All bells and states; cheap to clone.
#[derive(Clone)]
pub struct Board {
    posts: Arc<BTreeMap<Job, Post>>,
    live: Live,
}

impl Board {
    /// Everyone idle.
    #[must_use]
    pub fn new(live: Live) -> Self {
        let post = |job: Job| Post {
            bell: Notify::new(),
            view: Mutex::new(WorkerView {
                name: job.name().into(),
                state: "idle".into(),
                pending: 0,
                done: 0,
                last_error: None,
            }),
        };
        Self { posts: Arc::new(Job::ALL.into_iter().map(|job| (job, post(job))).collect()), live }
    }

    /// Wakes a worker; a ring while it works is remembered.
    pub fn ring(&self, job: Job) {
        if let Some(post) = self.posts.get(&job) {
            post.bell.notify_one();
        }
    }

    /// Comes back when a worker is rung, for steps that take new work while they last.
    pub(super) async fn rung(&self, job: Job) {
        match self.posts.get(&job) {
            Some(post) => post.bell.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Shows what is left in the middle of a step that takes long.
    pub(super) fn left(&self, job: Job, pending: u64) {
        self.show(job, |view| view.pending = pending);
    }

    /// Every worker's state.
    #[must_use]
    pub fn views(&self) -> Vec<WorkerView> {
        self.posts.values().map(|post| post.view.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
    }

    fn show(&self, job: Job, change: impl FnOnce(&mut WorkerView)) {
        let Some(post) = self.posts.get(&job) else { return };
        let mut view = post.view.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (view.state.clone(), view.pending, view.last_error.clone());
        change(&mut view);
        let changed = before != (view.state.clone(), view.pending, view.last_error.clone());
        drop(view);
        if changed {
            self.live.tell(What::Status, None);
        }
    }

    /// Runs a worker until `stop`: a step after every ring and at least every `slowly`; after a failure with growing pauses.
    pub async fn run<F, Fut>(self, job: Job, slowly: Duration, stop: CancellationToken, mut step: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = anyhow::Result<Step>>,
    {
        let Some(post) = self.posts.get(&job) else { return };
        let mut pause = FIRST_PAUSE;
        loop {
            self.show(job, |view| view.state = "working".into());
            let began = Instant::now();
            let wait = tokio::select! {
                () = stop.cancelled() => return,
                outcome = step() => match outcome {
                    Ok(did) => {
                        pause = FIRST_PAUSE;
                        self.show(job, |view| {
                            view.state = "idle".into();
                            view.done += did.done;
                            view.pending = did.pending;
                            view.last_error = None;
                        });
                        did.again_in.unwrap_or(slowly).min(slowly)
                    }
                    Err(error) => {
                        tracing::warn!(worker = job.name(), "a step failed and will be tried again: {error:#}");
                        self.show(job, |view| {
                            view.state = "failing".into();
                            view.last_error = Some(format!("{error:#}"));
                        });
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        pause
                    }
                },
            };
            let rest = if job.is_long() { (began.elapsed() * REST_TIMES).min(LONGEST_REST) } else { Duration::ZERO };
            if stop.run_until_cancelled(tokio::time::sleep(rest)).await.is_none() {
                return;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = post.bell.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[tokio::test]
    async fn a_ring_while_working_is_not_lost_and_a_failure_is_shown_and_tried_again() {
        let board = Board::new(Live::default());
        let stop = CancellationToken::new();
        let steps = Arc::new(AtomicU64::new(0));
        let (b, s, end) = (board.clone(), steps.clone(), stop.clone());
        board
            .clone()
            .run(Job::Faces, Duration::from_secs(3600), stop, move || {
                let (b, s, end) = (b.clone(), s.clone(), end.clone());
                async move {
                    match s.fetch_add(1, Ordering::SeqCst) {
                        0 => {
                            b.ring(Job::Faces);
                            Ok(Step { done: 1, ..Step::default() })
                        }
                        1 => anyhow::bail!("no luck"),
                        _ => {
                            assert_eq!(b.views()[1].last_error.as_deref(), Some("no luck"));
                            end.cancel();
                            Ok(Step::default())
                        }
                    }
                }
            })
            .await;
        assert_eq!(steps.load(Ordering::SeqCst), 3);
    }
}
