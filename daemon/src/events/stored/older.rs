//! The rows that older versions wrote.

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::{FindMeId, InviteId, MemberId, NodeId};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Announcing, IssuedInvite, Joining, LocalSettings, ProfileId, ShownCode, StoredEvent, WaitingAdmission};
use crate::vault::Versioned;

/// Life of invites of which it was not kept, milliseconds: what most had.
const LIFE_MS: u64 = 48 * 3_600_000;

/// An invite as the first three versions kept it.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct FirstInvite {
    #[zeroize(skip)]
    pub(super) id: InviteId,
    pub(super) secret: [u8; 32],
    pub(super) link: String,
    pub(super) expires: u64,
    pub(super) uses_left: u32,
}

impl From<FirstInvite> for SecondInvite {
    fn from(mut old: FirstInvite) -> Self {
        Self {
            id: old.id,
            secret: old.secret,
            link: std::mem::take(&mut old.link),
            expires: old.expires,
            uses_left: old.uses_left,
            uses: old.uses_left.max(1),
            life_ms: LIFE_MS,
        }
    }
}

/// An invite as the fourth version kept it.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct SecondInvite {
    #[zeroize(skip)]
    id: InviteId,
    secret: [u8; 32],
    link: String,
    expires: u64,
    uses_left: u32,
    uses: u32,
    life_ms: u64,
}

impl From<SecondInvite> for IssuedInvite {
    fn from(mut old: SecondInvite) -> Self {
        Self {
            id: old.id,
            secret: old.secret,
            link: std::mem::take(&mut old.link),
            expires: old.expires,
            uses_left: old.uses_left,
            uses: old.uses,
            life_ms: old.life_ms,
            by_hand: false,
            by: None,
        }
    }
}

#[cfg(test)]
impl From<&IssuedInvite> for FirstInvite {
    fn from(new: &IssuedInvite) -> Self {
        let IssuedInvite { id, secret, link, expires, uses_left, .. } = new;
        Self { id: *id, secret: *secret, link: link.clone(), expires: *expires, uses_left: *uses_left }
    }
}

/// The form of the fourth version: an invite was always the host's own, and what came of it was the event's setting.
#[derive(Serialize, Deserialize)]
pub struct FourthEvent {
    entries: u32,
    invited_name: String,
    member_keys: Vec<u8>,
    event_key: Option<[u8; 32]>,
    settings: LocalSettings,
    announcing: BTreeMap<ProfileId, Announcing>,
    joining: Option<Joining>,
    invites: Vec<SecondInvite>,
    code: Option<ShownCode>,
    waiting: Vec<WaitingAdmission>,
    declined: BTreeSet<MemberId>,
    removed_nodes: BTreeSet<NodeId>,
    #[serde(skip)]
    in_one: Option<Vec<u8>>,
}

impl Versioned for FourthEvent {
    const VERSION: u8 = 4;
    type Before = ThirdEvent;
}

impl From<FourthEvent> for StoredEvent {
    fn from(old: FourthEvent) -> Self {
        Self {
            entries: old.entries,
            invited_name: old.invited_name,
            member_keys: old.member_keys,
            event_key: old.event_key,
            settings: old.settings,
            announcing: old.announcing,
            joining: old.joining,
            invites: old.invites.into_iter().map(IssuedInvite::from).collect(),
            code: old.code,
            waiting: old.waiting,
            declined: old.declined,
            removed_nodes: old.removed_nodes,
            in_one: old.in_one,
        }
    }
}

/// The form of the third version: nothing was known of an invite but what is left of it, and there were no codes.
#[derive(Serialize, Deserialize)]
pub struct ThirdEvent {
    pub(super) entries: u32,
    pub(super) invited_name: String,
    pub(super) member_keys: Vec<u8>,
    pub(super) event_key: Option<[u8; 32]>,
    pub(super) settings: LocalSettings,
    pub(super) announcing: BTreeMap<ProfileId, Announcing>,
    pub(super) joining: Option<Joining>,
    pub(super) invites: Vec<FirstInvite>,
    pub(super) waiting: Vec<WaitingAdmission>,
    pub(super) declined: BTreeSet<MemberId>,
    pub(super) removed_nodes: BTreeSet<NodeId>,
    #[serde(skip)]
    pub(super) in_one: Option<Vec<u8>>,
}

impl Versioned for ThirdEvent {
    const VERSION: u8 = 3;
    type Before = SecondEvent;
}

impl From<ThirdEvent> for FourthEvent {
    fn from(old: ThirdEvent) -> Self {
        Self {
            entries: old.entries,
            invited_name: old.invited_name,
            member_keys: old.member_keys,
            event_key: old.event_key,
            settings: old.settings,
            announcing: old.announcing,
            joining: old.joining,
            invites: old.invites.into_iter().map(SecondInvite::from).collect(),
            code: None,
            waiting: old.waiting,
            declined: old.declined,
            removed_nodes: old.removed_nodes,
            in_one: old.in_one,
        }
    }
}

