//! What members say about photos of them that others took (R74 to R79, R81): limits, budgets, ends, epochs, and the rules of an event.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::event::Change;
use inframe_protocol::limits::{
    MAX_CLOCK_SKEW_MS, MAX_LIVE_PROTECTIONS, MAX_PROTECTION_LIFETIME_MS, MAX_PROTECTIONS_PER_HOUR,
};
use inframe_protocol::record::{Protection, RecordBody, RecordError, Subject, Wish};
use inframe_protocol::roster::RosterWriter;
use inframe_protocol::template::{Template, TemplateError};
use inframe_protocol::{ProtectionId, UnixMillis};
use party::{HOUR, MINUTE, Party, START, seal_unchecked};

const WEEK: u64 = 7 * 24 * HOUR;

/// What the host says to a protection of the second guest that was changed after an honest node would have checked it.
fn refusal(change: impl FnOnce(&mut Protection, &Party)) -> RecordError {
    let party = Party::of(3);
    let guest = &party.guests[1];
    let mut protection = guest.protection(1, Subject::Me, Wish::Blur, START.plus(HOUR));
    change(&mut protection, &party);
    let body = RecordBody::Protect(protection);
    let bytes = seal_unchecked(guest, guest.header(1, START), &body);
    let refused = party.guests[0].state.clone().receive(&bytes, START).unwrap_err();
    // An honest node does not write it in the first place.
    assert_eq!(guest.state.clone().write(body, START).unwrap_err(), refused);
    assert!(refused.is_hostile());
    refused
}

#[test]
fn r74_a_protection_is_of_a_face_and_lives_for_a_week_at_most() {
    for expires in [UnixMillis(0), START, START.plus(MAX_PROTECTION_LIFETIME_MS + 1), UnixMillis(u64::MAX)] {
        assert_eq!(refusal(|one, _| one.expires = expires), RecordError::ProtectionLifetime);
    }
    assert!(matches!(refusal(|one, _| one.pack = "x".repeat(65)), RecordError::Field(_)));
    let flat = refusal(|one, _| one.template = Template([0x55; 64]));
    assert_eq!(flat, RecordError::Template(TemplateError::Implausible));
    let of_everybody = refusal(|one, party| {
        one.template = Template::faceless(&party.guests[1].state.current_grant().unwrap().projection_key());
    });
    assert_eq!(of_everybody, RecordError::Template(TemplateError::Faceless));
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let longest = guest.protection(1, Subject::Me, Wish::Blur, START.plus(MAX_PROTECTION_LIFETIME_MS));
    let (bytes, changes) = guest.state.write(RecordBody::Protect(longest.clone()), START).unwrap();
    assert_eq!(changes, [Change::Protected(longest.id)]);
    let author = guest.id();
    party.host().state.receive(&bytes, START).unwrap();
    let last = START.plus(MAX_PROTECTION_LIFETIME_MS - 1);
    assert_eq!(party.guests[0].protected(last), [(author, longest.id, Wish::Blur)]);
    assert!(party.guests[0].protected(last.plus(1)).is_empty());
}

#[test]
fn r75_nobody_protects_or_unprotects_another() {
    let foreign = refusal(|one, party| one.id = ProtectionId::generate(&party.guests[2].id()).unwrap());
    assert_eq!(foreign, RecordError::ForeignProtection);
    let mut party = Party::of(3);
    let ann = &mut party.guests[2];
    let protection = ann.protection(1, Subject::Me, Wish::HoldBack, START.plus(WEEK));
    let (bytes, _) = ann.state.write(RecordBody::Protect(protection.clone()), START).unwrap();
    party.host().state.receive(&bytes, START).unwrap();
    let eve = &party.guests[1];
    let end = seal_unchecked(eve, eve.header(1, START), &RecordBody::Unprotect { protection: protection.id });
    assert_eq!(party.guests[0].state.clone().receive(&end, START), Err(RecordError::ForeignProtection));
    assert_eq!(party.guests[0].protected(START).len(), 1);
}

