//! Downloads that the owner asked for: the only call that the daemon makes to the outside (D6).

use std::io::Read;
use std::net::IpAddr;

use ureq::Agent;
use ureq::http::Uri;

use super::PacksError;
use crate::limits::{MAX_PACK_REDIRECTS, PACK_ANSWER_TIMEOUT, PACK_FILE_TIMEOUT};

/// An address that may be used, and a client that keeps to it.
pub(super) struct Download {
    agent: Agent,
    address: String,
}

impl Download {
    /// `insecure` allows plain http to other machines.
    pub(super) fn new(address: &str, insecure: bool) -> Result<Self, PacksError> {
        let refused = || PacksError::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| refused())?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(refused)?;
        let here = is_this_machine(host);
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if here || insecure => false,
            _ => return Err(refused()),
        };
        let mut config = Agent::config_builder()
            .user_agent("")
            .timeout_connect(Some(PACK_ANSWER_TIMEOUT))
            .timeout_recv_response(Some(PACK_ANSWER_TIMEOUT))
            .timeout_recv_body(Some(PACK_FILE_TIMEOUT))
            // No way from an address that may be used to one that may not.
            .https_only(secure)
            .max_redirects(if here { 0 } else { MAX_PACK_REDIRECTS });
        if here {
            config = config.proxy(None);
        }
        Ok(Self { agent: config.build().into(), address: address.to_owned() })
    }

    /// Opens it: the bytes, and how many there are if the server says so.
    pub(super) fn open(&self) -> Result<(impl Read + use<>, Option<u64>), PacksError> {
        let response = self.agent.get(&self.address).call().map_err(|error| self.failed(&error))?;
        if response.status() != 200 {
            let reason = format!("the server answered {}", response.status());
            return Err(PacksError::Download { address: self.address.clone(), reason });
        }
        let body = response.into_body();
        let total = body.content_length();
        Ok((body.into_reader(), total))
    }

    pub(super) fn failed(&self, error: &dyn std::fmt::Display) -> PacksError {
        PacksError::Download { address: self.address.clone(), reason: error.to_string() }
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The address of a file beside the one at `address`.
pub(super) fn beside(address: &str, file: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{file}"),
        None => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d6_only_https_and_this_machine_unless_more_is_allowed() {
        for good in ["https://example.org/pack.toml", "http://127.0.0.1:80/p", "http://localhost/p", "http://[::1]:9/p"]
        {
            assert!(Download::new(good, false).is_ok(), "{good}");
        }
        for bad in [
            "http://example.org/p",
            "http://127.0.0.1.example.org/p",
            "ftp://127.0.0.1/p",
            "file:///etc/passwd",
            "pack.toml",
            "https://",
            "",
        ] {
            assert!(matches!(Download::new(bad, false), Err(PacksError::Address(_))), "{bad}");
        }
        assert!(Download::new("http://example.org/p", true).is_ok());
        assert!(matches!(Download::new("file:///etc/passwd", true), Err(PacksError::Address(_))));
    }

    #[test]
    fn files_lie_beside_the_manifest() {
        assert_eq!(beside("https://a.org/b/pack.toml", "c.onnx"), "https://a.org/b/c.onnx");
        assert_eq!(beside("https://a.org/b/pack.toml?token=/x/", "c.onnx"), "https://a.org/b/c.onnx");
    }
}
