//! Relays: the place of this node at the one that its owner named, and the circuits to members through theirs.

use futures::FutureExt;
use inframe_protocol::relay::RelayWelcome;
use libp2p::{
    Multiaddr, PeerId,
    core::transport::ListenerId,
    swarm::{
        DialError,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    super::{
        Protocol, address,
        dials::Attempt,
        introduction::{TalkError, greet},
        limits,
        my_relay::{MyRelay, RelayState, RelayTrouble, RelayWish},
    },
    Driver, Talk, jitter,
};

/// A circuit that waits until its relay is connected.
pub(super) struct Parked {
    relay: PeerId,
    peer: PeerId,
    circuit: Multiaddr,
    since: Instant,
}

impl Driver {
    /// Takes a place at this relay instead of the one before.
    pub(super) fn set_relay(&mut self, wish: Option<RelayWish>) {
        if let Some(before) = self.my_relay.take() {
            self.swarm.behaviour_mut().counted.remove_peer_id(&before.peer);
            // Not the listener alone: the library does not take that well while a place is asked for.
            let _ = self.swarm.disconnect_peer_id(before.peer);
        }
        self.my_relay = wish.and_then(|wish| MyRelay::new(wish, Instant::now()));
        if let Some(relay) = &self.my_relay {
            self.swarm.behaviour_mut().counted.bypass_peer_id(&relay.peer);
        }
        self.on_addresses();
    }

    /// The relay is due: it is reached, or greeted again.
    pub(super) fn relay_due(&mut self) {
        let Some(relay) = &mut self.my_relay else { return };
        if !relay.take_due(Instant::now()) {
            return;
        }
        let (peer, at) = (relay.peer, relay.at.clone());
        if self.peers.contains_key(&peer) { self.greet(peer) } else { self.reach_relay(peer, at) }
    }

    fn reach_relay(&mut self, relay: PeerId, at: Multiaddr) {
        self.relays.entry(relay).or_default();
        let Some(node) = address::node_id(&relay) else { return };
        let next = self.dials.want((relay, node), vec![at], None);
        self.go_on(relay, next);
    }

    /// Dials `peer` through a relay, which is connected first: only then is there somebody to say where this node is
    /// seen, and the library makes one connection for each circuit otherwise.
    pub(super) fn dial_through(&mut self, peer: PeerId, circuit: Multiaddr) {
        let Some((relay, at)) = address::relay_of(&circuit) else { return };
        let own = relay == *self.swarm.local_peer_id();
        if own || self.parked.len() >= limits::CIRCUITS_PARKED {
            return self.circuit_failed(peer);
        }
        let new = self.relays.insert(relay, self.relays.get(&relay).cloned().flatten()).is_none();
        if self.peers.contains_key(&relay) {
            if new {
                self.greet(relay);
            }
            return self.dial_circuit(peer, circuit);
        }
        self.parked.push(Parked { relay, peer, circuit, since: Instant::now() });
        self.reach_relay(relay, at);
    }

    fn dial_circuit(&mut self, peer: PeerId, circuit: Multiaddr) {
        let dial = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![circuit]).build();
        self.dials.started_circuit(&peer, dial.connection_id());
        if self.swarm.dial(dial).is_err() {
            self.circuit_failed(peer);
        }
    }

    fn circuit_failed(&mut self, peer: PeerId) {
        let next = self.dials.failed(&peer, Attempt::Circuit, &DialError::Aborted);
        self.go_on(peer, next);
    }

    /// A relay is connected: it is greeted, and the circuits that waited for it are dialled.
    pub(super) fn on_relay_connected(&mut self, relay: PeerId) {
        if !self.relays.contains_key(&relay) {
            return;
        }
        self.greet(relay);
        let (ready, parked) = std::mem::take(&mut self.parked).into_iter().partition(|parked| parked.relay == relay);
        self.parked = parked;
        let ready: Vec<Parked> = ready;
        for Parked { peer, circuit, .. } in ready {
            self.dial_circuit(peer, circuit);
        }
    }

    /// A relay cannot be reached, or what waits for one has waited too long.
    pub(super) fn on_relay_failed(&mut self, relay: Option<PeerId>) {
        let now = Instant::now();
        let over = |parked: &Parked| match relay {
            Some(relay) => parked.relay == relay,
            None => now.duration_since(parked.since) >= limits::CONNECT_WITHIN,
        };
        let (failed, parked): (Vec<Parked>, _) = std::mem::take(&mut self.parked).into_iter().partition(over);
        self.parked = parked;
        if let Some(relay) = relay
            && self.my_relay.as_ref().is_some_and(|mine| mine.peer == relay)
        {
            self.relay_lost(RelayTrouble::Silent);
        }
        if let Some(relay) = relay.filter(|relay| !self.peers.contains_key(relay)) {
            self.relays.remove(&relay);
        }
        failed.into_iter().for_each(|parked| self.circuit_failed(parked.peer));
    }

    /// The last connection to a relay is gone, and every circuit through it with it.
    pub(super) fn on_relay_gone(&mut self, relay: &PeerId) {
        if self.relays.remove(relay).is_some() && self.my_relay.as_ref().is_some_and(|mine| mine.peer == *relay) {
            self.relay_lost(RelayTrouble::Lost);
        }
    }

    fn relay_lost(&mut self, why: RelayTrouble) {
        if let Some(relay) = &mut self.my_relay {
            tracing::info!("others cannot reach this node through its relay: {why}");
            relay.failed(why, Instant::now(), jitter());
            self.on_addresses();
        }
    }

    fn greet(&mut self, relay: PeerId) {
        let (Some(node), Some(link)) = (address::node_id(&relay), self.best_link(&relay, Protocol::Relay)) else {
            return;
        };
        if self.talks.len() >= limits::TALKS {
            return;
        }
        let me = address::node_id(self.swarm.local_peer_id());
        let mine = self.my_relay.as_ref().filter(|mine| mine.peer == relay && mine.listener.is_none());
        let proof = mine.zip(me).map(|(mine, me)| mine.proof(&me));
        let (answer, opened) = oneshot::channel();
        self.swarm.behaviour_mut().substreams.open(relay, link, Protocol::Relay, answer);
        let asks = proof.is_some();
        self.talks.push(async move { Talk::Greeted { relay, asks, said: greet(node, opened, proof).await } }.boxed());
    }

    pub(super) fn on_greeted(&mut self, relay: PeerId, asks: bool, said: Result<RelayWelcome, TalkError>) {
        let mine = self.my_relay.as_ref().is_some_and(|mine| mine.peer == relay && mine.listener.is_none());
        match said {
            Ok(welcome) => {
                if let (Some(seen), Ok(address)) = (self.relays.get_mut(&relay), welcome.seen.parse::<Multiaddr>()) {
                    *seen = address::seen_at(&address);
                }
                match (asks && mine, welcome.admitted) {
                    (true, true) => self.reserve(),
                    (true, false) => self.relay_lost(RelayTrouble::Token),
                    (false, _) => {}
                }
            }
            Err(error) if asks && mine => self.relay_lost(RelayTrouble::Stranger(error.to_string())),
            Err(error) => tracing::debug!(%relay, %error, "a relay does not say where this node is seen"),
        }
    }

    fn reserve(&mut self) {
        let Some(relay) = &mut self.my_relay else { return };
        match self.swarm.listen_on(address::through(relay.peer, &relay.at)) {
            Ok(listener) => relay.listener = Some(listener),
            Err(error) => self.relay_lost(RelayTrouble::Stranger(error.to_string())),
        }
    }

    /// Something is listened at: perhaps through the relay.
    pub(super) fn on_reserved(&mut self, listener: ListenerId) {
        if let Some(relay) = &mut self.my_relay
            && relay.listener == Some(listener)
            && relay.state != RelayState::Reserved
        {
            tracing::info!("others can reach this node through its relay");
            relay.reserved(Instant::now());
        }
    }

    pub(super) fn on_listener_closed(&mut self, listener: ListenerId) {
        if self.my_relay.as_ref().is_some_and(|relay| relay.listener == Some(listener)) {
            self.relay_lost(RelayTrouble::NoPlace);
        }
    }
}
