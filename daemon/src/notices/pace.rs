//! When something is told: bursts are gathered, an hour has its share, and a receiver that fails is tried again after growing pauses.

use std::collections::VecDeque;

use crate::limits::{NOTICE_FIRST_PAUSE, NOTICE_LONGEST_PAUSE, NOTICES_PER_HOUR};
use crate::settings::{NoticeKind, Way};

const HOUR_MS: u64 = 3_600_000;

/// How one kind is told by one way. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From the first of a burst until it is told.
    pub gather_ms: u64,
    /// From one notice to the next.
    pub apart_ms: u64,
}

/// How this kind is told by this way. Photos come in bursts, and nobody waits for them; whoever asks to join may stand beside the owner; what looks
/// suspicious is told at once.
#[must_use]
pub fn pace(way: Way, kind: NoticeKind) -> Pace {
    let gather_ms = match (way, kind) {
        (_, NoticeKind::Suspicious | NoticeKind::SignIns) => 0,
        (Way::Here, NoticeKind::Requests) => 1_000,
        (Way::Here, _) => 5_000,
        (Way::Outward, NoticeKind::Requests) => 10_000,
        (Way::Outward, _) => 30_000,
    };
    Pace { gather_ms, apart_ms: if way == Way::Here { 10_000 } else { 60_000 } }
}

/// What is gathered of one kind for one way. Times are milliseconds of one clock that never goes back.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    /// Since when there is something.
    since: Option<u64>,
    /// When notices were told within the last hour.
    told: VecDeque<u64>,
}

impl Gathering {
    /// When what is there may be told; `None` if nothing is. To be asked whenever that may have changed.
    pub fn due(&mut self, something: bool, pace: Pace, now: u64) -> Option<u64> {
        if !something {
            self.since = None;
            return None;
        }
        while self.told.front().is_some_and(|told| told + HOUR_MS <= now) {
            self.told.pop_front();
        }
        let gathered = *self.since.get_or_insert(now) + pace.gather_ms;
        let apart = self.told.back().map_or(0, |last| last + pace.apart_ms);
        let share = if self.told.len() < NOTICES_PER_HOUR { 0 } else { self.told.front().map_or(0, |t| t + HOUR_MS) };
        Some(gathered.max(apart).max(share))
    }

    /// It was told.
    pub fn told(&mut self, now: u64) {
        self.since = None;
        if self.told.len() == NOTICES_PER_HOUR {
            self.told.pop_front();
        }
        self.told.push_back(now);
    }
}

/// How often a receiver has failed in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retries {
    failures: u32,
    not_before: u64,
}

impl Retries {
    /// The earliest time of the next try.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// Whether the last try failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// A try failed; each pause is twice the one before.
    pub fn failed(&mut self, now: u64) {
        let first = u64::try_from(NOTICE_FIRST_PAUSE.as_millis()).unwrap_or(u64::MAX);
        let longest = u64::try_from(NOTICE_LONGEST_PAUSE.as_millis()).unwrap_or(u64::MAX);
        let pause = first.saturating_mul(1 << self.failures.min(20)).min(longest);
        (self.failures, self.not_before) = (self.failures.saturating_add(1), now.saturating_add(pause));
    }

    /// A try went well.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTOS: Pace = Pace { gather_ms: 30_000, apart_ms: 60_000 };

    #[test]
    fn a_burst_is_told_once_and_the_next_one_not_too_soon() {
        let mut photos = Gathering::default();
        assert_eq!(photos.due(false, PHOTOS, 5), None);
        assert_eq!(photos.due(true, PHOTOS, 1_000), Some(31_000));
        assert_eq!(photos.due(true, PHOTOS, 20_000), Some(31_000), "from the first of them");
        photos.told(31_000);
        assert_eq!(photos.due(false, PHOTOS, 31_000), None);
        assert_eq!(photos.due(true, PHOTOS, 32_000), Some(91_000), "a minute apart");
        // What was answered meanwhile is told no more, and begins anew.
        assert_eq!(photos.due(false, PHOTOS, 50_000), None);
        assert_eq!(photos.due(true, PHOTOS, 200_000), Some(230_000));
    }

    #[test]
    fn d7_an_hour_has_its_share_and_the_rest_is_told_when_it_is_over() {
        let suspicious = pace(Way::Outward, NoticeKind::Suspicious);
        let (mut gathering, mut now, mut told) = (Gathering::default(), 0, Vec::new());
        // Something suspicious at every moment of a day.
        while now < 24 * HOUR_MS {
            now = gathering.due(true, suspicious, now).unwrap().max(now);
            gathering.told(now);
            told.push(now);
        }
        assert_eq!(told[0], 0, "at once");
        for (at, time) in told.iter().enumerate() {
            let within = told[at..].iter().take_while(|other| **other < time + HOUR_MS).count();
            assert!(within <= NOTICES_PER_HOUR, "{within} within an hour of {time}");
        }
        assert!(told.len() >= 24 * NOTICES_PER_HOUR - 1, "{}", told.len());
        assert!(gathering.told.len() <= NOTICES_PER_HOUR);
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut retries = Retries::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            retries.failed(1_000);
            pauses.push(retries.not_before() - 1_000);
        }
        assert_eq!(pauses[..3], [10_000, 20_000, 40_000]);
        assert!(pauses.windows(2).all(|two| two[0] <= two[1]) && pauses[39] == 1_800_000);
        retries.succeeded();
        assert!(!retries.is_failing() && retries.not_before() == 0);
    }
}
