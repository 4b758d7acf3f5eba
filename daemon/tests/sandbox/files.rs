//! Files for the tests, made here so that every byte of them is known.

use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use exif::experimental::Writer;
use exif::{Field, In, Rational, Tag, Value};
use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use inframe::sandbox::container::{jpeg, png, webp};

/// Upright size of `picture`.
pub const SIZE: (u32, u32) = (96, 64);

/// Red, green, blue and white quarters, clockwise from the upper left.
pub fn picture() -> RgbImage {
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| match (x < SIZE.0 / 2, y < SIZE.1 / 2) {
        (true, true) => Rgb([255, 0, 0]),
        (false, true) => Rgb([0, 255, 0]),
        (false, false) => Rgb([0, 0, 255]),
        (true, false) => Rgb([255, 255, 255]),
    })
}

pub fn encode(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    match format {
        ImageFormat::Jpeg => image.write_with_encoder(JpegEncoder::new_with_quality(&mut out, 95)).unwrap(),
        other => image.write_to(&mut out, other).unwrap(),
    }
    out.into_inner()
}

/// Puts an EXIF block into a file, where its format keeps it.
pub fn with_exif(file: &[u8], exif: &[u8]) -> Bytes {
    let mut out = Vec::new();
    match image::guess_format(file).unwrap() {
        ImageFormat::Jpeg => {
            out.extend_from_slice(&file[..2]);
            jpeg::write_segment(&mut out, jpeg::APP1, &[jpeg::EXIF_PREFIX, exif].concat(), &[]);
            out.extend_from_slice(&file[2..]);
        }
        ImageFormat::Png => {
            out.extend_from_slice(png::SIGNATURE);
            for (at, chunk) in png::chunks(file).unwrap().iter().enumerate() {
                png::write_chunk(&mut out, chunk.kind, chunk.body);
                if at == 0 {
                    png::write_chunk(&mut out, *b"eXIf", exif);
                }
            }
        }
        ImageFormat::WebP => {
            let (width, height) = image::load_from_memory(file).map(|image| (image.width(), image.height())).unwrap();
            let side = |px: u32| (px - 1).to_le_bytes();
            let head = [&[webp::FLAG_EXIF, 0, 0, 0][..], &side(width)[..3], &side(height)[..3]].concat();
            let mut chunks = Vec::new();
            webp::write_chunk(&mut chunks, *b"VP8X", &head);
            for chunk in webp::chunks(file).unwrap() {
                webp::write_chunk(&mut chunks, chunk.kind, chunk.body);
            }
            webp::write_chunk(&mut chunks, *b"EXIF", exif);
            out = webp::frame(&chunks);
        }
        other => panic!("{other:?}"),
    }
    out.into()
}

pub fn exif(fields: Vec<(Tag, Value)>) -> Vec<u8> {
    let fields: Vec<Field> =
        fields.into_iter().map(|(tag, value)| Field { tag, ifd_num: In::PRIMARY, value }).collect();
    let (mut writer, mut out) = (Writer::new(), Cursor::new(Vec::new()));
    for field in &fields {
        writer.push_field(field);
    }
    writer.write(&mut out, true).unwrap();
    out.into_inner()
}

pub fn ascii(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

pub fn degrees(whole: u32) -> Value {
    Value::Rational([whole, 0, 0].map(|num| Rational { num, denom: 1 }).to_vec())
}

/// `picture` as a camera held in another way stores it.
pub fn held(orientation: u8) -> RgbImage {
    let back = match Orientation::from_exif(orientation).unwrap() {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        own_opposite => own_opposite,
    };
    let mut image = DynamicImage::ImageRgb8(picture());
    image.apply_orientation(back);
    image.into_rgb8()
}

/// A black PNG of one channel with 8 bits.
pub fn black(width: u32, height: u32) -> Bytes {
    zeros(width, height, &[8, 0], 1)
}

/// The PNG that takes the most memory a pixel: four channels of 16 bits, all zero.
pub fn clear(width: u32, height: u32) -> Bytes {
    zeros(width, height, &[16, 6], 8)
}

/// A PNG of zeros only. `kind` is the number of bits and the colour type.
fn zeros(width: u32, height: u32, kind: &[u8; 2], bytes_per_pixel: usize) -> Bytes {
    let mut file = png::SIGNATURE.to_vec();
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), kind, &[0, 0, 0]].concat();
    png::write_chunk(&mut file, *b"IHDR", &head);
    // Each line begins with the number of its filter, 0 for none.
    png::write_chunk(&mut file, *b"IDAT", &zlib_of_zeros((width as usize * bytes_per_pixel + 1) * height as usize));
    png::write_chunk(&mut file, *b"IEND", &[]);
    file.into()
}

