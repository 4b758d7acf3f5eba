//! Syncs: digests, slices, announcements, and whom a member keeps connected.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use std::collections::{BTreeMap, BTreeSet};

use inframe_protocol::NodeId;
use inframe_protocol::event::spreading::{EPOCH_SPREADS_MS, KEPT_NEIGHBOURS, TRIED_NEIGHBOURS, WRITE_ANEW_WITHIN_MS};
use inframe_protocol::event::{Asking, EventState};
use inframe_protocol::limits::{MAX_RECORDS_PER_AUTHOR, MAX_VECTOR_BYTES};
use inframe_protocol::record::{Header, RecordBody, SealedRecord};
use inframe_protocol::sync::{Slices, SyncPage, SyncReply, SyncRequest};
use party::{Guest, Party, START, over_the_wire, sync};

fn profile(nickname: &str) -> RecordBody {
    RecordBody::Profile { nickname: nickname.to_owned(), addresses: Vec::new() }
}

fn compare(asker: &Guest, answerer: &Guest) -> SyncReply {
    over_the_wire(&answerer.state.answer(&over_the_wire(&asker.state.compare_with(&answerer.node))))
}

#[test]
fn r58_one_record_makes_one_slice_differ_until_both_have_it() {
    let mut party = Party::of(60);
    for number in 0..60 {
        let (bytes, _) = party.guests[number].state.write(profile("Ann"), START).unwrap();
        party.guests.iter_mut().for_each(|guest| drop(guest.state.receive(&bytes, START).unwrap()));
    }
    assert_eq!(compare(&party.guests[1], &party.guests[2]), SyncReply::Same);
    party.guests[7].state.write(profile("Zoe"), START).unwrap();
    let (mut asker, mut answerer) = (party.guests[1].clone(), party.guests[7].clone());
    let SyncReply::Differs { slices } = compare(&asker, &answerer) else { panic!("they differ") };
    assert_eq!(slices.0.count_ones(), 1);
    // What is asked and told is of that slice: a few of the 60 authors.
    let request = asker.state.lacking(slices);
    let SyncRequest::Lacking { vector, .. } = &request else { panic!("{request:?}") };
    assert!(vector.slices == slices && (1..12).contains(&vector.authors.len()), "{}", vector.authors.len());
    let SyncReply::Page { page, vector } = answerer.state.answer(&request) else { panic!("a page") };
    assert_eq!((page.records.len(), vector.slices), (1, slices));
    assert_eq!(sync(&mut asker, &mut answerer, START), 2);
    assert_eq!(asker.state.vector(), answerer.state.vector());
    assert_eq!(compare(&asker, &answerer), SyncReply::Same);
    // The other way round it is pushed.
    let (mut asker, mut answerer) = (party.guests[7].clone(), party.guests[1].clone());
    sync(&mut asker, &mut answerer, START);
    assert_eq!(asker.state.vector(), answerer.state.vector());
}

#[test]
fn r58_what_one_of_both_cannot_open_makes_no_difference() {
    let mut party = Party::of(3);
    let (early, _) = party.guests[1].state.write(profile("Ann"), START).unwrap();
    party.guests[2].state.receive(&early, START).unwrap();
    party.rotate();
    party.admit(3);
    party.spread_roster();
    let (newcomer, member) = (&party.guests[3], &party.guests[2]);
    assert_eq!(compare(newcomer, member), SyncReply::Same);
    assert_eq!(compare(member, newcomer), SyncReply::Same);
    assert!(matches!(compare(&party.guests[0], member), SyncReply::Differs { .. }), "both can open it");
}

#[test]
fn r59_the_roster_comes_before_the_records() {
    let mut party = Party::of(2);
    let (bytes, _) = party.guests[1].state.write(profile("Ann"), START).unwrap();
    party.host().state.receive(&bytes, START).unwrap();
    let behind = party.guests[1].clone();
    party.rotate();
    let host = &party.guests[0];
    for request in
        [behind.state.compare_with(&host.node), behind.state.lacking(Slices::ALL), behind.state.announcement()]
    {
        let SyncReply::Page { page, vector } = host.state.answer(&request) else { panic!("{request:?}") };
        assert_eq!((page.roster.len(), page.records.len(), page.more), (1, 0, true));
        assert_eq!((vector.slices, vector.authors.len()), (Slices::NONE, 0));
    }
    // Who is ahead learns that, and no more.
    let SyncReply::Page { page, vector } = compare(host, &behind) else { panic!("a page") };
    assert!(page.is_empty() && !page.more && vector.slices.is_empty() && vector.roster == 2);
    assert!(host.state.pushed_back(&vector).is_none(), "it asks for them itself");
}

