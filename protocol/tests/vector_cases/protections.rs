//! One input for each way to break a rule of protections, and of contacts.

use inframe_protocol::ProtectionId;
use inframe_protocol::record::{Contact, Protection, RecordBody, Subject, Wish};

use super::accepted::record;
use super::{Case, Input, case};
use crate::party::{HOUR, Party, START, seal_unchecked};

pub(super) fn cases() -> Vec<(String, Case)> {
    let party = Party::of(3);
    let (listener, now) = (&party.guests[0], START.plus(HOUR));
    let (guest, foreign) = (&party.guests[1], ProtectionId::generate(&party.guests[2].id()).unwrap());
    let told = |body: &RecordBody| record(listener, seal_unchecked(guest, guest.header(1, now), body));
    let protection = |change: &dyn Fn(&mut Protection)| {
        let mut protection = guest.protection(1, Subject::Me, Wish::HoldBack, now.plus(HOUR));
        change(&mut protection);
        told(&RecordBody::Protect(protection))
    };
    let long = protection(&|protection| protection.expires = now.plus(7 * 24 * HOUR + 1));
    let end = told(&RecordBody::Unprotect { protection: foreign });
    let contact = |name: &str, email: &str| {
        told(&RecordBody::Contact(Contact { name: name.to_owned(), email: email.to_owned() }))
    };
    let (long_name, long_mail) = ("x".repeat(129), format!("{}@example.org", "x".repeat(243)));
    let cases: [(u32, &str, &str, Input); 9] = [
        (74, "too_long", "a protection of seven days and a millisecond", long),
        (74, "no_pack", "a protection of no model pack", protection(&|protection| protection.pack = String::new())),
        (75, "foreign", "the protection of another member", protection(&|protection| protection.id = foreign)),
        (75, "foreign_end", "another member's protection is taken back", end),
        (82, "long_name", "a name of 129 bytes", contact(&long_name, "")),
        (82, "long_email", "an address of 255 bytes", contact("", &long_mail)),
        (82, "turned", "a name that turns the direction of what follows", contact("\u{202e}nnA", "")),
        (82, "sentence", "a sentence in place of an address", contact("", "write to me@example.org")),
        (82, "no_host", "an address with nothing behind its at sign", contact("", "ann@")),
    ];
    let named = |(rule, name, what, input): (u32, &str, &str, Input)| {
        (format!("refused/r{rule}_{name}"), case(what, Some(rule), input))
    };
    cases.into_iter().map(named).collect()
}
