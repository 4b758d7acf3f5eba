//! When to dial which known peer: a pure table of due times, with pauses that grow and are jittered.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::limits;

/// The known peers and when each is due to be dialled.
#[derive(Debug, Default)]
pub(super) struct Redial {
    peers: BTreeMap<PeerId, Known>,
}

#[derive(Debug)]
struct Known {
    addresses: Vec<Multiaddr>,
    failures: u32,
    state: State,
    /// Whether it is dialled again and again; the others are dialled when there is something for them.
    kept: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connected { since: Instant },
    Dialling,
    Due(Instant),
}

impl Redial {
    /// Replaces the known peers. Returns those that are new and those that are gone. A new peer, and one whose
    /// addresses changed, is due at once unless connected.
    pub(super) fn set(
        &mut self,
        peers: Vec<(PeerId, Vec<Multiaddr>)>,
        now: Instant,
        connected: impl Fn(&PeerId) -> bool,
    ) -> (Vec<PeerId>, Vec<PeerId>) {
        let mut before = std::mem::take(&mut self.peers);
        let mut new = Vec::new();
        for (peer, addresses) in peers.into_iter().take(limits::KNOWN_PEERS) {
            let known = match before.remove(&peer) {
                Some(mut known) => {
                    if known.addresses != addresses {
                        known.addresses = addresses;
                        known.hurry(now);
                    }
                    known
                }
                None if self.peers.contains_key(&peer) => continue,
                None => {
                    new.push(peer);
                    let state = if connected(&peer) { State::Connected { since: now } } else { State::Due(now) };
                    Known { addresses, failures: 0, state, kept: true }
                }
            };
            self.peers.insert(peer, known);
        }
        (new, before.into_keys().collect())
    }

    /// Says which of the known peers are kept connected. Returns those for which that is different now.
    pub(super) fn keep(&mut self, kept: &BTreeSet<PeerId>) -> Vec<(PeerId, bool)> {
        let mut changed = Vec::new();
        for (peer, known) in &mut self.peers {
            let kept = kept.contains(peer);
            if std::mem::replace(&mut known.kept, kept) != kept {
                changed.push((*peer, kept));
            }
        }
        changed
    }

    /// Whether `peer` is one of the known peers.
    pub(super) fn knows(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// The known peers, with the addresses that were given for them.
    pub(super) fn known(&self) -> impl Iterator<Item = (&PeerId, &[Multiaddr])> {
        self.peers.iter().map(|(peer, known)| (peer, known.addresses.as_slice()))
    }

    /// The addresses that were given for a known peer.
    pub(super) fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.peers.get(peer).map_or(&[], |known| &known.addresses)
    }

    /// A connection to `peer` is there.
    pub(super) fn connected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.state = State::Connected { since: now };
        }
    }

    /// The last connection to `peer` is gone. No pause is longer than `longest`, give or take the jitter, which is in
    /// `0.0..1.0`.
    pub(super) fn disconnected(&mut self, peer: &PeerId, now: Instant, longest: Duration, jitter: f64) {
        let Some(known) = self.peers.get_mut(peer) else { return };
        if let State::Connected { since } = known.state
            && now.duration_since(since) >= limits::GOOD_CONNECTION
        {
            known.failures = 0;
        }
        known.pause(now, longest, jitter);
    }

    /// A dial of `peer` has failed. The rest as for [`Redial::disconnected`].
    pub(super) fn failed(&mut self, peer: &PeerId, now: Instant, longest: Duration, jitter: f64) {
        if let Some(known) = self.peers.get_mut(peer)
            && !matches!(known.state, State::Connected { .. })
        {
            known.pause(now, longest, jitter);
        }
    }

    /// `peer` was seen on the local network, or is let in again: it is due at once.
    pub(super) fn found(&mut self, peer: &PeerId, now: Instant) {
        if let Some(known) = self.peers.get_mut(peer) {
            known.hurry(now);
        }
    }

    /// This machine is on another network, or awake again: every peer that is away is due at once.
    pub(super) fn hurry_all(&mut self, now: Instant) {
        self.peers.values_mut().for_each(|known| known.hurry(now));
    }

    /// When the next peer is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.peers.values().filter_map(Known::due).min()
    }

    /// Takes up to `most` peers that are due; each must later be reported as connected or failed.
    pub(super) fn take_due(&mut self, now: Instant, most: usize) -> Vec<PeerId> {
        let due = self.peers.iter_mut().filter(|(_, known)| known.due().is_some_and(|due| due <= now)).take(most);
        due.map(|(peer, known)| {
            known.state = State::Dialling;
            *peer
        })
        .collect()
    }
}

impl Known {
    fn due(&self) -> Option<Instant> {
        match self.state {
            State::Due(due) => self.kept.then_some(due),
            State::Connected { .. } | State::Dialling => None,
        }
    }

    fn hurry(&mut self, now: Instant) {
        self.failures = 0;
        if let State::Due(_) = self.state {
            self.state = State::Due(now);
        }
    }

    fn pause(&mut self, now: Instant, longest: Duration, jitter: f64) {
        self.state = State::Due(now + pause(self.failures, longest, jitter));
        self.failures = self.failures.saturating_add(1);
    }
}

