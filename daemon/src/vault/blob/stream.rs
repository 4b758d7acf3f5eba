//! The chunks of a blob: ChaCha20-Poly1305 in the STREAM layout of age, with the fixed part of the header bound to every chunk.

use inframe_protocol::aead;

use super::header::PREFIX_BYTES;
use crate::{
    limits::BLOB_CHUNK_BYTES,
    vault::{
        seal::{SealError, TAG_BYTES},
        secret::Secret32,
    },
};

/// Bytes of a full chunk in the file.
pub(in crate::vault) const SEALED_CHUNK_BYTES: usize = BLOB_CHUNK_BYTES + TAG_BYTES;

/// Chunks of a blob with `size` plain bytes: at least one, so that an empty blob is authenticated too.
pub(in crate::vault) fn chunk_count(size: u64) -> u64 {
    size.div_ceil(BLOB_CHUNK_BYTES as u64).max(1)
}

/// Plain bytes of chunk `index` in a blob with `size` plain bytes.
pub(in crate::vault) fn chunk_bytes(size: u64, index: u64) -> usize {
    let start = index.saturating_mul(BLOB_CHUNK_BYTES as u64);
    size.saturating_sub(start).min(BLOB_CHUNK_BYTES as u64) as usize
}

/// Bytes in the file of all chunks of a blob with `size` plain bytes.
pub(in crate::vault) fn sealed_bytes(size: u64) -> u64 {
    size + chunk_count(size) * TAG_BYTES as u64
}

/// Seals and opens the chunks of one blob. The key belongs to that blob alone, so a counter can be the nonce.
#[derive(Clone, Debug)]
pub(in crate::vault) struct ChunkCipher {
    key: Secret32,
    aad: [u8; PREFIX_BYTES],
}

impl ChunkCipher {
    pub(super) fn new(file_key: &Secret32, prefix: [u8; PREFIX_BYTES]) -> Self {
        Self { key: file_key.derive("inframe 2026-11-25 blob: chunks"), aad: prefix }
    }

    /// As in age: an 11-byte big-endian counter and a byte that is 1 for the last chunk.
    fn nonce(index: u64, last: bool) -> [u8; 12] {
        let mut nonce = [0; 12];
        if let Some(counter) = nonce.get_mut(3..11) {
            counter.copy_from_slice(&index.to_be_bytes());
        }
        if let Some(flag) = nonce.last_mut() {
            *flag = u8::from(last);
        }
        nonce
    }

    /// Turns the plain chunk in `buffer` into the sealed one.
    pub(in crate::vault) fn seal(&self, index: u64, last: bool, buffer: &mut Vec<u8>) -> Result<(), SealError> {
        let tag = aead::seal(self.key.expose(), &Self::nonce(index, last), &self.aad, buffer).ok_or(SealError)?;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens the sealed chunk in `buffer`; on failure nothing is left there.
    pub(in crate::vault) fn open(&self, index: u64, last: bool, buffer: &mut Vec<u8>) -> bool {
        let opened = match buffer.split_last_chunk_mut::<TAG_BYTES>() {
            Some((body, tag)) => aead::open(self.key.expose(), &Self::nonce(index, last), &self.aad, body, *tag),
            None => false,
        };
        buffer.truncate(if opened { buffer.len().saturating_sub(TAG_BYTES) } else { 0 });
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_counted_at_every_boundary() {
        let chunk = BLOB_CHUNK_BYTES as u64;
        for (size, chunks, last) in [
            (0, 1, 0),
            (1, 1, 1),
            (chunk - 1, 1, chunk - 1),
            (chunk, 1, chunk),
            (chunk + 1, 2, 1),
            (2 * chunk, 2, chunk),
            // Past 2^8 and 2^32 bytes, where a counter of the wrong width would wrap.
            (257 * chunk + 3, 258, 3),
            (1 << 33, (1 << 33) / chunk, chunk),
        ] {
            assert_eq!(chunk_count(size), chunks, "size {size}");
            assert_eq!(chunk_bytes(size, chunks - 1) as u64, last, "size {size}");
            assert_eq!(chunk_bytes(size, chunks), 0, "size {size}");
            assert_eq!(sealed_bytes(size), size + 16 * chunks, "size {size}");
        }
    }

    #[test]
    fn nonces_are_those_of_age() {
        let last = ChunkCipher::nonce(0x0102_0304_0506_0708, true);
        assert_eq!(last.as_slice(), [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1]);
        assert_eq!(ChunkCipher::nonce(258, false).as_slice(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0]);
    }

    #[test]
    fn an_opened_chunk_is_released_only_if_it_is_sound() {
        let cipher = ChunkCipher::new(&Secret32::random().unwrap(), [7; PREFIX_BYTES]);
        let mut sealed = b"chunk".to_vec();
        cipher.seal(3, false, &mut sealed).unwrap();
        for (index, last) in [(3, true), (2, false), (4, false)] {
            let mut buffer = sealed.clone();
            assert!(!cipher.open(index, last, &mut buffer));
            assert_eq!(buffer, b"");
        }
        assert!(cipher.open(3, false, &mut sealed));
        assert_eq!(sealed, b"chunk");
        assert!(!cipher.open(0, true, &mut b"short".to_vec()));
    }
}
