//! Notices that this machine has slept: between two looks at the clocks, far more time went by than there should have.

use std::time::SystemTime;

use tokio::time::Instant;

use super::limits;

/// The clocks at the last look.
pub(super) struct Wake {
    wall: SystemTime,
    steady: Instant,
}

impl Wake {
    /// Begins to watch.
    pub(super) fn new(wall: SystemTime, steady: Instant) -> Self {
        Self { wall, steady }
    }

    /// Looks at both clocks, which is to be done every [`limits::WAKE_LOOK`]; says whether the machine slept since.
    ///
    /// The steady clock stands still while most systems sleep, so the wall clock tells of that; it goes on while only
    /// this process is stopped. A wall clock that somebody has set forward looks like a sleep, which costs a few
    /// packets; one that was set back says nothing.
    pub(super) fn look(&mut self, wall: SystemTime, steady: Instant) -> bool {
        let by_wall = wall.duration_since(self.wall).unwrap_or_default();
        let by_steady = steady.duration_since(self.steady);
        (self.wall, self.steady) = (wall, steady);
        by_wall.max(by_steady) >= limits::WAKE_LOOK + limits::WAKE_JUMP
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sleep_shows_on_either_clock_once_and_a_clock_set_back_is_none() {
        let (wall, steady) = (SystemTime::now(), Instant::now());
        let at = |seconds| Duration::from_secs(seconds);
        let mut wake = Wake::new(wall, steady);
        assert!(!wake.look(wall + at(2), steady + at(2)), "as it should be");
        assert!(!wake.look(wall + at(9), steady + at(9)), "a busy machine is late");
        assert!(wake.look(wall + at(3609), steady + at(11)), "the steady clock stood still");
        assert!(!wake.look(wall + at(3611), steady + at(13)), "said once");
        assert!(wake.look(wall + at(3700), steady + at(102)), "only the process stood still");
        assert!(!wake.look(wall, steady + at(104)), "set back");
        assert!(!wake.look(wall + at(2), steady + at(106)), "and on from there");
    }
}
