//! What others send: streams, which need a place each, and gossip.

use futures::FutureExt;
use libp2p::{PeerId, gossipsub};

use super::{
    super::{
        NetworkEvent, Protocol, address, gossip, limits,
        peer_stream::{Answer, PeerStream, Place},
        substreams::Inbound,
    },
    Driver,
};

impl Driver {
    /// Takes an inbound stream only if its peer may use the protocol (D8) and may have another, and a handler has room for it (D7).
    pub(super) fn on_inbound(&mut self, Inbound { peer, connection, protocol, stream }: Inbound) {
        let (Some(connected), Some(node)) = (self.peers.get(&peer), address::node_id(&peer)) else { return };
        let known = self.redial.knows(&peer);
        if !known && protocol != Protocol::Join {
            // A peer that was admitted a moment ago tries again and finds itself known.
            tracing::debug!(%peer, protocol = protocol.name(), "a stream was refused: strangers may only ask to join");
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
