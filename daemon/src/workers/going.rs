//! How far a long errand of the owner's is, and whether it is to be broken off.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Core, blocking};
use crate::live::What;
use crate::tasks::Stage;
use crate::vault::backup::Progress;

/// The open pages hear of progress this often.
const TOLD: Duration = Duration::from_secs(1);

/// The errand that runs, if one does; `K` says which.
pub struct Going<K> {
    stopped: AtomicBool,
    files: AtomicU64,
    of: AtomicU64,
    bytes: AtomicU64,
    running: Mutex<Option<K>>,
}

impl<K> Default for Going<K> {
    fn default() -> Self {
        Self {
            stopped: AtomicBool::default(),
            files: AtomicU64::default(),
            of: AtomicU64::default(),
            bytes: AtomicU64::default(),
            running: Mutex::new(None),
        }
    }
}

impl<K: Copy> Going<K> {
    /// Breaks off what runs.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// What runs now, and how far it is.
    #[must_use]
    pub fn running(&self) -> Option<(K, Progress)> {
        let running = *self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        running.map(|what| (what, Progress { files: of(&self.files), of: of(&self.of), bytes: of(&self.bytes) }))
    }

    /// Something else runs, or nothing any more.
    pub fn set(&self, what: Option<K>) {
        self.tell(Progress::default());
        if what.is_some() {
            self.stopped.store(false, Ordering::Relaxed);
        }
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// It is so far.
    pub fn tell(&self, progress: Progress) {
        self.files.store(progress.files, Ordering::Relaxed);
        self.of.store(progress.of, Ordering::Relaxed);
        self.bytes.store(progress.bytes, Ordering::Relaxed);
    }
}

/// Does blocking work that tells how far it is and asks whether to go on.
pub(super) async fn errand<K: Copy + Send + 'static, T: Send + 'static>(
    core: &Arc<Core>,
    going: impl Fn(&Core) -> &Going<K> + Copy + Send + 'static,
    what: K,
    work: impl FnOnce(&Arc<Core>, &mut dyn FnMut(Progress) -> bool) -> T + Send + 'static,
) -> anyhow::Result<T> {
    going(core).set(Some(what));
    core.live.tell(What::Status, None);
    let ending = core.tasks.stop_token(Stage::Work);
    let shared = core.clone();
    let done = blocking(move || {
        let mut told = Instant::now();
        let mut tell = |progress: Progress| {
            going(&shared).tell(progress);
            if told.elapsed() >= TOLD {
                told = Instant::now();
                shared.live.tell(What::Status, None);
            }
            !ending.is_cancelled() && !going(&shared).stopped.load(Ordering::Relaxed)
        };
        work(&shared, &mut tell)
    })
    .await;
    going(core).set(None);
    core.live.tell(What::Status, None);
    done
}
