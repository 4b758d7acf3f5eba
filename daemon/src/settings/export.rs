//! The export that was wished for last, and what came of it: one row of the catalog, so that one that a restart cut is gone on with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow};

/// What the owner wished for, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportPlan {
    /// The folder that was named last, an absolute path.
    pub folder: Option<String>,
    /// Whether it is to be exported to, or is being.
    pub wished: bool,
    /// What came of the last one that ended.
    pub result: Option<ExportResult>,
    /// Why the last one ended before its time, in words.
    pub problem: Option<String>,
}

impl ExportPlan {
    /// The folder to export to, if that is wished for.
    #[must_use]
    pub fn wished_folder(&self) -> Option<PathBuf> {
        self.folder.as_ref().filter(|_| self.wished).map(PathBuf::from)
    }
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportResult {
    /// When it ended, Unix milliseconds.
    pub at: u64,
    /// Originals that are in the folder.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that were written this time.
    pub new_files: u64,
    /// Damaged originals, the first of them: file name and reason.
    pub damaged: Vec<(String, String)>,
    /// How many there are.
    pub damaged_count: u64,
}

impl KeptRow for ExportPlan {
    const KEY: &'static [u8] = b"export";
}

/// [`ExportPlan`] in memory and in the catalog.
pub type ExportRow = Kept<ExportPlan>;
