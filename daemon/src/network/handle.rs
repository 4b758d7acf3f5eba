//! The handle that the rest of the daemon holds: typed calls over a bounded channel to the swarm task.

use std::{collections::BTreeSet, future::Future};

use inframe_protocol::ids::NodeId;
use libp2p::{Multiaddr, PeerId};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};

use super::{
    ConnectError, ConnectedPeer, GossipError, NetworkConfig, NetworkEvent, OpenError, Outside, PeerStream, Protocol,
    RelayState, RelayWish, StartError, StreamError, address, behaviour,
    dials::ConnectAnswer,
    driver::{Driver, Shown},
    limits,
    peer_stream::Answer,
    substreams::{NotOpened, OpenAnswer},
};

/// A call to the swarm task.
pub(super) enum Command {
    Connect(PeerId, Vec<Multiaddr>, ConnectAnswer),
    Name(PeerId, Vec<Multiaddr>),
    Open(PeerId, Protocol, OpenAnswer),
    SetKnown(Vec<(PeerId, Vec<Multiaddr>)>, BTreeSet<PeerId>),
    Subscribe(String, oneshot::Sender<Result<(), GossipError>>),
    Unsubscribe(String),
    Publish(String, Vec<u8>, oneshot::Sender<Result<(), GossipError>>),
    Block(PeerId),
    Unblock(PeerId),
    LookAround,
    Disconnect(PeerId),
    Nearby(oneshot::Sender<Vec<NodeId>>),
    SetRelay(Option<RelayWish>),
    LookOutside(oneshot::Sender<Outside>),
}

/// A cheap handle on the network; clones share one swarm, which stops when the last is dropped.
#[derive(Debug, Clone)]
pub struct Network {
    node: NodeId,
    peer: PeerId,
    commands: mpsc::Sender<Command>,
    peers: watch::Receiver<Vec<ConnectedPeer>>,
    addresses: watch::Receiver<Vec<String>>,
    relay: watch::Receiver<RelayState>,
}

impl Network {
    /// Binds the sockets. The caller spawns the returned task, which owns the swarm, and receives its events.
    /// Must be called within a tokio runtime. Dropping the task closes everything.
    ///
    /// # Errors
    /// If an address cannot be listened on or the seed is unusable. Missing multicast is not an error.
    pub fn start(
        config: &NetworkConfig,
    ) -> Result<(Self, mpsc::Receiver<NetworkEvent>, impl Future<Output = ()> + Send + use<>), StartError> {
        let swarm = behaviour::swarm(config)?;
        let peer = *swarm.local_peer_id();
        let node = address::node_id(&peer).ok_or(StartError::Seed)?;
        let (commands, commanded) = mpsc::channel(limits::COMMANDS_WAITING);
        let (events, received) = mpsc::channel(limits::EVENTS_WAITING);
        let (peers_now, peers) = watch::channel(Vec::new());
        let (addresses_now, addresses) = watch::channel(Vec::new());
        let (relay_now, relay) = watch::channel(RelayState::None);
        let shown = Shown { peers: peers_now, addresses: addresses_now, relay: relay_now };
        let driver = Driver::new(swarm, commanded, events, shown);
        Ok((Self { node, peer, commands, peers, addresses, relay }, received, driver.run()))
    }

    /// This node.
    pub fn node_id(&self) -> NodeId {
        self.node.clone()
    }

    /// This node's id in the text form of libp2p (`12D3Koo...`).
    pub fn peer_id_text(&self) -> String {
        self.peer.to_string()
    }

    /// Where others can reach this node: local network first, this machine itself last, each ending in `/p2p/ID`; one
    /// through a relay ends in `/p2p-circuit`.
    pub fn addresses(&self) -> Vec<String> {
        self.addresses.borrow().clone()
    }

    /// Waits until at least one address is listened on, and returns what [`Network::addresses`] does; empty if the
    /// network stopped before.
    pub async fn listening(&self) -> Vec<String> {
        let mut addresses = self.addresses.clone();
        let found = addresses.wait_for(|addresses| !addresses.is_empty()).await;
        found.map(|addresses| addresses.clone()).unwrap_or_default()
    }

    /// The peers that are connected, now and at every change.
    pub fn peers(&self) -> watch::Receiver<Vec<ConnectedPeer>> {
        self.peers.clone()
    }

