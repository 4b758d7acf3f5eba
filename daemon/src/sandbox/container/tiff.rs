//! TIFF's directories, in which camera raw files and EXIF blocks keep what they say.

use super::{ContainerError, Cursor};
use crate::sandbox::limits;

/// A TIFF structure: byte order, and directories that point into the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Tiff<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
    /// Where the first directory lies.
    pub first: u32,
}

/// One directory.
#[derive(Clone, Debug)]
pub struct Directory<'a> {
    entries: Vec<Entry<'a>>,
    /// Where the next one lies; 0 for none.
    pub next: u32,
}

/// One entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it says.
    pub tag: u16,
    kind: u16,
    /// The bytes of its value; none when they lie outside the file.
    pub value: &'a [u8],
    /// Where they begin.
    pub offset: u32,
    is_big_endian: bool,
}

/// TIFF's types.
const ASCII: u16 = 2;
const SHORT: u16 = 3;

impl<'a> Tiff<'a> {
    /// Reads the header. `magic` are the numbers after the byte order that are taken: 42 for TIFF, others for raw files of some makers.
    ///
    /// # Errors
    /// `Malformed` when it is none, `CutShort` when it ends in the header.
    pub fn open(bytes: &'a [u8], magic: &[u16]) -> Result<Self, ContainerError> {
        let mut cursor = Cursor::new(bytes);
        let is_big_endian = match &cursor.array()? {
            b"II" => false,
            b"MM" => true,
            _ => return Err(ContainerError::Malformed("no byte order")),
        };
        let number = short(is_big_endian, cursor.array()?);
        if !magic.contains(&number) {
            return Err(ContainerError::Malformed("not a TIFF header"));
        }
        Ok(Self { bytes, is_big_endian, first: long(is_big_endian, cursor.array()?) })
    }

    /// The directory at an offset.
    ///
    /// # Errors
    /// `CutShort` when it does not lie inside the file, `Malformed` when it has more entries than any file needs.
    pub fn directory(&self, offset: u32) -> Result<Directory<'a>, ContainerError> {
        let start = usize::try_from(offset).map_err(|_| ContainerError::CutShort)?;
        let mut cursor = Cursor::new(self.bytes.get(start..).ok_or(ContainerError::CutShort)?);
        let count = short(self.is_big_endian, cursor.array()?);
        if usize::from(count) > limits::MAX_DIRECTORY_ENTRIES {
            return Err(ContainerError::Malformed("too many entries in a directory"));
        }
        let entries = (0..count).map(|_| self.entry(&mut cursor)).collect::<Result<_, _>>()?;
        // Some writers leave out the link of the last directory.
        let next = cursor.array().map_or(0, |bytes| long(self.is_big_endian, bytes));
        Ok(Directory { entries, next })
    }

    fn entry(&self, cursor: &mut Cursor<'a>) -> Result<Entry<'a>, ContainerError> {
        let tag = short(self.is_big_endian, cursor.array()?);
        let kind = short(self.is_big_endian, cursor.array()?);
        let count = long(self.is_big_endian, cursor.array()?);
        let at = self.bytes.len() - cursor.rest().len();
        let field = cursor.take(4)?;
        let size = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 => 8,
            _ => 0,
        };
        let len = usize::try_from(u64::from(count) * size).unwrap_or(usize::MAX);
        let (value, offset) = match field.get(..len) {
            Some(inline) => (Some(inline), u32::try_from(at).unwrap_or(u32::MAX)),
            None => {
                let offset = field.first_chunk().map_or(u32::MAX, |bytes| long(self.is_big_endian, *bytes));
                (self.slice(offset, len), offset)
            }
        };
        Ok(Entry { tag, kind, value: value.unwrap_or_default(), offset, is_big_endian: self.is_big_endian })
    }

    /// The same byte order over other bytes, whose offsets count from their own beginning.
    #[must_use]
    pub fn rebased(&self, bytes: &'a [u8]) -> Self {
        Self { bytes, ..*self }
    }

    /// A part of the file.
    #[must_use]
    pub fn slice(&self, offset: u32, len: usize) -> Option<&'a [u8]> {
        self.bytes.get(usize::try_from(offset).ok()?..)?.get(..len)
    }

    /// Directories from the first one on and what they name as sub-directories, as many as can be read and as are allowed; never one twice.
    #[must_use]
    pub fn directories(&self) -> Vec<Directory<'a>> {
        let mut found = Vec::new();
        let mut seen = Vec::new();
        let mut waiting = vec![self.first];
        while let Some(offset) = waiting.pop() {
            if offset == 0 || seen.contains(&offset) || seen.len() >= limits::MAX_DIRECTORIES {
                continue;
            }
            seen.push(offset);
            let Ok(directory) = self.directory(offset) else { continue };
            waiting.extend(directory.numbers(tag::SUB_DIRECTORIES).into_iter().take(limits::MAX_DIRECTORIES));
            waiting.push(directory.next);
            found.push(directory);
        }
        found
    }
}

