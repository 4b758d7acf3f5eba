//! The swarm behaviour that opens and receives streams, one small handler per connection.
//!
//! It stands in for `libp2p-stream`, whose inbound channel has no room (a burst of streams loses some) and whose
//! request to open a stream may be lost while a connection is made (rust-libp2p #6157). Here a stream is opened only
//! on a connection that exists, an inbound stream is an event of the swarm, and a request that meets a closing
//! connection is dropped with its answer channel, which the caller sees at once. The handler also holds connections
//! to known peers open.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, InboundUpgrade, OutboundUpgrade, UpgradeInfo, transport::PortUse},
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
        behaviour::ConnectionEstablished,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use tokio::sync::oneshot;

use super::{Protocol, limits};

/// Where the result of opening a stream goes.
pub(super) type OpenAnswer = oneshot::Sender<Result<Stream, NotOpened>>;

/// Why the other side did not give us a stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum NotOpened {
    /// It does not speak the protocol.
    Unsupported,
    /// It did not answer in time.
    TimedOut,
    /// The connection broke.
    Lost,
}

/// A peer opened a stream.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) protocol: Protocol,
    pub(super) stream: Stream,
}

/// Opens and receives streams on all connections.
pub(super) struct Behaviour {
    taken: &'static [Protocol],
    connections: HashMap<PeerId, Vec<ConnectionId>>,
    kept: HashSet<PeerId>,
    events: VecDeque<ToSwarm<Inbound, ToHandler>>,
}

impl Behaviour {
    /// Takes streams of these protocols.
    pub(super) fn new(taken: &'static [Protocol]) -> Self {
        Self { taken, connections: HashMap::new(), kept: HashSet::new(), events: VecDeque::new() }
    }

    /// Opens a stream on this connection to `peer`; if it is gone the answer channel is dropped.
    pub(super) fn open(&mut self, peer: PeerId, connection: ConnectionId, protocol: Protocol, answer: OpenAnswer) {
        let (handler, event) = (NotifyHandler::One(connection), ToHandler::Open(protocol, answer));
        self.events.push_back(ToSwarm::NotifyHandler { peer_id: peer, handler, event });
    }

    /// Holds connections to `peer` open even when idle, or no longer.
    pub(super) fn keep(&mut self, peer: PeerId, keep: bool) {
        let changed = if keep { self.kept.insert(peer) } else { self.kept.remove(&peer) };
        if changed {
            for connection in self.connections.get(&peer).into_iter().flatten() {
                self.events.push_back(ToSwarm::NotifyHandler {
                    peer_id: peer,
                    handler: NotifyHandler::One(*connection),
                    event: ToHandler::Keep(keep),
                });
            }
        }
    }

    fn handler(&self, peer: &PeerId) -> Handler {
        Handler { taken: self.taken, keep: self.kept.contains(peer), events: VecDeque::new() }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Inbound;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(&peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(&peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, .. }) => {
                self.connections.entry(peer_id).or_default().push(connection_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                if let Some(connections) = self.connections.get_mut(&peer_id) {
                    connections.retain(|connection| *connection != connection_id);
                    if connections.is_empty() {
                        self.connections.remove(&peer_id);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, event: THandlerOutEvent<Self>) {
        let Negotiated { protocol, stream } = event;
        self.events.push_back(ToSwarm::GenerateEvent(Inbound { peer, connection, protocol, stream }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // No waker is kept: events are added only by calls through the swarm, which polls again after each.
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// What the behaviour asks of a connection.
#[derive(Debug)]
pub(super) enum ToHandler {
    Open(Protocol, OpenAnswer),
    Keep(bool),
}

/// An inbound stream whose protocol is agreed.
#[derive(Debug)]
pub(super) struct Negotiated {
    protocol: Protocol,
    stream: Stream,
}

type HandlerEvent = ConnectionHandlerEvent<Upgrade, OpenAnswer, Negotiated>;

/// The streams of one connection.
pub(super) struct Handler {
    taken: &'static [Protocol],
    keep: bool,
    events: VecDeque<HandlerEvent>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = ToHandler;
    type ToBehaviour = Negotiated;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenAnswer;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade, ()> {
        SubstreamProtocol::new(Upgrade(self.taken), ()).with_timeout(limits::NEGOTIATE_WITHIN)
    }

    fn connection_keep_alive(&self) -> bool {
        self.keep
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<HandlerEvent> {
        // No waker is kept: events are added only by calls of the connection task, which polls again after each.
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    fn on_behaviour_event(&mut self, event: ToHandler) {
        match event {
            ToHandler::Keep(keep) => self.keep = keep,
            ToHandler::Open(_, answer) if answer.is_closed() => {}
            ToHandler::Open(protocol, answer) => {
                let protocol = SubstreamProtocol::new(Upgrade(protocol.alone()), answer);
                let protocol = protocol.with_timeout(limits::NEGOTIATE_WITHIN);
                self.events.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), OpenAnswer>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: (stream, name), .. }) => {
                if let Some(protocol) = Protocol::from_name(&name) {
                    let event = Negotiated { protocol, stream };
                    self.events.push_back(ConnectionHandlerEvent::NotifyBehaviour(event));
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: (stream, _), info }) => {
                // The caller may have stopped waiting; the stream is then dropped, which resets it.
                let _ = info.send(Ok(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let reason = match error {
                    StreamUpgradeError::NegotiationFailed => NotOpened::Unsupported,
                    StreamUpgradeError::Timeout => NotOpened::TimedOut,
                    StreamUpgradeError::Io(_) => NotOpened::Lost,
                    StreamUpgradeError::Apply(never) => match never {},
                };
                let _ = info.send(Err(reason));
            }
            _ => {}
        }
    }
}

/// Agrees on one of some protocols and hands out the bare stream.
pub(super) struct Upgrade(&'static [Protocol]);

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Map<std::slice::Iter<'static, Protocol>, fn(&'static Protocol) -> StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.iter().map(|protocol| StreamProtocol::new(protocol.name()))
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, name: StreamProtocol) -> Self::Future {
        ready(Ok((stream, name)))
    }
}
