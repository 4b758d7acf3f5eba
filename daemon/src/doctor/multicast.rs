//! Whether multicast works: nodes on a local network find each other by it (mDNS).
//!
//! A question that nobody answers is sent to the mDNS group on each interface, in the way in which this node looks for others, and must come
//! back. That it leaves the device and passes the switch cannot be seen from here alone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::interfaces::Interface;
use super::{Check, Topic, listed};

/// The group and port of mDNS (RFC 6762).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// How long the packet may take to come back; it goes through this device alone.
const BACK_WITHIN: Duration = Duration::from_secs(1);
/// A machine with containers has many interfaces; so many are tried.
const MOST_INTERFACES: usize = 16;
/// Asks for a service that nobody offers.
const NAME: [&str; 3] = ["_inframe-check", "_udp", "local"];

/// Why multicast does not work on an interface.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It is turned off there.
    #[error("multicast is turned off")]
    Off,
    /// Nobody may listen at the port of mDNS.
    #[error("UDP port {PORT} cannot be listened at ({0})")]
    Port(#[source] io::Error),
    /// The group cannot be joined.
    #[error("the group {GROUP} cannot be joined ({0})")]
    Join(#[source] io::Error),
    /// Nothing can be sent.
    #[error("nothing can be sent to {GROUP} ({0})")]
    Send(#[source] io::Error),
    /// It was sent and did not come back.
    #[error("what is sent to {GROUP} does not come back")]
    Lost,
}

impl Trouble {
    fn advice(&self, interface: &str) -> String {
        match self {
            Self::Off => format!("Turn multicast on, as with `ip link set {interface} multicast on`."),
            Self::Port(_) => {
                format!("Another program holds UDP port {PORT} for itself: let it share the port, or stop it.")
            }
            Self::Join(_) | Self::Send(_) | Self::Lost => {
                format!("Let UDP port {PORT} to and from {GROUP} through the firewall of this device.")
            }
        }
    }
}

/// What was tried on an interface.
#[derive(Debug)]
pub struct Tried {
    /// Its name.
    pub interface: String,
    /// Whether it worked.
    pub outcome: Result<(), Trouble>,
}

/// Tries every interface on which others could be found; blocking, a second for each on which nothing comes back.
#[must_use]
pub fn try_all(interfaces: &[Interface]) -> Vec<Tried> {
    let candidates = interfaces.iter().filter(|one| one.leads_out() && !one.point_to_point);
    let candidates = candidates.filter_map(|one| Some((one, one.ipv4()?))).take(MOST_INTERFACES);
    candidates.map(|(one, address)| Tried { interface: one.name.clone(), outcome: try_one(one, address) }).collect()
}

fn try_one(interface: &Interface, address: Ipv4Addr) -> Result<(), Trouble> {
    if !interface.multicast {
        return Err(Trouble::Off);
    }
    let receiver = listen().map_err(Trouble::Port)?;
    receiver.join_multicast_v4(&GROUP, &address).map_err(Trouble::Join)?;
    let sender = UdpSocket::bind((address, 0)).map_err(Trouble::Send)?;
    let from = sender.local_addr().map_err(Trouble::Send)?;
    let question = question(from.port());
    sender.send_to(&question, (GROUP, PORT)).map_err(Trouble::Send)?;
    if comes_back(&receiver, from, &question) { Ok(()) } else { Err(Trouble::Lost) }
}

/// Beside whoever else listens there, as all who speak mDNS do.
fn listen() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::from(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    Ok(socket.into())
}

/// Others speak there as well: what is waited for is this question, from this address.
fn comes_back(receiver: &UdpSocket, from: SocketAddr, question: &[u8]) -> bool {
    let until = Instant::now() + BACK_WITHIN;
    let mut buffer = [0; 1500];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || receiver.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match receiver.recv_from(&mut buffer) {
            Ok((length, sender)) if sender == from && buffer.get(..length) == Some(question) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}

/// A DNS question for a pointer, with a number by which it is told from others.
fn question(id: u16) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    // Flags, one question, no answers.
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in NAME {
        bytes.push(u8::try_from(label.len()).unwrap_or(0));
        bytes.extend(label.as_bytes());
    }
    // End of the name; PTR; IN.
    bytes.extend([0, 0, 12, 0, 1]);
    bytes
}

/// Judges what [`try_all`] gave; `None` where nothing was tried since the owner has turned mDNS off.
#[must_use]
pub fn check(tried: Option<&[Tried]>) -> Check {
    let topic = Topic::Multicast;
    let Some(tried) = tried else {
        let found = "Looking for others on the local network is turned off (--no-mdns or INFRAME_NO_MDNS).";
        let advice = "Start the daemon without it, or give the addresses of others by hand.";
        return Check::not_checked(topic, found, advice);
    };
    let names = |works: bool| -> Vec<String> {
        tried.iter().filter(|one| one.outcome.is_ok() == works).map(|one| one.interface.clone()).collect()
    };
    let (good, bad) = (names(true), names(false));
    let problem = tried.iter().find_map(|one| Some((one.interface.as_str(), one.outcome.as_ref().err()?)));
    match problem {
        None if good.is_empty() => Check::failed(
            topic,
            "There is no interface with an IPv4 address on which others could be found.",
            "Connect this device to a network; see the check of the network interfaces.",
        ),
        None => Check::good(topic, format!("What is sent to the mDNS group comes back on {}.", listed(&good))),
        Some((name, trouble)) => {
            let more = if bad.len() > 1 {
                format!(" The same check fails on {}.", listed(bad.get(1..).unwrap_or_default()))
            } else {
                String::new()
            };
            let advice = trouble.advice(name);
            if good.is_empty() {
                let found = format!("Others on the local network cannot be found: on {name} {trouble}.{more}");
                Check::failed(topic, found, advice)
            } else {
                let found = format!("Others are found on {}, but on {name} {trouble}.{more}", listed(&good));
                Check::warning(topic, found, advice)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn tried(interface: &str, outcome: Result<(), Trouble>) -> Tried {
        Tried { interface: interface.into(), outcome }
    }

    #[test]
    fn the_question_is_one_of_dns_and_asks_for_nothing_that_there_is() {
        let bytes = question(0x1234);
        assert_eq!(bytes.get(..6), Some(&[0x12, 0x34, 0, 0, 0, 1][..]));
        assert_eq!(bytes.get(12), Some(&14), "length of the first label");
        assert_eq!(bytes.get(bytes.len() - 5..), Some(&[0, 0, 12, 0, 1][..]));
    }

    #[test]
    fn all_must_work_and_the_one_that_does_not_is_named_with_what_to_do() {
        let refused = || io::Error::from(io::ErrorKind::AddrInUse);
        for (list, state, words, advice) in [
            (vec![tried("eth0", Ok(()))], State::Good, "comes back on eth0.", None),
            (vec![], State::Failed, "no interface", Some("Connect")),
            (
                vec![tried("eth0", Err(Trouble::Off))],
                State::Failed,
                "turned off",
                Some("ip link set eth0 multicast on"),
            ),
            (vec![tried("eth0", Err(Trouble::Lost))], State::Failed, "does not come back", Some("firewall")),
            (vec![tried("eth0", Err(Trouble::Port(refused())))], State::Failed, "5353", Some("share")),
            (
                vec![tried("eth0", Ok(())), tried("wlan0", Err(Trouble::Off)), tried("br0", Err(Trouble::Lost))],
                State::Warning,
                "found on eth0, but on wlan0 multicast is turned off. The same check fails on br0.",
                Some("wlan0"),
            ),
        ] {
            let check = check(Some(&list));
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
            match advice {
                Some(words) => assert!(check.advice.as_deref().unwrap().contains(words), "{check:?}"),
                None => assert_eq!(check.advice, None),
            }
        }
        assert_eq!(check(None).state, State::NotChecked);
    }
}
