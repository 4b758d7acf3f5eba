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
    LinkLocal,
    Loopback,
}

/// Reads addresses that somebody gave for `peer`, dropping every one that cannot be dialled: no IP and TCP address,
/// the id of another peer, an address that names no single machine, too long. The result is bounded and has no
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
    let (.., owner) = split(&address).ok_or(AddressError::Unsupported)?;
    let owner = owner.ok_or(AddressError::NoNode)?;
    let plain = dialable(&owner, &address).ok_or(AddressError::Nowhere)?;
    Ok((node_id(&owner).ok_or(AddressError::NoNode)?, plain.to_string()))
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

/// `/ip4|ip6/A/tcp/P` of an address, if it is exactly that, perhaps with `/p2p/` and this peer.
pub(super) fn dialable(peer: &PeerId, address: &Multiaddr) -> Option<Multiaddr> {
    let (ip, port, owner) = split(address)?;
    if port == 0 || owner.is_some_and(|owner| owner != *peer) || reach(ip).is_none() {
        return None;
    }
    Some(Multiaddr::from(ip).with(Part::Tcp(port)))
}

/// The texts that others can reach `node` by: local network first, this machine last, unspecified ones left out.
pub(super) fn tell_all<'a>(node: PeerId, listeners: impl Iterator<Item = &'a Multiaddr>) -> Vec<String> {
    let mut found: Vec<(Reach, Multiaddr)> = Vec::new();
    for address in listeners {
        let Some((ip, port, _)) = split(address) else { continue };
        let (Some(reach), true) = (reach(ip), port != 0) else { continue };
        let plain = Multiaddr::from(ip).with(Part::Tcp(port));
        if !found.iter().any(|(_, known)| *known == plain) {
            found.push((reach, plain));
        }
    }
    found.sort();
    found.truncate(limits::ADDRESSES_PER_PEER);
    found.into_iter().map(|(_, address)| address.with(Part::P2p(node)).to_string()).collect()
}

/// The address without the peer id that libp2p appends to it.
pub(super) fn without_peer(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Part::P2p(_))).collect()
}

/// Whether two addresses have the same IP address, whatever their ports.
pub(super) fn same_machine(one: &Multiaddr, other: &Multiaddr) -> bool {
    split(one).zip(split(other)).is_some_and(|((one, ..), (other, ..))| one == other)
}

/// The id of a peer as the protocol crate writes it.
pub(super) fn node_id(peer: &PeerId) -> Option<NodeId> {
    NodeId::new(peer.to_bytes()).ok()
}

/// The libp2p form of an id.
pub(super) fn peer_id(node: &NodeId) -> Option<PeerId> {
    PeerId::from_bytes(node.as_bytes()).ok()
}

fn split(address: &Multiaddr) -> Option<(IpAddr, u16, Option<PeerId>)> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Part::Ip4(ip) => IpAddr::V4(ip),
        Part::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    let Part::Tcp(port) = parts.next()? else { return None };
    let owner = match parts.next() {
        None => None,
        Some(Part::P2p(owner)) => Some(owner),
        Some(_) => return None,
    };
    parts.next().is_none().then_some((ip, port, owner))
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
    fn d8_only_plain_tcp_addresses_of_that_peer_are_taken() {
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
            "not an address",
            "",
        ]);
        let found: Vec<String> = parse_all(&peer, &given).iter().map(Multiaddr::to_string).collect();
        assert_eq!(found, ["/ip4/192.168.1.4/tcp/7412", "/ip6/fd00::1/tcp/7412"]);
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
        let told = tell_all(peer, listeners.iter());
        let expected = ["192.168.1.4", "93.184.216.34", "169.254.3.3", "127.0.0.1"]
            .map(|ip| format!("/ip4/{ip}/tcp/7412/p2p/{peer}"));
        assert_eq!(told, expected);
        assert_eq!(parse_all(&peer, &told).len(), 4);
    }
}
