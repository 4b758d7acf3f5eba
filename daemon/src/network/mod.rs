//! Reaching other nodes: one task owns the swarm, everybody else holds a [`Network`] and receives [`NetworkEvent`]s.
//!
//! TCP, Noise and Yamux between nodes; mDNS to find them on the local network; streams for everything that must
//! arrive, gossip as a hint for what may. Any node may connect, since that is how somebody with an invite joins, but
//! only nodes named by [`Network::set_known`] may use another protocol than [`Protocol::Join`] and, on the local network,
//! [`Protocol::Code`]. Known is not yet
//! entitled: **whoever takes a stream from [`NetworkEvent::Inbound`] must check that its peer may have what it asks
//! for**, since the transport has proven the peer's id and nothing else. Known nodes are kept connected, are exempt
//! from the limits that hold strangers down, and alone take part in gossip.
//!
//! Where no straight connection comes about, one through a relay does: a program that some user runs ([`relay`]). A node
//! takes a place at the one that its owner named, and reaches members through theirs. From there on both ends try to
//! connect straight (`driver/straight.rs`), and a straight connection is preferred as soon as there is one.
//!
//! Absent on purpose: no identify protocol (it tells every stranger all our addresses), no bootstrap node, no DHT, no
//! relay that no user named, no name lookup (D6).

mod address;
mod announced;
mod behaviour;
mod dials;
mod driver;
mod error;
mod gate;
mod gossip;
mod handle;
mod introduction;
pub mod limits;
mod muxer;
mod my_relay;
mod peer_stream;
mod protocol;
mod pulse;
mod redial;
pub mod relay;
mod substreams;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod wake;

use std::time::{Duration, SystemTime};

use inframe_protocol::ids::NodeId;
use libp2p::Multiaddr;

use crate::vault::Secret32;

pub use self::{
    address::{parse_relay, parse_typed},
    error::{AddressError, ConnectError, GossipError, OpenError, StartError, StreamError},
    handle::Network,
    my_relay::{RelayState, RelayTrouble, RelayWish},
    peer_stream::PeerStream,
    protocol::Protocol,
};

/// A node's peer id in base58, as libp2p writes it; `None` when the id is none of libp2p's.
#[must_use]
pub fn peer_id_text(node: &NodeId) -> Option<String> {
    address::peer_id(node).map(|peer| peer.to_string())
}

/// What the network part is started with.
#[derive(Clone)]
pub struct NetworkConfig {
    /// Ed25519 seed of this node's identity.
    pub seed: Secret32,
    /// Where to listen: `/ip4/0.0.0.0/tcp/7412`; port 0 takes a free one.
    pub listen: Vec<Multiaddr>,
    /// Whether to look for, and be found by, nodes on the local network. Without multicast this does nothing.
    pub mdns: bool,
}

impl std::fmt::Debug for NetworkConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkConfig").field("listen", &self.listen).field("mdns", &self.mdns).finish_non_exhaustive()
    }
}

/// What happened in the network.
#[derive(Debug)]
pub enum NetworkEvent {
    /// The first connection to a peer is there.
    Connected(NodeId),
    /// The last connection to a peer is gone.
    Disconnected(NodeId),
    /// A known peer opened a stream, or a stranger one that asks to join, by invite or by code. Its right to what it asks is not yet checked.
    Inbound(Protocol, PeerStream),
    /// A known peer passed a message on. It need not be its author, and anybody who knows the topic may be.
    Gossip {
        /// The topic.
        topic: String,
        /// The message.
        bytes: Vec<u8>,
        /// The neighbour that passed it on.
        from: NodeId,
    },
    /// [`Network::addresses`] has changed.
    AddressesChanged,
}

/// How this node looks from outside, as far as anybody has said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outside {
    /// Where relays in use see this node: `/ip4|ip6/A/tcp/P` each.
    pub seen: Vec<String>,
    /// What the relay that the owner named has answered; `None` if there is none, or it is not connected, or says nothing.
    pub relay: Option<RelayAnswer>,
}

/// A relay's answer to a greeting with its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayAnswer {
    /// Where it sees this node.
    pub seen: String,
    /// Whether it takes the token.
    pub admitted: bool,
    /// The time by its clock, Unix milliseconds.
    pub now_ms: u64,
    /// From the question to the answer.
    pub round_trip: Duration,
}

/// A peer that is connected now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedPeer {
    /// The peer.
    pub node: NodeId,
    /// The other ends of its connections. Those that it made to us have a port that cannot be dialled.
    pub addresses: Vec<String>,
    /// When the first of the connections was made.
    pub since: SystemTime,
    /// Whether every connection to it leads through a relay.
    pub relayed: bool,
    /// Whether it is a relay that this node uses.
    pub is_relay: bool,
}
