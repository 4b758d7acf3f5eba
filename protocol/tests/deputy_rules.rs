//! Co-hosts: who is listened to, and whom they may remove.

#![allow(clippy::unwrap_used, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::deputy::{DeputyInvite, DeputyReply, DeputyRequest, WaitingJoin};
use inframe_protocol::frame::{Message as _, decode, encode};
use inframe_protocol::invite::Invite;
use inframe_protocol::keys::MemberKeys;
use inframe_protocol::limits::{
    MAX_ADDRESSES, MAX_DEPUTY_INVITES, MAX_EVENT_NAME_BYTES, MAX_INVITE_LIFE_MS, MAX_INVITE_USES, MAX_NICKNAME_BYTES,
    MAX_NODE_ID_BYTES, MAX_WAITING,
};
use inframe_protocol::record::RecordBody;
use inframe_protocol::roster::Role;
use inframe_protocol::{EventId, InviteId, NodeId, UnixMillis};
use party::{Guest, Party, START};

fn with_role(party: &mut Party, guest: usize, role: Role) {
    let member = party.guests[guest].id();
    let entry = party.writer().change_role(&member, role, START).unwrap();
    party.host().state.apply_roster(&entry).unwrap();
    party.spread_roster();
}

#[test]
fn r71_nobody_but_a_co_host_is_listened_to() {
    let mut party = Party::of(3);
    let heard = |party: &Party| -> Vec<bool> {
        let host = &party.guests[0].state;
        party.guests.iter().map(|guest| host.co_host_by_node(&guest.node).is_some()).collect()
    };
    assert_eq!(heard(&party), [false, false, false], "neither the host nor plain members");
    with_role(&mut party, 1, Role::CoHost);
    assert_eq!(heard(&party), [false, true, false]);
    let stranger = Guest::new(party.key.event_id(), 9);
    assert!(party.guests[0].state.co_host_by_node(&stranger.node).is_none());
    with_role(&mut party, 1, Role::Member);
    assert_eq!(heard(&party), [false, false, false], "the role was taken back");
    with_role(&mut party, 2, Role::CoHost);
    let (left, _) = party.guests[2].state.write(RecordBody::Leave, START).unwrap();
    party.host().state.receive(&left, START).unwrap();
    assert_eq!(heard(&party), [false, false, false], "who has left decides nothing");
}

#[test]
fn r72_all_who_may_wait_fit_into_one_answer_and_no_more() {
    let one = WaitingJoin {
        member: MemberKeys::from_bytes([4; 64]).public(),
        node: NodeId::new(vec![2; MAX_NODE_ID_BYTES]).unwrap(),
        nickname: "x".repeat(MAX_NICKNAME_BYTES),
        at: UnixMillis(u64::MAX),
    };
    let of = |count: usize| encode(&DeputyReply::Waiting(vec![one.clone(); count]), DeputyReply::MAX_BYTES);
    let full = of(MAX_WAITING).unwrap();
    let read: DeputyReply = decode(&full, DeputyReply::MAX_BYTES).unwrap();
    assert_eq!(read, DeputyReply::Waiting(vec![one.clone(); MAX_WAITING]));
    assert!(of(MAX_WAITING + 1).is_err());
}

#[test]
fn r72_a_co_hosts_invites_fit_into_one_answer_and_are_asked_for_within_bounds() {
    let event = EventId([7; 32]);
    let one = DeputyInvite {
        invite: Invite {
            event,
            event_name: "a".repeat(MAX_EVENT_NAME_BYTES),
            host: NodeId::new(vec![2; MAX_NODE_ID_BYTES]).unwrap(),
            addresses: vec![format!("/{}", "a".repeat(127)); MAX_ADDRESSES],
            id: InviteId([3; 8]),
            secret: [4; 32],
            expires: UnixMillis(u64::MAX),
        },
        uses: u32::MAX,
        uses_left: u32::MAX,
    };
    let of = |one: &DeputyInvite, count: usize| {
        encode(&DeputyReply::Invites(vec![one.clone(); count]), DeputyReply::MAX_BYTES)
    };
    let read: DeputyReply = decode(&of(&one, MAX_DEPUTY_INVITES).unwrap(), DeputyReply::MAX_BYTES).unwrap();
    assert_eq!(read, DeputyReply::Invites(vec![one.clone(); MAX_DEPUTY_INVITES]));
    assert!(of(&one, MAX_DEPUTY_INVITES + 1).is_err());
    let nameless = Invite { event_name: String::new(), ..one.invite.clone() };
    assert!(of(&DeputyInvite { invite: nameless, ..one }, 1).is_err());

    let asks =
        |uses, life_ms| encode(&DeputyRequest::Invite { event, uses, life_ms }, DeputyRequest::MAX_BYTES).is_ok();
    assert!(asks(1, 1) && asks(MAX_INVITE_USES, MAX_INVITE_LIFE_MS));
    assert!(!asks(0, 1) && !asks(1, 0) && !asks(MAX_INVITE_USES + 1, 1) && !asks(1, MAX_INVITE_LIFE_MS + 1));
}

#[test]
fn r73_co_hosts_remove_plain_members_only() {
    let mut party = Party::of(4);
    with_role(&mut party, 1, Role::CoHost);
    with_role(&mut party, 2, Role::CoHost);
    let host = &party.guests[0].state;
    let removable: Vec<bool> = party.guests.iter().map(|guest| host.is_for_co_hosts_to_remove(&guest.id())).collect();
    assert_eq!(removable, [false, false, false, true]);
    let stranger = Guest::new(party.key.event_id(), 9);
    assert!(!host.is_for_co_hosts_to_remove(&stranger.id()));
}
