//! Files made of boxes (ISO base media format): HEIF, AVIF, Canon's CR3, and films.

use super::{ContainerError, Cursor, Format, RawKind};
use crate::sandbox::limits;

/// One box.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Four letters.
    pub kind: [u8; 4],
    /// The box without length and kind.
    pub body: &'a [u8],
}

/// Reads the boxes that fill `bytes`.
///
/// # Errors
/// `CutShort` when the last one is longer than what is there, `Malformed` for a length that cannot be.
pub fn pieces(bytes: &[u8]) -> Result<Vec<Piece<'_>>, ContainerError> {
    let mut cursor = Cursor::new(bytes);
    let mut found = Vec::new();
    while !cursor.is_empty() {
        if found.len() >= limits::MAX_PIECES {
            return Err(ContainerError::Malformed("too many boxes"));
        }
        let length = u32::from_be_bytes(cursor.array()?);
        let kind: [u8; 4] = cursor.array()?;
        let body = match length {
            // To the end of the file.
            0 => cursor.take(cursor.rest().len())?,
            1 => {
                let length = u64::from_be_bytes(cursor.array()?);
                let length = length.checked_sub(16).ok_or(ContainerError::Malformed("a box's length"))?;
                cursor.take(usize::try_from(length).map_err(|_| ContainerError::CutShort)?)?
            }
            length => {
                let length = length.checked_sub(8).ok_or(ContainerError::Malformed("a box's length"))?;
                cursor.take(usize::try_from(length).map_err(|_| ContainerError::CutShort)?)?
            }
        };
        found.push(Piece { kind, body });
    }
    Ok(found)
}

/// The body of the first box of a kind.
#[must_use]
pub fn first<'a>(pieces: &[Piece<'a>], kind: &[u8; 4]) -> Option<&'a [u8]> {
    pieces.iter().find(|piece| &piece.kind == kind).map(|piece| piece.body)
}

/// The body of the box at the end of a path of kinds; damage on the way counts as absence.
#[must_use]
pub fn inside<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| first(&pieces(bytes).ok()?, kind))
}

/// Version, flags and the rest of a box that begins with them.
///
/// # Errors
/// `CutShort` when it is shorter than four bytes.
pub fn versioned(body: &[u8]) -> Result<(u8, u32, &[u8]), ContainerError> {
    let mut cursor = Cursor::new(body);
    let [version, high, middle, low] = cursor.array()?;
    Ok((version, u32::from_be_bytes([0, high, middle, low]), cursor.rest()))
}

/// What a file that begins with `ftyp` is, by the brands that it names. Films are none of ours here.
pub(super) fn sniff(bytes: &[u8]) -> Option<Format> {
    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
    let body = bytes.get(8..length.min(bytes.len()))?;
    let (major, rest) = body.split_first_chunk::<4>()?;
    let compatible = rest.get(4..).unwrap_or_default().chunks_exact(4);
    let names = |wanted: &[&[u8; 4]]| {
        wanted.iter().any(|brand| *brand == major || compatible.clone().any(|name| name == brand.as_slice()))
    };
    if major == b"crx " {
        Some(Format::Raw(RawKind::Cr3))
    } else if names(&[b"avif", b"avis"]) {
        Some(Format::Avif)
    } else if names(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Some(Format::Heif)
    } else {
        None
    }
}

/// Appends one box; for tests that build files.
#[cfg(test)]
pub(crate) fn write(out: &mut Vec<u8>, kind: &[u8; 4], body: &[u8]) {
    out.extend_from_slice(&u32::try_from(body.len() + 8).unwrap().to_be_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_all_three_lengths_are_read() {
        let bytes = b"\0\0\0\x0aabcdxy\0\0\0\x01long\0\0\0\0\0\0\0\x11z\0\0\0\0lastrest";
        let found = pieces(bytes).unwrap();
        let found: Vec<_> = found.iter().map(|piece| (piece.kind, piece.body)).collect();
        assert_eq!(found, [(*b"abcd", &b"xy"[..]), (*b"long", b"z"), (*b"last", b"rest")]);
    }

    #[test]
    fn lengths_that_cannot_be_are_noticed() {
        assert_eq!(pieces(b"\0\0\0\x07abcd").unwrap_err(), ContainerError::Malformed("a box's length"));
        assert_eq!(
            pieces(b"\0\0\0\x01abcd\0\0\0\0\0\0\0\x0f").unwrap_err(),
            ContainerError::Malformed("a box's length")
        );
        assert_eq!(pieces(b"\0\0\0\x09abcd").unwrap_err(), ContainerError::CutShort);
        assert_eq!(pieces(b"\xff\xff\xff\xffabcd").unwrap_err(), ContainerError::CutShort);
        assert_eq!(pieces(b"\0\0\0\x01abcd\xff\xff\xff\xff\xff\xff\xff\xff").unwrap_err(), ContainerError::CutShort);
    }

    #[test]
    fn brands_say_what_a_file_is() {
        let file = |major: &[u8; 4], compatible: &[u8]| {
            let mut out = Vec::new();
            write(&mut out, b"ftyp", &[major.as_slice(), &[0; 4], compatible].concat());
            Format::sniff(&out)
        };
        assert_eq!(file(b"avif", b"mif1miaf"), Some(Format::Avif));
        assert_eq!(file(b"mif1", b"miafavif"), Some(Format::Avif));
        assert_eq!(file(b"heic", b"mif1heic"), Some(Format::Heif));
        assert_eq!(file(b"mif1", b""), Some(Format::Heif));
        assert_eq!(file(b"crx ", b"crx isom"), Some(Format::Raw(RawKind::Cr3)));
        assert_eq!(file(b"isom", b"mp42"), None);
        assert_eq!(file(b"qt  ", b"qt  "), None);
    }
}
