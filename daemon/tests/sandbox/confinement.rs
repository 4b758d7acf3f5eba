//! The kernel holds confined processes: each of these tests tries the thing itself, in a real child or a real tool.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use inframe::sandbox::CHILD_ARGUMENT;
use inframe::sandbox::child::{PROBE_ARGUMENT, probe};
use inframe::sandbox::tool::{NOT_STARTED, Tool, ToolBudget};

const INFRAME: &str = env!("CARGO_BIN_EXE_inframe");
/// SIGSYS, by which the filter on system calls ends a process.
const FORBIDDEN: i32 = 31;

/// What came of a thing that a confined child tried.
fn attempt(thing: &str) -> ExitStatus {
    Command::new(INFRAME)
        .args([CHILD_ARGUMENT, PROBE_ARGUMENT, thing])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn d8_children_open_no_file() {
    assert_eq!(attempt("nothing").code(), Some(i32::from(probe::DONE)), "a probe that tries nothing must live");
    for thing in ["open", "create", "list"] {
        assert_eq!(attempt(thing).code(), Some(i32::from(probe::REFUSED)), "{thing}");
    }
    assert!(!Path::new("/tmp/inframe-probe").exists());
}

#[test]
fn d8_children_that_reach_for_anything_else_are_ended_by_the_kernel() {
    for thing in ["udp", "connect", "unix", "run", "thread", "kill", "signal", "raise", "rename", "pidfd", "memfd"] {
        assert_eq!(attempt(thing).signal(), Some(FORBIDDEN), "{thing}");
    }
}

fn budget() -> ToolBudget {
    ToolBudget { memory_bytes: 1 << 30, processor_time: Duration::from_secs(20), file_bytes: 64 * 1024, open_files: 64 }
}

/// The whole path of a program of this machine, without links.
fn program(name: &str) -> PathBuf {
    let places = ["/usr/bin", "/bin", "/usr/local/bin"];
    let found = places.iter().map(|place| Path::new(place).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no {name} on this machine")).canonicalize().unwrap()
}

struct Ran {
    status: ExitStatus,
    said: String,
    complained: String,
}

async fn run(tool: &Tool, arguments: &[&OsStr]) -> Ran {
    let output = tool.command(arguments).stderr(Stdio::piped()).output().await.unwrap();
    let words = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { status: output.status, said: words(output.stdout), complained: words(output.stderr) }
}

#[tokio::test]
async fn tools_read_what_they_are_given_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let given = folder.path().join("given");
    std::fs::write(&given, "words").unwrap();
    let tool = Tool::new(INFRAME, program("cat"), budget());
    let ran = run(&tool, &[given.as_os_str()]).await;
    assert!(!ran.status.success() && ran.said.is_empty(), "{} {}", ran.said, ran.complained);
    let ran = run(&tool.clone().reading(&given), &[given.as_os_str()]).await;
    assert!(ran.status.success(), "{}", ran.complained);
    assert_eq!(ran.said, "words");
    let ran = run(&tool.reading(folder.path()), &[OsStr::new("/etc/passwd")]).await;
    assert!(!ran.status.success() && ran.said.is_empty(), "{}", ran.said);
}

#[tokio::test]
async fn tools_read_an_open_file_that_they_could_not_open() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("video"), "pixels").unwrap();
    let video = std::fs::File::open(folder.path().join("video")).unwrap();
    let output = Tool::new(INFRAME, program("cat"), budget()).command([] as [&str; 0]).stdin(video).output().await;
    assert_eq!(output.unwrap().stdout, b"pixels");
}

#[tokio::test]
async fn tools_write_in_their_folder_only_and_not_much() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tool = Tool::new(INFRAME, program("dd"), budget()).writing(own.path());
    let to = |folder: &Path| format!("of={}", folder.join("out").display());
    let (from, small) = (OsStr::new("if=/dev/zero"), OsStr::new("count=1"));
    let ran = run(&tool, &[from, small, OsStr::new(&to(own.path()))]).await;
    assert!(ran.status.success(), "{}", ran.complained);
    assert_eq!(std::fs::metadata(own.path().join("out")).unwrap().len(), 512);
    let ran = run(&tool, &[from, small, OsStr::new(&to(other.path()))]).await;
    assert!(!ran.status.success() && !other.path().join("out").exists(), "{}", ran.complained);
    let ran = run(&tool, &[from, OsStr::new("bs=64K"), OsStr::new("count=9"), OsStr::new(&to(own.path()))]).await;
    assert!(!ran.status.success());
    assert!(std::fs::metadata(own.path().join("out")).unwrap().len() <= budget().file_bytes);
}

/// A shell tries everything that needs no program besides itself.
#[tokio::test]
async fn tools_start_no_program_and_reach_no_network() {
    let shell = Tool::new(INFRAME, program("bash"), budget());
    let script = async |words: &str| run(&shell, &["-c", words].map(OsStr::new)).await;
    let ran = script("echo alive").await;
    assert_eq!(ran.said, "alive\n", "{}", ran.complained);
    // The listener is real: without the confinement the shell would reach it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for words in [
        "exec /bin/ls /".to_string(),
        "/bin/true && echo started".to_string(),
        "(echo forked)".to_string(),
        format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected"),
        format!("kill -URG {} && echo signalled", std::process::id()),
    ] {
        let ran = script(&words).await;
        assert!(!ran.status.success() && ran.said.is_empty(), "{words}: {}", ran.said);
    }
}

#[tokio::test]
async fn tools_have_an_end_in_time_and_memory() {
    let shell = |budget| Tool::new(INFRAME, program("bash"), budget);
    let endless = [OsStr::new("-c"), OsStr::new("while :; do :; done")];
    let ran = run(&shell(ToolBudget { processor_time: Duration::from_secs(1), ..budget() }), &endless).await;
    assert_eq!(ran.status.signal(), Some(9), "the hard limit for processor time");
    let hungry = [OsStr::new("-c"), OsStr::new("x=x; while :; do x=$x$x; done")];
    let ran = run(&shell(ToolBudget { memory_bytes: 64 << 20, ..budget() }), &hungry).await;
    assert!(!ran.status.success() && ran.complained.contains("cannot allocate"), "{}", ran.complained);
}

#[tokio::test]
async fn a_tool_that_is_missing_says_so() {
    let ran = run(&Tool::new(INFRAME, "/no/such/tool", budget()), &[]).await;
    assert_eq!(ran.status.code(), Some(i32::from(NOT_STARTED)));
    assert!(ran.complained.contains("/no/such/tool cannot be started"), "{}", ran.complained);
}
