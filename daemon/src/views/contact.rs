//! What the API shows of the name and the e-mail address of somebody.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A name and an e-mail address; either may be empty.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContactView {
    /// Name, at most 128 bytes.
    pub name: String,
    /// E-mail address, at most 254 bytes. Nobody has checked that it is theirs.
    pub email: String,
}

/// Prints neither.
impl std::fmt::Debug for ContactView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContactView(hidden)")
    }
}
