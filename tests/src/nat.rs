//! Two homes behind routers that translate addresses, and a host on the wire between them: network namespaces, as in [`crate::lan`]. Only root may
//! make them, and `nft` must be there.
//!
//! The homes are `10.79.0.0/24` and `10.79.1.0/24`, the wire `203.0.113.0/24` with the relay's host at 1 and the routers at 10 and 11. Routers let
//! nobody in who was not asked, as those of homes do.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

use crate::daemon::Options;
use crate::lan::{ip, or_skipped, sweep};

const PREFIX: &str = "inframe-nat-";
const LISTEN: &str = "/ip4/0.0.0.0/tcp/7412";
/// The address of the host on the wire.
pub const BETWEEN: &str = "203.0.113.1";

/// How routers choose the outer port of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// As the inner one, as most homes' do: both sides can find each other's.
    Kept,
    /// A new one for each connection: no straight connection comes about.
    Random,
}

/// The two homes; taken down when dropped, so declare it before what runs in it.
#[derive(Debug)]
pub struct Nat {
    name: String,
}

impl Nat {
    /// Makes them.
    ///
    /// # Errors
    /// When this user may not make namespaces, or the system lacks something.
    pub fn homes(ports: Ports) -> Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        sweep(PREFIX)?;
        let name = format!("{PREFIX}{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let nat = Self { name };
        let wire = nat.wire();
        ip(&["netns", "add", &wire])?;
        ip(&["-n", &wire, "link", "set", "lo", "up"])?;
        ip(&["-n", &wire, "link", "add", "br0", "type", "bridge"])?;
        ip(&["-n", &wire, "addr", "add", &format!("{BETWEEN}/24"), "dev", "br0"])?;
        ip(&["-n", &wire, "link", "set", "br0", "up"])?;
        for home in 0..2 {
            nat.add_home(home, ports)?;
        }
        Ok(nat)
    }

    /// Whether this user may make such homes. Says aloud that the test is skipped if not.
    ///
    /// # Errors
    /// In continuous integration (`CI=true`), where nothing may be skipped: why it is not possible.
    pub fn is_possible(test: &str) -> Result<bool> {
        or_skipped(test, Self::homes(Ports::Kept))
    }

    /// How to start a daemon in a home.
    #[must_use]
    pub fn options(&self, home: u8, nickname: &str) -> Options {
        let under = ["ip", "netns", "exec", &self.home(home)].map(Into::into).to_vec();
        Options { listen: LISTEN.to_owned(), mdns: true, under, ..Options::local(nickname) }
    }

    /// A program to be run on the host between the homes; its arguments are still to be added.
    #[must_use]
    pub fn between(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.wire()]).arg(program);
        command
    }

    /// Bytes that the host between the homes has sent: what the relay passes on is among them, what goes straight from router to router is not.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn sent_between(&self) -> Result<u64> {
        let counter = self.between(Path::new("cat")).arg("/sys/class/net/br0/statistics/tx_bytes").output()?;
        let text = String::from_utf8(counter.stdout)?;
        text.trim().parse().with_context(|| format!("no counter: {text}"))
    }

    fn add_home(&self, home: u8, ports: Ports) -> Result<()> {
        let (wire, router, host) = (self.wire(), self.router(home), self.home(home));
        let (port, outer, inner) = (format!("p{home}"), format!("203.0.113.{}/24", 10 + home), format!("10.79.{home}"));
        ip(&["netns", "add", &router])?;
        ip(&["netns", "add", &host])?;
        ip(&["-n", &wire, "link", "add", &port, "type", "veth", "peer", "name", "wan", "netns", &router])?;
        ip(&["-n", &wire, "link", "set", &port, "master", "br0", "up"])?;
        ip(&["-n", &router, "link", "add", "home", "type", "veth", "peer", "name", "eth0", "netns", &host])?;
        for (namespace, device, address) in [
            (&router, "wan", outer.as_str()),
            (&router, "home", &format!("{inner}.254/24")),
            (&host, "eth0", &format!("{inner}.1/24")),
        ] {
            ip(&["-n", namespace, "addr", "add", address, "dev", device])?;
            ip(&["-n", namespace, "link", "set", device, "up"])?;
        }
        ip(&["-n", &host, "link", "set", "lo", "up"])?;
        ip(&["-n", &host, "route", "add", "default", "via", &format!("{inner}.254")])?;
        ip(&["netns", "exec", &router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])?;
        let how = if ports == Ports::Random { "masquerade fully-random" } else { "masquerade" };
        self.rules(
            &router,
            &format!(
                "table ip home {{\n\
                 chain leaving {{ type nat hook postrouting priority 100; oifname \"wan\" {how}; }}\n\
                 chain passing {{ type filter hook forward priority 0; iifname \"wan\" ct state new drop; }}\n\
                 chain arriving {{ type filter hook input priority 0; iifname \"wan\" ct state new drop; }}\n\
                 }}\n"
            ),
        )
    }

    fn rules(&self, namespace: &str, rules: &str) -> Result<()> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, "nft", "-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut nft = command.spawn().context("cannot run `ip`")?;
        nft.stdin.take().context("no standard input")?.write_all(rules.as_bytes())?;
        let done = nft.wait_with_output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "`nft` failed; is nftables installed? {}", said.trim());
        Ok(())
    }

    fn wire(&self) -> String {
        format!("{}-wire", self.name)
    }

    fn router(&self, home: u8) -> String {
        format!("{}-router{home}", self.name)
    }

    fn home(&self, home: u8) -> String {
        format!("{}-home{home}", self.name)
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        let homes = (0..2).flat_map(|home| [self.home(home), self.router(home)]);
        for namespace in homes.chain([self.wire()]) {
            // What cannot be taken down now, the next test sweeps away.
            let _ = ip(&["netns", "del", &namespace]);
        }
    }
}
