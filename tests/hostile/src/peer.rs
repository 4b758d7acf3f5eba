//! A node of our own beside the daemon: TCP, Noise and Yamux as the daemon speaks them, our protocol names, and no manners.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{AsyncReadExt as _, StreamExt as _};
use inframe_protocol::NodeId;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder,
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping,
    swarm::{NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
    tcp,
};
use libp2p_stream::{Control, IncomingStreams};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use crate::wire::{ANSWER, Wire};

/// Names of the stream protocols.
pub const JOIN: &str = "/inframe/join/1";
/// See [`JOIN`].
pub const CODE: &str = "/inframe/code/1";
/// See [`JOIN`].
pub const SYNC: &str = "/inframe/sync/2";
/// See [`JOIN`].
pub const PUSH: &str = "/inframe/push/1";
/// See [`JOIN`].
pub const OFFER: &str = "/inframe/offer/1";
/// See [`JOIN`].
pub const FETCH: &str = "/inframe/fetch/1";
/// Giving to keepers, and bringing what they kept.
pub const KEEP: &str = "/inframe/keep/1";
/// Deciding in the host's place.
pub const DEPUTY: &str = "/inframe/deputy/1";
/// What gossip is spoken in.
pub const GOSSIP: &str = "/inframe/gossip/1.1.0";

/// Of one connection, many more than any daemon allows: as many as the library takes at its default window.
pub(crate) const STREAMS: usize = 4_096;
/// Streams that others opened and no case has looked at yet; a case looks at a few.
const STREAMS_WAITING: usize = 64;
const CONNECT: Duration = Duration::from_secs(20);

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: libp2p_stream::Behaviour,
    ping: ping::Behaviour,
}

enum Command {
    Dial(Multiaddr, oneshot::Sender<Result<PeerId>>),
    Leave(PeerId),
}

/// A node. Dropping it cuts its connections.
pub struct Peer {
    seed: [u8; 32],
    id: PeerId,
    listening: Multiaddr,
    control: Control,
    commands: mpsc::Sender<Command>,
    heard: watch::Sender<Option<mpsc::Sender<Vec<u8>>>>,
    tasks: [JoinHandle<()>; 2],
}