#[test]
fn r60_news_of_the_roster_travel_from_neighbour_to_neighbour() {
    let mut party = Party::of(4);
    party.rotate();
    for (from, to) in [(0, 1), (1, 2), (2, 3)] {
        let announcement = over_the_wire(&party.guests[from].state.announcement());
        assert!(party.guests[to].state.lags_behind(&announcement));
        let mut teller = party.guests[from].clone();
        sync(&mut party.guests[to], &mut teller, START);
        assert!(!party.guests[to].state.lags_behind(&announcement));
        assert_eq!(party.guests[to].state.answer(&announcement), SyncReply::Same);
    }
    assert_eq!(party.guests[3].state.roster(), party.guests[0].state.roster());
}

#[test]
fn r60_each_roster_is_told_to_others_first() {
    let mut party = Party::of(60);
    let nodes: Vec<NodeId> = party.guests[1..].iter().map(|guest| guest.node.clone()).collect();
    let mut ever_told = BTreeSet::new();
    for _ in 0..20 {
        let told = party.guests[0].state.told_of_roster(nodes.iter().cloned());
        assert_eq!(told, party.guests[0].state.told_of_roster(nodes.iter().rev().cloned()), "whatever the order");
        assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), 12);
        ever_told.extend(told);
        party.rotate();
    }
    // Left out twenty times of twenty: 0.8^20, one in ninety.
    assert!(ever_told.len() > 54, "{}", ever_told.len());
    let few = party.guests[0].state.told_of_roster(nodes[..5].to_vec());
    assert_eq!(few.len(), 5);
}

#[test]
fn d7_a_sync_ends_when_what_comes_is_of_no_use() {
    let party = Party::of(3);
    let (asker, other) = (&party.guests[1], &party.guests[2]);
    // One who always says that records differ, and never has any.
    let mut asking = Asking::new(other.node.clone());
    let mut questions = 0;
    while let Some(request) = asking.request(&asker.state) {
        questions += 1;
        assert!(questions < 10, "it goes on for ever");
        let reply = match request {
            SyncRequest::Compare { .. } => SyncReply::Differs { slices: Slices::ALL },
            SyncRequest::Lacking { mut vector, .. } => {
                vector.slices = Slices::NONE.with(0);
                SyncReply::Page { page: SyncPage { more: true, ..SyncPage::default() }, vector }
            }
        };
        asking.hear(reply);
    }
    assert_eq!(questions, 2);
}

#[test]
fn r58_slices_are_asked_for_of_the_roster_that_they_are_of() {
    let mut party = Party::of(3);
    let other = party.guests[2].clone();
    let mut asking = Asking::new(other.node.clone());
    assert!(matches!(asking.request(&party.guests[1].state), Some(SyncRequest::Compare { .. })));
    asking.hear(SyncReply::Differs { slices: Slices::NONE.with(3) });
    // Meanwhile the roster grows.
    party.rotate();
    party.spread_roster();
    assert!(matches!(asking.request(&party.guests[1].state), Some(SyncRequest::Compare { .. })), "compared anew");
}

#[test]
fn r36_the_newest_profile_reaches_those_whose_places_are_full() {
    let mut party = Party::of(3);
    let author = party.guests[2].clone();
    let profile = author.forge(author.header(1, START), &profile("Ann"));
    let withdraw = |seq| author.forge(author.header(seq, START), &RecordBody::Withdraw { find_me: author.fresh_id() });
    let many: Vec<Vec<u8>> = (10..10 + MAX_RECORDS_PER_AUTHOR as u64).map(withdraw).collect();
    for guest in &mut party.guests[..2] {
        many.iter().for_each(|bytes| drop(guest.state.receive(bytes, START).unwrap()));
    }
    party.guests[1].state.receive(&profile, START).unwrap();
    let (mut without, mut with) = (party.guests[0].clone(), party.guests[1].clone());
    sync(&mut without, &mut with, START);
    assert_eq!(without.state.profile(&author.id()).unwrap().nickname, "Ann");
    assert_eq!(without.state.vector(), with.state.vector());
    // And the other way round, where it is pushed.
    let (mut with, mut without) = (party.guests[1].clone(), party.guests[0].clone());
    sync(&mut with, &mut without, START);
    assert_eq!(without.state.vector(), with.state.vector());
}

