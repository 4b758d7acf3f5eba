//! PNG: only chunks that make pixels or say how to show them are kept; all text, times, EXIF and private chunks go.

use std::io::Read as _;

use flate2::Compression;
use flate2::read::{ZlibDecoder, ZlibEncoder};

use super::{EgressError, icc};
use crate::sandbox::container::Format;
use crate::sandbox::container::metadata::{Metadata, fresh_exif};
use crate::sandbox::container::png::{SIGNATURE, chunks, write_chunk};
use crate::sandbox::{Told, limits};

/// The name that a kept colour profile gets: a profile's own name is text that somebody chose.
const PROFILE_NAME: &[u8] = b"ICC\0";
/// Longest name of a profile with its end mark, in bytes, as the format allows.
const MAX_PROFILE_NAME: usize = 80;

pub(super) fn filter(file: &[u8], told: &Told) -> Result<Vec<u8>, EgressError> {
    let all = chunks(file)?;
    let orientation = Metadata::find(file, Format::Png)?.orientation();
    let mut out = Vec::with_capacity(file.len());
    out.extend_from_slice(SIGNATURE);
    let mut has_pixels = false;
    let mut seen = Vec::new();
    for chunk in all {
        let repeats = matches!(&chunk.kind, b"IDAT" | b"fcTL" | b"fdAT");
        if !repeats && pixel_len(&chunk.kind).is_some() {
            if seen.contains(&chunk.kind) {
                return Err(EgressError::Unknown("a chunk twice that may stand there once"));
            }
            seen.push(chunk.kind);
        }
        match &chunk.kind {
            b"IHDR" => {
                if chunk.body.len() != 13 {
                    return Err(EgressError::Unknown("a header of a wrong size"));
                }
                write_chunk(&mut out, chunk.kind, chunk.body);
                if let Some(exif) = fresh_exif(orientation, told) {
                    write_chunk(&mut out, *b"eXIf", &exif);
                }
            }
            b"IDAT" => {
                has_pixels = true;
                write_chunk(&mut out, chunk.kind, chunk.body);
            }
            b"fdAT" => write_chunk(&mut out, chunk.kind, chunk.body),
            b"IEND" => write_chunk(&mut out, chunk.kind, &[]),
            b"iCCP" => {
                if let Some(profile) = profile(chunk.body)? {
                    write_chunk(&mut out, chunk.kind, &profile);
                }
            }
            kind => match pixel_len(kind) {
                Some(most) if chunk.body.len() <= most => write_chunk(&mut out, chunk.kind, chunk.body),
                Some(_) => return Err(EgressError::Unknown("a chunk of a wrong size")),
                // A capital first letter says that pixels cannot be understood without it.
                None if kind.first().is_some_and(u8::is_ascii_uppercase) => {
                    return Err(EgressError::Unknown("a necessary chunk of an unknown kind"));
                }
                None => {}
            },
        }
    }
    if has_pixels { Ok(out) } else { Err(EgressError::NoPixels) }
}

/// The chunks that make pixels or say how to show them, with the most bytes that each can have.
fn pixel_len(kind: &[u8; 4]) -> Option<usize> {
    match kind {
        b"PLTE" => Some(3 * 256),
        b"tRNS" => Some(256),
        b"acTL" => Some(8),
        b"fcTL" => Some(26),
        b"iCCP" => Some(limits::MAX_ICC_BYTES),
        b"sRGB" => Some(1),
        b"gAMA" | b"cICP" | b"sBIT" => Some(4),
        b"bKGD" => Some(6),
        b"cLLI" => Some(8),
        b"pHYs" => Some(9),
        b"mDCV" => Some(24),
        b"cHRM" => Some(32),
        _ => None,
    }
}

/// The cleaned profile under a name that says nothing; `None` for what is none.
fn profile(body: &[u8]) -> Result<Option<Vec<u8>>, EgressError> {
    if body.len() > limits::MAX_ICC_BYTES {
        return Err(EgressError::ProfileTooLarge);
    }
    let name = body.iter().take(MAX_PROFILE_NAME).position(|byte| *byte == 0);
    let rest =
        name.and_then(|end| body.get(end + 1..)).ok_or(EgressError::Unknown("a colour profile without a name"))?;
    // The one method of compression that there is, then a zlib stream.
    let Some((0, packed)) = rest.split_first().map(|(method, packed)| (*method, packed)) else { return Ok(None) };
    let mut plain = Vec::new();
    let most = limits::MAX_ICC_BYTES as u64 + 1;
    if ZlibDecoder::new(packed).take(most).read_to_end(&mut plain).is_err() {
        return Ok(None);
    }
    if plain.len() > limits::MAX_ICC_BYTES {
        return Err(EgressError::ProfileTooLarge);
    }
    let Some(clean) = icc::clean(&plain) else { return Ok(None) };
    let mut out = [PROFILE_NAME, &[0]].concat();
    let packed = ZlibEncoder::new(clean.as_slice(), Compression::default()).read_to_end(&mut out);
    packed.map(|_| Some(out)).map_err(|_| EgressError::Unknown("a colour profile that cannot be packed"))
}
