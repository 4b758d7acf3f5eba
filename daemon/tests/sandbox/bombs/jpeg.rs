//! JPEG files that claim too much or contradict themselves, and EXIF blocks that lead nowhere.

use image::ImageFormat;
use inframe::sandbox::container::jpeg;

use super::{Bomb, End};
use crate::files::{ascii, encode, exif, picture, progressive, with_exif};

/// A JPEG with `segments` after its start.
fn jpeg_with(segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let whole = encode(&picture(), ImageFormat::Jpeg);
    let mut file = whole[..2].to_vec();
    for (marker, body) in segments {
        jpeg::write_segment(&mut file, *marker, body, &[]);
    }
    file.extend_from_slice(&whole[2..]);
    file
}

/// A JPEG that ends after these segments.
fn bare_jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8];
    for (marker, body) in segments {
        jpeg::write_segment(&mut file, *marker, body, &[]);
    }
    file.extend_from_slice(&[0xff, 0xd9]);
    file
}

const SOF0: u8 = 0xc0;
const SOF2: u8 = 0xc2;
const DHT: u8 = 0xc4;
const DQT: u8 = 0xdb;

/// A progressive JPEG that tells its pixels again and again.
fn scanned(side: u16, scans: usize) -> Vec<u8> {
    let once = progressive(side, side).to_vec();
    let at = once.windows(2).position(|pair| pair == [0xff, jpeg::SOS]).unwrap();
    let (before, scan) = (&once[..at], &once[at..once.len() - 2]);
    [before, &scan.repeat(scans), &[0xff, 0xd9]].concat()
}

/// An EXIF block of directories by hand: each entry is tag, type, count and value or offset.
pub fn directory(entries: &[(u16, u16, u32, u32)], next: u32) -> Vec<u8> {
    let mut out = b"MM\0\x2a\0\0\0\x08".to_vec();
    out.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_be_bytes());
    for (tag, kind, count, value) in entries {
        out.extend_from_slice(&tag.to_be_bytes());
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
    out.extend_from_slice(&next.to_be_bytes());
    out
}

fn with_block(block: &[u8]) -> Vec<u8> {
    with_exif(&encode(&picture(), ImageFormat::Jpeg), block).to_vec()
}

const EXIF_DIRECTORY: u16 = 0x8769;
const GPS_DIRECTORY: u16 = 0x8825;
const MAKE: u16 = 0x010f;
const ASCII: u16 = 2;
pub const LONG: u16 = 4;

/// Directories, each of which leads to the next.
fn chain(length: u32) -> Vec<u8> {
    let mut out = b"MM\0\x2a\0\0\0\x08".to_vec();
    for number in 1..=length {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&(8 + number * 6).to_be_bytes());
    }
    out.extend_from_slice(&[0; 6]);
    out
}

