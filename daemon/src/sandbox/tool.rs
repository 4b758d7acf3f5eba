//! Programs of others that read strangers' bytes (such as ffmpeg), run confined.
//!
//! A [`Tool`] is started as `inframe confine … -- tool arguments`: our own binary confines itself and then becomes the tool, which keeps the
//! confinement. It can read itself, the machine's libraries, what it is given as an open file (its standard input and output), and the paths
//! that are named; it can start no other program and reach no network.
//!
//! ```no_run
//! # use inframe::sandbox::tool::{Tool, ToolBudget};
//! # use std::{path::Path, process::Stdio, time::Duration};
//! # async fn still(inframe: &Path, video: std::fs::File) -> std::io::Result<Vec<u8>> {
//! let budget = ToolBudget {
//!     memory_bytes: 1 << 30,
//!     processor_time: Duration::from_secs(20),
//!     file_bytes: 0,
//!     open_files: 64,
//! };
//! let mut ffmpeg = Tool::new(inframe, "/usr/bin/ffmpeg", budget)
//!     .command(["-i", "/proc/self/fd/0", "-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"]);
//! Ok(ffmpeg.stdin(Stdio::from(video)).output().await?.stdout)
//! # }
//! ```

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use tokio::process::Command;

pub use super::confinement::ToolBudget;
use super::confinement::{self, ToolFiles};

/// The hidden argument with which the binary confines itself and becomes a tool.
pub const TOOL_ARGUMENT: &str = "confine";
/// Exit code when the confinement or its arguments failed and the tool never ran; `env` and `timeout` use it for the same.
pub const NOT_STARTED: u8 = 125;

/// A program to be run confined.
#[derive(Clone, Debug)]
pub struct Tool {
    inframe: PathBuf,
    tool: PathBuf,
    budget: ToolBudget,
    files: ToolFiles,
}

impl Tool {
    /// `inframe` is this program's own binary (`SandboxConfig::program`), `tool` the full path of the program to run.
    #[must_use]
    pub fn new(inframe: impl Into<PathBuf>, tool: impl Into<PathBuf>, budget: ToolBudget) -> Self {
        Self { inframe: inframe.into(), tool: tool.into(), budget, files: ToolFiles::default() }
    }

    /// Lets it read a file, or a folder with all in it.
    #[must_use]
    pub fn reading(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.readable.push(path.into());
        self
    }

    /// Lets it make, change and remove files in a folder (which must exist), each up to `ToolBudget::file_bytes`.
    #[must_use]
    pub fn writing(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files.writable.push(folder.into());
        self
    }

    /// The command, ready to be spawned; it is killed when its handle is dropped. Standard input and errors are closed and standard output is
    /// a pipe unless the caller says otherwise.
    pub fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let ToolBudget { memory_bytes, processor_time, file_bytes, open_files } = &self.budget;
        let mut command = Command::new(&self.inframe);
        command.arg(TOOL_ARGUMENT);
        for number in [*memory_bytes, processor_time.as_secs().max(1), *file_bytes, *open_files] {
            command.arg(number.to_string());
        }
        for path in &self.files.readable {
            command.arg(READ).arg(path);
        }
        for path in &self.files.writable {
            command.arg(WRITE).arg(path);
        }
        command
            .arg(END)
            .arg(&self.tool)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

const READ: &str = "--read";
const WRITE: &str = "--write";
const END: &str = "--";

/// The first part of a tool's life; comes back only if it cannot begin.
#[must_use]
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(Order { tool, budget, files, arguments }) = Order::parse(arguments) else {
        eprintln!("inframe {TOOL_ARGUMENT}: this is how Inframe starts other programs; it is not for use by hand");
        return ExitCode::from(NOT_STARTED);
    };
    // Rules on files hold for what a path leads to, not for links to it.
    let tool = match tool.canonicalize() {
        Ok(tool) => tool,
        Err(error) => return not_started(&tool, &error),
    };
    confinement::tool(&tool, &budget, &files);
    let error = std::process::Command::new(&tool).args(arguments).exec();
    not_started(&tool, &error)
}

fn not_started(tool: &Path, error: &std::io::Error) -> ExitCode {
    eprintln!("inframe {TOOL_ARGUMENT}: {} cannot be started: {error}", tool.display());
    ExitCode::from(NOT_STARTED)
}

/// What [`Tool::command`] says.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    tool: PathBuf,
    budget: ToolBudget,
    files: ToolFiles,
    arguments: Vec<OsString>,
}

impl Order {
    fn parse(mut said: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut number = || said.next()?.to_str()?.parse::<u64>().ok();
        let budget = ToolBudget {
            memory_bytes: number()?,
            processor_time: Duration::from_secs(number()?),
            file_bytes: number()?,
            open_files: number()?,
        };
        let mut files = ToolFiles::default();
        loop {
            let option = said.next()?;
            let paths = match option.to_str()? {
                READ => &mut files.readable,
                WRITE => &mut files.writable,
                END => break,
                _ => return None,
            };
            paths.push(said.next()?.into());
        }
        Some(Self { tool: said.next()?.into(), budget, files, arguments: said.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_says_is_understood() {
        let budget = ToolBudget {
            memory_bytes: 1 << 30,
            processor_time: Duration::from_secs(20),
            file_bytes: 5,
            open_files: 64,
        };
        let tool = Tool::new("/opt/inframe", "/usr/bin/ffmpeg", budget.clone()).reading("/a b").writing("/tmp/x");
        let command = tool.command(["-i", "--", "--read"]);
        let mut said = command.as_std().get_args().map(OsStr::to_os_string);
        assert_eq!(said.next().as_deref(), Some(OsStr::new(TOOL_ARGUMENT)));
        let order = Order::parse(said).unwrap();
        assert_eq!(order.tool, Path::new("/usr/bin/ffmpeg"));
        assert_eq!((order.budget, order.files), (budget, tool.files));
        assert_eq!(order.arguments, ["-i", "--", "--read"].map(OsString::from));
    }

    #[test]
    fn orders_that_are_cut_or_unknown_are_refused() {
        for said in ["", "1 2 3", "1 2 3 4", "1 2 3 4 --", "1 2 3 x -- tool", "1 2 3 4 --read", "1 2 3 4 --net -- tool"]
        {
            assert_eq!(Order::parse(said.split_whitespace().map(OsString::from)), None, "{said}");
        }
    }
}
