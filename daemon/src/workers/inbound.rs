//! What comes in from the network, given to the part that answers it. Every stream is handled in a task of its own, bounded in number by the network.

use std::sync::Arc;

use inframe_protocol::NodeId;
use inframe_protocol::allowance::Ask;
use inframe_protocol::code::CodeReply;
use inframe_protocol::join::{JoinRefusal, JoinReply};
use tokio::sync::mpsc;

use super::askers::{Askers, Verdict};
use super::{Core, Job, codes, deputies, events, keeping, recalls, receiving, sending, syncing};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::live::What;
use crate::network::{NetworkEvent, PeerStream, Protocol};
use crate::tasks::Stage;

/// Runs until the network stops.
pub(super) async fn dispatch(core: Arc<Core>, mut incoming: mpsc::Receiver<NetworkEvent>) {
    let stop = core.tasks.stop_token(Stage::Work);
    let mut askers = Askers::default();
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
                deputies::is_back(&core, &node);
                core.tasks.spawn(Stage::Work, "sync", syncing::with(core.clone(), node));
                core.fetches.hurry();
                core.offers.hurry();
                core.board.ring(Job::Events);
                core.board.ring(Job::Sending);
                core.board.ring(Job::Receiving);
                core.board.ring(Job::Keeping);
                core.board.ring(Job::Verify);
            }
            NetworkEvent::Disconnected(node) => {
                core.rounds.syncs.forget(&node);
                core.live.tell(What::Status, None);
                core.live.tell(What::Events, None);
            }
            NetworkEvent::Inbound(protocol, stream) => {
                if let Some(ask) = asks_for(protocol)
                    && !may_ask(&core, &mut askers, stream.peer(), ask)
                {
                    core.tasks.spawn(Stage::Work, "turned away", turn_away(protocol, stream));
                    continue;
                }
                core.tasks.spawn(Stage::Work, protocol.name(), handle(core.clone(), protocol, stream));
            }
            NetworkEvent::Gossip { topic, bytes, from } => {
                if !may_ask(&core, &mut askers, &from, Ask::Gossip) {
                    continue;
                }
                core.tasks.spawn(Stage::Work, "gossip", events::take_gossip(core.clone(), topic, bytes));
            }
            NetworkEvent::AddressesChanged => {
                core.live.tell(What::Status, None);
                core.board.ring(Job::Events);
            }
        }
    }
}

/// What a stream of this protocol asks for. Offers are answered in any number: whoever cannot take more says so, and is asked again.
fn asks_for(protocol: Protocol) -> Option<Ask> {
    match protocol {
        Protocol::Join => Some(Ask::Join),
        Protocol::Code => Some(Ask::Code),
        Protocol::Sync => Some(Ask::Sync),
        Protocol::Push => Some(Ask::Push),
        Protocol::Fetch => Some(Ask::Fetch),
        Protocol::Keep => Some(Ask::Keep),
        Protocol::Deputy => Some(Ask::Deputy),
        Protocol::Recall => Some(Ask::Recall),
        // Punches are the network's own, and no node takes what is a relay's.
        Protocol::Offer | Protocol::Punch | Protocol::Relay => None,
    }
}

/// Whether a peer has not asked too often (R53); when it has, it is noted once.
fn may_ask(core: &Arc<Core>, askers: &mut Askers, peer: &NodeId, ask: Ask) -> bool {
    let verdict = askers.judge(peer, ask, now_ms());
    if verdict == Verdict::TurnAwayAndNote {
        let (core, peer) = (core.clone(), peer.clone());
        core.clone().tasks.spawn(Stage::Work, "noting a flood", async move {
            let shared = core.events.shared_with(&peer).into_iter().next();
            let who = shared.and_then(|event| core.events.member_by_node(&event, &peer)).map(|(_, nickname)| nickname);
            let who = who.map_or_else(|| "a device that is no member".to_owned(), |who| format!("the device of {who}"));
            let text = format!("What {who} asks comes too often; some of it is turned away.");
            events::note_of(&core, peer, ActivityKind::Suspicious, text, shared).await;
        });
    }
    verdict == Verdict::Answer
}

/// Says no as the protocol does; a stream whose answers would say something untrue is closed without a word.
async fn turn_away(protocol: Protocol, mut stream: PeerStream) {
    let _ = match protocol {
        Protocol::Join => stream.write_message(&JoinReply::Refused(JoinRefusal::Busy)).await,
        Protocol::Code => stream.write_message(&CodeReply::Declined).await,
        _ => Ok(()),
    };
    let _ = stream.close().await;
}

async fn handle(core: Arc<Core>, protocol: Protocol, stream: PeerStream) {
    let outcome = match protocol {
        Protocol::Join => events::answer_join(core, stream).await,
        Protocol::Code => codes::answer(core, stream).await,
        Protocol::Sync => syncing::answer(core, stream).await,
        Protocol::Push => events::take_push(core, stream).await,
        Protocol::Offer => receiving::answer(core, stream).await,
        Protocol::Fetch => sending::serve(core, stream).await,
        Protocol::Keep => keeping::answer(core, stream).await,
        Protocol::Deputy => deputies::answer(core, stream).await,
        Protocol::Recall => recalls::answer(core, stream).await,
        // The network part keeps these for itself.
        Protocol::Punch | Protocol::Relay => Ok(()),
    };
    if let Err(error) = outcome {
        // No name, address or id of others in the log.
        tracing::info!(protocol = protocol.name(), "a stream ended early: {error:#}");
    }
}
