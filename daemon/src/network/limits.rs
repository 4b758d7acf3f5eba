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
/// Places for handshakes that connections from nowhere in particular may take; the rest is kept for addresses of known
/// peers, so that nobody locks them out.
pub const PENDING_OF_STRANGERS: usize = 48;
/// Handshakes at one time with one address, or one IPv6 network of 64 bits, that no known peer uses.
pub const PENDING_PER_SOURCE: usize = 8;
/// With one that known peers use: a hall full of guests behind one router, that all come back at once.
pub const KNOWN_PENDING_PER_SOURCE: usize = 32;
/// Connections that such an address may make at once; enough for the guests behind one router to join.
pub const ARRIVALS_BURST: u32 = 32;
/// After that one in this time.
pub const ARRIVAL_EVERY: Duration = Duration::from_millis(250);
/// Connections that an address of known peers may make at once.
pub const KNOWN_ARRIVALS_BURST: u32 = 256;
/// After that one in this time. A handshake costs about a millisecond, so this is a sixteenth of a core.
pub const KNOWN_ARRIVAL_EVERY: Duration = Duration::from_millis(16);
/// Addresses whose connections are counted each for itself; all others are counted together.
pub const SOURCES: usize = 4096;
/// Connections that peers who are not known may hold from one address.
pub const STRANGERS_PER_SOURCE: usize = 32;
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
/// Nodes on the local network that are asked for a code that the owner typed: a wedding has fewer, and each gets a stream.
pub const NEARBY: usize = 128;
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

/// Straight addresses that are told before the one through a relay: two less than members are told, so that it is
/// among them.
pub const STRAIGHT_FIRST: usize = 6;
/// Addresses of a peer that lead straight have this long alone; then those through a relay are tried beside them. On a
/// local network an answer takes milliseconds, around the world a third of a second.
pub const CIRCUIT_AFTER: Duration = Duration::from_secs(2);
/// Circuits that wait until a relay is connected.
pub const CIRCUITS_PARKED: usize = 128;
/// First pause before a straight connection to a peer behind a relay is tried again.
pub const STRAIGHT_FIRST_PAUSE: Duration = Duration::from_secs(10);
/// Longest such pause: networks of laptops change without notice.
pub const STRAIGHT_LAST_PAUSE: Duration = Duration::from_secs(900);
/// A straight connection is trusted when it has lived this long; then the one through a relay is closed.
pub const STRAIGHT_PROVEN: Duration = Duration::from_secs(10);
/// Longest wait before dialling at the same moment as the other side.
pub const PUNCH_WAIT: Duration = Duration::from_secs(2);
/// Hellos to relays and agreements about straight connections under way.
pub const TALKS: usize = 64;

/// Peers for whom a relay keeps a place: homes, not people; each holds one connection.
pub const RELAY_RESERVATIONS: usize = 512;
/// Places of one peer: one, and one that is made while the last is not yet known to be lost.
pub const RELAY_RESERVATIONS_PER_PEER: usize = 2;
/// A place must be asked for again within this time.
pub const RELAY_RESERVATION: Duration = Duration::from_secs(3600);
/// Circuits at one time. Each copies through two buffers of 8 KiB and may have two windows of the multiplexer filled.
pub const RELAY_CIRCUITS: usize = 512;
/// Circuits that one peer has opened: members behind relays that it wants to be connected to.
pub const RELAY_CIRCUITS_PER_PEER: usize = 160;
/// A circuit is cut after this time, and opened again by its ends: so nothing is held for ever.
pub const RELAY_CIRCUIT: Duration = Duration::from_secs(12 * 3600);
/// Bytes of a circuit, both directions together: a large event with videos.
pub const RELAY_CIRCUIT_BYTES: u64 = 64 << 30;
/// Circuits that one address may ask for at once: a home that comes back, with all members of its events.
pub const RELAY_CIRCUITS_BURST: u32 = 512;
/// After that another one each: redials of absent members ask again and again.
pub const RELAY_CIRCUIT_EVERY: Duration = Duration::from_millis(500);
/// Places that one address may ask for at once, and after that each: devices of a home.
pub const RELAY_RESERVATIONS_BURST: u32 = 32;
/// See above.
pub const RELAY_RESERVATION_EVERY: Duration = Duration::from_secs(10);
/// Connections to a relay: those with a place, and as many that only dial.
pub const RELAY_CONNECTIONS: u32 = 1024;
/// Connections of one address, or one IPv6 network of 64 bits, to a relay: a home, or a company, behind one router.
pub const RELAY_CONNECTIONS_PER_IP: usize = 64;
/// Bytes of memory of a relay above which no connection is accepted.
pub const RELAY_MEMORY_BYTES: usize = 512 << 20;
/// Hellos being answered by a relay at one time.
pub const RELAY_HELLOS: usize = 256;
/// A relay that is told to stop closes its connections within this time.
pub const RELAY_STOP_WITHIN: Duration = Duration::from_secs(3);

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
