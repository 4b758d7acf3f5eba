//! WebP: bitstreams, alpha, animation and the colour profile are kept; EXIF, XMP and unknown chunks go, and the flags say so.

use image::metadata::Orientation;

use super::{EgressError, icc};
use crate::sandbox::container::Format;
use crate::sandbox::container::metadata::{Metadata, fresh_exif};
use crate::sandbox::container::webp::{
    Chunk, FLAG_EXIF, FLAG_ICC, FLAGS_PIXELS, chunks, frame, sub_chunks, write_chunk,
};
use crate::sandbox::{Told, limits};

/// Bytes of a VP8X chunk: flags, three reserved bytes, width and height.
const EXTENDED_LEN: usize = 10;
/// Bytes of an ANMF chunk before its own chunks: place, size, duration, flags.
const FRAME_LEN: usize = 16;

pub(super) fn filter(file: &[u8], told: &Told) -> Result<Vec<u8>, EgressError> {
    let all = chunks(file)?;
    let is_extended = all.first().is_some_and(|chunk| &chunk.kind == b"VP8X");
    // Without the extended header a reader looks for nothing but the bitstream.
    let orientation = match is_extended {
        true => Metadata::find(file, Format::WebP)?.orientation(),
        false => Orientation::NoTransforms,
    };
    // Nor for details in one.
    let exif = fresh_exif(orientation, told).filter(|_| is_extended);
    let profile = all.iter().find(|chunk| &chunk.kind == b"ICCP" && is_extended).map(|chunk| chunk.body);
    if profile.is_some_and(|profile| profile.len() > limits::MAX_ICC_BYTES) {
        return Err(EgressError::ProfileTooLarge);
    }
    let profile = profile.and_then(icc::clean);
    let mut out = Vec::with_capacity(file.len());
    let mut has_pixels = false;
    check_once(&all)?;
    for (at, Chunk { kind, body }) in all.into_iter().enumerate() {
        match &kind {
            b"VP8X" if at == 0 => {
                write_chunk(&mut out, kind, &extended_header(body, profile.is_some(), exif.is_some())?);
            }
            b"VP8X" => return Err(EgressError::Unknown("two headers")),
            b"VP8 " | b"VP8L" => {
                has_pixels = true;
                write_chunk(&mut out, kind, body);
            }
            b"ALPH" => write_chunk(&mut out, kind, body),
            b"ANIM" => {
                write_chunk(&mut out, kind, body.get(..6).ok_or(EgressError::Unknown("a cut animation header"))?)
            }
            b"ANMF" => {
                has_pixels = true;
                write_chunk(&mut out, kind, &animation_frame(body)?);
            }
            b"ICCP" => {
                if let Some(profile) = &profile {
                    write_chunk(&mut out, kind, profile);
                }
            }
            _ => {}
        }
    }
    if !has_pixels {
        return Err(EgressError::NoPixels);
    }
    if let Some(exif) = exif {
        write_chunk(&mut out, *b"EXIF", &exif);
    }
    Ok(frame(&out))
}

/// A reader takes one image, or the frames of an animation: further ones would leave without anybody seeing them.
fn check_once(all: &[Chunk<'_>]) -> Result<(), EgressError> {
    let count = |kinds: &[&[u8; 4]]| all.iter().filter(|chunk| kinds.contains(&&chunk.kind)).count();
    let is_animated = count(&[b"ANMF"]) > 0;
    if count(&[b"VP8 ", b"VP8L"]) > usize::from(!is_animated) {
        return Err(EgressError::Unknown("more than one image"));
    }
    if [b"ALPH", b"ANIM", b"ICCP"].into_iter().any(|kind| count(&[kind]) > 1) {
        return Err(EgressError::Unknown("a chunk twice that may stand there once"));
    }
    Ok(())
}

/// The extended header with flags for what is left.
fn extended_header(body: &[u8], has_profile: bool, has_exif: bool) -> Result<[u8; EXTENDED_LEN], EgressError> {
    let mut header = *body.first_chunk::<EXTENDED_LEN>().ok_or(EgressError::Unknown("a cut header"))?;
    let [flags, reserved @ ..] = &mut header;
    *flags &= FLAGS_PIXELS;
    if has_profile {
        *flags |= FLAG_ICC;
    }
    if has_exif {
        *flags |= FLAG_EXIF;
    }
    reserved.iter_mut().take(3).for_each(|byte| *byte = 0);
    Ok(header)
}

/// One frame of an animation with its bitstream and alpha only.
fn animation_frame(body: &[u8]) -> Result<Vec<u8>, EgressError> {
    let (head, tail) = body.split_at_checked(FRAME_LEN).ok_or(EgressError::Unknown("a cut animation frame"))?;
    let mut out = head.to_vec();
    let parts = sub_chunks(tail)?;
    check_once(&parts)?;
    for Chunk { kind, body } in parts {
        if matches!(&kind, b"VP8 " | b"VP8L" | b"ALPH") {
            write_chunk(&mut out, kind, body);
        }
    }
    Ok(out)
}