#[test]
fn r76_the_newest_word_counts_and_there_is_one_for_each_subject() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let blur = guest.protection(1, Subject::Me, Wish::Blur, START.plus(WEEK));
    let hold = guest.protection(1, Subject::Me, Wish::HoldBack, START.plus(WEEK));
    let (first, _) = guest.state.write(RecordBody::Protect(blur.clone()), START).unwrap();
    let (second, changes) = guest.state.write(RecordBody::Protect(hold.clone()), START.plus(1)).unwrap();
    assert_eq!(changes, [Change::Unprotected(blur.id), Change::Protected(hold.id)]);
    let author = guest.id();
    let host = party.host();
    host.state.receive(&second, START.plus(1)).unwrap();
    host.state.receive(&first, START.plus(1)).unwrap();
    assert_eq!(host.protected(START.plus(1)), [(author, hold.id, Wish::HoldBack)], "the order of arrival is none");
    // Children are somebody else, and so many in all.
    let guest = &mut party.guests[1];
    for child in 1..MAX_LIVE_PROTECTIONS {
        let one = guest.protection(child as u8 + 1, Subject::Child, Wish::Blur, START.plus(WEEK));
        guest.state.write(RecordBody::Protect(one), START.plus(2)).unwrap();
    }
    let more = RecordBody::Protect(guest.protection(9, Subject::Child, Wish::Blur, START.plus(WEEK)));
    assert_eq!(guest.state.write(more.clone(), START.plus(3)), Err(RecordError::TooManyProtections));
    // One who says it all the same is noted, and it does not count.
    let forged = guest.forge(guest.header(START.0 + 100, START.plus(3)), &more);
    guest.state.receive(&forged, START.plus(3)).unwrap();
    assert_eq!(guest.protected(START.plus(3)).len(), MAX_LIVE_PROTECTIONS);
    assert!(
        guest
            .state
            .protections(START.plus(3))
            .iter()
            .all(|live| live.protection.subject == Subject::Child || live.protection.id == hold.id)
    );
}

#[test]
fn r76_a_member_changes_their_mind_eight_times_an_hour_at_most() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let one = guest.protection(1, Subject::Me, Wish::Blur, START.plus(WEEK));
    for minute in 0..MAX_PROTECTIONS_PER_HOUR as u64 {
        guest.state.write(RecordBody::Protect(one.clone()), START.plus(minute * MINUTE)).unwrap();
    }
    let again = |guest: &mut party::Guest, at| guest.state.write(RecordBody::Protect(one.clone()), at).map(|_| ());
    assert_eq!(again(guest, START.plus(HOUR - 1)), Err(RecordError::TooManyProtectionsInAnHour));
    assert_eq!(again(guest, START.minus(HOUR / 2)), Err(RecordError::TooManyProtectionsInAnHour));
    assert!(again(&mut guest.clone(), START.plus(HOUR)).is_ok());
    // Find-mes have a budget of their own, and taking back is always possible.
    let id = guest.fresh_id();
    assert!(guest.announce(id, START.plus(HOUR / 2), HOUR).is_ok());
    let (_, changes) = guest.state.write(RecordBody::Unprotect { protection: one.id }, START.plus(HOUR / 2)).unwrap();
    assert_eq!(changes, [Change::Unprotected(one.id)]);
}

#[test]
fn r77_a_protection_outlasts_a_removal_under_its_own_projection() {
    let mut party = Party::of(4);
    let before = party.guests[0].state.current_grant().unwrap().projection_key();
    let guest = &mut party.guests[1];
    let one = guest.protection(1, Subject::Me, Wish::HoldBack, START.plus(WEEK));
    let (bytes, _) = guest.state.write(RecordBody::Protect(one.clone()), START).unwrap();
    party.host().state.receive(&bytes, START).unwrap();
    let removed = party.guests[3].id();
    party.remove(&removed);
    let host = &party.guests[0].state;
    assert_ne!(host.current_grant().unwrap().projection_key().0, before.0);
    let live = host.protections(START.plus(1));
    assert_eq!((live.len(), live[0].projection.0 == before.0), (1, true), "its author's device may be off");
    // What is made anew is of the new one.
    party.spread_roster_to(1);
    let guest = &mut party.guests[1];
    let anew = Protection { id: one.id, ..guest.protection(1, Subject::Me, Wish::HoldBack, START.plus(WEEK)) };
    let (bytes, _) = guest.state.write(RecordBody::Protect(anew), START.plus(2)).unwrap();
    party.host().state.receive(&bytes, START.plus(2)).unwrap();
    let host = &party.guests[0].state;
    let live = host.protections(START.plus(2));
    assert_eq!((live.len(), live[0].projection.0 == before.0), (1, false));
    // Whoever is removed protects nobody.
    let author = party.guests[1].id();
    party.remove(&author);
    assert!(party.guests[0].protected(START.plus(3)).is_empty());
}

