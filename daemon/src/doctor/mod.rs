//! What the doctor looks at: each check says how something is, with the figures, and what to do where it is not well.
//!
//! | file | check |
//! |---|---|
//! | `interfaces` | addresses that others could dial |
//! | `multicast` | a packet to the mDNS group comes back |
//! | `ports` | where this node listens, or would |
//! | `outside` | the router and the relay |
//! | `notices` | whether the last notice was taken |
//! | `certificate` | the certificate for the network |
//! | `clock` | the clock against what is known of the time |
//! | `storage` | free space, and whether the data folder can be written |
//! | `decoding` | the model pack, the sandbox, the tools for videos |
//! | `rounds` | a run of all checks, one after the other |
//!
//! A check is a function from facts to words, so that each can be tested with facts that no machine at hand has. Nothing here asks a
//! service of somebody else: what leaves is one mDNS packet on each interface, and a greeting to the relay that the owner named.

pub mod certificate;
pub mod clock;
pub mod decoding;
pub mod interfaces;
pub mod multicast;
pub mod notices;
pub mod outside;
pub mod ports;
mod rounds;
pub mod storage;

pub use rounds::Rounds;

use crate::views::CheckView;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// It works, but less well than it could, or not for long.
    Warning,
    /// It does not work.
    Failed,
    /// Nothing can be said.
    NotChecked,
}

impl State {
    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Warning => "warning",
            State::Failed => "failed",
            State::NotChecked => "not-checked",
        }
    }
}

/// What is looked at, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Whether a daemon runs; only asked where the command line answers by itself.
    Daemon,
    /// Network interfaces and their addresses.
    Interfaces,
    /// Multicast on the local network.
    Multicast,
    /// Where others and the dashboard connect to.
    Ports,
    /// The router between here and the internet.
    Router,
    /// The relay that the owner named.
    Relay,
    /// The certificate for the network.
    Certificate,
    /// The notices that go to where the owner wants them.
    Notices,
    /// The clock.
    Clock,
    /// The disk of the data folder.
    Disk,
    /// The model pack.
    Models,
    /// The sandbox for decoding.
    Sandbox,
    /// The programs for videos.
    Videos,
}

impl Topic {
    /// Those that a running node looks at.
    pub const OF_A_NODE: [Self; 12] = [
        Self::Interfaces,
        Self::Multicast,
        Self::Ports,
        Self::Router,
        Self::Relay,
        Self::Certificate,
        Self::Notices,
        Self::Clock,
        Self::Disk,
        Self::Models,
        Self::Sandbox,
        Self::Videos,
    ];

    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Interfaces => "interfaces",
            Self::Multicast => "multicast",
            Self::Ports => "ports",
            Self::Router => "nat",
            Self::Relay => "relay",
            Self::Certificate => "certificate",
            Self::Notices => "notices",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Models => "models",
            Self::Sandbox => "sandbox",
            Self::Videos => "videos",
        }
    }

    /// What people read.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Daemon => "Daemon",
            Self::Interfaces => "Network interfaces",
            Self::Multicast => "Local discovery (mDNS)",
            Self::Ports => "Ports",
            Self::Router => "Router (NAT)",
            Self::Relay => "Relay",
            Self::Certificate => "Certificate",
            Self::Notices => "Notices",
            Self::Clock => "Clock",
            Self::Disk => "Disk",
            Self::Models => "Model pack",
            Self::Sandbox => "Sandbox",
            Self::Videos => "Video tools",
        }
    }
}

/// What a check has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub topic: Topic,
    /// How it is.
    pub state: State,
    /// What was found: sentences with the figures.
    pub found: String,
    /// One sentence that says what to do; always there where it is not well.
    pub advice: Option<String>,
}

impl Check {
    /// As it should be.
    #[must_use]
    pub fn good(topic: Topic, found: impl Into<String>) -> Self {
        Self { topic, state: State::Good, found: found.into(), advice: None }
    }

    /// It works, but not as well as it could.
    #[must_use]
    pub fn warning(topic: Topic, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { topic, state: State::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    /// It does not work.
    #[must_use]
    pub fn failed(topic: Topic, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { topic, state: State::Failed, found: found.into(), advice: Some(advice.into()) }
    }

    /// Nothing can be said; `found` says why.
    #[must_use]
    pub fn not_checked(topic: Topic, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { topic, state: State::NotChecked, found: found.into(), advice: Some(advice.into()) }
    }

    /// As the API shows it.
    #[must_use]
    pub fn view(&self) -> CheckView {
        CheckView {
            key: self.topic.word().into(),
            title: self.topic.title().into(),
            state: self.state.word().into(),
            found: self.found.clone(),
            advice: self.advice.clone(),
        }
    }
}

/// Names in a sentence: "a, b and c"; of many the first few and the number of the rest.
fn listed(names: &[String]) -> String {
    const MOST: usize = 6;
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if names.len() <= MOST => format!("{} and {last}", first.join(", ")),
        many => {
            let shown = many.get(..MOST).unwrap_or(many);
            format!("{} and {} more", shown.join(", "), many.len() - shown.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_as_sentences_and_end() {
        let names = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>();
        assert_eq!(listed(&names(0)), "");
        assert_eq!(listed(&names(1)), "0");
        assert_eq!(listed(&names(3)), "0, 1 and 2");
        assert_eq!(listed(&names(9)), "0, 1, 2, 3, 4, 5 and 3 more");
    }
}
