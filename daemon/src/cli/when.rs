//! Times on the command line and on the screen.
//!
//! A time without an offset is wall time taken as UTC, as it is for photos whose camera gives no offset: so an event's window and the
//! photos taken in it agree.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// Reads the start of something, Unix ms; a day alone means its first moment.
pub(super) fn start(text: &str) -> Result<u64, String> {
    moment(text, Time::midnight())
}

/// Reads the end of something, Unix ms; a day alone means its last moment.
pub(super) fn end(text: &str) -> Result<u64, String> {
    moment(text, Time::constant(23, 59, 59, 999_000_000))
}

fn moment(text: &str, of_day: Time) -> Result<u64, String> {
    let unclear = || "write a time as 2026-05-01, 2026-05-01T14:00 or 2026-05-01T14:00+02:00".to_owned();
    let wall = |time: DateTime| time.to_zoned_datetime(TimeZone::UTC).map(|zoned| zoned.timestamp()).ok();
    let day = text.len() == 10;
    let stamp = if day {
        text.parse::<Date>().ok().and_then(|date| wall(date.to_datetime(of_day)))
    } else {
        text.parse::<Timestamp>().ok().or_else(|| text.parse::<DateTime>().ok().and_then(wall))
    };
    stamp.and_then(|stamp| u64::try_from(stamp.as_millisecond()).ok()).ok_or_else(unclear)
}

/// A time for the eye, UTC.
pub(super) fn shown(at: u64) -> String {
    let stamp = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    stamp.map_or_else(|| "?".to_owned(), |stamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_times_and_offsets_are_read() {
        assert_eq!(start("1970-01-02"), Ok(86_400_000));
        assert_eq!(end("1970-01-01"), Ok(86_399_999));
        assert_eq!(start("1970-01-01T01:00"), Ok(3_600_000));
        assert_eq!(start("1970-01-01T02:00+02:00"), Ok(0));
        assert_eq!(start("1970-01-01T00:00:01Z"), Ok(1000));
    }

    #[test]
    fn what_is_no_time_is_refused_with_an_example() {
        for text in ["", "tomorrow", "2026-13-01", "2026-05-01T25:00", "1969-12-31", "1234567890"] {
            assert!(start(text).unwrap_err().contains("2026-05-01"), "{text}");
        }
    }

    #[test]
    fn times_are_shown_with_their_zone() {
        assert_eq!(shown(0), "1970-01-01 00:00 UTC");
        assert_eq!(shown(u64::MAX), "?");
    }
}
