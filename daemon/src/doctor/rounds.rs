//! A run of all checks: one at a time, shown while it goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Check, Topic};
use crate::views::DoctorView;

/// What the last run has shown, and how far the present one is; cheap to clone.
#[derive(Clone, Default)]
pub struct Rounds {
    now: Arc<Mutex<Now>>,
}

#[derive(Default)]
struct Now {
    running: bool,
    /// Checks that are done in the present run.
    done: u32,
    /// When the last run ended, Unix milliseconds.
    at: Option<u64>,
    /// What was found last, each by the run that looked last.
    found: BTreeMap<Topic, Check>,
}

/// A run; it is over when dropped, however it ended.
pub struct Round(Rounds);

impl Rounds {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run, unless one is going on.
    #[must_use]
    pub fn begin(&self) -> Option<Round> {
        let mut now = self.now();
        if std::mem::replace(&mut now.running, true) {
            return None;
        }
        now.done = 0;
        Some(Round(self.clone()))
    }

    /// As the API shows it.
    #[must_use]
    pub fn view(&self) -> DoctorView {
        let now = self.now();
        DoctorView {
            running: now.running,
            done: now.done,
            of: u32::try_from(Topic::OF_A_NODE.len()).unwrap_or(u32::MAX),
            at: now.at,
            checks: now.found.values().map(Check::view).collect(),
        }
    }
}

impl Round {
    /// Takes in what a check has shown.
    pub fn note(&self, check: Check) {
        let mut now = self.0.now();
        now.done += 1;
        now.found.insert(check.topic, check);
    }

    /// Every check is done; `at` is Unix milliseconds.
    pub fn complete(self, at: u64) {
        self.0.now().at = Some(at);
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.0.now().running = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_which_shows_what_it_has_and_ends_even_when_it_is_broken_off() {
        let rounds = Rounds::default();
        assert!(!rounds.view().running && rounds.view().checks.is_empty());
        let round = rounds.begin().unwrap();
        assert!(rounds.begin().is_none());
        round.note(Check::good(Topic::Disk, "much"));
        round.note(Check::failed(Topic::Interfaces, "none", "get one"));
        let view = rounds.view();
        assert_eq!((view.running, view.done, view.of, view.at), (true, 2, 12, None));
        assert_eq!(view.checks.iter().map(|check| check.key.as_str()).collect::<Vec<_>>(), ["interfaces", "disk"]);
        round.complete(7);
        assert_eq!((rounds.view().running, rounds.view().at), (false, Some(7)));
        let again = rounds.begin().unwrap();
        again.note(Check::good(Topic::Interfaces, "one"));
        drop(again);
        let view = rounds.view();
        assert_eq!((view.running, view.at, view.checks.len()), (false, Some(7), 2));
        assert_eq!(view.checks[0].state, "good");
    }
}
