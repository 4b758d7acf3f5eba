//! The relay through which others may reach this node: one row of the catalog.

use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow};

/// What the owner named.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRelay {
    /// Where it is, ending in `/p2p/` and its id; `None` for no relay.
    pub address: Option<String>,
    /// The token that it asks for.
    pub token: String,
}

impl KeptRow for NamedRelay {
    const KEY: &'static [u8] = b"relay";
}

/// [`NamedRelay`] in memory and in the catalog.
pub type RelayRow = Kept<NamedRelay>;
