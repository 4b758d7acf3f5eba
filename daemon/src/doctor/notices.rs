//! Whether notices arrive where the owner wants them. Nothing is sent for that: the last try says it, and a test is the owner's to send.

use super::{Check, Topic};

/// What is known of the notices that go out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sending {
    /// Whether the owner has named an address.
    pub named: bool,
    /// Whether the last notice or test was taken; none if nothing was sent since the start of the daemon.
    pub taken: bool,
    /// Why the last try failed, in words.
    pub failure: Option<String>,
}

/// Judges the sending of notices.
#[must_use]
pub fn check(sending: &Sending) -> Check {
    let topic = Topic::Notices;
    match sending {
        Sending { named: false, .. } => Check::good(topic, "Notices are shown in the dashboard and sent nowhere."),
        Sending { failure: Some(why), .. } => {
            let found = format!("The last notice was not taken where you want it: {why}.");
            Check::failed(topic, found, "Put the address right in the settings, and send a test there.")
        }
        Sending { taken: true, .. } => Check::good(topic, "The last notice arrived where you want it."),
        Sending { .. } => Check::not_checked(
            topic,
            "No notice was sent since the daemon started.",
            "Send a test in the settings, or with: inframe notices test",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn notices_are_judged_by_the_last_that_was_sent() {
        let of = |named, taken, failure: Option<&str>| Sending { named, taken, failure: failure.map(str::to_owned) };
        for (sending, state) in [
            (of(false, false, None), State::Good),
            // What was sent to an address that is forgotten says nothing.
            (of(false, true, Some("refused")), State::Good),
            (of(true, true, None), State::Good),
            (of(true, false, None), State::NotChecked),
            (of(true, true, Some("connection refused")), State::Failed),
        ] {
            let check = check(&sending);
            assert_eq!(check.state, state, "{sending:?}: {check:?}");
            assert_eq!(check.advice.is_none(), state == State::Good);
        }
        assert!(check(&of(true, false, Some("connection refused"))).found.contains("connection refused"));
    }
}
