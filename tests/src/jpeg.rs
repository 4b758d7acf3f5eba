//! The picture inside a JPEG, apart from its metadata: lets a test prove that an egress filter touched no pixel.

use anyhow::{Context, Result, ensure};

const START_OF_IMAGE: u8 = 0xD8;
const START_OF_SCAN: u8 = 0xDA;
const END_OF_IMAGE: u8 = 0xD9;
const COMMENT: u8 = 0xFE;

/// One marker segment of a JPEG, up to the first scan.
pub struct Segment<'a> {
    /// Second byte of the marker, such as `0xE1` for APP1.
    pub marker: u8,
    /// Payload after the two length bytes.
    pub payload: &'a [u8],
}

/// The marker segments before the first scan, and everything from that scan on.
///
/// # Errors
/// When the bytes do not follow the JPEG marker syntax.
pub fn split(bytes: &[u8]) -> Result<(Vec<Segment<'_>>, &[u8])> {
    ensure!(bytes.starts_with(&[0xFF, START_OF_IMAGE]), "no JPEG start marker");
    let mut segments = Vec::new();
    let mut at = 2;
    loop {
        let head = bytes.get(at..at + 4).context("the JPEG ends inside its headers")?;
        ensure!(head[0] == 0xFF, "no marker at byte {at}");
        let marker = head[1];
        if marker == START_OF_SCAN {
            return Ok((segments, &bytes[at..]));
        }
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let payload = bytes.get(at + 4..at + 2 + length).context("a segment runs past the end of the JPEG")?;
        segments.push(Segment { marker, payload });
        at += 2 + length;
    }
}

/// BLAKE3 over what makes the picture: tables, frame header and all scans; application segments, comments and anything after the end marker left out.
///
/// # Errors
/// When the bytes are no JPEG.
pub fn picture_hash(bytes: &[u8]) -> Result<String> {
    let (segments, scans) = split(bytes)?;
    let mut hasher = blake3::Hasher::new();
    for segment in segments.iter().filter(|segment| !is_metadata(segment.marker)) {
        hasher.update(&[segment.marker]);
        hasher.update(segment.payload);
    }
    hasher.update(up_to_end_marker(scans));
    Ok(hasher.finalize().to_hex().to_string())
}

fn is_metadata(marker: u8) -> bool {
    matches!(marker, 0xE0..=0xEF | COMMENT)
}

/// Inside a scan, `FF D9` cannot occur as data (a data byte FF is followed by 00), so the first one ends the image.
fn up_to_end_marker(scans: &[u8]) -> &[u8] {
    let end = scans.windows(2).position(|pair| pair == [0xFF, END_OF_IMAGE]);
    end.map_or(scans, |at| &scans[..at + 2])
}

/// `bytes` with one more segment directly after the start marker.
///
/// # Errors
/// When the bytes are no JPEG or the payload does not fit into one segment.
pub fn with_segment(bytes: &[u8], marker: u8, payload: &[u8]) -> Result<Vec<u8>> {
    ensure!(bytes.starts_with(&[0xFF, START_OF_IMAGE]), "no JPEG start marker");
    let length = u16::try_from(payload.len() + 2).context("the payload does not fit into one segment")?;
    let mut out = vec![0xFF, START_OF_IMAGE, 0xFF, marker];
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&bytes[2..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start, APP0, one table, a scan with a stuffed FF, end.
    const TINY: &[u8] =
        &[0xFF, 0xD8, 0xFF, 0xE0, 0, 3, 1, 0xFF, 0xDB, 0, 4, 7, 7, 0xFF, 0xDA, 0, 3, 0, 0xFF, 0, 5, 0xFF, 0xD9];

    #[test]
    fn metadata_does_not_count_but_pixels_do() {
        let hash = picture_hash(TINY).unwrap();
        assert_eq!(picture_hash(&with_segment(TINY, 0xE1, b"Exif").unwrap()).unwrap(), hash);
        assert_eq!(
            picture_hash(&[TINY, b"tail".as_slice()].concat()).unwrap(),
            hash,
            "a tail after the end is no picture"
        );
        let mut other = TINY.to_vec();
        other[20] = 6;
        assert_ne!(picture_hash(&other).unwrap(), hash);
    }

    #[test]
    fn a_cut_jpeg_is_an_error() {
        for length in 0..16 {
            assert!(split(&TINY[..length]).is_err(), "cut at {length}");
        }
    }
}
