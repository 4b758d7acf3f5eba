//! Every rule of records (R21 to R36), broken by a member who means harm, and what honest members make of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::event::Change;
use inframe_protocol::frame::FrameError;
use inframe_protocol::keys::EpochGrant;
use inframe_protocol::limits::{
    MAX_CLOCK_SKEW_MS, MAX_FIND_ME_LIFETIME_MS, MAX_LARGE_RECORDS_PER_AUTHOR, MAX_RECORD_BYTES, MAX_RECORDS_PER_AUTHOR,
    MAX_SMALL_RECORD_BYTES, MAX_STILL_BYTES, RECORD_WINDOW_MS,
};
use inframe_protocol::record::{FindMe, Header, RecordBody, RecordError, SealedRecord, Subject};
use inframe_protocol::template::{Template, TemplateError};
use inframe_protocol::text::FieldError;
use inframe_protocol::{EventId, UnixMillis};
use party::{Guest, HOUR, MINUTE, Party, START, catch_up, seal_unchecked, sign_unchecked};

fn profile(nickname: &str) -> RecordBody {
    RecordBody::Profile { nickname: nickname.to_owned(), addresses: vec!["/ip4/10.0.0.2/tcp/7412".to_owned()] }
}

/// What an honest member says to a record, which must change nothing when it is refused.
fn refusal(listener: &Guest, bytes: &[u8], now: UnixMillis) -> RecordError {
    let mut state = listener.state.clone();
    let before = state.vector();
    let refused = state.receive(bytes, now).unwrap_err();
    assert_eq!(state.vector(), before, "a refused record changes nothing");
    refused
}

#[test]
fn the_second_writing_of_the_format_agrees_with_the_first() {
    let party = Party::of(2);
    let guest = &party.guests[1];
    let bytes = seal_unchecked(guest, guest.header(1, START), &profile("Ann"));
    let mut host = party.guests[0].state.clone();
    assert_eq!(host.receive(&bytes, START), Ok(vec![Change::ProfileChanged(guest.id())]));
    let known = host.profile(&guest.id()).unwrap();
    assert_eq!((known.nickname.as_str(), known.epoch), ("Ann", 0));
}

#[test]
fn r21_a_record_is_canonical_short_and_of_this_event() {
    let party = Party::of(2);
    let (host, guest) = (&party.guests[0], &party.guests[1]);
    let good = guest.forge(guest.header(1, START), &profile("Ann"));
    assert_eq!(refusal(host, &[], START), RecordError::Unreadable(FrameError::CutOff));
    assert_eq!(refusal(host, &good[..good.len() - 1], START), RecordError::Unreadable(FrameError::CutOff));
    let trailing = [good.as_slice(), &[0]].concat();
    assert_eq!(refusal(host, &trailing, START), RecordError::Unreadable(FrameError::TrailingBytes));
    assert!(!matches!(
        refusal(host, &vec![0; MAX_RECORD_BYTES], START),
        RecordError::Unreadable(FrameError::TooLong { .. })
    ));
    let too_long = vec![0; MAX_RECORD_BYTES + 1];
    let limit = MAX_RECORD_BYTES;
    let error = FrameError::TooLong { found: limit + 1, limit };
    assert_eq!(refusal(host, &too_long, START), RecordError::Unreadable(error));
    let other = Header { event: EventId([1; 32]), ..guest.header(1, START) };
    assert_eq!(refusal(host, &guest.forge(other, &profile("Ann")), START), RecordError::WrongEvent);
}

