//! Network interfaces, and whether they have addresses that others could dial.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use nix::net::if_::InterfaceFlags;

use super::{Check, Topic, listed};

/// A network interface of this device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Name, such as `eth0`.
    pub name: String,
    /// Whether it is switched on and has a carrier: a cable, or a Wi-Fi network.
    pub running: bool,
    /// Whether it leads back to this device.
    pub loopback: bool,
    /// Whether it takes multicast.
    pub multicast: bool,
    /// Whether there is one other end only, as of a VPN.
    pub point_to_point: bool,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl Interface {
    /// Whether others could be on it.
    #[must_use]
    pub fn leads_out(&self) -> bool {
        self.running && !self.loopback
    }

    /// Whether it leads to containers, machines within this one or through a tunnel, and not into the network that this device is in.
    #[must_use]
    pub fn is_inner(&self) -> bool {
        const INNER: [&str; 7] = ["docker", "br-", "veth", "virbr", "tun", "tap", "wg"];
        self.point_to_point || INNER.iter().any(|prefix| self.name.starts_with(prefix))
    }

    /// An IPv4 address to send from.
    #[must_use]
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
    }
}

/// Every interface of this device, in the order of their names.
///
/// # Errors
/// When the system does not say.
pub fn all() -> io::Result<Vec<Interface>> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in nix::ifaddrs::getifaddrs()? {
        let has = |flag| entry.flags.contains(flag);
        let interface = found.entry(entry.interface_name.clone()).or_insert_with(|| Interface {
            name: entry.interface_name.clone(),
            running: has(InterfaceFlags::IFF_UP) && has(InterfaceFlags::IFF_RUNNING),
            loopback: has(InterfaceFlags::IFF_LOOPBACK),
            multicast: has(InterfaceFlags::IFF_MULTICAST),
            point_to_point: has(InterfaceFlags::IFF_POINTOPOINT),
            addresses: Vec::new(),
        });
        let address = entry.address.as_ref().and_then(|address| {
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        });
        interface.addresses.extend(address);
    }
    Ok(found.into_values().collect())
}

