//! What others send: streams, which need a place each, and gossip; and which connection a stream may take.

use futures::FutureExt;
use libp2p::{PeerId, gossipsub, swarm::ConnectionId};

use super::{
    super::{
        NetworkEvent, Protocol, address, gossip, limits,
        peer_stream::{Answer, PeerStream, Place},
        substreams::Inbound,
    },
    Driver, Link,
};

impl Link {
    /// Whether both ends are on one local network, or this machine.
    pub(super) fn is_local(&self) -> bool {
        !self.relayed && address::is_local(&self.address)
    }
}

impl Driver {
    /// The connection on which to open a stream: a straight one if there is one, the newest.
    pub(super) fn best_link(&self, peer: &PeerId, protocol: Protocol) -> Option<ConnectionId> {
        let links = self.peers.get(peer)?.links.iter().rev().filter(|link| !protocol.is_local() || link.is_local());
        links.min_by_key(|link| link.relayed).map(|link| link.id)
    }

    /// Takes an inbound stream only if its peer may use the protocol (D8) and may have another, and a handler has room for it (D7).
    pub(super) fn on_inbound(&mut self, Inbound { peer, connection, protocol, stream }: Inbound) {
        let (Some(connected), Some(node)) = (self.peers.get(&peer), address::node_id(&peer)) else { return };
        let known = self.redial.knows(&peer);
        if !known && !protocol.is_for_strangers() {
            // A peer that was admitted a moment ago tries again and finds itself known.
            tracing::debug!(%peer, protocol = protocol.name(), "a stream was refused: strangers may only ask to join");
            return;
        }
        if protocol.is_local() && !connected.links.iter().any(|link| link.id == connection && link.is_local()) {
            tracing::debug!(%peer, protocol = protocol.name(), "a stream was refused: it is for the local network only");
            return;
        }
        let most = if known { limits::STREAMS_OF_KNOWN_PEER } else { limits::STREAMS_OF_STRANGER };
        let Some(place) = Place::take(&connected.inbound, most, &self.inbound) else {
            // No answer: answers to streams without a place would themselves be unbounded. Dropping resets it.
            tracing::info!(%peer, protocol = protocol.name(), most, "a stream was refused: the peer has too many");
            return;
        };
        let mut stream = PeerStream::new(node, protocol, stream, Some(place));
        if protocol == Protocol::Punch {
            return self.on_punch(peer, connection, stream);
        }
        let answer = match self.events.clone().try_reserve_owned() {
            Ok(room) => async move {
                if stream.answer(Answer::Taken).await.is_ok() {
                    room.send(NetworkEvent::Inbound(protocol, stream));
                }
            }
            .boxed(),
            Err(_) => {
                tracing::info!(%peer, protocol = protocol.name(), "a stream was refused: too much is waiting");
                async move {
                    // The peer tries again later whether or not it hears this.
                    let _ = stream.answer(Answer::Busy).await;
                    let _ = stream.close().await;
                }
                .boxed()
            }
        };
        self.answering.push(answer);
    }

    pub(super) fn on_gossip(&mut self, from: PeerId, id: &gossipsub::MessageId, message: gossipsub::Message) {
        let verdict = if self.redial.knows(&from) {
            gossipsub::MessageAcceptance::Accept
        } else {
            gossipsub::MessageAcceptance::Reject
        };
        let accepted = matches!(verdict, gossipsub::MessageAcceptance::Accept);
        self.swarm.behaviour_mut().gossip.report_message_validation_result(id, &from, verdict);
        if !accepted {
            tracing::debug!(peer = %from, "gossip of a stranger was refused");
            return;
        }
        let event = address::node_id(&from).and_then(|from| gossip::received(&message.topic, message.data, from));
        if self.events.capacity() <= limits::EVENTS_KEPT_FROM_GOSSIP {
            tracing::debug!(peer = %from, "gossip was dropped: too much is waiting; sync will bring it");
        } else if let Some(event) = event {
            // There is room, and if the receiver is gone the task ends anyway.
            let _ = self.events.try_send(event);
        }
    }
}
