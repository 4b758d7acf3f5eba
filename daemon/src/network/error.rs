//! What can go wrong between two nodes, one type per operation.

use std::io;

use inframe_protocol::ids::NodeId;

use super::Protocol;

/// Why the network part did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The seed is no Ed25519 secret key.
    #[error("the node's identity seed cannot be used")]
    Seed,
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; is another daemon running, or is the port taken?")]
    Listen {
        /// The address asked for.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A part of the network stack refused its settings.
    #[error("cannot set up the network: {0}")]
    Stack(String),
}

/// Why an address that somebody typed cannot be used.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// Not an address at all, or one without its beginning.
    #[error(
        "this is no address of a node; one looks like /ip4/192.168.1.20/tcp/7412/p2p/12D3KooW..., as `inframe status` \
         and the settings show it on the other device"
    )]
    Unreadable,
    /// Longer than any address.
    #[error("an address has at most {} characters", super::limits::ADDRESS_BYTES)]
    TooLong,
    /// Another transport, a name, a relay.
    #[error("only addresses that begin /ip4/ADDRESS/tcp/PORT or /ip6/ADDRESS/tcp/PORT can be dialled")]
    Unsupported,
    /// It does not say who is expected there.
    #[error("the address does not say which node is there; it must end in /p2p/ and the id of the node")]
    NoNode,
    /// Nothing can be dialled there.
    #[error("this address names no single machine and port: it is unspecified, multicast or link-local, or has port 0")]
    Nowhere,
}

/// Why a peer could not be reached.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The id is not the id of a node.
    #[error("{0} is not the id of a node")]
    NotANode(NodeId),
    /// The id is our own.
    #[error("a node cannot connect to itself")]
    Oneself,
    /// No usable address is known.
    #[error("no address is known for {0}; ask for a fresh invite, or bring both onto the same network")]
    NoAddress(NodeId),
    /// Somebody else answered at every address that answered.
    #[error("another node than {wanted} answers at {address}")]
    WrongPeer {
        /// The node asked for.
        wanted: NodeId,
        /// Where the other one answered.
        address: String,
    },
    /// No address answered.
    #[error("{node} does not answer at {tried} addresses; is it switched on and on a reachable network?")]
    Unreachable {
        /// The node asked for.
        node: NodeId,
        /// How many addresses were tried.
        tried: usize,
    },
    /// The peer is blocked, or a connection limit is reached.
    #[error("the connection to {0} is not allowed: the peer is blocked or too many connections are open")]
    Denied(NodeId),
    /// Nothing happened in time.
    #[error("connecting to {0} took too long")]
    TimedOut(NodeId),
    /// Too many dials or callers.
    #[error("too many connections are being made, try again later")]
    Busy,
    /// The network part has stopped.
    #[error("the network is shut down")]
    Stopped,
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// There is no connection and none could be made.
    #[error("not connected")]
    NotConnected(#[source] ConnectError),
    /// The connection was lost while the stream was opened.
    #[error("the connection to {0} was lost while a stream was opened")]
    Lost(NodeId),
    /// The peer does not speak the protocol.
    #[error("{node} does not speak {}; it may run an older version", protocol.name())]
    Unsupported {
        /// The peer.
        node: NodeId,
        /// The protocol asked for.
        protocol: Protocol,
    },
    /// The peer has no room for another stream.
    #[error("{0} is busy, try again later")]
    Busy(NodeId),
    /// The peer did not take the stream in time.
    #[error("{0} did not take the stream in time")]
    TimedOut(NodeId),
}

impl OpenError {
    /// Whether another attempt on the same connection may succeed.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Busy(_) | Self::TimedOut(_))
    }
}

/// Why a message could not be read from, or written to, a stream.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The peer closed the stream between two messages.
    #[error("the peer closed the stream")]
    Closed,
    /// The stream ended in the middle of a message.
    #[error("the stream was cut off in the middle of a message")]
    CutOff,
    /// The message is too long, or its bytes are no such message.
    #[error("the message cannot be used")]
    Message(#[source] inframe_protocol::frame::FrameError),
    /// The peer is too slow.
    #[error("the peer took too long")]
    TimedOut,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[source] io::Error),
}

/// Why a gossip call was refused.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum GossipError {
    /// The topic's name is empty or too long.
    #[error("the name of a topic has 1 to {} bytes", super::limits::TOPIC_BYTES)]
    Topic,
    /// Too many topics.
    #[error("no more than {} topics can be followed", super::limits::TOPICS)]
    TooManyTopics,
    /// The message is too long.
    #[error("a gossip message has at most {} bytes", super::limits::GOSSIP_BYTES)]
    TooLong,
    /// No connected peer follows the topic; direct pushes and sync carry the record instead.
    #[error("no connected peer follows this topic")]
    NobodyListens,
    /// The same bytes were published a moment ago.
    #[error("the message was published already")]
    Duplicate,
    /// The queues are full, or the network part has stopped.
    #[error("the message could not be sent now")]
    NotNow,
}
