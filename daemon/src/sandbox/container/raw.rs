//! Cameras' raw files: which they are, and the largest JPEG that the camera put into them. The raw pixels themselves are left alone: developing
//! them takes a profile of each camera, and the preview is what the photographer saw.

use serde::{Deserialize, Serialize};

use super::bmff::{self, Piece};
use super::tiff::{self, Directory, Tiff, tag};
use super::{ContainerError, Format, jpeg};
use crate::sandbox::limits;

/// Makers' kinds of raw files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RawKind {
    /// Canon, until 2018.
    Cr2,
    /// Canon, since 2018.
    Cr3,
    /// Nikon.
    Nef,
    /// Sony.
    Arw,
    /// Adobe's format, of Leica, Pentax and telephones.
    Dng,
    /// Fujifilm.
    Raf,
    /// Olympus, OM System.
    Orf,
    /// Panasonic.
    Rw2,
    /// Another maker's that is made of TIFF directories, such as Pentax's PEF and Samsung's SRW.
    Other,
}

impl RawKind {
    /// The usual media type; none is registered but that of DNG.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Cr2 => "image/x-canon-cr2",
            Self::Cr3 => "image/x-canon-cr3",
            Self::Nef => "image/x-nikon-nef",
            Self::Arw => "image/x-sony-arw",
            Self::Dng => "image/x-adobe-dng",
            Self::Raf => "image/x-fuji-raf",
            Self::Orf => "image/x-olympus-orf",
            Self::Rw2 => "image/x-panasonic-rw2",
            Self::Other => "image/x-dcraw",
        }
    }

    /// The usual file extension, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Cr2 => "cr2",
            Self::Cr3 => "cr3",
            Self::Nef => "nef",
            Self::Arw => "arw",
            Self::Dng => "dng",
            Self::Raf => "raf",
            Self::Orf => "orf",
            Self::Rw2 => "rw2",
            Self::Other => "raw",
        }
    }
}

/// The preview of a raw file and what the file says of the photo.
#[derive(Clone, Debug)]
pub struct Preview<'a> {
    /// The JPEG, as it lies in the file.
    pub jpeg: &'a [u8],
    /// EXIF as the raw file says it; empty for a file that leaves that to its JPEG.
    pub exif: Vec<u8>,
}

/// Numbers after the byte order: TIFF's own, Olympus's three, Panasonic's.
const TIFF: u16 = 42;
const OLYMPUS: [u16; 2] = [0x4f52, 0x5352];
const PANASONIC: u16 = 0x0055;
const MAGIC: [u16; 4] = [TIFF, OLYMPUS[0], OLYMPUS[1], PANASONIC];

const FUJIFILM: &[u8] = b"FUJIFILMCCD-RAW ";
/// Where Fujifilm's header keeps offset and length of the JPEG.
const FUJIFILM_JPEG_AT: usize = 84;

/// What a photometric interpretation of raw pixels behind a colour filter is.
const COLOUR_FILTER: u32 = 32803;
/// And of raw pixels of three colours, in DNG.
const LINEAR_RAW: u32 = 34892;
/// JPEG as TIFF has it, old and new.
const COMPRESSIONS: [u32; 2] = [6, 7];
/// Panasonic's entry that is a JPEG.
const PANASONIC_JPEG: u16 = 0x002e;

/// Tells TIFF files and raw files by their contents.
pub(super) fn sniff(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(FUJIFILM) {
        return Some(Format::Raw(RawKind::Raf));
    }
    match bytes.get(..4)? {
        b"IIRO" | b"IIRS" | b"MMOR" => return Some(Format::Raw(RawKind::Orf)),
        b"IIU\0" => return Some(Format::Raw(RawKind::Rw2)),
        b"II\x2a\0" | b"MM\0\x2a" => {}
        _ => return None,
    }
    if bytes.get(8..10) == Some(b"CR") {
        return Some(Format::Raw(RawKind::Cr2));
    }
    let Ok(tiff) = Tiff::open(bytes, &[TIFF]) else { return Some(Format::Tiff) };
    let all = tiff.directories();
    if all.iter().any(|directory| directory.get(tag::DNG_VERSION).is_some()) {
        return Some(Format::Raw(RawKind::Dng));
    }
    let is_raw = |directory: &Directory<'_>| {
        directory.number(tag::PHOTOMETRIC).is_some_and(|kind| kind == COLOUR_FILTER || kind == LINEAR_RAW)
    };
    if !all.iter().any(is_raw) {
        return Some(Format::Tiff);
    }
    let maker = all.iter().find_map(|directory| directory.get(tag::MAKE)?.text()).unwrap_or_default();
    Some(Format::Raw(match maker {
        [b'N', b'I', b'K', b'O', b'N', ..] => RawKind::Nef,
        [b'S', b'O', b'N', b'Y', ..] => RawKind::Arw,
        _ => RawKind::Other,
    }))
}