/// A zlib stream (RFC 1950 and 1951) of zeros, in one block with the fixed codes. Written by hand, since to compress the 800 MB of the largest
/// image takes this unoptimised program half a minute.
pub fn zlib_of_zeros(len: usize) -> Vec<u8> {
    const LONGEST: usize = 258;
    let mut out = vec![0x78, 0x01];
    let (mut bits, mut held) = (0u32, 0);
    let mut push = |value: u32, count: u32| {
        bits |= value << held;
        held += count;
        while held >= 8 {
            out.push((bits & 0xff) as u8);
            bits >>= 8;
            held -= 8;
        }
    };
    push(0b011, 3); // last block, fixed codes
    for _ in 0..=(len - 1) % LONGEST {
        push(0b0000_1100, 8); // a zero; codes are written from their first bit on
    }
    for _ in 0..(len - 1) / LONGEST {
        push(0b1010_0011, 8); // the longest repetition ...
        push(0, 5); // ... of the byte before
    }
    push(0, 7); // end of block
    push(0, 7); // to the end of the byte
    let adler = u32::try_from(len % 65_521).unwrap() << 16 | 1;
    out.extend_from_slice(&adler.to_be_bytes());
    out
}

/// A grey progressive JPEG with full colour resolution, of which a decoder must hold all coefficients before it has a pixel. It is one scan of
/// the mean of each block, each of which is the same as that before it: one bit, 0.
pub fn progressive(width: u16, height: u16) -> Bytes {
    let mut file = vec![0xff, 0xd8];
    jpeg::write_segment(&mut file, 0xdb, &[&[0][..], &[1; 64]].concat(), &[]); // quantisation table 0
    let ([h0, h1], [w0, w1]) = (height.to_be_bytes(), width.to_be_bytes());
    let components = [1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]; // not subsampled, table 0
    jpeg::write_segment(&mut file, 0xc2, &[&[8, h0, h1, w0, w1, 3][..], &components].concat(), &[]);
    let codes = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]; // table 0 for means: one code of one bit ...
    jpeg::write_segment(&mut file, 0xc4, &[&codes[..], &[0]].concat(), &[]); // ... for "no change"
    let blocks = usize::from(width).div_ceil(8) * usize::from(height).div_ceil(8) * 3;
    jpeg::write_segment(&mut file, jpeg::SOS, &[3, 1, 0, 2, 0, 3, 0, 0, 0, 0], &vec![0; blocks.div_ceil(8)]);
    file.extend_from_slice(&[0xff, 0xd9]);
    file.into()
}

/// A JPEG whose header says another size than its pixels have.
pub fn jpeg_that_claims(width: u16, height: u16) -> Bytes {
    const SOF0: [u8; 2] = [0xff, 0xc0];
    let mut file = encode(&picture(), ImageFormat::Jpeg);
    // Marker, length, precision; then height and width.
    let at = file.windows(2).position(|pair| pair == SOF0).unwrap() + 5;
    file[at..at + 2].copy_from_slice(&height.to_be_bytes());
    file[at + 2..at + 4].copy_from_slice(&width.to_be_bytes());
    file.into()
}

/// A PNG with a header, one chunk of compressed nothing, and an end.
pub fn png_that_claims(width: u32, height: u32) -> Bytes {
    let mut file = png::SIGNATURE.to_vec();
    let head = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    png::write_chunk(&mut file, *b"IHDR", &head);
    png::write_chunk(&mut file, *b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]);
    png::write_chunk(&mut file, *b"IEND", &[]);
    file.into()
}

/// One of the six photos of people that come with the face model.
pub fn sample(number: usize) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/node_modules/@vladmandic/face-api/demo");
    let path = folder.join(format!("sample{number}.jpg"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make setup`", path.display()))
}

/// The woman at the right of the first sample, alone.
pub fn selfie() -> RgbImage {
    let whole = image::load_from_memory(&sample(1)).unwrap();
    whole.crop_imm(1330, 90, 540, 560).into_rgb8()
}
