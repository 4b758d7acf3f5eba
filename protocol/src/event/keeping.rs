//! What the state of an event says about sealed deliveries (section 12 of SPEC.md).

use super::EventState;
use crate::ids::{FindMeId, MemberId, UnixMillis};
use crate::keep::{KeepError, Label, Letter, SealedDelivery};
use crate::keys::Signature;
use crate::record::RecordBody;

impl EventState {
    /// Writes a sealed delivery as this node's member, for the member that the label names.
    ///
    /// # Errors
    /// One of the two is no member, or a field breaks its limit.
    pub fn seal_delivery(&self, label: Label, letter: &Letter) -> Result<SealedDelivery, KeepError> {
        let keys = self.keys.as_ref().filter(|keys| keys.member_id() == label.from).ok_or(KeepError::NotMembers)?;
        let receiver = self.member(&label.to).ok_or(KeepError::NotMembers)?;
        SealedDelivery::write(label, letter, &receiver.public.seal, keys)
    }

    /// R67, R68: whether it is from a member to another one and in time.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check_delivery(&self, delivery: &SealedDelivery, now: UnixMillis) -> Result<(), KeepError> {
        delivery.check_time(now)?;
        delivery.verify(self)
    }

    /// R67 to R69: reads the letter as its receiver.
    ///
    /// # Errors
    /// The rule that it breaks; it is not for this node's member.
    pub fn open_delivery(&self, delivery: &SealedDelivery, now: UnixMillis) -> Result<Letter, KeepError> {
        self.check_delivery(delivery, now)?;
        let keys = self.keys.as_ref().filter(|keys| keys.member_id() == delivery.label().to);
        delivery.open(keys.ok_or(KeepError::CannotOpen)?)
    }

    /// R70: the receipt of this node's member; none if it is not theirs to give.
    pub fn receipt_for(&self, delivery: &SealedDelivery) -> Option<Signature> {
        let keys = self.keys.as_ref().filter(|keys| keys.member_id() == delivery.label().to)?;
        delivery.receipt(keys).ok()
    }

    /// Whether a member has taken this find-me back: said so, or put another one in its place (R37). One that has only run out was not taken back.
    pub fn was_withdrawn(&self, author: &MemberId, find_me: &FindMeId) -> bool {
        let Some(log) = self.logs.get(author) else { return false };
        let says_so = |record: &crate::record::Applied| matches!(record.body(), Some(RecordBody::Withdraw { find_me: of }) if of == find_me);
        let announced = log
            .records()
            .any(|record| matches!(record.body(), Some(RecordBody::FindMe(announced)) if announced.id == *find_me));
        log.has_left() || log.records().any(says_so) || announced && !log.effect().standing().contains_key(find_me)
    }
}
