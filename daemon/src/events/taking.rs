//! Taking in what other nodes give, and dropping what has expired: judged on a copy that shares the records, so that what is refused costs nothing and
//! what cannot be written changes nothing.

use inframe_protocol::event::{Change, EventState};
use inframe_protocol::record::{Received, RecordError};
use inframe_protocol::roster::{RosterError, SignedRosterEntry};
use inframe_protocol::{EventId, UnixMillis};

use super::alarms::{Alarm, Fork};
use super::entry::Entry;
use super::rows::put_unsaved;
use super::{Events, EventsError};
use crate::clock::now_ms;
use crate::live::What;
use crate::vault::Batch;

/// An invite is remembered for this long after its expiry, milliseconds.
const KEEP_INVITES_MS: u64 = 7 * 24 * 3_600_000;

/// What taking something in has led to.
#[derive(Debug, Default)]
pub struct Taken {
    /// What is different now.
    pub changes: Vec<Change>,
    /// What was found to be wrong for the first time, or for the first time today.
    pub alarms: Vec<Alarm>,
    /// The first thing that was refused.
    pub problem: Option<EventsError>,
}

impl Taken {
    fn failed(error: EventsError) -> Self {
        Self { problem: Some(error), ..Self::default() }
    }

    fn refuse(&mut self, error: impl Into<EventsError>) {
        self.problem.get_or_insert(error.into());
    }
}

impl Events {
    /// Takes roster entries and records from another node; what is known or not right is passed over.
    pub fn take(&self, event: &EventId, roster: &[SignedRosterEntry], records: &[Vec<u8>]) -> Taken {
        let now = now_ms();
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(event) else { return Taken::failed(EventsError::NotFound) };
        let mut state = entry.state.clone();
        let mut alarms = entry.alarms.clone();
        let mut taken = Taken::default();
        let known = state.roster().next_index();
        for signed in roster {
            match state.apply_roster(signed) {
                Ok(more) => taken.changes.extend(more),
                Err(RosterError::Forked { index }) => {
                    let Some(ours) = state.roster().entries().get(index as usize).cloned() else { continue };
                    if alarms.raise_fork(Fork { at: now, index, ours, theirs: signed.clone() }) {
                        taken.alarms.push(Alarm::Forked { index });
                    }
                }
                // Entries from before what is known come with every first sync; only what would go on counts.
                Err(error) if state.roster().next_index() == known => taken.refuse(error),
                Err(_) => {}
            }
        }
        for record in records {
            match state.receive(record, UnixMillis(now)) {
                Ok(more) => taken.changes.extend(more),
                // Whichever of the two came first: its author signed both.
                Err(RecordError::Equivocation) => {
                    taken.changes.extend(author_of(record).map(Change::Equivocated));
                }
                Err(error) => taken.refuse(error),
            }
        }
        for change in &taken.changes {
            let alarm = match change {
                Change::Equivocated(member) => Alarm::Equivocated(*member),
                Change::OverBudget(member) => Alarm::OverBudget(*member),
                _ => continue,
            };
            if alarms.raise(alarm, now) {
                taken.alarms.push(alarm);
            }
        }
        taken.changes.retain(|change| !matches!(change, Change::Equivocated(_) | Change::OverBudget(_)));
        if !state.is_unsaved() && taken.alarms.is_empty() {
            return taken;
        }
        if let Err(error) = entry.turn_to(self, state, |entry| entry.alarms = alarms) {
            return Taken::failed(error);
        }
        drop(entries);
        self.live.tell(What::Events, Some(event.to_string()));
        taken
    }

    /// Drops what has expired.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn prune(&self, now: u64) -> Result<(), EventsError> {
        for event in self.ids() {
            let mut entries = self.entries();
            let Some(entry) = entries.get_mut(&event) else { continue };
            // Used and expired ones stay for a while, so that whoever comes late hears why.
            let is_kept = |invite: &super::stored::IssuedInvite| invite.expires.saturating_add(KEEP_INVITES_MS) > now;
            let mut state = entry.state.clone();
            state.prune(UnixMillis(now));
            if !state.is_unsaved() && entry.invites.iter().all(is_kept) {
                continue;
            }
            entry.turn_to(self, state, |entry| entry.invites.retain(is_kept))?;
            drop(entries);
            self.live.tell(What::Events, Some(event.to_string()));
        }
        Ok(())
    }
}

fn author_of(record: &[u8]) -> Option<inframe_protocol::MemberId> {
    Some(Received::read(record).ok()?.claimed().author)
}

impl Entry {
    /// Makes this the state, with what else `change` changes, and writes what is different. When that fails, all is as before.
    fn turn_to(
        &mut self,
        events: &Events,
        mut state: EventState,
        change: impl FnOnce(&mut Self),
    ) -> Result<(), EventsError> {
        let unsaved = state.take_unsaved();
        let state = std::mem::replace(&mut self.state, state);
        let before = (state, self.joining.clone(), self.invites.clone(), self.alarms.clone());
        change(self);
        if self.is_admitted() {
            self.joining = None;
        }
        let mut batch = Batch::default();
        let head = self.joining.is_some() != before.1.is_some()
            || self.invites.len() != before.2.len()
            || unsaved.first_entry < self.state.roster().next_index();
        let written = put_unsaved(&mut batch, &self.keys, &self.state, &unsaved)
            .and_then(|()| if head { self.put_head(&mut batch) } else { Ok(()) })
            .and_then(|()| if self.alarms == before.3 { Ok(()) } else { self.put_alarms(&mut batch) })
            .and_then(|()| Ok(events.vault.catalog().commit(batch)?));
        if written.is_err() {
            (self.state, self.joining, self.invites, self.alarms) = before;
        }
        written
    }
}
