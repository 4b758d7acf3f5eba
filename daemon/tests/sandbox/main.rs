//! The sandbox with its real children: what they say of files of every kind, and what happens to the pool when they fail.

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test or only called by one")]

mod bombs;
mod children;
mod confinement;
mod cost;
mod faces;
mod files;
mod formats;
mod hostile;
mod photos;
mod pool;

use std::path::PathBuf;
use std::time::Duration;

use inframe::sandbox::{Sandbox, SandboxConfig};
use tokio::time::{Instant, interval};

/// The daemon's own binary, one child at once.
fn config() -> SandboxConfig {
    SandboxConfig { processes: 1, ..SandboxConfig::new(PathBuf::from(env!("CARGO_BIN_EXE_inframe"))) }
}

fn sandbox() -> Sandbox {
    Sandbox::start(config())
}

/// Looks again and again until something holds; a minute is long enough for the slowest machine.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let (deadline, mut tick) = (Instant::now() + Duration::from_secs(60), interval(Duration::from_millis(2)));
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tick.tick().await;
    }
}

/// The only child of a pool.
fn only_child(sandbox: &Sandbox) -> u32 {
    let pids = sandbox.status().pids;
    assert_eq!(pids.len(), 1, "{pids:?}");
    pids[0]
}

fn is_in_the_process_table(pid: u32) -> bool {
    std::fs::exists(format!("/proc/{pid}")).unwrap()
}

/// A field of `/proc/PID/status` that is given in kB, in bytes.
fn memory(pid: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
