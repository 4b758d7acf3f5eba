//! JPEG: tables, frame and scans are kept; of the application segments only JFIF's density, Adobe's colour transform and the colour profile.

use super::{EgressError, icc};
use crate::sandbox::container::Format;
use crate::sandbox::container::jpeg::{
    APP0, APP1, APP2, APP14, EXIF_PREFIX, ICC_PREFIX, SOS, Segment, segments, write_segment,
};
use crate::sandbox::container::metadata::{Metadata, fresh_exif};
use crate::sandbox::{Told, limits};

/// JFIF's header: name, version, density, size of a thumbnail; shorter ones are no JFIF to a reader.
const JFIF_LEN: usize = 14;
/// The part of it before the size of the thumbnail.
const JFIF_KEPT: usize = 12;
/// Adobe's segment: name, version, flags, colour transform.
const ADOBE_LEN: usize = 12;
/// Bytes of a colour profile that fit into one segment behind the prefix and two numbers.
const PROFILE_PART: usize = 65_519;

pub(super) fn filter(file: &[u8], told: &Told) -> Result<Vec<u8>, EgressError> {
    let all = segments(file)?;
    let orientation = Metadata::find(file, Format::Jpeg)?.orientation();
    let mut out = Vec::with_capacity(file.len());
    out.extend_from_slice(&[0xff, 0xd8]);
    write_application_segments(&mut out, &all, fresh_exif(orientation, told))?;
    let (mut frames, mut scans) = (0, 0);
    for Segment { marker, body, coded } in all {
        match marker {
            // Quantisation, Huffman and arithmetic tables, restart interval, number of lines.
            0xdb | 0xc4 | 0xcc | 0xdd | 0xdc if is_exact(marker, body) => write_segment(&mut out, marker, body, &[]),
            // Frames: baseline, progressive, lossless; 0xc8 is reserved.
            0xc0..=0xcf if marker != 0xc8 && marker != 0xc4 && marker != 0xcc && is_exact(marker, body) => {
                frames += 1;
                write_segment(&mut out, marker, body, &[]);
            }
            SOS if is_exact(marker, body) => {
                scans += 1;
                write_segment(&mut out, marker, body, coded);
            }
            // Application segments and comments.
            0xe0..=0xef | 0xfe => {}
            0xc0..=0xc7 | 0xc9..=0xcf | 0xda..=0xdd => {
                return Err(EgressError::Unknown("a table of a wrong size"));
            }
            _ => return Err(EgressError::Unknown("a segment of an unknown kind")),
        }
    }
    if frames != 1 || scans == 0 {
        return Err(EgressError::NoPixels);
    }
    out.extend_from_slice(&[0xff, 0xd9]);
    Ok(out)
}

/// Whether a segment that makes pixels has the size that its own first bytes ask for, so that nothing rides behind them.
fn is_exact(marker: u8, body: &[u8]) -> bool {
    let at = |index: usize| body.get(index).copied().map(usize::from);
    match marker {
        // Quantisation: 64 values of one byte or two.
        0xdb => runs_out(body, |rest| rest.first().map(|head| if head >> 4 == 0 { 65 } else { 129 })),
        // Huffman: 16 counts, then as many symbols as they add up to.
        0xc4 => {
            runs_out(body, |rest| Some(17 + rest.get(1..17)?.iter().map(|count| usize::from(*count)).sum::<usize>()))
        }
        0xcc => body.len().is_multiple_of(2),
        0xdc | 0xdd => body.len() == 2,
        // A scan's header, and a frame's, with two and three bytes for each component.
        SOS => at(0).is_some_and(|components| body.len() == 4 + 2 * components),
        _ => at(5).is_some_and(|components| body.len() == 6 + 3 * components),
    }
}

/// Whether pieces, whose length `len` reads from their beginning, fill `body` to its end.
fn runs_out(mut body: &[u8], len: impl Fn(&[u8]) -> Option<usize>) -> bool {
    while !body.is_empty() {
        let Some(rest) = len(body).and_then(|len| body.get(len..)) else { return false };
        body = rest;
    }
    true
}

/// The colour transform that Adobe's segments before the first scan say; a reader would follow the last of them.
fn adobe<'a>(all: &[Segment<'a>]) -> Result<Option<&'a [u8]>, EgressError> {
    let before = all.iter().take_while(|segment| segment.marker != SOS);
    let mut said = before
        .filter(|segment| segment.marker == APP14 && segment.body.starts_with(b"Adobe"))
        .filter_map(|segment| segment.body.get(..ADOBE_LEN));
    let first = said.next();
    match said.all(|next| Some(next) == first) {
        true => Ok(first),
        false => Err(EgressError::Unknown("two colour transforms")),
    }
}

/// The colour profile of all its numbered parts together; `None` when there is none or a part is missing.
fn profile(parts: &[&[u8]]) -> Result<Option<Vec<u8>>, EgressError> {
    if parts.iter().map(|part| part.len()).sum::<usize>() > limits::MAX_ICC_BYTES {
        return Err(EgressError::ProfileTooLarge);
    }
    let mut numbered: Vec<(u8, &[u8])> = parts
        .iter()
        .filter_map(|part| part.strip_prefix(ICC_PREFIX)?.split_at_checked(2))
        .filter_map(|(head, part)| Some((*head.first()?, part)))
        .collect();
    numbered.sort_by_key(|(number, _)| *number);
    let is_whole =
        !numbered.is_empty() && numbered.iter().zip(1_u16..).all(|((number, _), place)| u16::from(*number) == place);
    Ok(is_whole.then(|| numbered.into_iter().flat_map(|(_, part)| part).copied().collect()))
}

/// Writes those that are kept, in the order that readers expect: JFIF, EXIF, colour profile, Adobe.
fn write_application_segments(
    out: &mut Vec<u8>,
    all: &[Segment<'_>],
    exif: Option<Vec<u8>>,
) -> Result<(), EgressError> {
    let starting = |marker: u8, prefix: &'static [u8]| {
        all.iter().filter(move |segment| segment.marker == marker && segment.body.starts_with(prefix))
    };
    if let Some(jfif) = starting(APP0, b"JFIF\0").find_map(|segment| segment.body.get(..JFIF_LEN)) {
        // A thumbnail of no pixels.
        let density = jfif.get(..JFIF_KEPT).unwrap_or(jfif);
        write_segment(out, APP0, &[density, &[0, 0]].concat(), &[]);
    }
    if let Some(exif) = exif {
        write_segment(out, APP1, &[EXIF_PREFIX, &exif].concat(), &[]);
    }
    let parts: Vec<&[u8]> = starting(APP2, ICC_PREFIX).map(|segment| segment.body).collect();
    if let Some(profile) = profile(&parts)?.as_deref().and_then(icc::clean) {
        let parts = profile.chunks(PROFILE_PART);
        let count = u8::try_from(parts.len()).map_err(|_| EgressError::ProfileTooLarge)?;
        for (number, part) in (1..=count).zip(parts) {
            write_segment(out, APP2, &[ICC_PREFIX, &[number, count], part].concat(), &[]);
        }
    }
    if let Some(adobe) = adobe(all)? {
        write_segment(out, APP14, adobe, &[]);
    }
    Ok(())
}
