//! How much of the line the transfers may have, and when: one row of the catalog.

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow};

/// The least that a limit may be, bytes a second: with less, a group of a transfer would take longer than others wait for it.
pub const LEAST_BYTES_S: u64 = 128 << 10;

/// What the owner chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes a second that may go out, all transfers together; no limit when absent.
    pub up_bytes_s: Option<u64>,
    /// Bytes a second that may come in.
    pub down_bytes_s: Option<u64>,
    /// From when until when nothing is sent or received, on the clock of this machine; over midnight if the end is the earlier.
    pub quiet: Option<QuietHours>,
}

/// A part of every day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// Minute of the day with which they begin.
    pub from: u16,
    /// Minute of the day with which they are over.
    pub until: u16,
}

impl QuietHours {
    /// Reads `23:00` and `7:00`.
    #[must_use]
    pub fn parse(from: &str, until: &str) -> Option<Self> {
        let (from, until) = (minute_of(from)?, minute_of(until)?);
        (from != until).then_some(Self { from, until })
    }

    /// Whether this minute of the day is one of them.
    #[must_use]
    pub fn holds(&self, minute: u16) -> bool {
        if self.from < self.until {
            (self.from..self.until).contains(&minute)
        } else {
            minute >= self.from || minute < self.until
        }
    }

    /// Whether they are now, on the clock of this machine.
    #[must_use]
    pub fn hold_now(&self) -> bool {
        let time: Time = jiff::ZonedDateTime::now().time();
        u16::try_from(i32::from(time.hour()) * 60 + i32::from(time.minute())).is_ok_and(|minute| self.holds(minute))
    }

    /// Both ends as on a clock.
    #[must_use]
    pub fn words(&self) -> (String, String) {
        (clock(self.from), clock(self.until))
    }
}

impl Traffic {
    /// Why nothing may pass just now, in words.
    #[must_use]
    pub fn quiet_now(&self) -> Option<String> {
        let quiet = self.quiet?;
        quiet.hold_now().then(|| format!("quiet hours until {}", clock(quiet.until)))
    }
}

fn clock(minute: u16) -> String {
    format!("{}:{:02}", minute / 60, minute % 60)
}

fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

impl KeptRow for Traffic {
    const KEY: &'static [u8] = b"traffic";
}

/// [`Traffic`] in memory and in the catalog.
pub type TrafficRow = Kept<Traffic>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_go_over_midnight_and_end_on_the_minute() {
        let night = QuietHours::parse("23:00", "07:00").unwrap();
        let held = |minute| night.holds(minute);
        assert!(held(23 * 60) && held(0) && held(6 * 60 + 59));
        assert!(!held(7 * 60) && !held(22 * 60 + 59) && !held(12 * 60));
        let noon = QuietHours::parse("12:30", "13:00").unwrap();
        assert!(noon.holds(12 * 60 + 30) && !noon.holds(13 * 60) && !noon.holds(0));
        assert_eq!(night.words(), ("23:00".to_owned(), "7:00".to_owned()));
        for wrong in [("7:00", "7:00"), ("24:00", "7:00"), ("7", "8"), ("a:b", "8:00"), ("7:60", "8:00")] {
            assert_eq!(QuietHours::parse(wrong.0, wrong.1), None);
        }
    }
}
