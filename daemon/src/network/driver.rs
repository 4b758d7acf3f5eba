//! The task that owns the swarm: it turns commands into swarm calls and swarm events into ours, and never waits for
//! anything but the next of either.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::AtomicUsize},
    time::SystemTime,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use libp2p::{
    Multiaddr, PeerId, Swarm, gossipsub, mdns, ping,
    swarm::{
        ConnectionId, DialError, SwarmEvent,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{
    ConnectedPeer, NetworkEvent, Protocol, address,
    behaviour::{Behaviour, BehaviourEvent},
    dials::{ConnectAnswer, Dials, Next},
    gossip,
    handle::Command,
    limits,
    peer_stream::{Answer, PeerStream, Place},
    redial::Redial,
    substreams::Inbound,
};

/// State of the swarm task.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<NetworkEvent>,
    /// Connected, Disconnected and AddressesChanged that found no room in `events`; these are never lost.
    late: VecDeque<NetworkEvent>,
    peers: HashMap<PeerId, Peer>,
    inbound: Arc<AtomicUsize>,
    /// Answers being written to inbound streams, at most `limits::STREAMS_INBOUND`, each with a time limit.
    answering: FuturesUnordered<BoxFuture<'static, ()>>,
    dials: Dials,
    redial: Redial,
    /// Addresses of peers that announced themselves on the local network: hints, nothing more.
    found: HashMap<PeerId, Vec<Multiaddr>>,
    peers_now: watch::Sender<Vec<ConnectedPeer>>,
    addresses_now: watch::Sender<Vec<String>>,
}

/// A connected peer.
struct Peer {
    links: Vec<Link>,
    since: SystemTime,
    inbound: Arc<AtomicUsize>,
}

/// One of its connections.
struct Link {
    id: ConnectionId,
    address: Multiaddr,
    pings_lost: u32,
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<NetworkEvent>,
        peers_now: watch::Sender<Vec<ConnectedPeer>>,
        addresses_now: watch::Sender<Vec<String>>,
    ) -> Self {
        Self {
            swarm,
            commands,
            events,
            late: VecDeque::new(),
            peers: HashMap::new(),
            inbound: Arc::default(),
            answering: FuturesUnordered::new(),
            dials: Dials::default(),
            redial: Redial::default(),
            found: HashMap::new(),
            peers_now,
            addresses_now,
        }
    }

    /// Runs until all handles or the event receiver are dropped.
    pub(super) async fn run(mut self) {
        let events = self.events.clone();
        loop {
            let due = self.redial.next_due().filter(|_| self.dials.len() < limits::DIALS);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                Some(()) = self.answering.next(), if !self.answering.is_empty() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.dial_due(),
                room = events.reserve(), if !self.late.is_empty() => {
                    let Ok(room) = room else { return };
                    if let Some(event) = self.late.pop_front() {
                        room.send(event);
                    }
                }
                () = events.closed() => return,
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Connect(peer, addresses, answer) => self.connect(peer, addresses, Some(answer)),
            Command::Open(peer, protocol, answer) => {
                self.swarm.behaviour_mut().substreams.open(peer, protocol, answer);
            }
            Command::SetKnown(known) => self.set_known(known),
            Command::Subscribe(topic, answer) => {
                // Whoever asked may have stopped waiting; so may those below.
                let _ = answer.send(gossip::subscribe(&mut self.swarm.behaviour_mut().gossip, &topic));
            }
            Command::Unsubscribe(topic) => {
                if let Ok(topic) = gossip::topic(&topic) {
                    self.swarm.behaviour_mut().gossip.unsubscribe(&topic);
                }
            }
            Command::Publish(topic, bytes, answer) => {
                let _ = answer.send(gossip::publish(&mut self.swarm.behaviour_mut().gossip, &topic, bytes));
            }
            Command::Block(peer) => {
                self.swarm.behaviour_mut().blocked.block_peer(peer);
            }
            Command::Unblock(peer) => {
                self.swarm.behaviour_mut().blocked.unblock_peer(peer);
                // Dials of a known peer failed meanwhile, with pauses that have grown.
                self.redial.found(&peer, Instant::now());
            }
            Command::Disconnect(peer) => {
                // An error means that the peer is not connected.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
        }
    }

    fn set_known(&mut self, known: Vec<(PeerId, Vec<Multiaddr>)>) {
        if known.len() > limits::KNOWN_PEERS {
            tracing::warn!(named = known.len(), kept = limits::KNOWN_PEERS, "not all known peers are kept connected");
        }
        let (new, gone) = self.redial.set(known, Instant::now(), |peer| self.peers.contains_key(peer));
        let behaviour = self.swarm.behaviour_mut();
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
    }

    fn dial_due(&mut self) {
        let room = limits::DIALS.saturating_sub(self.dials.len());
        for peer in self.redial.take_due(Instant::now(), room) {
            self.connect(peer, Vec::new(), None);
        }
    }

    fn connect(&mut self, peer: PeerId, mut addresses: Vec<Multiaddr>, answer: Option<ConnectAnswer>) {
        if self.peers.contains_key(&peer) {
            self.redial.connected(&peer, Instant::now());
            answer.into_iter().for_each(|answer| drop(answer.send(Ok(()))));
            return;
        }
        let Some(node) = address::node_id(&peer) else { return };
        let more = self.found.get(&peer).into_iter().flatten().chain(self.redial.addresses(&peer));
        for address in more {
            address::add(&mut addresses, &peer, address);
        }
        // What we listen on ourselves cannot be the peer's.
        addresses.retain(|address| !self.swarm.listeners().any(|ours| ours == address));
        let next = self.dials.want((peer, node), addresses, answer);
        self.go_on(peer, next);
    }

    fn go_on(&mut self, peer: PeerId, mut next: Next) {
        loop {
            match next {
                Next::Wait => return,
                Next::GivenUp => return self.redial.failed(&peer, Instant::now(), jitter()),
                Next::Dial(addresses) => {
                    let dial = DialOpts::peer_id(peer).condition(PeerCondition::DisconnectedAndNotDialing);
                    let dial = dial.addresses(addresses).build();
                    self.dials.started(&peer, dial.connection_id());
                    match self.swarm.dial(dial) {
                        Ok(()) => return,
                        Err(error) => next = self.dials.failed(&peer, &error),
                    }
                }
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, endpoint.get_remote_address());
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => self.on_closed(peer_id, connection_id),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.on_dial_failed(connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "a connection from outside was not made");
            }
            SwarmEvent::NewListenAddr { .. }
            | SwarmEvent::ExpiredListenAddr { .. }
            | SwarmEvent::ListenerClosed { .. } => self.on_addresses(),
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listening for peers has failed"),
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Substreams(inbound) => self.on_inbound(inbound),
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.on_gossip(propagation_source, &message_id, message);
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => self.on_found(found),
            BehaviourEvent::Mdns(mdns::Event::Expired(gone)) => {
                for (peer, address) in gone {
                    let Some(addresses) = self.found.get_mut(&peer) else { continue };
                    addresses.retain(|known| *known != address::without_peer(&address));
                    if addresses.is_empty() {
                        self.found.remove(&peer);
                    }
                }
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => self.on_ping(&peer, connection, &result),
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, remote: &Multiaddr) {
        let link = Link { id, address: address::without_peer(remote), pings_lost: 0 };
        let known = self.redial.knows(&peer);
        if let Some(connected) = self.peers.get_mut(&peer) {
            // Known peers are exempt from the swarm's own count, but not from this bound.
            if connected.links.len() >= limits::CONNECTIONS_PER_PEER as usize {
                self.swarm.close_connection(id);
            }
            connected.links.push(link);
        } else {
            self.peers.insert(peer, Peer { links: vec![link], since: SystemTime::now(), inbound: Arc::default() });
            let score = if known { gossip::KNOWN } else { gossip::STRANGER };
            self.swarm.behaviour_mut().gossip.set_application_score(&peer, score);
            self.redial.connected(&peer, Instant::now());
            self.tell(address::node_id(&peer).map(NetworkEvent::Connected));
        }
        self.dials.connected(&peer);
        self.show_peers();
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(connected) = self.peers.get_mut(&peer) else { return };
        connected.links.retain(|link| link.id != id);
        if connected.links.is_empty() {
            self.peers.remove(&peer);
            self.redial.disconnected(&peer, Instant::now(), jitter());
            self.tell(address::node_id(&peer).map(NetworkEvent::Disconnected));
        }
        self.show_peers();
    }

    fn on_dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        let Some(peer) = self.dials.peer_of(connection) else { return };
        tracing::debug!(%peer, %error, "a dial has failed");
        let next = self.dials.failed(&peer, error);
        self.go_on(peer, next);
    }

    /// Takes an inbound stream only if its peer may use the protocol (D8) and may have another, and a handler has room for it (D7).
    fn on_inbound(&mut self, Inbound { peer, protocol, stream }: Inbound) {
        let (Some(connected), Some(node)) = (self.peers.get(&peer), address::node_id(&peer)) else { return };
        let known = self.redial.knows(&peer);
        if !known && protocol != Protocol::Join {
            // A peer that was admitted a moment ago tries again and finds itself known.
            tracing::debug!(%peer, protocol = protocol.name(), "a stream was refused: strangers may only ask to join");
            return;
        }
        let most = if known { limits::STREAMS_OF_KNOWN_PEER } else { limits::STREAMS_OF_STRANGER };
        let Some(place) = Place::take(&connected.inbound, most, &self.inbound) else {
            // No answer: answers to streams without a place would themselves be unbounded. Dropping resets it.
            tracing::info!(%peer, protocol = protocol.name(), most, "a stream was refused: the peer has too many");
            return;
        };
        let mut stream = PeerStream::new(node, protocol, stream, Some(place));
        let answer = match self.events.clone().try_reserve_owned() {
            Ok(room) => async move {
                if stream.answer(Answer::Taken).await.is_ok() {
                    room.send(NetworkEvent::Inbound(protocol, stream));
                }
            }
            .boxed(),
            Err(_) => {
                tracing::info!(%peer, protocol = protocol.name(), "a stream was refused: too much is waiting");
                async move {
                    // The peer tries again later whether or not it hears this.
                    let _ = stream.answer(Answer::Busy).await;
                    let _ = stream.close().await;
                }
                .boxed()
            }
        };
        self.answering.push(answer);
    }

    fn on_gossip(&mut self, from: PeerId, id: &gossipsub::MessageId, message: gossipsub::Message) {
        let verdict = if self.redial.knows(&from) {
            gossipsub::MessageAcceptance::Accept
        } else {
            gossipsub::MessageAcceptance::Reject
        };
        let accepted = matches!(verdict, gossipsub::MessageAcceptance::Accept);
        self.swarm.behaviour_mut().gossip.report_message_validation_result(id, &from, verdict);
        if !accepted {
            tracing::debug!(peer = %from, "gossip of a stranger was refused");
            return;
        }
        let event = address::node_id(&from).and_then(|from| gossip::received(&message.topic, message.data, from));
        if self.events.capacity() <= limits::EVENTS_KEPT_FROM_GOSSIP {
            tracing::debug!(peer = %from, "gossip was dropped: too much is waiting; sync will bring it");
        } else if let Some(event) = event {
            // There is room, and if the receiver is gone the task ends anyway.
            let _ = self.events.try_send(event);
        }
    }

    fn on_found(&mut self, found: Vec<(PeerId, Multiaddr)>) {
        let now = Instant::now();
        for (peer, address) in found {
            if self.found.contains_key(&peer) || self.found.len() < limits::FOUND_PEERS || self.redial.knows(&peer) {
                address::add(self.found.entry(peer).or_default(), &peer, &address);
            }
            self.redial.found(&peer, now);
        }
    }

    fn on_ping(&mut self, peer: &PeerId, id: ConnectionId, result: &Result<std::time::Duration, ping::Failure>) {
        let Some(connected) = self.peers.get_mut(peer) else { return };
        let Some(link) = connected.links.iter_mut().find(|link| link.id == id) else { return };
        match result {
            Ok(_) | Err(ping::Failure::Unsupported) => link.pings_lost = 0,
            Err(_) => link.pings_lost += 1,
        }
        if link.pings_lost >= limits::PINGS_LOST {
            tracing::debug!(%peer, "a connection is given up: its pings are lost");
            self.swarm.close_connection(id);
        }
    }

    fn on_addresses(&mut self) {
        let addresses = address::tell_all(*self.swarm.local_peer_id(), self.swarm.listeners());
        let changed = self.addresses_now.send_if_modified(|shown| {
            let changed = *shown != addresses;
            *shown = addresses;
            changed
        });
        if changed {
            self.tell(Some(NetworkEvent::AddressesChanged));
        }
    }

    fn show_peers(&self) {
        let mut peers: Vec<ConnectedPeer> = self
            .peers
            .iter()
            .filter_map(|(peer, connected)| {
                let addresses = connected.links.iter().map(|link| link.address.to_string()).collect();
                Some(ConnectedPeer { node: address::node_id(peer)?, addresses, since: connected.since })
            })
            .collect();
        peers.sort_by(|a, b| a.node.cmp(&b.node));
        self.peers_now.send_replace(peers);
    }

    /// Sends an event that must not be lost, behind those that wait already.
    fn tell(&mut self, event: Option<NetworkEvent>) {
        let Some(event) = event else { return };
        if !self.late.is_empty() {
            // A peer that comes and goes while nobody listens must not fill the memory: what cancels out goes (D7).
            if let NetworkEvent::Disconnected(node) = &event
                && let Some(at) =
                    self.late.iter().position(|late| matches!(late, NetworkEvent::Connected(other) if other == node))
            {
                self.late.remove(at);
                return;
            }
            let again = matches!(event, NetworkEvent::AddressesChanged)
                && self.late.iter().any(|late| matches!(late, NetworkEvent::AddressesChanged));
            if !again {
                self.late.push_back(event);
            }
        } else if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            self.late.push_back(event);
        }
    }
}

/// A number in `0.0..1.0`; without randomness the middle will do.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
