//! Which versions of a backup stay: the newest of each of the last days, weeks and months that have one.

use std::collections::BTreeSet;

use crate::limits::{BACKUP_DAYS, BACKUP_MONTHS, BACKUP_WEEKS};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const WEEK_MS: u64 = 7 * DAY_MS;
/// Months of equal length do for this.
const MONTH_MS: u64 = 30 * DAY_MS;

/// Those of `versions` (Unix milliseconds, oldest first) that stay at `now`. The newest always does, and so does what a clock that has gone back puts
/// into the future.
pub(super) fn kept(versions: &[u64], now: u64) -> BTreeSet<u64> {
    let mut kept: BTreeSet<u64> = versions.iter().copied().filter(|version| *version > now).collect();
    kept.extend(versions.last());
    for (span, count) in [(DAY_MS, BACKUP_DAYS), (WEEK_MS, BACKUP_WEEKS), (MONTH_MS, BACKUP_MONTHS)] {
        let mut spans = BTreeSet::new();
        for version in versions.iter().rev().filter(|version| **version <= now) {
            if spans.len() >= count {
                break;
            }
            if spans.insert(version / span) {
                kept.insert(*version);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_of_daily_versions_leaves_days_weeks_and_months() {
        let start = 20_000 * DAY_MS;
        let versions: Vec<u64> = (0..365).map(|day| start + day * DAY_MS + 3).collect();
        let now = *versions.last().unwrap();
        let kept = kept(&versions, now);
        assert!(kept.len() <= BACKUP_DAYS + BACKUP_WEEKS + BACKUP_MONTHS && kept.contains(&now));
        assert!(versions.iter().rev().take(BACKUP_DAYS).all(|version| kept.contains(version)));
        assert!(*kept.first().unwrap() < now - (BACKUP_MONTHS as u64 - 2) * MONTH_MS);
        // Thinned out every day, it comes to the same number.
        let mut left: Vec<u64> = Vec::new();
        for version in &versions {
            left.push(*version);
            left = self::kept(&left, *version).into_iter().collect();
        }
        assert!(left.len() <= BACKUP_DAYS + BACKUP_WEEKS + BACKUP_MONTHS);
        assert!(*left.first().unwrap() < now - (BACKUP_MONTHS as u64 - 2) * MONTH_MS, "old ones survive");
    }

    #[test]
    fn a_clock_that_jumps_removes_nothing_recent() {
        let versions: Vec<u64> = (0..5).map(|hour| 1_000 * DAY_MS + hour).collect();
        // Ten years ahead: the days that count are those that have a version.
        let later = kept(&versions, 5_000 * DAY_MS);
        assert!(later.contains(versions.last().unwrap()));
        let before = kept(&versions, 10 * DAY_MS);
        assert_eq!(before.len(), versions.len(), "what lies in the future stays");
        assert!(kept(&[], 5).is_empty());
    }
}
