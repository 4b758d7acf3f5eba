//! Daemons on the hosts of a network, in one event; and waiting until they see each other.

use std::time::Duration;

use anyhow::{Context, Result};
use inframe_tests::daemon::Daemon;
use inframe_tests::lan::Lan;
use inframe_tests::scene::SOON;
use inframe_tests::views::EventPatch;
use inframe_tests::wait::{Seen, wait_until};

/// Some seconds on an idle machine; less than the pauses that have grown to five minutes.
pub const BACK: Duration = Duration::from_secs(90);

/// Starts a daemon on each host, in one event that the first has made.
pub async fn gather(lan: &Lan, hosts: usize) -> Result<(Vec<Daemon>, String)> {
    let starting = (0..hosts).map(|host| Daemon::start_with(lan.options(host, &format!("Node {host}"))));
    let nodes = futures::future::try_join_all(starting).await?;
    let (first, others) = nodes.split_first().context("no hosts")?;
    let event = first.api().create_event("Party").await?.id;
    let patch = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
    first.api().patch_event(&event, &patch).await?;
    let link = first.api().invite(&event, None, Some(10)).await?.link;
    for node in others {
        node.api().join(&link).await?;
    }
    for node in &nodes {
        wait_until(&format!("all members at {}", node.nickname()), SOON, async || {
            let seen = node.api().event(&event).await?;
            let all = seen.members.len() == hosts;
            Ok(Seen::when(all.then_some(()), || format!("{} members, {:?}", seen.members.len(), seen.problem)))
        })
        .await?;
    }
    Ok((nodes, event))
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
