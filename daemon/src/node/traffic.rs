//! How much of the line transfers may have, as the API says it.

use super::{Answer, NodeError};
use crate::settings::{LEAST_BYTES_S, QuietHours, Traffic};
use crate::views::TrafficView;

pub(super) fn view(traffic: &Traffic) -> TrafficView {
    let (quiet_from, quiet_until) = traffic.quiet.map(|quiet| quiet.words()).unzip();
    TrafficView { up_bytes_s: traffic.up_bytes_s, down_bytes_s: traffic.down_bytes_s, quiet_from, quiet_until }
}

pub(super) fn chosen(view: &TrafficView) -> Answer<Traffic> {
    let limits = [view.up_bytes_s, view.down_bytes_s];
    if limits.into_iter().flatten().any(|limit| limit < LEAST_BYTES_S) {
        let why = format!(
            "a limit is at least {LEAST_BYTES_S} bytes a second, or transfers would break off; leave it out for none"
        );
        return Err(NodeError::Invalid("bad-limit", why));
    }
    let quiet = hours(view.quiet_from.as_deref(), view.quiet_until.as_deref())?;
    Ok(Traffic { up_bytes_s: view.up_bytes_s, down_bytes_s: view.down_bytes_s, quiet })
}

/// Quiet hours as the API says them; none when both ends are absent.
pub(super) fn hours(from: Option<&str>, until: Option<&str>) -> Answer<Option<QuietHours>> {
    let refused = |why: &str| Err(NodeError::Invalid("bad-hours", why.to_owned()));
    match (from, until) {
        (None, None) => Ok(None),
        (Some(from), Some(until)) => match QuietHours::parse(from, until) {
            Some(quiet) => Ok(Some(quiet)),
            None => refused("give two different times such as 23:00 and 7:00"),
        },
        _ => refused("quiet hours need a beginning and an end"),
    }
}
