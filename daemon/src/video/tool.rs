//! The tools, found when they are needed, and one run of one of them.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Input, VideoError, limits};
use crate::sandbox::tool::{self as confined, NOT_STARTED, ToolBudget};

/// Where `ffmpeg` and `ffprobe` are looked for: anew at each use, so that they are found as soon as they are installed. They run confined: no
/// network, no files but their libraries, no other programs.
#[derive(Clone, Debug)]
pub struct Tools {
    /// This program's own binary, which confines itself and becomes the tool.
    inframe: PathBuf,
    /// Folders, in the form of the variable `PATH`.
    path: OsString,
}

/// Which tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Ffmpeg,
    Ffprobe,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Ffmpeg => "ffmpeg",
            Self::Ffprobe => "ffprobe",
        }
    }
}

/// How every run of `ffmpeg` begins: it says nothing but complaints, and takes no more memory at once and no more threads than it may.
pub(super) const BOUNDED: [&str; 8] = [
    "-hide_banner",
    "-nostdin",
    "-loglevel",
    "error",
    "-max_alloc",
    limits::MAX_ALLOC_BYTES,
    "-threads",
    limits::TOOL_THREADS,
];

impl Tools {
    /// In the folders of the variable `PATH`; `inframe` is this program's own binary.
    #[must_use]
    pub fn on_path(inframe: PathBuf) -> Self {
        Self::among(inframe, std::env::var_os("PATH").unwrap_or_default())
    }

    /// In these folders, separated as in `PATH`.
    #[must_use]
    pub fn among(inframe: PathBuf, path: OsString) -> Self {
        Self { inframe, path }
    }

    /// Whether both tools are there. Reads a few folders; blocking, but briefly.
    #[must_use]
    pub fn are_there(&self) -> bool {
        [Tool::Ffmpeg, Tool::Ffprobe].into_iter().all(|tool| self.find(tool).is_ok())
    }

    fn find(&self, tool: Tool) -> Result<PathBuf, VideoError> {
        let is_program = |path: &PathBuf| {
            use std::os::unix::fs::PermissionsExt as _;
            path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        };
        // Relative folders would mean whatever folder the daemon was started in.
        let folders = std::env::split_paths(&self.path).filter(|folder| folder.is_absolute());
        folders.map(|folder| folder.join(tool.name())).find(is_program).ok_or(VideoError::NoTools)
    }

    /// Starts a tool that reads `input` from its standard input.
    pub(super) fn start(&self, tool: Tool, arguments: &[&str], input: &Input) -> Result<Run, VideoError> {
        let budget = ToolBudget {
            memory_bytes: limits::TOOL_MEMORY_BYTES,
            processor_time: limits::TOOL_PROCESSOR_TIME,
            file_bytes: 0,
            open_files: limits::TOOL_OPEN_FILES,
        };
        let mut child = confined::Tool::new(&self.inframe, self.find(tool)?, budget)
            .command(arguments)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                VideoError::Unavailable(format!("{} cannot be started ({})", tool.name(), error.kind()))
            })?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(VideoError::Unavailable("the video tool has no pipes".into()));
        };
        let mut pieces = input.pieces();
        let feeder = tokio::spawn(async move {
            loop {
                let (back, piece) = tokio::task::spawn_blocking(move || {
                    let piece = pieces.next();
                    (pieces, piece)
                })
                .await
                .map_err(io::Error::other)?;
                pieces = back;
                let piece = piece?;
                // A tool that has seen enough closes its end; that is no failure.
                if piece.is_empty() || stdin.write_all(&piece).await.is_err() {
                    return Ok(());
                }
            }
        });
        let words = tokio::spawn(words_of(stderr));
        Ok(Run { child, stdout, feeder: Guarded(feeder), words })
    }
}

/// The last words of a tool's complaints; reads all of them, so that the tool never waits for us.
async fn words_of(mut stderr: tokio::process::ChildStderr) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let surplus = kept.len().saturating_sub(limits::MAX_WORDS_BYTES);
        kept.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&kept);
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    // `[mov,mp4 @ 0x55]` before the sentence tells nobody anything.
    let sentence = last.rsplit_once("] ").map_or(last, |(_, sentence)| sentence);
    crate::sandbox::tame(sentence.trim_start_matches("pipe:0: "))
}

/// Ends the task when it is dropped.
struct Guarded<T>(JoinHandle<T>);

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// SIGXCPU: it used up its processor time.
const SIGNAL_CPU_LIMIT: i32 = 24;

/// What service managers and people send to every process of a service that is to end. No file is to blame for it.
const SIGNAL_HANG_UP: i32 = 1;
const SIGNAL_INTERRUPT: i32 = 2;
const SIGNAL_TERMINATE: i32 = 15;

/// A tool at work. Dropping it kills it.
pub(super) struct Run {
    child: Child,
    /// What it says.
    pub(super) stdout: ChildStdout,
    feeder: Guarded<io::Result<()>>,
    words: JoinHandle<String>,
}

impl Run {
    /// Waits for its end after all output was read.
    ///
    /// # Errors
    /// `Read` if the video could not be read, `Refused` with the tool's last words if it gave up.
    pub(super) async fn finish(mut self) -> Result<(), VideoError> {
        let status = self.child.wait().await.map_err(|_| VideoError::Unavailable("the video tool is gone".into()))?;
        // Finished by now: the tool is gone, and with it the pipe.
        if let Ok(Err(error)) = (&mut self.feeder.0).await {
            return Err(VideoError::Read(error));
        }
        if status.success() {
            return Ok(());
        }
        let words = (&mut self.words).await.unwrap_or_default();
        match status.signal() {
            Some(SIGNAL_CPU_LIMIT) => Err(VideoError::TimedOut),
            Some(SIGNAL_HANG_UP | SIGNAL_INTERRUPT | SIGNAL_TERMINATE) => {
                Err(VideoError::Unavailable("the video tool was told to end".into()))
            }
            Some(signal) => Err(VideoError::Crashed(format!("signal {signal}"))),
            None if status.code() == Some(NOT_STARTED.into()) => Err(VideoError::Unavailable(words)),
            None if words.is_empty() => Err(VideoError::Refused("it cannot be decoded".into())),
            None => Err(VideoError::Refused(words)),
        }
    }

    /// Reads all it says, `most` bytes at most, within `patience`.
    pub(super) async fn output(mut self, most: usize, patience: Duration) -> Result<Vec<u8>, VideoError> {
        let work = async move {
            let mut out = Vec::new();
            let mut limited = (&mut self.stdout).take(most as u64 + 1);
            limited.read_to_end(&mut out).await.map_err(VideoError::Read)?;
            if out.len() > most {
                return Err(VideoError::Refused("it says too much of itself".into()));
            }
            self.finish().await?;
            Ok(out)
        };
        timeout(patience, work).await.map_err(|_| VideoError::TimedOut)?
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn tools_are_found_as_soon_as_they_are_there_and_only_programs_in_absolute_folders() {
        let folder = tempfile::tempdir().unwrap();
        let among = |path| Tools::among("inframe".into(), path);
        let tools = among(std::env::join_paths([std::path::Path::new("."), folder.path()]).unwrap());
        assert!(!tools.are_there());
        for name in ["ffmpeg", "ffprobe"] {
            assert!(!tools.are_there());
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            assert!(!tools.are_there(), "a file that cannot be run is no tool");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert!(tools.are_there());
        assert!(!among(OsString::new()).are_there());
    }
}
