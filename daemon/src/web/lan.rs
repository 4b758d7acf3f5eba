//! The dashboard in the network: where it is reached, under which names, with which certificate.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::elsewhere::{Elsewhere, authority};
use super::entrance::{Bounds, Entrance, Secure};
use super::guard::Guards;
use super::limits::{LAN_CONNECTIONS, LAN_CONNECTIONS_PER_ADDRESS, LAN_IDLE};
use super::serve::BindError;
use crate::doctor::interfaces::{Interface, all, reachable};
use crate::limits::CERTIFICATE_LOOK_EVERY;
use crate::settings::host_name;
use crate::tls::{Names, Shown, Tls};

const BOUNDS: Bounds = Bounds { all: LAN_CONNECTIONS, of_address: LAN_CONNECTIONS_PER_ADDRESS, idle: LAN_IDLE };
/// Addresses at which it is said to be.
const MOST_ORIGINS: usize = 6;

/// The dashboard's port for the network, bound and not served yet.
#[derive(Debug)]
pub struct Lan {
    listener: TcpListener,
    access: LanAccess,
}

/// How the dashboard is reached over the network.
#[derive(Clone, Debug)]
pub struct LanAccess {
    bound: SocketAddr,
    tls: Tls,
    /// Names that the owner added.
    hosts: Vec<String>,
}

/// Binds the dashboard's port for the network; port 0 takes a free one. It is served with `tls`, and answers to `hosts` besides the device's own names.
///
/// # Errors
/// When the address is taken or cannot be bound.
pub async fn bind_lan(address: SocketAddr, tls: Tls, hosts: &[String]) -> Result<Lan, BindError> {
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::Taken(address, "--lan"),
        _ => BindError::Address(address, "--lan", error),
    })?;
    let bound = listener.local_addr().map_err(|error| BindError::Address(address, "--lan", error))?;
    Ok(Lan { listener, access: LanAccess { bound, tls, hosts: hosts.to_vec() } })
}

impl Lan {
    /// How it is reached.
    #[must_use]
    pub fn access(&self) -> &LanAccess {
        &self.access
    }

    /// The entrance, whose connections end at `broken_off`.
    pub(super) fn entrance(self, broken_off: CancellationToken) -> Entrance {
        let secure = Secure { tls: self.access.tls, elsewhere: Elsewhere::SameName };
        Entrance::new(self.listener, BOUNDS, Some(secure), broken_off)
    }
}

impl LanAccess {
    /// Addresses of the dashboard as browsers take them, the likeliest first. A certificate of the owner's has a name by which browsers know it.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        let port = self.bound.port();
        let shown = self.tls.shown();
        let host = if shown.own { None } else { shown.parsed.host() };
        let addresses = addresses(self.bound.ip());
        let of_address = |address: IpAddr| match address {
            IpAddr::V4(address) => authority(&address.to_string(), port),
            IpAddr::V6(address) => authority(&format!("[{address}]"), port),
        };
        let all = host.map(|host| authority(host, port)).into_iter().chain(addresses.into_iter().map(of_address));
        all.take(MOST_ORIGINS).map(|authority| format!("https://{authority}")).collect()
    }

    /// The likeliest of them; the address that is bound where this device is in no network.
    #[must_use]
    pub fn origin(&self) -> String {
        self.origins().into_iter().next().unwrap_or_else(|| format!("https://{}", self.bound))
    }

    /// Where it is bound.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.bound.ip()
    }

    /// The certificate.
    #[must_use]
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// What there is to show of it.
    #[must_use]
    pub fn certificate(&self) -> Shown {
        self.tls.shown()
    }

    /// The guards of this front, behind which are the sessions of `device`.
    pub(super) fn guards(&self, device: &Guards) -> Guards {
        let mut own = own_hosts(&host_name());
        // Whoever has a certificate for a name means it.
        own.extend(self.tls.shown().parsed.host().map(str::to_owned));
        device.for_network(self.bound.port(), &own, &self.hosts)
    }
}

/// The names that a certificate of the node's own is for when a port is bound at `bound`: of addresses those that stay, since each new certificate has to be
/// compared anew. Addresses of version 6 change every day on many devices, and networks of containers come and go.
#[must_use]
pub fn own_names(bound: IpAddr) -> Names {
    let addresses =
        if bound.is_unspecified() { lasting(all().unwrap_or_default()) } else { vec![bound.to_canonical()] };
    Names { hosts: own_hosts(&host_name()), addresses }
}

