//! Nodes on real loopback sockets, for the tests of this part and of those built on it.

use std::{future::Future, time::Duration};

use inframe_protocol::ids::NodeId;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::{Network, NetworkConfig, NetworkEvent, PeerStream};
use crate::vault::Secret32;

/// Longer than anything that works takes on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A running node.
pub(crate) struct TestNode {
    pub(crate) network: Network,
    pub(crate) events: mpsc::Receiver<NetworkEvent>,
    task: JoinHandle<()>,
}

impl TestNode {
    /// Starts a node with this seed on a free port.
    pub(crate) async fn start(seed: u8) -> Self {
        Self::start_at(seed, "/ip4/127.0.0.1/tcp/0").await
    }

    /// Starts a node with this seed at this address.
    pub(crate) async fn start_at(seed: u8, address: &str) -> Self {
        let config =
            NetworkConfig { seed: Secret32::new([seed; 32]), listen: vec![address.parse().unwrap()], mdns: false };
        let (network, events, task) = Network::start(&config).unwrap();
        let task = tokio::spawn(task);
        assert!(!network.listening().await.is_empty());
        Self { network, events, task }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.network.node_id()
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.network.addresses()
    }

    /// Connects to another node.
    pub(crate) async fn connect(&self, other: &Self) {
        self.network.connect(&other.id(), &other.addresses()).await.unwrap();
    }

    /// Names the other nodes as known, with their addresses.
    pub(crate) async fn know(&self, others: &[&Self]) {
        let known = others.iter().map(|other| (other.id(), other.addresses()));
        self.network.set_known(known.collect(), |_| true).await;
    }

    /// The next event that `pick` takes; others are dropped.
    pub(crate) async fn next<T>(&mut self, mut pick: impl FnMut(NetworkEvent) -> Option<T>) -> T {
        within(async {
            loop {
                if let Some(found) = pick(self.events.recv().await.expect("the network stopped")) {
                    return found;
                }
            }
        })
        .await
    }

    /// The next inbound stream.
    pub(crate) async fn inbound(&mut self) -> PeerStream {
        self.next(|event| match event {
            NetworkEvent::Inbound(_, stream) => Some(stream),
            _ => None,
        })
        .await
    }

    /// Waits until the node is connected to `other`, or is not.
    pub(crate) async fn wait_connected(&self, other: &NodeId, connected: bool) {
        let mut peers = self.network.peers();
        within(peers.wait_for(|peers| peers.iter().any(|peer| peer.node == *other) == connected)).await.unwrap();
    }

    /// Stops the node as a crash would.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Two nodes that know each other and are connected.
pub(crate) async fn pair() -> (TestNode, TestNode) {
    let (a, b) = (TestNode::start(1).await, TestNode::start(2).await);
    a.network.set_known(vec![(b.id(), b.addresses())], |_| true).await;
    b.network.set_known(vec![(a.id(), Vec::new())], |_| true).await;
    a.connect(&b).await;
    b.wait_connected(&a.id(), true).await;
    (a, b)
}

/// Fails the test instead of hanging.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(LONG, work).await.expect("this takes far too long")
}
