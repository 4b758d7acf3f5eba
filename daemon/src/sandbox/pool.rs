//! The pool of child processes: hands out jobs, replaces children that fail, lets idle ones go.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout};

use super::config::{SandboxConfig, SandboxStatus};
use super::confinement::Report;
use super::message::{Answer, Job};
use super::model::Model;
use super::process::{Broken, Living, Process};
use super::refusal::tame;
use super::{SandboxError, limits};

pub(super) struct Pool {
    config: SandboxConfig,
    /// What new children find faces with.
    model: Mutex<Model>,
    permits: Arc<Semaphore>,
    /// How many permits there are, once those that are too many have come back.
    given: Mutex<usize>,
    waiting: AtomicUsize,
    closed: AtomicBool,
    /// Last in, first out: under light load the same warm child serves every job and the others go.
    idle: Mutex<Vec<(Process, Instant)>>,
    idle_changed: Arc<Notify>,
    living: Living,
    report: Mutex<Report>,
}

fn unavailable(why: &str) -> SandboxError {
    SandboxError::Unavailable(why.to_string())
}

impl Pool {
    pub(super) fn start(config: SandboxConfig) -> Arc<Self> {
        let pool = Arc::new(Self {
            permits: Arc::new(Semaphore::new(config.processes.max(1))),
            given: Mutex::new(config.processes.max(1)),
            model: Mutex::new(config.model.clone()),
            config,
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            idle: Mutex::default(),
            idle_changed: Arc::default(),
            living: Living::default(),
            report: Mutex::default(),
        });
        tokio::spawn(let_idle_ones_go(Arc::downgrade(&pool), pool.idle_changed.clone()));
        pool
    }

    pub(super) fn processes(&self) -> usize {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn give_processes(&self, processes: usize) {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        self.permits.add_permits(processes.saturating_sub(*given));
        let less = given.saturating_sub(processes);
        let at_work = less - self.permits.forget_permits(less);
        *given = processes;
        if at_work > 0 {
            let permits = self.permits.clone();
            tokio::spawn(async move {
                for _ in 0..at_work {
                    // Closed means that the pool is ending.
                    let Ok(permit) = permits.acquire().await else { return };
                    permit.forget();
                }
            });
        }
    }

    /// This program's own binary.
    pub(super) fn program(&self) -> &std::path::Path {
        &self.config.program
    }

    pub(super) fn status(&self) -> SandboxStatus {
        let pids = self.living.pids();
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        SandboxStatus { processes: pids.len(), pids, report }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) async fn shutdown(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.permits.close();
        for (process, _) in self.drain(|_| true) {
            process.close().await;
        }
    }

    pub(super) async fn warm(&self) -> Result<(), SandboxError> {
        let _permit = self.permit().await?;
        let process = self.process(false).await?;
        self.put_back(process).await;
        Ok(())
    }

    pub(super) async fn use_model(&self, model: Model) {
        let before = { std::mem::replace(&mut *self.model(), model.clone()) };
        if before != model {
            for (process, _) in self.drain_if(|process, _| process.has_engine) {
                process.close().await;
            }
        }
    }

    fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a child of its own do a job with a model that need not be the one in use; the child ends with it.
    pub(super) async fn run_apart<T>(
        &self,
        model: &Model,
        job: Job,
        file: Bytes,
        believe: fn(Answer, Vec<u8>) -> Option<T>,
    ) -> Result<T, SandboxError> {
        let _permit = self.permit().await?;
        let mut process = self.start_child(model.clone()).await?;
        let outcome = match timeout(self.config.timeouts.faces, process.exchange(&job, &file)).await {
            Ok(Ok((answer, payload))) => outcome(&job, answer, payload, believe),
            Ok(Err(Broken::BeforeWork)) => Err(unavailable("the decoder process stopped before it began")),
            Ok(Err(Broken::AtWork)) => return Err(process.bury().await),
            Ok(Err(Broken::Nonsense)) => Err(nonsense()),
            Err(_) => Err(SandboxError::TimedOut),
        };
        process.discard().await;
        outcome
    }

    /// Has a child do a job; `believe` gives what is asked for out of an answer that can be believed.
    pub(super) async fn run<T>(
        &self,
        job: Job,
        file: Bytes,
        believe: fn(Answer, Vec<u8>) -> Option<T>,
    ) -> Result<T, SandboxError> {
        Ok(self.run_with_model(job, file, believe).await?.0)
    }

    /// As [`Self::run`]; gives also the id of the model pack that the child had.
    pub(super) async fn run_with_model<T>(
        &self,
        job: Job,
        file: Bytes,
        believe: fn(Answer, Vec<u8>) -> Option<T>,
    ) -> Result<(T, String), SandboxError> {
        if file.len() > limits::MAX_FILE_BYTES {
            return Err(SandboxError::TooLarge);
        }
        let _permit = self.permit().await?;
        let needs_engine = job.needs_engine();
        let patience = if needs_engine { self.config.timeouts.faces } else { self.config.timeouts.decode };
        for _ in 0..limits::CHILDREN_PER_JOB {
            let mut process = self.process(needs_engine).await?;
            match timeout(patience, process.exchange(&job, &file)).await {
                Ok(Ok((answer, payload))) => {
                    let pack = process.model.id.to_string();
                    let done = self.settle(process, &job, answer, payload, believe).await?;
                    return Ok((done, pack));
                }
                // It ended before it knew the file, which is then not to blame: another one tries.
                Ok(Err(Broken::BeforeWork)) => process.discard().await,
                Ok(Err(Broken::AtWork)) => return Err(process.bury().await),
                Ok(Err(Broken::Nonsense)) => {
                    process.discard().await;
                    return Err(nonsense());
                }
                Err(_) => {
                    process.discard().await;
                    return Err(SandboxError::TimedOut);
                }
            }
        }
        Err(unavailable("decoder processes stop before they begin"))
    }

    /// Keeps the child if it behaved, and turns its answer into the outcome.
    async fn settle<T>(
        &self,
        mut process: Process,
        job: &Job,
        answer: Answer,
        payload: Vec<u8>,
        believe: fn(Answer, Vec<u8>) -> Option<T>,
    ) -> Result<T, SandboxError> {
        let outcome = outcome(job, answer, payload, believe);
        if matches!(outcome, Ok(_) | Err(SandboxError::Refused(_))) {
            process.has_engine |= job.needs_engine();
            self.put_back(process).await;
        } else {
            process.discard().await;
        }
        outcome
    }

    /// Waits for a turn, in order of arrival; refuses when too many wait (promise D7).
    async fn permit(&self) -> Result<SemaphorePermit<'_>, SandboxError> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let waiting = Waiting::new(&self.waiting);
        if waiting.before >= limits::MAX_WAITING {
            return Err(unavailable("too many images wait to be read, try again"));
        }
        self.permits.acquire().await.map_err(|_| unavailable("the program is ending"))
    }

