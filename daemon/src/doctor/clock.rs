//! The clock against what can be known of the time without asking a service: what was saved here before, what members have written, and what
//! the relay says.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use inframe_protocol::limits::MAX_CLOCK_SKEW_MS;
use jiff::Timestamp;

use super::{Check, Topic};

/// No version of this program is older: 1 January 2026. A clock before that was never set.
const FIRST_MS: u64 = 1_767_225_600_000;
/// 1 January 2100. A clock after that was set wrong.
const LAST_MS: u64 = 4_102_444_800_000;
/// Clocks that nobody looks after drift by so much in a few weeks; a minute does no harm.
const SMALL_MS: u64 = 60_000;
/// What to do about a wrong clock.
const SET: &str = "Set the clock of this device and have it follow network time, as with `timedatectl set-ntp true`.";

/// What is known of the time; Unix milliseconds each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// By the clock of this device.
    pub now: u64,
    /// When something was last saved here, by the same clock then.
    pub saved: Option<u64>,
    /// The newest record that a member wrote, by their clock.
    pub record: Option<u64>,
    /// By the relay's clock, just now, and how long it took to say so.
    pub relay: Option<(u64, Duration)>,
}

/// When something below a data folder was last written, as far as its first level says; `None` where there is none.
#[must_use]
pub fn last_saved(folder: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(folder).ok()?;
    let written = entries.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    let newest = written.max()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(newest.as_millis()).ok()
}

/// Judges the clock.
#[must_use]
pub fn check(known: &Known) -> Check {
    let topic = Topic::Clock;
    let now = known.now;
    if !(FIRST_MS..LAST_MS).contains(&now) {
        return Check::failed(topic, format!("The clock says {}, which cannot be.", moment(now)), SET);
    }
    if let Some(saved) = known.saved.filter(|saved| saved.saturating_sub(now) > SMALL_MS) {
        let found = format!(
            "The clock says {}, but something was saved here at {}: it was set back by {}, or was wrong then.",
            moment(now),
            moment(saved),
            span(saved - now)
        );
        return if saved - now > MAX_CLOCK_SKEW_MS {
            Check::failed(topic, found, SET)
        } else {
            Check::warning(topic, found, SET)
        };
    }
    if let Some((relay, round_trip)) = known.relay {
        // It was written about half way between the question and the answer.
        let there = relay.saturating_add(u64::try_from(round_trip.as_millis() / 2).unwrap_or(0));
        let apart = there.abs_diff(now);
        let side = if there > now { "behind" } else { "ahead of" };
        if apart > SMALL_MS {
            let found = format!("The clock says {}, {} {side} the clock of the relay.", moment(now), span(apart));
            let advice = format!("Compare it with another clock. {SET} If it is right, tell whoever runs the relay.");
            let found = if apart > MAX_CLOCK_SKEW_MS {
                format!("{found} Members refuse what is dated more than {} ahead.", span(MAX_CLOCK_SKEW_MS))
            } else {
                found
            };
            return if apart > MAX_CLOCK_SKEW_MS {
                Check::failed(topic, found, advice)
            } else {
                Check::warning(topic, found, advice)
            };
        }
    }
    if let Some(record) = known.record.filter(|record| record.saturating_sub(now) > SMALL_MS) {
        let found = format!(
            "The clock says {}, but the newest word of a member is dated {} later: one of both clocks is wrong.",
            moment(now),
            span(record - now)
        );
        return Check::warning(topic, found, format!("Compare it with another clock. {SET}"));
    }
    let mut agreeing = vec!["nothing saved here is dated later".to_owned()];
    if known.record.is_some() {
        agreeing.push("no word of a member is".to_owned());
    }
    if known.relay.is_some() {
        agreeing.push("the relay's clock agrees".to_owned());
    }
    Check::good(topic, format!("The clock says {}: {}.", moment(now), agreeing.join(", ")))
}

/// A moment for people, UTC.
fn moment(at: u64) -> String {
    let stamp = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
    stamp.map_or_else(
        || "a time that no calendar has".to_owned(),
        |stamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

/// A length of time for people, in its largest unit.
fn span(ms: u64) -> String {
    let minutes = ms / 60_000;
    let (number, unit) = match minutes {
        0..120 => (minutes, "minute"),
        120..2_880 => (minutes / 60, "hour"),
        _ => (minutes / 1_440, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    const NOW: u64 = 1_800_000_000_000;
    const MINUTE: u64 = 60_000;

    #[test]
    fn a_clock_is_wrong_that_was_never_set_was_set_back_or_is_far_from_others() {
        let known = Known { now: NOW, ..Known::default() };
        let saved = |ms| Known { saved: Some(ms), ..known };
        let relay = |ms| Known { relay: Some((ms, Duration::from_millis(40))), ..known };
        for (known, state, words) in [
            (known, State::Good, "2027-01-15 08:00 UTC"),
            (Known { now: 12_000, ..known }, State::Failed, "1970-01-01"),
            (Known { now: LAST_MS + 1, ..known }, State::Failed, "2100-01-01"),
            (Known { now: u64::MAX, ..known }, State::Failed, "no calendar"),
            (saved(NOW + MINUTE / 2), State::Good, "nothing saved"),
            (saved(NOW + 5 * MINUTE), State::Warning, "set back by 5 minutes"),
            (saved(NOW + 60 * MINUTE), State::Failed, "set back by 60 minutes"),
            (saved(NOW - 60 * MINUTE), State::Good, "nothing saved"),
            (relay(NOW - 40), State::Good, "relay's clock agrees"),
            (relay(NOW + 3 * MINUTE), State::Warning, "3 minutes behind the clock of the relay"),
            (relay(NOW - 60 * MINUTE), State::Failed, "ahead of the clock of the relay"),
            (relay(u64::MAX), State::Failed, "days behind"),
            (Known { record: Some(NOW + 9 * MINUTE), ..known }, State::Warning, "dated 9 minutes later"),
            (Known { record: Some(NOW - 9 * MINUTE), ..known }, State::Good, "no word of a member"),
        ] {
            let check = check(&known);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
            assert_eq!(check.advice.is_none(), state == State::Good);
        }
    }

    #[test]
    fn the_last_save_is_the_newest_time_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_saved(folder.path()), None);
        for (name, ms) in [("older", NOW), ("newer", NOW + MINUTE)] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_millis(ms)).unwrap();
        }
        assert_eq!(last_saved(folder.path()), Some(NOW + MINUTE));
        assert_eq!(last_saved(&folder.path().join("nowhere")), None);
    }
}
