//! Addresses of nodes: which ones are taken from others, and in which order ours are told.

use std::net::{IpAddr, Ipv6Addr};

use inframe_protocol::ids::NodeId;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol as Part};

use super::{AddressError, limits};

/// How far an address reaches, nearest useful first: the local network is fastest, and our own machine is of use to
/// hardly anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Private,
    Public,
    Relayed,
    LinkLocal,
    Loopback,
}

/// An address, taken apart: `/ip4|ip6/A/tcp/P`, perhaps `/p2p/RELAY/p2p-circuit`, perhaps `/p2p/OWNER`.
struct Way {
    ip: IpAddr,
    port: u16,
    relay: Option<PeerId>,
    owner: Option<PeerId>,
}

/// Reads addresses that somebody gave for `peer`, dropping every one that cannot be dialled: no IP and TCP address,
/// straight or of a relay, the id of another peer, an address that names no single machine, too long. The result is bounded and has no
/// double (D7, D8).
pub(super) fn parse_all(peer: &PeerId, texts: &[String]) -> Vec<Multiaddr> {
    let mut addresses = Vec::new();
    for text in texts.iter().filter(|text| text.len() <= limits::ADDRESS_BYTES) {
        let Ok(address) = text.parse::<Multiaddr>() else { continue };
        add(&mut addresses, peer, &address);
    }
    addresses
}

/// Reads an address that somebody typed: the node that it ends in, and what to dial.
///
/// # Errors
/// [`AddressError`] says what is wrong with it.
pub fn parse_typed(text: &str) -> Result<(NodeId, String), AddressError> {
    let text = text.trim();
    if text.len() > limits::ADDRESS_BYTES {
        return Err(AddressError::TooLong);
    }
    let address: Multiaddr = text.parse().map_err(|_| AddressError::Unreadable)?;
    if address.is_empty() {
        return Err(AddressError::Unreadable);
    }
    let way = split(&address).ok_or(AddressError::Unsupported)?;
    let owner = way.owner.ok_or(AddressError::NoNode)?;
    let plain = dialable(&owner, &address).ok_or(AddressError::Nowhere)?;
    Ok((node_id(&owner).ok_or(AddressError::NoNode)?, plain.to_string()))
}

/// Reads the address of a relay that somebody typed: its node, and where it is.
///
/// # Errors
/// [`AddressError`] says what is wrong with it.
pub fn parse_relay(text: &str) -> Result<(NodeId, String), AddressError> {
    let (node, address) = parse_typed(text)?;
    let straight = address.parse().is_ok_and(|address| is_straight(&address));
    if straight { Ok((node, address)) } else { Err(AddressError::Unsupported) }
}

/// Adds `address` to `addresses` if it can be dialled, is not there yet, and there is room.
pub(super) fn add(addresses: &mut Vec<Multiaddr>, peer: &PeerId, address: &Multiaddr) {
    if let Some(address) = dialable(peer, address)
        && addresses.len() < limits::ADDRESSES_PER_PEER
        && !addresses.contains(&address)
    {
        addresses.push(address);
    }
}

/// `/ip4|ip6/A/tcp/P` of an address, or that of a relay and the circuit through it, if it is exactly that, perhaps with
/// `/p2p/` and this peer.
pub(super) fn dialable(peer: &PeerId, address: &Multiaddr) -> Option<Multiaddr> {
    let way = split(address)?;
    let other = way.owner.is_some_and(|owner| owner != *peer) || way.relay == Some(*peer);
    if way.port == 0 || other || reach(way.ip).is_none() {
        return None;
    }
    let plain = Multiaddr::from(way.ip).with(Part::Tcp(way.port));
    Some(match way.relay {
        Some(relay) => plain.with(Part::P2p(relay)).with(Part::P2pCircuit),
        None => plain,
    })
}

/// Whether an address leads through no relay.
pub(super) fn is_straight(address: &Multiaddr) -> bool {
    !address.iter().any(|part| matches!(part, Part::P2pCircuit))
}

