//! What members show of themselves besides a nickname (R82): limits, whose word counts and how long, and how it is taken back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of the helpers is a failure of the test")]

mod party;

use inframe_protocol::UnixMillis;
use inframe_protocol::event::{Change, EventState};
use inframe_protocol::limits::{
    MAX_CONTACT_NAME_BYTES, MAX_EMAIL_BYTES, MAX_RECORDS_PER_AUTHOR, MAX_SMALL_RECORD_BYTES,
};
use inframe_protocol::record::{Contact, RecordBody, RecordError};
use party::{HOUR, Party, START, seal_unchecked};

fn contact(name: &str, email: &str) -> Contact {
    Contact { name: name.to_owned(), email: email.to_owned() }
}

fn shown(state: &EventState, of: &inframe_protocol::MemberId) -> Option<Contact> {
    state.contact(of).map(|(contact, _)| contact.clone())
}

#[test]
fn r82_a_name_and_an_address_are_within_their_limits_and_no_other_text() {
    let party = Party::of(2);
    let guest = &party.guests[1];
    let try_it = |contact: &Contact| {
        let body = RecordBody::Contact(contact.clone());
        let bytes = seal_unchecked(guest, guest.header(1, START), &body);
        let heard = party.guests[0].state.clone().receive(&bytes, START).map(drop);
        // An honest node does not write it in the first place.
        assert_eq!(guest.state.clone().write(body, START).map(drop), heard, "{contact:?}");
        (heard, bytes.len())
    };
    let (long, longest) =
        ("x".repeat(MAX_CONTACT_NAME_BYTES), format!("{}@example.org", "x".repeat(MAX_EMAIL_BYTES - 12)));
    assert_eq!(longest.len(), MAX_EMAIL_BYTES);
    let good =
        [("Ann Lee", ""), ("", "ann.lee+photos@example.org"), ("李小龍", "李@例え.jp"), ("", ""), (&long, &longest)];
    for (name, email) in good {
        let (heard, bytes) = try_it(&contact(name, email));
        assert_eq!(heard, Ok(()), "{name:?} {email:?}");
        assert!(bytes <= MAX_SMALL_RECORD_BYTES, "{bytes}: or it would take the place of find-mes");
    }
    let (more, most) = (format!("{long}x"), format!("x{longest}"));
    let names = ["a\nb", "\u{202e}gpj.exe", " Ann", "a\0", &more];
    let emails = [
        "ann",
        "@",
        "ann@",
        "@example.org",
        "a b@example.org",
        "a@example.org\u{a0}x",
        "Ann <a@b>",
        "a@b,c@d",
        "mailto:a@b",
        "a@b?cc=c",
        "a@b\n",
        "\u{202e}a@b",
        &most,
    ];
    for bad in names.map(|name| contact(name, "")).into_iter().chain(emails.map(|email| contact("Ann", email))) {
        let (heard, _) = try_it(&bad);
        let Err(RecordError::Field(_)) = heard else { panic!("{:?} {:?}: {heard:?}", bad.name, bad.email) };
        assert!(heard.is_err_and(|error| error.is_hostile()));
    }
    assert_eq!(format!("{:?}", RecordBody::Contact(contact("Ann", "a@b"))), "Contact(..)", "neither is printed");
}

#[test]
fn r82_the_newest_word_of_the_author_counts_and_an_empty_one_takes_it_back_for_good() {
    let mut party = Party::of(3);
    let guest = &mut party.guests[1];
    let author = guest.id();
    let (first, changes) = guest.state.write(RecordBody::Contact(contact("Ann", "ann@example.org")), START).unwrap();
    assert_eq!(changes, [Change::ContactChanged(author)]);
    let (second, _) = guest.state.write(RecordBody::Contact(Contact::default()), START.plus(1)).unwrap();
    let host = party.host();
    assert_eq!(host.state.receive(&second, START.plus(1)), Ok(vec![Change::ContactChanged(author)]));
    assert_eq!(host.state.receive(&first, START.plus(1)), Ok(vec![]), "the order of arrival is none");
    assert_eq!(shown(&host.state, &author), Some(Contact::default()));
    // However long it is ago: whoever kept what was taken back cannot say it again.
    for hours in [0, 24, 25, 24 * 365] {
        let now = START.plus(hours * HOUR);
        host.state.prune(now);
        let _ = host.state.receive(&first, now);
        assert!(shown(&host.state, &author).is_some_and(|contact| contact.is_empty()), "after {hours} hours");
    }
    assert_eq!(host.state.records().count(), 1, "and of what was shown nothing is kept");
    // Nobody speaks for another: a record is its author's.
    let eve = &party.guests[2];
    let hers = eve.forge(eve.header(5, START), &RecordBody::Contact(contact("Ann", "eve@example.org")));
    party.guests[0].state.receive(&hers, START).unwrap();
    assert_eq!(shown(&party.guests[0].state, &author), Some(Contact::default()));
    assert_eq!(shown(&party.guests[0].state, &party.guests[2].id()), Some(contact("Ann", "eve@example.org")));
}

#[test]
fn r82_a_contact_outlasts_a_restart_and_other_records_and_ends_with_its_author() {
    let mut party = Party::of(3);
    let guest = &mut party.guests[1];
    let author = guest.id();
    let mine = contact("Ann", "");
    let (first, _) = guest.state.write(RecordBody::Contact(mine.clone()), START).unwrap();
    let host = party.host();
    host.state.receive(&first, START).unwrap();
    let many = MAX_RECORDS_PER_AUTHOR as u64 + 9;
    for number in 0..many {
        let guest = &party.guests[1];
        let body = RecordBody::Withdraw { find_me: guest.fresh_id() };
        let record = guest.forge(guest.header(START.0 + 100 + number, START), &body);
        party.host().state.receive(&record, START).unwrap();
    }
    party.guests[0].restart();
    assert_eq!(shown(&party.guests[0].state, &author), Some(mine.clone()), "R36");
    party.guests[0].state.prune(UnixMillis(START.0 + 999 * HOUR));
    assert_eq!(shown(&party.guests[0].state, &author), Some(mine.clone()), "R33");
    // Who joins in a later epoch reads it only once it is said anew.
    party.rotate();
    party.admit(7);
    let newcomer = party.guests.len() - 1;
    party.spread_roster_to(1);
    party.spread_roster_to(newcomer);
    let _ = party.guests[newcomer].state.receive(&first, START);
    assert_eq!(shown(&party.guests[newcomer].state, &author), None);
    let now = START.plus(2 * HOUR);
    let (again, _) = party.guests[1].state.write(RecordBody::Contact(mine.clone()), now).unwrap();
    party.guests[newcomer].state.receive(&again, now).unwrap();
    assert_eq!(party.guests[newcomer].state.contact(&author), Some((&mine, 1)));
    // R50: of one who has left nothing is shown.
    let (left, _) = party.guests[1].state.write(RecordBody::Leave, now.plus(1)).unwrap();
    let changes = party.guests[newcomer].state.receive(&left, now.plus(1)).unwrap();
    assert!(changes.contains(&Change::ContactChanged(author)), "{changes:?}");
    assert_eq!(shown(&party.guests[newcomer].state, &author), None);
}
