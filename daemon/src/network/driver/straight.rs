//! From a connection through a relay to a straight one: known addresses are tried again after pauses, both routers are
//! opened at the same moment, and the connection through the relay is closed when a straight one has proven itself.
//!
//! This does what libp2p's DCUtR does, with messages of our own. Its crate takes the addresses to tell from an identify
//! protocol, and only those known before the circuit; it dials whatever addresses anybody behind a relay names, strangers
//! too; and it keeps a row for each attempt for ever (D7).

use std::time::Duration;

use futures::FutureExt;
use libp2p::{
    Multiaddr, PeerId,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::{sync::oneshot, time::Instant};

use super::{
    super::{
        Protocol, address,
        introduction::{answer_punch, begin_punch},
        limits,
        peer_stream::PeerStream,
    },
    Driver, Talk,
};

impl Driver {
    /// Looks after connections through relays; to be called every few seconds.
    pub(super) fn straighten(&mut self) {
        let now = Instant::now();
        for (peer, circuit) in self.dials.late(now) {
            self.dial_through(peer, circuit);
        }
        self.on_relay_failed(None);
        let (mut over, mut wanted) = (Vec::new(), Vec::new());
        for (peer, connected) in &mut self.peers {
            let proven =
                |link: &super::Link| !link.relayed && now.duration_since(link.since) >= limits::STRAIGHT_PROVEN;
            if connected.links.iter().any(proven) {
                over.extend(connected.links.iter().filter(|link| link.relayed).map(|link| link.id));
            } else if connected.is_relayed() && connected.try_straight_at <= now && self.redial.knows(peer) {
                connected.try_straight_at = now + pause(connected.straight_tries);
                connected.straight_tries = connected.straight_tries.saturating_add(1);
                wanted.push(*peer);
            }
        }
        for link in over {
            self.swarm.close_connection(link);
        }
        wanted.into_iter().for_each(|peer| self.try_straight(peer));
    }

    /// Tries to reach a peer straight that is connected through a relay.
    fn try_straight(&mut self, peer: PeerId) {
        let addresses: Vec<Multiaddr> =
            self.addresses_of(&peer, Vec::new()).into_iter().filter(address::is_straight).collect();
        if let (false, Some(node)) = (addresses.is_empty(), address::node_id(&peer)) {
            let next = self.dials.want((peer, node.clone()), addresses, None);
            self.go_on(peer, next);
        }
        let Some(connected) = self.peers.get(&peer) else { return };
        // One of both begins: the one that was reached.
        let Some(link) = connected.links.iter().find(|link| link.relayed && link.inbound) else { return };
        let (seen, link, node) = (self.seen_at(), link.id, address::node_id(&peer));
        let (false, Some(node), true) = (seen.is_empty(), node, self.talks.len() < limits::TALKS) else { return };
        let (answer, opened) = oneshot::channel();
        self.swarm.behaviour_mut().substreams.open(peer, link, Protocol::Punch, answer);
        let talk = async move {
            let theirs = begin_punch(node, opened, seen).await;
            Talk::Punch { peer, began: true, theirs: theirs.unwrap_or_default() }
        };
        self.talks.push(talk.boxed());
    }

    /// A member that is connected through a relay wants to connect straight.
    pub(super) fn on_punch(&mut self, peer: PeerId, connection: ConnectionId, stream: PeerStream) {
        let relayed = self.peers.get(&peer).is_some_and(|connected| {
            connected.links.iter().any(|link| link.id == connection && link.relayed && !link.inbound)
        });
        if !relayed || self.talks.len() >= limits::TALKS {
            tracing::debug!(%peer, "no straight connection is agreed on: there is no need, or too many are being made");
            return;
        }
        let seen = self.seen_at();
        let talk = async move {
            let theirs = answer_punch(stream, seen).await;
            Talk::Punch { peer, began: false, theirs: theirs.unwrap_or_default() }
        };
        self.talks.push(talk.boxed());
    }

    /// It is the moment to dial: the other side does the same now, and the routers let in what each sends.
    pub(super) fn punch(&mut self, peer: PeerId, began: bool, theirs: &[String]) {
        let theirs: Vec<Multiaddr> =
            address::parse_all(&peer, theirs).into_iter().filter(address::is_straight).collect();
        if theirs.is_empty() || !self.peers.get(&peer).is_some_and(super::Peer::is_relayed) {
            return;
        }
        tracing::debug!(%peer, addresses = theirs.len(), "both sides dial to connect straight");
        let dial = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(theirs);
        let dial = if began { dial.override_role().build() } else { dial.build() };
        if let Err(error) = self.swarm.dial(dial) {
            tracing::debug!(%peer, %error, "a straight connection was not tried");
        }
    }

    /// Where relays see this node.
    pub(super) fn seen_at(&self) -> Vec<String> {
        let seen = self.relays.values().flatten().map(Multiaddr::to_string);
        seen.take(inframe_protocol::limits::MAX_ADDRESSES).collect()
    }
}

/// 10 s, 20 s, 40 s ... up to a quarter of an hour.
fn pause(tries: u32) -> Duration {
    limits::STRAIGHT_FIRST_PAUSE.saturating_mul(1 << tries.min(16)).min(limits::STRAIGHT_LAST_PAUSE)
}
