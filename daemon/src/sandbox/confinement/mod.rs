//! What a process gives up for good, and what remains open, in words.
//!
//! Two kinds of process are confined: the workers that decode strangers' bytes ([`worker`]), and tools of others that do the same ([`tool`]). Both
//! keep what they hold already (pipes, code, memory) and can get nothing new: no file, no network, no process, no rights. What the kernel does not
//! offer becomes a gap in the [`Report`], never a reason not to start: an old NAS then shows on its status page what is missing.

mod files;
mod syscalls;

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use serde::{Deserialize, Serialize};

use super::limits;

/// What holds a process and what does not, in words for the status page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What is in force.
    pub active: Vec<String>,
    /// What this machine does not offer.
    pub gaps: Vec<String>,
}

impl Report {
    pub(super) fn note(&mut self, holds: bool, active: &str, gap: &str) {
        if holds {
            self.active.push(active.to_string());
        } else {
            self.gaps.push(gap.to_string());
        }
    }
}

/// Confines a worker. Everything that a worker needs from a file must be in its memory before.
pub(crate) fn worker() -> Report {
    let mut report = Report::default();
    lower_priority(&mut report);
    let fixed = [
        (Resource::As, limits::CHILD_ADDRESS_BYTES, "memory"),
        (Resource::Nofile, limits::CHILD_OPEN_FILES, "open files"),
        (Resource::Fsize, 0, "files that they write"),
        (Resource::Core, 0, "memory dumps"),
        (Resource::Nproc, 0, "new processes"),
        (Resource::Memlock, 0, "locked memory"),
    ];
    limit(&fixed, &mut report);
    gain_no_rights(&mut report);
    // Other programs of the same user may then not read the photo out of this process.
    report.note(
        set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok(),
        "other programs of the same user cannot look into decoder processes",
        "decoder processes can be looked into by other programs of the same user",
    );
    files::close(&mut report);
    // Last, since it forbids all of the above too.
    report.note(
        syscalls::filter_worker().is_ok(),
        "a system call that decoding does not need ends the process (seccomp); among them all for network, processes and other programs' memory",
        "decoder processes are not held by a system-call filter: this kernel has no seccomp filters",
    );
    report
}

/// What a tool may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolBudget {
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time of all its threads.
    pub processor_time: Duration,
    /// Largest file that it may write, in bytes; pipes do not count.
    pub file_bytes: u64,
    /// Files open at once, its own libraries included.
    pub open_files: u64,
}

/// What a tool may open, besides itself and the machine's libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToolFiles {
    /// Files, or folders with all in them, that it may read.
    pub readable: Vec<PathBuf>,
    /// Folders in which it may make, change and remove files.
    pub writable: Vec<PathBuf>,
}

/// Confines this process to what `tool`, which it will become, needs.
pub(crate) fn tool(tool: &std::path::Path, budget: &ToolBudget, allowed: &ToolFiles) -> Report {
    let mut report = Report::default();
    lower_priority(&mut report);
    let fixed = [
        (Resource::As, budget.memory_bytes, "memory"),
        (Resource::Cpu, budget.processor_time.as_secs().max(1), "processor time"),
        (Resource::Nofile, budget.open_files, "open files"),
        (Resource::Fsize, budget.file_bytes, "files that they write"),
        (Resource::Core, 0, "memory dumps"),
        (Resource::Memlock, 0, "locked memory"),
    ];
    limit(&fixed, &mut report);
    gain_no_rights(&mut report);
    files::restrict(tool, allowed, &mut report);
    report.note(
        syscalls::filter_tool().is_ok(),
        "system calls for network, new processes and other programs' memory are refused (seccomp)",
        "tools are not held by a system-call filter: this kernel has no seccomp filters",
    );
    report
}

/// Never raises a limit that the owner of the machine set lower.
fn limit(fixed: &[(Resource, u64, &str)], report: &mut Report) {
    let mut held = Vec::new();
    for (resource, most, what) in fixed {
        let most = getrlimit(*resource).maximum.map_or(*most, |maximum| maximum.min(*most));
        if setrlimit(*resource, Rlimit { current: Some(most), maximum: Some(most) }).is_ok() {
            held.push(*what);
        } else {
            report.gaps.push(format!("decoder processes are not limited in {what}"));
        }
    }
    if !held.is_empty() {
        report.active.push(format!("limits for {}", held.join(", ")));
    }
}

/// The owner's own programs come first: for the processor, for the disk (whose priority follows), and for memory, when the kernel must take some back.
fn lower_priority(report: &mut Report) {
    let after_others = rustix::process::nice(limits::NICENESS).is_ok();
    // Lowering oneself is always allowed, but /proc may be hidden; then it is as before.
    let first_to_go = std::fs::write("/proc/self/oom_score_adj", limits::OOM_SCORE).is_ok();
    report.note(after_others, "low priority for the processor", "decoder processes run at the priority of the daemon");
    report.note(
        first_to_go,
        "the first to go when the machine runs out of memory",
        "when the machine runs out of memory, other programs may go before decoder processes",
    );
}

/// Set before any thread is started, so that it holds for all of them.
fn gain_no_rights(report: &mut Report) {
    report.note(
        rustix::thread::set_no_new_privs(true).is_ok(),
        "no rights can be gained through other programs (no_new_privs)",
        "decoder processes are not barred from gaining rights through other programs",
    );
}
