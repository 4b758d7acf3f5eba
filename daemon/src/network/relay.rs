//! A relay: lets nodes that cannot reach each other meet. It knows no event, holds no vault, and what it passes on is
//! encrypted from end to end.
//!
//! Circuits are those of libp2p's circuit relay, version 2. Whoever wants to be reached through it must show the relay's
//! token first (`/inframe/relay/1`), so that it is nobody's open proxy: whoever dials can reach those alone who have it.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use inframe_protocol::{
    frame::Message,
    ids::{NodeId, UnixMillis},
    relay::{RelayHello, RelayWelcome},
};
use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder,
    connection_limits::{self, ConnectionLimits},
    core::transport::ListenerId,
    identity::Keypair,
    memory_connection_limits,
    multiaddr::Protocol as Part,
    noise, ping, relay,
    swarm::{ConnectionId, NetworkBehaviour, SwarmEvent},
    tcp,
};
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::{
    Protocol, StartError, address,
    gate::Gate,
    limits, muxer,
    peer_stream::{Answer, PeerStream},
    substreams::{self, Inbound},
};
use crate::{clock::now_ms, vault::Secret32};

/// What a relay is started with.
pub struct RelayConfig {
    /// Ed25519 seed of its identity.
    pub seed: Secret32,
    /// What those must show who want to be reached through it.
    pub token: Zeroizing<String>,
    /// Where to listen.
    pub listen: Vec<Multiaddr>,
    /// Where others reach it besides, as through a router that forwards a port.
    pub announce: Vec<Multiaddr>,
}

/// What a relay tells whoever runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayEvent {
    /// It listens; all its addresses, each ending in `/p2p/ID`.
    Listening(Vec<String>),
    /// A peer showed the token, or no token or a wrong one.
    Greeted {
        /// The peer.
        peer: String,
        /// Whether it may be reached through the relay.
        admitted: bool,
    },
    /// A peer may be reached through the relay from now on.
    Reserved(String),
    /// A peer has no place, since it showed no token or the relay is full.
    Refused(String),
    /// Two peers are joined.
    Joined(String, String),
    /// They are no longer.
    Parted(String, String),
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    gate: Gate,
    counted: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    ping: ping::Behaviour,
    relay: relay::Behaviour,
    substreams: substreams::Behaviour,
}

/// Peers that have shown the token on a connection that they still have.
type Admitted = Arc<Mutex<HashSet<PeerId>>>;

fn settings(admitted: Admitted) -> relay::Config {
    let per = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let bare = relay::Config {
        max_reservations: limits::RELAY_RESERVATIONS,
        max_reservations_per_peer: limits::RELAY_RESERVATIONS_PER_PEER,
        reservation_duration: limits::RELAY_RESERVATION,
        // The library asks here whether a place may be given: the one door for the token.
        reservation_rate_limiters: vec![Box::new(move |peer: PeerId, _: &Multiaddr, _| {
            admitted.lock().unwrap_or_else(PoisonError::into_inner).contains(&peer)
        })],
        max_circuits: limits::RELAY_CIRCUITS,
        max_circuits_per_peer: limits::RELAY_CIRCUITS_PER_PEER,
        max_circuit_duration: limits::RELAY_CIRCUIT,
        max_circuit_bytes: limits::RELAY_CIRCUIT_BYTES,
        circuit_src_rate_limiters: Vec::new(),
    };
    bare.reservation_rate_per_ip(per(limits::RELAY_RESERVATIONS_BURST), limits::RELAY_RESERVATION_EVERY)
        .circuit_src_per_ip(per(limits::RELAY_CIRCUITS_BURST), limits::RELAY_CIRCUIT_EVERY)
}

/// A running relay.
pub struct Relay {
    swarm: Swarm<Behaviour>,
    me: NodeId,
    token: Zeroizing<String>,
    announce: Vec<Multiaddr>,
    admitted: Admitted,
    listeners: Vec<ListenerId>,
    links: HashMap<ConnectionId, (PeerId, Multiaddr)>,
    greetings: FuturesUnordered<BoxFuture<'static, Option<(PeerId, bool)>>>,
}