    /// Whether there is a connection to `node`.
    pub fn is_connected(&self, node: &NodeId) -> bool {
        self.peers.borrow().iter().any(|peer| peer.node == *node)
    }

    /// Whether every connection to `node` leads through a relay, if there is one.
    pub fn is_relayed(&self, node: &NodeId) -> Option<bool> {
        self.peers.borrow().iter().find(|peer| peer.node == *node).map(|peer| peer.relayed)
    }

    /// Connects to a node at the given addresses and those known from [`Network::set_known`] and the local network.
    /// Returns at once if connected. Addresses that cannot be dialled are ignored.
    ///
    /// # Errors
    /// [`ConnectError`] says why the node could not be reached.
    pub async fn connect(&self, node: &NodeId, addresses: &[String]) -> Result<(), ConnectError> {
        let peer = address::peer_id(node).ok_or_else(|| ConnectError::NotANode(node.clone()))?;
        if peer == self.peer {
            return Err(ConnectError::Oneself);
        }
        if self.is_connected(node) {
            return Ok(());
        }
        let (answer, result) = oneshot::channel();
        let addresses = address::parse_all(&peer, addresses);
        let call = async {
            let command = Command::Connect(peer, addresses, answer);
            self.commands.send(command).await.map_err(|_| ConnectError::Stopped)?;
            result.await.unwrap_or(Err(ConnectError::Stopped))
        };
        timeout(limits::CONNECT_WITHIN, call).await.unwrap_or_else(|_| Err(ConnectError::TimedOut(node.clone())))
    }

    /// Nodes on the local network: announced there, or connected from there.
    pub async fn nearby(&self) -> Vec<NodeId> {
        let (answer, near) = oneshot::channel();
        self.tell(Command::Nearby(answer)).await;
        near.await.unwrap_or_default()
    }

    /// Takes an address of a node that its owner has typed: it is tried now, and at every later dial of that node for
    /// as long as this network runs. If the node is connected already, the connection must show that it lives.
    ///
    /// # Errors
    /// [`ConnectError`] says why the node could not be reached; the address is kept all the same.
    pub async fn add_address(&self, node: &NodeId, address: String) -> Result<(), ConnectError> {
        let peer = address::peer_id(node).ok_or_else(|| ConnectError::NotANode(node.clone()))?;
        if peer == self.peer {
            return Err(ConnectError::Oneself);
        }
        let addresses = [address];
        self.tell(Command::Name(peer, address::parse_all(&peer, &addresses))).await;
        if self.is_connected(node) {
            self.look_around().await;
        }
        self.connect(node, &addresses).await
    }

    /// Names the known peers, with addresses to try, and which of them to keep connected; replaces those named before.
    /// The kept ones are dialled now, after pauses that grow from one second to five minutes, and at once when seen on
    /// the local network. The others are connected when a stream is opened, and until it is idle.
    pub async fn set_known(&self, known: Vec<(NodeId, Vec<String>)>, is_kept: impl Fn(&NodeId) -> bool) {
        let kept = known.iter().filter(|(node, _)| is_kept(node)).filter_map(|(node, _)| address::peer_id(node));
        let kept = kept.collect();
        let known = known.iter().filter_map(|(node, addresses)| {
            let peer = address::peer_id(node).filter(|peer| *peer != self.peer)?;
            Some((peer, address::parse_all(&peer, addresses)))
        });
        self.tell(Command::SetKnown(known.collect(), kept)).await;
    }

    /// Opens a stream, connecting first if need be. Once this returns, a handler at the other side has the stream.
    ///
    /// # Errors
    /// [`OpenError`] after several attempts.
    pub async fn open(&self, node: &NodeId, protocol: Protocol) -> Result<PeerStream, OpenError> {
        let mut pause = limits::OPEN_PAUSE;
        for _ in 1..limits::OPEN_TRIES {
            match self.open_once(node, protocol).await {
                Err(error) if error.passes() => {
                    tracing::debug!(%node, protocol = protocol.name(), %error, "opening a stream again");
                }
                done => return done,
            }
            sleep(pause).await;
            pause *= 2;
        }
        self.open_once(node, protocol).await
    }

