//! What a certificate says of itself, and whether it is good.

use std::net::IpAddr;

use ring::digest::{SHA256, digest};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::limits::CERTIFICATE_ENDS_SOON_DAYS;

/// A day, in milliseconds.
pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What there is to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// SHA-256 of it, in pairs of hex digits, as browsers show it.
    pub fingerprint: String,
    /// DNS names, the one to be called by first.
    pub hosts: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Begin of its time, Unix ms.
    pub from: u64,
    /// End of its time, Unix ms.
    pub until: u64,
}

impl Parsed {
    /// Reads a certificate in DER form; `None` where it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (mut hosts, mut addresses) = (Vec::new(), Vec::new());
        if let Ok(Some(names)) = certificate.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::DNSName(name) => hosts.push(name.to_ascii_lowercase()),
                    GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                    _ => {}
                }
            }
        }
        let validity = certificate.validity();
        Some(Self {
            fingerprint: fingerprint(der),
            hosts,
            addresses,
            from: millis(validity.not_before.timestamp()),
            until: millis(validity.not_after.timestamp()),
        })
    }

    /// The first name that a link can begin with; a name for many, with an asterisk, is none.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.hosts.iter().map(String::as_str).find(|name| is_host(name))
    }

    /// Whether its end is near enough to do something about it.
    #[must_use]
    pub fn ends_soon(&self, now: u64) -> bool {
        self.until < now.saturating_add(CERTIFICATE_ENDS_SOON_DAYS * DAY_MS)
    }

    /// Days until its end; 0 when that is over.
    #[must_use]
    pub fn days_left(&self, now: u64) -> u64 {
        self.until.saturating_sub(now) / DAY_MS
    }
}

/// A name made of letters, digits, dots and hyphens: what stands in a link is nothing else (D8).
pub(super) fn is_host(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

fn millis(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1000)
}

/// SHA-256 in pairs of hex digits.
fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}