#[test]
fn r78_what_takes_a_protection_back_outlives_it() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let one = guest.protection(1, Subject::Me, Wish::HoldBack, START.plus(WEEK));
    let (said, _) = guest.state.write(RecordBody::Protect(one.clone()), START).unwrap();
    let (ended, _) = guest.state.write(RecordBody::Unprotect { protection: one.id }, START).unwrap();
    let host = party.host();
    host.state.receive(&ended, START).unwrap();
    for hours in 0..8 * 24 {
        let now = START.plus(hours * HOUR);
        host.state.prune(now);
        // Replayed by whoever kept it: it never counts again.
        let _ = host.state.receive(&said, now);
        assert!(host.protected(now).is_empty(), "after {hours} hours");
    }
    let end = START.plus(WEEK + MAX_CLOCK_SKEW_MS + 1);
    assert_eq!(host.state.receive(&said, end), Err(RecordError::Expired));
    assert_eq!(host.state.receive(&ended, end), Err(RecordError::Expired));
    assert_eq!(host.state.records().count(), 0);
}

#[test]
fn r50_who_has_left_protects_nobody() {
    let mut party = Party::of(2);
    let guest = &mut party.guests[1];
    let one = guest.protection(1, Subject::Me, Wish::HoldBack, START.plus(WEEK));
    guest.state.write(RecordBody::Protect(one.clone()), START).unwrap();
    let (_, changes) = guest.state.write(RecordBody::Leave, START.plus(1)).unwrap();
    assert!(changes.contains(&Change::Unprotected(one.id)), "{changes:?}");
    assert!(guest.protected(START.plus(1)).is_empty());
}

#[test]
fn r79_the_host_says_that_bystanders_are_blurred_and_the_last_word_counts() {
    let mut party = Party::of(2);
    assert!(!party.guests[1].state.roster().blur_bystanders());
    for blur in [true, false, true] {
        let entry = party.writer().set_rules(blur, START).unwrap();
        for guest in &mut party.guests {
            assert_eq!(guest.state.apply_roster(&entry), Ok(vec![Change::BystandersBlurred(blur)]));
            assert_eq!(guest.state.roster().blur_bystanders(), blur);
        }
    }
    let again = party.writer().set_rules(true, START).unwrap();
    assert_eq!(party.guests[1].state.apply_roster(&again), Ok(vec![Change::EventChanged]), "no news");
    party.guests[1].restart();
    assert!(party.guests[1].state.roster().blur_bystanders());
}

#[test]
fn r81_the_host_says_that_children_are_present_and_takes_nothing_else_back() {
    for blur in [false, true] {
        let mut party = Party::of(2);
        let rules = party.writer().set_rules(blur, START).unwrap();
        party.guests.iter_mut().for_each(|guest| drop(guest.state.apply_roster(&rules).unwrap()));
        assert!(!party.guests[1].state.roster().children_present());
        for present in [true, false, true] {
            let entry = party.writer().set_children(present, START).unwrap();
            for guest in &mut party.guests {
                assert_eq!(guest.state.apply_roster(&entry), Ok(vec![Change::ChildrenPresent(present)]));
                let roster = guest.state.roster();
                assert_eq!((roster.children_present(), roster.blur_bystanders()), (present, blur));
                assert_eq!(roster.hides_bystanders(), present || blur, "the stricter of both");
            }
        }
        // It outlasts a restart, a new description and a new epoch.
        party.guests[1].restart();
        let changed = party.writer().change("Feast", None, None, START).unwrap();
        party.guests.iter_mut().for_each(|guest| drop(guest.state.apply_roster(&changed).unwrap()));
        let grant = party.guests[0].state.current_grant().unwrap().clone();
        let epoch = party.writer().rotate(&grant, START).unwrap();
        party.guests.iter_mut().for_each(|guest| drop(guest.state.apply_roster(&epoch).unwrap()));
        assert!(party.guests.iter().all(|guest| guest.state.roster().children_present()));
        let again = party.writer().set_children(true, START).unwrap();
        assert_eq!(party.guests[1].state.apply_roster(&again), Ok(vec![Change::EventChanged]), "no news");
    }
}

#[test]
fn r81_nobody_but_the_host_says_so() {
    let party = Party::of(2);
    let stranger = inframe_protocol::keys::EventKey::generate().unwrap();
    let forged = RosterWriter::new(&stranger, party.guests[1].state.roster());
    assert!(forged.is_err() || forged.unwrap().set_children(true, START).is_err());
    let entry = party.writer().set_children(true, START).unwrap();
    let mut other = Party::of(2);
    other.guests[1].state.apply_roster(&entry).unwrap_err();
    assert!(!other.guests[1].state.roster().children_present());
}
