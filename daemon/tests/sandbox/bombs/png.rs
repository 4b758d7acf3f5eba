//! PNG files that claim too much, hold too much, or contradict themselves.

use inframe::sandbox::container::png;

use super::{Bomb, End};
use crate::files::zlib_of_zeros;

fn png_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut file = png::SIGNATURE.to_vec();
    for (kind, body) in chunks {
        png::write_chunk(&mut file, **kind, body);
    }
    file
}

/// A PNG header: `rest` is bits, colour type, compression, filter, interlacing.
fn head(width: u32, height: u32, rest: [u8; 5]) -> Vec<u8> {
    [&width.to_be_bytes()[..], &height.to_be_bytes(), &rest].concat()
}

const GREY: [u8; 5] = [8, 0, 0, 0, 0];

/// The pixels of a black square of one channel.
fn black(side: usize) -> Vec<u8> {
    zlib_of_zeros((side + 1) * side)
}

/// A good PNG with `extra` before its pixels.
fn png_with(extra: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let (head, pixels) = (head(64, 64, GREY), black(64));
    let chunks = [&[(b"IHDR", &head[..])], extra, &[(b"IDAT", &pixels), (b"IEND", b"")]].concat();
    png_of(&chunks)
}

/// 200 MB of zeros behind a name, as `iCCP` and `zTXt` hold them.
fn named_zeros(name: &[u8]) -> Vec<u8> {
    [name, &[0, 0], &zlib_of_zeros(200_000_000)].concat()
}

/// A PNG whose chunk after the header has a length of its own.
fn png_with_length(length: u32) -> Vec<u8> {
    let mut file = png_of(&[(b"IHDR", &head(64, 64, GREY))]);
    file.extend_from_slice(&length.to_be_bytes());
    file.extend_from_slice(b"IDAT");
    file.extend_from_slice(&black(64));
    file
}

/// An animation that announces and holds many frames, each as large as the whole.
fn animated(announced: u32, frames: u32, offset: u32) -> Vec<u8> {
    let (head, pixels) = (head(64, 64, GREY), black(64));
    let control = [announced.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    let mut file = png_of(&[(b"IHDR", &head), (b"acTL", &control), (b"IDAT", &pixels)]);
    for number in 0..frames {
        let place = [number * 2, 64, 64, offset, offset].map(u32::to_be_bytes).concat();
        png::write_chunk(&mut file, *b"fcTL", &[&place[..], &[0, 1, 0, 1, 0, 0]].concat());
        png::write_chunk(&mut file, *b"fdAT", &[&(number * 2 + 1).to_be_bytes()[..], &pixels].concat());
    }
    png::write_chunk(&mut file, *b"IEND", b"");
    file
}

/// A zlib stream that packs nothing: as large as what it holds.
fn unpacked_zeros(len: usize) -> Vec<u8> {
    const BLOCK: usize = 65_535;
    let mut out = vec![0x78, 0x01];
    for begin in (0..len).step_by(BLOCK) {
        let size = BLOCK.min(len - begin) as u16;
        out.push(u8::from(begin + BLOCK >= len));
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&(!size).to_le_bytes());
        out.resize(out.len() + usize::from(size), 0);
    }
    out.extend_from_slice(&(u32::try_from(len % 65_521).unwrap() << 16 | 1).to_be_bytes());
    out
}

