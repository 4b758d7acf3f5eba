//! Tells those who have not heard it that this node left an event.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use inframe_protocol::push::{Push, PushReply};
use inframe_protocol::{EventId, NodeId};

use super::{Core, blocking};
use crate::clock::now_ms;
use crate::network::Protocol;
use crate::transfer;

/// Peers told at once.
const TOLD_AT_ONCE: usize = 16;
/// Longest that one peer may take; it is tried again at the next step.
const TELL_WITHIN: Duration = Duration::from_secs(10);

/// Tells everybody who is connected now, and remembers who was told; the rest follow when they come.
pub(crate) async fn say(core: &Arc<Core>) {
    for (event, record, nodes) in core.events.farewells_to_say() {
        let push = Push::record(event, record);
        let connected = nodes.into_iter().filter(|node| core.network.is_connected(node));
        let told: Vec<NodeId> = futures::stream::iter(connected)
            .map(|node| tell(core, push.clone(), node))
            .buffer_unordered(TOLD_AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        note(core, event, told).await;
    }
}

/// Gives the node back if it needs no further telling.
async fn tell(core: &Arc<Core>, push: Push, node: NodeId) -> Option<NodeId> {
    let telling = transfer::ask::<_, PushReply>(&core.network, &node, Protocol::Push, &push);
    match tokio::time::timeout(TELL_WITHIN, telling).await {
        // Who refuses does not count me as a member any more, or has left as well.
        Ok(Ok(PushReply::Taken | PushReply::Refused)) => return Some(node),
        Ok(Err(error)) => tracing::debug!("a farewell did not arrive: {error:#}"),
        Err(_) => tracing::debug!("a farewell took too long"),
    }
    None
}

async fn note(core: &Arc<Core>, event: EventId, told: Vec<NodeId>) {
    let writer = core.clone();
    match blocking(move || writer.events.farewell_said(&event, &told, now_ms())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("who heard a farewell could not be noted; they hear it again: {error}"),
        Err(error) => tracing::warn!("who heard a farewell could not be noted: {error:#}"),
    }
}
