//! Wrong secrets in a row, and how long the next try has to wait: a thief at the keyboard does not get to guess quickly.

use std::time::{Duration, Instant};

use crate::limits::{UNLOCK_FREE_TRIES, UNLOCK_LONGEST_WAIT};

/// The tries since the last good one.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    wrong: u32,
    free_at: Option<Instant>,
}

impl Attempts {
    /// How long a try at `now` has to wait.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.free_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// Counts a wrong secret: after the free ones the wait doubles, up to the longest.
    pub(super) fn wrong(&mut self, now: Instant) {
        self.wrong = self.wrong.saturating_add(1);
        let Some(over) = self.wrong.checked_sub(UNLOCK_FREE_TRIES) else { return };
        let wait = Duration::from_secs(1 << over.min(30)).min(UNLOCK_LONGEST_WAIT);
        self.free_at = now.checked_add(wait);
    }

    /// Forgets the wrong ones after a good one; how many there were.
    pub(super) fn take_all(&mut self) -> u32 {
        self.free_at = None;
        std::mem::take(&mut self.wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_after_the_free_tries_and_ends() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..UNLOCK_FREE_TRIES + 40 {
            attempts.wrong(now);
            waits.push(attempts.wait(now));
        }
        let free = UNLOCK_FREE_TRIES as usize - 1;
        assert!(waits[..free].iter().all(Duration::is_zero), "{waits:?}");
        assert_eq!(waits[free..free + 3], [1, 2, 4].map(Duration::from_secs));
        assert!(waits[free + 20..].iter().all(|wait| *wait == UNLOCK_LONGEST_WAIT));
        assert_eq!(attempts.wait(now + UNLOCK_LONGEST_WAIT), Duration::ZERO);
        assert_eq!(attempts.take_all(), UNLOCK_FREE_TRIES + 40);
        assert_eq!(attempts.wait(now), Duration::ZERO);
    }
}
