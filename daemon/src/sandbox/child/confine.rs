//! What a child gives up before it reads its first byte, and what remains open, in words.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::sandbox::limits;

/// Gaps of every child of this version, whatever the kernel offers.
pub(crate) fn known_gaps() -> Vec<String> {
    vec![
        "decoder processes are not yet held by a system-call filter (seccomp)".to_string(),
        "decoder processes are not yet shut out of the file system by the kernel (landlock)".to_string(),
    ]
}

/// Confines this process for good; gives what could not be confined, and the account for processor time.
pub(crate) fn confine() -> (Vec<String>, ProcessorTime) {
    let mut gaps = known_gaps();
    // Opened first: afterwards there is little left that may be opened.
    let processor = ProcessorTime { account: File::open("/proc/self/stat").ok() };
    let fixed = [
        (Resource::As, limits::CHILD_ADDRESS_BYTES, "memory"),
        (Resource::Nofile, limits::CHILD_OPEN_FILES, "the number of open files"),
        (Resource::Fsize, 0, "the size of files that they write"),
        (Resource::Core, 0, "memory dumps"),
        (Resource::Nproc, 0, "starting processes"),
        (Resource::Memlock, 0, "locking memory"),
    ];
    for (resource, most, what) in fixed {
        // Never raise a limit that the owner of the machine set lower.
        let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
        if setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).is_err() {
            gaps.push(format!("decoder processes are not limited in {what}"));
        }
    }
    // Set before any thread is started, so that it holds for all of them.
    if rustix::thread::set_no_new_privs(true).is_err() {
        gaps.push("decoder processes are not barred from gaining rights through other programs".to_string());
    }
    // Other programs of the same user may then not read the photo out of this process.
    if set_dumpable_behavior(DumpableBehavior::NotDumpable).is_err() {
        gaps.push("decoder processes can be looked into by other programs of the same user".to_string());
    }
    if processor.used().is_none() {
        gaps.push("decoder processes are not limited in processor time by the kernel, only by the daemon".to_string());
    }
    (gaps, processor)
}

/// Limits the processor time of each job, also when the daemon that would kill this process is gone.
pub(crate) struct ProcessorTime {
    account: Option<File>,
}

impl ProcessorTime {
    /// Lets the process use the time of one job more than it has used so far; the kernel kills it beyond that.
    pub(crate) fn allow_one_job(&mut self) {
        let Some(used) = self.used() else { return };
        let until = (used + limits::FACES_TIMEOUT).as_secs() + 1;
        let maximum = getrlimit(Resource::Cpu).maximum;
        let current = maximum.map_or(until, |maximum| maximum.min(until));
        // A failure leaves the earlier, stricter limit in force.
        let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(current), maximum });
    }

    /// Processor time so far, from the fields `utime` and `stime` of proc(5).
    fn used(&self) -> Option<Duration> {
        let mut line = [0; 1024];
        let len = self.account.as_ref()?.read_at(&mut line, 0).ok()?;
        ticks(std::str::from_utf8(line.get(..len)?).ok()?).map(|ticks| Duration::from_millis(ticks * 10))
    }
}

/// Sum of the 14th and 15th field; the second one, the program's name in brackets, may hold blanks. A tick is 10 ms (`USER_HZ` is 100) on every
/// architecture that we build for.
fn ticks(line: &str) -> Option<u64> {
    let (_, after_name) = line.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_any_name() {
        let line = "42 (a b) c) S 1 42 42 0 -1 4194304 113 0 0 0 7 5 0 0 20 0 1 0 99";
        assert_eq!(ticks(line), Some(12));
        assert_eq!(ticks("42 (cut"), None);
        assert_eq!(ticks("42 (x) S 1 2"), None);
    }

    #[test]
    fn this_process_has_an_account() {
        let account = ProcessorTime { account: File::open("/proc/self/stat").ok() };
        assert!(account.used().is_some());
    }
}
