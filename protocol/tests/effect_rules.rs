//! What records amount to (R37 to R39, R48, R49): budgets, renewals, epochs and who knows what.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::FindMeId;
use inframe_protocol::event::{Change, EventState};
use inframe_protocol::limits::{MAX_CLOCK_SKEW_MS, MAX_FIND_MES_PER_HOUR, MAX_LIVE_FIND_MES};
use inframe_protocol::record::{RecordBody, RecordError, SealedRecord, Subject};
use party::{Guest, HOUR, MINUTE, Party, START};

fn profile(nickname: &str) -> RecordBody {
    RecordBody::Profile { nickname: nickname.to_owned(), addresses: vec!["/ip4/10.0.0.2/tcp/7412".to_owned()] }
}

#[test]
fn r37_the_newest_word_about_a_find_me_counts() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let id = guest.fresh_id();
    let (long, _) = guest.announce(id, START, 20 * HOUR).unwrap();
    let (short, _) = guest.announce(id, START.plus(1), 2 * HOUR).unwrap();
    let host = party.host();
    host.state.receive(&short, START.plus(1)).unwrap();
    assert_eq!(host.state.receive(&long, START.plus(1)), Ok(vec![]), "an earlier word comes too late");
    assert_eq!(host.found(START.plus(1)), party.guests[1].found(START.plus(1)));
    assert_eq!(party.guests[0].found(START.plus(1))[0].2, START.plus(1 + 2 * HOUR));
}

#[test]
fn r37_a_member_has_one_face_of_their_own() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let (first, second) = (guest.fresh_id(), guest.fresh_id());
    for id in [first, second] {
        let body = RecordBody::FindMe(guest.find_me(id, 1, Subject::Me, START.plus(HOUR)));
        guest.state.write(body, START).unwrap();
    }
    assert_eq!(guest.found(START), [(guest.id(), second, START.plus(HOUR))]);
    // A child is somebody else.
    let child = guest.fresh_id();
    guest.announce(child, START, HOUR).unwrap();
    let found: Vec<_> = guest.found(START).into_iter().map(|(_, id, _)| id).collect();
    assert_eq!(found, [child, second]);
}

#[test]
fn r38_a_member_looks_for_three_at_most() {
    let mut party = Party::of(2);
    let ids: [FindMeId; MAX_LIVE_FIND_MES] = std::array::from_fn(|_| party.guests[1].fresh_id());
    for id in ids {
        let (bytes, _) = party.guests[1].announce(id, START, HOUR).unwrap();
        party.guests[0].state.receive(&bytes, START).unwrap();
    }
    let guest = &mut party.guests[1];
    let fourth = guest.fresh_id();
    assert_eq!(guest.announce(fourth, START, HOUR), Err(RecordError::TooManyLive));
    // One who announces it all the same: it is kept, passed on, noted, and does not count.
    let header = guest.header(START.0 + 100, START);
    let bytes = guest.forge(header, &RecordBody::FindMe(guest.find_me(fourth, 4, Subject::Child, START.plus(HOUR))));
    let id = guest.id();
    let host = party.host();
    assert_eq!(host.state.receive(&bytes, START), Ok(vec![Change::OverBudget(id)]));
    assert_eq!(host.found(START).len(), MAX_LIVE_FIND_MES);
    assert!(host.found(START).iter().all(|(_, find_me, _)| *find_me != fourth));
    // What has ended makes room, even before it is dropped.
    let mut later = party.guests[1].clone();
    assert_eq!(later.announce(fourth, START.plus(HOUR - 1), HOUR), Err(RecordError::TooManyLive));
    assert!(later.announce(fourth, START.plus(HOUR), HOUR).is_ok());
    // So does a withdrawal.
    let guest = &mut party.guests[1];
    guest.state.write(RecordBody::Withdraw { find_me: ids[0] }, START).unwrap();
    assert!(guest.announce(fourth, START.plus(1), HOUR).is_ok());
}

#[test]
fn r39_a_member_announces_four_times_an_hour_at_most() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let id = guest.fresh_id();
    for minute in 0..MAX_FIND_MES_PER_HOUR as u64 {
        guest.announce(id, START.plus(minute * MINUTE), HOUR + minute).unwrap();
    }
    assert_eq!(guest.announce(id, START.plus(HOUR - 1), HOUR), Err(RecordError::TooManyInAnHour));
    let mut later = guest.clone();
    assert!(later.announce(id, START.plus(HOUR), HOUR).is_ok());
    // A clock that is set back gains nothing, and withdrawing is always possible.
    assert_eq!(guest.announce(id, START.minus(HOUR / 2), HOUR), Err(RecordError::TooManyInAnHour));
    assert!(guest.state.write(RecordBody::Withdraw { find_me: id }, START).is_ok());
}