/// 1 s, 2 s, 4 s ... up to the longest, each between three and five quarters of that, so that nodes that lost each other at the
/// same moment do not dial at the same moment.
fn pause(failures: u32, longest: Duration, jitter: f64) -> Duration {
    let doubled = limits::REDIAL_FIRST.saturating_mul(1 << failures.min(16));
    doubled.min(longest).mul_f64(0.75 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: Duration = limits::REDIAL_LAST;

    fn one(peer: PeerId, address: &str) -> Vec<(PeerId, Vec<Multiaddr>)> {
        vec![(peer, vec![address.parse().unwrap()])]
    }

    #[test]
    fn pauses_double_up_to_five_minutes() {
        let pauses: Vec<u64> = (0..11).map(|failures| pause(failures, LAST, 0.5).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause(u32::MAX, LAST, 1.0), LAST.mul_f64(1.25));
        assert_eq!(pause(0, LAST, 0.0), Duration::from_millis(750));
    }

    #[test]
    fn a_known_peer_is_due_at_once_then_after_pauses_then_at_once_when_found() {
        let (peer, now) = (PeerId::random(), Instant::now());
        let mut redial = Redial::default();
        assert_eq!(redial.set(one(peer, "/ip4/10.0.0.1/tcp/1"), now, |_| false), (vec![peer], vec![]));
        assert_eq!(redial.take_due(now, 9), [peer]);
        assert_eq!(redial.next_due(), None, "a dial is under way");
        redial.failed(&peer, now, LAST, 0.5);
        redial.take_due(now + Duration::from_secs(1), 9);
        redial.failed(&peer, now, LAST, 0.5);
        assert_eq!(redial.next_due(), Some(now + Duration::from_secs(2)));
        redial.found(&peer, now);
        assert_eq!(redial.next_due(), Some(now));
    }

    #[test]
    fn a_known_peer_that_is_not_kept_is_not_dialled() {
        let (one, other, now) = (PeerId::random(), PeerId::random(), Instant::now());
        let mut redial = Redial::default();
        let both = |first| [self::one(one, first), self::one(other, "/ip4/10.0.0.2/tcp/1")].concat();
        redial.set(both("/ip4/10.0.0.1/tcp/1"), now, |_| false);
        assert_eq!(redial.keep(&BTreeSet::from([other])), [(one, false)]);
        redial.found(&one, now);
        redial.hurry_all(now);
        assert_eq!(redial.take_due(now, 9), [other]);
        assert!(redial.knows(&one) && redial.next_due().is_none());
        redial.set(both("/ip4/10.0.0.3/tcp/1"), now, |_| false);
        assert_eq!((redial.keep(&BTreeSet::from([other])), redial.take_due(now, 9)), (vec![], vec![]));
        assert_eq!(redial.keep(&BTreeSet::from([one, other])), [(one, true)]);
        assert_eq!(redial.take_due(now, 9), [one]);
    }

    #[test]
    fn a_peer_that_hangs_up_at_once_is_dialled_less_and_less() {
        let (peer, now) = (PeerId::random(), Instant::now());
        let mut redial = Redial::default();
        redial.set(one(peer, "/ip4/10.0.0.1/tcp/1"), now, |_| false);
        for _ in 0..4 {
            redial.connected(&peer, now);
            redial.disconnected(&peer, now, LAST, 0.5);
        }
        assert_eq!(redial.next_due(), Some(now + Duration::from_secs(8)));
        redial.connected(&peer, now);
        let later = now + limits::GOOD_CONNECTION;
        redial.disconnected(&peer, later, LAST, 0.5);
        assert_eq!(redial.next_due(), Some(later + Duration::from_secs(1)));
    }

    #[test]
    fn peers_that_are_no_longer_known_are_forgotten_and_changed_addresses_are_tried() {
        let (peer, now) = (PeerId::random(), Instant::now());
        let mut redial = Redial::default();
        redial.set(one(peer, "/ip4/10.0.0.1/tcp/1"), now, |_| false);
        redial.take_due(now, 9);
        redial.failed(&peer, now, LAST, 0.5);
        assert_eq!(redial.set(one(peer, "/ip4/10.0.0.2/tcp/1"), now, |_| false), (vec![], vec![]));
        assert_eq!(redial.next_due(), Some(now));
        assert_eq!(redial.set(vec![], now, |_| false), (vec![], vec![peer]));
        assert_eq!((redial.next_due(), redial.knows(&peer)), (None, false));
    }

    #[test]
    fn a_peer_on_the_local_network_is_dialled_every_quarter_of_a_minute() {
        let (peer, mut now) = (PeerId::random(), Instant::now());
        let mut redial = Redial::default();
        redial.set(one(peer, "/ip4/10.0.0.1/tcp/1"), now, |_| false);
        for _ in 0..12 {
            assert_eq!(redial.take_due(now, 9), [peer]);
            redial.failed(&peer, now, limits::REDIAL_FOUND, 0.5);
            let due = redial.next_due().unwrap();
            assert!(due <= now + limits::REDIAL_FOUND);
            now = due;
        }
        redial.failed(&peer, now, LAST, 0.5);
        assert_eq!(redial.next_due(), Some(now + LAST), "no longer announced");
    }

    #[test]
    fn on_another_network_all_who_are_away_are_due_at_once_with_pauses_from_the_start() {
        let (away, here, now) = (PeerId::random(), PeerId::random(), Instant::now());
        let mut redial = Redial::default();
        let both = [one(away, "/ip4/10.0.0.1/tcp/1"), one(here, "/ip4/10.0.0.2/tcp/1")].concat();
        redial.set(both, now, |peer| *peer == here);
        for _ in 0..9 {
            redial.failed(&away, now, LAST, 0.5);
        }
        redial.hurry_all(now);
        assert_eq!(redial.take_due(now, 9), [away]);
        redial.failed(&away, now, LAST, 0.5);
        assert_eq!(redial.next_due(), Some(now + Duration::from_secs(1)));
    }
}
