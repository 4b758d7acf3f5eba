//! The certificate with which the dashboard, and the guest page, are reached over the network.

use super::{Check, Topic};
use crate::tls::Shown;

/// Judges the certificate in use; `now` in Unix ms.
#[must_use]
pub fn check(shown: Option<&Shown>, now: u64) -> Check {
    let topic = Topic::Certificate;
    let Some(shown) = shown else {
        return Check::good(topic, "The dashboard is not reached over the network, so there is no certificate.");
    };
    let whose = if shown.own { "this node has made for itself" } else { "you have named with --tls-cert" };
    if let Some(problem) = &shown.problem {
        let found =
            format!("The certificate that {whose} was to be exchanged, and the new one cannot be used: {problem}.");
        return Check::failed(topic, found, "Put it right; it is looked at again every half minute.");
    }
    let days = shown.parsed.days_left(now);
    let found = format!("The certificate that {whose} is good for {days} more days.");
    if shown.parsed.until <= now {
        let found = format!("The certificate that {whose} has ended: browsers and phones refuse it.");
        return Check::failed(topic, found, "Renew it; the new files are taken without a restart.");
    }
    // The node's own is made anew by itself.
    if !shown.own && shown.parsed.ends_soon(now) {
        return Check::warning(topic, found, "Renew it before that; the new files are taken without a restart.");
    }
    Check::good(topic, found)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;
    use crate::tls::Parsed;

    #[test]
    fn a_certificate_that_ends_has_ended_or_cannot_be_exchanged_is_told() {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let of = |own: bool, until: u64, problem: Option<&str>| Shown {
            own,
            parsed: Parsed {
                fingerprint: "AB".into(),
                hosts: vec!["photos.test".into()],
                addresses: Vec::new(),
                from: 0,
                until: until * DAY_MS,
            },
            problem: problem.map(str::to_owned),
        };
        assert_eq!(check(None, 0).state, State::Good);
        for (shown, state, words) in [
            (of(false, 190, None), State::Good, "90 more days"),
            (of(false, 110, None), State::Warning, "10 more days"),
            (of(true, 110, None), State::Good, "10 more days"),
            (of(false, 99, None), State::Failed, "has ended"),
            (of(false, 190, Some("the key is another's")), State::Failed, "the key is another's"),
        ] {
            let check = check(Some(&shown), 100 * DAY_MS);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
            assert_eq!(check.advice.is_none(), state == State::Good);
        }
    }
}
