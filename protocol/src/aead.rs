//! The two ciphers as plain functions. They are generic in their crate, so whoever calls them compiles them: here that is done once and optimised in
//! every profile, where a caller's own crate may not be (a tenth of the speed).

use chacha20poly1305::aead::{AeadInOut, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Tag, XChaCha20Poly1305};

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;

/// Seals `buffer` in place with ChaCha20-Poly1305; the tag. `None` if it is longer than the cipher can take (256 GiB). A nonce may be used once
/// with a key.
#[must_use]
pub fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
    let tag = ChaCha20Poly1305::new(key.into()).encrypt_inout_detached(nonce.into(), aad, buffer.into()).ok()?;
    Some(tag.into())
}

/// Opens `buffer` in place; whether key, nonce, `aad` and every bit were right. If not, it holds nothing of use.
#[must_use]
pub fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8], tag: [u8; TAG_BYTES]) -> bool {
    let tag = Tag::from(tag);
    ChaCha20Poly1305::new(key.into()).decrypt_inout_detached(nonce.into(), aad, buffer.into(), &tag).is_ok()
}

/// As [`seal`] with XChaCha20-Poly1305, whose nonce is long enough to be random.
#[must_use]
pub fn seal_extended(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], buffer: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
    let tag = XChaCha20Poly1305::new(key.into()).encrypt_inout_detached(nonce.into(), aad, buffer.into()).ok()?;
    Some(tag.into())
}

/// As [`open`] for what [`seal_extended`] sealed.
#[must_use]
pub fn open_extended(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], buffer: &mut [u8], tag: [u8; TAG_BYTES]) -> bool {
    let tag = Tag::from(tag);
    XChaCha20Poly1305::new(key.into()).decrypt_inout_detached(nonce.into(), aad, buffer.into(), &tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_is_opened() {
        let (key, plain) = ([7; 32], *b"twelve bytes and some more");
        let mut buffer = plain;
        let tag = seal(&key, &[1; 12], b"aad", &mut buffer).unwrap();
        assert_ne!(buffer, plain);
        assert!(!open(&key, &[2; 12], b"aad", &mut buffer.clone(), tag));
        assert!(!open(&key, &[1; 12], b"aae", &mut buffer.clone(), tag));
        assert!(!open(&[8; 32], &[1; 12], b"aad", &mut buffer.clone(), tag));
        assert!(open(&key, &[1; 12], b"aad", &mut buffer, tag));
        assert_eq!(buffer, plain);
        let tag = seal_extended(&key, &[1; 24], b"aad", &mut buffer).unwrap();
        assert!(!open_extended(&key, &[1; 24], b"", &mut buffer.clone(), tag));
        assert!(open_extended(&key, &[1; 24], b"aad", &mut buffer, tag));
        assert_eq!(buffer, plain);
    }
}
