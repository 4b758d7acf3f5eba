//! Joining: the request with which the holder of an invite asks the host, and the host's reply.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::fixed_bytes;
use crate::frame::Message;
use crate::ids::{EventId, InviteId, NodeId};
use crate::invite::Invite;
use crate::keys::MemberPublic;
use crate::limits::{
    MAX_JOIN_REPLY_BYTES, MAX_JOIN_REQUEST_BYTES, MAX_MEMBERS, MAX_NICKNAME_BYTES, MAX_ROSTER_ENTRIES,
};
use crate::roster::SignedRosterEntry;
use crate::text::{FieldError, check_addresses, check_count, check_name};

/// Derives the key of the proof from the invite's secret.
const PROOF_CONTEXT: &str = "inframe 1 join proof";

/// The proof of a join request does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the join request does not prove that its sender holds the invite")]
pub struct WrongProof;

/// Asks to be admitted to an event.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The event.
    pub event: EventId,
    /// Which invite is used.
    pub invite: InviteId,
    /// The joiner's fresh keys for this event.
    pub member: MemberPublic,
    /// How the joiner wants to be called.
    pub nickname: String,
    /// Where the joiner's node may be reached.
    pub addresses: Vec<String>,
    /// Keyed hash over all of the above and both nodes (R8).
    #[serde(with = "fixed_bytes")]
    pub proof: [u8; 32],
}

/// What the proof covers besides the request's own fields.
#[derive(Serialize)]
struct Proven<'a> {
    event: EventId,
    invite: InviteId,
    host: &'a NodeId,
    joiner: &'a NodeId,
    member: MemberPublic,
    nickname: &'a str,
    addresses: &'a [String],
}

impl JoinRequest {
    /// A request by the holder of `invite`, sent from the node `joiner` to the invite's host.
    pub fn new(
        invite: &Invite,
        joiner: &NodeId,
        member: &MemberPublic,
        nickname: impl Into<String>,
        addresses: Vec<String>,
    ) -> Self {
        let mut request = Self {
            event: invite.event,
            invite: invite.id,
            member: *member,
            nickname: nickname.into(),
            addresses,
            proof: [0; 32],
        };
        request.proof = *request.prove(&invite.secret, &invite.host, joiner).as_bytes();
        request
    }

    /// R8: checks that the sender holds the invite's secret. `host` and `joiner` are the two ends of the connection, as the transport knows
    /// them, so that a request overheard or passed on proves nothing.
    ///
    /// # Errors
    /// It was made with another secret, for another host, by another node, or was changed.
    pub fn verify_proof(&self, secret: &[u8; 32], host: &NodeId, joiner: &NodeId) -> Result<(), WrongProof> {
        // blake3::Hash compares in constant time.
        if self.prove(secret, host, joiner) == blake3::Hash::from(self.proof) { Ok(()) } else { Err(WrongProof) }
    }

    fn prove(&self, secret: &[u8; 32], host: &NodeId, joiner: &NodeId) -> blake3::Hash {
        let key = Zeroizing::new(blake3::derive_key(PROOF_CONTEXT, secret));
        let proven = Proven {
            event: self.event,
            invite: self.invite,
            host,
            joiner,
            member: self.member,
            nickname: &self.nickname,
            addresses: &self.addresses,
        };
        // Writing plain fields to memory cannot fail; if it ever did, the proof would be that of nothing and be refused by the host.
        blake3::keyed_hash(&key, &postcard::to_stdvec(&proven).unwrap_or_default())
    }
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest")
            .field("event", &self.event)
            .field("invite", &self.invite)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

impl Message for JoinRequest {
    const MAX_BYTES: usize = MAX_JOIN_REQUEST_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        check_name("nickname", &self.nickname, MAX_NICKNAME_BYTES)?;
        check_addresses(&self.addresses)?;
        let unusable = FieldError::Value { field: "member", why: "its keys are not usable" };
        self.member.check().map_err(|_| unusable)
    }
}

/// Why a host does not admit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum JoinRefusal {
    /// The host knows no such invite or event, or has withdrawn it.
    #[error("the host does not know this invite: ask for a new one")]
    UnknownInvite,
    /// Its time is over.
    #[error("the invite has expired: ask the host for a new one")]
    Expired,
    /// It was used as often as it may be.
    #[error("the invite was already used: ask the host for a new one")]
    UsedUp,
    /// The proof is wrong.
    #[error("the invite does not fit: copy the whole link again")]
    WrongProof,
    /// The host said no.
    #[error("the host declined")]
    Declined,
    /// The event has as many members as it may have.
    #[error("the event is full: {MAX_MEMBERS} members are the most; ask the host to make another event")]
    EventFull,
    /// The event is over.
    #[error("the event is over")]
    EventOver,
    /// Too many requests; try again later.
    #[error("the host is busy: try again later")]
    Busy,
}

/// The host's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinReply {
    /// The host has to decide by hand: ask again later with the same request.
    Waiting,
    /// Admitted: the roster from its beginning, as far as it fits; the rest comes by sync.
    Admitted(Vec<SignedRosterEntry>),
    /// Not admitted.
    Refused(JoinRefusal),
}