impl Relay {
    /// Binds its sockets. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If an address cannot be listened on or the seed is unusable.
    pub fn start(config: RelayConfig) -> Result<Self, StartError> {
        let mut seed = Zeroizing::new(*config.seed.expose());
        let identity = Keypair::ed25519_from_bytes(seed.as_mut_slice()).map_err(|_| StartError::Seed)?;
        let peer = identity.public().to_peer_id();
        let me = address::node_id(&peer).ok_or(StartError::Seed)?;
        let admitted = Admitted::default();
        let counts = ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits::CONNECTIONS_PENDING))
            .with_max_established(Some(limits::RELAY_CONNECTIONS))
            .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER));
        let pings = ping::Config::new().with_interval(limits::PING_INTERVAL).with_timeout(limits::PING_WITHIN);
        let mut circuits = relay::Behaviour::new(peer, settings(admitted.clone()));
        circuits.set_status(Some(relay::Status::Enable));
        let behaviour = Behaviour {
            gate: Gate::new(limits::RELAY_CONNECTIONS_PER_IP),
            counted: connection_limits::Behaviour::new(counts),
            memory: memory_connection_limits::Behaviour::with_max_bytes(limits::RELAY_MEMORY_BYTES),
            ping: ping::Behaviour::new(pings),
            relay: circuits,
            substreams: substreams::Behaviour::new(&Protocol::OF_A_RELAY),
        };
        let stack = |error: &dyn std::fmt::Display| StartError::Stack(error.to_string());
        let mut swarm = SwarmBuilder::with_existing_identity(identity)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, muxer::Upgrade::default)
            .map_err(|error| stack(&error))?
            .with_behaviour(|_| behaviour)
            .map_err(|error| stack(&error))?
            .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(limits::IDLE_CONNECTION))
            .with_connection_timeout(limits::HANDSHAKE_WITHIN)
            .build();
        let mut listeners = Vec::new();
        for address in &config.listen {
            let listener = swarm.listen_on(address.clone()).map_err(|error| StartError::Listen {
                address: address.to_string(),
                source: std::io::Error::other(error.to_string()),
            })?;
            listeners.push(listener);
        }
        // Without one the library gives no place to anybody.
        config.announce.iter().for_each(|address| swarm.add_external_address(address.clone()));
        Ok(Self {
            swarm,
            me,
            token: config.token,
            announce: config.announce,
            admitted,
            listeners,
            links: HashMap::new(),
            greetings: FuturesUnordered::new(),
        })
    }

    /// Runs until `stop` is ready; then takes no more connections, closes those that there are, and returns.
    pub async fn run(mut self, stop: impl Future<Output = ()>, mut tell: impl FnMut(RelayEvent)) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event, &mut tell),
                Some(greeted) = self.greetings.next(), if !self.greetings.is_empty() => {
                    if let Some((peer, admitted)) = greeted {
                        tell(RelayEvent::Greeted { peer: peer.to_string(), admitted });
                    }
                }
                () = &mut stop => break,
            }
        }
        for listener in std::mem::take(&mut self.listeners) {
            self.swarm.remove_listener(listener);
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error means that it has gone by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.network_info().num_peers() > 0 {
                let event = self.swarm.select_next_some().await;
                self.on_event(event, &mut tell);
            }
            // What was written last is sent by tasks of the connections.
            sleep(Duration::from_millis(50)).await;
        };
        let _ = timeout(limits::RELAY_STOP_WITHIN, closed).await;
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>, tell: &mut impl FnMut(RelayEvent)) {
        match event {
            SwarmEvent::NewListenAddr { address, .. } => {
                self.swarm.add_external_address(address);
                tell(RelayEvent::Listening(self.addresses()));
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.swarm.remove_external_address(&address);
                tell(RelayEvent::Listening(self.addresses()));
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let from = endpoint.get_remote_address().clone();
                self.links.insert(connection_id, (peer_id, from));
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
                self.links.remove(&connection_id);
                if num_established == 0 {
                    self.admitted.lock().unwrap_or_else(PoisonError::into_inner).remove(&peer_id);
                }
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listening has failed"),
            SwarmEvent::Behaviour(BehaviourEvent::Substreams(inbound)) => self.on_greeting(inbound),
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => tell_of(event, tell),
            _ => {}
        }
    }

    fn on_greeting(&mut self, Inbound { peer, connection, stream, .. }: Inbound) {
        let (Some((_, from)), Some(node)) = (self.links.get(&connection), address::node_id(&peer)) else { return };
        let Some(seen) = address::seen_at(from) else { return };
        if self.greetings.len() >= limits::RELAY_HELLOS {
            // Dropping the stream resets it; the peer tries again later.
            return;
        }
        let (me, token, admitted) = (self.me.clone(), self.token.clone(), self.admitted.clone());
        let greeting = async move {
            let mut stream = PeerStream::new(node.clone(), Protocol::Relay, stream, None);
            stream.answer(Answer::Taken).await.ok()?;
            let hello: RelayHello = stream.read_message(RelayHello::MAX_BYTES).await.ok()?;
            let fits = hello.verify_proof(&token, &me, &node).is_ok();
            if fits {
                admitted.lock().unwrap_or_else(PoisonError::into_inner).insert(peer);
            }
            let welcome = RelayWelcome { seen: seen.to_string(), admitted: fits, now: UnixMillis(now_ms()) };
            stream.write_message(&welcome).await.ok()?;
            let _ = stream.close().await;
            hello.proof.is_some().then_some((peer, fits))
        };
        self.greetings.push(greeting.boxed());
    }

    /// Where it is reached, what the owner said first; nothing that names no single machine.
    fn addresses(&self) -> Vec<String> {
        let peer = *self.swarm.local_peer_id();
        let announced = self.announce.iter().cloned().map(|address| address.with(Part::P2p(peer)).to_string());
        let listening = address::tell_all(peer, self.swarm.listeners(), None);
        let mut all: Vec<String> = announced.collect();
        listening.into_iter().for_each(|address| {
            if !all.contains(&address) {
                all.push(address)
            }
        });
        all
    }
}

#[cfg(test)]
mod tests;

fn tell_of(event: relay::Event, tell: &mut impl FnMut(RelayEvent)) {
    match event {
        relay::Event::ReservationReqAccepted { src_peer_id, renewed: false } => {
            tell(RelayEvent::Reserved(src_peer_id.to_string()));
        }
        relay::Event::ReservationReqDenied { src_peer_id, .. } => tell(RelayEvent::Refused(src_peer_id.to_string())),
        relay::Event::CircuitReqAccepted { src_peer_id, dst_peer_id } => {
            tell(RelayEvent::Joined(src_peer_id.to_string(), dst_peer_id.to_string()));
        }
        relay::Event::CircuitClosed { src_peer_id, dst_peer_id, .. } => {
            tell(RelayEvent::Parted(src_peer_id.to_string(), dst_peer_id.to_string()));
        }
        _ => {}
    }
}
