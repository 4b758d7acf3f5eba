//! A 256-bit secret that is wiped when dropped and never printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of the stack that are wiped after a derivation, and after the network was built: more than either takes.
const WIPED_STACK_BYTES: usize = 64 * 1024;

/// A 256-bit secret. `Debug` shows nothing of it, comparison takes constant time, and it is wiped on drop. It lies on the heap, so that handing it on
/// leaves no copy behind.
#[derive(Clone)]
pub struct Secret32(Box<Zeroizing<[u8; 32]>>);

impl Secret32 {
    /// Takes over `bytes`.
    #[must_use]
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let mut kept = Box::new(Zeroizing::new([0; 32]));
        kept.copy_from_slice(&bytes);
        bytes.zeroize();
        Self(kept)
    }

    /// A fresh secret from the operating system.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        getrandom::fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// The secret derived from this one for `context`, which must be unique in the whole program (BLAKE3 `derive_key`).
    #[must_use]
    pub fn derive(&self, context: &str) -> Self {
        let derived = Self::derived(context, &self.0);
        wipe_stack();
        derived
    }

    /// In a frame of its own, below which [`wipe_stack`] then writes.
    #[inline(never)]
    fn derived(context: &str, from: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(from);
        let mut kept = Box::new(Zeroizing::new([0; 32]));
        hasher.finalize_xof().fill(kept.as_mut_slice());
        hasher.zeroize();
        Self(kept)
    }

    /// The bytes themselves, for the one call that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Overwrites what calls before it have left on the stack of this thread: hash functions keep their input there and do not clean up.
#[inline(never)]
pub(crate) fn wipe_stack() {
    let mut stack = [0_u8; WIPED_STACK_BYTES];
    stack.zeroize();
    std::hint::black_box(&mut stack);
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
