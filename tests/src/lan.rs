//! A local network of its own for some daemons: a network namespace for each host, joined by bridges in another one. Nothing of the machine's own
//! network is touched. Only root may make one.
//!
//! Each subnet is `10.78.S.0/24` on a bridge of its own, the hosts have the numbers 1, 2, 3 in it. Where there are several, the namespace of the
//! bridges is the router between them, and multicast stays within each.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::bad_line::BadLine;
use crate::daemon::Options;

/// Beginning of the names of all namespaces that are made here; the process id follows.
const PREFIX: &str = "inframe-lan-";
/// The router's number in each subnet.
const ROUTER: u8 = 254;
/// Where daemons listen: on every address of the host, at one port, as they do by default.
const LISTEN: &str = "/ip4/0.0.0.0/tcp/7412";

/// One network; taken down when dropped, so declare it before the daemons in it.
#[derive(Debug)]
pub struct Lan {
    name: String,
    hosts: Vec<Host>,
}

#[derive(Debug)]
struct Host {
    subnet: u8,
    /// Its number in the subnet, while it has an address.
    number: Option<u8>,
}

impl Lan {
    /// Hosts on one bridge.
    ///
    /// # Errors
    /// When this user may not make namespaces, or the system lacks something.
    pub fn bridge(hosts: u8) -> Result<Self> {
        Self::subnets(&[hosts])
    }

    /// So many hosts in each subnet, with a router between them if there are several. Hosts are counted through from 0.
    ///
    /// # Errors
    /// When this user may not make namespaces, or the system lacks something.
    pub fn subnets(hosts: &[u8]) -> Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        sweep(PREFIX)?;
        let name = format!("{PREFIX}{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let mut lan = Self { name, hosts: Vec::new() };
        ip(&["netns", "add", &lan.switch()])?;
        let routed = hosts.len() > 1;
        for (subnet, hosts) in (0..).zip(hosts) {
            lan.add_bridge(subnet)?;
            for number in 1..=*hosts {
                lan.add_host(subnet, number, routed)?;
            }
        }
        if routed {
            let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
            ip(&["netns", "exec", &lan.switch(), "sh", "-c", forward])?;
        }
        Ok(lan)
    }

    /// Whether this user may make a network. Says aloud that the test is skipped if not.
    ///
    /// # Errors
    /// In continuous integration (`CI=true`), where nothing may be skipped: why it is not possible.
    pub fn is_possible(test: &str) -> Result<bool> {
        or_skipped(test, Self::bridge(1))
    }

    /// How to start a daemon on a host: it listens on all its addresses and looks for others by multicast.
    #[must_use]
    pub fn options(&self, host: usize, nickname: &str) -> Options {
        let under = self.under(host).into_iter().map(Into::into).collect();
        Options { listen: LISTEN.to_owned(), mdns: true, under, ..Options::local(nickname) }
    }