#[test]
fn r48_a_find_me_of_before_a_removal_counts_no_longer() {
    let mut party = Party::of(4);
    let id = party.guests[1].fresh_id();
    let (bytes, _) = party.guests[1].announce(id, START, 20 * HOUR).unwrap();
    party.host().state.receive(&bytes, START).unwrap();
    party.rotate();
    assert_eq!(party.guests[0].found(START).len(), 1, "an epoch of the same projection changes nothing");
    let removed = party.guests[3].id();
    party.remove(&removed);
    assert!(party.guests[0].found(START).is_empty());
    party.spread_roster_to(1);
    let (renewed, _) = party.guests[1].announce(id, START.plus(1), 20 * HOUR).unwrap();
    assert_eq!(party.host().state.receive(&renewed, START.plus(1)), Ok(vec![Change::FindMe(id)]));
    assert_eq!(party.guests[0].found(START.plus(1)).len(), 1);
}

#[test]
fn r49_a_newcomer_is_not_sent_what_they_cannot_open() {
    let mut party = Party::of(2);
    let (early, _) = party.guests[1].state.write(profile("Ann"), START).unwrap();
    party.host().state.receive(&early, START).unwrap();
    party.rotate();
    party.admit(2);
    party.spread_roster();
    let (late, _) = party.guests[1].state.write(profile("Anna"), START.plus(1)).unwrap();
    party.host().state.receive(&late, START.plus(1)).unwrap();
    let (host, author) = (party.guests[0].clone(), party.guests[1].id());
    let newcomer = &mut party.guests[2];
    let page = host.state.missing_for(&newcomer.state.vector());
    assert_eq!(page.records, std::slice::from_ref(&late));
    // Told all the same, it keeps it sealed, passes it on, and makes nothing of it.
    assert_eq!(newcomer.state.receive(&early, START), Ok(vec![]));
    assert!(newcomer.state.profile(&author).is_none());
    assert_eq!(newcomer.state.vector().authors[0].1.len(), 1);
    assert_eq!(host.state.missing_for(&newcomer.state.vector()).records, [late]);
}

#[test]
fn what_was_kept_sealed_is_opened_once_the_keys_are_there() {
    let mut party = Party::of(3);
    let id = party.guests[1].fresh_id();
    let (bytes, _) = party.guests[1].announce(id, START, HOUR).unwrap();
    let mut state = EventState::new(party.key.event_id());
    for entry in party.guests[0].state.roster().entries() {
        state.apply_roster(entry).unwrap();
    }
    assert_eq!(state.receive(&bytes, START), Ok(vec![]));
    assert!(state.find_mes(START).is_empty());
    assert_eq!(state.missing_for(&party.guests[0].state.vector()).records, [bytes], "it is passed on");
    state.set_keys(party.guests[2].keys.clone());
    assert_eq!(state.find_mes(START)[0].author, party.guests[1].id());
}

#[test]
fn only_a_member_with_keys_writes() {
    let party = Party::of(2);
    let mut nobody = EventState::new(party.key.event_id());
    assert_eq!(nobody.write(profile("Eve"), START), Err(RecordError::NotAMember));
    let mut stranger = Guest::new(party.key.event_id(), 9);
    assert_eq!(stranger.state.write(profile("Eve"), START), Err(RecordError::NotAMember));
}

#[test]
fn the_clock_of_the_author_may_be_set_back() {
    let mut party = Party::of(2);
    let id = party.guests[1].fresh_id();
    let (first, _) = party.guests[1].announce(id, START.plus(5 * MINUTE), HOUR).unwrap();
    let (second, _) = party.guests[1].state.write(RecordBody::Withdraw { find_me: id }, START).unwrap();
    let host = party.host();
    host.state.receive(&second, START).unwrap();
    host.state.receive(&first, START).unwrap();
    assert!(host.found(START).is_empty(), "the later word counts although its clock says less");
}

#[test]
fn r32_times_of_one_author_stay_in_order_while_others_can_take_them() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let at_of = |bytes: &[u8]| postcard::from_bytes::<SealedRecord>(bytes).unwrap().header.at;
    let ahead = START.plus(MAX_CLOCK_SKEW_MS);
    guest.state.write(profile("One"), ahead).unwrap();
    // Set back by as much as clocks may differ: not before the last one, which everybody takes.
    let (second, _) = guest.state.write(profile("Two"), START).unwrap();
    assert_eq!(at_of(&second), ahead);
    assert!(party.guests[0].state.receive(&second, START).is_ok());
    // By more: the time here, because nobody would take the other.
    let earlier = START.minus(1);
    let (third, _) = party.guests[1].state.write(profile("Three"), earlier).unwrap();
    assert_eq!(at_of(&third), earlier);
    assert!(party.guests[0].state.receive(&third, earlier).is_ok());
    assert_eq!(party.guests[0].state.profile(&party.guests[1].id()).unwrap().nickname, "Three");
}
