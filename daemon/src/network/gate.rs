//! The swarm behaviour at the door: how many connections a source may make, have half made, and hold (D7).
//!
//! Before the handshake only the address of the other end is known, so it is addresses that are counted there. Those
//! that known peers use have more room, and a part of the places for handshakes that nobody else gets. After the
//! handshake known peers are not counted at all.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    net::Ipv6Addr,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    multiaddr::Protocol as Part,
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, behaviour::ConnectionEstablished, dummy,
    },
};
use tokio::time::Instant;

use super::limits;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    /// One machine, or one home behind a router.
    V4(u32),
    /// The first 64 bits: whoever has one address of a network has all of them.
    V6(u64),
    /// Through the relay of this node, which has limits of its own.
    Circuit,
    /// All that have no bucket of their own since there are too many.
    Rest,
}

impl Source {
    /// Of the address of the other end.
    fn of(address: &Multiaddr) -> Self {
        let v6 = |ip: Ipv6Addr| match ip.to_ipv4_mapped() {
            Some(ip) => Self::V4(ip.into()),
            None => Self::V6((u128::from(ip) >> 64) as u64),
        };
        match address.iter().next() {
            _ if address.iter().any(|part| matches!(part, Part::P2pCircuit)) => Self::Circuit,
            Some(Part::Ip4(ip)) => Self::V4(ip.into()),
            Some(Part::Ip6(ip)) => v6(ip),
            _ => Self::Circuit,
        }
    }
}

/// Connections that a source may still make.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// What one source may do.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// Connections at once.
    burst: u32,
    /// After that one in this time.
    every: Duration,
    /// Connections half made.
    pending: usize,
}

const OF_ANYBODY: Share =
    Share { burst: limits::ARRIVALS_BURST, every: limits::ARRIVAL_EVERY, pending: limits::PENDING_PER_SOURCE };
const OF_THE_KNOWN: Share = Share {
    burst: limits::KNOWN_ARRIVALS_BURST,
    every: limits::KNOWN_ARRIVAL_EVERY,
    pending: limits::KNOWN_PENDING_PER_SOURCE,
};

/// Why a connection is refused at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TooMany {
    /// In a short time.
    #[error("its address makes connections too fast")]
    Arrivals,
    /// At one time.
    #[error("its address has too many connections half made")]
    Pending,
    /// From nobody in particular.
    #[error("too many connections are half made; the rest of the places is kept for known addresses")]
    AllPending,
    /// Of peers that are not known.
    #[error("its address holds too many connections")]
    Held,
}

/// Counts and refuses.
pub(super) struct Gate {
    /// Connections of peers that are not known which one source may hold.
    held_per_source: usize,
    known: HashSet<PeerId>,
    /// Where known peers are, or were when they were last connected.
    homes: HashSet<Source>,
    buckets: HashMap<Source, Bucket>,
    pending: HashMap<ConnectionId, Source>,
    held: HashMap<ConnectionId, (PeerId, Source)>,
}

impl Gate {
    /// A source may hold this many connections of peers that are not known.
    pub(super) fn new(held_per_source: usize) -> Self {
        Self {
            held_per_source,
            known: HashSet::new(),
            homes: HashSet::new(),
            buckets: HashMap::new(),
            pending: HashMap::new(),
            held: HashMap::new(),
        }
    }

