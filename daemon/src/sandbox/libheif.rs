//! HEIC through libheif: its small program `heif-dec` (`heif-convert` in older versions), found at run time and run confined.
//!
//! The photo goes in through memory and a JPEG comes out through a pipe, so that nothing of it touches a disk (promise D3). The JPEG is then treated
//! like any stranger's JPEG, in a child.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::refusal::Refusal;
use super::tool::{Tool, ToolBudget};
use super::{SandboxError, limits};

/// Where packages put it; never looked for where others may write.
const PLACES: [&str; 4] =
    ["/usr/bin/heif-dec", "/usr/bin/heif-convert", "/usr/local/bin/heif-dec", "/usr/local/bin/heif-convert"];

/// The program, if it is there.
pub(super) fn find() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|place| place.is_file())
}

/// Has the program decode a photo.
pub(super) async fn to_jpeg(inframe: &Path, tool: &Path, photo: &[u8]) -> Result<Vec<u8>, SandboxError> {
    let unavailable =
        |error: std::io::Error| SandboxError::Unavailable(format!("libheif cannot be run ({})", error.kind()));
    let input = in_memory(photo).map_err(unavailable)?;
    let name = OutputName::new().map_err(unavailable)?;
    let budget = ToolBudget {
        memory_bytes: limits::LIBHEIF_ADDRESS_BYTES,
        processor_time: limits::JOB_PROCESSOR_TIME,
        file_bytes: 0,
        open_files: limits::LIBHEIF_OPEN_FILES,
    };
    let output = name.path();
    let arguments = [Path::new("--quiet"), Path::new("-q"), Path::new("95"), Path::new("/proc/self/fd/0"), &output];
    let mut child =
        Tool::new(inframe, tool, budget).command(arguments).stdin(Stdio::from(input)).spawn().map_err(unavailable)?;
    let mut jpeg = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        let mut pipe = pipe.take(limits::MAX_FILE_BYTES as u64);
        match timeout(limits::DECODE_TIMEOUT, pipe.read_to_end(&mut jpeg)).await {
            Err(_) => return Err(SandboxError::TimedOut),
            Ok(read) => read.map_err(unavailable)?,
        };
    }
    let ended = timeout(limits::CLOSE_TIMEOUT, child.wait()).await.map_err(|_| SandboxError::TimedOut)?;
    if !ended.map_err(unavailable)?.success() || jpeg.is_empty() {
        return Err(Refusal::Damaged("libheif cannot read it either".to_string()).into());
    }
    Ok(jpeg)
}

/// A file that has no place on a disk.
fn in_memory(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("photo", rustix::fs::MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

/// A name that ends in `.jpg`, by which the program knows what to write, for its standard output. Removed when dropped.
struct OutputName {
    folder: PathBuf,
}

impl OutputName {
    fn new() -> std::io::Result<Self> {
        let mut id = [0; 8];
        getrandom::fill(&mut id).map_err(std::io::Error::other)?;
        let folder = std::env::temp_dir().join(format!("inframe-{}", data_encoding::HEXLOWER.encode(&id)));
        // Fails if it is there, so that nobody can have laid a link of their own.
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&folder)?;
        let name = Self { folder };
        symlink("/proc/self/fd/1", name.path())?;
        Ok(name)
    }

    fn path(&self) -> PathBuf {
        self.folder.join("photo.jpg")
    }
}

impl Drop for OutputName {
    fn drop(&mut self) {
        // A folder with one link that stays behind holds nothing of the photo.
        let _ = std::fs::remove_file(self.path());
        let _ = std::fs::remove_dir(&self.folder);
    }
}