impl<'a> Directory<'a> {
    /// The first entry with this tag.
    #[must_use]
    pub fn get(&self, tag: u16) -> Option<Entry<'a>> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }

    /// The whole numbers of an entry; none if it is absent.
    #[must_use]
    pub fn numbers(&self, tag: u16) -> Vec<u32> {
        self.get(tag).map(|entry| entry.numbers()).unwrap_or_default()
    }

    /// The only whole number of an entry.
    #[must_use]
    pub fn number(&self, tag: u16) -> Option<u32> {
        match self.numbers(tag).as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }
}

impl<'a> Entry<'a> {
    /// Its text up to the first zero byte, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&'a [u8]> {
        (self.kind == ASCII).then(|| self.value.split(|byte| *byte == 0).next().unwrap_or_default())
    }

    /// Its value as whole numbers; of a fraction, numerator and denominator.
    #[must_use]
    pub fn numbers(&self) -> Vec<u32> {
        match self.kind {
            1 => self.value.iter().map(|byte| u32::from(*byte)).collect(),
            SHORT => self.value.as_chunks().0.iter().map(|bytes| short(self.is_big_endian, *bytes).into()).collect(),
            4 | 5 | 13 => self.value.as_chunks().0.iter().map(|bytes| long(self.is_big_endian, *bytes)).collect(),
            _ => Vec::new(),
        }
    }
}

/// The tags that are looked at.
pub mod tag {
    /// Kind of compression.
    pub const COMPRESSION: u16 = 0x0103;
    /// What the numbers of a pixel mean.
    pub const PHOTOMETRIC: u16 = 0x0106;
    /// Maker of the camera.
    pub const MAKE: u16 = 0x010f;
    /// Model of the camera.
    pub const MODEL: u16 = 0x0110;
    /// Where the strips lie.
    pub const STRIP_OFFSETS: u16 = 0x0111;
    /// How to turn the image.
    pub const ORIENTATION: u16 = 0x0112;
    /// How long the strips are.
    pub const STRIP_BYTES: u16 = 0x0117;
    /// Time of the last change.
    pub const DATE_TIME: u16 = 0x0132;
    /// Offsets of further directories.
    pub const SUB_DIRECTORIES: u16 = 0x014a;
    /// Where a JPEG lies.
    pub const JPEG_OFFSET: u16 = 0x0201;
    /// How long it is.
    pub const JPEG_BYTES: u16 = 0x0202;
    /// An XMP packet.
    pub const XMP: u16 = 0x02bc;
    /// Offset of the directory with times and exposure.
    pub const EXIF: u16 = 0x8769;
    /// Offset of the directory with the position.
    pub const GPS: u16 = 0x8825;
    /// The maker's own notes.
    pub const MAKER_NOTE: u16 = 0x927c;
    /// Version of DNG.
    pub const DNG_VERSION: u16 = 0xc612;
}

fn short(is_big_endian: bool, bytes: [u8; 2]) -> u16 {
    if is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
}

