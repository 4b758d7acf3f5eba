//! Answers that can still be taken back: for a short while nothing that they allowed leaves. Kept in memory: a restart ends the while.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use inframe_protocol::{EventId, MemberId};

use super::ledgers::ApprovalId;
use super::policy::Policy;

/// An answer that is taken back just now does not run out meanwhile, milliseconds.
const TAKING_BACK_MS: u64 = 60_000;

/// An answer of the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Event.
    pub event: EventId,
    /// Whom it was about.
    pub member: MemberId,
    /// Whether something goes by it.
    pub allows: bool,
    /// The rule for the person before it and after it, if it changed that.
    pub rule: Option<(Option<Policy>, Policy)>,
    /// When it was given, Unix milliseconds: what comes to wait for them from then on may go by it.
    pub at: u64,
    /// Until when it can be taken back.
    pub until: u64,
}

/// The answers of the last moments.
#[derive(Debug, Default)]
pub struct Undo(Mutex<HashMap<ApprovalId, Answered>>);

impl Undo {
    /// Remembers an answer, before it is put into force.
    pub fn remember(&self, approval: ApprovalId, answered: Answered) {
        let mut answers = self.answers();
        answers.retain(|_, one| answered.at < one.until);
        answers.insert(approval, answered);
    }

    /// Until when an answer can be taken back, if it still can be.
    #[must_use]
    pub fn until(&self, approval: &ApprovalId, now: u64) -> Option<u64> {
        self.answers().get(approval).map(|one| one.until).filter(|until| now < *until)
    }

    /// Whether what came to wait for a member at `since` stays for now.
    #[must_use]
    pub fn holds(&self, event: &EventId, member: &MemberId, since: u64, now: u64) -> bool {
        let answers = self.answers();
        let of_them = |one: &&Answered| one.allows && one.member == *member && one.event == *event;
        answers.values().filter(of_them).any(|one| one.at <= since && now < one.until)
    }

    /// When the first answer becomes final, if one is not yet.
    #[must_use]
    pub fn next(&self, now: u64) -> Option<u64> {
        self.answers().values().map(|one| one.until).filter(|until| now < *until).min()
    }

    /// Begins to take an answer back: what it holds stays until [`Undo::forget`].
    #[must_use]
    pub fn take_back(&self, approval: &ApprovalId, now: u64) -> Option<Answered> {
        let mut answers = self.answers();
        let one = answers.get_mut(approval).filter(|one| now < one.until)?;
        one.until = now.saturating_add(TAKING_BACK_MS);
        Some(*one)
    }

    /// It was taken back.
    pub fn forget(&self, approval: &ApprovalId) {
        self.answers().remove(approval);
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<ApprovalId, Answered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: EventId = EventId([1; 32]);
    const ADA: MemberId = MemberId([2; 32]);
    const BEN: MemberId = MemberId([3; 32]);

    fn answered(member: MemberId, allows: bool) -> Answered {
        Answered { event: EVENT, member, allows, rule: None, at: 100, until: 110 }
    }

    #[test]
    fn d4_what_an_answer_allows_stays_until_it_is_final_and_nothing_else_does() {
        let undo = Undo::default();
        undo.remember([1; 16], answered(ADA, true));
        assert!(undo.holds(&EVENT, &ADA, 100, 109) && undo.holds(&EVENT, &ADA, 105, 109));
        assert!(!undo.holds(&EVENT, &ADA, 99, 105), "what was on its way before");
        assert!(!undo.holds(&EVENT, &BEN, 105, 105), "somebody else's");
        assert!(!undo.holds(&EventId([9; 32]), &ADA, 105, 105), "another event's");
        assert!(!undo.holds(&EVENT, &ADA, 105, 110), "it is final");
        assert_eq!((undo.next(105), undo.next(110)), (Some(110), None));
        undo.remember([2; 16], answered(BEN, false));
        assert!(!undo.holds(&EVENT, &BEN, 105, 105), "a no lets nothing go");
    }

    #[test]
    fn an_answer_is_taken_back_once_and_in_time() {
        let undo = Undo::default();
        undo.remember([1; 16], answered(ADA, true));
        assert_eq!(undo.until(&[1; 16], 105), Some(110));
        assert!(undo.take_back(&[1; 16], 110).is_none(), "too late");
        assert!(undo.take_back(&[7; 16], 105).is_none(), "never given");
        assert!(undo.take_back(&[1; 16], 109).is_some());
        assert!(undo.holds(&EVENT, &ADA, 105, 5_000), "it stays while it is taken back");
        undo.forget(&[1; 16]);
        assert!(undo.take_back(&[1; 16], 109).is_none() && !undo.holds(&EVENT, &ADA, 105, 109));
    }

    #[test]
    fn answers_that_are_final_are_forgotten() {
        let undo = Undo::default();
        for n in 0..100_u8 {
            let at = u64::from(n) * 100;
            undo.remember([n; 16], Answered { at, until: at + 10, ..answered(ADA, true) });
        }
        assert_eq!(undo.answers().len(), 1);
    }
}
