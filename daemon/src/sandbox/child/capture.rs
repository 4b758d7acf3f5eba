//! What a photo says about its taking: time, camera, whether a place.

use exif::{Exif, In, Reader, Tag, Value};
use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::sandbox::container::Format;
use crate::sandbox::container::metadata::Metadata;
use crate::sandbox::limits;
use crate::sandbox::message::{CaptureTime, Details, Place, Told};

/// What EXIF and XMP say; empty where they say nothing valid.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) taken_at: Option<CaptureTime>,
    pub(super) camera: Option<String>,
    pub(super) has_location: bool,
}

pub(super) fn read(metadata: &Metadata<'_>) -> Said {
    let in_xmp = metadata.xmp.iter().any(|packet| {
        let packet = packet.get(..limits::MAX_XMP_BYTES).unwrap_or(packet);
        memchr::memmem::find(packet, b"GPSLatitude").is_some()
    });
    let Some(exif) = metadata.exif.as_deref().and_then(parse) else {
        return Said { has_location: in_xmp, ..Said::default() };
    };
    let located = |tag| exif.get_field(tag, In::PRIMARY).is_some();
    Said {
        taken_at: taken_at(&exif),
        camera: camera(&exif),
        has_location: in_xmp || located(Tag::GPSLatitude) || located(Tag::GPSLongitude),
    }
}

/// Those details of a file that are wanted, as far as its EXIF block says them.
pub(super) fn told(file: &[u8], wanted: Details) -> Told {
    if wanted == Details::default() {
        return Told::default();
    }
    let metadata = Format::sniff(file).and_then(|format| Metadata::find(file, format).ok());
    let Some(exif) = metadata.as_ref().and_then(|found| found.exif.as_deref()).and_then(parse) else {
        return Told::default();
    };
    Told {
        taken_at: taken_at(&exif).filter(|_| wanted.time),
        place: place(&exif).filter(|_| wanted.place),
        camera: camera(&exif).filter(|_| wanted.camera),
    }
}

/// Where the GPS block says, if that is on the globe.
fn place(exif: &Exif) -> Option<Place> {
    let degrees = |tag, reference, negative: u8| {
        let Value::Rational(parts) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
        let [degrees, minutes, seconds] = parts.as_slice() else { return None };
        let size = degrees.to_f64() + minutes.to_f64() / 60.0 + seconds.to_f64() / 3600.0;
        let is_negative = ascii(exif, reference)?.first()?.eq_ignore_ascii_case(&negative);
        Some(if is_negative { -size } else { size })
    };
    let north = degrees(Tag::GPSLatitude, Tag::GPSLatitudeRef, b'S')?;
    Place::of(north, degrees(Tag::GPSLongitude, Tag::GPSLongitudeRef, b'W')?)
}

/// Parses as much as can be understood: a broken entry is no reason to lose the date.
fn parse(block: &[u8]) -> Option<Exif> {
    if block.len() > limits::MAX_EXIF_BYTES {
        return None;
    }
    Reader::new().continue_on_error(true).read_raw(block.to_vec()).or_else(|e| e.distill_partial_result(|_| ())).ok()
}

/// The moment of exposure; failing that, of digitisation; failing that, of the last change.
fn taken_at(exif: &Exif) -> Option<CaptureTime> {
    [
        (Tag::DateTimeOriginal, Tag::SubSecTimeOriginal, Tag::OffsetTimeOriginal),
        (Tag::DateTimeDigitized, Tag::SubSecTimeDigitized, Tag::OffsetTimeDigitized),
        (Tag::DateTime, Tag::SubSecTime, Tag::OffsetTime),
    ]
    .into_iter()
    .find_map(|(time, fraction, offset)| {
        let mut read = exif::DateTime::from_ascii(ascii(exif, time)?).ok()?;
        if let Some(fraction) = ascii(exif, fraction) {
            let _ = read.parse_subsec(fraction);
        }
        // Some phones write the offset of the exposure under another of the three names.
        for tag in [offset, Tag::OffsetTimeOriginal, Tag::OffsetTime] {
            if read.offset.is_none()
                && let Some(offset) = ascii(exif, tag)
            {
                let _ = read.parse_offset(offset);
            }
        }
        capture_time(&read)
    })
}

