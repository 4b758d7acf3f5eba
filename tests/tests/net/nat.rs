//! Two homes behind routers and a relay between them: found, joined, delivered through it; straight where the routers allow it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use inframe_tests::cli;
use inframe_tests::daemon::{Daemon, binary};
use inframe_tests::nat::{BETWEEN, Nat, Ports};
use inframe_tests::photos;
use inframe_tests::relay::Relay;
use inframe_tests::scene::{self, SOON, WORKED, announce, received, upload};
use inframe_tests::views::EventPatch;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

use super::meet::{BACK, relay_is, sees};

/// The wire, and not the whole machine: the relay prints this address alone.
const LISTEN: &str = "/ip4/203.0.113.1/tcp/7413";
/// Pixels of the long side of a photo of about 20 MB.
const LARGE: u32 = 3_000;
/// A photo of that size has at least this many bytes, and so has what is passed on of it.
const MANY_BYTES: u64 = 15_000_000;
/// Two attempts of both sides, and the time after which the way through the relay is given up.
const STRAIGHT: Duration = Duration::from_secs(60);

/// A relay, and a node in each home: the first can be reached through the relay, the second knows an invite and nothing else.
struct Homes {
    holder: Daemon,
    finder: Daemon,
    ids: [String; 2],
    event: String,
    relay: Relay,
    // Last, so that it goes last.
    nat: Nat,
}

async fn relayed(node: &Daemon, other: &str, through_a_relay: bool, limit: Duration) -> Result<()> {
    let what = format!("{} and {other} {}", node.nickname(), if through_a_relay { "relayed" } else { "straight" });
    wait_until(&what, limit, async || {
        let peers = node.api().peers().await?;
        let is = peers.iter().any(|peer| peer.node_id == other && peer.connected && peer.relayed == through_a_relay);
        Ok(Seen::when(is.then_some(()), || format!("{peers:?}")))
    })
    .await
}

async fn arrived(homes: &Homes, count: usize) -> Result<()> {
    wait_until("the photo at the finder", WORKED, async || {
        let got = received(homes.finder.api()).await?.len();
        Ok(Seen::when((got == count).then_some(()), || format!("{got} received")))
    })
    .await
}

impl Homes {
    async fn meet(ports: Ports) -> Result<Self> {
        let nat = Nat::homes(ports)?;
        let relay = Relay::start(nat.between(&binary()?), LISTEN).await?;
        ensure!(relay.address()?.starts_with(&format!("/ip4/{BETWEEN}/tcp/7413/p2p/")), "{}", relay.address()?);
        let holder = Daemon::start_with(nat.options(0, "Holder")).await?;
        let finder = Daemon::start_with(nat.options(1, "Finder")).await?;
        cli::answer(&holder, &["my-relay", "set", relay.address()?, relay.token()])?;
        relay_is(holder.api(), "reachable").await?;
        let circuit = format!("{}/p2p-circuit", relay.address()?);
        let told = holder.api().status().await?.addresses;
        ensure!(told.contains(&circuit), "others are not told {circuit}: {told:?}");

        let event = holder.api().create_event("Two homes").await?.id;
        let patch = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
        holder.api().patch_event(&event, &patch).await?;
        let link = holder.api().invite(&event, None, None).await?.link;
        finder.api().join(&link).await?;
        for node in [&holder, &finder] {
            wait_until(&format!("both members at {}", node.nickname()), BACK, async || {
                let seen = node.api().event(&event).await?;
                let both = seen.members.len() == 2;
                Ok(Seen::when(both.then_some(()), || format!("{} members, {:?}", seen.members.len(), seen.problem)))
            })
            .await?;
        }
        let ids = [holder.api().status().await?.node_id, finder.api().status().await?.node_id];
        scene::share_all(holder.api(), &event, "automatic").await?;
        scene::enrol(finder.api()).await?;
        Ok(Self { holder, finder, ids, event, relay, nat })
    }
}

