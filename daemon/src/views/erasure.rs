//! What the API shows of bringing back and of erasing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What erasing everything would destroy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErasureView {
    /// Photos, videos and files in the library.
    pub photos: u64,
    /// Their size.
    pub photo_bytes: u64,
    /// The same in the trash.
    pub in_trash: u64,
    /// Their size.
    pub trash_bytes: u64,
    /// People who were found in them.
    pub people: u64,
    /// Events.
    pub events: u64,
    /// Those of them that this node hosts.
    pub hosted: u64,
    /// Selfies of profiles.
    pub selfies: u64,
    /// The key file, which is destroyed as well; absent where none opens the vault.
    pub key_file: Option<String>,
    /// Where a backup lies, which stays as it is.
    pub backup_folder: Option<String>,
}

/// A backup that is being brought back, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RestoreView {
    /// `running`, `failed` or `done`.
    pub state: String,
    /// Files that are done.
    pub files: u64,
    /// All files.
    pub of_files: u64,
    /// Bytes that are done.
    pub bytes: u64,
    /// All bytes.
    pub of_bytes: u64,
    /// Files that are damaged or missing in the backup.
    pub lost: u64,
    /// Why it failed, in words.
    pub problem: Option<String>,
}
