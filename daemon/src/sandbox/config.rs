//! How a sandbox is run, and what it says of itself.

use std::path::PathBuf;
use std::time::Duration;

use super::confinement::Report;
use super::limits;

/// How the pool is run.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// The binary whose argument `worker` starts a child: this one.
    pub program: PathBuf,
    /// Most children at once: the share of the processor that decoding may have.
    pub processes: usize,
    /// How long an idle child is kept.
    pub idle: Duration,
    /// How long each kind of job may take.
    pub timeouts: Timeouts,
}

impl SandboxConfig {
    /// One child for each processor core but one, four at most, with the usual times.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let processes = cores.saturating_sub(1).clamp(1, 4);
        Self { program, processes, idle: limits::IDLE, timeouts: Timeouts::default() }
    }
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
