//! Sealing of small values: XChaCha20-Poly1305 with a random 192-bit nonce in front, which cannot repeat in practice.

use inframe_protocol::aead;
use zeroize::Zeroizing;

use super::secret::Secret32;

/// Bytes of the nonce in front of a sealed value.
pub(super) const NONCE_BYTES: usize = 24;
/// Bytes of the tag at its end.
pub(super) const TAG_BYTES: usize = aead::TAG_BYTES;
/// Bytes that sealing adds.
pub(super) const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// Why a value was not sealed: no randomness, or longer than the cipher can take.
#[derive(Debug, thiserror::Error)]
#[error("cannot encrypt: the operating system gives no random numbers")]
pub struct SealError;

/// Seals `plain` under `key`, binding `aad`: nonce, ciphertext, tag.
pub(super) fn seal(key: &Secret32, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut out = Vec::with_capacity(plain.len() + SEAL_BYTES);
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(|_| SealError)?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plain);
    let Some(body) = out.get_mut(NONCE_BYTES..) else { return Err(SealError) };
    let tag = aead::seal_extended(key.expose(), &nonce, aad, body).ok_or(SealError)?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// Opens what [`seal`] made; `None` if a bit of it, the key or `aad` differs.
pub(super) fn open(key: &Secret32, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let (body, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
    let mut plain = Zeroizing::new(body.to_vec());
    aead::open_extended(key.expose(), nonce, aad, &mut plain, *tag).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_untouched_values() {
        let key = Secret32::random().unwrap();
        let sealed = seal(&key, b"aad", b"value").unwrap();
        assert_eq!(open(&key, b"aad", &sealed).unwrap().as_slice(), b"value");
        assert!(open(&key, b"aae", &sealed).is_none());
        assert!(open(&Secret32::random().unwrap(), b"aad", &sealed).is_none());
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(open(&key, b"aad", &bad).is_none(), "byte {at}");
            assert!(open(&key, b"aad", &sealed[..at]).is_none(), "cut at {at}");
        }
    }

    /// From draft-irtf-cfrg-xchacha-03, appendix A.3.1: our layout is the standard cipher and nothing of our own.
    #[test]
    fn agrees_with_the_published_vector() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let key: [u8; 32] = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f").try_into().unwrap();
        let mut sealed = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
        sealed.extend(hex(concat!(
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39",
            "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
            "21f9664c97637da9768812f615c68b13b52e"
        )));
        sealed.extend(hex("c0875924c1c7987947deafd8780acf49"));
        let aad = hex("50515253c0c1c2c3c4c5c6c7");
        let plain = open(&Secret32::new(key), &aad, &sealed).unwrap();
        assert!(plain.starts_with(b"Ladies and Gentlemen of the class of '99"));
    }
}
