//! PNG files as a list of chunks.

use super::{ContainerError, Cursor};
use crate::sandbox::limits;

/// The first eight bytes of every PNG file.
pub const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// One chunk whose checksum was right.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Four letters.
    pub kind: [u8; 4],
    /// The chunk without length, kind and checksum.
    pub body: &'a [u8],
}

/// Reads all chunks up to and with IEND; whatever follows is not part of the image.
///
/// # Errors
/// `CutShort` when IEND is missing, `Malformed` for a wrong checksum or a file that does not start with IHDR.
pub fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, ContainerError> {
    let mut cursor = Cursor::new(bytes);
    if cursor.take(SIGNATURE.len())? != SIGNATURE {
        return Err(ContainerError::Malformed("no signature"));
    }
    let mut found: Vec<Chunk<'_>> = Vec::new();
    loop {
        if found.len() >= limits::MAX_PIECES {
            return Err(ContainerError::Malformed("too many chunks"));
        }
        let length = u32::from_be_bytes(cursor.array()?);
        let kind: [u8; 4] = cursor.array()?;
        let body = cursor.take(usize::try_from(length).map_err(|_| ContainerError::CutShort)?)?;
        if u32::from_be_bytes(cursor.array()?) != checksum(kind, body) {
            return Err(ContainerError::Malformed("a checksum is wrong"));
        }
        if found.is_empty() != (&kind == b"IHDR") {
            return Err(ContainerError::Malformed("the header is not where it must be"));
        }
        // Three bytes a colour, 256 at most; the decoder that we use stops over a part of one.
        if &kind == b"PLTE" && (body.is_empty() || body.len() > 768 || body.len() % 3 != 0) {
            return Err(ContainerError::Malformed("the palette"));
        }
        found.push(Chunk { kind, body });
        if &kind == b"IEND" {
            return Ok(found);
        }
    }
}

fn checksum(kind: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&kind);
    hasher.update(body);
    hasher.finalize()
}

/// Appends one chunk with its length and checksum.
pub fn write_chunk(out: &mut Vec<u8>, kind: [u8; 4], body: &[u8]) {
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&kind);
    out.extend_from_slice(body);
    out.extend_from_slice(&checksum(kind, body).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Vec<u8> {
        let mut out = SIGNATURE.to_vec();
        write_chunk(&mut out, *b"IHDR", &[0; 13]);
        write_chunk(&mut out, *b"IDAT", b"pixels");
        write_chunk(&mut out, *b"IEND", b"");
        out
    }

    #[test]
    fn chunks_end_at_iend() {
        let mut bytes = tiny();
        bytes.extend_from_slice(b"tail");
        let found = chunks(&bytes).unwrap();
        assert_eq!(found.iter().map(|c| c.kind).collect::<Vec<_>>(), [*b"IHDR", *b"IDAT", *b"IEND"]);
        assert_eq!(found[1].body, b"pixels");
    }

    #[test]
    fn cuts_and_flipped_bits_are_noticed() {
        let bytes = tiny();
        for len in 0..bytes.len() {
            assert_eq!(chunks(&bytes[..len]).unwrap_err(), ContainerError::CutShort, "cut at {len}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(chunks(&flipped).is_err(), "bit flipped in byte {at}");
        }
    }
}
