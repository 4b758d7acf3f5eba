//! Host and members in one process, with bytes passed by hand and a clock that can be moved.

mod alarms;
mod invites;
mod protecting;
mod rows;

use std::collections::BTreeSet;

use inframe_protocol::join::{JoinReply, JoinRequest};
use inframe_protocol::{EventId, NodeId};
use tempfile::TempDir;

use super::*;
use crate::data_dir::DataDir;
use crate::vault::KeyFile;

const DAY_MS: u64 = 24 * 3_600_000;

/// One node and the folder that it lives in.
struct Place {
    events: Events,
    vault: Vault,
    _folder: TempDir,
}

fn node(number: u8) -> NodeId {
    NodeId::new([number; 38]).unwrap()
}

fn place(number: u8) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path().join("data")).unwrap();
    let vault = Vault::open(&dir, &KeyFile::at(folder.path().join("key"))).unwrap();
    Place { events: Events::open(vault.clone(), Live::default(), node(number)).unwrap(), vault, _folder: folder }
}

/// What a node would ask the host, for the only event that it wants to join.
fn request(joiner: &Place) -> JoinRequest {
    joiner.events.join_requests("Guest", &[]).pop().unwrap().2
}

/// The guest of this number asks, the host admits.
fn join(host: &Place, event: &EventId, number: u8) -> Place {
    let guest = place(number);
    let link =
        host.events.issue_invite(event, Vec::new(), Terms { life_ms: DAY_MS, uses: 1, by_hand: false }).unwrap().link;
    guest.events.begin_joining(&link).unwrap();
    let asked = request(&guest);
    assert_eq!(host.events.answer_join(&node(number), asked.clone()).unwrap(), JoinReply::Waiting);
    host.events.decide_admission(event, &asked.member.member_id(), true).unwrap();
    let JoinReply::Admitted(roster) = host.events.answer_join(&node(number), asked).unwrap() else { panic!() };
    assert!(guest.events.take(event, &roster, &[]).problem.is_none());
    guest
}

/// Gives everything that one node wants told to others.
fn pass(from: &Place, to: &[&Place]) {
    for outgoing in from.events.take_outgoing() {
        for one in to {
            assert!(one.events.take(&outgoing.event, &outgoing.roster, &outgoing.records).problem.is_none());
        }
    }
}

fn epoch(at: &Place, event: &EventId) -> u32 {
    at.events.describe(event, now_ms()).unwrap().epoch
}

fn members(at: &Place, event: &EventId) -> BTreeSet<NodeId> {
    at.events.describe(event, now_ms()).unwrap().members.into_iter().map(|member| member.node).collect()
}

fn party(guests: u8) -> (EventId, Place, Vec<Place>) {
    let host = place(0);
    let event = host.events.create("Picnic".into(), None, None, "Host".into()).unwrap();
    let guests: Vec<Place> = (1..=guests).map(|number| join(&host, &event, number)).collect();
    pass(&host, &guests.iter().rev().skip(1).collect::<Vec<_>>());
    (event, host, guests)
}

#[test]
fn a_host_gives_new_keys_once_a_week_and_on_demand() {
    let (event, host, guests) = party(2);
    let projection = |at: &Place| at.events.search(&event, now_ms()).unwrap().projection.0;
    let (first, topic) = (projection(&host), host.events.topic(&event).unwrap());
    host.events.keep_roster(now_ms() + 6 * DAY_MS).unwrap();
    assert_eq!(epoch(&host, &event), 0, "the week is not over");
    let later = now_ms() + 8 * DAY_MS;
    host.events.keep_roster(later).unwrap();
    host.events.keep_roster(later + DAY_MS).unwrap();
    assert_eq!(epoch(&host, &event), 1, "once");
    pass(&host, &[&guests[0]]);
    assert_eq!((epoch(&guests[0], &event), projection(&guests[0])), (1, first), "find-mes stay live");
    assert_ne!(guests[0].events.topic(&event), Some(topic), "the keys are others");
    assert_eq!(guests[0].events.topic(&event), host.events.topic(&event));
    host.events.renew_keys(&event).unwrap();
    assert_eq!(epoch(&host, &event), 2);
    assert!(matches!(guests[0].events.renew_keys(&event), Err(EventsError::NotHost)));
    guests[0].events.keep_roster(later + 30 * DAY_MS).unwrap();
    assert_eq!(epoch(&guests[0], &event), 1, "only the host does");
}

