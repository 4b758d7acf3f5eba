//! Downloads that the owner asked for.

use std::io::Read;

use super::PacksError;
use crate::limits::{MAX_PACK_REDIRECTS, PACK_ANSWER_TIMEOUT, PACK_FILE_TIMEOUT};
use crate::outward::{Outward, Patience};

const PATIENCE: Patience =
    Patience { answer: PACK_ANSWER_TIMEOUT, body: PACK_FILE_TIMEOUT, redirects: MAX_PACK_REDIRECTS };

/// A file at an address that may be used.
pub(super) struct Download(Outward);

impl Download {
    /// `insecure` allows plain http to other machines.
    pub(super) fn new(address: &str, insecure: bool) -> Result<Self, PacksError> {
        let outward = Outward::new(address, insecure, PATIENCE);
        Ok(Self(outward.map_err(|_| PacksError::Address(address.to_owned()))?))
    }

    /// Opens it: the bytes, and how many there are if the server says so.
    pub(super) fn open(&self) -> Result<(impl Read + use<>, Option<u64>), PacksError> {
        let response = self.0.agent().get(self.0.address()).call().map_err(|error| self.failed(&error))?;
        if response.status() != 200 {
            let reason = format!("the server answered {}", response.status());
            return Err(self.failed(&reason));
        }
        let body = response.into_body();
        let total = body.content_length();
        Ok((body.into_reader(), total))
    }

    pub(super) fn failed(&self, error: &dyn std::fmt::Display) -> PacksError {
        PacksError::Download { address: self.0.address().to_owned(), reason: error.to_string() }
    }
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
    fn d6_an_address_that_may_not_be_used_is_refused_by_name() {
        assert!(Download::new("https://example.org/pack.toml", false).is_ok());
        let refused = Download::new("http://example.org/p", false).map(drop);
        assert!(matches!(refused, Err(PacksError::Address(address)) if address == "http://example.org/p"));
        assert!(Download::new("http://example.org/p", true).is_ok());
    }

    #[test]
    fn files_lie_beside_the_manifest() {
        assert_eq!(beside("https://a.org/b/pack.toml", "c.onnx"), "https://a.org/b/c.onnx");
        assert_eq!(beside("https://a.org/b/pack.toml?token=/x/", "c.onnx"), "https://a.org/b/c.onnx");
    }
}
