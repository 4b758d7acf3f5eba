//! The doctor on networks with faults: each is found, and what to do is said.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use inframe_tests::daemon::{Daemon, binary};
use inframe_tests::doctor::Doctor;
use inframe_tests::lan::Lan;
use inframe_tests::nat::{BETWEEN, Nat, Ports};
use inframe_tests::relay::Relay;

use super::meet::relay_is;

const RELAY: &str = "/ip4/203.0.113.1/tcp/7413";

/// Runs a program on a host of the network.
fn on(lan: &Lan, host: usize, program: &str, arguments: &[&str]) -> Result<()> {
    let done = lan.command(host, Path::new(program)).args(arguments).output()?;
    ensure!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// The doctor on a host, on a data folder that is not there.
fn alone(lan: &Lan, host: usize) -> Result<Command> {
    let mut command = lan.command(host, &binary()?);
    command.args(["--data-dir", "/tmp/inframe-doctor-without-a-daemon"]);
    Ok(command)
}

#[tokio::test]
async fn a_node_with_a_network_is_well_and_each_fault_of_it_is_found() -> Result<()> {
    if !Lan::is_possible("the doctor on a bridge")? {
        return Ok(());
    }
    let mut lan = Lan::bridge(1)?;
    let node = Daemon::start_with(lan.options(0, "Node")).await?;
    let well = Doctor::of(&node)?;
    ensure!(
        well.keys()
            == [
                "interfaces",
                "multicast",
                "ports",
                "nat",
                "relay",
                "certificate",
                "notices",
                "clock",
                "disk",
                "models",
                "sandbox",
                "videos"
            ],
        "{:?}",
        well.keys()
    );
    well.expect("interfaces", "good", "eth0 has 10.78.0.1", "")?;
    well.expect("multicast", "good", "comes back on eth0", "")?;
    well.expect("ports", "good", "TCP port 7412", "")?;
    well.expect("nat", "not-checked", "no relay is named", "Name a relay")?;
    well.expect("relay", "not-checked", "No relay is named", "name a relay")?;
    well.expect("clock", "good", "nothing saved here is dated later", "")?;
    well.expect("models", "good", "it runs", "")?;

    on(&lan, 0, "ip", &["link", "set", "eth0", "multicast", "off"])?;
    let off = Doctor::of(&node)?;
    off.expect("multicast", "failed", "on eth0 multicast is turned off", "ip link set eth0 multicast on")?;
    off.expect("interfaces", "good", "eth0", "")?;
    on(&lan, 0, "ip", &["link", "set", "eth0", "multicast", "on"])?;

    let filter = "table ip doctor { chain leaving { type filter hook output priority 0; udp dport 5353 drop; }; \
                  chain arriving { type filter hook input priority 0; udp dport 5353 drop; }; }";
    on(&lan, 0, "nft", &[filter])?;
    Doctor::of(&node)?.expect("multicast", "failed", "224.0.0.251", "firewall")?;
    on(&lan, 0, "nft", &["delete chain ip doctor leaving"])?;
    Doctor::of(&node)?.expect("multicast", "failed", "does not come back", "firewall")?;
    on(&lan, 0, "nft", &["delete table ip doctor"])?;
    Doctor::of(&node)?.expect("multicast", "good", "eth0", "")?;

    // One of two: the other is named.
    on(&lan, 0, "ip", &["link", "add", "eth1", "type", "veth", "peer", "name", "end1"])?;
    on(&lan, 0, "ip", &["addr", "add", "10.99.0.1/24", "dev", "eth1"])?;
    for command in [&["eth1", "up"][..], &["end1", "up"], &["eth1", "multicast", "off"]] {
        on(&lan, 0, "ip", &[&["link", "set"], command].concat())?;
    }
    Doctor::of(&node)?.expect("multicast", "warning", "on eth0, but on eth1", "eth1 multicast on")?;
    on(&lan, 0, "ip", &["link", "del", "eth1"])?;

    lan.take_address(0)?;
    on(&lan, 0, "ip", &["addr", "add", "169.254.7.7/16", "dev", "eth0"])?;
    Doctor::of(&node)?.expect("interfaces", "warning", "eth0 has 169.254.7.7 only", "DHCP")?;
    on(&lan, 0, "ip", &["link", "set", "eth0", "down"])?;
    let cut_off = Doctor::of(&node)?;
    cut_off.expect("interfaces", "failed", "eth0 is off or has no cable", "cable")?;
    cut_off.expect("multicast", "failed", "no interface", "network")?;
    ensure!(!cut_off.success);
    Ok(())
}

#[tokio::test]
async fn without_a_daemon_a_port_that_another_program_has_is_found_and_the_rest_is_checked() -> Result<()> {
    if !Lan::is_possible("a port that is taken")? {
        return Ok(());
    }
    let lan = Lan::bridge(1)?;
    let free = Doctor::alone(alone(&lan, 0)?)?;
    ensure!(
        free.keys() == ["daemon", "interfaces", "multicast", "ports", "clock", "disk", "models", "sandbox", "videos"],
        "{:?}",
        free.keys()
    );
    free.expect("daemon", "warning", "No daemon runs", "inframe run")?;
    free.expect("interfaces", "good", "eth0 has 10.78.0.1", "")?;
    free.expect("multicast", "good", "eth0", "")?;
    free.expect("ports", "good", "7412 of 0.0.0.0", "")?;
    free.expect("models", "good", "it runs", "")?;
    // Another daemon is another program as well.
    let other = Daemon::start_with(lan.options(0, "Other")).await?;
    let taken = Doctor::alone(alone(&lan, 0)?)?;
    taken.expect("ports", "failed", "TCP port 7412", "--p2p")?;
    ensure!(!taken.success);
    drop(other);
    Ok(())
}

#[tokio::test]
async fn a_router_that_keeps_ports_and_one_that_does_not_are_told_apart_and_so_are_the_troubles_of_a_relay()
-> Result<()> {
    if !Nat::is_possible("the doctor behind a router")? {
        return Ok(());
    }
    let nat = Nat::homes(Ports::Kept)?;
    let mut relay = Relay::start(nat.between(&binary()?), RELAY).await?;
    let node = Daemon::start_with(nat.options(0, "Node")).await?;
    node.api().set_relay(relay.address()?, "a token that I made up").await?;
    relay_is(node.api(), "failed").await?;
    let wrong = Doctor::of(&node)?;
    wrong.expect("relay", "failed", "does not take this token", "Ask whoever runs the relay")?;
    ensure!(!wrong.success);

    node.api().set_relay(relay.address()?, relay.token()).await?;
    relay_is(node.api(), "reachable").await?;
    let well = Doctor::of(&node)?;
    well.expect("nat", "good", "keeps the port: this device is seen at 203.0.113.10:7412", "")?;
    well.expect("relay", "good", &format!("The relay at {BETWEEN}:7413 takes the token, holds a place"), "")?;
    well.expect("clock", "good", "the relay's clock agrees", "")?;

    relay.kill().await?;
    relay_is(node.api(), "failed").await?;
    let down = Doctor::of(&node)?;
    down.expect("relay", "failed", BETWEEN, "See whether the relay")?;
    down.expect("nat", "not-checked", "does not say", "check of the relay")?;
    // Back again, it is tried at once: nobody has to wait for the next try.
    relay.restart(nat.between(&binary()?), RELAY).await?;
    Doctor::of(&node)?.expect("relay", "good", "holds a place", "")?;
    relay.stop().await
}

#[tokio::test]
async fn behind_a_router_that_changes_ports_it_is_said_that_photos_go_through_the_relay() -> Result<()> {
    if !Nat::is_possible("the doctor behind a router that changes ports")? {
        return Ok(());
    }
    let nat = Nat::homes(Ports::Random)?;
    let mut relay = Relay::start(nat.between(&binary()?), RELAY).await?;
    let node = Daemon::start_with(nat.options(0, "Node")).await?;
    node.api().set_relay(relay.address()?, relay.token()).await?;
    relay_is(node.api(), "reachable").await?;
    let doctor = Doctor::of(&node)?;
    doctor.expect("nat", "warning", "photos go through the relay", "forward TCP port 7412")?;
    doctor.expect("relay", "good", "holds a place", "")?;
    relay.stop().await
}
