//! The task that owns the swarm: it turns commands into swarm calls and swarm events into ours, and never waits for
//! anything but the next of either.

mod dialling;
mod inbound;
mod outside;
mod relaying;
mod straight;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::AtomicUsize},
    time::SystemTime,
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use inframe_protocol::relay::RelayWelcome;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::ConnectedPoint,
    gossipsub, mdns, ping,
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    ConnectedPeer, NetworkEvent, address,
    announced::Announced,
    behaviour::{Behaviour, BehaviourEvent},
    dials::Dials,
    gossip,
    handle::Command,
    introduction::TalkError,
    limits,
    my_relay::{MyRelay, RelayState},
    pulse::Silent,
    redial::Redial,
    wake::Wake,
};

/// State of the swarm task.
pub(super) struct Driver {
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<NetworkEvent>,
    /// Connected, Disconnected and AddressesChanged that found no room in `events`; these are never lost.
    late: VecDeque<NetworkEvent>,
    peers: HashMap<PeerId, Peer>,
    /// Connections that were given up, and that the system has not yet closed.
    given_up: HashMap<ConnectionId, PeerId>,
    inbound: Arc<AtomicUsize>,
    /// Answers being written to inbound streams, at most `limits::STREAMS_INBOUND`, each with a time limit.
    answering: FuturesUnordered<BoxFuture<'static, ()>>,
    dials: Dials,
    redial: Redial,
    announced: Announced,
    /// Addresses that the owner has typed, the last one first.
    named: HashMap<PeerId, Vec<Multiaddr>>,
    /// The relay that the owner named.
    my_relay: Option<MyRelay>,
    /// Relays in use, and where each sees this node.
    relays: HashMap<PeerId, Option<Multiaddr>>,
    parked: Vec<relaying::Parked>,
    /// Short talks with relays and peers, at most `limits::TALKS`, each with time limits.
    talks: FuturesUnordered<BoxFuture<'static, Talk>>,
    shown: Shown,
}

/// What callers see, as it is now.
pub(super) struct Shown {
    pub(super) peers: watch::Sender<Vec<ConnectedPeer>>,
    pub(super) addresses: watch::Sender<Vec<String>>,
    pub(super) relay: watch::Sender<RelayState>,
}

/// How a talk has ended.
enum Talk {
    Greeted {
        relay: PeerId,
        /// Whether a place was asked for.
        asks: bool,
        said: Result<RelayWelcome, TalkError>,
    },
    Punch {
        peer: PeerId,
        /// Whether this side began.
        began: bool,
        theirs: Vec<String>,
    },
}

/// A connected peer.
struct Peer {
    links: Vec<Link>,
    since: SystemTime,
    inbound: Arc<AtomicUsize>,
    /// When to try to reach it straight, while it is connected through a relay only.
    try_straight_at: Instant,
    straight_tries: u32,
}

impl Peer {
    fn is_relayed(&self) -> bool {
        self.links.iter().all(|link| link.relayed)
    }
}

