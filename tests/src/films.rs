//! Videos made of the sample photos, with the real `ffmpeg`: each photo is shown for a while, slowly coming nearer, then the next.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::photos;

/// Frames a second.
const RATE: u32 = 25;

/// Whether the tools are installed. Without them a test says that it is skipped; where nothing may be skipped it fails.
///
/// # Errors
/// When they are missing and `CI` is set.
pub fn tools(test: &str) -> Result<bool> {
    let there = ["ffmpeg", "ffprobe"].into_iter().all(|tool| Command::new(tool).arg("-version").output().is_ok());
    if there {
        return Ok(true);
    }
    if std::env::var_os("CI").is_some() {
        bail!("ffmpeg is not installed: apt install ffmpeg");
    }
    eprintln!("skipped: {test} needs ffmpeg");
    Ok(false)
}

/// How a film is made.
#[derive(Clone, Copy, Debug)]
pub struct Film<'a> {
    /// Numbers of the sample photos, in order.
    pub photos: &'a [u32],
    /// Seconds for each.
    pub seconds: u32,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// How it is encoded and what it says, as arguments for the tool.
    pub encoding: &'a [&'a str],
}

/// H.264 with AAC, as phones record it.
pub const PHONE: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"];

/// As [`PHONE`], filled up to 200 Mbit a second whatever the pictures: for files of a certain size.
pub const LARGE: &[&str] = &[
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-pix_fmt",
    "yuv420p",
    "-b:v",
    "200M",
    "-minrate",
    "200M",
    "-maxrate",
    "200M",
    "-bufsize",
    "200M",
    "-x264-params",
    "nal-hrd=cbr:filler=1",
    "-c:a",
    "aac",
];
/// Bytes of a second of [`LARGE`], about.
pub const LARGE_BYTES_A_SECOND: u64 = 25_000_000;

impl Film<'_> {
    /// Makes it at `path`, whose extension says the container.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn make(&self, path: &Path) -> Result<Vec<u8>> {
        let Self { photos, seconds, size: (width, height), encoding } = self;
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
        let mut filter = String::new();
        for (index, photo) in photos.iter().enumerate() {
            command.args(["-loop", "1", "-t", &seconds.to_string(), "-i"]);
            command.arg(photos::sample_dir()?.join(format!("sample{photo}.jpg")));
            filter.push_str(&format!(
                "[{index}:v]scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height},setsar=1,\
                 zoompan=z='1+0.02*on/{RATE}':d=1:s={width}x{height}:fps={RATE}[v{index}];"
            ));
        }
        let parts: String = (0..photos.len()).map(|index| format!("[v{index}]")).collect();
        filter.push_str(&format!("{parts}concat=n={}:v=1[v]", photos.len()));
        command.args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-filter_complex", &filter]);
        command.args(["-map", "[v]", "-map", &format!("{}:a", photos.len())]);
        command.args(["-t", &(seconds * photos.len() as u32).to_string()]).args(*encoding).arg(path);
        run(&mut command)?;
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// Another file with the same pictures and sound.
///
/// # Errors
/// When the tool fails.
pub fn repacked(from: &Path, to: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-i"]).arg(from);
    run(command.args(["-c", "copy"]).args(arguments).arg(to))?;
    std::fs::read(to).with_context(|| format!("cannot read {}", to.display()))
}

fn run(command: &mut Command) -> Result<()> {
    let done = command.output().context("cannot start ffmpeg")?;
    ensure!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// What `ffprobe` says of a file.
///
/// # Errors
/// When it cannot be read as a video.
pub fn probe(path: &Path) -> Result<serde_json::Value> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-print_format", "json", "-show_format", "-show_streams"]).arg(path);
    let done = command.output().context("cannot start ffprobe")?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(serde_json::from_slice(&done.stdout)?)
}

/// A folder with links to the tools, to be put into `PATH` alone.
///
/// # Errors
/// When they are not installed.
pub fn link_tools(folder: &Path) -> Result<()> {
    for tool in ["ffmpeg", "ffprobe"] {
        let folders = std::env::var_os("PATH").context("no PATH")?;
        let found: Option<PathBuf> =
            std::env::split_paths(&folders).map(|dir| dir.join(tool)).find(|path| path.is_file());
        std::os::unix::fs::symlink(found.with_context(|| format!("{tool} is not installed"))?, folder.join(tool))?;
    }
    Ok(())
}
