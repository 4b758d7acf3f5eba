//! The processor time of a child, limited anew for each job: also when the daemon that would kill it is gone. The daemon sets the limit, so that
//! a child cannot move its own.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use super::confinement::Report;
use super::limits;

/// The account of one child.
pub(crate) struct ProcessorTime {
    child: Option<Pid>,
    account: Option<File>,
}

impl ProcessorTime {
    pub(crate) fn of(pid: u32) -> Self {
        let child = pid.try_into().ok().and_then(Pid::from_raw);
        Self { child, account: File::open(format!("/proc/{pid}/stat")).ok() }
    }

    /// Lets the child use the time of one job more than it has used so far; the kernel kills it beyond that. Says whether that holds.
    pub(crate) fn allow_one_job(&self) -> bool {
        let (Some(_), Some(used)) = (self.child, self.used()) else { return false };
        let until = (used + limits::JOB_PROCESSOR_TIME).as_secs() + 1;
        let maximum = getrlimit(Resource::Cpu).maximum;
        let current = maximum.map_or(until, |maximum| maximum.min(until));
        // A failure leaves the earlier, stricter limit in force.
        prlimit(self.child, Resource::Cpu, Rlimit { current: Some(current), maximum }).is_ok()
    }

    /// Sets the first limit, and says whether there is one.
    pub(crate) fn note(&self, report: &mut Report) {
        report.note(
            self.allow_one_job(),
            "a limit for the processor time of each job",
            "decoder processes are not limited in processor time by the kernel, only by the daemon's own clock",
        );
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
        assert!(ProcessorTime::of(std::process::id()).used().is_some());
    }
}
