//! What can be known of how this node looks from outside: relays see where its connections come from.

use futures::FutureExt;
use tokio::{sync::oneshot, time::Instant};

use super::{
    super::{
        Outside, Protocol, RelayAnswer, address,
        introduction::greet_timed,
        limits,
        my_relay::{MyRelay, RelayState},
    },
    Driver,
};

impl Driver {
    /// Asks the relay that the owner named. Without an answer there is none in what is said.
    pub(super) fn look_outside(&mut self, answer: oneshot::Sender<Outside>) {
        let outside = Outside { seen: self.seen_at(), relay: None };
        let Some(relay) = &mut self.my_relay else { return reply(answer, outside) };
        if relay.state != RelayState::Reserved {
            relay.hurry(Instant::now());
        }
        let peer = relay.peer;
        let me = address::node_id(self.swarm.local_peer_id());
        let proof = me.as_ref().zip(self.my_relay.as_ref()).map(|(me, relay): (_, &MyRelay)| relay.proof(me));
        let (Some(node), Some(link)) = (address::node_id(&peer), self.best_link(&peer, Protocol::Relay)) else {
            return reply(answer, outside);
        };
        if self.answering.len() >= limits::STREAMS_INBOUND {
            return reply(answer, outside);
        }
        let (opening, opened) = oneshot::channel();
        self.swarm.behaviour_mut().substreams.open(peer, link, Protocol::Relay, opening);
        let asking = async move {
            let relay = greet_timed(node, opened, proof).await.ok().map(|(welcome, round_trip)| RelayAnswer {
                seen: welcome.seen,
                admitted: welcome.admitted,
                now_ms: welcome.now.0,
                round_trip,
            });
            reply(answer, Outside { relay, ..outside });
        };
        self.answering.push(asking.boxed());
    }
}

/// Whoever asked may have stopped waiting.
fn reply(answer: oneshot::Sender<Outside>, outside: Outside) {
    let _ = answer.send(outside);
}
