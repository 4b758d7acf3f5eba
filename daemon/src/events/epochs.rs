//! What a host writes into the roster besides admissions: removals, and new keys for those who stay.

use inframe_protocol::roster::{RosterWriter, SignedRosterEntry};
use inframe_protocol::{EventId, MemberId, NodeId, UnixMillis};

use super::entry::Entry;
use super::{Events, EventsError};
use crate::clock::now_ms;

/// An epoch lasts this long, milliseconds: whoever copied a member's keys reads along for a week at most.
const EPOCH_MS: u64 = 7 * 24 * 3_600_000;
/// Events get no weekly keys any more from so long after their end, milliseconds: an announcement lasts no longer, and each epoch makes the roster longer.
const AFTERWARDS_MS: u64 = 90 * 24 * 3_600_000;
/// Those who leave within this time, milliseconds, go under one epoch: each new projection costs every member one of the four announcements
/// that they have in an hour (R39), and the last one stays free for themselves.
const LEAVE_TOGETHER_MS: u64 = 20 * 60_000;
/// The same in a large event, milliseconds: there an epoch is up to 145 KB for each member, after which everybody writes anew, and a roster has room
/// for 230 of them.
const LEAVE_TOGETHER_LARGE_MS: u64 = 2 * 3_600_000;

impl Entry {
    /// Whether it is time to put down who has left.
    fn removal_is_due(&self, now: u64) -> bool {
        let roster = self.state.roster();
        // The first epoch made nobody announce anew. A clock that was set back must not hold a removal up for long.
        let together = if self.state.is_sparse() { LEAVE_TOGETHER_LARGE_MS } else { LEAVE_TOGETHER_MS };
        let too_soon = roster.epoch() > 0 && roster.epoch_at().0.abs_diff(now) < together;
        self.event_key.is_some() && !too_soon && !self.state.leavers().is_empty()
    }

    /// Whether the weekly epoch is due.
    fn epoch_is_due(&self, now: u64) -> bool {
        let roster = self.state.roster();
        let over = roster.ends().is_some_and(|ends| ends.0.saturating_add(AFTERWARDS_MS) < now);
        // Alone, there is nobody to keep anything from.
        self.event_key.is_some()
            && self.state.members().nth(1).is_some()
            && !over
            && roster.epoch_at().0.saturating_add(EPOCH_MS) <= now
    }

    /// Puts down everybody who has left, under one new epoch. Gives the entries.
    fn put_down_leavers(&mut self, now: u64) -> Result<Vec<SignedRosterEntry>, EventsError> {
        let leavers = self.state.leavers();
        self.remove_all(&leavers, now)
    }

    /// Removes members under one new epoch. Gives the entries.
    fn remove_all(&mut self, members: &[MemberId], now: u64) -> Result<Vec<SignedRosterEntry>, EventsError> {
        let key = self.event_key.as_ref().ok_or(EventsError::NotHost)?;
        let entries = RosterWriter::new(key, self.state.roster())?.remove_all_and_rotate(members, UnixMillis(now))?;
        for signed in &entries {
            self.state.apply_roster(signed)?;
        }
        self.settings.persons.retain(|member, _| !members.contains(member));
        self.details.retain(|member, _| !members.contains(member));
        Ok(entries)
    }

    /// A new epoch for the same members, under the same projection. Gives the entry.
    fn rotate(&mut self, now: u64) -> Result<Vec<SignedRosterEntry>, EventsError> {
        let key = self.event_key.as_ref().ok_or(EventsError::NotHost)?;
        let grant = self.state.current_grant().ok_or(EventsError::NotAdmitted)?;
        let epoch = RosterWriter::new(key, self.state.roster())?.rotate(grant, UnixMillis(now))?;
        self.state.apply_roster(&epoch)?;
        Ok(vec![epoch])
    }

    /// New keys for everybody who stays. Gives the entries.
    pub(super) fn remove_or_rotate(
        &mut self,
        gone: &[MemberId],
        now: u64,
    ) -> Result<Vec<SignedRosterEntry>, EventsError> {
        // Those who have left go under the same epoch.
        let mut going = self.state.leavers();
        going.retain(|leaver| !gone.contains(leaver));
        going.extend(gone);
        if going.is_empty() { self.rotate(now) } else { self.remove_all(&going, now) }
    }

    /// A node whose member was removed waits no more, and comes back by the host's own yes only.
    pub(super) fn forget_node(&mut self, node: &NodeId) {
        self.waiting.retain(|waiting| waiting.node != *node);
        self.removed_nodes.insert(node.clone());
    }

    /// Puts down at once that the member of a node has left, so that the node can come back. Gives the entries.
    pub(super) fn make_room_for(&mut self, node: &NodeId, now: u64) -> Result<Vec<SignedRosterEntry>, EventsError> {
        let member = self.state.roster().member_by_node(node);
        let gone = member.is_some_and(|member| self.state.has_left(&member.id()));
        if gone { self.put_down_leavers(now) } else { Ok(Vec::new()) }
    }
}

impl Events {
    /// What a host does by itself: puts down who has left, and gives new keys once a week.
    ///
    /// # Errors
    /// The first error, after all events were tried.
    pub fn keep_roster(&self, now: u64) -> Result<(), EventsError> {
        let mut outcome = Ok(());
        for event in self.ids() {
            let due = |entry: &Entry| (entry.removal_is_due(now), entry.epoch_is_due(now));
            let kept = match self.read(&event, due) {
                Some((true, _)) => self.change(&event, |entry| entry.put_down_leavers(now)),
                Some((false, true)) => self.change(&event, |entry| entry.rotate(now)),
                Some((false, false)) | None => continue,
            };
            let kept = kept.map(|entries| self.tell_others(event, Vec::new(), entries));
            if outcome.is_ok() {
                outcome = kept;
            }
        }
        outcome
    }

    /// Gives everybody new keys now; host only.
    ///
    /// # Errors
    /// When this node is not the host or the vault fails.
    pub fn renew_keys(&self, event: &EventId) -> Result<(), EventsError> {
        let entries = self.change(event, |entry| entry.rotate(now_ms()))?;
        self.tell_others(*event, Vec::new(), entries);
        Ok(())
    }

    /// Removes a member and begins a new epoch; host only.
    ///
    /// # Errors
    /// When this node is not the host or the member cannot be removed.
    pub fn remove_member(&self, event: &EventId, member: &MemberId) -> Result<(), EventsError> {
        let entries = self.change(event, |entry| {
            let known = entry.state.roster().member(member).map(|known| (known.node.clone(), known.invite));
            let entries = entry.remove_or_rotate(&[*member], now_ms())?;
            if let Some((node, invite)) = known {
                entry.invites.retain(|known| Some(known.id) != invite);
                entry.code.take_if(|code| Some(code.invite) == invite);
                entry.forget_node(&node);
            }
            Ok(entries)
        })?;
        self.tell_others(*event, Vec::new(), entries);
        Ok(())
    }
}