#[test]
fn r22_only_members_speak() {
    let mut party = Party::of(4);
    let mut stranger = Guest::new(party.key.event_id(), 9);
    stranger.state = party.guests[1].state.clone();
    let record = stranger.forge(stranger.header(1, START), &profile("Eve"));
    assert_eq!(refusal(&party.guests[0], &record, START), RecordError::UnknownAuthor);
    // A removed member is silenced, and what they said is gone.
    let id = party.guests[3].fresh_id();
    let (said, _) = party.guests[3].announce(id, START, HOUR).unwrap();
    let removed = party.guests[3].id();
    assert_eq!(party.host().state.receive(&said, START), Ok(vec![Change::FindMe(id)]));
    let [entry, _] = party.writer().remove_and_rotate(&removed, START).unwrap();
    let changes = party.host().state.apply_roster(&entry).unwrap();
    assert_eq!(changes, [Change::MemberRemoved(removed), Change::Withdrawn(id)]);
    assert_eq!(refusal(&party.guests[0], &said, START), RecordError::AuthorRemoved);
    assert!(party.guests[0].state.profile(&removed).is_none());
}

#[test]
fn r23_a_record_is_of_an_epoch_of_its_author() {
    let mut party = Party::of(2);
    party.rotate();
    party.admit(2);
    party.spread_roster_to(2);
    let newcomer = &party.guests[2];
    let ahead = Header { epoch: 2, ..newcomer.header(1, START) };
    assert_eq!(refusal(&party.guests[0], &newcomer.forge(ahead, &profile("Zoe")), START), RecordError::UnknownEpoch);
    let behind = Header { epoch: 0, ..newcomer.header(1, START) };
    assert_eq!(refusal(&party.guests[0], &newcomer.forge(behind, &profile("Zoe")), START), RecordError::BeforeJoining);
    // One of an epoch that has not begun here is taken once the roster is.
    let record = newcomer.forge(newcomer.header(1, START), &profile("Zoe"));
    assert_eq!(refusal(&party.guests[1], &record, START), RecordError::UnknownAuthor);
    party.spread_roster_to(1);
    assert!(party.guests[1].state.receive(&record, START).is_ok());
}

#[test]
fn r24_each_changed_bit_of_a_record_is_noticed() {
    let party = Party::of(2);
    let guest = &party.guests[1];
    let good = guest.forge(guest.header(1, START), &profile("Ann"));
    for bit in 0..good.len() * 8 {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        refusal(&party.guests[0], &changed, START);
    }
}

#[test]
fn r24_one_member_cannot_speak_for_another() {
    let party = Party::of(3);
    let (eve, ann) = (&party.guests[1], &party.guests[2]);
    let forged = eve.forge(ann.header(1, START), &profile("Ann"));
    assert_eq!(refusal(&party.guests[0], &forged, START), RecordError::BadSignature);
}

#[test]
fn r25_a_body_opens_under_its_own_header_and_epoch_only() {
    let party = Party::of(2);
    let (host, guest) = (&party.guests[0], &party.guests[1]);
    let header = guest.header(1, START);
    let good: SealedRecord = postcard::from_bytes(&guest.forge(header, &profile("Ann"))).unwrap();
    // The same sealed bytes, signed again under another number.
    let moved = sign_unchecked(&guest.keys, Header { seq: 2, ..header }, good.sealed.clone());
    assert_eq!(refusal(host, &moved, START), RecordError::CannotOpen);
    let other = EpochGrant::generate().unwrap();
    let foreign = SealedRecord::write(header, &profile("Ann"), &guest.keys, &other).unwrap().to_bytes().unwrap();
    assert_eq!(refusal(host, &foreign, START), RecordError::CannotOpen);
    let short = sign_unchecked(&guest.keys, header, vec![1; 23]);
    assert_eq!(refusal(host, &short, START), RecordError::CannotOpen);
}

/// What the host says to a find-me of the second guest that was changed after an honest node would have checked it.
fn find_me_refusal(change: impl FnOnce(&mut FindMe, &Party)) -> RecordError {
    let party = Party::of(3);
    let guest = &party.guests[1];
    let mut find_me = guest.find_me(guest.fresh_id(), 1, Subject::Me, START.plus(HOUR));
    change(&mut find_me, &party);
    let body = RecordBody::FindMe(find_me);
    let header = guest.header(1, START);
    let refused = refusal(&party.guests[0], &seal_unchecked(guest, header, &body), START);
    // An honest node does not write it in the first place.
    let mut writer = guest.state.clone();
    assert_eq!(writer.write(body, START).unwrap_err(), refused);
    refused
}

