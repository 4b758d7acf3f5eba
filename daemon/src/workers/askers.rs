//! How often each peer has asked lately (R53), so that a flood is turned away before it costs more than its own bytes.

use std::collections::BTreeMap;

use inframe_protocol::allowance::{Allowance, Ask};
use inframe_protocol::{NodeId, UnixMillis};

/// Peers that are told apart; the network has fewer connections than that.
const MAX_ASKERS: usize = 1_024;
/// A peer that asks too much is noted again after this long, milliseconds.
const NOTED_AGAIN_MS: u64 = 24 * 3_600_000;

struct Asker {
    allowance: Allowance,
    noted_at: Option<u64>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is answered.
    Answer,
    /// It is turned away.
    TurnAway,
    /// It is turned away, and that is to be noted.
    TurnAwayAndNote,
}

/// The peers that asked lately.
#[derive(Default)]
pub(super) struct Askers {
    peers: BTreeMap<NodeId, Asker>,
}

impl Askers {
    /// Judges a request.
    pub(super) fn judge(&mut self, peer: &NodeId, ask: Ask, now: u64) -> Verdict {
        let at = UnixMillis(now);
        if self.peers.len() >= MAX_ASKERS && !self.peers.contains_key(peer) {
            // Whoever was quiet for a minute has nothing to lose; else all start anew, which nobody can bring about without as many connections.
            self.peers.retain(|_, asker| !asker.allowance.is_full(at));
            if self.peers.len() >= MAX_ASKERS {
                self.peers.clear();
            }
        }
        let fresh = || Asker { allowance: Allowance::new(at), noted_at: None };
        let asker = self.peers.entry(peer.clone()).or_insert_with(fresh);
        if asker.allowance.take(ask, at) {
            return Verdict::Answer;
        }
        if asker.noted_at.is_some_and(|noted| now.abs_diff(noted) < NOTED_AGAIN_MS) {
            return Verdict::TurnAway;
        }
        asker.noted_at = Some(now);
        Verdict::TurnAwayAndNote
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u32) -> NodeId {
        NodeId::new(number.to_le_bytes().repeat(9)).unwrap()
    }

    #[test]
    fn a_flood_of_one_peer_is_turned_away_and_noted_once() {
        let mut askers = Askers::default();
        let verdicts: Vec<Verdict> = (0..5_000).map(|at| askers.judge(&node(1), Ask::Join, at)).collect();
        let count = |verdict| verdicts.iter().filter(|one| **one == verdict).count();
        assert!((60..=66).contains(&count(Verdict::Answer)), "{}", count(Verdict::Answer));
        assert_eq!(count(Verdict::TurnAwayAndNote), 1);
        assert_eq!(askers.judge(&node(2), Ask::Join, 5_000), Verdict::Answer, "another peer is not concerned");
        assert_eq!(askers.judge(&node(1), Ask::Fetch, 5_000), Verdict::Answer, "nor is another kind");
    }

    #[test]
    fn many_peers_fill_no_memory() {
        let mut askers = Askers::default();
        for number in 0..5_000 {
            assert_eq!(askers.judge(&node(number), Ask::Join, 1), Verdict::Answer);
            assert!(askers.peers.len() <= MAX_ASKERS);
        }
    }
}
