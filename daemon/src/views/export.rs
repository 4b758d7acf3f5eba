//! What the API shows of the export.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The export that runs or ran last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportView {
    /// The folder that was named last; `inframe-export` in it holds the files.
    pub folder: Option<String>,
    /// Whether it is under way.
    pub running: bool,
    /// Originals that are done by the one under way.
    pub done_files: u64,
    /// All originals.
    pub of_files: u64,
    /// Bytes that it has written or compared.
    pub done_bytes: u64,
    /// Why the last one ended before its time.
    pub problem: Option<String>,
    /// What the last one did, if it came to its end.
    pub result: Option<ExportResultView>,
}

/// What an export did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportResultView {
    /// When it ended, Unix milliseconds.
    pub at: u64,
    /// Originals that are in the folder.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that were written this time; the others were there.
    pub new_files: u64,
    /// Damaged originals, at most 100.
    pub damaged: Vec<NotExportedView>,
    /// How many there are.
    pub damaged_count: u64,
}

/// An original that could not be exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotExportedView {
    /// Its file name.
    pub file_name: String,
    /// Why, in words.
    pub reason: String,
}

/// Where to export to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportBody {
    /// A folder that is there, a whole path.
    pub folder: String,
}
