//! A state that was kept and is built again: from its entries and records, each kept by itself, or from one piece of bytes. Keys and grants are
//! in neither: the keys are kept apart, and open the grants again.
//!
//! Layout of the one piece: version (1 byte), event (32), number of roster entries (u32), then each entry and each record as length (u32) and bytes; an
//! entry's last 64 bytes are its signature. Numbers are little-endian.

use std::sync::Arc;

use thiserror::Error;

use super::EventState;
use crate::ids::EventId;
use crate::keys::Signature;
use crate::record::{Received, RecordError};
use crate::roster::{RosterError, SignedRosterEntry};

/// The layout that this version writes.
const VERSION: u8 = 1;

/// Why stored bytes are not a state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// Written by a version that came later.
    #[error("the stored event is of layout {0}, which this version cannot read: use a newer version")]
    NewerVersion(u8),
    /// Cut off, or not such bytes at all.
    #[error("the stored event is cut off or damaged: join the event again")]
    Damaged,
    /// A roster entry in it is not right.
    #[error("the stored roster is damaged: {0}")]
    Roster(#[from] RosterError),
    /// A record in it is not right.
    #[error("a stored record is damaged: {0}")]
    Record(#[from] RecordError),
}

impl EventState {
    /// The state as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.event().as_bytes());
        bytes.extend_from_slice(&self.roster.next_index().to_le_bytes());
        for entry in self.roster.entries() {
            put(&mut bytes, &[&entry.bytes, &entry.signature.0]);
        }
        for record in self.logs.values().flat_map(|log| log.records()) {
            put(&mut bytes, &[record.bytes()]);
        }
        bytes
    }

    /// Reads a state and checks every rule anew, the times excepted. Set the keys next.
    ///
    /// # Errors
    /// The bytes are not a state that [`EventState::to_bytes`] gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (version, rest) = bytes.split_first().ok_or(StateError::Damaged)?;
        if *version != VERSION {
            return Err(StateError::NewerVersion(*version));
        }
        let (event, rest) = rest.split_first_chunk::<32>().ok_or(StateError::Damaged)?;
        let (entries, mut rest) = rest.split_first_chunk::<4>().ok_or(StateError::Damaged)?;
        let (mut parts, mut records) = (Vec::new(), Vec::new());
        for _ in 0..u32::from_le_bytes(*entries) {
            let (bytes, signature) = take(&mut rest)?.split_last_chunk::<64>().ok_or(StateError::Damaged)?;
            parts.push(SignedRosterEntry { bytes: bytes.to_vec(), signature: Signature(*signature) });
        }
        while !rest.is_empty() {
            records.push(take(&mut rest)?);
        }
        let mut state = Self::of_roster(EventId(*event), &parts)?;
        records.into_iter().try_for_each(|record| state.add_kept(record))?;
        Ok(state)
    }

    /// Builds a state again from its roster, whose rules are checked anew. The records follow one by one ([`EventState::add_kept`]), then the keys.
    ///
    /// # Errors
    /// An entry is not the next one.
    pub fn of_roster(event: EventId, entries: &[SignedRosterEntry]) -> Result<Self, StateError> {
        let mut state = Self::new(event);
        let roster = Arc::make_mut(&mut state.roster);
        entries.iter().try_for_each(|entry| roster.append(entry).map(|_| ()))?;
        state.unsaved = state.all_saved();
        Ok(state)
    }

    /// Adds a record that this node has kept, in any order. Every rule is checked anew, the times excepted.
    ///
    /// # Errors
    /// It is not right; the state is then unchanged.
    pub fn add_kept(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let record = Received::read(bytes)?.verify_kept(&self.roster)?.open(None)?;
        let author = record.header().author;
        self.digest = Arc::default();
        let log = Arc::make_mut(self.logs.entry(author).or_default());
        Ok(log.keep(record)?)
    }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    // Entries and records are far shorter than 4 GiB.
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], StateError> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(StateError::Damaged)?;
    let (part, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(StateError::Damaged)?;
    *rest = after;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{NodeId, UnixMillis};
    use crate::keys::{EventKey, MemberKeys};
    use crate::record::RecordBody;
    use crate::roster::{NewEvent, RosterWriter};

    fn state() -> EventState {
        let (key, keys) = (EventKey::generate().unwrap(), MemberKeys::generate().unwrap());
        let new = NewEvent {
            name: "Wedding".to_owned(),
            starts: None,
            ends: None,
            host: keys.public(),
            node: NodeId::new([1; 38]).unwrap(),
            nickname: "Ann".to_owned(),
        };
        let mut state = EventState::new(key.event_id());
        state.set_keys(keys);
        state.apply_roster(&RosterWriter::create(&key, new, UnixMillis(1)).unwrap().0).unwrap();
        let body = RecordBody::Profile { nickname: "Anna".to_owned(), addresses: Vec::new() };
        state.write(body, UnixMillis(2)).unwrap();
        state
    }

    #[test]
    fn d2_a_state_comes_back_from_its_bytes() {
        for state in [state(), EventState::new(EventId([1; 32]))] {
            let mut back = EventState::from_bytes(&state.to_bytes()).unwrap();
            if let Some(keys) = &state.keys {
                back.set_keys(keys.clone());
            }
            assert_eq!((back.vector(), back.to_bytes()), (state.vector(), state.to_bytes()));
            assert_eq!(back.current_grant(), state.current_grant());
        }
    }

    #[test]
    fn d3_the_bytes_hold_no_secret_and_debug_shows_none() {
        let state = state();
        let (grant, keys) = (state.current_grant().unwrap(), state.keys.as_ref().unwrap().to_bytes());
        let bytes = state.to_bytes();
        for secret in [&grant.secret[..], &grant.projection, &keys[..32], &keys[32..], b"Anna"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
        let shown = format!("{state:?}");
        assert!(shown.starts_with("EventState { event: EventId(") && shown.len() < 120, "{shown}");
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_believed() {
        let bytes = state().to_bytes();
        assert_eq!(EventState::from_bytes(&[]).unwrap_err(), StateError::Damaged);
        assert_eq!(EventState::from_bytes(&[9; 99]).unwrap_err(), StateError::NewerVersion(9));
        for len in 1..bytes.len() {
            // Cut exactly after an entry or a record, what is left is an earlier state.
            if let Ok(state) = EventState::from_bytes(&bytes[..len]) {
                assert_eq!(state.to_bytes(), bytes[..len], "{len}");
            }
        }
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(EventState::from_bytes(&changed).is_err(), "byte {at}");
        }
    }
}
