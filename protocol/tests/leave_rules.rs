//! Leaving (R50): what a member's last word does everywhere, however and whenever it arrives.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::event::Change;
use inframe_protocol::limits::{MAX_RECORDS_PER_AUTHOR, RECORD_WINDOW_MS};
use inframe_protocol::record::{RecordBody, RecordError, Subject};
use inframe_protocol::roster::RosterError;
use party::{HOUR, Party, START, catch_up};

const DAY: u64 = 24 * HOUR;

/// A party whose second guest announced and then left; both records.
fn left() -> (Party, Vec<u8>, Vec<u8>) {
    let mut party = Party::of(4);
    let id = party.guests[1].fresh_id();
    let (announced, _) = party.guests[1].announce(id, START, 20 * HOUR).unwrap();
    let (leave, _) = party.guests[1].state.write(RecordBody::Leave, START.plus(1)).unwrap();
    (party, announced, leave)
}

#[test]
fn r50_whoever_left_is_no_member_and_their_find_mes_end() {
    let (mut party, announced, leave) = left();
    let (leaver, node) = (party.guests[1].id(), party.guests[1].node.clone());
    let find_me = party.guests[2].state.receive(&announced, START).unwrap();
    let [Change::FindMe(find_me)] = find_me[..] else { panic!("{find_me:?}") };
    assert_eq!(party.guests[2].found(START).len(), 1);
    let changes = party.guests[2].state.receive(&leave, START.plus(1)).unwrap();
    assert_eq!(changes, [Change::MemberLeft(leaver), Change::Withdrawn(find_me)]);
    let state = &party.guests[2].state;
    assert!(state.has_left(&leaver) && state.member(&leaver).is_none() && state.member_by_node(&node).is_none());
    assert_eq!((state.members().count(), state.leavers()), (3, vec![leaver]));
    assert!(party.guests[2].found(START.plus(1)).is_empty());
    assert_eq!(party.guests[2].state.receive(&leave, START.plus(2)), Ok(vec![]), "known");
    party.guests[2].restart();
    assert!(party.guests[2].state.has_left(&leaver), "it was stored");
}

#[test]
fn r50_the_order_of_arrival_does_not_matter_and_nothing_follows_a_leave() {
    let (mut party, announced, leave) = left();
    let guest = &mut party.guests[1];
    let profile = RecordBody::Profile { nickname: "Back".to_owned(), addresses: vec![] };
    assert_eq!(guest.state.write(profile, START.plus(2)), Err(RecordError::NotAMember));
    // One who announces all the same, with a number after the leave.
    let header = guest.header(START.0 + 100, START.plus(3));
    let fresh = guest.find_me(guest.fresh_id(), 1, Subject::Me, START.plus(HOUR));
    let after = guest.forge(header, &RecordBody::FindMe(fresh));
    for order in [[&announced, &leave, &after], [&after, &leave, &announced], [&leave, &after, &announced]] {
        let mut listener = party.guests[2].clone();
        order.iter().for_each(|record| drop(listener.state.receive(record, START.plus(3)).unwrap()));
        assert!(listener.found(START.plus(3)).is_empty());
        assert_eq!(listener.state.leavers(), [party.guests[1].id()]);
    }
}

#[test]
fn r50_a_leave_waits_for_an_absent_host_who_then_removes_all_at_once() {
    let (mut party, _, leave) = left();
    let (second, _) = party.guests[3].state.write(RecordBody::Leave, START.plus(1)).unwrap();
    for record in [&leave, &second] {
        party.guests[2].state.receive(record, START.plus(1)).unwrap();
    }
    // R33: weeks later it is still there, and heals the host.
    let late = START.plus(30 * DAY);
    assert!(late.0 - START.0 > RECORD_WINDOW_MS);
    party.guests[2].state.prune(late);
    let holder = party.guests[2].clone();
    catch_up(party.host(), &holder, late);
    let mut leavers = [party.guests[1].id(), party.guests[3].id()];
    leavers.sort();
    assert_eq!(party.guests[0].state.leavers(), leavers);
    let entries = party.writer().remove_all_and_rotate(&leavers, late).unwrap();
    assert_eq!(entries.len(), 3, "two removals under one epoch");
    for entry in &entries {
        let changes = party.guests[2].state.apply_roster(entry).unwrap();
        assert!(changes.iter().all(|change| !matches!(change, Change::MemberRemoved(_))), "no news: {changes:?}");
    }
    let roster = party.guests[2].state.roster();
    assert_eq!((roster.epoch(), roster.epoch_at(), roster.members().len()), (1, late, 2));
    assert!(party.guests[2].state.leavers().is_empty());
    assert!(party.guests[2].state.current_grant().is_some());
    assert_eq!(party.guests[2].state.receive(&leave, late), Err(RecordError::AuthorRemoved));
    assert_eq!(party.writer().remove_all_and_rotate(&[], late).unwrap(), []);
}

#[test]
fn r50_a_leave_is_not_pushed_out_by_later_records() {
    let (mut party, _, leave) = left();
    let mut listener = party.guests[2].clone();
    listener.state.receive(&leave, START.plus(1)).unwrap();
    for number in 0..MAX_RECORDS_PER_AUTHOR as u64 + 5 {
        let guest = &party.guests[1];
        let withdraw = RecordBody::Withdraw { find_me: guest.fresh_id() };
        let bytes = guest.forge(guest.header(START.0 + 10 + number, START.plus(2)), &withdraw);
        listener.state.receive(&bytes, START.plus(2)).unwrap();
    }
    let id = party.host().id();
    assert!(listener.state.has_left(&party.guests[1].id()) && !listener.state.has_left(&id));
    assert_eq!(listener.state.vector().authors[0].1.len(), MAX_RECORDS_PER_AUTHOR);
}

#[test]
fn r50_a_host_who_leaves_is_gone_and_stays_in_the_roster() {
    let mut party = Party::of(3);
    let host = party.guests[0].id();
    let (leave, _) = party.guests[0].state.write(RecordBody::Leave, START).unwrap();
    let changes = party.guests[1].state.receive(&leave, START).unwrap();
    assert_eq!(changes, [Change::MemberLeft(host)]);
    let state = &party.guests[1].state;
    assert!(state.member(&host).is_none() && state.roster().host().is_some() && state.leavers().is_empty());
    assert_eq!(party.writer().remove_all_and_rotate(&[host], START), Err(RosterError::HostStays));
}