    async fn open_once(&self, node: &NodeId, protocol: Protocol) -> Result<PeerStream, OpenError> {
        self.connect(node, &[]).await.map_err(OpenError::NotConnected)?;
        let peer = address::peer_id(node).ok_or_else(|| OpenError::Lost(node.clone()))?;
        let (answer, opened) = oneshot::channel();
        self.tell(Command::Open(peer, protocol, answer)).await;
        // The handler's own limit is shorter; this one only guards against a connection task that is stuck.
        let opened = timeout(limits::NEGOTIATE_WITHIN * 2, opened).await;
        let stream = match opened {
            Ok(Ok(Ok(stream))) => stream,
            Ok(Ok(Err(NotOpened::Unsupported))) => return Err(OpenError::Unsupported { node: node.clone(), protocol }),
            Ok(Ok(Err(NotOpened::TimedOut))) | Err(_) => return Err(OpenError::TimedOut(node.clone())),
            Ok(Ok(Err(NotOpened::Lost)) | Err(_)) => return Err(OpenError::Lost(node.clone())),
        };
        let mut stream = PeerStream::new(node.clone(), protocol, stream, None);
        match stream.answered().await {
            Ok(Answer::Taken) => Ok(stream),
            Ok(Answer::Busy) => Err(OpenError::Busy(node.clone())),
            Err(StreamError::TimedOut) => Err(OpenError::TimedOut(node.clone())),
            Err(_) => Err(OpenError::Lost(node.clone())),
        }
    }

    /// Follows a gossip topic.
    ///
    /// # Errors
    /// If the name is unusable or too many topics are followed.
    pub async fn subscribe(&self, topic: &str) -> Result<(), GossipError> {
        let (answer, result) = oneshot::channel();
        self.tell(Command::Subscribe(topic.to_owned(), answer)).await;
        result.await.unwrap_or(Err(GossipError::NotNow))
    }

    /// Stops following a gossip topic.
    pub async fn unsubscribe(&self, topic: &str) {
        self.tell(Command::Unsubscribe(topic.to_owned())).await;
    }

    /// Gossips a message. It may reach all, some or none of those who follow the topic.
    ///
    /// # Errors
    /// If the message is too long or nobody who follows the topic is connected.
    pub async fn publish(&self, topic: &str, bytes: Vec<u8>) -> Result<(), GossipError> {
        let (answer, result) = oneshot::channel();
        self.tell(Command::Publish(topic.to_owned(), bytes, answer)).await;
        result.await.unwrap_or(Err(GossipError::NotNow))
    }

    /// Cuts a node off and refuses it until [`Network::unblock`]. Not remembered over a restart.
    pub async fn block(&self, node: NodeId) {
        if let Some(peer) = address::peer_id(&node) {
            self.tell(Command::Block(peer)).await;
        }
    }

    /// Lets a blocked node connect again.
    pub async fn unblock(&self, node: NodeId) {
        if let Some(peer) = address::peer_id(&node) {
            self.tell(Command::Unblock(peer)).await;
        }
    }

    /// Something may have happened to the network of this machine: all peers must show a sign of life now, or their
    /// connections are given up, and peers that are away are dialled now. Sleep and new addresses are noticed without
    /// this.
    pub async fn look_around(&self) {
        self.tell(Command::LookAround).await;
    }

    /// Names the relay through which others may reach this node, instead of the one named before, or none. A place there
    /// is asked for now, kept, and asked for again when it is lost.
    pub async fn set_relay(&self, relay: Option<RelayWish>) {
        self.tell(Command::SetRelay(relay)).await;
    }

    /// What has become of [`Network::set_relay`], now and at every change.
    pub fn relay(&self) -> watch::Receiver<RelayState> {
        self.relay.clone()
    }

    /// Asks the relay that the owner named, if it is connected, and says what all relays in use have told. One that is not
    /// connected is tried again now.
    pub async fn look_outside(&self) -> Outside {
        let (answer, outside) = oneshot::channel();
        self.tell(Command::LookOutside(answer)).await;
        outside.await.unwrap_or_default()
    }

    /// Closes all connections to a node. If it is known it will be dialled again.
    pub async fn disconnect(&self, node: &NodeId) {
        if let Some(peer) = address::peer_id(node) {
            self.tell(Command::Disconnect(peer)).await;
        }
    }

    /// Sends a command; after the task has stopped there is nobody to tell, and answers say so.
    async fn tell(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }
}
