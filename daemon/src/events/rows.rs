//! An event in the catalog: a head row, a row for each roster entry and each record, and one for the alarms. What changes together is written in one
//! batch, so a crash leaves all of a change or nothing (D2).

use std::collections::BTreeMap;

use inframe_protocol::event::{EventState, Unsaved};
use inframe_protocol::keys::{EventKey, MemberKeys};
use inframe_protocol::roster::SignedRosterEntry;
use inframe_protocol::{EventId, MemberId};

use super::EventsError;
use super::alarms::StoredAlarms;
use super::entry::Entry;
use super::stored::StoredEvent;
use crate::vault::{Batch, Kind, Vault};

/// Bytes of the tag that a record's row is found by.
const PLACE_BYTES: usize = 16;

/// The key of a record's row: the event, and a tag of author and number under my keys, so that the disk tells nobody who wrote how much and when (D3).
fn record_key(event: &EventId, keys: &MemberKeys, author: &MemberId, seq: u64) -> Vec<u8> {
    let key = blake3::derive_key("inframe 2026-11-27 event: places of records", &keys.to_bytes()[..]);
    let mut tag = [0; PLACE_BYTES];
    blake3::Hasher::new_keyed(&key).update(&author.0).update(&seq.to_be_bytes()).finalize_xof().fill(&mut tag);
    [&event.0[..], &tag].concat()
}

fn entry_key(event: &EventId, index: u32) -> Vec<u8> {
    [&event.0[..], &index.to_be_bytes()].concat()
}

/// Puts what has changed of a state into the batch.
pub(super) fn put_unsaved(
    batch: &mut Batch,
    keys: &MemberKeys,
    state: &EventState,
    unsaved: &Unsaved,
) -> Result<(), EventsError> {
    let event = state.event();
    for (index, entry) in (0..).zip(state.roster().entries()).skip(unsaved.first_entry as usize) {
        batch.put_as(Kind::RosterEntry, entry_key(&event, index), entry)?;
    }
    for (author, seq) in &unsaved.records {
        let key = record_key(&event, keys, author, *seq);
        match state.record(author, *seq) {
            Some(bytes) => batch.put_as(Kind::EventRecord, key, bytes)?,
            None => batch.remove(Kind::EventRecord, key),
        };
    }
    Ok(())
}

impl Entry {
    /// Reads every event. One whose head or roster is damaged is left out and said so in the log; it heals by joining again.
    pub(super) fn read_all(vault: &Vault) -> Result<Vec<Self>, EventsError> {
        let mut entries = Vec::new();
        for (key, row) in vault.catalog().scan_versioned::<StoredEvent>(Kind::Event)? {
            match Self::from_row(vault, &key, row) {
                Ok(entry) => entries.push(entry),
                Err(error) => tracing::error!("an event could not be read and is left out: {error}"),
            }
        }
        Ok(entries)
    }

    fn from_row(vault: &Vault, key: &[u8], row: StoredEvent) -> Result<Self, EventsError> {
        let damaged = |what: &str| EventsError::Damaged(what.to_owned());
        let id = EventId(key.try_into().map_err(|_| damaged("its id"))?);
        let keys = row.member_keys.as_slice().try_into().map_err(|_| damaged("its keys"))?;
        let keys = MemberKeys::from_bytes(keys);
        let (mut state, moves) = match &row.in_one {
            None => (read_state(vault, id, row.entries)?, false),
            Some(bytes) => (EventState::from_bytes(bytes).map_err(|error| damaged(&error.to_string()))?, true),
        };
        state.set_keys(keys.clone());
        let mut entry = Self {
            id,
            state,
            keys,
            event_key: row.event_key.map(EventKey::from_seed),
            invited_name: row.invited_name,
            settings: row.settings,
            announcing: row.announcing,
            protecting: vault.catalog().get_as(Kind::EventProtecting, id.0)?.unwrap_or_default(),
            details: vault.catalog().get_as(Kind::EventDetails, id.0)?.unwrap_or_default(),
            shows_contact: vault.catalog().get_as(Kind::EventContact, id.0)?.unwrap_or_default(),
            joining: row.joining,
            invites: row.invites,
            code: row.code,
            waiting: row.waiting,
            declined: row.declined,
            removed_nodes: row.removed_nodes,
            alarms: vault.catalog().get_as::<StoredAlarms>(Kind::EventAlarms, id.0)?.unwrap_or_default(),
            shown: BTreeMap::new(),
        };
        if moves {
            entry.write_all(vault)?;
        }
        Ok(entry)
    }

