//! Every rule of rosters (R12 to R20, R47), broken by a host who holds the event's key and means harm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::event::Change;
use inframe_protocol::frame::FrameError;
use inframe_protocol::keys::{EventKey, KeyError};
use inframe_protocol::limits::{MAX_MEMBERS, MAX_ROSTER_BYTES, MAX_ROSTER_ENTRIES, MAX_ROSTER_ENTRY_BYTES};
use inframe_protocol::roster::{Role, Roster, RosterBody, RosterEntry, RosterError, RosterWriter};
use inframe_protocol::sync::{Slices, StateVector};
use inframe_protocol::{EventId, MemberId, NodeId, UnixMillis};
use party::{Guest, Party, START, catch_up, read_entry, sign_entry};

/// What the second guest says to an entry that the host forged.
fn refusal(party: &Party, body: impl FnOnce(&Party) -> RosterBody) -> RosterError {
    let body = body(party);
    let entry = party.forge(|entry| entry.body = body);
    let mut state = party.guests[1].state.clone();
    let before = state.vector();
    let refused = state.apply_roster(&entry).unwrap_err();
    assert_eq!(state.vector(), before, "a refused entry changes nothing");
    refused
}

fn joined(guest: &Guest) -> RosterBody {
    let new = guest.joining();
    let grant = inframe_protocol::keys::seal_to(&new.member.seal, "x", b"", &[0; 64]).unwrap();
    RosterBody::Joined { member: new.member, node: new.node, nickname: new.nickname, invite: None, grant }
}

#[test]
fn r12_an_entry_is_canonical_short_and_of_this_event() {
    let party = Party::of(2);
    let mut state = party.guests[1].state.clone();
    let other = party.forge(|entry| entry.event = EventId([1; 32]));
    assert_eq!(state.apply_roster(&other), Err(RosterError::WrongEvent));
    for (bytes, error) in [(vec![1; 3], FrameError::CutOff), (vec![], FrameError::CutOff)] {
        let entry = sign_entry(&party.key, &bytes);
        assert_eq!(state.apply_roster(&entry), Err(RosterError::Unreadable(error)));
    }
    let long = sign_entry(&party.key, &vec![0; MAX_ROSTER_ENTRY_BYTES + 1]);
    assert!(matches!(state.apply_roster(&long), Err(RosterError::Unreadable(FrameError::Field(_)))));
}

#[test]
fn r13_only_the_key_of_the_event_signs() {
    let party = Party::of(2);
    let honest = party.writer().change("Feast", None, None, START).unwrap();
    let mut state = party.guests[1].state.clone();
    let (bytes, _): (Vec<u8>, inframe_protocol::keys::Signature) =
        postcard::from_bytes(&postcard::to_stdvec(&honest).unwrap()).unwrap();
    let forged = sign_entry(&EventKey::generate().unwrap(), &bytes);
    assert_eq!(state.apply_roster(&forged), Err(RosterError::BadSignature));
    // A signature of the right key for another purpose is none.
    let signed = (&bytes, party.key.sign("inframe 1 record", &bytes));
    let forged = postcard::from_bytes(&postcard::to_stdvec(&signed).unwrap()).unwrap();
    assert_eq!(state.apply_roster(&forged), Err(RosterError::BadSignature));
    assert_eq!(state.apply_roster(&honest), Ok(vec![Change::EventChanged]));
}

#[test]
fn r13_each_changed_bit_of_an_entry_is_noticed() {
    let party = Party::of(2);
    let honest = postcard::to_stdvec(&party.writer().change("Feast", None, None, START).unwrap()).unwrap();
    for bit in 0..honest.len() * 8 {
        let mut changed = honest.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(entry) = postcard::from_bytes(&changed) else { continue };
        assert!(party.guests[1].state.clone().apply_roster(&entry).is_err(), "bit {bit}");
    }
}

