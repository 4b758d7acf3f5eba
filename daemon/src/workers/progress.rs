//! How far the transfers under way are, and how fast.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use inframe_protocol::OfferId;

use super::Core;

/// The speed is that of this long.
pub const RATE_WINDOW: Duration = Duration::from_secs(5);
/// Moments kept of that time.
const SAMPLES: u32 = 20;
/// Pages are told this often at most.
const TELL: Duration = Duration::from_millis(200);

/// Bytes moved so far by the transfers under way; lost at a restart, when the transfer itself resumes from what is stored.
#[derive(Default)]
pub struct Progress {
    done: Mutex<HashMap<OfferId, Moved>>,
}

struct Moved {
    bytes: u64,
    told: Option<Instant>,
    /// Bytes at some moments of the last seconds, the oldest first; never empty.
    samples: VecDeque<(Instant, u64)>,
}

impl Moved {
    fn at(bytes: u64, now: Instant) -> Self {
        Self { bytes, told: None, samples: VecDeque::from([(now, bytes)]) }
    }

    fn moved(&mut self, bytes: u64, now: Instant) {
        self.bytes = bytes;
        if self.samples.back().is_none_or(|(at, _)| now.duration_since(*at) >= RATE_WINDOW / SAMPLES) {
            self.samples.push_back((now, bytes));
        }
        self.forget_before(now);
    }

    /// The last one from before the window stays: it is where the window begins.
    fn forget_before(&mut self, now: Instant) {
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= RATE_WINDOW) {
            self.samples.pop_front();
        }
    }

    fn speed(&self, now: Instant) -> u64 {
        let begins = self.samples.iter().rev().find(|(at, _)| now.duration_since(*at) >= RATE_WINDOW);
        let Some((at, bytes)) = begins.or(self.samples.front()) else { return 0 };
        let millis = u64::try_from(now.duration_since(*at).as_millis()).unwrap_or(u64::MAX).max(1);
        self.bytes.saturating_sub(*bytes).saturating_mul(1000) / millis
    }
}

impl Progress {
    /// The transfers under way: a few.
    #[must_use]
    pub fn under_way(&self) -> Vec<OfferId> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// Bytes moved of a transfer under way.
    #[must_use]
    pub fn of(&self, offer: &OfferId) -> Option<u64> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).get(offer).map(|moved| moved.bytes)
    }

    /// Bytes a second of a transfer under way, over the last seconds.
    #[must_use]
    pub fn speed(&self, offer: &OfferId) -> Option<u64> {
        let now = Instant::now();
        self.done.lock().unwrap_or_else(PoisonError::into_inner).get(offer).map(|moved| moved.speed(now))
    }

    /// Notes bytes moved; whether pages should hear of it.
    fn set(&self, offer: OfferId, bytes: u64) -> bool {
        let now = Instant::now();
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(moved) = done.get_mut(&offer) else { return false };
        moved.moved(bytes, now);
        let due = moved.told.is_none_or(|told| now.duration_since(told) >= TELL);
        if due {
            moved.told = Some(now);
        }
        due
    }
}

/// A transfer is under way for as long as this lives.
pub(super) struct UnderWay {
    core: Arc<Core>,
    offer: OfferId,
}

impl UnderWay {
    /// It begins, with so many bytes moved before.
    pub(super) fn begin(core: &Arc<Core>, offer: OfferId, bytes: u64) -> Self {
        let mut done = core.progress.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.insert(offer, Moved::at(bytes, Instant::now()));
        drop(done);
        core.tell_transfer(&offer);
        Self { core: core.clone(), offer }
    }

    /// Notes bytes moved.
    pub(super) fn set(&self, bytes: u64) {
        if self.core.progress.set(self.offer, bytes) {
            self.core.tell_transfer(&self.offer);
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.core.progress.done.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.offer);
        self.core.tell_transfer(&self.offer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_seconds_and_falls_while_nothing_comes() {
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        // Half of it was there before, and is no speed.
        let mut moved = Moved::at(1_000_000, began);
        assert_eq!(moved.speed(began), 0);
        for second in 1..=20 {
            moved.moved(1_000_000 + second * 50_000, at(second * 1000));
        }
        assert_eq!(moved.speed(at(20_000)), 50_000);
        assert!(moved.samples.len() <= 7);
        // From the moment at 17 s on: 150,000 bytes in 5.5 s.
        assert_eq!(moved.speed(at(22_500)), 27_272);
        assert_eq!(moved.speed(at(30_000)), 0);
    }
}