#[test]
fn d7_who_holds_more_than_a_vector_says_it_in_parts() {
    let party = Party::admitted(170);
    let (host, authors) = party.guests.split_first().unwrap();
    let mut state = EventState::of_roster(party.key.event_id(), host.state.roster().entries()).unwrap();
    let withdraw = |guest: &Guest, seq: u64| {
        let header = Header { event: state.event(), epoch: 0, author: guest.id(), seq, at: START };
        let body = RecordBody::Withdraw { find_me: guest.fresh_id() };
        let grant = host.state.current_grant().unwrap();
        SealedRecord::write(header, &body, &guest.keys, grant).unwrap().to_bytes().unwrap()
    };
    let first = u64::MAX / 2;
    let kept = authors.iter().flat_map(|guest| (0..MAX_RECORDS_PER_AUTHOR as u64).map(move |seq| (guest, first + seq)));
    let kept: Vec<Vec<u8>> = kept.map(|(guest, seq)| withdraw(guest, seq)).collect();
    let more: Vec<Vec<u8>> = authors.iter().map(|guest| withdraw(guest, u64::MAX)).collect();
    kept.iter().for_each(|bytes| state.add_kept(bytes).unwrap());
    let mut asker = Guest { state: state.clone(), ..authors[0].clone() };
    asker.state.set_keys(asker.keys.clone());
    let mut answerer = Guest { state, ..host.clone() };
    answerer.state.set_keys(host.keys.clone());
    more.iter().for_each(|bytes| drop(answerer.state.receive(bytes, START).unwrap()));
    let request = asker.state.lacking(Slices::ALL);
    let SyncRequest::Lacking { vector, .. } = &request else { panic!("{request:?}") };
    assert!(!vector.slices.is_empty() && vector.slices != Slices::ALL);
    assert!(postcard::to_stdvec(&request).unwrap().len() <= MAX_VECTOR_BYTES);
    let questions = sync(&mut asker, &mut answerer, START);
    assert!(questions > 2, "a comparison and two parts: {questions}");
    assert_eq!(asker.state.vector(), answerer.state.vector());
}

/// Who is reached from the first of these members over kept connections, in any number of steps.
fn reached(neighbours: &BTreeMap<NodeId, BTreeSet<NodeId>>) -> usize {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&NodeId> = neighbours.keys().next().into_iter().collect();
    while let Some(node) = open.pop() {
        if reached.insert(node) {
            open.extend(neighbours.iter().filter(|(_, of)| of.contains(node)).map(|(other, _)| other));
            open.extend(neighbours[node].iter().filter(|other| neighbours.contains_key(*other)));
        }
    }
    reached.len()
}

#[test]
fn a_large_event_is_a_sparse_mesh_that_holds_together() {
    let small = Party::of(50);
    assert_eq!(small.guests[1].state.neighbours(|_| false).len(), 49);
    let mut party = Party::of(200);
    let drawn = |party: &Party, is_there: &dyn Fn(&NodeId) -> bool| {
        let there = party.guests.iter().filter(|guest| is_there(&guest.node));
        let of = |guest: &Guest| guest.state.neighbours(is_there).into_iter().collect::<BTreeSet<_>>();
        there.map(|guest| (guest.node.clone(), of(guest))).collect::<BTreeMap<_, _>>()
    };
    let all = drawn(&party, &|_| true);
    assert!(all.values().all(|of| of.len() == KEPT_NEIGHBOURS));
    assert_eq!(reached(&all), 200);
    // A third is away: each keeps six of the others, and those who may come back.
    let away: BTreeSet<NodeId> = party.guests.iter().step_by(3).map(|guest| guest.node.clone()).collect();
    let left = drawn(&party, &|node| !away.contains(node));
    assert_eq!(reached(&left), 200 - away.len());
    assert!(left.values().all(|of| of.difference(&away).count() == KEPT_NEIGHBOURS && of.len() <= TRIED_NEIGHBOURS));
    assert_eq!(party.guests[1].state.neighbours(|_| false).len(), TRIED_NEIGHBOURS, "alone");
    // One more changes little.
    party.admit(200);
    party.spread_roster();
    let after = drawn(&party, &|_| true);
    let changed = all.iter().filter(|(node, of)| after[*node] != **of).count();
    assert!(changed < 30, "{changed}");
    // Who is no member keeps nobody.
    let stranger = Guest::new(party.key.event_id(), 300);
    assert!(stranger.state.neighbours(|_| true).is_empty());
}

#[test]
fn members_of_a_large_event_write_anew_when_an_epoch_has_spread_each_at_its_own_time() {
    let mut party = Party::of(60);
    assert_eq!(party.guests[1].state.may_write_anew(START), Ok(()), "the first epoch");
    party.rotate();
    party.spread_roster();
    let waits: BTreeSet<u64> =
        party.guests.iter().map(|guest| guest.state.may_write_anew(START).unwrap_err()).collect();
    assert!(
        waits.len() > 30
            && waits.iter().all(|wait| (EPOCH_SPREADS_MS..EPOCH_SPREADS_MS + WRITE_ANEW_WITHIN_MS).contains(wait))
    );
    let guest = &party.guests[1].state;
    let wait = guest.may_write_anew(START).unwrap_err();
    assert_eq!(guest.may_write_anew(START.plus(wait - 1)), Err(1));
    assert_eq!((guest.may_write_anew(START.plus(wait)), guest.may_write_anew(START.minus(1))), (Ok(()), Ok(())));
    let mut small = Party::of(3);
    small.rotate();
    assert_eq!(small.guests[0].state.may_write_anew(START), Ok(()));
}
