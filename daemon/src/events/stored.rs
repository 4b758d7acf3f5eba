//! An event as this node keeps it: the shared state, my keys in it, and my own settings for it.

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::join::JoinRequest;
use inframe_protocol::{FindMeId, InviteId, MemberId, NodeId};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::faces::ProfileId;
use crate::library::AssetId;
use crate::sharing::policy::Policy;
use crate::vault::Versioned;

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

/// The row of the catalog.
#[derive(Serialize, Deserialize)]
pub struct StoredEvent {
    /// The shared state, in the protocol's own versioned form; empty before the first roster entry arrived.
    pub state: Vec<u8>,
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
    /// Those who wait for my answer.
    pub waiting: Vec<WaitingAdmission>,
    /// Those whom I refused.
    pub declined: BTreeSet<MemberId>,
    /// Nodes that I removed; they never come back without my yes.
    pub removed_nodes: BTreeSet<NodeId>,
}

impl Versioned for StoredEvent {
    const VERSION: u8 = 2;
    type Before = first::StoredEvent;
}

/// The form of the first version: only the owner could be announced.
mod first {
    use std::collections::{BTreeMap, BTreeSet};

    use inframe_protocol::{FindMeId, MemberId, NodeId};
    use serde::{Deserialize, Serialize};

    use super::{IssuedInvite, Joining, LocalSettings, ProfileId, WaitingAdmission};

    #[derive(Clone, Copy, Serialize, Deserialize)]
    pub struct Announcing {
        pub(super) find_me: FindMeId,
        pub(super) since: u64,
        pub(super) until: u64,
        pub(super) record_expires: u64,
        pub(super) epoch: u32,
    }

    #[derive(Serialize, Deserialize)]
    pub struct StoredEvent {
        pub(super) state: Vec<u8>,
        pub(super) invited_name: String,
        pub(super) member_keys: Vec<u8>,
        pub(super) event_key: Option<[u8; 32]>,
        pub(super) settings: LocalSettings,
        pub(super) announcing: Option<Announcing>,
        pub(super) joining: Option<Joining>,
        pub(super) invites: Vec<IssuedInvite>,
        pub(super) waiting: Vec<WaitingAdmission>,
        pub(super) declined: BTreeSet<MemberId>,
        pub(super) removed_nodes: BTreeSet<NodeId>,
    }

    crate::first_version!(StoredEvent);

    impl From<Announcing> for super::Announcing {
        fn from(Announcing { find_me, since, until, record_expires, epoch }: Announcing) -> Self {
            Self { find_me, since, until, record_expires, epoch, live: false }
        }
    }

    impl From<StoredEvent> for super::StoredEvent {
        fn from(old: StoredEvent) -> Self {
            let announcing: BTreeMap<_, _> =
                old.announcing.map(|mine| (ProfileId::ME, mine.into())).into_iter().collect();
            Self {
                state: old.state,
                invited_name: old.invited_name,
                member_keys: old.member_keys,
                event_key: old.event_key,
                settings: old.settings,
                announcing,
                joining: old.joining,
                invites: old.invites,
                waiting: old.waiting,
                declined: old.declined,
                removed_nodes: old.removed_nodes,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Older;

    #[test]
    fn an_announcement_of_the_first_version_is_the_owners() {
        let announcing =
            first::Announcing { find_me: FindMeId([3; 16]), since: 1, until: 9, record_expires: 5, epoch: 2 };
        let old = first::StoredEvent {
            state: vec![1],
            invited_name: "Party".into(),
            member_keys: vec![2],
            event_key: None,
            settings: LocalSettings {
                policy: Policy::Ask,
                persons: BTreeMap::new(),
                takes: Takes::All,
                chosen: BTreeSet::new(),
                taken_out: BTreeSet::new(),
                admit_automatically: true,
            },
            announcing: Some(announcing),
            joining: None,
            invites: Vec::new(),
            waiting: Vec::new(),
            declined: BTreeSet::new(),
            removed_nodes: BTreeSet::new(),
        };
        let event = StoredEvent::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        let mine = event.announcing[&ProfileId::ME];
        assert_eq!((mine.find_me, mine.until, mine.live), (FindMeId([3; 16]), 9, false));
        assert!(event.settings.admit_automatically && event.announcing.len() == 1);
    }
}
