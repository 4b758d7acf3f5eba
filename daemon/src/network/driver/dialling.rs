//! Which peers are dialled and when: known ones again and again, found ones at once, all of them when this machine's own
//! network has changed.

use std::{collections::BTreeSet, time::Duration};

use inframe_protocol::ids::NodeId;
use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId, DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    super::{
        address,
        dials::{Attempt, ConnectAnswer, Next},
        gossip, limits,
    },
    Driver, Link, jitter,
};

impl Driver {
    pub(super) fn set_known(&mut self, known: Vec<(PeerId, Vec<Multiaddr>)>, kept: &BTreeSet<PeerId>) {
        if known.len() > limits::KNOWN_PEERS {
            tracing::warn!(named = known.len(), kept = limits::KNOWN_PEERS, "not all known peers are kept connected");
        }
        let (new, gone) = self.redial.set(known, Instant::now(), |peer| self.peers.contains_key(peer));
        let behaviour = self.swarm.behaviour_mut();
        behaviour.gate.set_known(self.redial.known());
        for peer in &new {
            behaviour.counted.bypass_peer_id(peer);
            behaviour.substreams.keep(*peer, true);
            behaviour.gossip.set_application_score(peer, gossip::KNOWN);
        }
        for peer in &gone {
            behaviour.counted.remove_peer_id(peer);
            behaviour.substreams.keep(*peer, false);
            behaviour.gossip.set_application_score(peer, gossip::STRANGER);
        }
        for (peer, keep) in self.redial.keep(kept) {
            behaviour.substreams.keep(peer, keep);
        }
    }

    /// Keeps addresses that the owner has typed (D7).
    pub(super) fn name(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        if self.named.len() >= limits::NAMED_PEERS && !self.named.contains_key(&peer) {
            tracing::warn!(kept = limits::NAMED_PEERS, "an address is tried once only: too many were typed");
            return;
        }
        let kept = self.named.entry(peer).or_default();
        for address in addresses {
            kept.retain(|known| *known != address);
            kept.insert(0, address);
        }
        kept.truncate(limits::NAMED_ADDRESSES);
    }

    pub(super) fn dial_due(&mut self) {
        let room = limits::DIALS.saturating_sub(self.dials.len());
        for peer in self.redial.take_due(Instant::now(), room) {
            self.connect(peer, Vec::new(), None);
        }
    }

    pub(super) fn connect(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, answer: Option<ConnectAnswer>) {
        if self.peers.contains_key(&peer) {
            self.redial.connected(&peer, Instant::now());
            answer.into_iter().for_each(|answer| drop(answer.send(Ok(()))));
            return;
        }
        let Some(node) = address::node_id(&peer) else { return };
        let addresses = self.addresses_of(&peer, addresses);
        let next = self.dials.want((peer, node), addresses, answer);
        self.go_on(peer, next);
    }

    /// All addresses that are known for `peer`, these first.
    pub(super) fn addresses_of(&self, peer: &PeerId, mut addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
        let named = self.named.get(peer).into_iter().flatten();
        let more = named.chain(self.announced.addresses(peer)).chain(self.redial.addresses(peer));
        for address in more {
            address::add(&mut addresses, peer, address);
        }
        // What we listen on ourselves cannot be the peer's.
        addresses.retain(|address| !self.swarm.listeners().any(|ours| ours == address));
        addresses
    }

    pub(super) fn go_on(&mut self, peer: PeerId, mut next: Next) {
        loop {
            match next {
                Next::Wait => return,
                Next::Through(circuit) => return self.dial_through(peer, circuit),
                Next::GivenUp => {
                    self.redial.failed(&peer, Instant::now(), self.longest_pause(&peer), jitter());
                    if self.relays.contains_key(&peer) {
                        self.on_relay_failed(Some(peer));
                    }
                    return;
                }
                Next::Dial(addresses) => {
                    // There is one such dial of a peer, in `dials`; one through a relay may be under way beside it, and a
                    // connection that was given up may take the system minutes to close.
                    let dial = DialOpts::peer_id(peer).condition(PeerCondition::Always);
                    let dial = dial.addresses(addresses).build();
                    self.dials.started(&peer, dial.connection_id());
                    match self.swarm.dial(dial) {
                        Ok(()) => return,
                        Err(error) => next = self.dials.failed(&peer, Attempt::Straight, &error),
                    }
                }
            }
        }
    }

    pub(super) fn on_dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        let Some((peer, attempt)) = self.dials.peer_of(connection) else { return };
        tracing::debug!(%peer, %error, "a dial has failed");
        let next = self.dials.failed(&peer, attempt, error);
        self.go_on(peer, next);
    }

    pub(super) fn on_found(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let now = Instant::now();
        for (peer, address) in found {
            self.announced.add(&peer, &address, self.redial.knows(&peer));
            self.redial.found(&peer, now);
            if let Some(connected) = self.peers.get_mut(&peer) {
                // If it is connected through a relay: it is nearer than that.
                connected.try_straight_at = now;
            }
        }
        if self.announced.overflows(now) {
            tracing::warn!(
                "somebody floods the local network with made-up nodes: no node is looked for there for a while"
            );
            self.swarm.behaviour_mut().stop_looking();
        }
    }

    /// Addresses on the local network are no longer announced.
    pub(super) fn on_expired(&mut self, gone: Vec<(PeerId, Multiaddr)>) {
        gone.iter().for_each(|(peer, address)| self.announced.remove(peer, address));
    }

    /// Tells which nodes are on the local network: those that are announced there, and those that are connected from there.
    pub(super) fn tell_nearby(&self, answer: oneshot::Sender<Vec<NodeId>>) {
        let connected = self.peers.iter().filter(|(_, peer)| peer.links.iter().any(Link::is_local)).map(|(id, _)| id);
        let near: BTreeSet<NodeId> =
            connected.chain(self.announced.near()).filter_map(address::node_id).take(limits::NEARBY).collect();
        // Whoever asked may have stopped waiting.
        let _ = answer.send(near.into_iter().collect());
    }

    /// Looks for others on the local network again, after a flood.
    pub(super) fn look_again(&mut self) {
        if self.announced.listens_again(Instant::now()) {
            let (node, ours) = (*self.swarm.local_peer_id(), self.swarm.listeners().cloned().collect::<Vec<_>>());
            self.swarm.behaviour_mut().start_looking(node, &ours);
        }
    }

    /// How long the next pause before `peer` is dialled may be: whoever is announced on the local network is near, and
    /// the announcement is not repeated when it comes into reach again.
    pub(super) fn longest_pause(&self, peer: &PeerId) -> Duration {
        if self.announced.addresses(peer).is_empty() { limits::REDIAL_LAST } else { limits::REDIAL_FOUND }
    }
}