#[test]
fn r27_the_fields_of_a_find_me_are_within_their_limits() {
    let still = vec![0xff; MAX_STILL_BYTES + 1];
    assert!(matches!(
        find_me_refusal(|find_me, _| find_me.still = still),
        RecordError::Field(FieldError::TooLong { field: "still", .. })
    ));
    assert!(matches!(
        find_me_refusal(|find_me, _| find_me.still = b"<svg onload=alert(1)>".to_vec()),
        RecordError::Field(FieldError::Value { field: "still", .. })
    ));
    assert!(matches!(
        find_me_refusal(|find_me, _| find_me.label = "a\nb".to_owned()),
        RecordError::Field(FieldError::Characters { field: "label" })
    ));
    assert!(matches!(
        find_me_refusal(|find_me, _| find_me.pack = String::new()),
        RecordError::Field(FieldError::Empty { field: "pack" })
    ));
}

#[test]
fn r28_a_template_that_no_face_gives_is_refused() {
    for bytes in [[0x55; 64], [0xff; 64], [0; 64]] {
        let refused = find_me_refusal(|find_me, _| find_me.template = Template(bytes));
        assert_eq!(refused, RecordError::Template(TemplateError::Implausible));
    }
}

#[test]
fn r29_a_template_of_everybody_is_refused() {
    let refused = find_me_refusal(|find_me, party| {
        find_me.template = Template::faceless(&party.guests[1].state.current_grant().unwrap().projection_key());
    });
    assert_eq!(refused, RecordError::Template(TemplateError::Faceless));
}

#[test]
fn r30_a_find_me_lives_for_a_day_at_most() {
    for expires in [UnixMillis(0), START, START.plus(MAX_FIND_ME_LIFETIME_MS + 1), UnixMillis(u64::MAX)] {
        assert_eq!(find_me_refusal(|find_me, _| find_me.expires = expires), RecordError::Lifetime);
    }
    let mut party = Party::of(2);
    let id = party.guests[1].fresh_id();
    assert!(party.guests[1].announce(id, START, MAX_FIND_ME_LIFETIME_MS).is_ok());
}

#[test]
fn r31_nobody_announces_or_withdraws_for_another() {
    let refused = find_me_refusal(|find_me, party| find_me.id = party.guests[2].fresh_id());
    assert_eq!(refused, RecordError::ForeignFindMe);
    let mut party = Party::of(3);
    let id = party.guests[2].fresh_id();
    let (bytes, _) = party.guests[2].announce(id, START, HOUR).unwrap();
    party.host().state.receive(&bytes, START).unwrap();
    let eve = &party.guests[1];
    let withdrawal = seal_unchecked(eve, eve.header(1, START), &RecordBody::Withdraw { find_me: id });
    assert_eq!(refusal(&party.guests[0], &withdrawal, START), RecordError::ForeignFindMe);
    assert_eq!(party.guests[0].found(START).len(), 1);
}

#[test]
fn r32_a_record_from_the_future_waits() {
    let party = Party::of(2);
    let (host, guest) = (&party.guests[0], &party.guests[1]);
    let ahead = START.plus(MAX_CLOCK_SKEW_MS + 1);
    let record = guest.forge(guest.header(1, ahead), &profile("Ann"));
    assert_eq!(refusal(host, &record, START), RecordError::FromTheFuture);
    assert!(host.state.clone().receive(&record, START.plus(1)).is_ok());
}

