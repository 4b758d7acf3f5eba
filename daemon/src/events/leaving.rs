//! Leaving an event: its row goes, and what is left of it is the last word to those who have not heard it (R50).

use inframe_protocol::record::RecordBody;
use inframe_protocol::{EventId, NodeId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::{Events, EventsError, Outgoing};
use crate::clock::now_ms;
use crate::live::What;
use crate::vault::{Batch, Kind, Vault, VaultError};

/// Those who were away when a member left are tried for this long, milliseconds: a week brings most people home once, and one who hears it
/// tells the others.
const FAREWELL_MS: u64 = 7 * 24 * 3_600_000;

/// My leave of an event that is not here any more. It holds no key and no name of the event.
#[derive(Clone, Serialize, Deserialize)]
pub struct Farewell {
    /// The sealed record.
    record: Vec<u8>,
    /// Who has not been told: node and addresses.
    untold: Vec<(NodeId, Vec<String>)>,
    /// The host's node, if it was still one of them.
    host: Option<NodeId>,
    /// When I stop trying, Unix milliseconds.
    until: u64,
}

impl std::fmt::Debug for Farewell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Farewell {{ untold: {}, until: {} }}", self.untold.len(), self.until)
    }
}

impl Farewell {
    pub(super) fn read_all(vault: &Vault) -> Result<Vec<(EventId, Self)>, VaultError> {
        let rows = vault.catalog().scan_as::<Self>(Kind::Farewell)?;
        Ok(rows.into_iter().filter_map(|(key, row)| Some((EventId(key.try_into().ok()?), row))).collect())
    }

    /// Nodes that are to be told, with their addresses.
    pub(super) fn untold(&self) -> &[(NodeId, Vec<String>)] {
        &self.untold
    }

    /// Whether nobody is left who has to be told by me: the host removes me, and the roster tells the rest.
    fn is_said(&self, now: u64) -> bool {
        let host_knows = self.host.as_ref().is_some_and(|host| !self.untold.iter().any(|(node, _)| node == host));
        self.untold.is_empty() || host_knows || self.until <= now
    }
}

impl Entry {
    /// Writes my last record, if I am a member, and makes the farewell of it. Also gives what to tell at once.
    fn take_leave(&mut self, now: u64) -> Result<Option<(Farewell, Outgoing)>, EventsError> {
        if !self.is_admitted() {
            return Ok(None);
        }
        let me = self.my_id();
        let topic = self.state.current_grant().map(inframe_protocol::keys::EpochGrant::topic_name);
        let others = self.state.members().filter(|member| member.id() != me);
        let untold = others
            .map(|member| {
                let addresses = self.state.profile(&member.id()).map(|profile| profile.addresses).unwrap_or_default();
                (member.node.clone(), addresses)
            })
            .collect();
        let host = self.state.roster().host().filter(|host| host.id() != me && !self.state.has_left(&host.id()));
        let host = host.map(|host| host.node.clone());
        let (record, _changes) = self.state.write(RecordBody::Leave, UnixMillis(now))?;
        let outgoing = Outgoing { event: self.id, topic, records: vec![record.clone()], roster: Vec::new(), words: 0 };
        Ok(Some((Farewell { record, untold, host, until: now.saturating_add(FAREWELL_MS) }, outgoing)))
    }
}

impl Events {
    /// Leaves an event: everything kept for it goes, and the others are to be told.
    ///
    /// # Errors
    /// When there is none or the vault fails.
    pub fn leave(&self, event: &EventId) -> Result<(), EventsError> {
        let mut entries = self.entries();
        let entry = entries.get(event).ok_or(EventsError::NotFound)?;
        let last_word = entry.clone().take_leave(now_ms()).unwrap_or_else(|error| {
            // A leave that cannot be written must hold nobody back; a find-me ends by itself within a day.
            tracing::warn!("the others of an event cannot be told that you left: {error}");
            None
        });
        let mut batch = Batch::default();
        entry.erase(&mut batch);
        if let Some((farewell, _)) = &last_word {
            batch.put_as(Kind::Farewell, event.0, farewell)?;
        }
        self.vault.catalog().commit(batch)?;
        entries.remove(event);
        if let Some((farewell, outgoing)) = last_word {
            // Before the entry's lock is let go: who asks in between whom this node knows still finds them.
            self.farewells().insert(*event, farewell);
            self.push_outgoing(outgoing);
        }
        drop(entries);
        self.live.tell(What::Events, None);
        Ok(())
    }

    /// Farewells with those who have not been told.
    #[must_use]
    pub fn farewells_to_say(&self) -> Vec<(EventId, Vec<u8>, Vec<NodeId>)> {
        let nodes = |farewell: &Farewell| farewell.untold.iter().map(|(node, _)| node.clone()).collect();
        let row = |(event, farewell): (&EventId, &Farewell)| (*event, farewell.record.clone(), nodes(farewell));
        self.farewells().iter().map(row).collect()
    }

    /// Notes who was told of a farewell; it goes when it is said or its time is over.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn farewell_said(&self, event: &EventId, told: &[NodeId], now: u64) -> Result<(), EventsError> {
        let mut farewells = self.farewells();
        let Some(mut farewell) = farewells.get(event).cloned() else { return Ok(()) };
        farewell.untold.retain(|(node, _)| !told.contains(node));
        let mut batch = Batch::default();
        if farewell.is_said(now) {
            batch.remove(Kind::Farewell, event.0);
            self.vault.catalog().commit(batch)?;
            farewells.remove(event);
        } else if !told.is_empty() {
            batch.put_as(Kind::Farewell, event.0, &farewell)?;
            self.vault.catalog().commit(batch)?;
            farewells.insert(*event, farewell);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farewell() -> Farewell {
        let node = |number: u8| NodeId::new([number; 38]).unwrap();
        Farewell {
            record: vec![1],
            untold: vec![(node(1), vec![]), (node(2), vec![]), (node(3), vec![])],
            host: Some(node(1)),
            until: 100,
        }
    }

    #[test]
    fn a_farewell_is_said_when_the_host_has_heard_it_or_all_have_or_a_week_is_over() {
        let said = |told: &[u8], host: bool, now| {
            let mut farewell = farewell();
            farewell.untold.retain(|(node, _)| !told.contains(&node.as_bytes()[0]));
            farewell.host = farewell.host.filter(|_| host);
            farewell.is_said(now)
        };
        assert!(!said(&[2, 3], true, 99), "the host has not heard it");
        assert!(said(&[1], true, 1));
        assert!(!said(&[1, 2], false, 1), "without a host everybody counts");
        assert!(said(&[1, 2, 3], false, 1));
        assert!(said(&[], true, 100));
    }
}
