//! What the API shows of who can see what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who can see what of the owner's, and what leaves this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PrivacyView {
    /// Who holds photos that this node sent, most photos first.
    pub shares: Vec<ShareView>,
    /// What the owner's rules allow from now on, event by event.
    pub rules: Vec<RuleView>,
    /// Faces of others that are held here, event by event, while they look for themselves.
    pub faces_held: Vec<HeldFacesView>,
    /// Sealed photos that are kept here for others, unreadable to this node.
    pub kept_for_others: u64,
    /// What leaves this machine besides photos; empty when nothing does.
    pub leaves: Vec<LeavesView>,
}

/// Photos that a member was sent. They cannot be called back by technical means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShareView {
    /// Event id.
    pub event: String,
    /// Event name.
    pub event_name: String,
    /// Member id.
    pub member: String,
    /// What the member is called; empty once they have left.
    pub nickname: String,
    /// How many photos and videos they have.
    pub photos: u64,
    /// When the last one arrived there.
    pub last_at: u64,
}

/// What may leave by the owner's rules for one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleView {
    /// Event id.
    pub event: String,
    /// Event name.
    pub event_name: String,
    /// `ask`, `automatic` or `never`.
    pub policy: String,
    /// Which photos take part: `none`, `window`, `chosen` or `all`.
    pub takes: String,
    /// Other members.
    pub members: u64,
    /// Members for whom another rule holds.
    pub own_rules: u64,
}

/// Faces of others that this node compares the owner's photos with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeldFacesView {
    /// Event id.
    pub event: String,
    /// Event name.
    pub event_name: String,
    /// How many.
    pub faces: u64,
}

/// Something that leaves this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeavesView {
    /// `local-network`, `members`, `contact`, `details`, `guests`, `relay`, `notices` or `keeper`.
    pub kind: String,
    /// What leaves and to whom, in a sentence.
    pub text: String,
}
