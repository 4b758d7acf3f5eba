//! What the API shows of the trash.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something in the trash; its pictures are where those of any asset are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrashedView {
    /// The asset.
    pub id: String,
    /// Name of its file.
    pub file_name: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Upright width in pixels; 0 when there is no picture.
    pub width: u32,
    /// Upright height in pixels; 0 when there is no picture.
    pub height: u32,
    /// Length of a video in milliseconds.
    pub duration_ms: Option<u64>,
    /// For what cannot be shown, the ending of its name.
    pub file: Option<String>,
    /// Whether it came from somebody else.
    pub received: bool,
    /// When it was moved into the trash, Unix milliseconds.
    pub trashed_at: u64,
    /// When it is deleted for good, Unix milliseconds; a clock that is set does not make that earlier by more than a week.
    pub purged_at: u64,
    /// Days left until then, begun ones counted in full.
    pub days_left: u32,
}

/// The trash, or a part of it: newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrashView {
    /// Some of it.
    pub items: Vec<TrashedView>,
    /// Ask for `before` this to get what follows; absent at the end.
    pub next: Option<String>,
    /// Everything in it.
    pub total: u64,
    /// Bytes of the originals in it.
    pub total_bytes: u64,
    /// Files of what was deleted for good that are still being erased.
    pub erasing: u64,
    /// Days that something stays in it.
    pub kept_days: u32,
}

/// Photos in the trash, at most 1,000.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrashBody {
    /// Their ids.
    pub assets: Vec<String>,
}

/// What became of a wish to the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrashDoneView {
    /// Photos that were restored, or deleted for good. Those that were not in the trash any more do not count.
    pub done: u64,
    /// Photos left in the trash.
    pub total: u64,
    /// Files of what was deleted for good that are still being erased.
    pub erasing: u64,
}
