//! The two ciphers as plain functions: ChaCha20-Poly1305 for the bytes of files, XChaCha20-Poly1305 for keys, rows and messages.
//!
//! What moves whole files goes through `ring`, whose assembly takes half the time of the crate `chacha20poly1305` (`make bench-vault`) and gives the
//! same bytes, which a test holds it to. It does not wipe its copy of a key; a key given to it opens one file alone,
//! whose plain bytes are in memory beside it. Whatever opens more goes through `chacha20poly1305`, which wipes. That one is generic, so whoever calls
//! it compiles it: here that is done once and optimised in every profile, where a caller's own crate may not be (a tenth of the speed).

use chacha20poly1305::aead::{AeadInOut, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;

/// Seals `buffer` in place with ChaCha20-Poly1305; the tag. `None` if it is longer than the cipher can take (256 GiB). A nonce may be used once
/// with a key.
#[must_use]
pub fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8]) -> Option<[u8; TAG_BYTES]> {
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, key).ok()?);
    let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), buffer).ok()?;
    tag.as_ref().try_into().ok()
}

/// Opens `buffer` in place; whether key, nonce, `aad` and every bit were right. If not, it holds nothing of use.
#[must_use]
pub fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], buffer: &mut [u8], tag: [u8; TAG_BYTES]) -> bool {
    let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, key) else { return false };
    let nonce = Nonce::assume_unique_for_key(*nonce);
    LessSafeKey::new(key).open_in_place_separate_tag(nonce, Aad::from(aad), tag.into(), buffer, 0..).is_ok()
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

    #[test]
    fn both_libraries_give_the_same_bytes() {
        use chacha20poly1305::ChaCha20Poly1305;
        for length in [0, 1, 15, 16, 17, 63, 64, 65, 1000, 262_144] {
            let plain: Vec<u8> = (0..length).map(|at| ((at * 7) >> 2) as u8).collect();
            for aad in [&b""[..], b"a", &[3; 32], &[4; 100]] {
                let (key, nonce) = ([9; 32], [length as u8; 12]);
                let (mut ours, mut theirs) = (plain.clone(), plain.clone());
                let tag = seal(&key, &nonce, aad, &mut ours).unwrap();
                let cipher = ChaCha20Poly1305::new(&key.into());
                let same = cipher.encrypt_inout_detached(&nonce.into(), aad, theirs.as_mut_slice().into()).unwrap();
                assert_eq!((&ours, tag), (&theirs, same.into()), "{length} bytes");
                assert!(open(&key, &nonce, aad, &mut theirs, tag));
                assert_eq!(theirs, plain);
            }
        }
    }
}