pub const PNGS: &[(End, Bomb)] = &[
    (
        End::Refused,
        ("a PNG of no width", || png_of(&[(b"IHDR", &head(0, 64, GREY)), (b"IDAT", &black(64)), (b"IEND", b"")])),
    ),
    (
        End::Refused,
        ("a PNG with 2^31 pixels a side", || {
            png_of(&[(b"IHDR", &head(1 << 31, 1 << 31, GREY)), (b"IDAT", &black(64)), (b"IEND", b"")])
        }),
    ),
    (
        End::Refused,
        ("a PNG of 3 bits", || {
            png_of(&[(b"IHDR", &head(64, 64, [3, 0, 0, 0, 0])), (b"IDAT", &black(64)), (b"IEND", b"")])
        }),
    ),
    (
        End::Refused,
        ("a PNG of an unknown colour type", || {
            png_of(&[(b"IHDR", &head(64, 64, [8, 7, 0, 0, 0])), (b"IDAT", &black(64)), (b"IEND", b"")])
        }),
    ),
    (
        End::Refused,
        ("a PNG of an unknown interlacing", || {
            png_of(&[(b"IHDR", &head(64, 64, [8, 0, 0, 0, 9])), (b"IDAT", &black(64)), (b"IEND", b"")])
        }),
    ),
    (End::Refused, ("a PNG without a header", || png_of(&[(b"IDAT", &black(64)), (b"IEND", b"")]))),
    (End::Refused, ("a PNG without pixels", || png_of(&[(b"IHDR", &head(64, 64, GREY)), (b"IEND", b"")]))),
    (
        End::Refused,
        ("a PNG with a short header", || png_of(&[(b"IHDR", &[0; 5]), (b"IDAT", &black(64)), (b"IEND", b"")])),
    ),
    (
        End::Either,
        ("a PNG with two headers of different sizes", || {
            png_of(&[
                (b"IHDR", &head(64, 64, GREY)),
                (b"IHDR", &head(30_000, 3_000, GREY)),
                (b"IDAT", &black(64)),
                (b"IEND", b""),
            ])
        }),
    ),
    (
        End::Refused,
        ("a PNG of a palette without one", || {
            png_of(&[(b"IHDR", &head(64, 64, [8, 3, 0, 0, 0])), (b"IDAT", &black(64)), (b"IEND", b"")])
        }),
    ),
    (
        End::Refused,
        ("a PNG with a palette of 4 bytes", || {
            png_of(&[
                (b"IHDR", &head(64, 64, [8, 3, 0, 0, 0])),
                (b"PLTE", &[1; 4]),
                (b"IDAT", &black(64)),
                (b"IEND", b""),
            ])
        }),
    ),
    (End::Refused, ("a PNG with a chunk of 4 GiB", || png_with_length(u32::MAX))),
    (End::Refused, ("a PNG with a chunk of 2 GiB", || png_with_length(i32::MAX as u32))),
    (End::Refused, ("a PNG with a chunk that ends in the next", || png_with_length(100))),
    (
        End::Shown,
        ("a PNG whose pixels go on for 200 MB", || {
            png_of(&[(b"IHDR", &head(64, 64, GREY)), (b"IDAT", &zlib_of_zeros(200_000_000)), (b"IEND", b"")])
        }),
    ),
    (End::Shown, ("a PNG with a colour profile of 200 MB", || png_with(&[(b"iCCP", &named_zeros(b"bomb"))]))),
    (End::Shown, ("a PNG with a compressed comment of 200 MB", || png_with(&[(b"zTXt", &named_zeros(b"Comment"))]))),
    (
        End::Shown,
        ("a PNG with a compressed international comment of 200 MB", || {
            png_with(&[(b"iTXt", &[b"Comment\0\x01\0\0\0", &zlib_of_zeros(200_000_000)[..]].concat())])
        }),
    ),
    (End::Shown, ("a PNG with 50,000 comments", || png_with(&vec![(b"tEXt", &b"Comment\0words"[..]); 50_000]))),
    (End::Refused, ("a PNG with 120,000 chunks", || png_with(&vec![(b"tEXt", &b"Comment\0words"[..]); 120_000]))),
    (
        End::Refused,
        ("a PNG of 150 megapixels with 64 bits each and pixels for 4,096", || {
            png_of(&[(b"IHDR", &head(15_000, 10_000, [16, 6, 0, 0, 1])), (b"IDAT", &black(64)), (b"IEND", b"")])
        }),
    ),
    (End::Either, ("an animation of 2^31 frames that has one", || animated(1 << 31, 1, 0))),
    (End::Either, ("an animation of 20,000 frames", || animated(20_000, 20_000, 0))),
    (End::Either, ("an animation with a frame outside its canvas", || animated(2, 2, u32::MAX - 10))),
    (
        End::Shown,
        ("a PNG whose 36 MB of pixels are one chunk", || {
            png_of(&[(b"IHDR", &head(6_000, 6_000, GREY)), (b"IDAT", &unpacked_zeros(6_001 * 6_000)), (b"IEND", b"")])
        }),
    ),
    (
        End::Either,
        ("a PNG with a comment of 40 MB", || {
            png_with(&[(b"tEXt", &[&b"Comment\0"[..], &[b'x'; 40_000_000]].concat())])
        }),
    ),
];