/// Finds the largest JPEG that can be shown.
///
/// # Errors
/// `Malformed` when there is none, or when the structure says nothing; `CutShort` when the file ends before what it points to.
pub fn preview(bytes: &[u8], kind: RawKind) -> Result<Preview<'_>, ContainerError> {
    let (candidates, exif) = match kind {
        RawKind::Raf => (vec![fujifilm(bytes)?], Vec::new()),
        RawKind::Cr3 => canon(bytes)?,
        _ => directories(bytes, kind)?,
    };
    let sized = candidates.into_iter().filter_map(|jpeg| Some((jpeg, jpeg::viewable_size(jpeg)?)));
    let area = |(width, height): (u16, u16)| u32::from(width) * u32::from(height);
    let largest = sized.max_by_key(|(_, size)| area(*size));
    let (jpeg, _) =
        largest.ok_or(ContainerError::Malformed("the camera's raw file holds no preview that can be shown"))?;
    Ok(Preview { jpeg, exif })
}

fn fujifilm(bytes: &[u8]) -> Result<&[u8], ContainerError> {
    let field =
        bytes.get(FUJIFILM_JPEG_AT..).and_then(|rest| rest.first_chunk::<8>()).ok_or(ContainerError::CutShort)?;
    let [a, b, c, d, e, f, g, h] = field.map(usize::from);
    let join = |bytes: [usize; 4]| bytes.into_iter().fold(0, |sum, byte| sum << 8 | byte);
    let (offset, len) = (join([a, b, c, d]), join([e, f, g, h]));
    bytes.get(offset..).and_then(|rest| rest.get(..len)).ok_or(ContainerError::CutShort)
}

type Found<'a> = (Vec<&'a [u8]>, Vec<u8>);

/// Raw files that are made of TIFF directories.
fn directories(bytes: &[u8], kind: RawKind) -> Result<Found<'_>, ContainerError> {
    let tiff = Tiff::open(bytes, &MAGIC)?;
    let main = tiff.directory(tiff.first)?;
    let named = |tag| main.number(tag).and_then(|offset| tiff.directory(offset).ok());
    let (detail, place) = (named(tag::EXIF), named(tag::GPS));
    let mut candidates = Vec::new();
    for directory in tiff.directories() {
        let jpeg = (directory.number(tag::JPEG_OFFSET), directory.number(tag::JPEG_BYTES));
        let is_jpeg = directory.number(tag::COMPRESSION).is_some_and(|kind| COMPRESSIONS.contains(&kind));
        let strip = (directory.number(tag::STRIP_OFFSETS), directory.number(tag::STRIP_BYTES));
        for place in [Some(jpeg), is_jpeg.then_some(strip)].into_iter().flatten() {
            let (Some(offset), Some(len)) = place else { continue };
            candidates.extend(usize::try_from(len).ok().and_then(|len| tiff.slice(offset, len)));
        }
        candidates.extend(directory.get(PANASONIC_JPEG).map(|entry| entry.value).filter(|_| kind == RawKind::Rw2));
    }
    if kind == RawKind::Orf {
        candidates.extend(detail.as_ref().and_then(|detail| olympus(&tiff, bytes, detail)));
    }
    Ok((candidates, tiff::digest(&main, detail.as_ref(), place.as_ref())))
}

