//! Where others and the dashboard connect to: of a running node what it listens at, otherwise whether that is free.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol as Part;

use super::{Check, Topic, listed};

/// IP address and TCP port at which an address begins; `None` for anything else, and for addresses of relays.
#[must_use]
pub fn socket(address: &Multiaddr) -> Option<SocketAddr> {
    if address.iter().any(|part| matches!(part, Part::P2pCircuit)) {
        return None;
    }
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Part::Ip4(ip) => IpAddr::V4(ip),
        Part::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Part::Tcp(port) => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

/// The same of addresses as this node tells them to others.
#[must_use]
pub fn sockets(told: &[String]) -> Vec<SocketAddr> {
    told.iter().filter_map(|address| socket(&address.parse().ok()?)).collect()
}

/// What a running node was told and has.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Where it was told to listen for other nodes.
    pub wished: Vec<Multiaddr>,
    /// Where it listens, interface by interface.
    pub bound: Vec<SocketAddr>,
    /// Where the dashboard is.
    pub dashboard: SocketAddr,
}

/// Judges where a running node listens.
#[must_use]
pub fn check(Listening { wished, bound, dashboard }: &Listening) -> Check {
    let topic = Topic::Ports;
    let ports: BTreeSet<u16> = bound.iter().map(SocketAddr::port).collect();
    let missing: Vec<String> = wished
        .iter()
        .filter(|address| socket(address).is_some_and(|wish| wish.port() != 0 && !ports.contains(&wish.port())))
        .map(Multiaddr::to_string)
        .collect();
    if bound.is_empty() || !missing.is_empty() {
        let wished: Vec<String> = wished.iter().map(Multiaddr::to_string).collect();
        let at = listed(if missing.is_empty() { &wished } else { &missing });
        let found = format!(
            "This node does not listen at {at}, as it was told to: the port was taken, or the address is gone."
        );
        let advice = "Stop the program that has the port and restart the daemon, or give another port with --p2p.";
        return Check::failed(topic, found, advice);
    }
    let names: Vec<String> = ports.iter().map(u16::to_string).collect();
    let word = if names.len() == 1 { "port" } else { "ports" };
    let dashboard = format!("The dashboard is at {dashboard}.");
    if bound.iter().all(|address| address.ip().is_loopback()) {
        let found = format!(
            "This node listens at TCP {word} {} of this device alone, where no other reaches it. {dashboard}",
            listed(&names)
        );
        let advice = "Start the daemon with --p2p /ip4/0.0.0.0/tcp/7412, if others shall be able to connect.";
        return Check::warning(topic, found, advice);
    }
    let chosen = wished.iter().any(|address| socket(address).is_some_and(|wish| wish.port() == 0));
    let changes = if chosen { " The system chose it, and another one at each start." } else { "" };
    Check::good(topic, format!("Other nodes connect to TCP {word} {}.{changes} {dashboard}", listed(&names)))
}

/// Whether the ports are free that a daemon would take; for when none runs. They are bound for a moment.
#[must_use]
pub fn check_free(p2p: &[Multiaddr], dashboard: SocketAddr) -> Check {
    let topic = Topic::Ports;
    let mut free = Vec::new();
    let wishes = p2p.iter().filter_map(|address| Some((socket(address)?, "--p2p")));
    for (wish, flag) in wishes.chain([(dashboard, "--dashboard")]) {
        let (ip, port) = (wish.ip(), wish.port());
        let example = if flag == "--p2p" { "/ip4/0.0.0.0/tcp/7420" } else { "127.0.0.1:7420" };
        let other = format!("give the daemon another one, such as {flag} {example}");
        match TcpListener::bind(wish) {
            Ok(_) if port == 0 => free.push(format!("any port of {ip}")),
            Ok(_) => free.push(format!("{port} of {ip}")),
            Err(error) => {
                let (why, advice) = match error.kind() {
                    io::ErrorKind::AddrInUse => {
                        ("another program has it".to_owned(), format!("Stop that program, or {other}."))
                    }
                    io::ErrorKind::AddrNotAvailable => (
                        "this device has no such address".to_owned(),
                        format!("Use an address of this device: {other}."),
                    ),
                    io::ErrorKind::PermissionDenied => {
                        ("this user may not".to_owned(), format!("Take a port above 1023: {other}."))
                    }
                    _ => (error.to_string(), format!("Find out why, or {other}.")),
                };
                return Check::failed(topic, format!("TCP port {port} of {ip} cannot be listened at: {why}."), advice);
            }
        }
    }
    Check::good(topic, format!("Free for the daemon: TCP port {}.", listed(&free)))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn listening(wished: &str, bound: &[&str]) -> Listening {
        Listening {
            wished: vec![wished.parse().unwrap()],
            bound: bound.iter().map(|address| address.parse().unwrap()).collect(),
            dashboard: "127.0.0.1:7410".parse().unwrap(),
        }
    }

    #[test]
    fn what_a_node_listens_at_is_named_and_loopback_alone_is_a_warning() {
        let me = libp2p::PeerId::random();
        let told = ["/ip4/10.0.0.7/tcp/7412", "/ip6/2001:db8::7/tcp/7412", "/dns4/example.com/tcp/1"];
        let mut told: Vec<String> = told.iter().map(|address| format!("{address}/p2p/{me}")).collect();
        told.push(format!("/ip4/203.0.113.1/tcp/7413/p2p/{me}/p2p-circuit"));
        let found: Vec<String> = sockets(&told).iter().map(SocketAddr::to_string).collect();
        assert_eq!(found, ["10.0.0.7:7412", "[2001:db8::7]:7412"], "neither names nor the way through a relay");
        let any = "/ip4/0.0.0.0/tcp/7412";
        for (facts, state, words) in [
            (
                listening(any, &["10.0.0.7:7412", "127.0.0.1:7412"]),
                State::Good,
                "TCP port 7412. The dashboard is at 127.0.0.1:7410.",
            ),
            (listening("/ip4/0.0.0.0/tcp/0", &["10.0.0.7:40000"]), State::Good, "40000. The system chose it"),
            (listening("/ip4/127.0.0.1/tcp/7412", &["127.0.0.1:7412"]), State::Warning, "this device alone"),
            (listening(any, &["10.0.0.7:7999"]), State::Failed, "does not listen at /ip4/0.0.0.0/tcp/7412"),
            (listening(any, &[]), State::Failed, "does not listen at /ip4/0.0.0.0/tcp/7412"),
        ] {
            let check = check(&facts);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
        }
    }

    #[test]
    fn a_port_that_another_program_has_is_named_with_the_flag_that_takes_another() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let (anywhere, here) = ("127.0.0.1:0".parse().unwrap(), format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap());
        let check = check_free(&[here], anywhere);
        assert_eq!(check.state, State::Failed);
        assert!(check.found.contains(&port.to_string()) && check.found.contains("another program"), "{check:?}");
        assert!(check.advice.unwrap().contains("--p2p"));
        let dashboard = check_free(&["/ip4/127.0.0.1/tcp/0".parse().unwrap()], taken.local_addr().unwrap());
        assert!(dashboard.advice.unwrap().contains("--dashboard"));
        let free = check_free(&["/ip4/127.0.0.1/tcp/0".parse().unwrap()], anywhere);
        assert_eq!(free.state, State::Good, "{free:?}");
        let strange = check_free(&["/ip4/203.0.113.77/tcp/0".parse().unwrap()], anywhere);
        assert!(strange.found.contains("no such address"), "{strange:?}");
    }
}
