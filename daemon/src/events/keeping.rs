//! What events say about sealed deliveries.

use inframe_protocol::keep::{KeepError, Label, Letter, SealedDelivery};
use inframe_protocol::keys::Signature;
use inframe_protocol::{EventId, FindMeId, MemberId, UnixMillis};

use super::Events;

impl Events {
    /// This node's member of an event.
    #[must_use]
    pub fn me_in(&self, event: &EventId) -> Option<MemberId> {
        self.read(event, |entry| entry.state.me()).flatten()
    }

    /// Writes a sealed delivery to a member.
    ///
    /// # Errors
    /// The receiver is no member any more, or the event is gone.
    pub fn seal_delivery(&self, label: Label, letter: &Letter) -> Result<SealedDelivery, KeepError> {
        let sealed = self.read(&label.event, |entry| entry.state.seal_delivery(label, letter));
        sealed.unwrap_or(Err(KeepError::NotMembers))
    }

    /// Whether a sealed delivery is from a member to another one and in time (R67, R68).
    #[must_use]
    pub fn is_delivery(&self, delivery: &SealedDelivery, now: u64) -> bool {
        let event = &delivery.label().event;
        self.read(event, |entry| entry.state.check_delivery(delivery, UnixMillis(now)).is_ok()).unwrap_or(false)
    }

    /// Opens a sealed delivery to this node's member (R69).
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn open_delivery(&self, delivery: &SealedDelivery, now: u64) -> Result<Letter, KeepError> {
        let event = &delivery.label().event;
        let opened = self.read(event, |entry| entry.state.open_delivery(delivery, UnixMillis(now)));
        opened.unwrap_or(Err(KeepError::NotMembers))
    }

    /// The receipt for a delivery to this node's member (R70).
    #[must_use]
    pub fn receipt_for(&self, delivery: &SealedDelivery) -> Option<Signature> {
        self.read(&delivery.label().event, |entry| entry.state.receipt_for(delivery)).flatten()
    }

    /// Whether a member has taken a find-me back, other than by letting it run out.
    #[must_use]
    pub fn was_withdrawn(&self, event: &EventId, author: &MemberId, find_me: &FindMeId) -> bool {
        self.read(event, |entry| entry.state.was_withdrawn(author, find_me)).unwrap_or(true)
    }
}