#[test]
fn r14_entries_follow_one_another() {
    let mut party = Party::of(2);
    let state = party.guests[1].state.clone();
    let next = state.roster().next_index();
    let gap = party.forge(|entry| entry.index += 1);
    assert_eq!(state.clone().apply_roster(&gap), Err(RosterError::Gap { expected: next, found: next + 1 }));
    let unchained = party.forge(|entry| entry.previous = [7; 32]);
    assert_eq!(state.clone().apply_roster(&unchained), Err(RosterError::WrongPrevious));
    // An entry that comes too early is taken when those before it are there.
    let (first, second) = (party.rotate(), party.rotate());
    let state = &mut party.guests[1].state;
    assert!(matches!(state.apply_roster(&second), Err(RosterError::Gap { .. })));
    assert_eq!(state.apply_roster(&first), Ok(vec![Change::EpochChanged(1)]));
    assert_eq!(state.apply_roster(&second), Ok(vec![Change::EpochChanged(2)]));
    assert_eq!(state.apply_roster(&second), Ok(vec![]), "known already");
}

#[test]
fn r15_two_stories_of_the_host_are_noticed() {
    let mut party = Party::of(3);
    let one = party.writer().change("Feast", None, None, START).unwrap();
    let other = party.writer().change("Funeral", None, None, START).unwrap();
    let index = party.guests[0].state.roster().next_index();
    party.guests[1].state.apply_roster(&one).unwrap();
    party.guests[2].state.apply_roster(&other).unwrap();
    assert_eq!(party.guests[1].state.apply_roster(&other), Err(RosterError::Forked { index }));
    let (one, other) = (&party.guests[1].state, &party.guests[2].state);
    assert!(one.contradicts(&other.vector()) && other.contradicts(&one.vector()));
    let behind = &party.guests[0].state;
    assert!(!one.contradicts(&behind.vector()) && !behind.contradicts(&one.vector()), "behind is no contradiction");
    let nothing = StateVector { roster: 0, head: [7; 32], oldest_epoch: 0, slices: Slices::ALL, authors: Vec::new() };
    assert!(!one.contradicts(&nothing) && !one.missing_for(&nothing).is_empty(), "a head of no entries says nothing");
    // Far apart in length as well.
    let grant = other.current_grant().unwrap().clone();
    let longer = RosterWriter::new(&party.key, other.roster()).unwrap().rotate(&grant, START).unwrap();
    let mut other = other.clone();
    other.apply_roster(&longer).unwrap();
    assert!(other.contradicts(&one.vector()));
}

#[test]
fn r47_who_was_told_another_story_gets_the_proof() {
    let mut party = Party::of(3);
    let one = party.writer().change("Feast", None, None, START).unwrap();
    let other = party.writer().change("Funeral", None, None, START).unwrap();
    party.guests[1].state.apply_roster(&one).unwrap();
    party.guests[2].state.apply_roster(&other).unwrap();
    let id = party.guests[2].fresh_id();
    party.guests[2].announce(id, START, 1_000).unwrap();
    let page = party.guests[2].state.missing_for(&party.guests[1].state.vector());
    assert_eq!((page.roster.as_slice(), page.records.len(), page.more), ([other].as_slice(), 0, false));
    let refused = party.guests[1].state.apply_roster(&page.roster[0]);
    assert!(matches!(refused, Err(RosterError::Forked { .. })), "{refused:?}");
}

#[test]
fn r16_an_event_is_created_once_and_first() {
    let party = Party::of(2);
    let created = |party: &Party| {
        let host = &party.guests[0];
        let RosterBody::Joined { grant, .. } = joined(host) else { unreachable!() };
        RosterBody::Created {
            name: "Again".to_owned(),
            host: host.keys.public(),
            node: host.node.clone(),
            nickname: "Host".to_owned(),
            starts: None,
            ends: None,
            grant,
        }
    };
    assert_eq!(refusal(&party, created), RosterError::NotTheBeginning);
    let mut fresh = Guest::new(party.key.event_id(), 9);
    let first = party.forge(|entry| (entry.index, entry.previous) = (0, [0; 32]));
    assert_eq!(fresh.state.apply_roster(&first), Err(RosterError::NotTheBeginning));
}

#[test]
fn r17_nobody_joins_twice_and_no_key_is_used_twice() {
    let mut party = Party::of(3);
    let event = party.key.event_id();
    assert_eq!(refusal(&party, |party| joined(&party.guests[2])), RosterError::KeysInUse);
    let same_node = Guest { node: party.guests[2].node.clone(), ..Guest::new(event, 9) };
    assert_eq!(refusal(&party, |_| joined(&same_node)), RosterError::NodeInUse);
    let removed = party.guests[2].clone();
    party.remove(&removed.id());
    party.spread_roster_to(1);
    let back = Guest { node: NodeId::new([99; 38]).unwrap(), ..removed.clone() };
    assert_eq!(refusal(&party, |_| joined(&back)), RosterError::KeysInUse);
    // With fresh keys the same node may come back.
    let fresh = Guest { node: removed.node, ..Guest::new(event, 9) };
    let entry = party.forge(|entry| entry.body = joined(&fresh));
    assert_eq!(party.guests[1].state.apply_roster(&entry), Ok(vec![Change::MemberJoined(fresh.id())]));
}