/// Only moments that can be: photography is older than this, but no camera with EXIF is, and a date after 2200 is a broken clock.
fn capture_time(read: &exif::DateTime) -> Option<CaptureTime> {
    let part = |value: u8| i8::try_from(value).ok();
    let year = i16::try_from(read.year).ok().filter(|year| (1826..=2200).contains(year))?;
    let millis = i32::try_from(read.nanosecond.unwrap_or_default()).ok()? / 1_000_000 * 1_000_000;
    let wall = DateTime::new(
        year,
        part(read.month)?,
        part(read.day)?,
        part(read.hour)?,
        part(read.minute)?,
        part(read.second)?.min(59),
        millis,
    )
    .ok()?;
    let wall_ms = Offset::UTC.to_timestamp(wall).ok()?.as_millisecond();
    let offset_min = read.offset.filter(|minutes| limits::OFFSET_MIN.contains(minutes));
    Some(CaptureTime { wall_ms, offset_min })
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(parts) => parts.first().map(Vec::as_slice),
        _ => None,
    }
}

/// Maker and model in one line; the maker only once ("Canon EOS R6", not "Canon Canon EOS R6").
fn camera(exif: &Exif) -> Option<String> {
    let words = |tag| {
        let text = String::from_utf8_lossy(ascii(exif, tag)?).into_owned();
        let text: String = text.chars().filter(|c| c.is_alphanumeric() || c.is_ascii_graphic() || *c == ' ').collect();
        Some(text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
    };
    let line = match (words(Tag::Make), words(Tag::Model)) {
        (Some(make), Some(model)) => {
            let first = make.split(' ').next().unwrap_or_default().to_lowercase();
            if model.to_lowercase().starts_with(&first) { model } else { format!("{make} {model}") }
        }
        (one, other) => one.or(other)?,
    };
    Some(line.chars().take(limits::MAX_CAMERA_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use exif::Field;
    use exif::experimental::Writer;

    fn said(fields: &[(Tag, &str)]) -> Said {
        let fields: Vec<Field> = fields
            .iter()
            .map(|(tag, text)| Field {
                tag: *tag,
                ifd_num: In::PRIMARY,
                value: Value::Ascii(vec![text.as_bytes().to_vec()]),
            })
            .collect();
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        let mut block = std::io::Cursor::new(Vec::new());
        writer.write(&mut block, false).unwrap();
        read(&Metadata { exif: Some(block.get_ref().into()), ..Metadata::default() })
    }

    #[test]
    fn exposure_time_comes_before_the_others_with_fraction_and_offset() {
        let said = said(&[
            (Tag::DateTime, "2024:01:01 00:00:00"),
            (Tag::DateTimeOriginal, "2023:07:08 21:30:15"),
            (Tag::SubSecTimeOriginal, "25"),
            (Tag::OffsetTimeOriginal, "+02:00"),
        ]);
        assert_eq!(said.taken_at, Some(CaptureTime { wall_ms: 1_688_851_815_250, offset_min: Some(120) }));
    }

    #[test]
    fn impossible_times_count_as_none() {
        for time in
            ["0000:00:00 00:00:00", "2023:13:01 00:00:00", "2023:02:30 00:00:00", "9999:01:01 00:00:00", "yesterday"]
        {
            assert_eq!(said(&[(Tag::DateTimeOriginal, time)]).taken_at, None, "{time}");
        }
        let fallback = said(&[(Tag::DateTimeOriginal, "    :  :     :  :  "), (Tag::DateTime, "1970:01:01 00:00:01")]);
        assert_eq!(fallback.taken_at, Some(CaptureTime { wall_ms: 1000, offset_min: None }));
        let wild = said(&[(Tag::DateTimeOriginal, "1970:01:01 00:00:01"), (Tag::OffsetTimeOriginal, "+99:00")]);
        assert_eq!(wild.taken_at, Some(CaptureTime { wall_ms: 1000, offset_min: None }));
    }

    #[test]
    fn cameras_are_one_tame_line() {
        assert_eq!(said(&[(Tag::Make, "Canon"), (Tag::Model, "Canon EOS R6")]).camera.unwrap(), "Canon EOS R6");
        assert_eq!(said(&[(Tag::Make, "NIKON CORPORATION"), (Tag::Model, "NIKON D90")]).camera.unwrap(), "NIKON D90");
        assert_eq!(said(&[(Tag::Make, "Fairphone"), (Tag::Model, "FP5 ")]).camera.unwrap(), "Fairphone FP5");
        assert_eq!(said(&[(Tag::Model, "a\u{1b}[31m\n\u{202e}b")]).camera.unwrap(), "a[31mb");
        assert_eq!(said(&[(Tag::Model, &"x".repeat(500))]).camera.unwrap().len(), limits::MAX_CAMERA_CHARS);
        assert_eq!(said(&[(Tag::Make, "  ")]).camera, None);
    }

    #[test]
    fn a_place_in_xmp_counts() {
        let metadata = Metadata { xmp: vec![b"<x exif:GPSLatitude='48,51N'/>"], ..Metadata::default() };
        assert!(read(&metadata).has_location);
        assert_eq!(read(&Metadata { exif: Some(b"MM\0\x2agarbage".into()), ..Metadata::default() }), Said::default());
    }
}