    /// Replaces the known peers, with the addresses at which they may be.
    pub(super) fn set_known<'a>(&mut self, known: impl Iterator<Item = (&'a PeerId, &'a [Multiaddr])>) {
        self.known.clear();
        self.homes.clear();
        for (peer, addresses) in known {
            self.known.insert(*peer);
            self.homes.extend(addresses.iter().map(Source::of));
        }
        let connected = self.held.values().filter(|(peer, _)| self.known.contains(peer));
        self.homes.extend(connected.map(|(_, source)| *source));
        self.homes.remove(&Source::Circuit);
    }

    fn share(&self, source: Source) -> Share {
        if self.homes.contains(&source) { OF_THE_KNOWN } else { OF_ANYBODY }
    }

    /// Takes one connection off what `source` may make.
    fn take(&mut self, source: Source, now: Instant) -> Result<(), TooMany> {
        let share = self.share(source);
        let mut key = source;
        if !self.buckets.contains_key(&source) && self.buckets.len() >= limits::SOURCES {
            let longest = OF_ANYBODY.every.saturating_mul(OF_ANYBODY.burst);
            self.buckets.retain(|_, bucket| now.duration_since(bucket.at) < longest);
            if self.buckets.len() >= limits::SOURCES && !self.homes.contains(&source) {
                key = Source::Rest;
            }
        }
        let bucket = self.buckets.entry(key).or_insert(Bucket { left: f64::from(share.burst), at: now });
        let more = now.duration_since(bucket.at).as_secs_f64() / share.every.as_secs_f64();
        bucket.left = (bucket.left + more).min(f64::from(share.burst));
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(TooMany::Arrivals);
        }
        bucket.left -= 1.0;
        Ok(())
    }

    fn arrives(&mut self, id: ConnectionId, source: Source, now: Instant) -> Result<(), TooMany> {
        let share = self.share(source);
        let alike = self.pending.values().filter(|other| **other == source).count();
        if alike >= share.pending {
            return Err(TooMany::Pending);
        }
        let of_strangers = self.pending.values().filter(|other| !self.homes.contains(other)).count();
        if !self.homes.contains(&source) && of_strangers >= limits::PENDING_OF_STRANGERS {
            return Err(TooMany::AllPending);
        }
        if source != Source::Circuit {
            self.take(source, now)?;
        }
        self.pending.insert(id, source);
        Ok(())
    }

    fn is_made(&mut self, id: ConnectionId, peer: &PeerId, source: Source) -> Result<(), TooMany> {
        self.pending.remove(&id);
        if self.known.contains(peer) || source == Source::Circuit {
            return Ok(());
        }
        let strangers = self.held.values().filter(|(peer, other)| *other == source && !self.known.contains(peer));
        if strangers.count() >= self.held_per_source { Err(TooMany::Held) } else { Ok(()) }
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        // Of a circuit the near end names the relay, and the far end only the peer.
        let source = if Source::of(local) == Source::Circuit { Source::Circuit } else { Source::of(remote) };
        self.arrives(id, source, Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let source = if Source::of(local) == Source::Circuit { Source::Circuit } else { Source::of(remote) };
        self.is_made(id, &peer, source).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, endpoint, .. }) => {
                let source =
                    if endpoint.is_relayed() { Source::Circuit } else { Source::of(endpoint.get_remote_address()) };
                if self.known.contains(&peer_id) && source != Source::Circuit {
                    self.homes.insert(source);
                }
                if endpoint.is_listener() {
                    self.held.insert(connection_id, (peer_id, source));
                }
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.held.remove(&connection_id);
            }
            FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.pending.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> Source {
        Source::of(&format!("{ip}/tcp/7412").parse().unwrap())
    }

    fn ids() -> impl Iterator<Item = ConnectionId> {
        (0..).map(ConnectionId::new_unchecked)
    }

    #[test]
    fn a_source_is_a_machine_or_a_network() {
        assert_ne!(at("/ip4/192.0.2.1"), at("/ip4/192.0.2.2"));
        assert_eq!(at("/ip4/192.0.2.1"), at("/ip6/::ffff:192.0.2.1"));
        assert_eq!(at("/ip6/2001:db8:1:2::5"), at("/ip6/2001:db8:1:2:ffff::6"));
        assert_ne!(at("/ip6/2001:db8:1:2::5"), at("/ip6/2001:db8:1:3::5"));
        let circuit = format!("/ip4/192.0.2.1/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
        assert_eq!(Source::of(&circuit.parse().unwrap()), Source::Circuit);
    }

    #[test]
    fn d7_one_address_cannot_take_the_places_of_others() {
        let (mut gate, mut ids, now) = (Gate::new(4), ids(), Instant::now());
        let mut arrive = |gate: &mut Gate, source| gate.arrives(ids.next().unwrap(), source, now);
        let flooder = at("/ip4/192.0.2.1");
        let in_time = (0..100).take_while(|_| arrive(&mut gate, flooder).is_ok()).count();
        assert_eq!((in_time, arrive(&mut gate, flooder)), (limits::PENDING_PER_SOURCE, Err(TooMany::Pending)));
        assert_eq!(arrive(&mut gate, at("/ip4/192.0.2.2")), Ok(()), "another address is not meant");
        let many: Vec<Source> = (0..100).map(|host| at(&format!("/ip4/198.51.100.{host}"))).collect();
        let refused: Vec<TooMany> = many.iter().filter_map(|source| arrive(&mut gate, *source).err()).collect();
        assert_eq!(refused.first(), Some(&TooMany::AllPending));
        assert_eq!(gate.pending.len(), limits::PENDING_OF_STRANGERS);
        let member = PeerId::random();
        let home = ["/ip4/203.0.113.1/tcp/7412".parse().unwrap()];
        gate.set_known([(&member, home.as_slice())].into_iter());
        assert_eq!(arrive(&mut gate, at("/ip4/203.0.113.1")), Ok(()), "its places are kept");
    }

    #[test]
    fn d7_connections_in_a_second_are_bounded_and_come_back_with_time() {
        let (mut gate, mut now, flooder) = (Gate::new(4), Instant::now(), at("/ip4/192.0.2.1"));
        let made = |gate: &mut Gate, now| (0..1_000).take_while(|_| gate.take(flooder, now).is_ok()).count();
        assert_eq!(made(&mut gate, now), limits::ARRIVALS_BURST as usize);
        now += limits::ARRIVAL_EVERY * 3;
        assert_eq!(made(&mut gate, now), 3);
        now += limits::ARRIVAL_EVERY * 1_000;
        assert_eq!(made(&mut gate, now), limits::ARRIVALS_BURST as usize, "no more is saved");
    }

    #[test]
    fn d7_addresses_without_number_are_counted_together() {
        let (mut gate, now) = (Gate::new(4), Instant::now());
        let let_in = (0..100_000_u32).filter(|host| gate.take(Source::V4(*host), now).is_ok()).count();
        assert_eq!(let_in, limits::SOURCES + limits::ARRIVALS_BURST as usize);
        assert!(gate.buckets.len() <= limits::SOURCES + 1);
        let later = now + limits::ARRIVAL_EVERY * limits::ARRIVALS_BURST;
        assert_eq!(gate.take(Source::V4(200_000), later), Ok(()));
        assert_eq!(gate.buckets.len(), 1, "those that have all again are forgotten");
    }

    #[test]
    fn d7_strangers_at_one_address_hold_few_connections_and_known_peers_as_many_as_they_need() {
        let (mut gate, mut ids, source) = (Gate::new(4), ids(), at("/ip4/192.0.2.1"));
        let mut come = |gate: &mut Gate, peer| {
            let id = ids.next().unwrap();
            gate.is_made(id, &peer, source).map(|()| gate.held.insert(id, (peer, source)))
        };
        let strangers: Vec<PeerId> = (0..5).map(|_| PeerId::random()).collect();
        let refused = strangers.iter().filter(|peer| come(&mut gate, **peer).is_err()).count();
        assert_eq!((refused, gate.held.len()), (1, 4));
        gate.set_known([(&strangers[4], [].as_slice()), (&strangers[0], [].as_slice())].into_iter());
        assert!(come(&mut gate, strangers[4]).is_ok(), "it has become a member");
        assert!(come(&mut gate, PeerId::random()).is_ok(), "so has one of those that were there");
        assert_eq!(come(&mut gate, PeerId::random()).err(), Some(TooMany::Held));
    }
}