impl JoinReply {
    /// R9: an admission with as much of the roster as fits one reply; the rest comes by sync.
    pub fn admitted(roster: &[SignedRosterEntry]) -> Self {
        // What a reply needs besides the entries: the kind and the count.
        let mut room = MAX_JOIN_REPLY_BYTES - 8;
        let fitting = roster.iter().take_while(|entry| {
            let left = room.checked_sub(entry.wire_bytes());
            room = left.unwrap_or(0);
            left.is_some()
        });
        Self::Admitted(fitting.cloned().collect())
    }
}

impl Message for JoinReply {
    const MAX_BYTES: usize = MAX_JOIN_REPLY_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        let Self::Admitted(entries) = self else { return Ok(()) };
        // R9
        check_count("roster", entries.len() as u64, MAX_ROSTER_ENTRIES as u64)?;
        entries.iter().try_for_each(SignedRosterEntry::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use crate::ids::UnixMillis;
    use crate::keys::MemberKeys;
    use crate::limits::MAX_ROSTER_ENTRY_BYTES;

    fn node(number: u8) -> NodeId {
        NodeId::new([number; 38]).unwrap()
    }

    fn invite() -> Invite {
        Invite {
            event: EventId([1; 32]),
            event_name: "Party".to_owned(),
            host: node(1),
            addresses: vec![],
            id: InviteId([3; 8]),
            secret: [4; 32],
            expires: UnixMillis(1_000),
        }
    }

    fn request() -> JoinRequest {
        let member = MemberKeys::generate().unwrap().public();
        JoinRequest::new(&invite(), &node(2), &member, "Ann", vec!["/ip4/10.0.0.2/tcp/7412".to_owned()])
    }

    #[test]
    fn r8_the_proof_is_bound_to_secret_and_both_nodes() {
        let request = request();
        assert_eq!(request.verify_proof(&[4; 32], &node(1), &node(2)), Ok(()));
        assert_eq!(request.verify_proof(&[5; 32], &node(1), &node(2)), Err(WrongProof));
        assert_eq!(request.verify_proof(&[4; 32], &node(3), &node(2)), Err(WrongProof));
        assert_eq!(request.verify_proof(&[4; 32], &node(1), &node(3)), Err(WrongProof));
        assert_eq!(request.verify_proof(&[4; 32], &node(2), &node(1)), Err(WrongProof));
    }

    #[test]
    fn r8_the_proof_covers_every_field() {
        let good = request();
        let other = MemberKeys::generate().unwrap().public();
        let changed = [
            JoinRequest { event: EventId([9; 32]), ..good.clone() },
            JoinRequest { invite: InviteId([9; 8]), ..good.clone() },
            JoinRequest { member: other, ..good.clone() },
            JoinRequest { nickname: "Bob".to_owned(), ..good.clone() },
            JoinRequest { addresses: vec![], ..good.clone() },
            JoinRequest { proof: [0; 32], ..good.clone() },
        ];
        for request in changed {
            assert_eq!(request.verify_proof(&[4; 32], &node(1), &node(2)), Err(WrongProof), "{request:?}");
        }
    }

    #[test]
    fn requests_and_replies_come_back_from_their_bytes() {
        let request = request();
        let frame = frame::encode(&request, MAX_JOIN_REQUEST_BYTES).unwrap();
        assert_eq!(frame::decode::<JoinRequest>(&frame, MAX_JOIN_REQUEST_BYTES).unwrap(), request);
        for reply in [JoinReply::Waiting, JoinReply::Admitted(vec![]), JoinReply::Refused(JoinRefusal::UsedUp)] {
            let frame = frame::encode(&reply, MAX_JOIN_REPLY_BYTES).unwrap();
            assert_eq!(frame::decode::<JoinReply>(&frame, MAX_JOIN_REPLY_BYTES).unwrap(), reply);
        }
    }

    #[test]
    fn d8_a_request_with_a_hostile_nickname_is_refused() {
        let mut request = request();
        request.nickname = "\u{202e}moc.elpmaxe".to_owned();
        let body = postcard::to_stdvec(&request).unwrap();
        assert!(matches!(frame::decode_body::<JoinRequest>(&body, 9_999), Err(frame::FrameError::Field(_))));
    }

    #[test]
    fn r9_an_admission_holds_as_much_of_the_roster_as_fits() {
        let entry = |len: usize| -> SignedRosterEntry {
            let signed = (vec![7_u8; len], crate::keys::Signature([0; 64]));
            postcard::from_bytes(&postcard::to_stdvec(&signed).unwrap()).unwrap()
        };
        let roster = vec![entry(MAX_ROSTER_ENTRY_BYTES); 40];
        let reply = JoinReply::admitted(&roster);
        let JoinReply::Admitted(entries) = &reply else { panic!("{reply:?}") };
        assert_eq!(entries.len(), 6);
        assert!(frame::encode(&reply, MAX_JOIN_REPLY_BYTES).is_ok());
        let long = postcard::to_stdvec(&JoinReply::Admitted(vec![entry(MAX_ROSTER_ENTRY_BYTES + 1)])).unwrap();
        assert!(matches!(frame::decode_body::<JoinReply>(&long, usize::MAX), Err(frame::FrameError::Field(_))));
    }
}
