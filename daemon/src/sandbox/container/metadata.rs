//! Finds the EXIF block and XMP packets of a file, without reading what is in them, and the orientation; writes a block anew.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::heif::Heif;
use super::tiff::{self, Tiff, tag};
use super::{ContainerError, Format, gif, jpeg, png, raw, webp};
use crate::sandbox::message::{Place, Told};

/// Where a file keeps what it says about itself.
#[derive(Default)]
pub struct Metadata<'a> {
    /// The EXIF block, from its byte-order mark on. Where a file has several, the first one counts. Of TIFF and raw files, whose directories are
    /// spread over the file, a digest.
    pub exif: Option<Cow<'a, [u8]>>,
    /// XMP packets.
    pub xmp: Vec<&'a [u8]>,
    /// How to turn the image, where the container says so itself, which then comes before EXIF's word.
    pub turn: Option<Orientation>,
}

impl<'a> Metadata<'a> {
    /// Walks the whole structure of `bytes`, so it also tells whether the file is complete.
    ///
    /// # Errors
    /// When the file is cut short or its structure is damaged.
    pub fn find(bytes: &'a [u8], format: Format) -> Result<Self, ContainerError> {
        let mut found = Self::default();
        match format {
            Format::Jpeg => {
                for segment in jpeg::segments(bytes)? {
                    if segment.marker == jpeg::APP1 {
                        found.note_app1(segment.body);
                    }
                }
            }
            Format::Png => {
                for chunk in png::chunks(bytes)? {
                    match &chunk.kind {
                        b"eXIf" => found.note_exif(chunk.body),
                        b"iTXt" if chunk.body.starts_with(b"XML:com.adobe.xmp\0") => found.xmp.push(chunk.body),
                        _ => {}
                    }
                }
            }
            Format::WebP => {
                for chunk in webp::chunks(bytes)? {
                    match &chunk.kind {
                        b"EXIF" => found.note_exif(chunk.body),
                        b"XMP " => found.xmp.push(chunk.body),
                        _ => {}
                    }
                }
            }
            Format::Gif => {
                gif::blocks(bytes)?;
            }
            Format::Bmp => {}
            Format::Tiff => found.note_tiff(bytes)?,
            Format::Avif | Format::Heif => {
                let heif = Heif::open(bytes)?;
                found.turn = Some(heif.orientation());
                found.xmp = heif.xmp();
                if let Some(exif) = heif.exif() {
                    found.note_exif(exif);
                }
            }
            Format::Raw(kind) => {
                let preview = raw::preview(bytes, kind)?;
                found = Self::find(preview.jpeg, Format::Jpeg)?;
                // What the raw file says itself comes first; often its preview says nothing, not even how to turn it.
                if !preview.exif.is_empty() {
                    found.exif = Some(Cow::Owned(preview.exif));
                }
            }
        }
        Ok(found)
    }

    fn note_tiff(&mut self, bytes: &'a [u8]) -> Result<(), ContainerError> {
        let tiff = Tiff::open(bytes, &[42])?;
        let main = tiff.directory(tiff.first)?;
        let named = |tag| main.number(tag).and_then(|offset| tiff.directory(offset).ok());
        self.exif = Some(Cow::Owned(tiff::digest(&main, named(tag::EXIF).as_ref(), named(tag::GPS).as_ref())));
        self.xmp.extend(main.get(tag::XMP).map(|entry| entry.value));
        Ok(())
    }

    /// Notes an APP1 segment of a JPEG.
    fn note_app1(&mut self, body: &'a [u8]) {
        if body.starts_with(jpeg::EXIF_PREFIX) {
            self.note_exif(body);
        } else if body.starts_with(jpeg::XMP_PREFIX) || body.starts_with(jpeg::XMP_EXTENSION_PREFIX) {
            self.xmp.push(body);
        }
    }

    /// PNG and WebP files sometimes carry JPEG's prefix too.
    fn note_exif(&mut self, body: &'a [u8]) {
        self.exif.get_or_insert(Cow::Borrowed(body.strip_prefix(jpeg::EXIF_PREFIX).unwrap_or(body)));
    }

