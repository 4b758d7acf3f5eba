//! Other nodes: which ones this one knows, and where the owner says that one is.

use std::collections::BTreeMap;

use inframe_protocol::NodeId;

use super::{Answer, Node, NodeError};
use crate::network::{ConnectError, parse_typed};
use crate::views::PeerView;

impl Node {
    /// Nodes that this one knows or is connected to.
    ///
    /// # Errors
    /// None at present.
    pub async fn peers(&self) -> Answer<Vec<PeerView>> {
        let core = &self.core;
        let mut peers: BTreeMap<NodeId, PeerView> = BTreeMap::new();
        let blank = |node: &NodeId| PeerView {
            node_id: crate::network::peer_id_text(node).unwrap_or_else(|| node.to_string()),
            nickname: None,
            connected: false,
            relayed: false,
            addresses: Vec::new(),
            events: Vec::new(),
        };
        for (node, addresses) in core.events.known_nodes() {
            let peer = peers.entry(node.clone()).or_insert_with(|| blank(&node));
            peer.addresses = addresses;
            for event in core.events.shared_with(&node) {
                peer.events.push(core.events.name(&event));
                peer.nickname =
                    peer.nickname.take().or(core.events.member_by_node(&event, &node).map(|(_, name)| name));
            }
        }
        for connected in core.network.peers().borrow().iter() {
            if connected.is_relay && !peers.contains_key(&connected.node) {
                continue;
            }
            let peer = peers.entry(connected.node.clone()).or_insert_with(|| blank(&connected.node));
            (peer.connected, peer.relayed) = (true, connected.relayed);
            for address in &connected.addresses {
                if !peer.addresses.contains(address) {
                    peer.addresses.push(address.clone());
                }
            }
        }
        let mut peers: Vec<PeerView> = peers.into_values().collect();
        peers.sort_by(|a, b| b.connected.cmp(&a.connected).then_with(|| a.nickname.cmp(&b.nickname)));
        Ok(peers)
    }

    /// Tries an address of a node with whom this one shares an event, or asks to; keeps it until the daemon stops.
    ///
    /// # Errors
    /// When it is no address that can be dialled, no event has that node, or the node is not reached there.
    pub async fn add_peer(&self, address: String) -> Answer<Vec<PeerView>> {
        let (node, address) =
            parse_typed(&address).map_err(|error| NodeError::Invalid("bad-address", error.to_string()))?;
        let network = &self.core.network;
        let known = node == network.node_id() || self.core.events.known_nodes().iter().any(|(known, _)| *known == node);
        if !known {
            let why =
                "no event of yours has that node; join one of its events with an invite, then its address is of use";
            return Err(NodeError::Conflict("no-common-event", why.into()));
        }
        network.add_address(&node, address).await.map_err(refused)?;
        self.peers().await
    }
}

fn refused(error: ConnectError) -> NodeError {
    let text = error.to_string();
    match error {
        ConnectError::Oneself => NodeError::Invalid("own-address", "this is the address of this node itself".into()),
        ConnectError::NotANode(_) => NodeError::Invalid("bad-address", text),
        ConnectError::WrongPeer { .. } => NodeError::Conflict("another-node", text),
        ConnectError::NoAddress(_) | ConnectError::Unreachable { .. } | ConnectError::TimedOut(_) => {
            NodeError::Conflict("unreachable", format!("{text}; the address is kept and tried again"))
        }
        ConnectError::Denied(_) => NodeError::Conflict("not-allowed", text),
        ConnectError::Busy => NodeError::TooOften(text),
        ConnectError::Stopped => NodeError::Internal(text),
    }
}
