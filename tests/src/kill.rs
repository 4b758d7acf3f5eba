//! Ends a daemon, as SIGKILL does, at one system call on one path: with `strace`, so that the daemon is not changed for it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether `strace` is there and may trace: some containers forbid it. Says aloud that the test is skipped if not.
pub fn is_possible(test: &str) -> bool {
    let tried = Command::new("strace").args(["-f", "-qq", "-e", "trace=none", "true"]).stderr(Stdio::null()).status();
    let possible = tried.is_ok_and(|status| status.success());
    if !possible {
        eprintln!("skipped: {test}: strace is missing or may not trace here");
    }
    possible
}

/// What a daemon runs under, see [`crate::daemon::Options::under`], so that it dies when it calls one of `calls` on `path` for the `nth` time; of a
/// `rename` the path is the first one.
pub fn at(calls: &str, path: &Path, nth: u32) -> Vec<OsString> {
    // The process that is started stays the daemon, and strace a grandchild.
    let mut words: Vec<OsString> = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P"].map(OsString::from).to_vec();
    words.push(path.into());
    let inject = format!("inject={calls}:signal=KILL:when={nth}");
    words.extend(["-e".into(), format!("trace={calls}").into(), "-e".into(), inject.into()]);
    words
}