    /// An idle child that is alive, or a new one. Jobs for the model prefer a child that has it; others leave that one free.
    async fn process(&self, needs_engine: bool) -> Result<Process, SandboxError> {
        loop {
            let Some(mut process) = self.take_idle(needs_engine) else { break };
            if process.is_alive() {
                return Ok(process);
            }
        }
        let model = self.model().clone();
        self.start_child(model).await
    }

    async fn start_child(&self, model: Model) -> Result<Process, SandboxError> {
        let started = Process::start(&self.config.program, model, self.config.timeouts.start, &self.living).await;
        let (process, report) = started?;
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = report;
        Ok(process)
    }

    /// For jobs with the model only children that were given the one in use will do.
    fn take_idle(&self, needs_engine: bool) -> Option<Process> {
        let model = self.model().clone();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |process: &Process| !needs_engine || process.model == model;
        let best = idle.iter().rposition(|(process, _)| process.has_engine == needs_engine && fits(process));
        let at = best.or_else(|| idle.iter().rposition(|(process, _)| fits(process)))?;
        Some(idle.remove(at).0)
    }

    async fn put_back(&self, process: Process) {
        if let Some(leaving) = self.keep(process) {
            leaving.close().await;
        }
    }

    /// Gives the child back if it must go. `closed` is read under the lock: a child is either here when `shutdown` drains, or goes at once.
    fn keep(&self, process: Process) -> Option<Process> {
        let outdated = process.has_engine && process.model != *self.model();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if outdated || process.jobs >= limits::JOBS_PER_CHILD || self.closed.load(Ordering::SeqCst) {
            return Some(process);
        }
        idle.push((process, Instant::now() + self.config.idle));
        self.idle_changed.notify_one();
        None
    }

    /// Takes out the idle children for which `when` (their time of leaving) holds.
    fn drain(&self, when: impl Fn(Instant) -> bool) -> Vec<(Process, Instant)> {
        self.drain_if(|_, until| when(until))
    }

    fn drain_if(&self, when: impl Fn(&Process, Instant) -> bool) -> Vec<(Process, Instant)> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extract_if(.., |(process, until)| when(process, *until)).collect()
    }

    fn next_leave(&self) -> Option<Instant> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, until)| *until).min()
    }
}

/// What comes of an answer.
fn outcome<T>(
    job: &Job,
    answer: Answer,
    payload: Vec<u8>,
    believe: fn(Answer, Vec<u8>) -> Option<T>,
) -> Result<T, SandboxError> {
    match answer {
        Answer::Failed(why) => Err(SandboxError::Crashed(tame(&why))),
        Answer::NoModel(why) if job.needs_engine() => Err(SandboxError::Model(tame(&why))),
        Answer::Refused(refusal) => Err(refusal.tamed().into()),
        answer => believe(answer, payload).ok_or_else(nonsense),
    }
}

/// A child that answers something else than it was asked is not to be trusted.
fn nonsense() -> SandboxError {
    SandboxError::Crashed("it gave an answer to another question".to_string())
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.idle_changed.notify_one();
    }
}

/// Runs until the pool is gone: sleeps until the next idle child has to leave, so that an idle daemon wakes for nothing.
async fn let_idle_ones_go(pool: Weak<Pool>, idle_changed: Arc<Notify>) {
    while let Some(next) = pool.upgrade().map(|pool| pool.next_leave()) {
        match next {
            None => idle_changed.notified().await,
            Some(next) => tokio::select! {
                () = idle_changed.notified() => {}
                () = sleep_until(next) => {
                    let leaving = pool.upgrade().map(|pool| pool.drain(|until| until <= Instant::now()));
                    for (process, _) in leaving.unwrap_or_default() {
                        process.close().await;
                    }
                }
            },
        }
    }
}

/// Counts a caller that waits, for as long as it waits.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}