#[test]
fn r33_what_has_no_effect_is_dropped_and_does_not_come_back() {
    let mut party = Party::of(2);
    let id = party.guests[1].fresh_id();
    let (announced, _) = party.guests[1].announce(id, START, 2 * HOUR).unwrap();
    let (told, _) = party.guests[1].state.write(profile("Ann"), START).unwrap();
    let host = party.host();
    host.state.receive(&announced, START).unwrap();
    host.state.receive(&told, START).unwrap();
    // Expired: it counts no longer, and is kept as long as clocks may differ.
    let ended = START.plus(2 * HOUR);
    assert!(host.found(ended.minus(1)).len() == 1 && host.found(ended).is_empty());
    assert_eq!(host.state.prune(ended.plus(MAX_CLOCK_SKEW_MS)), 0);
    assert_eq!(host.state.prune(ended.plus(MAX_CLOCK_SKEW_MS + 1)), 1);
    assert_eq!(host.state.receive(&announced, ended.plus(MAX_CLOCK_SKEW_MS + 1)), Err(RecordError::Expired));
    // A withdrawal has its own end.
    let guest = &party.guests[1];
    let withdrawn = guest.forge(guest.header(9, START), &RecordBody::Withdraw { find_me: guest.fresh_id() });
    let host = party.host();
    let last = START.plus(RECORD_WINDOW_MS);
    host.state.receive(&withdrawn, last).unwrap();
    assert_eq!((host.state.prune(last), host.state.prune(last.plus(1))), (0, 1));
    assert_eq!(host.state.receive(&withdrawn, last.plus(1)), Err(RecordError::Expired));
    // The newest profile has no end, an older one has.
    let later = START.plus(RECORD_WINDOW_MS + 1);
    assert_eq!(host.state.prune(later), 0);
    let guest = &party.guests[1];
    let older = guest.forge(guest.header(2, START), &profile("Anna"));
    assert_eq!(refusal(&party.guests[0], &older, later), RecordError::Expired);
    let mut fresh = Party::of(1).guests.remove(0);
    fresh.state = inframe_protocol::event::EventState::new(party.key.event_id());
    fresh.keys = party.guests[0].keys.clone();
    fresh.state.set_keys(fresh.keys.clone());
    catch_up(&mut fresh, &party.guests[0], later.plus(1_000 * HOUR));
    assert_eq!(fresh.state.profile(&guest.id()).unwrap().nickname, "Ann");
}

#[test]
fn r33_a_withdrawal_outlives_what_it_withdraws() {
    let mut party = Party::of(2);
    let id = party.guests[1].fresh_id();
    let (announced, _) = party.guests[1].announce(id, START, MAX_FIND_ME_LIFETIME_MS).unwrap();
    let (withdrawn, changes) = party.guests[1].state.write(RecordBody::Withdraw { find_me: id }, START).unwrap();
    assert_eq!(changes, [Change::Withdrawn(id)]);
    let host = party.host();
    host.state.receive(&withdrawn, START).unwrap();
    for minutes in (0..26 * 60).step_by(5) {
        let now = START.plus(minutes * MINUTE);
        host.state.prune(now);
        // Replayed by whoever kept it: it never counts again.
        let _ = host.state.receive(&announced, now);
        assert!(host.found(now).is_empty(), "after {minutes} minutes");
    }
}

#[test]
fn r34_a_record_that_is_known_changes_nothing() {
    let mut party = Party::of(2);
    let id = party.guests[1].fresh_id();
    let (bytes, _) = party.guests[1].announce(id, START, HOUR).unwrap();
    let host = party.host();
    assert_eq!(host.state.receive(&bytes, START), Ok(vec![Change::FindMe(id)]));
    let before = host.state.vector();
    assert_eq!(host.state.receive(&bytes, START), Ok(vec![]));
    assert_eq!(host.state.vector(), before);
}

