//! JPEG files as a list of segments and scans.

use super::{ContainerError, Cursor};
use crate::sandbox::limits;

/// Start of the compressed pixels of a scan.
pub const SOS: u8 = 0xda;
/// JFIF header.
pub const APP0: u8 = 0xe0;
/// EXIF and XMP.
pub const APP1: u8 = 0xe1;
/// Colour profile, and the index of further images.
pub const APP2: u8 = 0xe2;
/// Photoshop blocks with IPTC captions.
pub const APP13: u8 = 0xed;
/// Adobe's note on the colour transform.
pub const APP14: u8 = 0xee;
/// A comment.
pub const COM: u8 = 0xfe;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;

/// What an APP1 segment with EXIF begins with.
pub const EXIF_PREFIX: &[u8] = b"Exif\0\0";
/// What an APP1 segment with XMP begins with.
pub const XMP_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// What an APP1 segment with a continuation of XMP begins with.
pub const XMP_EXTENSION_PREFIX: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
/// What an APP2 segment with a part of a colour profile begins with; two bytes (number, count) follow.
pub const ICC_PREFIX: &[u8] = b"ICC_PROFILE\0";

/// One segment; `coded` holds the compressed data after an SOS segment and is empty otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Second byte of the marker.
    pub marker: u8,
    /// The segment without marker and length.
    pub body: &'a [u8],
    /// Entropy-coded bytes with their restart markers, up to the next marker.
    pub coded: &'a [u8],
}

/// Reads all segments between SOI and EOI; whatever follows EOI is not part of the image.
///
/// # Errors
/// `CutShort` when EOI is missing, `Malformed` for markers and lengths that cannot be.
pub fn segments(bytes: &[u8]) -> Result<Vec<Segment<'_>>, ContainerError> {
    walk(bytes).map(|(found, _)| found)
}

/// How many bytes the image takes, up to and with EOI; `None` when its structure is damaged.
#[must_use]
pub fn end(bytes: &[u8]) -> Option<usize> {
    walk(bytes).ok().map(|(_, len)| len)
}

fn walk(bytes: &[u8]) -> Result<(Vec<Segment<'_>>, usize), ContainerError> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array::<2>()? != [0xff, SOI] {
        return Err(ContainerError::Malformed("no start marker"));
    }
    let mut found = Vec::new();
    loop {
        match marker(&mut cursor)? {
            EOI => break,
            0x00..=0xbf | SOI | 0xd0..=0xd7 | 0xff => return Err(ContainerError::Malformed("a marker out of place")),
            marker => {
                if found.len() >= limits::MAX_PIECES {
                    return Err(ContainerError::Malformed("too many segments"));
                }
                let length = usize::from(u16::from_be_bytes(cursor.array()?));
                let body =
                    cursor.take(length.checked_sub(2).ok_or(ContainerError::Malformed("a segment's length"))?)?;
                let coded = if marker == SOS { coded(&mut cursor)? } else { &[] };
                found.push(Segment { marker, body, coded });
            }
        }
    }
    Ok((found, bytes.len() - cursor.rest().len()))
}

/// Width and height out of the frame header, without looking at the rest. `None` for lossless JPEGs and those of more than 8 bits, in which cameras
/// keep raw pixels, and for what is no JPEG.
#[must_use]
pub fn viewable_size(bytes: &[u8]) -> Option<(u16, u16)> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array::<2>().ok()? != [0xff, SOI] {
        return None;
    }
    for _ in 0..limits::MAX_PIECES {
        let marker = marker(&mut cursor).ok()?;
        let length = usize::from(u16::from_be_bytes(cursor.array().ok()?));
        let body = cursor.take(length.checked_sub(2)?).ok()?;
        match (marker, body) {
            // Baseline, extended, progressive; samples of 8 bits; grey or three colours.
            (0xc0..=0xc2, [8, h0, h1, w0, w1, 1 | 3, ..]) => {
                return Some((u16::from_be_bytes([*w0, *w1]), u16::from_be_bytes([*h0, *h1])));
            }
            (0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | SOS | EOI, _) => return None,
            _ => {}
        }
    }
    None
}

/// How many scans a JPEG has; 0 where its structure cannot be followed.
#[must_use]
pub fn scans(bytes: &[u8]) -> usize {
    segments(bytes).map_or(0, |segments| segments.iter().filter(|segment| segment.marker == SOS).count())
}

/// Reads one marker. Fill bytes may precede it; stray bytes between segments are passed over, as every viewer does.
fn marker(cursor: &mut Cursor<'_>) -> Result<u8, ContainerError> {
    loop {
        let stray = memchr::memchr(0xff, cursor.rest()).ok_or(ContainerError::CutShort)?;
        cursor.take(stray + 1)?;
        let fill = cursor.rest().iter().take_while(|byte| **byte == 0xff).count();
        cursor.take(fill)?;
        match cursor.array::<1>()? {
            [0x00] => {}
            [marker] => return Ok(marker),
        }
    }
}

/// Takes compressed data up to the next real marker: in it, 0xff is followed by 0 (a data byte), by a restart marker, or by more fill.
fn coded<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], ContainerError> {
    let rest = cursor.rest();
    let mut from = 0;
    loop {
        let tail = rest.get(from..).ok_or(ContainerError::CutShort)?;
        let at = from + memchr::memchr(0xff, tail).ok_or(ContainerError::CutShort)?;
        match rest.get(at + 1) {
            None => return Err(ContainerError::CutShort),
            Some(0x00 | 0xd0..=0xd7) => from = at + 2,
            Some(0xff) => from = at + 1,
            Some(_) => return cursor.take(at),
        }
    }
}

/// Appends one segment (and its compressed data) as it stands in a file; a body longer than a segment can hold is cut, which callers rule out.
pub fn write_segment(out: &mut Vec<u8>, marker: u8, body: &[u8], coded: &[u8]) {
    let length = u16::try_from(body.len() + 2).unwrap_or(u16::MAX);
    out.extend_from_slice(&[0xff, marker]);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body.get(..usize::from(length) - 2).unwrap_or(body));
    out.extend_from_slice(coded);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &[u8] = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xda\x00\x03x\x12\xff\x00\x34\xff\xd0\x56\xff\xd9tail";

    #[test]
    fn segments_scans_and_tail_are_told_apart() {
        let found = segments(TINY).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].marker, found[0].body), (APP0, &b"ab"[..]));
        assert_eq!(
            (found[1].marker, found[1].body, found[1].coded),
            (SOS, &b"x"[..], &b"\x12\xff\x00\x34\xff\xd0\x56"[..])
        );
    }

    #[test]
    fn every_cut_before_the_end_marker_is_noticed() {
        for len in 2..TINY.len() - 5 {
            assert_eq!(segments(&TINY[..len]).unwrap_err(), ContainerError::CutShort, "cut at {len}");
        }
    }

    #[test]
    fn stray_bytes_are_passed_over() {
        let found = segments(b"\xff\xd8junk\xff\x00\xff\xff\xfe\x00\x03x more\xff\xd9").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].marker, found[0].body), (COM, &b"x"[..]));
    }

    #[test]
    fn impossible_markers_and_lengths_are_malformed() {
        for bytes in [&b"\xff\xd8\xff\xe0\x00\x01"[..], b"\xff\xd8\xff\xd8", b"\xff\xd8\xff\x02\x00\x02"] {
            assert!(matches!(segments(bytes).unwrap_err(), ContainerError::Malformed(_)), "{bytes:x?}");
        }
    }
}
