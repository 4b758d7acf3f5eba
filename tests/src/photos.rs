//! Real photos: the sample pictures that come with the model package, a selfie cut from one of them, varied copies, planted metadata.
//!
//! The woman at the right of `sample1.jpg` is also in the middle of `sample3.jpg`; nobody else in the six photos appears twice.

use std::io::Cursor;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, GenericImageView, ImageFormat, RgbImage};

use crate::jpeg::with_segment;

/// JPEG quality of the copies: that of a good phone camera.
const QUALITY: u8 = 92;
/// Her part of `sample1.jpg` (x, y, width, height): head and shoulders, nobody else's face.
const SELFIE: (u32, u32, u32, u32) = (1330, 90, 540, 560);

/// The folder of the sample photos: `INFRAME_SAMPLES`, or where `make setup` installs the model package.
///
/// # Errors
/// When it is not there.
pub fn sample_dir() -> Result<PathBuf> {
    let folder = match std::env::var_os("INFRAME_SAMPLES") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models/node_modules/@vladmandic/face-api/demo"),
    };
    if !folder.join("sample1.jpg").is_file() {
        bail!("no sample photos in {}; run `make setup` first", folder.display());
    }
    Ok(folder)
}

/// The bytes of `sampleN.jpg`, N from 1 to 6.
///
/// # Errors
/// When it cannot be read.
pub fn sample(number: u32) -> Result<Vec<u8>> {
    let path = sample_dir()?.join(format!("sample{number}.jpg"));
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn decoded(number: u32) -> Result<DynamicImage> {
    Ok(image::load_from_memory_with_format(&sample(number)?, ImageFormat::Jpeg)?)
}

/// The finder's selfie, cut from `sample1.jpg`.
///
/// # Errors
/// When the sample cannot be read.
pub fn selfie() -> Result<Vec<u8>> {
    let (x, y, width, height) = SELFIE;
    to_jpeg(&decoded(1)?.crop_imm(x, y, width, height))
}

/// A photo that shows the finder beyond doubt under the projection of any event: another copy of the photo that her selfie was cut from.
///
/// # Errors
/// As for [`varied`].
pub fn hers() -> Result<Vec<u8>> {
    varied(1, Variation::Darker(0.8))
}

/// An image as JPEG.
///
/// # Errors
/// When it cannot be encoded.
pub fn to_jpeg(image: &DynamicImage) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    JpegEncoder::new_with_quality(&mut out, QUALITY).encode_image(&image.to_rgb8())?;
    Ok(out)
}

/// An image in another format.
///
/// # Errors
/// When it cannot be encoded.
pub fn to_format(image: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, format)?;
    Ok(out.into_inner())
}

/// How a copy differs from its photo.
#[derive(Clone, Copy, Debug)]
pub enum Variation {
    /// Only this part (x, y, width, height in pixels).
    Cropped(u32, u32, u32, u32),
    /// Stored turned by 90 degrees, with the EXIF orientation that turns it back.
    TurnedByExif,
    /// This share of the light.
    Darker(f32),
    /// This long side in pixels.
    Smaller(u32),
}

/// A varied copy of `sampleN.jpg`.
///
/// # Errors
/// When the sample cannot be read.
pub fn varied(number: u32, variation: Variation) -> Result<Vec<u8>> {
    let photo = decoded(number)?;
    match variation {
        Variation::Cropped(x, y, width, height) => to_jpeg(&photo.crop_imm(x, y, width, height)),
        // Orientation 6 tells the viewer to turn by 90 degrees clockwise; so the pixels are stored turned the other way.
        Variation::TurnedByExif => {
            with_exif(&to_jpeg(&photo.rotate270())?, &Exif { orientation: Some(6), ..Exif::default() })
        }
        Variation::Darker(share) => {
            let mut pixels = photo.to_rgb8();
            pixels.iter_mut().for_each(|value| *value = (f32::from(*value) * share) as u8);
            to_jpeg(&pixels.into())
        }
        Variation::Smaller(side) => to_jpeg(&photo.resize(side, side, image::imageops::FilterType::CatmullRom)),
    }
}

/// A picture without people whose pixels depend on `seed`, so that every call makes another file.
pub fn pattern(width: u32, height: u32, seed: u32) -> DynamicImage {
    let shade = |value: u32| (value % 251) as u8;
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([shade(x / 3 + seed), shade(y / 2 + seed * 7), shade((x ^ y) / 5 + seed * 13)])
    })
    .into()
}

/// [`hers`] with so much noise in the light that its PNG has about as many megabytes as megapixels times three: 20 for a side of 3,000 pixels.
///
/// # Errors
/// As for [`varied`].
pub fn hers_large(side: u32) -> Result<Vec<u8>> {
    let mut pixels = decoded(1)?.resize(side, side, image::imageops::FilterType::CatmullRom).to_rgb8();
    let mut state = 0x9e37_79b9_u32;
    for value in pixels.iter_mut() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        *value = value.saturating_sub(16).saturating_add((state >> 27) as u8);
    }
    to_format(&pixels.into(), ImageFormat::Png)
}