/// Addresses at which others on the network reach this device, the likeliest first: not those of bridges and tunnels before those of the network that it is in.
#[must_use]
pub fn reachable(interfaces: &[Interface]) -> Vec<IpAddr> {
    let mut found: Vec<(u8, IpAddr)> = Vec::new();
    for interface in interfaces.iter().filter(|interface| interface.leads_out()) {
        for address in &interface.addresses {
            let rank = match address {
                IpAddr::V4(address) if address.is_link_local() => 2,
                IpAddr::V4(_) => 0,
                IpAddr::V6(address) if address.is_unicast_link_local() => continue,
                IpAddr::V6(_) => 1,
            };
            found.push((rank + if interface.is_inner() { 4 } else { 0 }, *address));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(_, address)| address).collect()
}

/// Whether an address is of use only on the wire that it is on, and was given by no router.
fn link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Judges what [`all`] gave.
#[must_use]
pub fn check(found: &io::Result<Vec<Interface>>) -> Check {
    let topic = Topic::Interfaces;
    let interfaces = match found {
        Ok(interfaces) => interfaces,
        Err(error) => {
            let why = format!("The system does not name its network interfaces: {error}.");
            return Check::not_checked(topic, why, "Look at the output of `ip address` yourself.");
        }
    };
    let dialable = |address: &&IpAddr| !link_local(address) && !address.is_loopback() && !address.is_unspecified();
    let (mut good, mut weak, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    for interface in interfaces.iter().filter(|interface| !interface.loopback) {
        let dialable: Vec<String> = interface.addresses.iter().filter(dialable).map(IpAddr::to_string).collect();
        if !interface.running {
            // Those that nobody has ever set up say nothing.
            if !interface.addresses.is_empty() {
                dead.push(interface.name.clone());
            }
        } else if !dialable.is_empty() {
            good.push(format!("{} has {}", interface.name, listed(&dialable)));
        } else if let Some(only) = interface.addresses.first() {
            weak.push(format!("{} has {only} only", interface.name));
        } else {
            weak.push(format!("{} has no address", interface.name));
        }
    }
    let off = match dead.as_slice() {
        [] => String::new(),
        [_] => format!(" {} is off or has no cable.", listed(&dead)),
        _ => format!(" {} are off or have no cable.", listed(&dead)),
    };
    if !good.is_empty() {
        return Check::good(topic, format!("Others can dial this device: {}.", listed(&good)));
    }
    if weak.iter().any(|words| words.ends_with(" only")) {
        let found = format!("No router has given this device an address: {}.{off}", listed(&weak));
        let advice = "Check the cable or the Wi-Fi, and that the router gives out addresses (DHCP); until then only devices on the same wire can \
                      be reached.";
        return Check::warning(topic, found, advice);
    }
    let but = if weak.is_empty() { String::new() } else { format!(" {}.", listed(&weak)) };
    let found = format!("This device has no address but that of itself.{but}{off}");
    let advice = "Plug in a network cable or join a Wi-Fi network; in a container, give it a network of the host.";
    Check::failed(topic, found, advice)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn interface(name: &str, addresses: &[&str]) -> Interface {
        Interface {
            name: name.into(),
            running: true,
            loopback: name == "lo",
            multicast: name != "lo",
            point_to_point: false,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn the_interfaces_of_this_machine_are_found_with_the_loopback_one() {
        let found = all().unwrap();
        let lo = found.iter().find(|interface| interface.loopback).unwrap();
        assert!(lo.addresses.iter().all(IpAddr::is_loopback) && !lo.leads_out(), "{lo:?}");
    }

    #[test]
    fn an_address_from_a_router_is_good_one_without_a_warning_and_none_a_failure() {
        let lo = interface("lo", &["127.0.0.1", "::1"]);
        let off = Interface { running: false, ..interface("wlan0", &["192.168.7.9"]) };
        let unused = Interface { running: false, ..interface("eth9", &[]) };
        for (interfaces, state, words) in [
            (vec![lo.clone(), interface("eth0", &["192.168.1.5", "fe80::1"])], State::Good, "eth0 has 192.168.1.5."),
            (vec![lo.clone(), interface("eth0", &["2001:db8::5", "fe80::1"])], State::Good, "eth0 has 2001:db8::5."),
            (vec![interface("eth0", &["10.0.0.1"]), off.clone()], State::Good, "eth0 has 10.0.0.1."),
            (vec![lo.clone(), interface("eth0", &["169.254.3.4"])], State::Warning, "eth0 has 169.254.3.4 only"),
            (vec![lo.clone(), interface("eth0", &[])], State::Failed, "eth0 has no address."),
            (vec![lo.clone(), off, unused], State::Failed, "wlan0 is off"),
            (vec![lo], State::Failed, "no address but that of itself"),
            (vec![], State::Failed, "no address but that of itself"),
        ] {
            let check = check(&Ok(interfaces));
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
            assert!(!check.found.contains("eth9"), "{check:?}");
            assert_eq!(check.advice.is_none(), state == State::Good);
        }
        assert_eq!(check(&Err(io::ErrorKind::PermissionDenied.into())).state, State::NotChecked);
    }

    #[test]
    fn the_likeliest_address_stands_first() {
        let found = reachable(&[
            interface("docker0", &["172.17.0.1"]),
            interface("lo", &["127.0.0.1", "::1"]),
            Interface { point_to_point: true, ..interface("ppp0", &["10.8.0.2"]) },
            interface("wlan0", &["fe80::1", "2001:db8::7", "192.168.1.20"]),
            Interface { running: false, ..interface("eth0", &["192.168.2.2"]) },
        ]);
        let text: Vec<String> = found.iter().map(IpAddr::to_string).collect();
        assert_eq!(text, ["192.168.1.20", "2001:db8::7", "10.8.0.2", "172.17.0.1"]);
    }
}
