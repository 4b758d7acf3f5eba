//! Found, lost and found again: on one bridge, over a router, with addresses that change, cables that are pulled, machines that sleep.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use inframe_tests::cli;
use inframe_tests::daemon::Daemon;
use inframe_tests::lan::Lan;
use inframe_tests::photos;
use inframe_tests::scene::{self, WORKED, announce, gather_on, received, upload};
use inframe_tests::wait::{Seen, wait_until};
use serde_json::Value;

use super::meet::{BACK, all_see_all, ids, renumber_all, sees};

/// A peer that says nothing any more is given up after two lost pings: about a minute.
const LOST: Duration = Duration::from_secs(180);
/// A node that has lost its own address knows in five seconds; by pings it would take more than fifty.
const ALONE: Duration = Duration::from_secs(35);
/// How long a cable is out: longer than it takes both sides to notice.
const OUTAGE: Duration = Duration::from_secs(70);

/// The addresses that `node` shows for a peer.
fn addresses_of(node: &Daemon, peer: &str) -> Result<Vec<String>> {
    let peers: Value = serde_json::from_str(&cli::answer(node, &["--json", "peers"])?)?;
    let found = peers.as_array().context("no list")?.iter().find(|found| found["node_id"] == peer);
    let addresses = found.context("no such peer")?["addresses"].as_array().context("no addresses")?;
    Ok(addresses.iter().filter_map(|address| address.as_str().map(str::to_owned)).collect())
}

fn signal(node: &Daemon, signal: &str) -> Result<()> {
    let pid = node.pid().context("the daemon has ended")?.to_string();
    ensure!(Command::new("kill").args([signal, &pid]).status()?.success(), "cannot send {signal}");
    Ok(())
}

#[tokio::test]
async fn two_nodes_find_each_other_by_multicast_alone_and_deliver() -> Result<()> {
    if !Lan::is_possible("two nodes on a bridge")? {
        return Ok(());
    }
    let mut lan = Lan::bridge(2)?;
    let (mut nodes, event) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    renumber_all(&mut lan, &mut nodes).await?;
    all_see_all(&nodes, &ids, BACK).await?;

    let [holder, finder] = nodes.as_slice() else { anyhow::bail!("two nodes") };
    scene::share_all(holder.api(), &event, "automatic").await?;
    scene::enrol(finder.api()).await?;
    upload(holder.api(), "arrival.jpg", photos::hers()?).await?;
    announce(finder.api(), &event).await?;
    wait_until("the photo at the finder", WORKED, async || {
        let got = received(finder.api()).await?.len();
        Ok(Seen::when((got == 1).then_some(()), || format!("{got} received")))
    })
    .await
}

#[tokio::test]
async fn five_nodes_find_each_other_by_multicast_alone() -> Result<()> {
    if !Lan::is_possible("five nodes on a bridge")? {
        return Ok(());
    }
    let mut lan = Lan::bridge(5)?;
    let (mut nodes, _) = gather_on(&lan, 5).await?;
    let ids = ids(&nodes).await?;
    renumber_all(&mut lan, &mut nodes).await?;
    all_see_all(&nodes, &ids, BACK).await
}

#[tokio::test]
async fn a_node_whose_address_changes_is_connected_at_the_new_one() -> Result<()> {
    if !Lan::is_possible("an address that changes")? {
        return Ok(());
    }
    let mut lan = Lan::bridge(2)?;
    let (nodes, _) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    all_see_all(&nodes, &ids, BACK).await?;
    lan.renumber(1, 77)?;
    let new = format!("/ip4/{}/", lan.address(1)?);
    wait_until("a connection with the new address", BACK, async || {
        let shown = addresses_of(&nodes[0], &ids[1])?;
        // Those that are told end in the id; the other ends of connections do not.
        let used = shown.iter().any(|address| address.starts_with(&new) && !address.contains("/p2p/"));
        Ok(Seen::when(used.then_some(()), || format!("{shown:?}")))
    })
    .await?;
    all_see_all(&nodes, &ids, BACK).await
}

#[tokio::test]
async fn a_node_that_loses_its_address_knows_at_once_that_it_is_alone_and_comes_back_at_another() -> Result<()> {
    if !Lan::is_possible("an address that is lost")? {
        return Ok(());
    }
    let mut lan = Lan::bridge(2)?;
    let (nodes, _) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    all_see_all(&nodes, &ids, BACK).await?;
    lan.take_address(1)?;
    sees(&nodes[1], &ids[0], false, ALONE).await?;
    lan.give_address(1, 78)?;
    sees(&nodes[1], &ids[0], true, BACK).await?;
    sees(&nodes[0], &ids[1], true, BACK).await
}

#[tokio::test]
async fn after_a_cable_was_out_both_sides_are_connected_again() -> Result<()> {
    if !Lan::is_possible("a cable that is pulled")? {
        return Ok(());
    }
    let lan = Lan::bridge(2)?;
    let (nodes, _) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    all_see_all(&nodes, &ids, BACK).await?;
    let pulled = Instant::now();
    lan.cable(1, false)?;
    sees(&nodes[0], &ids[1], false, LOST).await?;
    sees(&nodes[1], &ids[0], false, LOST).await?;
    tokio::time::sleep(OUTAGE.saturating_sub(pulled.elapsed())).await;
    lan.cable(1, true)?;
    all_see_all(&nodes, &ids, BACK).await
}

#[tokio::test]
async fn a_machine_that_sleeps_and_wakes_up_elsewhere_is_connected_again() -> Result<()> {
    if !Lan::is_possible("a machine that sleeps")? {
        return Ok(());
    }
    let mut lan = Lan::bridge(2)?;
    let (nodes, _) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    all_see_all(&nodes, &ids, BACK).await?;
    signal(&nodes[1], "-STOP")?;
    sees(&nodes[0], &ids[1], false, LOST).await?;
    lan.renumber(1, 79)?;
    signal(&nodes[1], "-CONT")?;
    sees(&nodes[0], &ids[1], true, BACK).await?;
    sees(&nodes[1], &ids[0], true, BACK).await
}

#[tokio::test]
async fn over_a_router_the_addresses_in_the_invite_and_in_the_event_are_enough() -> Result<()> {
    if !Lan::is_possible("two subnets")? {
        return Ok(());
    }
    let lan = Lan::subnets(&[1, 1])?;
    let (mut nodes, _) = gather_on(&lan, 2).await?;
    let ids = ids(&nodes).await?;
    all_see_all(&nodes, &ids, BACK).await?;
    for at in 0..nodes.len() {
        nodes[at].stop().await?;
        sees(&nodes[1 - at], &ids[at], false, LOST).await?;
        nodes[at].restart().await?;
        all_see_all(&nodes, &ids, BACK).await?;
    }
    Ok(())
}