    /// How the stored pixels must be turned to stand upright; "as they are" when nothing valid is said.
    #[must_use]
    pub fn orientation(&self) -> Orientation {
        let said = || self.exif.as_deref().and_then(Orientation::from_exif_chunk);
        self.turn.or_else(said).unwrap_or(Orientation::NoTransforms)
    }
}

/// An EXIF block that says an orientation, where there is one, and what is told, and nothing else; `None` where there is nothing to say.
#[must_use]
pub fn fresh_exif(orientation: Orientation, told: &Told) -> Option<Vec<u8>> {
    let mut main = Vec::new();
    main.extend(told.camera.as_deref().map(|camera| Entry::ascii(0x0110, camera)));
    if orientation != Orientation::NoTransforms {
        main.push(Entry { tag: 0x0112, kind: 3, count: 1, value: vec![0, orientation.to_exif()] });
    }
    let parts = [(0x8769, times(told)), (0x8825, places(told))].into_iter().filter(|(_, part)| !part.is_empty());
    let parts: Vec<(u16, Vec<Entry>)> = parts.collect();
    if main.is_empty() && parts.is_empty() {
        return None;
    }
    let mut out = b"MM\0\x2a\0\0\0\x08".to_vec(); // big-endian TIFF, first directory at byte 8
    let pointers = parts.len() * ENTRY_BYTES;
    let mut at = out.len() + directory_bytes(&main) + pointers;
    let mut behind = Vec::new();
    let starts_at = out.len();
    for (tag, part) in parts {
        main.push(Entry { tag, kind: 4, count: 1, value: (at as u32).to_be_bytes().to_vec() });
        behind.extend(directory(&part, at));
        at += directory_bytes(&part);
    }
    out.extend(directory(&main, starts_at));
    out.extend(behind);
    Some(out)
}

/// Bytes of an entry of a directory, its value apart if that is long.
const ENTRY_BYTES: usize = 12;
/// Bytes of a value that stands in its entry.
const SHORT_BYTES: usize = 4;

/// An entry of a TIFF directory: tag, type, how many, big-endian value.
struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    value: Vec<u8>,
}

impl Entry {
    fn ascii(tag: u16, text: &str) -> Self {
        let value = [text.as_bytes(), b"\0"].concat();
        Self { tag, kind: 2, count: value.len() as u32, value }
    }

    /// Degrees, minutes and seconds to the ten-thousandth: three millimetres.
    fn degrees(tag: u16, degrees: f64) -> Self {
        let parts = (degrees.abs() * 36_000_000.0).round() as u64;
        let [whole, minutes, seconds] = [parts / 36_000_000, parts / 600_000 % 60, parts % 600_000];
        let fractions = [(whole, 1), (minutes, 1), (seconds, 10_000_u32)];
        let value = fractions.iter().flat_map(|(n, d)| [(*n as u32).to_be_bytes(), d.to_be_bytes()]).flatten();
        Self { tag, kind: 5, count: 3, value: value.collect() }
    }
}

/// The moment as the camera's clock showed it, and how far that was ahead of UTC if it is known.
fn times(told: &Told) -> Vec<Entry> {
    let Some(taken) = told.taken_at else { return Vec::new() };
    let Ok(wall) = jiff::Timestamp::from_millisecond(taken.wall_ms) else { return Vec::new() };
    let wall = jiff::tz::Offset::UTC.to_datetime(wall);
    let mut entries = vec![Entry::ascii(0x9003, &wall.strftime("%Y:%m:%d %H:%M:%S").to_string())];
    entries.extend(taken.offset_min.map(|minutes| {
        let (sign, size) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
        Entry::ascii(0x9011, &format!("{sign}{:02}:{:02}", size / 60, size % 60))
    }));
    entries
}

fn places(told: &Told) -> Vec<Entry> {
    let Some(Place { north, east }) = told.place else { return Vec::new() };
    vec![
        Entry::ascii(1, if north < 0.0 { "S" } else { "N" }),
        Entry::degrees(2, north),
        Entry::ascii(3, if east < 0.0 { "W" } else { "E" }),
        Entry::degrees(4, east),
    ]
}

fn directory_bytes(entries: &[Entry]) -> usize {
    let long = entries.iter().map(|entry| entry.value.len()).filter(|len| *len > SHORT_BYTES);
    2 + ENTRY_BYTES * entries.len() + 4 + long.sum::<usize>()
}

