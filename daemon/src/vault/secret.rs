//! A 256-bit secret that is wiped when dropped and never printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A 256-bit secret. `Debug` shows nothing of it, comparison takes constant time, and it is wiped on drop.
#[derive(Clone)]
pub struct Secret32(Zeroizing<[u8; 32]>);

impl Secret32 {
    /// Takes over `bytes`.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A fresh secret from the operating system.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// The secret derived from this one for `context`, which must be unique in the whole program (BLAKE3 `derive_key`).
    #[must_use]
    pub fn derive(&self, context: &str) -> Self {
        Self::new(blake3::derive_key(context, self.0.as_slice()))
    }

    /// The bytes themselves, for the one call that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Secret32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret32 {}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret32(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", Secret32::new([0xab; 32])), "Secret32(not shown)");
        assert_eq!(format!("{:#?}", Secret32::new([0xab; 32])), "Secret32(not shown)");
    }

    #[test]
    fn contexts_give_unrelated_secrets() {
        let master = Secret32::random().unwrap();
        assert_eq!(master.derive("a"), master.derive("a"));
        assert_ne!(master.derive("a"), master.derive("b"));
        assert_ne!(master.derive("a"), master);
        assert_ne!(Secret32::random().unwrap(), master);
    }
}
