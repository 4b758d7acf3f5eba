//! Videos: what a file is, what it says, a poster, frames to look for faces in, a copy that browsers play, and the bytes that may leave.
//!
//! All of it is done by `ffmpeg` and `ffprobe`, found at run time and run confined ([`Tools`]); this process never decodes a frame. A video goes to them through a
//! pipe, decrypted piece by piece, so that no plain byte of it touches a disk (promise D3) and memory does not grow with its size. A pipe cannot be
//! sought, which one family of containers needs: the index of MP4 and MOV files often lies at their end. [`Input`] sends such a file with its index in
//! front, as if it had been written for streaming. The ways not taken:
//!
//! | way | why not |
//! |---|---|
//! | a temporary file | plain bytes on the disk (D3) |
//! | a sealed memory file, opened as `/proc/self/fd/N` | the whole video in memory, once more than the disk's cache; fails for files of gigabytes |
//! | an HTTP server for ranges on the loopback interface | the tool would need the network, the one thing that its confinement takes away first; and every program of the machine could knock |
//! | a FUSE mount | needs rights that a service does not have |

mod copy;
mod format;
mod fragments;
mod frames;
mod input;
pub mod limits;
mod moov;
mod probe;
mod tool;

use std::io;

pub use copy::{CopyFile, Wanted};
pub use format::VideoFormat;
pub use frames::{Frame, Frames};
pub use input::{Input, InputError, ReadAt};
pub use probe::{Playing, VideoFacts};
pub use tool::Tools;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// The tools are not installed.
    #[error(
        "ffmpeg is not installed, so videos are kept but not shown or searched: install it (on Debian and Ubuntu: apt install ffmpeg); it is then found by itself"
    )]
    NoTools,
    /// The file's own fault. Trying again does not help.
    #[error("the video cannot be read: {0}")]
    Refused(String),
    /// As before, found out without the tools.
    #[error("{0}")]
    Input(#[from] InputError),
    /// The tool died over this file. Counts as a strike.
    #[error("the video could not be read: its decoder stopped ({0})")]
    Crashed(String),
    /// The tool was stopped because it took too long. Counts as a strike.
    #[error("the video could not be read: it took too long")]
    TimedOut,
    /// The stored file could not be read, or the result not be stored.
    #[error("the stored video cannot be read or written: {0}")]
    Read(io::Error),
    /// Nothing is wrong with the file. Try again later.
    #[error("videos cannot be read at the moment: {0}")]
    Unavailable(String),
}

impl VideoError {
    /// Whether this outcome speaks against the file, so that three of them end the trying.
    #[must_use]
    pub fn is_strike(&self) -> bool {
        matches!(self, Self::Crashed(_) | Self::TimedOut)
    }

    /// Whether trying again cannot help.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Input(error) => !matches!(error, InputError::Read(_)),
            _ => false,
        }
    }
}
