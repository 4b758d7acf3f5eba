//! The one place where tasks are spawned: each is named, counted, told when to stop, and awaited in a fixed order at shutdown.

use std::{
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a task belongs to. Shutdown stops the stages in this order, each only after the one before it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Listeners and connections of the dashboard and the CLI: first, so that no new wish comes in.
    Edge,
    /// Workers and transfers: they finish the step at hand, while the network still answers.
    Work,
    /// The swarm: after the workers, so that goodbyes and receipts still leave.
    Network,
    /// What must outlive everything else, such as the writer of catalog snapshots.
    Storage,
}

const ORDER: [Stage; 4] = [Stage::Edge, Stage::Work, Stage::Network, Stage::Storage];

/// How a shutdown went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Names of tasks that did not end in time and were cut off.
    pub cut_off: Vec<String>,
    /// Names of tasks that had panicked at any time.
    pub panicked: Vec<String>,
}

impl ShutdownReport {
    /// Whether every task ended by itself.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.cut_off.is_empty() && self.panicked.is_empty()
    }
}

/// Spawns and owns the tasks of one node. Clones share the same set.
#[derive(Clone, Debug)]
pub struct Tasks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stages: [StageTasks; 4],
    running: Mutex<Running>,
    asked: CancellationToken,
}

#[derive(Debug, Default)]
struct StageTasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    tasks: BTreeMap<u64, (Stage, String, Option<AbortHandle>)>,
    panicked: Vec<String>,
}

/// Takes the task out of the list of running ones however it ends, cut off included.
struct Entry {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.running().tasks.remove(&self.number);
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Running> {
        // A panic while the list is held leaves it whole: each change is one insertion or removal.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self, stage: Stage) -> &StageTasks {
        let [edge, work, network, storage] = &self.stages;
        match stage {
            Stage::Edge => edge,
            Stage::Work => work,
            Stage::Network => network,
            Stage::Storage => storage,
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared { stages: Default::default(), running: Mutex::default(), asked: CancellationToken::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Spawns `task` under `name` in `stage`. The task should end soon after [`Tasks::stop_token`] of its stage is cancelled.
    /// A panic is caught, logged with the name and remembered. Must be called within a tokio runtime.
    pub fn spawn<F>(&self, stage: Stage, name: impl Into<String>, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let entry = self.enter(stage, name.clone());
        let number = entry.number;
        let handle = self.shared.stage(stage).tracker.spawn(async move {
            let entry = entry;
            if AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(task = %name, "a task panicked and has ended");
                entry.shared.running().panicked.push(name);
            }
        });
        if let Some((_, _, abort)) = self.shared.running().tasks.get_mut(&number) {
            *abort = Some(handle.abort_handle());
        }
        handle
    }

    /// Runs blocking `work` on the blocking pool, tracked and named; shutdown waits for it but cannot cut it off.
    pub fn spawn_blocking<R, F>(&self, stage: Stage, name: impl Into<String>, work: F) -> JoinHandle<R>
    where
        R: Send + 'static,
        F: FnOnce() -> R + Send + 'static,
    {
        let entry = self.enter(stage, name.into());
        self.shared.stage(stage).tracker.spawn_blocking(move || {
            let _entry = entry;
            work()
        })
    }

    fn enter(&self, stage: Stage, name: String) -> Entry {
        let mut running = self.shared.running();
        let number = running.next;
        running.next += 1;
        running.tasks.insert(number, (stage, name, None));
        drop(running);
        Entry { shared: Arc::clone(&self.shared), number }
    }

    /// The token that is cancelled when the tasks of `stage` are to stop.
    #[must_use]
    pub fn stop_token(&self, stage: Stage) -> CancellationToken {
        self.shared.stage(stage).stop.clone()
    }

    /// Asks for a shutdown from anywhere; the owner of the process waits in [`Tasks::shutdown_asked`].
    pub fn ask_shutdown(&self) {
        self.shared.asked.cancel();
    }

    /// Waits until [`Tasks::ask_shutdown`] is called. Cancel safe.
    pub async fn shutdown_asked(&self) {
        self.shared.asked.cancelled().await;
    }

    /// Names of the tasks that run now, for the status page.
    #[must_use]
    pub fn running(&self) -> Vec<String> {
        self.shared.running().tasks.values().map(|(_, name, _)| name.clone()).collect()
    }

    /// Names of the tasks that have panicked so far.
    #[must_use]
    pub fn panicked(&self) -> Vec<String> {
        self.shared.running().panicked.clone()
    }

    /// Stops every stage in order: [`Stage::Edge`], [`Stage::Work`], [`Stage::Network`], [`Stage::Storage`]. All share `timeout`;
    /// what still runs when it is over is cut off, but each stage is still told to stop in order. Not cancel safe: call it once, at the end.
    pub async fn shutdown(&self, timeout: Duration) -> ShutdownReport {
        self.ask_shutdown();
        let deadline = tokio::time::Instant::now() + timeout;
        let mut report = ShutdownReport::default();
        for stage in ORDER {
            let tasks = self.shared.stage(stage);
            tasks.stop.cancel();
            tasks.tracker.close();
            if tokio::time::timeout_at(deadline, tasks.tracker.wait()).await.is_err() {
                let running = self.shared.running();
                for (_, name, abort) in running.tasks.values().filter(|(of, _, _)| *of == stage) {
                    tracing::warn!(task = %name, "a task did not stop in time and is cut off");
                    report.cut_off.push(name.clone());
                    if let Some(abort) = abort {
                        abort.abort();
                    }
                }
            }
        }
        report.panicked = self.panicked();
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn stages_stop_in_order() {
        run(async {
            let tasks = Tasks::new();
            let ended = Arc::new(Mutex::new(Vec::new()));
            for stage in ORDER.into_iter().rev() {
                let (stop, ended) = (tasks.stop_token(stage), Arc::clone(&ended));
                tasks.spawn(stage, format!("{stage:?}"), async move {
                    stop.cancelled().await;
                    ended.lock().unwrap().push(stage);
                });
            }
            assert_eq!(tasks.running().len(), 4);
            let report = tasks.shutdown(Duration::from_secs(20)).await;
            assert!(report.is_clean(), "{report:?}");
            assert_eq!(*ended.lock().unwrap(), ORDER);
            assert!(tasks.running().is_empty());
        });
    }

    #[test]
    fn a_task_that_ignores_the_signal_is_cut_off_by_name() {
        run(async {
            let tasks = Tasks::new();
            let handle = tasks.spawn(Stage::Work, "deaf", std::future::pending());
            let report = tasks.shutdown(Duration::from_millis(1)).await;
            assert_eq!(report.cut_off, ["deaf"]);
            assert!(handle.await.unwrap_err().is_cancelled());
            assert!(tasks.running().is_empty());
        });
    }

    #[test]
    fn a_panic_is_remembered_and_hurts_nobody_else() {
        run(async {
            let tasks = Tasks::new();
            tasks.spawn(Stage::Work, "clumsy", async { panic!("oops") }).await.unwrap();
            let four = tasks.spawn_blocking(Stage::Work, "sum", || 2 + 2).await.unwrap();
            assert_eq!(four, 4);
            assert_eq!(tasks.panicked(), ["clumsy"]);
            tasks.ask_shutdown();
            tasks.shutdown_asked().await;
            assert_eq!(tasks.shutdown(Duration::from_secs(20)).await.panicked, ["clumsy"]);
        });
    }
}
