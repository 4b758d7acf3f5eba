//! GIF: header, colours, pictures and their timing are kept; of the extensions only how often to play.

use super::EgressError;
use crate::sandbox::container::gif::{APPLICATION, Block, CONTROL, blocks};

/// The one application extension that is kept: it says how often to play, in two bytes.
const PLAY: &[u8] = b"\x0bNETSCAPE2.0\x03\x01";
/// Bytes of it with those two and the end mark.
const PLAY_BYTES: usize = PLAY.len() + 3;
/// Bytes of a control extension: its length, four bytes, the end mark.
const CONTROL_BYTES: usize = 6;

pub(super) fn filter(file: &[u8]) -> Result<Vec<u8>, EgressError> {
    let (header, all) = blocks(file)?;
    let mut out = Vec::with_capacity(file.len());
    out.extend_from_slice(header);
    let mut has_pixels = false;
    for block in all {
        match block {
            Block::Image(image) => {
                has_pixels = true;
                out.extend_from_slice(image);
            }
            Block::Extension { label: CONTROL, body } if body.len() == CONTROL_BYTES => {
                out.extend_from_slice(&[0x21, CONTROL]);
                out.extend_from_slice(body);
            }
            Block::Extension { label: CONTROL, .. } => {
                return Err(EgressError::Unknown("a block of a wrong size"));
            }
            Block::Extension { label: APPLICATION, body } if body.starts_with(PLAY) && body.len() == PLAY_BYTES => {
                out.extend_from_slice(&[0x21, APPLICATION]);
                out.extend_from_slice(body);
            }
            // Comments, texts, XMP, and whatever else applications put in.
            Block::Extension { .. } => {}
        }
    }
    if !has_pixels {
        return Err(EgressError::NoPixels);
    }
    out.push(0x3b);
    Ok(out)
}
