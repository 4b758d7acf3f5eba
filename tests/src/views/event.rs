//! Events, their members, those who ask to join, and invites.

use serde::{Deserialize, Serialize};

use super::Announcement;

#[derive(Clone, Debug, Deserialize)]
pub struct Member {
    pub id: String,
    pub nickname: String,
    pub role: String,
    pub me: bool,
    pub online: bool,
    pub looking: bool,
    pub policy: String,
    pub contact: Option<Contact>,
}

/// The full name and the e-mail address that somebody shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Contact {
    pub name: String,
    pub email: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Admission {
    pub id: String,
    pub nickname: String,
    pub verification: Vec<String>,
}

/// What a profile of this node asks of photos that show it.
#[derive(Clone, Debug, Deserialize)]
pub struct Protection {
    pub profile: String,
    pub wish: String,
    pub seen_by: u32,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    pub id: String,
    pub name: String,
    pub role: String,
    pub problem: Option<String>,
    pub members: Vec<Member>,
    pub waiting: Vec<Admission>,
    pub code: Option<Code>,
    pub policy: String,
    pub scope: String,
    pub eligible_count: u64,
    pub asset_ids: Vec<String>,
    pub received_count: u64,
    pub find_me: Option<Announcement>,
    pub find_mes: Vec<Announcement>,
    pub protections: Vec<Protection>,
    pub blur_bystanders: bool,
    pub children_present: bool,
    pub shows_contact: bool,
    pub epoch: u32,
    pub epoch_at: Option<u64>,
    pub verification: Vec<String>,
}

/// Changes to an event's local settings.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EventPatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admit_automatically: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blur_bystanders: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub children_present: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show_contact: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Invite {
    pub id: String,
    pub link: String,
    pub qr_svg: String,
    pub expires_at: u64,
    pub uses_left: u32,
    pub uses: u32,
    pub open: bool,
    pub by_hand: bool,
    pub by: Option<String>,
    pub poster: bool,
    pub joined: Vec<Invited>,
    pub waiting: u64,
}

/// A member who came in by an invite.
#[derive(Clone, Debug, Deserialize)]
pub struct Invited {
    pub id: String,
    pub nickname: String,
}

/// The code that a host shows, or showed last.
#[derive(Clone, Debug, Deserialize)]
pub struct Code {
    pub code: Option<String>,
    pub invite: String,
    pub state: String,
    pub ends_at: u64,
    pub guesses_left: u32,
}

/// What was done about an invite that leaked.
#[derive(Clone, Debug, Deserialize)]
pub struct Leak {
    pub event: Event,
    pub removed: Vec<String>,
    pub declined: u64,
    pub invite: Invite,
}
