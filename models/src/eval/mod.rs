//! How well a pack does on labelled photos: who is told apart, which faces are found.
//!
//! A folder is one of three, or holds folders that are:
//!
//! | folder with | what is measured |
//! |---|---|
//! | `pairs.csv` (`file_x,file_y,Decision`, `Yes` for one person) | recognition; files joined by `Yes` are one person |
//! | `boxes.json` (`{"photo.jpg": [{"x", "y", "w", "h", "ignore"}]}`, pixels) | detection; photos without an entry have no face |
//! | two or more folders of photos, one for each person | recognition |
//!
//! Unlike the rest of the crate this reads photos by name and decodes them in its own process: it is for the files of whoever runs it.

mod curve;
mod detection;
mod faces;
mod labels;
mod people;
mod report;
mod variant;

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

pub use curve::{AtThreshold, Curve};
pub use detection::Detections;
pub use faces::{LabelledFace, labelled_faces, unlabelled_faces};
pub use people::{KeyedCurve, Recognition, Selfies, Strangers};
pub use variant::Variant;

use crate::Engine;
use labels::Labels;

/// Why an evaluation could not be made.
#[derive(Debug, Error)]
pub enum EvalError {
    /// A folder or file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Nothing in the folder says who or where the faces are.
    #[error(
        "{} has no labels: it needs a pairs.csv, a boxes.json, or two or more folders with photos of one person each",
        path.display()
    )]
    NoLabels {
        /// The folder.
        path: PathBuf,
    },
    /// A label file is not as it should be.
    #[error("{}: {reason}", path.display())]
    Labels {
        /// The label file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The photos cannot be changed as asked.
    #[error("{0}")]
    Variant(&'static str),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] crate::EngineError),
}

/// Makes the template of an embedding under the key of a number.
pub type Project<'a> = dyn Fn(u32, &[f32]) -> Option<Vec<u8>> + 'a;

/// Protected templates, which another crate makes: an embedding under the key of event number so-and-so, and how far two are apart.
pub struct Protection<'a> {
    /// Number of event keys to measure with.
    pub keys: u32,
    /// The template of an embedding under a key; `None` when it gives none.
    pub project: &'a Project<'a>,
    /// Distance of two templates under one key.
    pub distance: &'a dyn Fn(&[u8], &[u8]) -> f32,
}

impl std::fmt::Debug for Protection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protection").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`Pack::id`](crate::Pack::id).
    pub pack: String,
    /// How the photos were changed before.
    pub variant: Variant,
    /// One for each labelled folder.
    pub parts: Vec<Part>,
}

/// What was measured on one labelled folder.
#[derive(Debug, Clone, Serialize)]
pub struct Part {
    /// The folder.
    pub folder: PathBuf,
    /// Photos that were looked at.
    pub photos: usize,
    /// Photos that could not be decoded, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Time that the engine took for all photos, in seconds.
    pub seconds: f64,
    /// Of people who are labelled.
    pub recognition: Option<Recognition>,
    /// Of boxes that are labelled.
    pub detection: Option<Detections>,
    /// Different people in one photo.
    pub within_photos: Strangers,
    /// Different people anywhere in the folder. Where only boxes are labelled, every face counts as another person.
    pub strangers: Strangers,
}

/// Evaluates a labelled folder, or each one in a folder. `progress` is told before each photo: its name, how many are done, and of how many.
///
/// # Errors
/// When there are no labels, they cannot be read, or the engine fails; a photo that cannot be decoded is reported and left out.
pub fn evaluate(
    engine: &Engine,
    folder: &Path,
    variant: Variant,
    protection: Option<&Protection<'_>>,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Report, EvalError> {
    variant.check()?;
    let mut parts = Vec::new();
    for labels in Labels::find(folder)? {
        parts.push(people::part(engine, labels, variant, protection, progress)?);
    }
    Ok(Report { pack: engine.pack_id().to_owned(), variant, parts })
}
