//! Which names a request may call this daemon by: the guard against pages that point their own domain at this machine (DNS rebinding).

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::header::HOST;

/// The names by which the dashboard answers, lowercase and with their port.
#[derive(Debug)]
pub(super) struct HostList(HashSet<String>);

impl HostList {
    /// The loopback names with the bound port, and names that the owner added (`name` or `name:port`).
    pub(super) fn new(port: u16, added: &[String]) -> Self {
        // Browsers leave out the scheme's own port.
        let mut list = Self::with(["127.0.0.1", "localhost", "[::1]"], port, port == 80);
        list.add(port, added);
        list
    }

    /// Names of this device in its network with the bound port, and names that the owner added. The address that was called is known of each connection.
    pub(super) fn of_network(port: u16, own: &[String], added: &[String]) -> Self {
        let mut list = Self::with(own.iter().map(String::as_str), port, port == 443);
        list.add(port, added);
        list
    }

    fn with<'a>(own: impl IntoIterator<Item = &'a str>, port: u16, is_default: bool) -> Self {
        let mut names = HashSet::new();
        for name in own {
            let name = name.to_ascii_lowercase();
            names.insert(format!("{name}:{port}"));
            if is_default {
                names.insert(name);
            }
        }
        Self(names)
    }

    fn add(&mut self, port: u16, added: &[String]) {
        for name in added {
            let name = name.trim().to_ascii_lowercase();
            self.0.insert(format!("{name}:{port}"));
            self.0.insert(name);
        }
    }

    /// Whether every name that the request gives for its target is on the list, or is the address of this device that was `called`, on which the connection
    /// came: a page of somebody else has a name, and under an address there are pages of this device only.
    pub(super) fn admits(&self, headers: &HeaderMap, target: &Uri, called: Option<SocketAddr>) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Ok(host) = host.to_str() else {
            return false;
        };
        let knows = |name: &str| self.knows(name) || called.is_some_and(|called| is_address(name, called));
        // A target in absolute form overrides the header, so both have to be good.
        knows(host) && target.authority().is_none_or(|authority| knows(authority.as_str()))
    }

    /// Whether `origin`, as a browser writes it, is this dashboard under the very name that the request called it by.
    pub(super) fn same_origin(headers: &HeaderMap, origin: &str, encrypted: bool) -> bool {
        let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        // On this device itself a proxy may have encrypted what comes here in the clear.
        let plain = if encrypted { None } else { origin.strip_prefix("http://") };
        let name = plain.or_else(|| origin.strip_prefix("https://"));
        name.is_some_and(|name| name.eq_ignore_ascii_case(host))
    }

    fn knows(&self, name: &str) -> bool {
        self.0.contains(&name.to_ascii_lowercase())
    }
}

/// Whether a name is this address, with its port, or without where it is that of `https`.
fn is_address(name: &str, called: SocketAddr) -> bool {
    let bare = || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let named = name.parse::<SocketAddr>().ok().map(|named| (named.ip(), named.port()));
    let named = named.or_else(|| Some((bare().filter(|_| called.port() == 443)?, 443)));
    named.is_some_and(|(ip, port)| ip.to_canonical() == called.ip().to_canonical() && port == called.port())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn admits(list: &HostList, hosts: &[&str], target: &str) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
        }
        list.admits(&headers, &target.parse().unwrap(), None)
    }

    #[test]
    fn only_the_loopback_names_with_the_bound_port_and_added_names_are_admitted() {
        let list = HostList::new(7410, &["Photos.home".into()]);
        for good in
            ["127.0.0.1:7410", "localhost:7410", "LOCALHOST:7410", "[::1]:7410", "photos.home", "photos.home:7410"]
        {
            assert!(admits(&list, &[good], "/"), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "localhost",
            "127.0.0.1:7411",
            "evil.test",
            "evil.test:7410",
            "localhost.evil.test:7410",
            "127.0.0.1:7410.evil.test",
            "localhost:7410@evil.test",
            "0.0.0.0:7410",
            "",
        ] {
            assert!(!admits(&list, &[bad], "/"), "{bad}");
        }
    }

    #[test]
    fn a_missing_a_doubled_and_an_overridden_host_are_refused() {
        let list = HostList::new(7410, &[]);
        assert!(!admits(&list, &[], "/"));
        assert!(!admits(&list, &["localhost:7410", "localhost:7410"], "/"));
        assert!(!admits(&list, &["localhost:7410"], "http://evil.test:7410/"));
        assert!(admits(&list, &["localhost:7410"], "http://localhost:7410/"));
    }

    #[test]
    fn an_origin_is_the_same_only_under_the_same_name_and_port() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static("127.0.0.1:7410"));
        assert!(HostList::same_origin(&headers, "http://127.0.0.1:7410", false));
        assert!(!HostList::same_origin(&headers, "http://127.0.0.1:7410", true));
        assert!(HostList::same_origin(&headers, "https://127.0.0.1:7410", true));
        for bad in
            ["http://127.0.0.1:7411", "http://localhost:7410", "null", "", "http://evil.test", "ws://127.0.0.1:7410"]
        {
            assert!(!HostList::same_origin(&headers, bad, false), "{bad}");
        }
    }

    #[test]
    fn over_the_network_only_the_names_of_the_device_and_the_address_that_was_called_are_admitted() {
        let own = ["nas".to_owned(), "nas.local".to_owned()];
        let list = HostList::of_network(7414, &own, &["photos.example".into()]);
        let called: SocketAddr = "192.168.1.20:7414".parse().unwrap();
        let admits = |host: &str, called: SocketAddr| {
            let mut headers = HeaderMap::new();
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
            list.admits(&headers, &Uri::from_static("/"), Some(called))
        };
        for good in ["nas:7414", "NAS.local:7414", "photos.example", "photos.example:7414", "192.168.1.20:7414"] {
            assert!(admits(good, called), "{good}");
        }
        for bad in [
            "evil.test",
            "evil.test:7414",
            "nas",
            "nas:7415",
            "nas.evil.test:7414",
            "localhost:7414",
            "127.0.0.1:7414",
            "192.168.1.20",
            "192.168.1.20:7410",
            "192.168.1.21:7414",
            "192.168.1.20.evil.test:7414",
            "",
        ] {
            assert!(!admits(bad, called), "{bad}");
        }
        let six: SocketAddr = "[fd00::2]:7414".parse().unwrap();
        assert!(admits("[fd00::2]:7414", six) && admits("[fd00:0::2]:7414", six) && !admits("[fd00::3]:7414", six));
        let mapped: SocketAddr = "[::ffff:192.168.1.20]:7414".parse().unwrap();
        assert!(admits("192.168.1.20:7414", mapped));
        let short = HostList::of_network(443, &own, &[]);
        let at = |host: &'static str, called: &str| {
            let mut headers = HeaderMap::new();
            headers.append(HOST, HeaderValue::from_static(host));
            short.admits(&headers, &Uri::from_static("/"), Some(called.parse().unwrap()))
        };
        assert!(at("nas", "10.0.0.1:443") && at("10.0.0.1", "10.0.0.1:443") && at("[fd00::2]", "[fd00::2]:443"));
        assert!(!at("10.0.0.2", "10.0.0.1:443") && !at("evil.test", "10.0.0.1:443"));
    }
}
