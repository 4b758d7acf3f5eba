//! Child processes in which every stranger's byte is decoded: photos, their metadata, and faces in them.
//!
//! The daemon never decodes an image itself. [`Sandbox`] keeps a small pool of children of the same binary (`inframe worker`), hands each job over
//! a pipe and takes the answer back; a child that hangs is killed, one that crashes is replaced, and idle ones go, so that an idle daemon holds no
//! model in memory. A child confines itself before it reads its first byte (`child::confine`); what the kernel does not offer is said in
//! the [`Report`]. Absent on purpose: file access, network, the vault, and any name of a file.
//!
//! What it costs, measured on two cores of an AMD EPYC server in the development profile, on an otherwise idle machine, by
//! `cargo test -p inframe --test sandbox cost -- --ignored --nocapture`:
//!
//! | | |
//! |---|---|
//! | a first tiny image, with the start of a child | 5 to 6 ms |
//! | inspecting a JPEG of 12 megapixels and 4.8 MB | 121 to 124 ms, 1.9 times what decoding it alone takes the image crate in the same run (64 to 66 ms) |
//! | first faces, with the loading of the model | 260 to 270 ms |
//! | a photo with three faces | 90 to 97 ms |
//! | resident memory of a child that has done little | 14 MiB |
//! | the most while it inspects these 12 megapixels | 77 MiB, 39 MiB of which stay until it goes |
//! | with the face model | 190 MiB, which go with it after [`limits::IDLE`] |

mod answers;
pub mod child;
mod config;
mod confinement;
pub mod container;
mod frame;
mod handle;
mod libheif;
pub mod limits;
mod message;
mod model;
mod pool;
mod process;
mod processor_time;
mod refusal;
pub mod tool;

pub use config::{SandboxConfig, SandboxStatus, Timeouts, most_processes};
pub use confinement::Report;
pub use container::Format;
pub use handle::Sandbox;
pub use message::{CaptureTime, Details, EnrolledFace, Film, FoundFaces, FractionRect, Inspection, Place, Told};
pub use model::Model;
pub use process::CHILD_ARGUMENT;
pub use refusal::Refusal;
pub(crate) use refusal::tame;

/// Why a job gave no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SandboxError {
    /// The file's own fault, in words for the person who gave it. Trying again does not help.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The child died over this file. Counts as a strike.
    #[error("the image could not be read: its decoder stopped ({0})")]
    Crashed(String),
    /// The child was stopped because it took too long. Counts as a strike.
    #[error("the image could not be read: it took too long")]
    TimedOut,
    /// The file is larger than the sandbox takes.
    #[error("the file is larger than {} MiB, the most that can be read as an image", limits::MAX_FILE_BYTES / (1024 * 1024))]
    TooLarge,
    /// Nothing is wrong with the file: the model pack does not load or run.
    #[error("the model pack cannot be used: {0}")]
    Model(String),
    /// Nothing is wrong with the file: no child could be had. Try again later.
    #[error("images cannot be read at the moment: {0}")]
    Unavailable(String),
}

impl SandboxError {
    /// Whether this outcome speaks against the file, so that three of them put it in quarantine.
    #[must_use]
    pub fn is_strike(&self) -> bool {
        matches!(self, Self::Crashed(_) | Self::TimedOut)
    }
}