#[test]
fn r11_nobody_joins_with_keys_that_everybody_has() {
    let party = Party::of(2);
    let weak = |party: &Party| {
        let RosterBody::Joined { mut member, node: _, nickname, invite, grant } = joined(&party.guests[0]) else {
            unreachable!()
        };
        member.seal = [0; 32];
        RosterBody::Joined { member, node: NodeId::new([77; 38]).unwrap(), nickname, invite, grant }
    };
    assert_eq!(refusal(&party, weak), RosterError::Key(KeyError::UnusablePublicKey));
}

#[test]
fn r17_an_event_has_1000_members_at_most() {
    let count = u16::try_from(MAX_MEMBERS).unwrap();
    let mut party = Party::admitted(count);
    party.spread_roster_to(1);
    assert_eq!(party.guests[1].state.roster().members().len(), MAX_MEMBERS);
    let one_more = Guest::new(party.key.event_id(), count);
    assert_eq!(refusal(&party, |_| joined(&one_more)), RosterError::EventFull);
    // The epoch of a full event fits one entry.
    let grant = party.guests[0].state.current_grant().unwrap().clone();
    assert!(party.writer().rotate(&grant, START).is_ok());
}

#[test]
fn r18_the_host_stays_and_strangers_cannot_be_changed() {
    let party = Party::of(2);
    let host = party.guests[0].id();
    let nobody = MemberId([1; 32]);
    assert_eq!(refusal(&party, |_| RosterBody::Removed { member: host }), RosterError::HostStays);
    assert_eq!(refusal(&party, |_| RosterBody::Role { member: host, role: Role::Member }), RosterError::HostStays);
    assert_eq!(refusal(&party, |_| RosterBody::Removed { member: nobody }), RosterError::NoSuchMember);
    let second_host = refusal(&party, |party| RosterBody::Role { member: party.guests[1].id(), role: Role::Host });
    assert!(matches!(second_host, RosterError::Field(_)));
    assert_eq!(party.guests[1].state.roster().host().unwrap().id(), host);
}

#[test]
fn r19_epochs_count_up_and_are_for_exactly_the_members() {
    let party = Party::of(3);
    let sealed = |party: &Party| {
        let entry = party.writer().rotate(party.guests[0].state.current_grant().unwrap(), START).unwrap();
        let entry = read_entry(&entry);
        let RosterBody::Epoch { sealed, .. } = entry.body else { unreachable!() };
        sealed
    };
    for number in [0, 2, u32::MAX] {
        let refused = refusal(&party, |party| RosterBody::Epoch { number, sealed: sealed(party) });
        assert_eq!(refused, RosterError::WrongEpoch { expected: 1, found: number });
    }
    let mut missing = sealed(&party);
    missing.pop();
    let mut doubled = sealed(&party);
    doubled.push(doubled[2].clone());
    let mut turned = sealed(&party);
    turned.swap(0, 1);
    for sealed in [missing, doubled, turned, Vec::new()] {
        assert_eq!(refusal(&party, |_| RosterBody::Epoch { number: 1, sealed }), RosterError::WrongGrants);
    }
}

#[test]
fn r20_after_a_removal_comes_a_new_epoch_first() {
    let mut party = Party::of(4);
    let leaving = party.guests[3].id();
    let [removed, epoch] = party.remove(&leaving);
    let state = &mut party.guests[1].state;
    let old = state.current_grant().unwrap().clone();
    assert_eq!(state.apply_roster(&removed), Ok(vec![Change::MemberRemoved(leaving)]));
    // A writer refuses as every reader does.
    let next = RosterWriter::new(&party.key, state.roster()).unwrap();
    assert_eq!(next.change("Feast", None, None, START), Err(RosterError::RotationDue));
    assert_eq!(next.admit(&old, Guest::new(party.key.event_id(), 9).joining(), START), Err(RosterError::RotationDue));
    assert_eq!(state.apply_roster(&epoch), Ok(vec![Change::EpochChanged(1)]));
    let new = state.current_grant().unwrap();
    assert_ne!((new.topic_name(), new.projection_key()), (old.topic_name(), old.projection_key()));
    // The removed one hears of it, and gets nothing more.
    let gone = &mut party.guests[3].state;
    gone.apply_roster(&removed).unwrap();
    gone.apply_roster(&epoch).unwrap();
    assert!(gone.current_grant().is_none() && gone.find_mes(START).is_empty());
}

