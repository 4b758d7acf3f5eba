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

#[cfg(test)]
mod tests {
    use image::DynamicImage;

    use super::super::planted::{CANARY, picture};
    use super::super::{EgressError, rendition};
    use crate::sandbox::container::{ContainerError, gif};

    fn count(haystack: &[u8], needle: &str) -> usize {
        memchr::memmem::find_iter(haystack, needle).count()
    }

    /// A GIF of two frames with words planted in each kind of extension.
    fn planted_gif() -> Vec<u8> {
        let mut bare = Vec::new();
        {
            let mut encoder = image::codecs::gif::GifEncoder::new(&mut bare);
            encoder.set_repeat(image::codecs::gif::Repeat::Infinite).unwrap();
            for _ in 0..2 {
                encoder.encode_frame(image::Frame::new(DynamicImage::from(picture()).into_rgba8())).unwrap();
            }
        }
        let (header, blocks) = gif::blocks(&bare).unwrap();
        let mut out = header.to_vec();
        for block in blocks {
            out.extend(b"\x21\xfe\x13CANARY in a comment\0");
            out.extend(b"\x21\xff\x0bXMP DataXMP\x0dCANARY in XMP\0");
            out.extend(b"\x21\x01\x0c............\x10CANARY in a text\0");
            match block {
                gif::Block::Image(image) => out.extend(image),
                gif::Block::Extension { label, body } => {
                    out.extend([0x21, label]);
                    out.extend(body);
                }
            }
        }
        out.extend(b"\x3bCANARY behind the end");
        out
    }

    #[test]
    fn d4_a_gif_keeps_its_frames_and_nothing_else() {
        let frames = |bytes: &[u8]| {
            let decoder = image::codecs::gif::GifDecoder::new(std::io::Cursor::new(bytes.to_vec())).unwrap();
            let frames = image::AnimationDecoder::into_frames(decoder).collect_frames().unwrap();
            frames.into_iter().map(|frame| (frame.delay(), frame.into_buffer())).collect::<Vec<_>>()
        };
        let file = planted_gif();
        assert!(count(&file, CANARY) >= 10);
        let out = rendition(&file).unwrap();
        assert_eq!((count(&out, CANARY), count(&out, "NETSCAPE2.0")), (0, 1));
        assert!(frames(&out).len() == 2 && frames(&out) == frames(&file));
        assert!(rendition(&out).unwrap() == out, "filtering twice gives the same bytes");
        for len in 0..file.len() {
            match rendition(&file[..len]) {
                Ok(cut) => assert!(cut == out, "cut at {len} gives something else"),
                Err(EgressError::NotAnImage) => assert!(len < 6),
                Err(error) => assert_eq!(error, ContainerError::CutShort.into(), "cut at {len}"),
            }
        }
    }

    #[test]
    fn d4_gif_blocks_that_could_carry_more_than_their_numbers_are_refused_or_left_out() {
        let tiny = |blocks: &[u8]| {
            let picture = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
            [b"GIF89a\x01\0\x01\0\x80\0\0aaabbb", blocks, picture].concat()
        };
        let long = tiny(b"\x21\xf9\x0aCANARYCANA\0");
        assert_eq!(rendition(&long), Err(EgressError::Unknown("a block of a wrong size")));
        let out = rendition(&tiny(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\x06CANARY\0")).unwrap();
        assert_eq!(count(&out, CANARY), 0);
        assert_eq!(rendition(b"GIF89a\x01\0\x01\0\0\0\0\x3b"), Err(EgressError::NoPixels));
    }
}
