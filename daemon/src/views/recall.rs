//! What the API shows of photos that are asked back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody asks the owner to delete a photo that they had sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecallView {
    /// Id.
    pub id: String,
    /// Event id.
    pub event: String,
    /// Event name.
    pub event_name: String,
    /// Who asks.
    pub nickname: String,
    /// The photo; absent while it lies in the trash.
    pub asset: Option<String>,
    /// When they asked first.
    pub at: u64,
}

/// What the owner decides.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecallBody {
    /// Whether it is deleted for good; else it is kept, and they are told so.
    pub delete: bool,
}