#[test]
fn r4_names_of_rosters_are_checked_although_they_are_signed() {
    let party = Party::of(2);
    for name in [String::new(), "a\u{202e}b".to_owned(), "a".repeat(121)] {
        let refused = refusal(&party, |_| RosterBody::Changed { name: name.clone(), starts: None, ends: None });
        assert!(matches!(refused, RosterError::Field(_)), "{name:?}");
    }
    let backwards = |_: &Party| RosterBody::Changed {
        name: "Feast".to_owned(),
        starts: Some(UnixMillis(2)),
        ends: Some(UnixMillis(1)),
    };
    assert!(matches!(refusal(&party, backwards), RosterError::Field(_)));
    assert!(party.writer().change("Feast", Some(START), Some(START), START).is_ok(), "a moment is an event");
}

/// A long chain of entries that only the host's key can make, as a host might who wants to fill the memory of members.
fn chain(party: &Party, bodies: impl Iterator<Item = RosterBody>) -> (Roster, RosterError) {
    let mut roster = party.guests[0].state.roster().clone();
    for body in bodies {
        let entry = RosterEntry {
            event: roster.event(),
            index: roster.next_index(),
            previous: roster.head_hash(),
            at: START,
            body,
        };
        if let Err(error) = roster.append(&sign_entry(&party.key, &postcard::to_stdvec(&entry).unwrap())) {
            return (roster, error);
        }
    }
    panic!("the roster never ends")
}

#[test]
fn d7_a_roster_is_bounded_in_entries_and_bytes() {
    let party = Party::new();
    let changed = || RosterBody::Changed { name: "Feast".to_owned(), starts: None, ends: None };
    let (roster, error) = chain(&party, std::iter::repeat_with(changed));
    assert_eq!((roster.entries().len(), error), (MAX_ROSTER_ENTRIES, RosterError::RosterFull));

    let party = Party::admitted(u16::try_from(MAX_MEMBERS).unwrap());
    let grant = party.guests[0].state.current_grant().unwrap().clone();
    let epoch = read_entry(&party.writer().rotate(&grant, START).unwrap());
    let RosterBody::Epoch { sealed, .. } = epoch.body else { panic!("{epoch:?}") };
    let epochs = (1..).map(|number| RosterBody::Epoch { number, sealed: sealed.clone() });
    let (roster, error) = chain(&party, epochs);
    assert_eq!(error, RosterError::RosterFull);
    let bytes: usize = roster.entries().iter().map(|entry| postcard::to_stdvec(entry).unwrap().len()).sum();
    assert!(bytes <= MAX_ROSTER_BYTES + roster.entries().len() * 67, "{bytes}");
    assert!(bytes > MAX_ROSTER_BYTES - MAX_ROSTER_ENTRY_BYTES, "{bytes}");
}

#[test]
fn a_newcomer_gets_the_roster_by_pages_and_then_the_records() {
    let mut party = Party::of(40);
    for _ in 0..90 {
        party.rotate();
    }
    party.spread_roster();
    for guest in &mut party.guests {
        let id = guest.fresh_id();
        guest.announce(id, START, 1_000).unwrap();
    }
    let (mut host, guests) = (party.guests[0].clone(), &party.guests[1..]);
    for guest in guests {
        catch_up(&mut host, guest, START);
    }
    assert_eq!(host.found(START).len(), 40);
    let mut newcomer = Guest { keys: party.guests[30].keys.clone(), ..Guest::new(party.key.event_id(), 30) };
    newcomer.state.set_keys(newcomer.keys.clone());
    let pages = catch_up(&mut newcomer, &host, START);
    assert!(pages >= 2, "{pages}");
    // Without a grant nothing could be opened, so the records came last and all of them.
    assert_eq!(newcomer.state.vector(), host.state.vector());
    assert_eq!(newcomer.found(START), host.found(START));
}