    /// Writes the head and every entry and record, as an event of an older version needs it once.
    fn write_all(&mut self, vault: &Vault) -> Result<(), EventsError> {
        self.state.take_unsaved();
        let all = Unsaved { first_entry: 0, records: self.state.records().collect() };
        let mut batch = Batch::default();
        put_unsaved(&mut batch, &self.keys, &self.state, &all)?;
        self.put_head(&mut batch)?;
        Ok(vault.catalog().commit(batch)?)
    }

    /// Puts the head row into the batch.
    pub(super) fn put_head(&self, batch: &mut Batch) -> Result<(), EventsError> {
        let row = StoredEvent {
            entries: self.state.roster().next_index(),
            invited_name: self.invited_name.clone(),
            member_keys: self.keys.to_bytes().to_vec(),
            event_key: self.event_key.as_ref().map(|key| *key.seed()),
            settings: self.settings.clone(),
            announcing: self.announcing.clone(),
            joining: self.joining.clone(),
            invites: self.invites.clone(),
            code: self.code.clone(),
            waiting: self.waiting.clone(),
            declined: self.declined.clone(),
            removed_nodes: self.removed_nodes.clone(),
            in_one: None,
        };
        batch.put_versioned(Kind::Event, self.id.0, &row)?;
        Ok(())
    }

    /// Puts the row of alarms into the batch.
    pub(super) fn put_alarms(&self, batch: &mut Batch) -> Result<(), EventsError> {
        batch.put_as(Kind::EventAlarms, self.id.0, &self.alarms)?;
        Ok(())
    }

    /// Writes the head and what has changed of the state, durably.
    pub(super) fn write(&mut self, vault: &Vault) -> Result<(), EventsError> {
        let mut batch = Batch::default();
        let unsaved = self.state.take_unsaved();
        put_unsaved(&mut batch, &self.keys, &self.state, &unsaved)?;
        self.put_head(&mut batch)?;
        match self.protecting.is_empty() {
            true => batch.remove(Kind::EventProtecting, self.id.0),
            false => batch.put_as(Kind::EventProtecting, self.id.0, &self.protecting)?,
        };
        match self.details.is_empty() {
            true => batch.remove(Kind::EventDetails, self.id.0),
            false => batch.put_as(Kind::EventDetails, self.id.0, &self.details)?,
        };
        match self.shows_contact {
            false => batch.remove(Kind::EventContact, self.id.0),
            true => batch.put_as(Kind::EventContact, self.id.0, &true)?,
        };
        Ok(vault.catalog().commit(batch)?)
    }

    /// Has the rows go with the batch.
    pub(super) fn erase(&self, batch: &mut Batch) {
        for index in 0..self.state.roster().next_index() {
            batch.remove(Kind::RosterEntry, entry_key(&self.id, index));
        }
        for (author, seq) in self.state.records() {
            batch.remove(Kind::EventRecord, record_key(&self.id, &self.keys, &author, seq));
        }
        batch
            .remove(Kind::EventAlarms, self.id.0)
            .remove(Kind::EventProtecting, self.id.0)
            .remove(Kind::EventDetails, self.id.0)
            .remove(Kind::EventContact, self.id.0)
            .remove(Kind::Event, self.id.0);
    }
}

/// Builds the state again from its rows. A record that is not right is left out: others have it, and the next sync brings it back. A roster that is not
/// whole is none: a host who went on from an earlier place would tell two stories.
fn read_state(vault: &Vault, event: EventId, count: u32) -> Result<EventState, EventsError> {
    let damaged = |what: String| EventsError::Damaged(what);
    let rows = vault.catalog().scan_prefix_as::<SignedRosterEntry>(Kind::RosterEntry, event.0)?;
    let entries: Vec<SignedRosterEntry> = rows.into_iter().map(|(_, entry)| entry).collect();
    if entries.len() != count as usize {
        return Err(damaged(format!("{} of {count} roster entries are there", entries.len())));
    }
    let mut state = EventState::of_roster(event, &entries).map_err(|error| damaged(error.to_string()))?;
    for (_, bytes) in vault.catalog().scan_prefix_as::<Vec<u8>>(Kind::EventRecord, event.0)? {
        if let Err(error) = state.add_kept(&bytes) {
            tracing::error!("a record of an event could not be read and is left out: {error}");
        }
    }
    Ok(state)
}