fn lasting(mut interfaces: Vec<Interface>) -> Vec<IpAddr> {
    interfaces.retain(|interface| !interface.is_inner());
    reachable(&interfaces).into_iter().filter(IpAddr::is_ipv4).collect()
}

/// Looks every half minute whether certificates have to be exchanged, until `stop`.
pub async fn keep_certificates(certificates: Vec<(Tls, IpAddr)>, stop: CancellationToken) {
    if certificates.is_empty() {
        return;
    }
    while stop.run_until_cancelled(tokio::time::sleep(CERTIFICATE_LOOK_EVERY)).await.is_some() {
        let looked = certificates.clone();
        let look = move || looked.iter().for_each(|(tls, bound)| tls.refresh(&own_names(*bound)));
        if let Err(error) = tokio::task::spawn_blocking(look).await {
            tracing::warn!(%error, "certificates could not be looked at");
        }
    }
}

fn addresses(bound: IpAddr) -> Vec<IpAddr> {
    if !bound.is_unspecified() {
        return vec![bound.to_canonical()];
    }
    reachable(&all().unwrap_or_default()).into_iter().filter(|address| address.is_ipv4() || bound.is_ipv6()).collect()
}

/// The name of the device, and the one by which it is found without a server of names.
fn own_hosts(name: &str) -> Vec<String> {
    let name = name.trim_matches('.').to_ascii_lowercase();
    let is_host =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if !is_host {
        return Vec::new();
    }
    let label = name.split('.').next().unwrap_or_default();
    let local = format!("{label}.local");
    if local == name { vec![name] } else { vec![name, local] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_its_name_and_the_one_for_its_network() {
        assert_eq!(own_hosts("NAS"), ["nas", "nas.local"]);
        assert_eq!(own_hosts("nas.home.example."), ["nas.home.example", "nas.local"]);
        assert_eq!(own_hosts("nas.local"), ["nas.local"]);
        for bad in ["", "This device", "n\u{e4}s", "a/b"] {
            assert!(own_hosts(bad).is_empty(), "{bad}");
        }
        assert_eq!(own_names([10, 0, 0, 7].into()).addresses, [IpAddr::from([10, 0, 0, 7])]);
    }

    #[test]
    fn a_certificate_names_addresses_that_stay() {
        let interface = |name: &str, addresses: &[&str]| Interface {
            name: name.into(),
            running: true,
            loopback: false,
            multicast: true,
            point_to_point: name.starts_with("ppp"),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        let found = lasting(vec![
            interface("docker0", &["172.17.0.1"]),
            interface("ppp0", &["10.8.0.2"]),
            interface("eth0", &["192.168.1.20", "2001:db8::7", "fe80::1"]),
        ]);
        assert_eq!(found, [IpAddr::from([192, 168, 1, 20])]);
    }

    #[tokio::test]
    async fn it_is_reached_under_a_name_that_browsers_know_first_and_else_under_addresses() {
        let folder = tempfile::tempdir().unwrap();
        let dir = crate::data_dir::DataDir::open(folder.path().join("data")).unwrap();
        let tls = Tls::own(&dir, &own_names([127, 0, 0, 1].into())).unwrap();
        let lan = bind_lan(([127, 0, 0, 1], 0).into(), tls, &[]).await.unwrap();
        let port = lan.access().bound.port();
        assert_eq!(lan.access().origin(), format!("https://127.0.0.1:{port}"));
        let taken = bind_lan(lan.access().bound, lan.access().tls.clone(), &[]).await.unwrap_err();
        assert!(taken.to_string().contains("--lan"), "{taken}");
        let key = rcgen::KeyPair::generate().unwrap();
        let (certificate_path, key_path) = (folder.path().join("c"), folder.path().join("k"));
        let made = rcgen::CertificateParams::new(vec!["photos.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(&certificate_path, made.pem()).unwrap();
        std::fs::write(&key_path, key.serialize_pem()).unwrap();
        let tls = Tls::of_owner(certificate_path, key_path).unwrap();
        let access = LanAccess { bound: ([127, 0, 0, 1], 443).into(), tls, hosts: Vec::new() };
        assert_eq!(access.origins(), ["https://photos.test", "https://127.0.0.1"]);
    }
}
