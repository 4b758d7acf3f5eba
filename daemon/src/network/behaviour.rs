//! The swarm: its transport, its behaviours and their settings.

use libp2p::{
    Multiaddr, PeerId, Swarm, SwarmBuilder, allow_block_list,
    connection_limits::{self, ConnectionLimits},
    core::transport::ListenerId,
    identity::Keypair,
    mdns, memory_connection_limits, noise, ping, relay,
    swarm::{
        FromSwarm, NetworkBehaviour,
        behaviour::{NewListenAddr, toggle::Toggle},
    },
    tcp,
};

use super::{NetworkConfig, Protocol, StartError, gate::Gate, gossip, limits, muxer, pulse, substreams};
use crate::vault::wipe_stack;

/// Everything that runs on our connections. The first four only refuse connections, so they come first.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) gate: Gate,
    pub(super) blocked: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    pub(super) counted: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    ping: ping::Behaviour,
    pub(super) pulse: pulse::Behaviour,
    pub(super) gossip: gossip::Gossip,
    mdns: Toggle<mdns::tokio::Behaviour>,
    /// Reaching others, and being reached, through a relay.
    circuits: relay::client::Behaviour,
    pub(super) substreams: substreams::Behaviour,
}

impl Behaviour {
    fn new(node: PeerId, mdns: bool, circuits: relay::client::Behaviour) -> Result<Self, StartError> {
        let counts = ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits::CONNECTIONS_PENDING))
            .with_max_pending_outgoing(Some(limits::CONNECTIONS_PENDING))
            .with_max_established(Some(limits::CONNECTIONS))
            .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER));
        let pings = ping::Config::new().with_interval(limits::PING_INTERVAL).with_timeout(limits::PING_WITHIN);
        Ok(Self {
            gate: Gate::new(limits::STRANGERS_PER_SOURCE),
            blocked: allow_block_list::Behaviour::default(),
            counted: connection_limits::Behaviour::new(counts),
            memory: memory_connection_limits::Behaviour::with_max_bytes(limits::MEMORY_BYTES),
            ping: ping::Behaviour::new(pings),
            pulse: pulse::Behaviour::default(),
            gossip: gossip::new()?,
            mdns: if mdns { local_discovery(node) } else { None }.into(),
            circuits,
            substreams: substreams::Behaviour::new(&Protocol::OF_A_NODE),
        })
    }

    /// Looks for nobody on the local network any more and drops all that was found there: the library has no bound.
    pub(super) fn stop_looking(&mut self) {
        self.mdns = None.into();
    }

    /// Looks for others on the local network again, and tells them that this node listens at `ours`.
    pub(super) fn start_looking(&mut self, node: PeerId, ours: &[Multiaddr]) {
        let mut mdns = local_discovery(node);
        for addr in ours {
            // It keeps the addresses alone, so any listener's id will do.
            let event = FromSwarm::NewListenAddr(NewListenAddr { listener_id: ListenerId::next(), addr });
            mdns.iter_mut().for_each(|mdns| mdns.on_swarm_event(event));
        }
        self.mdns = mdns.into();
    }
}

/// mDNS, if the machine can do it; a node without it works as well, only it must be told addresses.
fn local_discovery(node: PeerId) -> Option<mdns::tokio::Behaviour> {
    let config =
        mdns::Config { ttl: limits::MDNS_TTL, query_interval: limits::MDNS_QUERY_INTERVAL, enable_ipv6: false };
    mdns::tokio::Behaviour::new(config, node)
        .inspect_err(|error| tracing::warn!(%error, "nodes on the local network cannot be found: no multicast"))
        .ok()
}

/// Builds the swarm and binds its sockets. The identity is only needed meanwhile, and what its way through the builder leaves on the stack is wiped.
pub(super) fn swarm(config: &NetworkConfig) -> Result<Swarm<Behaviour>, StartError> {
    let built = build(config);
    wipe_stack();
    built
}

#[inline(never)]
fn build(config: &NetworkConfig) -> Result<Swarm<Behaviour>, StartError> {
    let mut seed = zeroize::Zeroizing::new(*config.seed.expose());
    let identity = Keypair::ed25519_from_bytes(seed.as_mut_slice()).map_err(|_| StartError::Seed)?;
    let node = identity.public().to_peer_id();
    let mut swarm = SwarmBuilder::with_existing_identity(identity)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, muxer::Upgrade::default)
        .map_err(|error| StartError::Stack(error.to_string()))?
        .with_relay_client(noise::Config::new, muxer::Upgrade::default)
        .map_err(|error| StartError::Stack(error.to_string()))?
        .with_behaviour(|_, circuits| Ok(Behaviour::new(node, config.mdns, circuits)?))
        .map_err(|error| StartError::Stack(error.to_string()))?
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(limits::IDLE_CONNECTION))
        .with_connection_timeout(limits::HANDSHAKE_WITHIN)
        .build();
    for address in &config.listen {
        swarm.listen_on(address.clone()).map_err(|error| StartError::Listen {
            address: address.to_string(),
            source: std::io::Error::other(error.to_string()),
        })?;
    }
    Ok(swarm)
}