/// Whether an address leads straight to this machine or to one on a local network: private, link-local, loopback.
pub(super) fn is_local(address: &Multiaddr) -> bool {
    let Some(ip) = split(address).filter(|way| way.relay.is_none()).map(|way| way.ip.to_canonical()) else {
        return false;
    };
    let link_local = matches!(ip, IpAddr::V6(ip) if is_link_local(ip));
    link_local || matches!(reach(ip), Some(Reach::Private | Reach::LinkLocal | Reach::Loopback))
}

/// The relay that an address leads through, and where it is.
pub(super) fn relay_of(address: &Multiaddr) -> Option<(PeerId, Multiaddr)> {
    let way = split(address)?;
    Some((way.relay?, Multiaddr::from(way.ip).with(Part::Tcp(way.port))))
}

/// The address that leads through a relay to whoever is dialled at it. The id of that node is left out: with it the
/// address would be longer than the protocol allows.
pub(super) fn through(relay: PeerId, at: &Multiaddr) -> Multiaddr {
    at.clone().with(Part::P2p(relay)).with(Part::P2pCircuit)
}

/// `/ip4|ip6/A/tcp/P` of the other end of a connection, as a relay tells it.
pub(super) fn seen_at(remote: &Multiaddr) -> Option<Multiaddr> {
    let way = split(remote).filter(|way| way.relay.is_none())?;
    Some(Multiaddr::from(way.ip).with(Part::Tcp(way.port)))
}

/// The texts that others can reach `node` by: local network first, this machine last, unspecified ones left out. A
/// `circuit` has a place among those that members are told, however many there are.
pub(super) fn tell_all<'a>(
    node: PeerId,
    listeners: impl Iterator<Item = &'a Multiaddr>,
    circuit: Option<Multiaddr>,
) -> Vec<String> {
    let mut found: Vec<(Reach, Multiaddr)> = Vec::new();
    for address in listeners {
        let Some(way) = split(address).filter(|way| way.relay.is_none()) else { continue };
        let (Some(reach), true) = (reach(way.ip), way.port != 0) else { continue };
        let plain = Multiaddr::from(way.ip).with(Part::Tcp(way.port));
        if !found.iter().any(|(_, known)| *known == plain) {
            found.push((reach, plain));
        }
    }
    found.sort();
    if let Some(circuit) = circuit {
        let near = found.iter().filter(|(reach, _)| *reach < Reach::Relayed).count();
        found.insert(near.min(limits::STRAIGHT_FIRST), (Reach::Relayed, circuit));
    }
    found.truncate(limits::ADDRESSES_PER_PEER);
    let text = |(reach, address): (Reach, Multiaddr)| match reach {
        Reach::Relayed => address.to_string(),
        _ => address.with(Part::P2p(node)).to_string(),
    };
    found.into_iter().map(text).collect()
}

/// The address without the peer id that libp2p appends to it.
pub(super) fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Part::P2p(_))) {
        address.pop();
    }
    address
}

/// Whether two addresses have the same IP address, whatever their ports.
pub(super) fn same_machine(one: &Multiaddr, other: &Multiaddr) -> bool {
    split(one).zip(split(other)).is_some_and(|(one, other)| one.ip == other.ip)
}

/// The id of a peer as the protocol crate writes it.
pub(super) fn node_id(peer: &PeerId) -> Option<NodeId> {
    NodeId::new(peer.to_bytes()).ok()
}

/// The libp2p form of an id.
pub(super) fn peer_id(node: &NodeId) -> Option<PeerId> {
    PeerId::from_bytes(node.as_bytes()).ok()
}

fn split(address: &Multiaddr) -> Option<Way> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Part::Ip4(ip) => IpAddr::V4(ip),
        Part::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Part::Tcp(port) = parts.next()? else { return None };
    let rest: Vec<Part<'_>> = parts.collect();
    let (relay, owner) = match rest.as_slice() {
        [] => (None, None),
        [Part::P2p(owner)] => (None, Some(*owner)),
        [Part::P2p(relay), Part::P2pCircuit] => (Some(*relay), None),
        [Part::P2p(relay), Part::P2pCircuit, Part::P2p(owner)] => (Some(*relay), Some(*owner)),
        _ => return None,
    };
    Some(Way { ip, port, relay, owner })
}

