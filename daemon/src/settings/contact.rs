//! The owner's name and e-mail address, if they have given them: one row of the catalog. They stay here unless shown to the members of an event.

use inframe_protocol::limits::{MAX_CONTACT_NAME_BYTES, MAX_EMAIL_BYTES};
use inframe_protocol::record::Contact;
use inframe_protocol::text::tidy_name;

use super::KeptRow;

impl KeptRow for Contact {
    const KEY: &'static [u8] = b"contact";
}

/// What the owner typed, as others can be told it (D8). `None`: the address is none.
#[must_use]
pub fn tidy_contact(name: &str, email: &str) -> Option<Contact> {
    let contact = Contact {
        name: tidy_name(name, MAX_CONTACT_NAME_BYTES).unwrap_or_default(),
        // A longer one is another address, so it is refused and not cut.
        email: tidy_name(email, MAX_EMAIL_BYTES + 1).unwrap_or_default(),
    };
    contact.check().is_ok().then_some(contact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d8_a_name_is_tidied_and_an_address_is_one_or_refused() {
        let tidy = |name: &str, email: &str| tidy_contact(name, email).map(|contact| (contact.name, contact.email));
        let is = |name: &str, email: &str| Some((name.to_owned(), email.to_owned()));
        assert_eq!(tidy("  Ann\u{202e}\n Lee ", " ann@example.org "), is("Ann Lee", "ann@example.org"));
        assert_eq!(tidy("", " "), is("", ""));
        assert_eq!(tidy(&"x".repeat(200), ""), is(&"x".repeat(128), ""));
        for bad in ["ann", "a b@c", "a@", "Ann <a@b>", &format!("{}@example.org", "x".repeat(243))] {
            assert_eq!(tidy("Ann", bad), None, "{bad}");
        }
    }
}
