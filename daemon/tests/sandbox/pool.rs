//! Children that are killed, hang, idle, or are wanted by too many.

use std::time::Duration;

use bytes::Bytes;
use image::ImageFormat;
use inframe::sandbox::{Inspection, Sandbox, SandboxConfig, SandboxError, Timeouts, limits};
use rustix::process::{Pid, Signal, getpgid, kill_process};
use tokio::task::JoinHandle;

use crate::files::{black, encode, picture};
use crate::{config, is_in_the_process_table, memory, only_child, sandbox, until};

fn small() -> Bytes {
    encode(&picture(), ImageFormat::Jpeg).into()
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// A job that its child has begun: pixels are in its memory.
async fn at_work(sandbox: &Sandbox) -> (u32, JoinHandle<Result<Inspection, SandboxError>>) {
    sandbox.inspect(small()).await.unwrap();
    let child = only_child(sandbox);
    let enough = memory(child, "VmRSS").unwrap() + 16 * 1024 * 1024;
    let job = tokio::spawn({
        let sandbox = sandbox.clone();
        async move { sandbox.inspect(black(10_000, 10_000)).await }
    });
    until("pixels in the child's memory", || memory(child, "VmRSS").is_some_and(|now| now > enough)).await;
    (child, job)
}

#[tokio::test]
async fn a_child_that_is_killed_at_work_is_a_strike_and_the_next_job_works() {
    let sandbox = sandbox();
    let (child, job) = at_work(&sandbox).await;
    signal(child, Signal::KILL);
    let error = job.await.unwrap().unwrap_err();
    assert!(matches!(&error, SandboxError::Crashed(words) if words.contains("killed")), "{error:?}");
    assert!(error.is_strike());
    assert_eq!(sandbox.status().processes, 0);
    sandbox.inspect(small()).await.unwrap();
    assert_ne!(only_child(&sandbox), child);
}

#[tokio::test]
async fn the_end_of_a_service_is_no_photos_fault() {
    for politely in [Signal::HUP, Signal::INT, Signal::TERM] {
        let sandbox = sandbox();
        let (child, job) = at_work(&sandbox).await;
        signal(child, politely);
        let error = job.await.unwrap().unwrap_err();
        assert!(matches!(&error, SandboxError::Unavailable(words) if words.contains("told to end")), "{error:?}");
        assert!(!error.is_strike());
    }
}

#[tokio::test]
async fn keys_in_the_daemons_terminal_do_not_reach_children() {
    let sandbox = sandbox();
    sandbox.inspect(small()).await.unwrap();
    let child = Pid::from_raw(only_child(&sandbox).try_into().unwrap());
    assert_eq!(getpgid(child).ok(), child);
}

#[tokio::test]
async fn a_child_that_died_while_idle_is_nobodys_fault() {
    let sandbox = sandbox();
    sandbox.inspect(small()).await.unwrap();
    let child = only_child(&sandbox);
    signal(child, Signal::KILL);
    until("the child's end", || memory(child, "VmRSS").is_none()).await;
    sandbox.inspect(small()).await.unwrap();
    assert_ne!(only_child(&sandbox), child);
}

#[tokio::test]
async fn d7_a_job_that_takes_too_long_ends_with_its_child() {
    let timeouts = Timeouts { decode: Duration::from_millis(1), ..Timeouts::default() };
    let sandbox = Sandbox::start(SandboxConfig { timeouts, ..config() });
    let error = sandbox.inspect(black(10_000, 10_000)).await.unwrap_err();
    assert_eq!(error, SandboxError::TimedOut);
    assert!(error.is_strike());
    assert_eq!(sandbox.status().processes, 0);
    // Jobs for the face model have their own, longer time.
    assert!(sandbox.faces(small()).await.unwrap().faces.is_empty());
}

#[tokio::test]
async fn idle_children_go_and_come_back_when_needed() {
    let sandbox = Sandbox::start(SandboxConfig { idle: Duration::from_millis(20), ..config() });
    assert_eq!(sandbox.status().processes, 0);
    for _ in 0..2 {
        sandbox.inspect(small()).await.unwrap();
        until("an empty pool", || sandbox.status().processes == 0).await;
    }
}

#[tokio::test]
async fn one_warm_child_serves_one_job_after_another() {
    let sandbox = Sandbox::start(SandboxConfig { processes: 4, ..config() });
    sandbox.inspect(small()).await.unwrap();
    let child = only_child(&sandbox);
    for _ in 0..20 {
        sandbox.inspect(small()).await.unwrap();
    }
    assert_eq!(only_child(&sandbox), child);
}

#[tokio::test]
async fn a_child_that_did_its_share_goes_before_a_slow_leak_adds_up() {
    let sandbox = sandbox();
    sandbox.inspect(small()).await.unwrap();
    let child = only_child(&sandbox);
    for _ in 1..limits::JOBS_PER_CHILD {
        assert_eq!(sandbox.status().pids, [child]);
        sandbox.inspect(Bytes::from_static(b"words")).await.unwrap_err();
    }
    until("the child's end", || !is_in_the_process_table(child)).await;
    assert_eq!(sandbox.status().processes, 0);
    sandbox.inspect(small()).await.unwrap();
}

#[tokio::test]
async fn d7_many_jobs_share_few_children_and_too_many_are_sent_away() {
    let sandbox = Sandbox::start(SandboxConfig { processes: 2, ..config() });
    let (taken, more) = (2 + limits::MAX_WAITING, 5);
    let done = futures::future::join_all((0..taken + more).map(|_| sandbox.inspect(small()))).await;
    for (at, outcome) in done.iter().enumerate() {
        match outcome {
            Ok(inspection) => assert!(at < taken && inspection.width == crate::files::SIZE.0),
            Err(error) => {
                assert!(at >= taken && matches!(error, SandboxError::Unavailable(_)), "{at}: {error}");
                assert!(!error.is_strike());
            }
        }
    }
    assert_eq!(sandbox.status().processes, 2);
    sandbox.inspect(small()).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_gives_up_takes_its_child_along_and_frees_its_place() {
    let sandbox = sandbox();
    let (child, job) = at_work(&sandbox).await;
    job.abort();
    assert!(job.await.unwrap_err().is_cancelled());
    sandbox.inspect(small()).await.unwrap();
    assert_ne!(only_child(&sandbox), child);
    until("the first child's end", || !is_in_the_process_table(child)).await;
}

#[tokio::test]
async fn after_shutdown_no_child_is_left_and_no_job_is_taken() {
    let sandbox = Sandbox::start(SandboxConfig { processes: 2, ..config() });
    let both = futures::future::join(sandbox.inspect(small()), sandbox.inspect(small())).await;
    assert!(both.0.is_ok() && both.1.is_ok());
    let children = sandbox.status().pids;
    assert_eq!(children.len(), 2);
    sandbox.shutdown().await;
    assert_eq!(sandbox.status().processes, 0);
    assert!(!children.into_iter().any(is_in_the_process_table));
    assert!(matches!(sandbox.inspect(small()).await, Err(SandboxError::Unavailable(_))));
}

#[tokio::test]
async fn a_job_under_way_at_shutdown_finishes_and_its_child_goes() {
    let sandbox = sandbox();
    let file = black(4000, 3000);
    let (done, ()) = futures::future::join(sandbox.inspect(file), async {
        until("a child", || sandbox.status().processes == 1).await;
        sandbox.shutdown().await;
    })
    .await;
    assert_eq!(done.unwrap().width, 4000);
    assert_eq!(sandbox.status().processes, 0);
}

#[tokio::test]
async fn children_end_with_the_last_handle() {
    let sandbox = sandbox();
    sandbox.inspect(small()).await.unwrap();
    let child = only_child(&sandbox);
    drop(sandbox);
    until("the child's end", || !is_in_the_process_table(child)).await;
}

#[tokio::test]
async fn d7_children_are_confined_and_say_what_they_are_not_confined_by() {
    let sandbox = sandbox();
    sandbox.inspect(black(10_000, 10_000)).await.unwrap();
    let child = only_child(&sandbox);
    let table = std::fs::read_to_string(format!("/proc/{child}/limits")).unwrap();
    let limit = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let both: Vec<u64> = line.split_whitespace().take(2).map(|number| number.parse().unwrap()).collect();
        assert_eq!(both[0], both[1], "{name} can be raised again");
        both[0]
    };
    assert!(limit("Max address space") <= limits::CHILD_ADDRESS_BYTES);
    assert!(limit("Max open files") <= limits::CHILD_OPEN_FILES);
    for name in ["Max file size", "Max core file size", "Max processes", "Max locked memory"] {
        assert_eq!(limit(name), 0, "{name}");
    }
    let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap();
    assert!(status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])), "{status}");
    // The largest image that is let through fits.
    assert!(memory(child, "VmPeak").unwrap() <= limits::CHILD_ADDRESS_BYTES);
    // This machine is one that offers everything, or the words of `SandboxStatus` say what it lacks.
    let report = sandbox.status().report;
    assert!(report.active.iter().any(|holds| holds.contains("memory, open files")), "{report:?}");
    let filtered = status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
    assert_eq!(report.active.iter().any(|holds| holds.contains("seccomp")), filtered, "{report:?}");
    assert_eq!(report.gaps.iter().any(|gap| gap.contains("seccomp")), !filtered, "{report:?}");
    assert!(report.active.iter().chain(&report.gaps).any(|words| words.contains("landlock")), "{report:?}");
}
