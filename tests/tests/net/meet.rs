//! Daemons on the hosts of a network, in one event; and waiting until they see each other.

use std::time::Duration;

use anyhow::Result;
use inframe_tests::api::Api;
use inframe_tests::daemon::Daemon;
use inframe_tests::lan::Lan;
use inframe_tests::views::MyRelay;
use inframe_tests::wait::{Seen, wait_until};

/// Some seconds on an idle machine; less than the pauses that have grown to five minutes.
pub const BACK: Duration = Duration::from_secs(90);

/// Waits until a node says of its relay that it is so.
pub async fn relay_is(api: &Api, state: &str) -> Result<MyRelay> {
    wait_until(&format!("a relay that is {state}"), BACK, async || {
        let relay = api.relay().await?;
        let is = relay.state == state;
        Ok(Seen::when(is.then(|| relay.clone()), || format!("{relay:?}")))
    })
    .await
}

/// Waits until `node` is connected to `other`, or is not.
pub async fn sees(node: &Daemon, other: &str, connected: bool, limit: Duration) -> Result<()> {
    let what = format!("{} {} {other}", node.nickname(), if connected { "connected to" } else { "without" });
    wait_until(&what, limit, async || {
        let peers = node.api().peers().await?;
        let is = peers.iter().any(|peer| peer.node_id == other && peer.connected);
        Ok(Seen::when((is == connected).then_some(()), || format!("{peers:?}")))
    })
    .await
}

/// Waits until every node is connected to every other.
pub async fn all_see_all(nodes: &[Daemon], ids: &[String], limit: Duration) -> Result<()> {
    for (at, node) in nodes.iter().enumerate() {
        for (_, other) in ids.iter().enumerate().filter(|(other, _)| *other != at) {
            sees(node, other, true, limit).await?;
        }
    }
    Ok(())
}

/// Their ids, as others name them.
pub async fn ids(nodes: &[Daemon]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for node in nodes {
        ids.push(node.api().status().await?.node_id);
    }
    Ok(ids)
}

/// Stops all nodes, gives every host another address, starts them again: whatever they knew of each other is wrong.
pub async fn renumber_all(lan: &mut Lan, nodes: &mut [Daemon]) -> Result<()> {
    for node in nodes.iter_mut() {
        node.stop().await?;
    }
    for (host, number) in (0..nodes.len()).zip(100..) {
        lan.renumber(host, number)?;
    }
    for node in nodes {
        node.restart().await?;
    }
    Ok(())
}
