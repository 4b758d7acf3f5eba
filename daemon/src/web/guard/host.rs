//! Which names a request may call this daemon by: the guard against pages that point their own domain at this machine (DNS rebinding).

use std::collections::HashSet;

use axum::http::HeaderMap;
use axum::http::Uri;
use axum::http::header::HOST;

/// The names by which the dashboard answers, lowercase and with their port.
#[derive(Debug)]
pub(super) struct HostList(HashSet<String>);

impl HostList {
    /// The loopback names with the bound port, and names that the owner added (`name` or `name:port`).
    pub(super) fn new(port: u16, added: &[String]) -> Self {
        let mut names = HashSet::new();
        for name in ["127.0.0.1", "localhost", "[::1]"] {
            names.insert(format!("{name}:{port}"));
            if port == 80 {
                // Browsers leave out the scheme's own port.
                names.insert(name.to_owned());
            }
        }
        for name in added {
            let name = name.trim().to_ascii_lowercase();
            names.insert(format!("{name}:{port}"));
            names.insert(name);
        }
        Self(names)
    }

    /// Whether every name that the request gives for its target is on the list.
    pub(super) fn admits(&self, headers: &HeaderMap, target: &Uri) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        let Ok(host) = host.to_str() else {
            return false;
        };
        // A target in absolute form overrides the header, so both have to be good.
        self.knows(host) && target.authority().is_none_or(|authority| self.knows(authority.as_str()))
    }

    /// Whether `origin`, as a browser writes it, is this dashboard under the very name that the request called it by.
    pub(super) fn same_origin(headers: &HeaderMap, origin: &str) -> bool {
        let Some(host) = headers.get(HOST).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        name.is_some_and(|name| name.eq_ignore_ascii_case(host))
    }

    fn knows(&self, name: &str) -> bool {
        self.0.contains(&name.to_ascii_lowercase())
    }
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
        list.admits(&headers, &target.parse().unwrap())
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
        assert!(HostList::same_origin(&headers, "http://127.0.0.1:7410"));
        for bad in
            ["http://127.0.0.1:7411", "http://localhost:7410", "null", "", "http://evil.test", "ws://127.0.0.1:7410"]
        {
            assert!(!HostList::same_origin(&headers, bad), "{bad}");
        }
    }
}