#[test]
fn r35_of_two_records_with_one_number_all_keep_the_same() {
    let party = Party::of(3);
    let (host, guest) = (&party.guests[0], &party.guests[1]);
    let header = guest.header(1, START);
    let (one, other) = (guest.forge(header, &profile("One")), guest.forge(header, &profile("Other")));
    let (mut here, mut there) = (host.clone(), party.guests[2].clone());
    here.state.receive(&one, START).unwrap();
    there.state.receive(&other, START).unwrap();
    assert_ne!(here.state.vector().authors, there.state.vector().authors, "the difference is seen");
    let outcomes = [here.state.clone().receive(&other, START), there.state.clone().receive(&one, START)];
    let replaced = [Change::Equivocated(guest.id()), Change::ProfileChanged(guest.id())].to_vec();
    assert!(outcomes.contains(&Err(RecordError::Equivocation)), "{outcomes:?}");
    assert!(outcomes.contains(&Ok(replaced)), "{outcomes:?}");
    let unsynced = here.clone();
    catch_up(&mut here, &there, START);
    catch_up(&mut there, &unsynced, START);
    assert_eq!(here.state.vector(), there.state.vector());
    assert_eq!(here.state.profile(&guest.id()), there.state.profile(&guest.id()));
    let pages = here.state.missing_for(&there.state.vector());
    assert!(pages.is_empty() && !pages.more, "nothing is sent for ever");
}

#[test]
fn r36_an_author_fills_no_memory() {
    let party = Party::of(2);
    let guest = &party.guests[1];
    let told = guest.forge(guest.header(5, START), &profile("Ann"));
    let withdraw = |seq| guest.forge(guest.header(seq, START), &RecordBody::Withdraw { find_me: guest.fresh_id() });
    let many: Vec<_> = (0..=MAX_RECORDS_PER_AUTHOR as u64).map(|number| withdraw(10 + number)).collect();
    let mut rising = party.guests[0].clone();
    rising.state.receive(&told, START).unwrap();
    many.iter().for_each(|record| drop(rising.state.receive(record, START).unwrap()));
    let mut falling = party.guests[0].clone();
    let outcomes: Vec<_> = many.iter().rev().map(|record| falling.state.receive(record, START)).collect();
    assert!(outcomes.contains(&Err(RecordError::TooManyRecords)));
    falling.state.receive(&told, START).unwrap();
    assert_eq!(rising.state.vector(), falling.state.vector());
    assert_eq!(rising.state.vector().authors[0].1.len(), MAX_RECORDS_PER_AUTHOR);
    assert_eq!(rising.state.profile(&guest.id()).unwrap().nickname, "Ann", "the newest profile stays");
    // Who holds as many newer ones is not sent older ones, and who holds fewer is.
    let mut older = party.guests[0].clone();
    older.state.receive(&withdraw(1), START).unwrap();
    assert!(older.state.missing_for(&rising.state.vector()).is_empty());
    let mut fewer = party.guests[0].clone();
    fewer.state.receive(&many[0], START).unwrap();
    assert_eq!(older.state.missing_for(&fewer.state.vector()).records.len(), 1);
}

/// A profile of at most, or more than, the bytes of a small record.
fn profile_of(large: bool) -> RecordBody {
    let address = |number: u8| format!("/dns4/{}{number}", "a".repeat(120));
    let addresses = (0..if large { 8 } else { 1 }).map(address).collect();
    RecordBody::Profile { nickname: "Ann".to_owned(), addresses }
}

