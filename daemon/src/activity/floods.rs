//! Keeps a flood out of the log: a source has a few entries an hour, and the rest is counted and told in one entry when the hour is over.
//!
//! Lost at a restart, like the count of the hour under way: then the source has its few entries again.

use std::collections::BTreeMap;

use inframe_protocol::NodeId;

use super::ActivityKind;

/// Entries that a source has in an hour.
const OF_ONE: u32 = 20;
/// Entries that all peers together have in an hour: new peers cost nothing to make up.
const OF_ALL: u32 = 100;
const HOUR_MS: u64 = 3_600_000;
/// Sources that are told apart; those that come when there are as many are one.
const MAX_SOURCES: usize = 1_024;

/// Where entries come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A peer.
    Peer(NodeId),
    /// All peers.
    All,
    /// The same sentence about the same event, by its hash.
    Sentence([u8; 32]),
    /// Whatever came when too many were told apart.
    Rest,
}

impl Source {
    pub(super) fn peer(node: &NodeId) -> Self {
        Self::Peer(node.clone())
    }

    pub(super) fn all() -> Self {
        Self::All
    }

    pub(super) fn sentence(text: &str, event: Option<&str>) -> Self {
        Self::Sentence(*blake3::hash(&[text, event.unwrap_or_default()].join("\n").into_bytes()).as_bytes())
    }

    fn most(&self) -> u32 {
        if *self == Self::All { OF_ALL } else { OF_ONE }
    }
}

/// An hour of a source.
#[derive(Debug)]
struct Hour {
    began: u64,
    noted: u32,
    passed_over: u64,
    /// The first entry that was passed over.
    example: Option<Sum>,
}

/// An entry that tells of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) kind: ActivityKind,
    pub(super) text: String,
    pub(super) event: Option<String>,
}

/// The hours under way.
#[derive(Debug, Default)]
pub(super) struct Floods {
    hours: BTreeMap<Source, Hour>,
}

impl Floods {
    /// Whether an entry of these sources is written; else it counts as passed over by the first of them that has had its share.
    pub(super) fn admit(
        &mut self,
        sources: &[Source],
        kind: ActivityKind,
        text: &str,
        event: Option<&str>,
        now: u64,
    ) -> bool {
        let sources: Vec<Source> = sources.iter().map(|source| self.known(source)).collect();
        for source in &sources {
            let hour = self.hour(source, now);
            if hour.noted >= source.most() {
                hour.passed_over += 1;
                let example = || Sum { kind, text: text.to_owned(), event: event.map(str::to_owned) };
                hour.example.get_or_insert_with(example);
                return false;
            }
        }
        sources.iter().for_each(|source| self.hour(source, now).noted += 1);
        true
    }

    /// The source itself, or the one for what is too much to tell apart.
    fn known(&self, source: &Source) -> Source {
        let full = self.hours.len() >= MAX_SOURCES && !self.hours.contains_key(source) && *source != Source::All;
        if full { Source::Rest } else { source.clone() }
    }

    fn hour(&mut self, source: &Source, now: u64) -> &mut Hour {
        let fresh = || Hour { began: now, noted: 0, passed_over: 0, example: None };
        self.hours.entry(source.clone()).or_insert_with(fresh)
    }

    /// Ends the hours that are over; gives what is to be told of them.
    pub(super) fn take_ended(&mut self, now: u64) -> Vec<Sum> {
        let mut sums = Vec::new();
        self.hours.retain(|_, hour| {
            if hour.began.abs_diff(now) < HOUR_MS {
                return true;
            }
            if let Some(example) = hour.example.take() {
                let text = format!("And {} more within an hour, such as: {}", hour.passed_over, example.text);
                sums.push(Sum { text, ..example });
            }
            false
        });
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> [Source; 2] {
        let bytes = number.to_le_bytes().repeat(9);
        [Source::Peer(NodeId::new(bytes).unwrap()), Source::All]
    }

    fn admits(floods: &mut Floods, sources: &[Source], now: u64) -> bool {
        floods.admit(sources, ActivityKind::Suspicious, "It lied.", None, now)
    }

    #[test]
    fn d7_a_peer_has_twenty_entries_an_hour_and_the_rest_are_one() {
        let mut floods = Floods::default();
        let written = (0..500).filter(|at| admits(&mut floods, &peer(1), *at)).count();
        assert_eq!(written, 20);
        assert!(admits(&mut floods, &peer(2), 500), "another peer has its own");
        assert!(floods.take_ended(HOUR_MS - 1).is_empty());
        let sums = floods.take_ended(HOUR_MS + 600);
        assert_eq!(sums.len(), 1);
        assert_eq!(sums[0].text, "And 480 more within an hour, such as: It lied.");
        assert!(admits(&mut floods, &peer(1), HOUR_MS + 600), "a new hour");
        assert!(floods.take_ended(9 * HOUR_MS).is_empty(), "nothing was passed over since");
    }

    #[test]
    fn d7_made_up_peers_share_a_hundred_and_fill_no_memory() {
        let mut floods = Floods::default();
        let written = (0..10_000).filter(|number| admits(&mut floods, &peer(*number), 5)).count();
        assert_eq!(written, 100);
        assert!(floods.hours.len() <= MAX_SOURCES + 2, "{}", floods.hours.len());
        // A sentence of this node's own is not among them.
        let own = [Source::sentence("The backup failed.", None)];
        assert!(admits(&mut floods, &own, 6));
        let sums = floods.take_ended(2 * HOUR_MS);
        assert_eq!(sums.iter().filter(|sum| sum.text.starts_with("And ")).count(), sums.len());
        assert!(floods.hours.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing_up() {
        let mut floods = Floods::default();
        assert_eq!((0..30).filter(|_| admits(&mut floods, &peer(1), 100 * HOUR_MS)).count(), 20);
        assert_eq!(floods.take_ended(3).len(), 1);
    }
}
