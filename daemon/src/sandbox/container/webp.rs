//! WebP files as a list of RIFF chunks.

use super::{ContainerError, Cursor};
use crate::sandbox::limits;

/// Flag of VP8X: an EXIF chunk is present.
pub const FLAG_EXIF: u8 = 0x08;
/// Flag of VP8X: an XMP chunk is present.
pub const FLAG_XMP: u8 = 0x04;
/// Flag of VP8X: a colour profile is present.
pub const FLAG_ICC: u8 = 0x20;
/// Flags of VP8X that say something about the pixels: animation and alpha.
pub const FLAGS_PIXELS: u8 = 0x02 | 0x10;

/// One chunk, without its padding.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Four letters.
    pub kind: [u8; 4],
    /// The chunk without kind, length and padding.
    pub body: &'a [u8],
}

/// Reads all chunks inside the RIFF frame; whatever follows the frame is not part of the image.
///
/// # Errors
/// `CutShort` when the file is shorter than it says, `Malformed` when chunks do not fill the frame.
pub fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, ContainerError> {
    let mut cursor = Cursor::new(bytes);
    let riff: [u8; 4] = cursor.array()?;
    let length = usize::try_from(u32::from_le_bytes(cursor.array()?)).map_err(|_| ContainerError::CutShort)?;
    let frame = cursor.take(length)?;
    let Some(frame) = frame.strip_prefix(b"WEBP").filter(|_| &riff == b"RIFF") else {
        return Err(ContainerError::Malformed("no WebP frame"));
    };
    sub_chunks(frame)
}

/// Reads the chunks that fill `frame`, as in the file itself or in the tail of an ANMF chunk.
///
/// # Errors
/// `Malformed` when they do not fill it: the frame's own length was met, so nothing was cut.
pub fn sub_chunks(frame: &[u8]) -> Result<Vec<Chunk<'_>>, ContainerError> {
    let overrun = |_| ContainerError::Malformed("a chunk is longer than its frame");
    let mut cursor = Cursor::new(frame);
    let mut found = Vec::new();
    while !cursor.is_empty() {
        if found.len() >= limits::MAX_PIECES {
            return Err(ContainerError::Malformed("too many chunks"));
        }
        let kind: [u8; 4] = cursor.array().map_err(overrun)?;
        let length = u32::from_le_bytes(cursor.array().map_err(overrun)?);
        let body = cursor.take(usize::try_from(length).map_err(|_| ContainerError::CutShort)?).map_err(overrun)?;
        // Some writers leave out the padding of the last chunk.
        if length % 2 == 1 && !cursor.is_empty() {
            cursor.take(1)?;
        }
        found.push(Chunk { kind, body });
    }
    Ok(found)
}

/// Appends one chunk with its length and padding.
pub fn write_chunk(out: &mut Vec<u8>, kind: [u8; 4], body: &[u8]) {
    out.extend_from_slice(&kind);
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(body);
    if body.len() % 2 == 1 {
        out.push(0);
    }
}

/// Puts the RIFF frame around chunks.
#[must_use]
pub fn frame(chunks: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(chunks.len() + 12);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&u32::try_from(chunks.len() + 4).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(b"WEBP");
    out.extend_from_slice(chunks);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Vec<u8> {
        let mut inner = Vec::new();
        write_chunk(&mut inner, *b"VP8L", b"odd");
        write_chunk(&mut inner, *b"EXIF", b"even");
        frame(&inner)
    }

    #[test]
    fn chunks_end_with_the_frame() {
        let mut bytes = tiny();
        bytes.extend_from_slice(b"tail");
        let found = chunks(&bytes).unwrap();
        assert_eq!((found[0].kind, found[0].body), (*b"VP8L", &b"odd"[..]));
        assert_eq!((found[1].kind, found[1].body), (*b"EXIF", &b"even"[..]));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn cuts_are_noticed() {
        let bytes = tiny();
        for len in 0..bytes.len() {
            assert_eq!(chunks(&bytes[..len]).unwrap_err(), ContainerError::CutShort, "cut at {len}");
        }
    }

    #[test]
    fn a_chunk_longer_than_its_frame_is_malformed() {
        assert!(matches!(sub_chunks(b"VP8 \xff\0\0\0x"), Err(ContainerError::Malformed(_))));
        assert!(matches!(sub_chunks(b"VP8"), Err(ContainerError::Malformed(_))));
    }
}