/// `None` for addresses that name no single machine, or only with an interface (IPv6 link-local).
fn reach(ip: IpAddr) -> Option<Reach> {
    match ip {
        _ if ip.is_unspecified() || ip.is_multicast() => None,
        _ if ip.is_loopback() => Some(Reach::Loopback),
        IpAddr::V4(ip) if ip.is_broadcast() => None,
        IpAddr::V4(ip) if ip.is_private() => Some(Reach::Private),
        IpAddr::V4(ip) if ip.is_link_local() => Some(Reach::LinkLocal),
        IpAddr::V4(_) => Some(Reach::Public),
        IpAddr::V6(ip) if is_link_local(ip) || ip.to_ipv4_mapped().is_some() => None,
        IpAddr::V6(ip) if ip.is_unique_local() => Some(Reach::Private),
        IpAddr::V6(_) => Some(Reach::Public),
    }
}

fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn d8_only_tcp_addresses_of_that_peer_straight_or_through_a_relay_are_taken() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let given = texts(&[
            "/ip4/192.168.1.4/tcp/7412",
            &format!("/ip4/192.168.1.4/tcp/7412/p2p/{peer}"),
            &format!("/ip4/10.0.0.1/tcp/7412/p2p/{other}"),
            "/ip4/0.0.0.0/tcp/7412",
            "/ip4/224.0.0.251/tcp/5353",
            "/ip4/255.255.255.255/tcp/1",
            "/ip4/192.168.1.4/tcp/0",
            "/ip4/192.168.1.4/udp/7412/quic-v1",
            "/dns4/example.com/tcp/7412",
            "/ip4/192.168.1.4/tcp/7412/ws",
            "/ip6/fe80::1/tcp/7412",
            "/ip6/::ffff:10.0.0.1/tcp/7412",
            "/ip6/fd00::1/tcp/7412",
            &format!("/ip4/203.0.113.7/tcp/7413/p2p/{other}/p2p-circuit"),
            &format!("/ip4/203.0.113.8/tcp/7413/p2p/{other}/p2p-circuit/p2p/{peer}"),
            &format!("/ip4/203.0.113.9/tcp/7413/p2p/{other}/p2p-circuit/p2p/{other}"),
            &format!("/ip4/203.0.113.9/tcp/7413/p2p/{peer}/p2p-circuit"),
            "/ip4/203.0.113.9/tcp/7413/p2p-circuit",
            "not an address",
            "",
        ]);
        let found: Vec<String> = parse_all(&peer, &given).iter().map(Multiaddr::to_string).collect();
        let through = |ip: &str| format!("/ip4/{ip}/tcp/7413/p2p/{other}/p2p-circuit");
        let (first, second) = (through("203.0.113.7"), through("203.0.113.8"));
        assert_eq!(found, ["/ip4/192.168.1.4/tcp/7412", "/ip6/fd00::1/tcp/7412", &first, &second]);
        let (relay, at) = relay_of(&first.parse().unwrap()).unwrap();
        assert_eq!((relay, at.to_string().as_str()), (other, "/ip4/203.0.113.7/tcp/7413"));
        assert_eq!(through("203.0.113.7"), super::through(relay, &at).to_string());
    }

    #[test]
    fn an_address_of_a_local_network_is_told_from_one_of_the_internet() {
        let peer = PeerId::random();
        let circuit = format!("/ip4/192.168.1.4/tcp/7413/p2p/{peer}/p2p-circuit");
        for (text, local) in [
            ("/ip4/192.168.1.4/tcp/7412", true),
            ("/ip4/10.0.0.1/tcp/1", true),
            ("/ip4/172.16.0.1/tcp/50000", true),
            ("/ip4/169.254.3.3/tcp/7412", true),
            ("/ip4/127.0.0.1/tcp/7412", true),
            ("/ip6/::1/tcp/7412", true),
            ("/ip6/fe80::1/tcp/7412", true),
            ("/ip6/fd00::1/tcp/7412", true),
            ("/ip6/::ffff:10.0.0.1/tcp/7412", true),
            ("/ip6/::ffff:93.184.216.34/tcp/7412", false),
            ("/ip4/93.184.216.34/tcp/7412", false),
            ("/ip4/172.32.0.1/tcp/7412", false),
            ("/ip6/2001:db8::1/tcp/7412", false),
            ("/ip4/0.0.0.0/tcp/7412", false),
            (&circuit, false),
        ] {
            assert_eq!(is_local(&text.parse().unwrap()), local, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_typed_address_is_said() {
        let peer = PeerId::random();
        let good = format!(" /ip4/192.168.1.4/tcp/7412/p2p/{peer}\n");
        let (node, plain) = parse_typed(&good).unwrap();
        assert_eq!((peer_id(&node), plain.as_str()), (Some(peer), "/ip4/192.168.1.4/tcp/7412"));
        for (text, error) in [
            (String::new(), AddressError::Unreadable),
            ("192.168.1.4:7412".to_owned(), AddressError::Unreadable),
            (format!("/ip4/192.168.1.400/tcp/7412/p2p/{peer}"), AddressError::Unreadable),
            ("/ip4/192.168.1.4/tcp/7412/p2p/nobody".to_owned(), AddressError::Unreadable),
            (format!("/dns4/example.com/tcp/7412/p2p/{peer}"), AddressError::Unsupported),
            (format!("/ip4/192.168.1.4/udp/7412/quic-v1/p2p/{peer}"), AddressError::Unsupported),
            ("/ip4/192.168.1.4/tcp/7412".to_owned(), AddressError::NoNode),
            (format!("/ip4/0.0.0.0/tcp/7412/p2p/{peer}"), AddressError::Nowhere),
            (format!("/ip4/192.168.1.4/tcp/0/p2p/{peer}"), AddressError::Nowhere),
            (format!("/ip6/fe80::1/tcp/7412/p2p/{peer}"), AddressError::Nowhere),
            ("/".repeat(limits::ADDRESS_BYTES + 1), AddressError::TooLong),
        ] {
            assert_eq!(parse_typed(&text), Err(error), "{text}");
        }
    }

    #[test]
    fn d7_the_number_of_addresses_is_bounded() {
        let given: Vec<String> = (1..200).map(|n| format!("/ip4/10.0.0.{n}/tcp/7412")).collect();
        assert_eq!(parse_all(&PeerId::random(), &given).len(), limits::ADDRESSES_PER_PEER);
    }

    #[test]
    fn addresses_are_told_nearest_first_and_with_the_peer_id() {
        let peer = PeerId::random();
        let listeners: Vec<Multiaddr> = [
            "/ip4/127.0.0.1/tcp/7412",
            "/ip4/0.0.0.0/tcp/7412",
            "/ip4/169.254.3.3/tcp/7412",
            "/ip4/93.184.216.34/tcp/7412",
            "/ip4/192.168.1.4/tcp/7412",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        let told = tell_all(peer, listeners.iter(), None);
        let expected = ["192.168.1.4", "93.184.216.34", "169.254.3.3", "127.0.0.1"]
            .map(|ip| format!("/ip4/{ip}/tcp/7412/p2p/{peer}"));
        assert_eq!(told, expected);
        assert_eq!(parse_all(&peer, &told).len(), 4);

        let relay = PeerId::random();
        let circuit = through(relay, &"/ip6/2001:db8:1111:2222:3333:4444:5555:6666/tcp/65535".parse().unwrap());
        let told = tell_all(peer, listeners.iter(), Some(circuit.clone()));
        assert_eq!((told.len(), &told[2]), (5, &circuit.to_string()), "behind those that reach farther");
        assert!(told[2].len() <= inframe_protocol::limits::MAX_ADDRESS_BYTES, "the longest that there is");
        let many: Vec<Multiaddr> = (1..20).map(|n| format!("/ip4/10.0.0.{n}/tcp/1").parse().unwrap()).collect();
        let told = tell_all(peer, many.iter(), Some(circuit.clone()));
        let at = told.iter().position(|address| *address == circuit.to_string()).unwrap();
        assert!(at < inframe_protocol::limits::MAX_ADDRESSES, "members are told the first ones");
    }
}