/// One of its connections.
struct Link {
    id: ConnectionId,
    address: Multiaddr,
    /// Our end of it, where the peer dialled us; of those that we dialled the system does not say.
    local: Option<Multiaddr>,
    pings_lost: u32,
    /// Whether it leads through a relay.
    relayed: bool,
    /// Whether the peer made it.
    inbound: bool,
    since: Instant,
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        commands: mpsc::Receiver<Command>,
        events: mpsc::Sender<NetworkEvent>,
        shown: Shown,
    ) -> Self {
        Self {
            swarm,
            commands,
            events,
            late: VecDeque::new(),
            peers: HashMap::new(),
            given_up: HashMap::new(),
            inbound: Arc::default(),
            answering: FuturesUnordered::new(),
            dials: Dials::default(),
            redial: Redial::default(),
            announced: Announced::default(),
            named: HashMap::new(),
            my_relay: None,
            relays: HashMap::new(),
            parked: Vec::new(),
            talks: FuturesUnordered::new(),
            shown,
        }
    }

    /// Runs until all handles or the event receiver are dropped.
    pub(super) async fn run(mut self) {
        let events = self.events.clone();
        let mut wake = Wake::new(SystemTime::now(), Instant::now());
        let mut looks = interval(limits::WAKE_LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let relay_due = self.my_relay.as_ref().and_then(MyRelay::next_due);
            let due = self.redial.next_due().into_iter().chain(relay_due).min();
            let due = due.filter(|_| self.dials.len() < limits::DIALS);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                Some(()) = self.answering.next(), if !self.answering.is_empty() => {}
                Some(talk) = self.talks.next(), if !self.talks.is_empty() => match talk {
                    Talk::Greeted { relay, asks, said } => self.on_greeted(relay, asks, said),
                    Talk::Punch { peer, began, theirs } => self.punch(peer, began, &theirs),
                },
                _ = looks.tick() => {
                    if wake.look(SystemTime::now(), Instant::now()) {
                        tracing::info!("this machine has slept: connections are checked and lost peers dialled");
                        self.look_around();
                    }
                    self.look_again();
                    self.straighten();
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.dial_due();
                    self.relay_due();
                }
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
            Command::Name(peer, addresses) => self.name(peer, addresses),
            Command::Open(peer, protocol, answer) => {
                // Without a connection the answer channel is dropped.
                if let Some(link) = self.best_link(&peer, protocol) {
                    self.swarm.behaviour_mut().substreams.open(peer, link, protocol, answer);
                }
            }
            Command::Nearby(answer) => self.tell_nearby(answer),
            Command::SetRelay(wish) => self.set_relay(wish),
            Command::LookOutside(answer) => self.look_outside(answer),
            Command::SetKnown(known, kept) => self.set_known(known, &kept),
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
            Command::LookAround => self.look_around(),
            Command::Disconnect(peer) => {
                // An error means that the peer is not connected.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
        }
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => self.on_closed(peer_id, connection_id),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.on_dial_failed(connection_id, &error);
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "a connection from outside was not made");
            }
            SwarmEvent::NewListenAddr { listener_id, address } if !address::is_straight(&address) => {
                self.on_reserved(listener_id);
                self.on_addresses();
            }
            SwarmEvent::NewListenAddr { .. } => {
                // Another network: whoever could not be reached from the old one may be near.
                self.hurry_all();
                self.on_addresses();
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                if address::is_straight(&address) {
                    self.on_address_gone(&address);
                }
                self.on_addresses();
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => {
                self.on_listener_closed(listener_id);
                self.on_addresses();
            }
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
            BehaviourEvent::Mdns(mdns::Event::Expired(gone)) => self.on_expired(gone),
            BehaviourEvent::Pulse(Silent { peer, connection }) => {
                tracing::debug!(%peer, "a connection is given up: there is no sign of life");
                self.give_up(peer, connection);
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result }) => self.on_ping(&peer, connection, &result),
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, ends: &ConnectedPoint) {
        let local = match ends {
            ConnectedPoint::Listener { local_addr, .. } => Some(local_addr.clone()),
            ConnectedPoint::Dialer { .. } => None,
        };
        // Of whoever comes through a relay, the relay alone is known.
        let other = local.as_ref().filter(|_| ends.is_relayed()).unwrap_or_else(|| ends.get_remote_address());
        let link = Link {
            id,
            address: address::without_peer(other),
            pings_lost: 0,
            relayed: ends.is_relayed(),
            inbound: local.is_some(),
            since: Instant::now(),
            local,
        };
        let known = self.redial.knows(&peer);
        if let Some(connected) = self.peers.get_mut(&peer) {
            // Known peers are exempt from the swarm's own count, but not from this bound.
            if connected.links.len() >= limits::CONNECTIONS_PER_PEER as usize {
                self.swarm.close_connection(id);
            }
            // A peer that dials again may have lost those before, as one does whose address has changed.
            for before in &connected.links {
                self.swarm.behaviour_mut().pulse.ask(before.id);
            }
            connected.links.push(link);
        } else {
            let new = Peer {
                links: vec![link],
                since: SystemTime::now(),
                inbound: Arc::default(),
                try_straight_at: Instant::now(),
                straight_tries: 0,
            };
            self.peers.insert(peer, new);
            self.on_relay_connected(peer);
            let score = if known { gossip::KNOWN } else { gossip::STRANGER };
            self.swarm.behaviour_mut().gossip.set_application_score(&peer, score);
            self.redial.connected(&peer, Instant::now());
            self.tell(address::node_id(&peer).map(NetworkEvent::Connected));
        }
        self.dials.connected(&peer);
        self.show_peers();
    }

    fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        if self.given_up.remove(&id).is_none() {
            self.unlink(peer, id);
        }
    }

    fn unlink(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(connected) = self.peers.get_mut(&peer) else { return };
        connected.links.retain(|link| link.id != id);
        if connected.links.is_empty() {
            self.peers.remove(&peer);
            self.redial.disconnected(&peer, Instant::now(), self.longest_pause(&peer), jitter());
            self.tell(address::node_id(&peer).map(NetworkEvent::Disconnected));
            self.on_relay_gone(&peer);
        }
        self.show_peers();
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
            self.give_up(*peer, id);
        }
    }

    /// Treats a dead connection as closed at once. To close it the system first tries to send what was written before,
    /// to a peer that is not there: that may take a quarter of an hour, in which nobody would dial.
    fn give_up(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(connected) = self.peers.get(&peer) else { return };
        // It may have been closed before the answer was missed.
        if !connected.links.iter().any(|link| link.id == id) {
            return;
        }
        self.swarm.close_connection(id);
        // A peer that makes connections and stalls them would pile them up: past this they count until they are closed (D7).
        let before = self.given_up.values().filter(|given_up| **given_up == peer).count();
        if before < limits::CONNECTIONS_PER_PEER as usize {
            self.given_up.insert(id, peer);
            self.unlink(peer, id);
        }
    }

    /// Something has happened to this machine that connections may not have survived: they must show a sign of life
    /// now, and peers that are away are dialled now.
    fn look_around(&mut self) {
        self.hurry_all();
        self.swarm.behaviour_mut().pulse.ask_all();
    }

    /// Whoever is away is dialled now, and whoever is connected through a relay is tried straight.
    fn hurry_all(&mut self) {
        let now = Instant::now();
        self.redial.hurry_all(now);
        if let Some(relay) = &mut self.my_relay {
            relay.hurry(now);
        }
        for peer in self.peers.values_mut() {
            (peer.straight_tries, peer.try_straight_at) = (0, now);
        }
    }

    /// Nothing comes to an address that this machine no longer has. Connections there are over; those that we dialled
    /// may have come from it, so they are asked.
    fn on_address_gone(&mut self, gone: &Multiaddr) {
        let mut over = Vec::new();
        for (peer, connected) in &self.peers {
            for link in &connected.links {
                match &link.local {
                    Some(local) if address::same_machine(local, gone) => over.push((*peer, link.id)),
                    Some(_) => {}
                    None => self.swarm.behaviour_mut().pulse.ask(link.id),
                }
            }
        }
        for (peer, id) in over {
            tracing::debug!(%peer, "a connection is given up: its address is gone from this machine");
            self.give_up(peer, id);
        }
    }

    fn on_addresses(&mut self) {
        let circuit = self.my_relay.as_ref().and_then(MyRelay::circuit);
        let addresses = address::tell_all(*self.swarm.local_peer_id(), self.swarm.listeners(), circuit);
        let state = self.my_relay.as_ref().map(|relay| relay.state.clone()).unwrap_or_default();
        self.shown.relay.send_if_modified(|shown| {
            let changed = *shown != state;
            *shown = state;
            changed
        });
        let changed = self.shown.addresses.send_if_modified(|shown| {
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
                Some(ConnectedPeer {
                    node: address::node_id(peer)?,
                    addresses,
                    since: connected.since,
                    relayed: connected.is_relayed(),
                    is_relay: self.relays.contains_key(peer),
                })
            })
            .collect();
        peers.sort_by(|a, b| a.node.cmp(&b.node));
        self.shown.peers.send_replace(peers);
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
