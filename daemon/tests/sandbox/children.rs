//! Children that are not what they should be (`impostor.sh`): the daemon believes none of them, and a photo pays only for what it did.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use image::ImageFormat;
use inframe::sandbox::{CHILD_ARGUMENT, Sandbox, SandboxConfig, SandboxError, Timeouts};
use tempfile::TempDir;

use crate::config;
use crate::files::{black, encode, picture};

/// A sandbox whose children play a part of `impostor.sh`, and the folder that must outlive it.
fn with_children(part: &str) -> (Sandbox, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    symlink(env!("CARGO_BIN_EXE_inframe"), folder.path().join("inframe")).unwrap();
    symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/impostor.sh"), folder.path().join(part)).unwrap();
    let timeouts = if part == "mute" {
        Timeouts { start: Duration::from_millis(50), ..Timeouts::default() }
    } else {
        Timeouts::default()
    };
    (Sandbox::start(SandboxConfig { program: folder.path().join(part), timeouts, ..config() }), folder)
}

/// A JPEG with an end that the shell can find; what follows the image is not part of it.
fn small() -> Bytes {
    [&encode(&picture(), ImageFormat::Jpeg)[..], b"\nend of file\n"].concat().into()
}

/// What comes of a job for such children, of which none may stay.
async fn outcome(part: &str, file: Bytes) -> SandboxError {
    let (sandbox, _folder) = with_children(part);
    let error = sandbox.inspect(file).await.unwrap_err();
    assert_eq!(sandbox.status().processes, 0, "{part}: {error}");
    error
}

#[tokio::test]
async fn children_that_never_begin_are_nobodys_fault() {
    for (part, words) in [
        ("mute", "did not start in time"),
        ("older", "the program was replaced while it ran"),
        ("babbling", "stopped at its start"),
        ("gone", "stopped at its start (exit code 3)"),
        ("unwilling", "stop before they begin"),
        ("missing/from/the/disk", "cannot be started"),
    ] {
        let error = if part.contains('/') {
            let config = SandboxConfig { program: part.into(), ..config() };
            Sandbox::start(config).inspect(small()).await.unwrap_err()
        } else {
            outcome(part, small()).await
        };
        assert!(matches!(&error, SandboxError::Unavailable(why) if why.contains(words)), "{part}: {error:?}");
        assert!(!error.is_strike());
    }
}

#[tokio::test]
async fn a_file_that_no_pipe_holds_is_not_blamed_for_a_child_that_does_not_read_it() {
    let mut large = small().to_vec();
    large.resize(1024 * 1024, 0);
    let error = outcome("unwilling", large.into()).await;
    assert!(matches!(error, SandboxError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn d8_children_that_fail_at_work_are_strikes_and_do_not_stay() {
    for (part, words) in [
        ("fainting", "exit code 7"),
        ("swapping", "an answer to another question"),
        ("flooding", "an answer to another question"),
    ] {
        let error = outcome(part, small()).await;
        assert!(matches!(&error, SandboxError::Crashed(why) if why.contains(words)), "{part}: {error:?}");
        assert!(error.is_strike());
    }
}

#[tokio::test]
async fn d7_memory_over_the_limit_ends_the_child_and_not_the_pool() {
    // A lower limit than a child's own, which it must respect: the real one is met only by images that take minutes to make.
    let (sandbox, _folder) = with_children("poor");
    for _ in 0..2 {
        sandbox.inspect(small()).await.unwrap();
        let error = sandbox.inspect(black(10_000, 10_000)).await.unwrap_err();
        assert!(matches!(&error, SandboxError::Crashed(why) if why.contains("lack of memory")), "{error:?}");
        assert_eq!(sandbox.status().processes, 0);
    }
}

/// How a real child ends that is given these bytes and then the end of its input.
fn end_after(input: &[u8]) -> Option<i32> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_inframe"))
        .arg(CHILD_ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait().unwrap().code()
}

#[test]
fn a_child_ends_when_the_daemon_is_gone_or_talks_nonsense() {
    assert_eq!(end_after(b""), Some(0));
    assert_eq!(end_after(b"\x01"), Some(1), "cut in a length");
    assert_eq!(end_after(&[0xff; 8]), Some(1), "lengths of 4 GiB");
    assert_eq!(end_after(b"\x01\0\0\0\0\0\0\0\x63"), Some(1), "no such job");
    assert_eq!(end_after(b"\x01\0\0\0\x05\0\0\0\0only"), Some(1), "cut in the file");
}
