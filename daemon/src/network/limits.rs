//! Every bound of the network part (D7), with its unit and the reason for the number.

use std::time::Duration;

/// Commands that may wait for the swarm task; each caller waits for its answer, so this only smooths bursts.
pub const COMMANDS_WAITING: usize = 64;
/// Events that may wait for the daemon. An inbound stream needs a place here before it is accepted, so this is also
/// the number of streams that may wait for a handler: four bursts of 64.
pub const EVENTS_WAITING: usize = 256;
/// Places in the event channel that gossip must leave free, so that a chatty neighbour never delays streams.
pub const EVENTS_KEPT_FROM_GOSSIP: usize = 128;

/// Connections to one peer: both ends may dial at once, and one may hang half-open while the next is made.
pub const CONNECTIONS_PER_PEER: u32 = 4;
/// Connections of peers that nobody has named as known. Known peers do not count, so strangers cannot lock them out.
pub const CONNECTIONS: u32 = 256;
/// Connections in the middle of their handshake, each way.
pub const CONNECTIONS_PENDING: u32 = 64;
/// Bytes of memory of this process above which no connection is accepted: twice the budget of the whole daemon.
pub const MEMORY_BYTES: usize = 1 << 30;
/// How long a connection to a peer that is not known may be idle. Longer than the pause between two requests of a
/// join that waits for its host.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(90);
/// A TCP connection and its handshake must be made within this time.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// A known peer is asked this often whether it is still there, so that a sleeping laptop is noticed.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);
/// A ping without an answer for this long has failed.
pub const PING_WITHIN: Duration = Duration::from_secs(20);
/// Failed pings in a row after which the connection is given up.
pub const PINGS_LOST: u32 = 2;
/// A peer must answer within this time when this machine has slept or lost an address: the network is local or a
/// second away, and whoever does not answer is dialled anew, which costs less than waiting for two pings.
pub const SIGN_OF_LIFE_WITHIN: Duration = Duration::from_secs(5);
/// How often the clocks are looked at to notice that the machine has slept. A glance costs nothing.
pub const WAKE_LOOK: Duration = Duration::from_secs(2);
/// The clocks must have run on for this much longer than between two looks: longer than a busy machine is late.
pub const WAKE_JUMP: Duration = Duration::from_secs(10);

/// Streams of one connection, both directions together; Yamux resets the rest.
pub const STREAMS_PER_CONNECTION: usize = 256;
/// Bytes of one connection that may lie unread here, all streams together; the least that Yamux takes for so many streams.
pub const UNREAD_PER_CONNECTION: usize = STREAMS_PER_CONNECTION * (256 << 10);
/// Largest frame that is sent: a whole group of a transfer, so that it wakes the connection once.
pub const FRAME_BYTES: usize = 256 << 10;
/// Streams that one known peer may have open here. Yamux may hold 256 KiB of unread bytes for each.
pub const STREAMS_OF_KNOWN_PEER: usize = 96;
/// Streams that a stranger may have open here: enough to join, no more.
pub const STREAMS_OF_STRANGER: usize = 8;
/// Streams opened by others, all peers together: 256 MiB in the worst case.
pub const STREAMS_INBOUND: usize = 1024;
/// Negotiating the protocol of a new stream must end within this time.
pub const NEGOTIATE_WITHIN: Duration = Duration::from_secs(10);

/// Waiting for a connection, redials of other addresses included.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// The other side must say that it took a stream within this time.
pub const ACCEPT_WITHIN: Duration = Duration::from_secs(5);
/// Attempts to open one stream before giving up.
pub const OPEN_TRIES: u32 = 6;
/// Pause before the second attempt to open a stream; doubled each time: 1.6 s in all.
pub const OPEN_PAUSE: Duration = Duration::from_millis(50);
/// One message, length and bytes, must be read or written within this time, so that a peer that sends a byte a
/// second holds a stream for half a minute and no longer.
pub const MESSAGE_WITHIN: Duration = Duration::from_secs(30);
/// Closing a stream, with everything written before, must end within this time.
pub const CLOSE_WITHIN: Duration = Duration::from_secs(10);

/// Addresses kept for one peer. A laptop with Wi-Fi, cable, a container bridge and IPv6 has fewer than ten.
pub const ADDRESSES_PER_PEER: usize = 16;
/// Bytes of one address in text form.
pub const ADDRESS_BYTES: usize = 160;
/// Peers that are kept connected: the members of all events.
pub const KNOWN_PEERS: usize = 2048;
/// Peers found on the local network whose addresses are remembered; anybody may announce any number.
pub const FOUND_PEERS: usize = 256;
/// Peers to whom the owner has named addresses by hand since the start.
pub const NAMED_PEERS: usize = 64;
/// Addresses named by hand that are kept for one peer, the last ones: home, holiday, a forwarded port.
pub const NAMED_ADDRESSES: usize = 4;
/// Dials under way at one time.
pub const DIALS: usize = 128;
/// Callers that may wait for the same connection.
pub const WAITERS_PER_DIAL: usize = 64;
/// Pause before a lost known peer is dialled again.
pub const REDIAL_FIRST: Duration = Duration::from_secs(1);
/// Longest pause between two dials of a known peer.
pub const REDIAL_LAST: Duration = Duration::from_secs(300);
/// Longest pause between two dials of a known peer that is announced on the local network.
pub const REDIAL_FOUND: Duration = Duration::from_secs(15);
/// A connection that lived this long was a good one: the pauses start over after it.
pub const GOOD_CONNECTION: Duration = Duration::from_secs(60);

/// Bytes of one gossip message: a sealed record (4 KiB) and its envelope.
pub const GOSSIP_BYTES: usize = 8 * 1024;
/// Bytes of gossip bookkeeping in one message of a neighbour.
pub const GOSSIP_CONTROL_BYTES: usize = 8 * 1024;
/// Topics, ours and those that a neighbour may subscribe to: one for each event and epoch.
pub const TOPICS: usize = 256;
/// Bytes of a topic's name: hexadecimal of a keyed hash.
pub const TOPIC_BYTES: usize = 64;

/// How often the local network is asked who is there. Nodes announce nothing by themselves, they only answer.
pub const MDNS_QUERY_INTERVAL: Duration = Duration::from_secs(20);
/// How long others may remember our answer.
pub const MDNS_TTL: Duration = Duration::from_secs(150);
/// Addresses announced on the local network at one time. Fifty guests with a few addresses each are a hundred or two;
/// past this somebody makes them up, and the library would keep them all.
pub const ANNOUNCED: usize = 1024;
/// After that nothing announced is listened to for this long: short, since honest nodes are not found meanwhile.
pub const ANNOUNCED_PAUSE: Duration = Duration::from_secs(10);