impl Peer {
    /// A node with a new identity.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> Result<Self> {
        Self::with_seed(random()?).await
    }

    /// The node with this identity.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn with_seed(seed: [u8; 32]) -> Result<Self> {
        let identity = Keypair::ed25519_from_bytes(seed)?;
        let id = identity.public().to_peer_id();
        let mut swarm = SwarmBuilder::with_existing_identity(identity)
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, many_streams)?
            .with_behaviour(|_| Behaviour {
                streams: libp2p_stream::Behaviour::new(),
                ping: ping::Behaviour::default(),
            })?
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
        let listening = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let mut control = swarm.behaviour().streams.new_control();
        // Whoever does not speak gossip is not listened to either.
        let gossip = control.accept(StreamProtocol::new(GOSSIP)).map_err(|error| anyhow::anyhow!("gossip: {error}"))?;
        let (heard, listener) = watch::channel(None);
        let hearing = tokio::spawn(hear(gossip, listener));
        let (commands, orders) = mpsc::channel(16);
        let tasks = [tokio::spawn(run(swarm, orders)), hearing];
        Ok(Self { seed, id, listening, control, commands, heard, tasks })
    }

    /// What its identity is made from.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.seed
    }

    /// Its id, as the protocol writes it.
    ///
    /// # Errors
    /// Never for ids of ours.
    pub fn node(&self) -> Result<NodeId> {
        Ok(NodeId::new(self.id.to_bytes())?)
    }

    /// Where it listens, with its id.
    #[must_use]
    pub fn address(&self) -> String {
        self.listening.clone().with(Protocol::P2p(self.id)).to_string()
    }

    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// When none does.
    pub async fn connect(&self, addresses: &[String]) -> Result<PeerId> {
        let mut last = anyhow::anyhow!("there is no address");
        for address in addresses {
            match self.dial(address.parse()?).await {
                Ok(peer) => return Ok(peer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn dial(&self, address: Multiaddr) -> Result<PeerId> {
        let (answer, connected) = oneshot::channel();
        self.commands.send(Command::Dial(address, answer)).await.ok().context("the node has ended")?;
        timeout(CONNECT, connected).await.context("not connected in time")??
    }

    /// Cuts the connections to a peer.
    ///
    /// # Errors
    /// When this node has ended.
    pub async fn leave(&self, peer: PeerId) -> Result<()> {
        self.commands.send(Command::Leave(peer)).await.ok().context("the node has ended")
    }

    /// Opens a stream and waits until it is taken.
    ///
    /// # Errors
    /// When the daemon refuses it.
    pub async fn open(&self, peer: PeerId, protocol: &'static str) -> Result<Wire> {
        let mut wire = self.open_untaken(peer, protocol).await?;
        wire.wait_until_taken().await?;
        Ok(wire)
    }

    /// Opens a stream and waits for nothing.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open_untaken(&self, peer: PeerId, protocol: &'static str) -> Result<Wire> {
        let mut control = self.control.clone();
        let opened = control.open_stream(peer, StreamProtocol::new(protocol));
        let stream = timeout(ANSWER, opened).await.context("no stream in time")?;
        Ok(Wire::new(stream.map_err(|error| anyhow::anyhow!("no stream: {error}"))?))
    }

    /// The bytes of gossip that come from now on, in pieces as they are read.
    pub fn hear_gossip(&self) -> mpsc::Receiver<Vec<u8>> {
        let (sender, receiver) = mpsc::channel(STREAMS_WAITING);
        self.heard.send_replace(Some(sender));
        receiver
    }

    /// From now on this protocol is spoken: streams that others open come out here, taken.
    ///
    /// # Errors
    /// When it is spoken already.
    pub fn accept(&self, protocol: &'static str) -> Result<mpsc::Receiver<Wire>> {
        let accepted = self.control.clone().accept(StreamProtocol::new(protocol));
        let mut streams = accepted.map_err(|error| anyhow::anyhow!("{protocol}: {error}"))?;
        let (sender, receiver) = mpsc::channel(STREAMS_WAITING);
        tokio::spawn(async move {
            while let Some((_, stream)) = streams.next().await {
                let mut wire = Wire::new(stream);
                if wire.take().await.is_ok() && sender.send(wire).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

pub(crate) fn many_streams() -> libp2p_yamux::Config {
    let mut config = libp2p_yamux::Config::default();
    config.set_max_num_streams(STREAMS);
    config
}

/// Random bytes.
///
/// # Errors
/// When the machine gives none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

/// Reads gossip, and throws it away unless somebody wants it.
async fn hear(mut streams: IncomingStreams, listener: watch::Receiver<Option<mpsc::Sender<Vec<u8>>>>) {
    while let Some((_, mut stream)) = streams.next().await {
        let listener = listener.clone();
        tokio::spawn(async move {
            let mut piece = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = stream.read(&mut piece).await {
                let wants = listener.borrow().clone();
                if let (Some(wants), Some(bytes)) = (wants, piece.get(..read)) {
                    // Whoever wanted it may be gone.
                    let _ = wants.send(bytes.to_vec()).await;
                }
            }
        });
    }
}

async fn run(mut swarm: Swarm<Behaviour>, mut orders: mpsc::Receiver<Command>) {
    let mut dials = Vec::new();
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                None => return,
                Some(Command::Leave(peer)) => {
                    let _ = swarm.disconnect_peer_id(peer);
                }
                Some(Command::Dial(address, answer)) => {
                    // From a port of its own: to dial from the one that listens needs it free on all addresses of the machine,
                    // and on another one somebody else may have it.
                    let dial = DialOpts::unknown_peer_id().address(address).allocate_new_port().build();
                    let id = dial.connection_id();
                    match swarm.dial(dial) {
                        Ok(()) => dials.push((id, answer)),
                        Err(error) => { let _ = answer.send(Err(error.into())); }
                    }
                }
            },
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { connection_id, peer_id, .. } => {
                    for (_, answer) in dials.extract_if(.., |(id, _)| *id == connection_id) {
                        let _ = answer.send(Ok(peer_id));
                    }
                }
                SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                    let error = error.to_string();
                    for (_, answer) in dials.extract_if(.., |(id, _)| *id == connection_id) {
                        let _ = answer.send(Err(anyhow::anyhow!("not connected: {error}")));
                    }
                }
                _ => {}
            },
        }
    }
}