pub const JPEGS: &[(End, Bomb)] = &[
    (End::Refused, ("a JPEG of no height", || crate::files::jpeg_that_claims(64, 0).to_vec())),
    (End::Refused, ("a JPEG without a frame", || bare_jpeg(&[(jpeg::APP0, b"JFIF\0")]))),
    (
        End::Refused,
        ("a JPEG without tables", || {
            bare_jpeg(&[(SOF0, &[8, 0, 64, 0, 64, 1, 1, 0x11, 0]), (jpeg::SOS, &[1, 1, 0, 0, 63, 0])])
        }),
    ),
    (
        End::Refused,
        ("a JPEG with 255 components", || bare_jpeg(&[(SOF0, &[&[8, 0, 64, 0, 64, 255][..], &[1; 765]].concat())])),
    ),
    (
        End::Refused,
        ("a JPEG with samplings of 15", || {
            bare_jpeg(&[(SOF0, &[8, 255, 0, 100, 0, 3, 1, 0xff, 0, 2, 0xff, 0, 3, 0xff, 0])])
        }),
    ),
    (
        End::Refused,
        ("a JPEG with a table of too many codes", || {
            bare_jpeg(&[
                (DHT, &[&[0][..], &[255; 16], &[0; 255]].concat()),
                (SOF0, &[8, 0, 64, 0, 64, 1, 1, 0x11, 0]),
                (jpeg::SOS, &[1, 1, 0, 0, 63, 0]),
            ])
        }),
    ),
    (End::Either, ("a JPEG with a quantisation of zero", || jpeg_with(&[(DQT, [&[0][..], &[0; 64]].concat())]))),
    (
        End::Either,
        ("a JPEG with two frames", || {
            jpeg_with(&[(SOF2, vec![8, 0x75, 0x30, 0x75, 0x30, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0])])
        }),
    ),
    (
        End::Refused,
        ("a JPEG with a segment shorter than its length", || vec![0xff, 0xd8, 0xff, jpeg::APP1, 0, 1, 0xff, 0xd9]),
    ),
    (End::Refused, ("a progressive JPEG of 5,000 scans", || scanned(512, 5_000))),
    (End::Refused, ("a progressive JPEG of 64 megapixels and 90 scans", || scanned(8_000, 90))),
    (End::Shown, ("a JPEG with 60,000 comments", || jpeg_with(&vec![(jpeg::COM, b"words".to_vec()); 60_000]))),
    (End::Refused, ("a JPEG with 120,000 comments", || jpeg_with(&vec![(jpeg::COM, b"words".to_vec()); 120_000]))),
    (
        End::Shown,
        ("a JPEG with 16 MB of fill bytes", || {
            let whole = encode(&picture(), ImageFormat::Jpeg);
            [&whole[..2], &vec![0xff; 16_000_000], &whole[2..]].concat()
        }),
    ),
    (End::Refused, ("16 MB of start markers", || [0xff, 0xd8].repeat(8_000_000))),
    (
        End::Refused,
        ("16 MB of restart markers", || {
            let whole = encode(&picture(), ImageFormat::Jpeg);
            let scan = whole.windows(2).position(|pair| pair == [0xff, jpeg::SOS]).unwrap() + 14;
            [&whole[..scan], &[0xff, 0xd0].repeat(8_000_000)[..]].concat()
        }),
    ),
    (
        End::Either,
        ("a JPEG with 300 parts of a profile of 255", || {
            let part = |number: u32| (jpeg::APP2, [jpeg::ICC_PREFIX, &[number as u8, 255], &[0; 60_000]].concat());
            jpeg_with(&(0..300).map(part).collect::<Vec<_>>())
        }),
    ),
    (
        End::Shown,
        ("a JPEG whose XMP goes on in 200 pieces", || {
            jpeg_with(&vec![(jpeg::APP1, [jpeg::XMP_EXTENSION_PREFIX, &[b' '; 60_000]].concat()); 200])
        }),
    ),
    (End::Shown, ("a directory that is followed by itself", || with_block(&directory(&[], 8)))),
    (
        End::Shown,
        ("a directory that holds itself", || {
            with_block(&directory(&[(EXIF_DIRECTORY, LONG, 1, 8), (GPS_DIRECTORY, LONG, 1, 8)], 8))
        }),
    ),
    (End::Shown, ("10,000 directories in a row", || with_block(&chain(10_000)))),
    (
        End::Shown,
        ("directories that lie beyond the end", || {
            with_block(&directory(&[(EXIF_DIRECTORY, LONG, 1, u32::MAX)], u32::MAX - 1))
        }),
    ),
    (End::Shown, ("a value of 4 GiB", || with_block(&directory(&[(MAKE, ASCII, u32::MAX, 26)], 0)))),
    (
        End::Shown,
        ("5,000 entries that each name the whole block", || {
            with_block(&directory(&vec![(MAKE, ASCII, 60_000, 8); 5_000], 0))
        }),
    ),
    (
        End::Shown,
        ("a block of unknown types and counts", || {
            with_block(&directory(
                &(0..2_000).map(|n| (n as u16, n as u16 % 20, u32::MAX - n, n)).collect::<Vec<_>>(),
                0,
            ))
        }),
    ),
    (
        End::Shown,
        ("a camera's name of control characters", || {
            with_block(&exif(vec![(exif::Tag::Model, ascii("\u{1b}]0;owned\u{7}\u{202e}"))]))
        }),
    ),
];