/// The form of the second version: roster and records stood in it, in the protocol's own form.
#[derive(Serialize, Deserialize)]
pub struct SecondEvent {
    pub(super) state: Vec<u8>,
    pub(super) invited_name: String,
    pub(super) member_keys: Vec<u8>,
    pub(super) event_key: Option<[u8; 32]>,
    pub(super) settings: LocalSettings,
    pub(super) announcing: BTreeMap<ProfileId, Announcing>,
    pub(super) joining: Option<Joining>,
    pub(super) invites: Vec<FirstInvite>,
    pub(super) waiting: Vec<WaitingAdmission>,
    pub(super) declined: BTreeSet<MemberId>,
    pub(super) removed_nodes: BTreeSet<NodeId>,
}

impl Versioned for SecondEvent {
    const VERSION: u8 = 2;
    type Before = FirstEvent;
}

impl From<SecondEvent> for ThirdEvent {
    fn from(old: SecondEvent) -> Self {
        Self {
            entries: 0,
            invited_name: old.invited_name,
            member_keys: old.member_keys,
            event_key: old.event_key,
            settings: old.settings,
            announcing: old.announcing,
            joining: old.joining,
            invites: old.invites,
            waiting: old.waiting,
            declined: old.declined,
            removed_nodes: old.removed_nodes,
            in_one: Some(old.state),
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct FirstAnnouncing {
    pub(super) find_me: FindMeId,
    pub(super) since: u64,
    pub(super) until: u64,
    pub(super) record_expires: u64,
    pub(super) epoch: u32,
}

/// The form of the first version: only the owner could be announced.
#[derive(Serialize, Deserialize)]
pub struct FirstEvent {
    pub(super) state: Vec<u8>,
    pub(super) invited_name: String,
    pub(super) member_keys: Vec<u8>,
    pub(super) event_key: Option<[u8; 32]>,
    pub(super) settings: LocalSettings,
    pub(super) announcing: Option<FirstAnnouncing>,
    pub(super) joining: Option<Joining>,
    pub(super) invites: Vec<FirstInvite>,
    pub(super) waiting: Vec<WaitingAdmission>,
    pub(super) declined: BTreeSet<MemberId>,
    pub(super) removed_nodes: BTreeSet<NodeId>,
}

crate::first_version!(FirstEvent);

impl From<FirstAnnouncing> for Announcing {
    fn from(FirstAnnouncing { find_me, since, until, record_expires, epoch }: FirstAnnouncing) -> Self {
        Self { find_me, since, until, record_expires, epoch, live: false }
    }
}

impl From<FirstEvent> for SecondEvent {
    fn from(old: FirstEvent) -> Self {
        let announcing: BTreeMap<_, _> = old.announcing.map(|mine| (ProfileId::ME, mine.into())).into_iter().collect();
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

#[cfg(test)]
mod tests {
    use super::super::Takes;
    use super::*;
    use crate::sharing::policy::Policy;
    use crate::vault::Older;

    #[test]
    fn an_announcement_of_the_first_version_is_the_owners() {
        let announcing =
            FirstAnnouncing { find_me: FindMeId([3; 16]), since: 1, until: 9, record_expires: 5, epoch: 2 };
        let old = FirstEvent {
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
        assert_eq!(event.in_one, Some(vec![1]));
    }

    #[test]
    fn an_invite_of_the_third_version_keeps_what_is_left_of_it() {
        let invite = FirstInvite {
            id: InviteId([3; 8]),
            secret: [4; 32],
            link: "inframe://join/x".into(),
            expires: 9,
            uses_left: 5,
        };
        let old = ThirdEvent {
            entries: 2,
            invited_name: "Party".into(),
            member_keys: vec![2],
            event_key: Some([1; 32]),
            settings: LocalSettings {
                policy: Policy::Ask,
                persons: BTreeMap::new(),
                takes: Takes::All,
                chosen: BTreeSet::new(),
                taken_out: BTreeSet::new(),
                admit_automatically: false,
            },
            announcing: BTreeMap::new(),
            joining: None,
            invites: vec![invite],
            waiting: Vec::new(),
            declined: BTreeSet::new(),
            removed_nodes: BTreeSet::new(),
            in_one: None,
        };
        let event = StoredEvent::read(3, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        let one = &event.invites[0];
        assert_eq!((one.id, one.secret, one.link.as_str()), (InviteId([3; 8]), [4; 32], "inframe://join/x"));
        assert_eq!((one.uses_left, one.uses, one.life_ms, event.entries), (5, 5, LIFE_MS, 2));
        assert!(event.code.is_none() && !one.by_hand && one.by.is_none());
    }

    #[test]
    fn an_invite_of_the_fourth_version_is_the_hosts_own() {
        let invite = SecondInvite {
            id: InviteId([3; 8]),
            secret: [4; 32],
            link: "inframe://join/x".into(),
            expires: 9,
            uses_left: 5,
            uses: 7,
            life_ms: 8,
        };
        let one = IssuedInvite::from(invite);
        assert_eq!((one.id, one.secret, one.link.as_str()), (InviteId([3; 8]), [4; 32], "inframe://join/x"));
        assert_eq!((one.expires, one.uses_left, one.uses, one.life_ms), (9, 5, 7, 8));
        assert!(!one.by_hand && one.by.is_none());
    }
}