#[test]
fn an_event_long_over_or_with_nobody_else_keeps_its_keys() {
    let host = place(0);
    let now = now_ms();
    let alone = host.events.create("Alone".into(), None, None, "Host".into()).unwrap();
    let over = host.events.create("Over".into(), Some(now - 9), Some(now), "Host".into()).unwrap();
    let _guest = join(&host, &over, 1);
    host.events.keep_roster(now + 91 * DAY_MS).unwrap();
    assert_eq!((epoch(&host, &alone), epoch(&host, &over)), (0, 0));
    host.events.keep_roster(now + 89 * DAY_MS).unwrap();
    assert_eq!((epoch(&host, &alone), epoch(&host, &over)), (0, 1));
}

#[test]
fn those_who_leave_within_minutes_go_under_one_epoch() {
    let (event, host, guests) = party(3);
    let leave = |guest: &Place| {
        guest.events.leave(&event).unwrap();
        pass(guest, &[&host]);
    };
    leave(&guests[0]);
    assert_eq!(members(&host, &event), BTreeSet::from([node(0), node(2), node(3)]), "at once");
    assert!(!host.events.listens_to(&event, &node(1)) && host.events.shared_with(&node(1)).is_empty());
    host.events.keep_roster(now_ms()).unwrap();
    assert_eq!(epoch(&host, &event), 1);
    leave(&guests[1]);
    host.events.keep_roster(now_ms()).unwrap();
    assert_eq!(epoch(&host, &event), 1, "the next ones may follow");
    host.events.keep_roster(now_ms() + 21 * 60_000).unwrap();
    assert_eq!(epoch(&host, &event), 2);
    assert_eq!(members(&host, &event), BTreeSet::from([node(0), node(3)]));
}

#[test]
fn whoever_left_can_come_back_at_once() {
    let (event, host, guests) = party(2);
    host.events.renew_keys(&event).unwrap();
    guests[0].events.leave(&event).unwrap();
    pass(&guests[0], &[&host]);
    host.events.keep_roster(now_ms()).unwrap();
    assert_eq!(epoch(&host, &event), 1, "not put down yet");
    let back = join(&host, &event, 1);
    assert_eq!(members(&back, &event), BTreeSet::from([node(0), node(1), node(2)]));
    assert_eq!(epoch(&back, &event), 2, "with keys of after the leave");
}

#[test]
fn d1_a_farewell_outlives_a_restart_and_goes_once_it_is_said() {
    let (event, host, mut guests) = party(2);
    pass(&host, &[&guests[0]]);
    let leaver = guests.remove(0);
    leaver.events.leave(&event).unwrap();
    assert!(leaver.events.describe(&event, now_ms()).is_none());
    let again = Events::open(leaver.vault.clone(), Live::default(), node(1)).unwrap();
    let (_, record, untold) = again.farewells_to_say().pop().unwrap();
    assert_eq!(BTreeSet::from_iter(untold), BTreeSet::from([node(0), node(2)]));
    let known: BTreeSet<NodeId> = again.known_nodes().into_iter().map(|(node, _)| node).collect();
    assert_eq!(known, BTreeSet::from([node(0), node(2)]), "they are still dialled");
    again.farewell_said(&event, &[node(2)], now_ms()).unwrap();
    let third = Events::open(leaver.vault.clone(), Live::default(), node(1)).unwrap();
    assert_eq!(third.farewells_to_say()[0].2, [node(0)]);
    assert!(host.events.take(&event, &[], &[record]).problem.is_none());
    third.farewell_said(&event, &[node(0)], now_ms()).unwrap();
    assert!(third.farewells_to_say().is_empty() && third.known_nodes().is_empty());
    assert!(Events::open(leaver.vault.clone(), Live::default(), node(1)).unwrap().farewells_to_say().is_empty());
}

#[test]
fn both_sides_of_a_waiting_request_show_the_same_words() {
    let host = place(0);
    let event = host.events.create("Picnic".into(), None, None, "Host".into()).unwrap();
    let ask = |number: u8| {
        let guest = place(number);
        let link = host
            .events
            .issue_invite(&event, Vec::new(), Terms { life_ms: DAY_MS, uses: 1, by_hand: false })
            .unwrap()
            .link;
        guest.events.begin_joining(&link).unwrap();
        host.events.answer_join(&node(number), request(&guest)).unwrap();
        guest.events.describe(&event, now_ms()).unwrap().verification
    };
    let (first, second) = (ask(1), ask(2));
    let seen: Vec<Vec<&str>> =
        host.events.describe(&event, now_ms()).unwrap().waiting.into_iter().map(|one| one.verification).collect();
    assert_eq!(seen, [first.clone(), second.clone()]);
    assert!(first.len() == 6 && first != second, "{first:?}");
    assert!(host.events.describe(&event, now_ms()).unwrap().verification.is_empty());
}