/// Metadata to plant in a JPEG.
#[derive(Clone, Debug, Default)]
pub struct Exif {
    /// EXIF orientation, 1 to 8.
    pub orientation: Option<u16>,
    /// `YYYY:MM:DD HH:MM:SS`.
    pub taken: Option<String>,
    /// Camera model.
    pub model: Option<String>,
    /// Serial number of the camera body.
    pub serial: Option<String>,
    /// What the camera's maker keeps for itself.
    pub maker_note: Option<String>,
    /// Whether to write a position (in degrees 48, 8, 0 north, 11, 34, 0 east).
    pub location: bool,
}

const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const UNDEFINED: u16 = 7;

/// One directory entry: tag, type, count, value bytes (big-endian).
struct Entry(u16, u16, u32, Vec<u8>);

impl Entry {
    fn ascii(tag: u16, text: &str) -> Self {
        let bytes = [text.as_bytes(), &[0]].concat();
        Self(tag, ASCII, bytes.len() as u32, bytes)
    }

    fn degrees(tag: u16, parts: [u32; 3]) -> Self {
        Self(
            tag,
            RATIONAL,
            3,
            parts.iter().flat_map(|part| [part.to_be_bytes(), 1_u32.to_be_bytes()].concat()).collect(),
        )
    }
}

/// `jpeg` with an EXIF segment (TIFF 6.0 layout, big-endian).
///
/// # Errors
/// When the bytes are no JPEG.
pub fn with_exif(jpeg: &[u8], exif: &Exif) -> Result<Vec<u8>> {
    let mut camera = Vec::new();
    camera.extend(exif.taken.as_deref().map(|text| Entry::ascii(0x9003, text)));
    camera.extend(exif.maker_note.as_deref().map(|text| Entry(0x927C, UNDEFINED, text.len() as u32, text.into())));
    camera.extend(exif.serial.as_deref().map(|text| Entry::ascii(0xA431, text)));
    let mut place = Vec::new();
    if exif.location {
        place.push(Entry::ascii(1, "N"));
        place.push(Entry::degrees(2, [48, 8, 0]));
        place.push(Entry::ascii(3, "E"));
        place.push(Entry::degrees(4, [11, 34, 0]));
    }
    let mut first = Vec::new();
    first.extend(exif.model.as_deref().map(|text| Entry::ascii(0x0110, text)));
    first.extend(exif.orientation.map(|value| Entry(0x0112, SHORT, 1, value.to_be_bytes().to_vec())));
    // The pointers' values are known only once the size of the first directory is; it does not depend on them.
    let pointer = |tag, at: u32| Entry(tag, LONG, 1, at.to_be_bytes().to_vec());
    let sub_directories = usize::from(!camera.is_empty()) + usize::from(!place.is_empty());
    let mut next = 8 + directory_len(&first) + 12 * sub_directories as u32;
    let mut tail = Vec::new();
    for (tag, entries) in [(0x8769, camera), (0x8825, place)] {
        if !entries.is_empty() {
            first.push(pointer(tag, next));
            let bytes = directory(&entries, next);
            next += bytes.len() as u32;
            tail.extend(bytes);
        }
    }
    let mut tiff = b"Exif\0\0MM\0\x2A\0\0\0\x08".to_vec();
    tiff.extend(directory(&first, 8));
    tiff.extend(tail);
    with_segment(jpeg, 0xE1, &tiff)
}

fn directory_len(entries: &[Entry]) -> u32 {
    let long_values: usize = entries.iter().map(|entry| entry.3.len()).filter(|len| *len > 4).sum();
    2 + 12 * entries.len() as u32 + 4 + long_values as u32
}

fn directory(entries: &[Entry], at: u32) -> Vec<u8> {
    let mut head = (entries.len() as u16).to_be_bytes().to_vec();
    let mut values = Vec::new();
    let values_at = at + 2 + 12 * entries.len() as u32 + 4;
    for Entry(tag, kind, count, value) in entries {
        head.extend(tag.to_be_bytes());
        head.extend(kind.to_be_bytes());
        head.extend(count.to_be_bytes());
        if value.len() > 4 {
            head.extend((values_at + values.len() as u32).to_be_bytes());
            values.extend(value);
        } else {
            head.extend(value);
            head.resize(head.len() + 4 - value.len(), 0);
        }
    }
    head.extend([0; 4]);
    [head, values].concat()
}

/// Width and height of an encoded image.
///
/// # Errors
/// When it cannot be decoded.
pub fn dimensions(bytes: &[u8]) -> Result<(u32, u32)> {
    Ok(image::load_from_memory(bytes)?.dimensions())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpeg::picture_hash;

    #[test]
    fn planted_exif_leaves_the_picture_alone() {
        let plain = to_jpeg(&pattern(64, 48, 1)).unwrap();
        let exif = Exif {
            orientation: Some(6),
            taken: Some("2026:05:01 12:00:00".into()),
            serial: Some("SN-1".into()),
            location: true,
            ..Exif::default()
        };
        let planted = with_exif(&plain, &exif).unwrap();
        assert_eq!(picture_hash(&planted).unwrap(), picture_hash(&plain).unwrap());
        assert_eq!(dimensions(&planted).unwrap(), (64, 48));
    }
}
