//! GIF files as a list of blocks.

use super::{ContainerError, Cursor};
use crate::sandbox::limits;

/// Signature, size, flags, background, aspect ratio.
pub const HEADER_BYTES: usize = 13;

/// One block after the header and its colours.
#[derive(Clone, Copy, Debug)]
pub enum Block<'a> {
    /// A picture: place, size, flags, its own colours if it has some, and its compressed pixels.
    Image(&'a [u8]),
    /// An extension with its label and its body, from its label's first sub-block to the end mark.
    Extension {
        /// What it is.
        label: u8,
        /// Sub-blocks with their lengths, and the end mark.
        body: &'a [u8],
    },
}

/// Label of how to show the next picture: how long, what is see-through.
pub const CONTROL: u8 = 0xf9;
/// Label of an application's extension: how often to play, or XMP and the like.
pub const APPLICATION: u8 = 0xff;

/// The header with its colours, and all blocks up to the trailer; whatever follows is not part of the image.
///
/// # Errors
/// `CutShort` when the trailer is missing, `Malformed` for blocks that are none.
pub fn blocks(bytes: &[u8]) -> Result<(&[u8], Vec<Block<'_>>), ContainerError> {
    let mut cursor = Cursor::new(bytes);
    let header = cursor.take(HEADER_BYTES)?;
    if !matches!(header, [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..]) {
        return Err(ContainerError::Malformed("no signature"));
    }
    cursor.take(colour_bytes(header.get(10).copied().unwrap_or_default()))?;
    let header = taken(bytes, &cursor);
    let mut found = Vec::new();
    loop {
        if found.len() >= limits::MAX_PIECES {
            return Err(ContainerError::Malformed("too many blocks"));
        }
        let start = cursor.rest();
        match cursor.array::<1>()? {
            [0x3b] => return Ok((header, found)),
            [0x21] => {
                let [label] = cursor.array()?;
                let body = cursor.rest();
                sub_blocks(&mut cursor)?;
                found.push(Block::Extension { label, body: taken(body, &cursor) });
            }
            [0x2c] => {
                let [.., flags] = cursor.array::<9>()?;
                cursor.take(colour_bytes(flags))?;
                // Width of the first codes.
                cursor.take(1)?;
                sub_blocks(&mut cursor)?;
                found.push(Block::Image(taken(start, &cursor)));
            }
            _ => return Err(ContainerError::Malformed("a block of an unknown kind")),
        }
    }
}

/// What was taken since the cursor stood at `start`.
fn taken<'a>(start: &'a [u8], cursor: &Cursor<'a>) -> &'a [u8] {
    start.get(..start.len() - cursor.rest().len()).unwrap_or_default()
}

/// Bytes of the colours that flags announce.
fn colour_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn sub_blocks(cursor: &mut Cursor<'_>) -> Result<(), ContainerError> {
    loop {
        match cursor.array::<1>()? {
            [0] => return Ok(()),
            [len] => cursor.take(len.into())?,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0aaabbb\x21\xf9\x04\0\0\0\0\0\x21\xfe\x02hi\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3btail";

    #[test]
    fn blocks_are_told_apart_up_to_the_trailer() {
        let (header, found) = blocks(TINY).unwrap();
        assert_eq!(header.len(), HEADER_BYTES + 6);
        assert!(matches!(found[0], Block::Extension { label: CONTROL, body: b"\x04\0\0\0\0\0" }));
        assert!(matches!(found[1], Block::Extension { label: 0xfe, body: b"\x02hi\0" }));
        assert!(matches!(found[2], Block::Image(image) if image.len() == 15));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn every_cut_before_the_trailer_is_noticed() {
        for len in 0..TINY.len() - 5 {
            assert_eq!(blocks(&TINY[..len]).unwrap_err(), ContainerError::CutShort, "cut at {len}");
        }
        assert!(blocks(b"GIF89a\x01\0\x01\0\0\0\0\x99").is_err());
    }
}
