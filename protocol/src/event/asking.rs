//! The asker's side of a sync, one question after the other, without a clock and without a network.

use super::EventState;
use crate::ids::NodeId;
use crate::sync::{Slices, StateVector, SyncPage, SyncReply, SyncRequest};

/// Most bytes that an asker pushes at the end of a sync. Whoever lacks more asks for it: they would get it from each neighbour at once.
const MAX_PUSHED_BACK_BYTES: usize = 64 * 1024;

/// A sync with one node: what was found out so far.
#[derive(Debug)]
pub struct Asking {
    with: NodeId,
    /// Slices that differ and were not asked for in full yet; none before the first comparison.
    open: Slices,
    /// The roster that those are slices of (R58).
    head: [u8; 32],
    /// The last question: the same one again would be answered by the same.
    last: Option<SyncRequest>,
}

/// What an answer leads to.
#[derive(Debug)]
pub enum Heard {
    /// Both hold the same: the sync is over.
    Same,
    /// The other node does not count this one as a member: the sync is over.
    NotFound,
    /// There is more to ask.
    AskAgain,
    /// Take this in first.
    Page {
        /// What is lacking here.
        page: SyncPage,
        /// What the other node holds.
        theirs: StateVector,
        /// Whether there is more to ask then; else the sync ends with [`EventState::pushed_back`].
        ask_again: bool,
    },
}

impl Asking {
    /// A sync with this node.
    pub fn new(with: NodeId) -> Self {
        Self { with, open: Slices::NONE, head: [0; 32], last: None }
    }

    /// The next question; none if what came was of no use, as what a forger sends is.
    pub fn request(&mut self, state: &EventState) -> Option<SyncRequest> {
        let head = state.roster().head_hash();
        if self.head != head {
            (self.head, self.open) = (head, Slices::NONE);
        }
        let next = if self.open.is_empty() { state.compare_with(&self.with) } else { state.lacking(self.open) };
        if self.last.as_ref() == Some(&next) {
            return None;
        }
        self.last = Some(next.clone());
        Some(next)
    }

    /// Hears the answer to the last question.
    pub fn hear(&mut self, reply: SyncReply) -> Heard {
        match reply {
            SyncReply::Same => Heard::Same,
            SyncReply::NotFound => Heard::NotFound,
            SyncReply::Differs { slices } => {
                self.open = slices;
                if slices.is_empty() { Heard::Same } else { Heard::AskAgain }
            }
            SyncReply::Page { page, vector: theirs } => {
                let asked = self.open;
                if theirs.slices.is_empty() {
                    // R59: the rosters differ; once they do not, the records are compared.
                    self.open = Slices::NONE;
                } else if !page.more {
                    self.open = asked.without(theirs.slices);
                }
                let ask_again = page.more || !self.open.is_empty();
                Heard::Page { page, theirs, ask_again }
            }
        }
    }
}

impl EventState {
    /// What to push to a node at the end of a sync, when it showed this: the records that it lacks unless they are many, or the proof that the
    /// host tells two stories. Roster entries it asks for itself (R60).
    pub fn pushed_back(&self, theirs: &StateVector) -> Option<SyncPage> {
        let same_roster = theirs.head == self.roster().head_hash();
        if !same_roster && !self.contradicts(theirs) {
            return None;
        }
        let page = self.missing_for(theirs);
        (!page.is_empty() && !page.more && page.bytes() <= MAX_PUSHED_BACK_BYTES).then_some(page)
    }

    /// R60: whether whoever asked has entries of the roster that are not here, and should be asked for them.
    pub fn lags_behind(&self, request: &SyncRequest) -> bool {
        request.roster() > self.roster().next_index()
    }
}
