//! Co-hosts: who is listened to, and whom they may remove.

#![allow(clippy::unwrap_used, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::deputy::{DeputyReply, WaitingJoin};
use inframe_protocol::frame::{Message as _, decode, encode};
use inframe_protocol::keys::MemberKeys;
use inframe_protocol::limits::{MAX_NICKNAME_BYTES, MAX_NODE_ID_BYTES, MAX_WAITING};
use inframe_protocol::record::RecordBody;
use inframe_protocol::roster::Role;
use inframe_protocol::{NodeId, UnixMillis};
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
