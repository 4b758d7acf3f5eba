//! Who announces itself on the local network, and where: hints, nothing more, from anybody, so they are bounded (D7).

use std::collections::HashMap;

use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::{address, limits};

/// What is announced now.
#[derive(Debug, Default)]
pub(super) struct Announced {
    peers: HashMap<PeerId, Vec<Multiaddr>>,
    /// Pairs of peer and address that the library holds: it keeps each for as long as its sender says, and any number.
    held: usize,
    deaf_until: Option<Instant>,
}

impl Announced {
    /// Somebody is announced. Addresses of strangers are kept while there is room, those of known peers always.
    pub(super) fn add(&mut self, peer: &PeerId, address: &Multiaddr, known: bool) {
        self.held = self.held.saturating_add(1);
        let room = known || self.peers.len() < limits::FOUND_PEERS || self.peers.contains_key(peer);
        // Through a relay nobody is near.
        let address = address::dialable(peer, address).filter(address::is_straight);
        if room && let Some(address) = address {
            address::add(self.peers.entry(*peer).or_default(), peer, &address);
        }
    }

    /// An address is no longer announced.
    pub(super) fn remove(&mut self, peer: &PeerId, address: &Multiaddr) {
        self.held = self.held.saturating_sub(1);
        let Some(addresses) = self.peers.get_mut(peer) else { return };
        addresses.retain(|known| *known != address::without_peer(address));
        if addresses.is_empty() {
            self.peers.remove(peer);
        }
    }

    /// Where `peer` is announced.
    pub(super) fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.peers.get(peer).map_or(&[], Vec::as_slice)
    }

    /// Who is announced at an address of a local network.
    pub(super) fn near(&self) -> impl Iterator<Item = &PeerId> {
        self.peers.iter().filter(|(_, addresses)| addresses.iter().any(address::is_local)).map(|(peer, _)| peer)
    }

    /// Whether more is announced than any honest network does. Then nothing is listened to for a while, and all is
    /// forgotten; the caller must drop what the library holds.
    pub(super) fn overflows(&mut self, now: Instant) -> bool {
        let overflows = self.held > limits::ANNOUNCED;
        if overflows {
            *self = Self { deaf_until: Some(now + limits::ANNOUNCED_PAUSE), ..Self::default() };
        }
        overflows
    }

    /// Whether it is time to listen again; said once.
    pub(super) fn listens_again(&mut self, now: Instant) -> bool {
        self.deaf_until.take_if(|until| *until <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn d7_a_flood_of_announcements_is_shut_out_for_a_while_and_known_peers_have_room_until_then() {
        let (mut announced, now) = (Announced::default(), Instant::now());
        for number in 0..limits::ANNOUNCED - 1 {
            let address = at(&format!("/ip4/10.0.{}.{}/tcp/1", number / 250, number % 250 + 1));
            announced.add(&PeerId::random(), &address, false);
        }
        assert_eq!(announced.peers.len(), limits::FOUND_PEERS);
        let (member, address) = (PeerId::random(), at("/ip4/10.1.0.1/tcp/7412"));
        announced.add(&member, &address, true);
        assert_eq!(announced.addresses(&member), std::slice::from_ref(&address));
        assert!(!announced.overflows(now), "as many as allowed");
        announced.add(&PeerId::random(), &address, false);
        assert!(announced.overflows(now));
        assert!(announced.addresses(&member).is_empty() && !announced.overflows(now));
        assert!(!announced.listens_again(now));
        assert!(announced.listens_again(now + limits::ANNOUNCED_PAUSE));
        assert!(!announced.listens_again(now + limits::ANNOUNCED_PAUSE), "once");
    }

    #[test]
    fn what_is_no_longer_announced_is_forgotten_and_gives_its_place_back() {
        let (mut announced, peer) = (Announced::default(), PeerId::random());
        let address = at("/ip4/10.0.0.1/tcp/7412");
        announced.add(&peer, &address.clone().with_p2p(peer).unwrap(), false);
        announced.add(&peer, &at("/ip6/fe80::1/tcp/7412"), false);
        assert_eq!((announced.addresses(&peer), announced.held), (std::slice::from_ref(&address), 2));
        announced.remove(&peer, &address);
        announced.remove(&peer, &at("/ip6/fe80::1/tcp/7412"));
        assert_eq!((announced.peers.len(), announced.held), (0, 0));
    }
}
