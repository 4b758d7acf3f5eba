//! The clock of the trash: how long things have lain there, counted so that a wall clock set wrong purges nothing.
//!
//! Thirty days by the wall clock alone would be over at once for everything when the clock is set far ahead. So the trash counts for itself: while
//! the daemon runs, what the monotonic clock says; and for a jump of the wall clock beyond that (the daemon was stopped, the machine slept, or
//! somebody set the clock), at most [`TRASH_JUMP_COUNTS`]. A clock set back counts nothing. It may lag behind the calendar of a machine that is off
//! for weeks, and then things stay longer than said: the side to err on.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::limits::TRASH_JUMP_COUNTS;
use crate::vault::{Batch, CatalogError, Kind, Vault};

const KEY: [u8; 1] = [0];

/// What the catalog keeps of the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    /// Milliseconds counted since the first start.
    counted_ms: u64,
    /// The wall clock at that moment, Unix milliseconds; 0 before the first.
    seen_at: u64,
}

/// Counts the age of what is in the trash.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrashClock {
    stored: Stored,
    /// The monotonic clock at the last tick; none since the start.
    ticked: Option<Instant>,
}

impl TrashClock {
    /// As the catalog has it.
    pub(super) fn open(vault: &Vault) -> Result<Self, CatalogError> {
        let stored = vault.catalog().get_as::<Stored>(Kind::TrashClock, KEY)?.unwrap_or_default();
        Ok(Self { stored, ticked: None })
    }

    /// Counts what has passed since the last tick, and gives the time in milliseconds.
    pub(super) fn tick(&mut self, wall_ms: u64, monotonic: Instant) -> u64 {
        let ran = self.ticked.map_or(Duration::ZERO, |ticked| monotonic.saturating_duration_since(ticked));
        let ran_ms = millis(ran);
        let first = self.stored.seen_at == 0;
        let by_wall = if first { 0 } else { wall_ms.saturating_sub(self.stored.seen_at) };
        let jumped_ms = by_wall.saturating_sub(ran_ms).min(millis(TRASH_JUMP_COUNTS));
        self.stored.counted_ms = self.stored.counted_ms.saturating_add(ran_ms).saturating_add(jumped_ms);
        self.stored.seen_at = wall_ms;
        self.ticked = Some(monotonic);
        self.stored.counted_ms
    }

    /// As if this much time had passed.
    #[cfg(test)]
    pub(super) fn advance(&mut self, time_ms: u64) {
        self.stored.counted_ms += time_ms;
    }

    /// Puts it into a batch.
    pub(super) fn put(&self, batch: &mut Batch) -> Result<(), CatalogError> {
        batch.put_as(Kind::TrashClock, KEY, &self.stored)?;
        Ok(())
    }
}

/// In milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const START: u64 = 1_800_000_000_000;

    fn clock(counted_ms: u64, seen_at: u64) -> TrashClock {
        TrashClock { stored: Stored { counted_ms, seen_at }, ticked: None }
    }

    #[test]
    fn while_it_runs_it_counts_what_passes_and_the_very_first_tick_counts_nothing() {
        let (mut clock, began) = (clock(0, 0), Instant::now());
        assert_eq!(clock.tick(START, began), 0);
        assert_eq!(clock.tick(START + HOUR, began + Duration::from_millis(HOUR)), HOUR);
        assert_eq!(clock.tick(START + 3 * HOUR, began + Duration::from_millis(3 * HOUR)), 3 * HOUR);
    }

    #[test]
    fn a_clock_set_far_ahead_counts_a_week_and_only_once() {
        let (mut clock, began) = (clock(5 * DAY, START), Instant::now());
        assert_eq!(clock.tick(START, began), 5 * DAY);
        let year = 365 * DAY;
        let later = began + Duration::from_millis(HOUR);
        assert_eq!(clock.tick(START + year, later), 12 * DAY + HOUR);
        let later = later + Duration::from_millis(HOUR);
        assert_eq!(clock.tick(START + year + HOUR, later), 12 * DAY + 2 * HOUR);
        // Set right again: time goes on by the monotonic clock.
        let later = later + Duration::from_millis(HOUR);
        assert_eq!(clock.tick(START + 3 * HOUR, later), 12 * DAY + 3 * HOUR);
    }

    #[test]
    fn a_stopped_daemon_counts_the_days_up_to_a_week_and_a_clock_set_back_counts_none() {
        let now = Instant::now();
        assert_eq!(clock(DAY, START).tick(START + 3 * DAY, now), 4 * DAY);
        assert_eq!(clock(DAY, START).tick(START + 90 * DAY, now), 8 * DAY);
        assert_eq!(clock(DAY, START).tick(START - 90 * DAY, now), DAY);
    }
}
