//! How a sandbox is run, and what it says of itself.

use std::path::PathBuf;
use std::time::Duration;

use super::confinement::Report;
use super::limits;
use super::model::Model;

/// How the pool is run.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The binary whose argument `worker` starts a child: this one.
    pub program: PathBuf,
    /// The model pack of the first children; [`Sandbox::use_model`](super::Sandbox::use_model) changes it.
    pub model: Model,
    /// Most children at once: the share of the processor that decoding may have.
    pub processes: usize,
    /// How long an idle child is kept.
    pub idle: Duration,
    /// How long each kind of job may take.
    pub timeouts: Timeouts,
}

impl SandboxConfig {
    /// One child for each processor core but one, four at most until the owner gives more, with the usual times.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        let processes = most_processes().saturating_sub(1).clamp(1, 4);
        Self { program, model: Model::builtin(), processes, idle: limits::IDLE, timeouts: Timeouts::default() }
    }
}

/// The most children that make sense on this machine: one for each processor core that it gives us, and not so many that they wait in line.
#[must_use]
pub fn most_processes() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(limits::MAX_PROCESSES)
}

/// How long each kind of job may take before its child is killed.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Start of a child.
    pub start: Duration,
    /// Inspecting, cropping, making a rendition.
    pub decode: Duration,
    /// Finding faces, enrolling.
    pub faces: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { start: limits::START_TIMEOUT, decode: limits::DECODE_TIMEOUT, faces: limits::FACES_TIMEOUT }
    }
}

/// The sandbox at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxStatus {
    /// Children alive now.
    pub processes: usize,
    /// Their process ids.
    pub pids: Vec<u32>,
    /// What children are confined by and what not, in words; said by each child, and empty before the first one.
    pub report: Report,
}
