//! One child process: start, exchange, end.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::confinement::Report;
use super::frame::{self, FrameError};
use super::message::{Answer, Hello, Job, Taken, VERSION};
use super::model::Model;
use super::processor_time::ProcessorTime;
use super::{SandboxError, limits};

/// The hidden argument with which the binary starts as a child.
pub const CHILD_ARGUMENT: &str = "worker";

/// Process ids of the children that are alive.
#[derive(Clone, Default)]
pub(crate) struct Living(Arc<Mutex<BTreeSet<u32>>>);

impl Living {
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// A child that said hello. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    pid: u32,
    living: Living,
    processor: ProcessorTime,
    /// What it was told to find faces with.
    pub(crate) model: Model,
    /// Jobs done so far.
    pub(crate) jobs: u32,
    /// Whether it has loaded the face model.
    pub(crate) has_engine: bool,
}

impl Process {
    /// Starts `program` as a child and waits until it has confined itself; gives also what it is confined by and what not.
    pub(crate) async fn start(
        program: &Path,
        model: Model,
        patience: Duration,
        living: &Living,
    ) -> Result<(Self, Report), SandboxError> {
        let unavailable = |why: &str| SandboxError::Unavailable(why.to_string());
        let mut child = Command::new(program)
            .arg(CHILD_ARGUMENT)
            .args(model.arguments())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A decoder's own words may quote the file (promise D3); where it stopped comes back as an answer.
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to a whole group: the daemon, which lets jobs finish, decides when a child ends.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                SandboxError::Unavailable(format!("a decoder process cannot be started ({})", error.kind()))
            })?;
        let (Some(pid), Some(stdin), Some(stdout)) = (child.id(), child.stdin.take(), child.stdout.take()) else {
            return Err(unavailable("a decoder process has no pipes"));
        };
        living.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        let living = living.clone();
        let processor = ProcessorTime::of(pid);
        let mut process =
            Self { child, stdin: Some(stdin), stdout, pid, living, processor, model, jobs: 0, has_engine: false };
        match timeout(patience, frame::receive::<Hello>(&mut process.stdout)).await {
            Ok(Ok((hello, _))) if hello.version == VERSION => {
                let mut report = hello.report;
                process.processor.note(&mut report);
                Ok((process, report))
            }
            Ok(Ok(_)) => {
                process.kill().await;
                Err(unavailable("the program was replaced while it ran, restart it"))
            }
            Ok(Err(_)) => {
                let end = process.kill().await;
                Err(SandboxError::Unavailable(format!("a decoder process stopped at its start ({})", words(end))))
            }
            Err(_) => {
                process.kill().await;
                Err(unavailable("a decoder process did not start in time"))
            }
        }
    }

    /// Whether it can still take a job.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Gives one job and waits for its answer. Not cancel safe: drop the process with it.
    pub(crate) async fn exchange(&mut self, job: &Job, file: &[u8]) -> Result<(Answer, Vec<u8>), Broken> {
        self.processor.allow_one_job();
        let stdin = self.stdin.as_mut().ok_or(Broken::BeforeWork)?;
        frame::send(stdin, job, file).await.map_err(|_| Broken::BeforeWork)?;
        let (Taken, _) = frame::receive(&mut self.stdout).await.map_err(|_| Broken::BeforeWork)?;
        let answer = frame::receive(&mut self.stdout).await.map_err(|error| match error {
            FrameError::Pipe(_) => Broken::AtWork,
            FrameError::TooLong | FrameError::Header => Broken::Nonsense,
        })?;
        self.jobs += 1;
        Ok(answer)
    }

    /// Closes its input, at which it exits; kills it if it does not.
    pub(crate) async fn close(mut self) {
        drop(self.stdin.take());
        if timeout(limits::CLOSE_TIMEOUT, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Kills and reaps it; tells how it ended, which may have been before.
    async fn kill(&mut self) -> Option<ExitStatus> {
        // Closed pipes first: a child that is ending by itself then ends with its own status.
        drop(self.stdin.take());
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(status);
        }
        self.child.start_kill().ok()?;
        self.child.wait().await.ok()
    }

    /// Kills and reaps it.
    pub(crate) async fn discard(mut self) {
        self.kill().await;
    }

    /// Reaps a child whose pipes broke; tells how it ended.
    pub(crate) async fn bury(mut self) -> SandboxError {
        drop(self.stdin.take());
        let Ok(status) = timeout(limits::CLOSE_TIMEOUT, self.child.wait()).await else {
            self.kill().await;
            return SandboxError::Crashed("it closed its pipes".to_string());
        };
        match status.as_ref().ok().and_then(ExitStatusExt::signal) {
            Some(SIGNAL_CPU_LIMIT) => SandboxError::TimedOut,
            Some(SIGNAL_HANG_UP | SIGNAL_INTERRUPT | SIGNAL_TERMINATE) => {
                SandboxError::Unavailable("a decoder process was told to end".to_string())
            }
            _ => SandboxError::Crashed(words(status.ok())),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// It ended or misbehaved before it had read the whole file.
    BeforeWork,
    /// It ended while it worked on the file.
    AtWork,
    /// What it answered is no answer.
    Nonsense,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.living.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}

/// SIGXCPU: the child used up its processor time.
const SIGNAL_CPU_LIMIT: i32 = 24;
/// SIGSYS: the filter on system calls ended it.
const SIGNAL_FORBIDDEN_CALL: i32 = 31;
/// What service managers and people send to every process of a service that is to end. No file is to blame for it.
const SIGNAL_HANG_UP: i32 = 1;
const SIGNAL_INTERRUPT: i32 = 2;
const SIGNAL_TERMINATE: i32 = 15;

fn words(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "for an unknown reason".to_string() };
    match (status.signal(), status.code()) {
        (Some(6), _) => "it gave up, perhaps for lack of memory".to_string(),
        (Some(9), _) => "it was killed, perhaps for lack of memory".to_string(),
        (Some(11), _) => "it read outside its memory".to_string(),
        (Some(SIGNAL_FORBIDDEN_CALL), _) => "it made a forbidden system call".to_string(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, code) => format!("exit code {}", code.unwrap_or_default()),
    }
}