#[test]
fn r52_large_records_of_an_author_fill_little() {
    let party = Party::of(2);
    let guest = &party.guests[1];
    let large = |seq: u64, face: u8| {
        let find_me = FindMe {
            still: [&[0xff, 0xd8, 0xff][..], &[7; 2_900]].concat(),
            ..guest.find_me(guest.fresh_id(), face, Subject::Child, START.plus(HOUR))
        };
        guest.forge(guest.header(seq, START), &RecordBody::FindMe(find_me))
    };
    let told = |seq, large| guest.forge(guest.header(seq, START), &profile_of(large));
    let small = |seq| guest.forge(guest.header(seq, START), &RecordBody::Withdraw { find_me: guest.fresh_id() });
    let most = MAX_LARGE_RECORDS_PER_AUTHOR as u64;
    // Profiles at both ends and between, of both sizes; find-mes, more than are kept; withdrawals among them.
    let mut records = vec![told(1, true), told(5, false), told(1_000, true)];
    records.extend((0..most + 9).map(|number| large(100 + 2 * number, number as u8)));
    records.extend((0..20).map(|number| small(101 + 2 * number)));
    assert!(records.iter().filter(|bytes| bytes.len() > MAX_SMALL_RECORD_BYTES).count() > most as usize + 9);
    let held = |order: &[&Vec<u8>]| {
        let mut listener = party.guests[0].clone();
        order.iter().for_each(|record| drop(listener.state.receive(record, START)));
        listener.restart();
        listener.state.vector()
    };
    let rising: Vec<&Vec<u8>> = records.iter().collect();
    let expected = held(&rising);
    let numbers: Vec<u64> = expected.authors[0].1.iter().map(|held| held.seq).collect();
    assert_eq!(numbers.len() as u64, most + 1 + 1 + 20, "and the newest profile, and the small ones: {numbers:?}");
    assert!(numbers.contains(&1_000) && numbers.contains(&5) && !numbers.contains(&1) && !numbers.contains(&100));
    let mut order = rising.clone();
    order.reverse();
    assert_eq!(held(&order), expected);
    for round in 0..20_u32 {
        order.sort_by_key(|record| *blake3::hash(&[round.to_le_bytes().as_slice(), record].concat()).as_bytes());
        assert_eq!(held(&order), expected, "round {round}");
    }
    // Those that are too old to be kept are refused, and change nothing.
    let mut listener = party.guests[0].clone();
    rising.iter().for_each(|record| drop(listener.state.receive(record, START)));
    assert_eq!(refusal(&listener, &large(99, 1), START), RecordError::TooManyRecords);
    listener.state.take_unsaved();
    assert!(listener.state.receive(&large(99, 1), START).is_err() && !listener.state.is_unsaved());
    let next = guest.forge(guest.header(2_000, START), &profile("Ann"));
    assert!(listener.state.receive(&next, START).is_ok(), "what is newer is taken");
}

#[test]
fn d2_what_is_unsaved_is_what_has_changed() {
    let mut party = Party::of(3);
    let id = party.guests[1].fresh_id();
    let host = party.host();
    let all = host.state.take_unsaved();
    assert_eq!((all.first_entry, all.records.len()), (0, 0));
    assert!(!host.state.is_unsaved());
    let (announced, _) = party.guests[1].announce(id, START, HOUR).unwrap();
    let author = party.guests[1].id();
    let host = party.host();
    host.state.receive(&announced, START).unwrap();
    let shared = host.state.clone();
    let unsaved = host.state.take_unsaved();
    let place = *unsaved.records.first().unwrap();
    assert_eq!((unsaved.first_entry, unsaved.records.len(), place.0), (3, 1, author));
    assert_eq!(host.state.record(&author, place.1), Some(announced.as_slice()));
    host.state.receive(&announced, START).unwrap();
    assert!(!host.state.is_unsaved(), "what is known changes nothing");
    // What goes is told as well: expired, or with its author.
    let mut pruned = shared.clone();
    pruned.take_unsaved();
    assert_eq!(pruned.prune(START.plus(9 * HOUR)), 1);
    assert_eq!((pruned.take_unsaved().records, pruned.record(&author, place.1)), ([place].into(), None));
    assert_eq!(shared.record(&author, place.1), Some(announced.as_slice()), "a clone is not changed");
    party.remove(&author);
    let removed = party.host().state.take_unsaved();
    assert_eq!((removed.first_entry, removed.records), (3, [place].into()));
}
