//! The swarm behaviour that asks connections for a sign of life now, and gives up those that show none.
//!
//! libp2p's ping goes by a clock of its own: after a sleep, or when an address of ours is gone, it takes a minute to
//! find out that a connection is dead. Here one question is asked when there is a reason to, with a short time limit.

use std::{
    collections::{HashMap, VecDeque},
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, StreamProtocol,
    core::{
        Endpoint,
        transport::PortUse,
        upgrade::{DeniedUpgrade, ReadyUpgrade},
    },
    swarm::{
        ConnectionClosed, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
        behaviour::ConnectionEstablished,
        handler::{ConnectionEvent, DialUpgradeError},
    },
};

use super::limits;

/// Nobody speaks this. That the peer says so is the sign of life: every node of every version gives it, and nothing
/// is left behind at its end.
const QUESTION: StreamProtocol = StreamProtocol::new("/inframe/there/1");

/// A connection whose other end did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silent {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
}

/// Asks on all connections, or on one.
#[derive(Default)]
pub(super) struct Behaviour {
    connections: HashMap<ConnectionId, PeerId>,
    events: VecDeque<ToSwarm<Silent, Ask>>,
}

impl Behaviour {
    /// Asks the other end of one connection.
    pub(super) fn ask(&mut self, connection: ConnectionId) {
        if let Some(peer) = self.connections.get(&connection) {
            let (peer_id, handler) = (*peer, NotifyHandler::One(connection));
            self.events.push_back(ToSwarm::NotifyHandler { peer_id, handler, event: Ask });
        }
    }

    /// Asks the other ends of all connections.
    pub(super) fn ask_all(&mut self) {
        let connections: Vec<ConnectionId> = self.connections.keys().copied().collect();
        connections.into_iter().for_each(|connection| self.ask(connection));
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Silent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished { peer_id, connection_id, .. }) => {
                self.connections.insert(connection_id, peer_id);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. }) => {
                self.connections.remove(&connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, connection: ConnectionId, _: THandlerOutEvent<Self>) {
        self.events.push_back(ToSwarm::GenerateEvent(Silent { peer, connection }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        // No waker is kept: events are added only by calls through the swarm, which polls again after each.
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The behaviour wants a sign of life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask;

/// None came.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoAnswer;

type HandlerEvent = ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), NoAnswer>;

/// The question on one connection.
#[derive(Default)]
pub(super) struct Handler {
    asking: bool,
    events: VecDeque<HandlerEvent>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Ask;
    type ToBehaviour = NoAnswer;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<DeniedUpgrade, ()> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<HandlerEvent> {
        // No waker is kept: events are added only by calls of the connection task, which polls again after each.
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    fn on_behaviour_event(&mut self, Ask: Ask) {
        if !self.asking {
            self.asking = true;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(QUESTION), ());
            let protocol = protocol.with_timeout(limits::SIGN_OF_LIFE_WITHIN);
            self.events.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, DeniedUpgrade, ReadyUpgrade<StreamProtocol>>) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(_) => self.asking = false,
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.asking = false;
                // A refusal is an answer, and a connection that broke is closed by the swarm itself.
                if matches!(error, StreamUpgradeError::Timeout) {
                    self.events.push_back(ConnectionHandlerEvent::NotifyBehaviour(NoAnswer));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::copy_bidirectional,
        net::{TcpListener, TcpStream},
        sync::watch,
        time::timeout,
    };

    use super::super::{
        Protocol,
        testing::{TestNode, within},
    };

    /// Far longer than the time limit of the question, far shorter than the minute that lost pings take.
    const NOTICED: Duration = Duration::from_secs(30);

    /// Passes everything on to a node until told to stop; then nothing comes or goes, and nothing is closed. Gives the
    /// address to dial.
    async fn wire(to: &TestNode, mut cut: watch::Receiver<bool>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = to.addresses().remove(0);
        let mut parts: Vec<&str> = address.split('/').collect();
        let target: u16 = parts[4].parse().unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        parts[4] = &port;
        let address = parts.join("/");
        tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.unwrap();
            drop(listener);
            let mut far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            let is_cut = tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => false,
                _ = cut.wait_for(|cut| *cut) => true,
            };
            if is_cut {
                std::future::pending::<()>().await;
            }
        });
        address
    }

    #[tokio::test]
    async fn whoever_shows_no_sign_of_life_is_given_up_and_dialled_anew_and_others_stay() {
        let (a, alive, lost) = (TestNode::start(1).await, TestNode::start(2).await, TestNode::start(3).await);
        let (cut, is_cut) = watch::channel(false);
        let wired = wire(&lost, is_cut).await;
        a.network.set_known(vec![(alive.id(), alive.addresses()), (lost.id(), vec![wired])], |_| true).await;
        a.wait_connected(&alive.id(), true).await;
        a.wait_connected(&lost.id(), true).await;
        let since = |node: &TestNode| {
            let peers = a.network.peers();
            let found = peers.borrow().iter().find(|peer| peer.node == node.id()).map(|peer| peer.since);
            found.unwrap()
        };
        let (alive_since, lost_since) = (since(&alive), since(&lost));

        cut.send(true).unwrap();
        a.network.look_around().await;
        timeout(NOTICED, a.wait_connected(&lost.id(), false)).await.expect("a dead connection is kept");
        assert_eq!(since(&alive), alive_since, "who answered is left alone");

        // The system still holds the old connection, which must not keep us from making another.
        a.know(&[&alive, &lost]).await;
        a.wait_connected(&lost.id(), true).await;
        assert!(since(&lost) > lost_since);
        within(a.network.open(&lost.id(), Protocol::Join)).await.unwrap();
    }

    #[tokio::test]
    async fn a_second_connection_makes_the_first_show_that_it_lives() {
        let (a, b) = (TestNode::start(1).await, TestNode::start(2).await);
        let (cut, is_cut) = watch::channel(false);
        let wired = wire(&a, is_cut).await;
        b.network.connect(&a.id(), &[wired]).await.unwrap();
        a.wait_connected(&b.id(), true).await;
        let mut peers = a.network.peers();
        let lost = peers.borrow_and_update()[0].addresses.clone();
        cut.send(true).unwrap();
        b.network.look_around().await;
        timeout(NOTICED, b.wait_connected(&a.id(), false)).await.expect("a dead connection is kept");
        b.connect(&a).await;
        // Two at first, until the old one has not answered.
        let new_alone = peers.wait_for(|peers| peers[0].addresses.len() == 1 && peers[0].addresses != lost);
        timeout(NOTICED, new_alone).await.expect("the lost connection is kept beside the new one").unwrap();
        within(a.network.open(&b.id(), Protocol::Join)).await.unwrap();
    }
}
