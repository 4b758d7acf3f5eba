//! Pushing: new roster entries and records, sent to connected members as they come up and carried on by gossip.

use serde::{Deserialize, Serialize};

use crate::frame::Message;
use crate::ids::EventId;
use crate::limits::{MAX_PUSH_BYTES, MAX_SMALL_MESSAGE_BYTES};
use crate::roster::SignedRosterEntry;
use crate::sync::{SyncPage, check_parts};
use crate::text::FieldError;

/// News of an event. What does not fit (a gap in the roster) is asked for by sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The event.
    pub event: EventId,
    /// Roster entries in order.
    pub roster: Vec<SignedRosterEntry>,
    /// Bytes of records.
    pub records: Vec<Vec<u8>>,
}

impl Push {
    /// A push of one record.
    pub fn record(event: EventId, bytes: Vec<u8>) -> Self {
        Self { event, roster: Vec::new(), records: vec![bytes] }
    }

    /// A push of roster entries.
    pub fn roster(event: EventId, roster: Vec<SignedRosterEntry>) -> Self {
        Self { event, roster, records: Vec::new() }
    }

    /// A push of what another node lacks.
    pub fn page(event: EventId, page: SyncPage) -> Self {
        Self { event, roster: page.roster, records: page.records }
    }
}

/// A push is merged as a page is.
impl From<Push> for SyncPage {
    fn from(push: Push) -> Self {
        Self { roster: push.roster, records: push.records, more: false }
    }
}

impl Message for Push {
    const MAX_BYTES: usize = MAX_PUSH_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        check_parts(&self.roster, &self.records)
    }
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PushReply {
    /// It was judged, and what holds of it is stored.
    Taken,
    /// The pusher is nobody who is listened to in this event, or the event is not known here.
    Refused,
}

impl Message for PushReply {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }
}
