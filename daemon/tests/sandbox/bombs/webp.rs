//! WebP files that claim too much or contradict themselves.

use image::ImageFormat;
use inframe::sandbox::container::webp;

use super::{Bomb, End};
use crate::files::{encode, picture};

fn webp_of(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut inner = Vec::new();
    for (kind, body) in chunks {
        webp::write_chunk(&mut inner, **kind, body);
    }
    webp::frame(&inner)
}

/// A canvas of `width` and `height` with these features.
fn canvas(flags: u8, width: u32, height: u32) -> (&'static [u8; 4], Vec<u8>) {
    let side = |px: u32| (px - 1).to_le_bytes();
    (b"VP8X", [&[flags, 0, 0, 0][..], &side(width)[..3], &side(height)[..3]].concat())
}

/// The start of a lossless picture that says this size, and then nothing.
fn lossless(width: u32, height: u32) -> (&'static [u8; 4], Vec<u8>) {
    (b"VP8L", [&[0x2f][..], &((width - 1) | (height - 1) << 14).to_le_bytes(), &[0; 64]].concat())
}

fn pixels() -> (&'static [u8; 4], Vec<u8>) {
    let whole = encode(&picture(), ImageFormat::WebP);
    let chunks = webp::chunks(&whole).unwrap();
    let found = chunks.iter().find(|chunk| &chunk.kind == b"VP8L").unwrap();
    (b"VP8L", found.body.to_vec())
}

fn frame(pixels: &[u8]) -> (&'static [u8; 4], Vec<u8>) {
    let mut inner = Vec::new();
    webp::write_chunk(&mut inner, *b"VP8L", pixels);
    (b"ANMF", [&[0, 0, 0, 0, 0, 0, 95, 0, 0, 63, 0, 0, 1, 0, 0, 0][..], &inner].concat())
}

const ANIMATED: u8 = 0x02;
const PROFILED: u8 = 0x20;

pub const WEBPS: &[(End, Bomb)] = &[
    (End::Refused, ("a WebP with nothing in it", || webp_of(&[]))),
    (
        End::Refused,
        ("a WebP with a canvas of 2^24 pixels a side", || webp_of(&[canvas(0, 1 << 24, 1 << 24), pixels()])),
    ),
    (End::Refused, ("a lossless WebP of 268 megapixels", || webp_of(&[lossless(16_384, 16_384)]))),
    (End::Refused, ("a lossless WebP of 98 megapixels with 64 bytes", || webp_of(&[lossless(16_384, 6_000)]))),
    (End::Either, ("a WebP whose canvas and pixels differ", || webp_of(&[canvas(0, 9_000, 9_000), pixels()]))),
    (
        End::Refused,
        ("a WebP that is cut in its first chunk", || b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff".to_vec()),
    ),
    (
        End::Refused,
        ("a WebP with a chunk of 4 GiB", || {
            let whole = webp_of(&[pixels()]);
            webp::frame(&[&whole[12..], b"EXIF\xff\xff\xff\xff"].concat())
        }),
    ),
    (
        End::Either,
        ("a WebP that animates one frame 20,000 times", || {
            let (_, pixels) = pixels();
            let control = (b"ANIM", vec![0; 6]);
            webp_of(&[&[canvas(ANIMATED, 96, 64), control][..], &vec![frame(&pixels); 20_000]].concat())
        }),
    ),
    (End::Refused, ("a WebP that says it is animated and is not", || webp_of(&[canvas(ANIMATED, 96, 64)]))),
    (
        End::Either,
        ("a WebP with 8 MB of profile", || {
            webp_of(&[canvas(PROFILED, 96, 64), (b"ICCP", vec![7; 8_000_000]), pixels()])
        }),
    ),
    (End::Refused, ("a WebP of 120,000 chunks", || webp_of(&vec![(b"JUNK", vec![0; 2]); 120_000]))),
];
