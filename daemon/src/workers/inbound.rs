//! What comes in from the network, given to the part that answers it. Every stream is handled in a task of its own, bounded in number by the network.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Core, Job, events, receiving, sending};
use crate::live::What;
use crate::network::{NetworkEvent, PeerStream, Protocol};
use crate::tasks::Stage;

/// Runs until the network stops.
pub(super) async fn dispatch(core: Arc<Core>, mut incoming: mpsc::Receiver<NetworkEvent>) {
    let stop = core.tasks.stop_token(Stage::Work);
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = incoming.recv() => match event {
                Some(event) => event,
                None => return,
            },
        };
        match event {
            NetworkEvent::Connected(node) => {
                core.live.tell(What::Status, None);
                core.live.tell(What::Events, None);
                core.tasks.spawn(Stage::Work, "sync", events::sync_with(core.clone(), node));
                core.fetches.hurry();
                core.offers.hurry();
                core.board.ring(Job::Events);
                core.board.ring(Job::Sending);
                core.board.ring(Job::Receiving);
                core.board.ring(Job::Verify);
            }
            NetworkEvent::Disconnected(_) => {
                core.live.tell(What::Status, None);
                core.live.tell(What::Events, None);
            }
            NetworkEvent::Inbound(protocol, stream) => {
                core.tasks.spawn(Stage::Work, protocol.name(), handle(core.clone(), protocol, stream));
            }
            NetworkEvent::Gossip { topic, bytes, .. } => {
                core.tasks.spawn(Stage::Work, "gossip", events::take_gossip(core.clone(), topic, bytes));
            }
            NetworkEvent::AddressesChanged => {
                core.live.tell(What::Status, None);
                core.board.ring(Job::Events);
            }
        }
    }
}

async fn handle(core: Arc<Core>, protocol: Protocol, stream: PeerStream) {
    let outcome = match protocol {
        Protocol::Join => events::answer_join(core, stream).await,
        Protocol::Sync => events::answer_sync(core, stream).await,
        Protocol::Push => events::take_push(core, stream).await,
        Protocol::Offer => receiving::answer(core, stream).await,
        Protocol::Fetch => sending::serve(core, stream).await,
    };
    if let Err(error) = outcome {
        // No name, address or id of others in the log.
        tracing::info!(protocol = protocol.name(), "a stream ended early: {error:#}");
    }
}