#[tokio::test]
async fn behind_two_routers_an_invite_a_find_me_and_a_large_photo_go_through_the_relay() -> Result<()> {
    if !Nat::is_possible("two homes and a relay")? {
        return Ok(());
    }
    let mut homes = Homes::meet(Ports::Random).await?;
    relayed(&homes.holder, &homes.ids[1], true, BACK).await?;
    relayed(&homes.finder, &homes.ids[0], true, BACK).await?;
    let said = cli::answer(&homes.finder, &["peers"])?;
    ensure!(said.lines().any(|line| line.contains(&homes.ids[0]) && line.contains("through a relay")), "{said}");
    ensure!(said.lines().count() == 2, "the relay itself is nobody to be shown: {said}");

    let before = homes.nat.sent_between()?;
    upload(homes.holder.api(), "arrival.png", photos::hers_large(LARGE)?).await?;
    // Slowly, so that it is seen under way.
    homes.finder.api().limit_traffic(&json!({ "down_bytes_s": 1_000_000 })).await?;
    announce(homes.finder.api(), &homes.event).await?;
    wait_until("the page saying that it goes through a relay", SOON, async || {
        let transfers = homes.finder.api().transfers().await?;
        let said = transfers.iter().any(|one| one.state == "active" && one.relayed == Some(true));
        Ok(if said { Seen::Done(()) } else { Seen::NotYet(format!("{transfers:?}")) })
    })
    .await?;
    homes.finder.api().limit_traffic(&json!({})).await?;
    arrived(&homes, 1).await?;
    let passed_on = homes.nat.sent_between()?.saturating_sub(before);
    ensure!(passed_on > MANY_BYTES, "the photo has gone another way: {passed_on} bytes");
    // These routers let no straight connection come about.
    relayed(&homes.finder, &homes.ids[0], true, SOON).await?;

    homes.relay.kill().await?;
    sees(&homes.finder, &homes.ids[0], false, BACK).await?;
    let failed = relay_is(homes.holder.api(), "failed").await?;
    ensure!(failed.problem.is_some(), "{failed:?}");
    homes.relay.restart(homes.nat.between(&binary()?), LISTEN).await?;
    relay_is(homes.holder.api(), "reachable").await?;
    relayed(&homes.holder, &homes.ids[1], true, BACK).await?;
    relayed(&homes.finder, &homes.ids[0], true, BACK).await?;
    homes.relay.stop().await
}

#[tokio::test]
async fn a_relay_takes_in_nobody_without_its_token() -> Result<()> {
    if !Nat::is_possible("a relay and its token")? {
        return Ok(());
    }
    let nat = Nat::homes(Ports::Kept)?;
    let relay = Relay::start(nat.between(&binary()?), LISTEN).await?;
    let stranger = Daemon::start_with(nat.options(0, "Stranger")).await?;
    stranger.api().set_relay(relay.address()?, "a token that I made up").await?;
    let refused = relay_is(stranger.api(), "failed").await?;
    ensure!(refused.problem.as_deref().is_some_and(|why| why.contains("token")), "{refused:?}");
    ensure!(relay.log()?.contains("showed a wrong token"), "{}", relay.log()?);
    let told = stranger.api().status().await?.addresses;
    ensure!(told.iter().all(|address| !address.contains("p2p-circuit")), "{told:?}");
    stranger.api().set_relay(relay.address()?, relay.token()).await?;
    relay_is(stranger.api(), "reachable").await.map(drop)
}

#[tokio::test]
async fn where_the_routers_allow_it_the_connection_becomes_straight_and_the_relay_carries_nothing_more() -> Result<()> {
    if !Nat::is_possible("a straight connection between two homes")? {
        return Ok(());
    }
    let homes = Homes::meet(Ports::Kept).await?;
    relayed(&homes.finder, &homes.ids[0], false, STRAIGHT).await?;
    relayed(&homes.holder, &homes.ids[1], false, STRAIGHT).await?;
    wait_until("the end of the way through the relay", STRAIGHT, async || {
        let peers: serde_json::Value = serde_json::from_str(&cli::answer(&homes.finder, &["--json", "peers"])?)?;
        let log = homes.relay.log()?;
        Ok(Seen::when(log.contains("is parted from").then_some(()), || format!("{peers}, {log}")))
    })
    .await?;

    let before = homes.nat.sent_between()?;
    upload(homes.holder.api(), "arrival.png", photos::hers_large(LARGE)?).await?;
    announce(homes.finder.api(), &homes.event).await?;
    arrived(&homes, 1).await?;
    let passed_on = homes.nat.sent_between()?.saturating_sub(before);
    let asset = received(homes.finder.api()).await?.pop().context("no photo")?;
    ensure!(passed_on < MANY_BYTES / 100, "the relay has sent {passed_on} bytes for {}", asset.id);
    Ok(())
}