fn long(is_big_endian: bool, bytes: [u8; 4]) -> u32 {
    if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

/// Tags of the main directory that [`digest`] keeps.
const MAIN: [u16; 4] = [tag::MAKE, tag::MODEL, tag::ORIENTATION, tag::DATE_TIME];
/// Those of the EXIF directory: the three times with their offsets and fractions.
const DETAIL: [u16; 8] = [0x9003, 0x9004, 0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292];
/// Those of the GPS directory: latitude and longitude.
const PLACE: [u16; 2] = [0x0002, 0x0004];

/// A small EXIF block with what is asked of a photo (camera, times, orientation, position), out of directories that may lie anywhere in a large
/// file, or in several.
#[must_use]
pub fn digest(main: &Directory<'_>, detail: Option<&Directory<'_>>, place: Option<&Directory<'_>>) -> Vec<u8> {
    let part = |directory: Option<&Directory<'_>>, tags: &[u16]| -> Vec<Kept> {
        tags.iter().filter_map(|tag| Kept::of(directory?.get(*tag)?)).collect()
    };
    let (main, detail, place) = (part(Some(main), &MAIN), part(detail, &DETAIL), part(place, &PLACE));
    let pointer = |tag: u16, at: u32| Kept { tag, kind: 4, count: 1, value: at.to_be_bytes().to_vec() };
    let with = |detail_at, place_at| {
        let mut all = main.clone();
        all.extend([pointer(tag::EXIF, detail_at), pointer(tag::GPS, place_at)]);
        all
    };
    let detail_at = HEADER_BYTES + bytes_of(&with(0, 0));
    let place_at = detail_at + bytes_of(&detail);
    let mut out = b"MM\0\x2a\0\0\0\x08".to_vec();
    for part in [with(detail_at, place_at), detail, place] {
        write_directory(&mut out, &part);
    }
    out
}

const HEADER_BYTES: u32 = 8;

/// An entry on its way into a block of the other byte order.
#[derive(Clone)]
struct Kept {
    tag: u16,
    kind: u16,
    count: u32,
    value: Vec<u8>,
}

impl Kept {
    /// Texts, and numbers of types that [`Entry::numbers`] knows; long ones are none that we ask for.
    fn of(entry: Entry<'_>) -> Option<Self> {
        if entry.value.len() > limits::MAX_KEPT_ENTRY_BYTES {
            return None;
        }
        let (value, size) = match entry.kind {
            ASCII => ([entry.text()?, &[0]].concat(), 1),
            SHORT => (
                entry.value.as_chunks().0.iter().flat_map(|b| short(entry.is_big_endian, *b).to_be_bytes()).collect(),
                2,
            ),
            5 => (entry.numbers().into_iter().flat_map(u32::to_be_bytes).collect(), 8),
            _ => return None,
        };
        Some(Self { tag: entry.tag, kind: entry.kind, count: u32::try_from(value.len() / size).ok()?, value })
    }
}

/// Bytes of a directory with the values that do not fit into it.
fn bytes_of(entries: &[Kept]) -> u32 {
    let outside: usize =
        entries.iter().map(|kept| kept.value.len()).filter(|len| *len > 4).map(|len| len.next_multiple_of(2)).sum();
    u32::try_from(2 + 12 * entries.len() + 4 + outside).unwrap_or(u32::MAX)
}

fn write_directory(out: &mut Vec<u8>, entries: &[Kept]) {
    let mut outside_at = out.len() + 2 + 12 * entries.len() + 4;
    let mut outside = Vec::new();
    out.extend(u16::try_from(entries.len()).unwrap_or(u16::MAX).to_be_bytes());
    for Kept { tag, kind, count, value } in entries {
        out.extend(tag.to_be_bytes());
        out.extend(kind.to_be_bytes());
        out.extend(count.to_be_bytes());
        if value.len() <= 4 {
            out.extend(value);
            out.extend(vec![0; 4 - value.len()]);
        } else {
            out.extend(u32::try_from(outside_at).unwrap_or(u32::MAX).to_be_bytes());
            outside.extend(value);
            outside.resize(outside.len().next_multiple_of(2), 0);
            outside_at += value.len().next_multiple_of(2);
        }
    }
    out.extend([0; 4]);
    out.extend(outside);
}
