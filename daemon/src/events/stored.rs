//! An event as this node keeps it: the shared state, my keys in it, and my own settings for it.

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::code::OpenCode;
use inframe_protocol::join::JoinRequest;
use inframe_protocol::{FindMeId, InviteId, MemberId, NodeId};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::faces::ProfileId;
use crate::library::AssetId;
use crate::sharing::policy::Policy;
use crate::vault::Versioned;

mod older;

/// Which of my photos take part in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Takes {
    /// Those taken between start and end.
    Window,
    /// All.
    All,
    /// Those chosen by hand only.
    Chosen,
}

impl Takes {
    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Takes::Window => "window",
            Takes::All => "all",
            Takes::Chosen => "chosen",
        }
    }

    /// Reads the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Takes::Window, Takes::All, Takes::Chosen].into_iter().find(|takes| takes.word() == word)
    }
}

/// My settings for an event; they never leave the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalSettings {
    /// Policy for the event.
    pub policy: Policy,
    /// Policies for persons that differ from it.
    pub persons: BTreeMap<MemberId, Policy>,
    /// Which photos take part.
    pub takes: Takes,
    /// Photos added by hand.
    pub chosen: BTreeSet<AssetId>,
    /// Photos taken out by hand.
    pub taken_out: BTreeSet<AssetId>,
    /// Host: valid invites are admitted without asking.
    pub admit_automatically: bool,
}

/// The standing announcement of one of my profiles in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcing {
    /// The find-me, renewed under the same id.
    pub find_me: FindMeId,
    /// Start, Unix milliseconds.
    pub since: u64,
    /// End of my consent, Unix milliseconds.
    pub until: u64,
    /// When the record in the log expires; renewed well before.
    pub record_expires: u64,
    /// Epoch whose projection the template was made with.
    pub epoch: u32,
    /// What the record says about the selfies: taken live or not.
    pub live: bool,
}

/// An invite that I issued.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct IssuedInvite {
    /// Id.
    #[zeroize(skip)]
    pub id: InviteId,
    /// Secret.
    pub secret: [u8; 32],
    /// Link that holds it.
    pub link: String,
    /// Expiry, Unix milliseconds.
    pub expires: u64,
    /// Uses left.
    pub uses_left: u32,
    /// Uses when it was made.
    pub uses: u32,
    /// From its making to its expiry, milliseconds.
    pub life_ms: u64,
    /// Whether who comes by it waits for a yes, whatever the event's setting says.
    pub by_hand: bool,
    /// The co-host who asked for it, if it was one; it is worth nothing once they are none any more.
    #[zeroize(skip)]
    pub by: Option<MemberId>,
}

impl IssuedInvite {
    /// Whether it can still be used, as far as it alone tells.
    pub(super) fn is_valid(&self, now: u64) -> bool {
        self.expires > now && self.uses_left > 0
    }
}

/// The code that stands for one of my invites, or the last that did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ShownCode {
    /// The code, and how it stands.
    pub open: OpenCode,
    /// The invite.
    pub invite: InviteId,
}

impl std::fmt::Debug for IssuedInvite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuedInvite {{ id: {:?}, uses_left: {}, secret: hidden }}", self.id, self.uses_left)
    }
}

/// Somebody who proved to hold an invite and waits for my answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingAdmission {
    /// Their request.
    pub request: JoinRequest,
    /// Their node.
    pub node: NodeId,
    /// When they asked first, Unix milliseconds.
    pub at: u64,
}

/// My own wish to join.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct Joining {
    /// The invite link.
    pub link: String,
    /// Why it ended, in words, if it did.
    pub problem: Option<String>,
    /// When I pasted it, Unix milliseconds.
    pub at: u64,
}

impl std::fmt::Debug for Joining {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Joining {{ problem: {:?}, link: hidden }}", self.problem)
    }
}

/// The head row of an event: everything but the roster entries, the records and the alarms, which have rows of their own.
#[derive(Serialize, Deserialize)]
pub struct StoredEvent {
    /// Number of roster entries, each in a row of its own.
    pub entries: u32,
    /// Name as the invite gave it, until the roster tells.
    pub invited_name: String,
    /// My member keys.
    pub member_keys: Vec<u8>,
    /// The event key, if I am host.
    pub event_key: Option<[u8; 32]>,
    /// My settings.
    pub settings: LocalSettings,
    /// My announcements, by profile.
    pub announcing: BTreeMap<ProfileId, Announcing>,
    /// My wish to join, until admitted.
    pub joining: Option<Joining>,
    /// Invites that I issued.
    pub invites: Vec<IssuedInvite>,
    /// The code that I show, or showed last.
    pub code: Option<ShownCode>,
    /// Those who wait for my answer.
    pub waiting: Vec<WaitingAdmission>,
    /// Those whom I refused.
    pub declined: BTreeSet<MemberId>,
    /// Nodes that I removed; they never come back without my yes.
    pub removed_nodes: BTreeSet<NodeId>,
    /// Roster and records in one, as older versions kept them in this row; moved into rows of their own when the event is read.
    #[serde(skip)]
    pub in_one: Option<Vec<u8>>,
}

impl Versioned for StoredEvent {
    const VERSION: u8 = 5;
    type Before = older::FourthEvent;
}

/// The row of an event in the form of the second version.
#[cfg(test)]
pub(super) fn older_row(entry: &super::entry::Entry) -> Vec<u8> {
    let old = older::SecondEvent {
        state: entry.state.to_bytes(),
        invited_name: entry.invited_name.clone(),
        member_keys: entry.keys.to_bytes().to_vec(),
        event_key: entry.event_key.as_ref().map(|key| *key.seed()),
        settings: entry.settings.clone(),
        announcing: entry.announcing.clone(),
        joining: entry.joining.clone(),
        invites: entry.invites.iter().map(older::FirstInvite::from).collect(),
        waiting: entry.waiting.clone(),
        declined: entry.declined.clone(),
        removed_nodes: entry.removed_nodes.clone(),
    };
    postcard::to_extend(&old, vec![2]).unwrap_or_default()
}
