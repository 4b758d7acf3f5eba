//! Which nodes are known, and which of them are kept connected: all members of a small event; of a large one the neighbours, and those whom a photo
//! goes to or comes from.

use std::collections::BTreeSet;

use inframe_protocol::NodeId;

use super::Core;
use crate::sharing::kept::HeldState;
use crate::sharing::ledgers::{ArrivalState, DeliveryState};

/// Names them to the network.
pub(super) async fn name_nodes(core: &Core) {
    let mut kept = core.events.kept_nodes(|node| core.network.is_connected(node));
    if core.events.any_sparse() {
        kept.extend(in_transfers(core));
    }
    core.network.set_known(core.events.known_nodes(), |node| kept.contains(node)).await;
}

/// Names them again if a photo waits for somebody who is not connected.
pub(super) async fn name_nodes_of_transfers(core: &Core) {
    if core.events.any_sparse() && in_transfers(core).iter().any(|node| !core.network.is_connected(node)) {
        name_nodes(core).await;
    }
}

/// The nodes that a photo goes to or comes from, or is kept for.
fn in_transfers(core: &Core) -> BTreeSet<NodeId> {
    let going = core.deliveries.all().into_iter().filter_map(|(_, row)| {
        let open = matches!(row.state, DeliveryState::Pending | DeliveryState::Accepted);
        open.then(|| core.events.member_node(&row.event, &row.member)).flatten()
    });
    let coming = core.arrivals.all().into_iter();
    let coming = coming.filter_map(|(_, row)| (row.state == ArrivalState::Accepted).then(|| row.node.clone()));
    let kept = core.held.all().into_iter().filter_map(|(_, row)| {
        let label = *row.delivery.label();
        let is_kept = matches!(row.state, HeldState::Kept);
        is_kept.then(|| core.events.member_node(&label.event, &label.to)).flatten()
    });
    going.chain(coming).chain(kept).collect()
}
