//! Where guests reach the page, and the Wi-Fi network on the poster.

use std::net::{IpAddr, SocketAddr};

use super::super::Answer;
use super::super::events::invalid;
use super::super::invites::qr_svg;
use crate::doctor::interfaces::{self, Interface};
use crate::guest::{Listening, StoredPage, StoredWifi, limits};
use crate::settings::clean_name;
use crate::views::{GuestLinkView, GuestWifiBody, GuestWifiView};

/// Links in one answer.
const MOST_LINKS: usize = 6;

/// Links to a page by every address, the likeliest first.
pub(super) fn links(listening: &Listening, page: &StoredPage) -> Answer<Vec<GuestLinkView>> {
    let Some(at) = listening.at else { return Ok(Vec::new()) };
    let addresses =
        if at.ip().is_unspecified() { reachable(interfaces::all().unwrap_or_default()) } else { vec![at.ip()] };
    let token = data_encoding::HEXLOWER.encode(&page.token);
    let key = data_encoding::BASE64URL_NOPAD.encode(&page.key.0);
    let link = |ip: IpAddr| {
        let address = SocketAddr::new(ip, at.port()).to_string();
        let link = format!("http://{address}/g/{token}#{key}");
        Ok(GuestLinkView { qr_svg: qr_svg(&link)?, address, link })
    };
    addresses.into_iter().take(MOST_LINKS).map(link).collect()
}

/// Addresses at which phones on the network reach this device, the likeliest first: not those of bridges and tunnels before those of the network that it is in.
fn reachable(interfaces: Vec<Interface>) -> Vec<IpAddr> {
    const INNER: [&str; 7] = ["docker", "br-", "veth", "virbr", "tun", "tap", "wg"];
    let mut found: Vec<(u8, IpAddr)> = Vec::new();
    for interface in interfaces.iter().filter(|interface| interface.leads_out()) {
        let inner = interface.point_to_point || INNER.iter().any(|prefix| interface.name.starts_with(prefix));
        for address in &interface.addresses {
            let rank = match address {
                IpAddr::V4(address) if address.is_link_local() => 2,
                IpAddr::V4(_) => 0,
                IpAddr::V6(address) if address.is_unicast_link_local() => continue,
                IpAddr::V6(_) => 1,
            };
            found.push((rank + if inner { 4 } else { 0 }, *address));
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(_, address)| address).collect()
}

/// The network that the host typed; none for an empty name.
pub(super) fn wifi_of(body: &GuestWifiBody) -> Answer<Option<StoredWifi>> {
    let name = clean_name(&body.name, limits::WIFI_NAME_BYTES, limits::WIFI_NAME_BYTES);
    if body.name.trim().is_empty() {
        return Ok(None);
    }
    if name != body.name.trim() {
        return Err(invalid("bad-wifi-name", "the name of a Wi-Fi network has at most 32 bytes"));
    }
    let password = body.password.clone();
    if password.len() > limits::WIFI_PASSWORD_BYTES || password.chars().any(char::is_control) {
        return Err(invalid("bad-wifi-password", "the password of a Wi-Fi network has at most 63 letters"));
    }
    if (1..8).contains(&password.len()) {
        return Err(invalid(
            "bad-wifi-password",
            "the password of a Wi-Fi network has at least 8 letters; leave it empty for an open one",
        ));
    }
    Ok(Some(StoredWifi { name, password }))
}

/// It with its QR code.
pub(super) fn wifi_view(wifi: &StoredWifi) -> Answer<GuestWifiView> {
    Ok(GuestWifiView { name: wifi.name.clone(), password: wifi.password.clone(), qr_svg: qr_svg(&wifi_text(wifi))? })
}

/// The form that the cameras of phones know, with what has a meaning in it set off by a backslash.
fn wifi_text(wifi: &StoredWifi) -> String {
    let escaped = |text: &str| {
        let mut out = String::new();
        for letter in text.chars() {
            if matches!(letter, '\\' | ';' | ',' | ':' | '"') {
                out.push('\\');
            }
            out.push(letter);
        }
        out
    };
    match wifi.password.as_str() {
        "" => format!("WIFI:T:nopass;S:{};;", escaped(&wifi.name)),
        password => format!("WIFI:T:WPA;S:{};P:{};;", escaped(&wifi.name), escaped(password)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, addresses: &[&str]) -> Interface {
        Interface {
            name: name.into(),
            running: true,
            loopback: name == "lo",
            multicast: true,
            point_to_point: name.starts_with("ppp"),
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn the_likeliest_address_stands_first() {
        let found = reachable(vec![
            interface("docker0", &["172.17.0.1"]),
            interface("lo", &["127.0.0.1", "::1"]),
            interface("ppp0", &["10.8.0.2"]),
            interface("wlan0", &["fe80::1", "2001:db8::7", "192.168.1.20"]),
            Interface { running: false, ..interface("eth0", &["192.168.2.2"]) },
        ]);
        let text: Vec<String> = found.iter().map(IpAddr::to_string).collect();
        assert_eq!(text, ["192.168.1.20", "2001:db8::7", "10.8.0.2", "172.17.0.1"]);
    }

    #[test]
    fn a_network_is_written_as_cameras_read_it() {
        let of = |name: &str, password: &str| {
            wifi_of(&GuestWifiBody { name: name.into(), password: password.into(), keep: false })
        };
        assert_eq!(
            wifi_text(&of("Barn; \"upper\"", "a:b,c;d\\e").unwrap().unwrap()),
            r#"WIFI:T:WPA;S:Barn\; \"upper\";P:a\:b\,c\;d\\e;;"#
        );
        assert_eq!(wifi_text(&of(" Open ", "").unwrap().unwrap()), "WIFI:T:nopass;S:Open;;");
        assert!(of("", "whatever").unwrap().is_none());
        for (name, password) in [(&*"x".repeat(33), "longenough"), ("Barn", "short"), ("Barn", &*"x".repeat(64))] {
            assert!(of(name, password).is_err(), "{name} {password}");
        }
    }
}
