//! What guests send, sealed in their page with the key from the link: XChaCha20-Poly1305 with the nonce in front and the tag behind, bound to what it
//! is for. Whoever does not know the key can neither read nor make it.

use inframe_protocol::aead;
use zeroize::Zeroizing;

use super::SealKey;

/// Bytes of the nonce.
pub const NONCE_BYTES: usize = 24;
/// Bytes that sealing adds.
pub const SEAL_BYTES: usize = NONCE_BYTES + aead::TAG_BYTES;

/// What a sealed body is bound to, so that none can stand in for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// A JSON body of this kind.
    Json(&'a str),
    /// A selfie.
    Selfie,
    /// Piece `index` of the upload with this id, which has `size_bytes` plain bytes.
    Piece {
        /// Id of the upload, hex.
        upload: &'a str,
        /// Number of the piece.
        index: u64,
        /// Plain bytes of the whole file.
        size_bytes: u64,
    },
}

impl Purpose<'_> {
    /// The associated data, as text: a page makes the same.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Json(kind) => format!("inframe guest 1 {kind}"),
            Self::Selfie => "inframe guest 1 selfie".to_owned(),
            Self::Piece { upload, index, size_bytes } => format!("inframe guest 1 piece {upload} {index} {size_bytes}"),
        }
    }
}

/// Opens a sealed body; `None` if a bit of it, the key or the purpose differs.
#[must_use]
pub fn open(key: &SealKey, purpose: Purpose<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let (body, tag) = rest.split_last_chunk::<{ aead::TAG_BYTES }>()?;
    let mut plain = Zeroizing::new(body.to_vec());
    aead::open_extended(&key.0, nonce, purpose.text().as_bytes(), &mut plain, *tag).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &SealKey, purpose: Purpose<'_>, plain: &[u8]) -> Vec<u8> {
        let mut body = plain.to_vec();
        let nonce = [7; NONCE_BYTES];
        let tag = aead::seal_extended(&key.0, &nonce, purpose.text().as_bytes(), &mut body).unwrap();
        [&nonce[..], &body, &tag].concat()
    }

    #[test]
    fn a_piece_is_good_only_at_its_place_and_untouched() {
        let key = SealKey([3; 32]);
        let piece = |index, size_bytes| Purpose::Piece { upload: "ab", index, size_bytes };
        let body = sealed(&key, piece(2, 9), b"pixels");
        assert_eq!(open(&key, piece(2, 9), &body).unwrap().as_slice(), b"pixels");
        for other in [piece(1, 9), piece(2, 10), Purpose::Selfie, Purpose::Json("piece ab 2 9x")] {
            assert!(open(&key, other, &body).is_none(), "{other:?}");
        }
        assert!(open(&SealKey([4; 32]), piece(2, 9), &body).is_none());
        for at in 0..body.len() {
            let mut bad = body.clone();
            bad[at] ^= 1;
            assert!(open(&key, piece(2, 9), &bad).is_none(), "byte {at}");
            assert!(open(&key, piece(2, 9), &body[..at]).is_none(), "cut at {at}");
        }
    }
}