/// A directory that begins at byte `at`, its long values behind it, and none after it.
fn directory(entries: &[Entry], at: usize) -> Vec<u8> {
    let mut out = (entries.len() as u16).to_be_bytes().to_vec();
    let mut values: Vec<u8> = Vec::new();
    let values_at = at + 2 + ENTRY_BYTES * entries.len() + 4;
    for Entry { tag, kind, count, value } in entries {
        out.extend([tag.to_be_bytes(), kind.to_be_bytes()].concat());
        out.extend(count.to_be_bytes());
        let mut short = [0; SHORT_BYTES];
        match short.get_mut(..value.len()) {
            Some(place) => place.copy_from_slice(value),
            None => {
                short = ((values_at + values.len()) as u32).to_be_bytes();
                values.extend(value);
            }
        }
        out.extend(short);
    }
    out.extend([0; 4]);
    out.extend(values);
    out
}

#[cfg(test)]
mod tests {
    use exif::{Exif, In, Reader, Tag};

    use super::*;
    use crate::sandbox::message::CaptureTime;

    fn read(block: Vec<u8>) -> Exif {
        Reader::new().read_raw(block).unwrap()
    }

    fn said(exif: &Exif) -> Vec<(Tag, String)> {
        exif.fields().map(|field| (field.tag, field.display_value().to_string())).collect()
    }

    #[test]
    fn a_fresh_block_says_each_orientation_and_nothing_else() {
        assert_eq!(fresh_exif(Orientation::NoTransforms, &Told::default()), None);
        for value in 2..=8 {
            let orientation = Orientation::from_exif(value).unwrap();
            let block = fresh_exif(orientation, &Told::default()).unwrap();
            assert_eq!(Orientation::from_exif_chunk(&block), Some(orientation));
            assert_eq!((block.len(), read(block).fields().count()), (26, 1));
        }
    }

    #[test]
    fn d4_a_fresh_block_says_what_it_is_told_and_nothing_else() {
        let taken_at = Some(CaptureTime { wall_ms: 1_623_053_350_000, offset_min: Some(-150) });
        let time = read(fresh_exif(Orientation::NoTransforms, &Told { taken_at, ..Told::default() }).unwrap());
        let words = [(Tag::DateTimeOriginal, "2021-06-07 08:09:10"), (Tag::OffsetTimeOriginal, "\"-02:30\"")];
        assert_eq!(said(&time), words.map(|(tag, text)| (tag, text.to_owned())));

        for (north, east) in [(48.137_154, 11.576_124), (-33.857_2, -70.5), (0.0, -0.000_001), (-90.0, 180.0)] {
            let told = Told { place: Place::of(north, east), ..Told::default() };
            let place = read(fresh_exif(Orientation::Rotate90, &told).unwrap());
            let tags: Vec<Tag> = said(&place).into_iter().map(|(tag, _)| tag).collect();
            let gps = [Tag::GPSLatitudeRef, Tag::GPSLatitude, Tag::GPSLongitudeRef, Tag::GPSLongitude];
            assert_eq!(tags, [&[Tag::Orientation][..], &gps].concat());
            let degrees = |tag| {
                let exif::Value::Rational(parts) = &place.get_field(tag, In::PRIMARY).unwrap().value else { panic!() };
                parts[0].to_f64() + parts[1].to_f64() / 60.0 + parts[2].to_f64() / 3600.0
            };
            assert!((degrees(Tag::GPSLatitude) - north.abs()).abs() < 1e-7);
            assert!((degrees(Tag::GPSLongitude) - east.abs()).abs() < 1e-7);
        }

        let told = Told { camera: Some("Fairphone FP4".into()), ..Told::default() };
        let camera = read(fresh_exif(Orientation::NoTransforms, &told).unwrap());
        assert_eq!(said(&camera), [(Tag::Model, "\"Fairphone FP4\"".to_owned())]);
        let all = Told { taken_at, place: Place::of(1.0, 2.0), ..told };
        assert_eq!(read(fresh_exif(Orientation::Rotate90, &all).unwrap()).fields().count(), 8);
    }
}