/// Olympus keeps its preview behind two levels of the maker's notes, whose offsets count from the notes' own beginning.
fn olympus<'a>(tiff: &Tiff<'a>, bytes: &'a [u8], detail: &Directory<'a>) -> Option<&'a [u8]> {
    const CAMERA_SETTINGS: u16 = 0x2020;
    const PREVIEW_START: u16 = 0x0101;
    const PREVIEW_LENGTH: u16 = 0x0102;
    let note = detail.get(tag::MAKER_NOTE)?;
    let base = usize::try_from(note.offset).ok()?;
    // Name and byte order, which is the file's own; the first directory follows at once.
    let header: u32 = match note.value {
        value if value.starts_with(b"OLYMPUS\0") => 12,
        value if value.starts_with(b"OM SYSTEM\0") => 16,
        _ => return None,
    };
    let inner = tiff.rebased(bytes.get(base..)?);
    // Older cameras keep the settings as bytes that are the directory itself.
    let settings = inner.directory(header).ok()?.get(CAMERA_SETTINGS)?;
    let settings = inner.directory(settings.numbers().first().copied().unwrap_or(settings.offset)).ok()?;
    let len = usize::try_from(settings.number(PREVIEW_LENGTH)?).ok()?;
    inner.slice(settings.number(PREVIEW_START)?, len)
}

/// Canon's names for the boxes with metadata and with the middle-sized preview.
const CANON_METADATA: [u8; 16] = *b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
const CANON_PREVIEW: [u8; 16] = *b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";

fn canon(bytes: &[u8]) -> Result<Found<'_>, ContainerError> {
    let top = bmff::pieces(bytes)?;
    let movie =
        bmff::pieces(bmff::first(&top, b"moov").ok_or(ContainerError::Malformed("no description of its parts"))?)?;
    let metadata = named_box(&movie, &CANON_METADATA).map(bmff::pieces).transpose()?.unwrap_or_default();
    let directory = |kind| {
        let tiff = Tiff::open(bmff::first(&metadata, kind)?, &[TIFF]).ok()?;
        tiff.directory(tiff.first).ok()
    };
    let (detail, place) = (directory(b"CMT2"), directory(b"CMT4"));
    let exif = directory(b"CMT1").map(|main| tiff::digest(&main, detail.as_ref(), place.as_ref()));
    // Eight bytes of a count come before the box with the preview; in both boxes a header comes before the JPEG.
    let preview = named_box(&top, &CANON_PREVIEW)
        .and_then(|body| bmff::first(&bmff::pieces(body.get(8..)?).ok()?, b"PRVW"))
        .and_then(|body| body.get(16..));
    let thumbnail = bmff::first(&metadata, b"THMB").and_then(|body| body.get(16..));
    let tracks = movie.iter().filter(|piece| &piece.kind == b"trak").filter_map(|track| first_sample(bytes, track));
    let candidates = tracks.chain(preview).chain(thumbnail).take(limits::MAX_DIRECTORIES).collect();
    Ok((candidates, exif.unwrap_or_default()))
}

fn named_box<'a>(pieces: &[Piece<'a>], name: &[u8; 16]) -> Option<&'a [u8]> {
    pieces.iter().filter(|piece| &piece.kind == b"uuid").find_map(|piece| piece.body.strip_prefix(name))
}

/// The first sample of a track, such as the JPEG in full size, which is a track of one sample.
fn first_sample<'a>(bytes: &'a [u8], track: &Piece<'a>) -> Option<&'a [u8]> {
    let table = bmff::pieces(bmff::inside(track.body, &[b"mdia", b"minf", b"stbl"])?).ok()?;
    // Version and flags, the size of all samples or 0, their number, their sizes.
    let sizes = bmff::first(&table, b"stsz")?;
    let at = |body: &'a [u8], at: usize| body.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes));
    let len = at(sizes, 4).filter(|len| *len > 0).or(at(sizes, 12))?;
    let offset = match (bmff::first(&table, b"co64"), bmff::first(&table, b"stco")) {
        (Some(body), _) => u64::from_be_bytes(*body.get(8..)?.first_chunk()?),
        (None, Some(body)) => at(body, 8)?.into(),
        (None, None) => return None,
    };
    bytes.get(usize::try_from(offset).ok()?..)?.get(..usize::try_from(len).ok()?)
}
