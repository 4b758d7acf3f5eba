//! The owner's name and e-mail address for the members of an event (R82 of the protocol): off until chosen there, said anew in a new epoch, taken back when
//! the choice ends or nothing is left to show.

use inframe_protocol::record::{Contact, RecordBody};
use inframe_protocol::{EventId, MemberId, UnixMillis};

use super::entry::Entry;
use super::{Events, EventsError};

impl Entry {
    /// What a member shows, if anything.
    pub(super) fn contact(&self, member: &MemberId) -> Option<Contact> {
        let (contact, _) = self.state.contact(member)?;
        (!contact.is_empty()).then(|| contact.clone())
    }

    /// What I have to say about it, if the others have heard something else last or could not read it.
    fn contact_to_say(&self, mine: &Contact, now: u64) -> Option<Contact> {
        if !self.is_admitted() {
            return None;
        }
        let wanted = if self.shows_contact { mine.clone() } else { Contact::default() };
        match self.state.contact(&self.my_id()) {
            None => (!wanted.is_empty()).then_some(wanted),
            Some((said, _)) if *said != wanted => Some(wanted),
            Some((_, epoch)) => {
                // Whoever joined later cannot read it. A new epoch of a large event spreads first.
                let renews = !wanted.is_empty()
                    && epoch < self.state.roster().epoch()
                    && self.state.may_write_anew(UnixMillis(now)).is_ok();
                renews.then_some(wanted)
            }
        }
    }
}

impl Events {
    /// Chooses whether the members of an event see who I am; whether that is news. [`Events::keep_contacts`] says it to them.
    ///
    /// # Errors
    /// When there is no such event or the vault fails.
    pub fn show_contact(&self, event: &EventId, shows: bool) -> Result<bool, EventsError> {
        self.change(event, |entry| Ok(std::mem::replace(&mut entry.shows_contact, shows) != shows))
    }

    /// Says to the members of each event what they are to know of `mine`, where they have heard something else.
    ///
    /// # Errors
    /// When a record is refused or the vault fails; the other events are served all the same.
    pub fn keep_contacts(&self, mine: &Contact, now: u64) -> Result<(), EventsError> {
        let mut outcome = Ok(());
        for event in self.ids() {
            let due = self.read(&event, |entry| entry.contact_to_say(mine, now)).flatten();
            let step = due.map_or(Ok(()), |contact| self.write(&event, RecordBody::Contact(contact)));
            if outcome.is_ok() {
                outcome = step;
            }
        }
        outcome
    }
}
