//! Calls to the outside, each because the owner asked for it, and no others (D6): which addresses may be used, and a client that keeps to them.

use std::net::IpAddr;
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

/// The address may not be used: no https, and neither this machine nor allowed by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("addresses begin with https://; plain http is for this machine alone unless it is allowed")]
pub struct NotAllowed;

/// What a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until somebody answers.
    pub answer: Duration,
    /// Until the whole answer is there.
    pub body: Duration,
    /// How often the answer may point elsewhere. One on this machine never may.
    pub redirects: u32,
}

/// An address that may be used, and a client that keeps to it.
pub struct Outward {
    agent: Agent,
    address: String,
    host: String,
}

impl Outward {
    /// `insecure` allows plain http to other machines.
    ///
    /// # Errors
    /// When the address is none that may be used.
    pub fn new(address: &str, insecure: bool, patience: Patience) -> Result<Self, NotAllowed> {
        let uri: Uri = address.parse().map_err(|_| NotAllowed)?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(NotAllowed)?;
        let here = is_this_machine(host);
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if here || insecure => false,
            _ => return Err(NotAllowed),
        };
        let mut config = Agent::config_builder()
            .user_agent("")
            .timeout_resolve(Some(patience.answer))
            .timeout_connect(Some(patience.answer))
            .timeout_recv_response(Some(patience.answer))
            .timeout_send_body(Some(patience.body))
            .timeout_recv_body(Some(patience.body))
            // What a status means is for the caller to say, in words.
            .http_status_as_error(false)
            // No way from an address that may be used to one that may not.
            .https_only(secure)
            .max_redirects(if here { 0 } else { patience.redirects });
        if here {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().into(), address: address.to_owned(), host: host.to_owned() })
    }

    /// The client.
    #[must_use]
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// The whole address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The machine that it names.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { answer: Duration::from_secs(1), body: Duration::from_secs(1), redirects: 1 };

    #[test]
    fn d6_only_https_and_this_machine_unless_more_is_allowed() {
        let tried = |address, insecure| Outward::new(address, insecure, PATIENCE).map(|outward| outward.host);
        for good in ["https://example.org/pack.toml", "http://127.0.0.1:80/p", "http://localhost/p", "http://[::1]:9/p"]
        {
            assert!(tried(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://example.org/p",
            "http://127.0.0.1.example.org/p",
            "http://localhost@example.org/p",
            "ftp://127.0.0.1/p",
            "file:///etc/passwd",
            "pack.toml",
            "https://",
            "",
        ] {
            assert_eq!(tried(bad, false), Err(NotAllowed), "{bad}");
        }
        assert_eq!(tried("http://example.org/p", true).as_deref(), Ok("example.org"));
        assert_eq!(tried("file:///etc/passwd", true), Err(NotAllowed));
    }
}