    /// What a program is run under to be on a host.
    #[must_use]
    pub fn under(&self, host: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace(host)].map(str::to_owned).to_vec()
    }

    /// A program to be run on a host; its arguments are still to be added.
    #[must_use]
    pub fn command(&self, host: usize, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(host)]).arg(program);
        command
    }

    /// The address of a host.
    ///
    /// # Errors
    /// When it has none now.
    pub fn address(&self, host: usize) -> Result<Ipv4Addr> {
        let host = self.host(host)?;
        Ok(address(host.subnet, host.number.context("the host has no address")?))
    }

    /// Takes the address away from a host.
    ///
    /// # Errors
    /// When it has none.
    pub fn take_address(&mut self, host: usize) -> Result<()> {
        let (namespace, address) = (self.namespace(host), self.address(host)?);
        ip(&["-n", &namespace, "addr", "del", &format!("{address}/24"), "dev", "eth0"])?;
        self.host_mut(host)?.number = None;
        Ok(())
    }

    /// Gives an address to a host that has none.
    ///
    /// # Errors
    /// When another host has it.
    pub fn give_address(&mut self, host: usize, number: u8) -> Result<()> {
        let (namespace, routed) = (self.namespace(host), self.hosts.iter().any(|host| host.subnet > 0));
        let subnet = self.host(host)?.subnet;
        let free = self.hosts.iter().all(|other| (other.subnet, other.number) != (subnet, Some(number)));
        ensure!(free, "another host has the number {number}");
        ip(&["-n", &namespace, "addr", "add", &format!("{}/24", address(subnet, number)), "dev", "eth0"])?;
        if routed {
            ip(&["-n", &namespace, "route", "replace", "default", "via", &address(subnet, ROUTER).to_string()])?;
        }
        self.host_mut(host)?.number = Some(number);
        Ok(())
    }

    /// Gives a host another address instead of the one it has.
    ///
    /// # Errors
    /// When it has none, or another host has the new one.
    pub fn renumber(&mut self, host: usize, number: u8) -> Result<()> {
        self.take_address(host)?;
        self.give_address(host, number)
    }

    /// Pulls the cable of a host out of the switch, or puts it back.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn cable(&self, host: usize, plugged: bool) -> Result<()> {
        let state = if plugged { "up" } else { "down" };
        ip(&["-n", &self.switch(), "link", "set", &format!("p{host}"), state])
    }

    /// Puts a line between a host and its switch that can be made as bad as wanted. It is good at first.
    ///
    /// # Errors
    /// When this user may not make network devices.
    pub fn bad_line(&self, host: usize) -> Result<BadLine> {
        let (switch, namespace, port) = (self.switch(), self.namespace(host), format!("p{host}"));
        let (subnet, address) = (self.host(host)?.subnet, self.address(host)?);
        ip(&["-n", &switch, "link", "del", &port])?;
        // Names of this machine's own network are at most 15 bytes long; they are there for a moment.
        let ends = ['a', 'b'].map(|end| format!("bl{}{end}{host}", std::process::id() % 1_000_000));
        let line = BadLine::between([&ends[0], &ends[1]])?;
        for (end, namespace, name) in [(&ends[0], &namespace, "eth0"), (&ends[1], &switch, port.as_str())] {
            ip(&["link", "set", end, "netns", namespace, "name", name])?;
        }
        ip(&["-n", &switch, "link", "set", &port, "master", &format!("br{subnet}"), "up"])?;
        ip(&["-n", &namespace, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
        ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
        if self.hosts.iter().any(|host| host.subnet > 0) {
            ip(&["-n", &namespace, "route", "add", "default", "via", &self::address(subnet, ROUTER).to_string()])?;
        }
        Ok(line)
    }

    fn add_bridge(&self, subnet: u8) -> Result<()> {
        let (switch, bridge) = (self.switch(), format!("br{subnet}"));
        ip(&["-n", &switch, "link", "add", &bridge, "type", "bridge"])?;
        ip(&["-n", &switch, "addr", "add", &format!("{}/24", address(subnet, ROUTER)), "dev", &bridge])?;
        ip(&["-n", &switch, "link", "set", &bridge, "up"])
    }

    /// The names of the interfaces are short and the same everywhere: each is made in the namespace that it stays in.
    fn add_host(&mut self, subnet: u8, number: u8, routed: bool) -> Result<()> {
        let host = self.hosts.len();
        let (switch, namespace, port) = (self.switch(), self.namespace(host), format!("p{host}"));
        ip(&["netns", "add", &namespace])?;
        // From here on there is something to take down.
        self.hosts.push(Host { subnet, number: Some(number) });
        let cable = ["-n", &switch, "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &namespace];
        ip(&cable)?;
        ip(&["-n", &switch, "link", "set", &port, "master", &format!("br{subnet}")])?;
        ip(&["-n", &switch, "link", "set", &port, "up"])?;
        ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        ip(&["-n", &namespace, "addr", "add", &format!("{}/24", address(subnet, number)), "dev", "eth0"])?;
        ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
        if routed {
            ip(&["-n", &namespace, "route", "add", "default", "via", &address(subnet, ROUTER).to_string()])?;
        }
        Ok(())
    }

    fn switch(&self) -> String {
        format!("{}-switch", self.name)
    }

    fn namespace(&self, host: usize) -> String {
        format!("{}-{host}", self.name)
    }

    fn host(&self, host: usize) -> Result<&Host> {
        self.hosts.get(host).with_context(|| format!("there is no host {host}"))
    }

    fn host_mut(&mut self, host: usize) -> Result<&mut Host> {
        self.hosts.get_mut(host).with_context(|| format!("there is no host {host}"))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        let hosts = (0..self.hosts.len()).map(|host| self.namespace(host));
        for namespace in hosts.chain([self.switch()]) {
            // What cannot be taken down now, the next test sweeps away.
            let _ = ip(&["netns", "del", &namespace]);
        }
    }
}

/// Whether what a test needs could be made; see [`Lan::is_possible`].
pub(crate) fn or_skipped<T>(test: &str, tried: Result<T>) -> Result<bool> {
    match tried {
        Ok(_) => Ok(true),
        Err(why) if std::env::var_os("CI").is_some_and(|value| value == "true") => {
            Err(why.context(format!("{test} may not be skipped")))
        }
        Err(why) => {
            eprintln!("skipped: {test}: {why:#}");
            Ok(false)
        }
    }
}

fn address(subnet: u8, number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, subnet, number)
}

/// Takes down what tests left behind that were killed: networks of processes that are no more.
pub(crate) fn sweep(prefix: &str) -> Result<()> {
    let listed = Command::new("ip").args(["netns", "list"]).output().context("cannot run `ip`")?;
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let Some(name) = line.split_whitespace().next() else { continue };
        let maker = name.strip_prefix(prefix).and_then(|rest| rest.split('-').next());
        let gone = maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        if gone {
            // Another test may sweep at the same moment.
            let _ = ip(&["netns", "del", name]);
        }
    }
    Ok(())
}

pub(crate) fn ip(arguments: &[&str]) -> Result<()> {
    let done = Command::new("ip").args(arguments).output().context("cannot run `ip`")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "`ip {}` failed: {}", arguments.join(" "), said.trim());
    Ok(())
}
