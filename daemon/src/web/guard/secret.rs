//! Random secrets of the browser's side, of which this side keeps only hashes.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const HASH_CONTEXT: &str = "inframe 2026 web secret hash";

/// A secret of 32 random bytes as text, handed out once.
pub(crate) struct WebSecret(Zeroizing<String>);

/// The hash under which a secret is remembered.
#[derive(Clone, Copy)]
pub(super) struct SecretHash(pub(super) [u8; 32]);

impl WebSecret {
    /// A fresh one.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice()))))
    }

    /// The text to hand out.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// What to remember.
    pub(super) fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for WebSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSecret(..)")
    }
}

impl SecretHash {
    /// The hash of a text that somebody sent.
    pub(super) fn of(text: &str) -> Self {
        let key = blake3::derive_key(HASH_CONTEXT, b"");
        Self(*blake3::keyed_hash(&key, text.as_bytes()).as_bytes())
    }

    /// Compares in constant time.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let secret = WebSecret::random().unwrap();
        assert_eq!(format!("{secret:?}"), "WebSecret(..)");
    }

    #[test]
    fn a_secret_has_32_bytes_and_is_known_by_its_hash_only() {
        let (one, other) = (WebSecret::random().unwrap(), WebSecret::random().unwrap());
        assert_eq!(BASE64URL_NOPAD.decode(one.text().as_bytes()).unwrap().len(), 32);
        assert!(one.hash().is(&SecretHash::of(one.text())));
        assert!(!one.hash().is(&other.hash()));
    }
}
