//! Photos with a film behind them (motion photos), and films that belong to a photo (Live Photos).

use super::bmff;
use super::{Cursor, Format, jpeg};
use crate::sandbox::message::Film;

/// How often `ftyp` is tried as the beginning of a film: depth maps and further images, which may hold anything, lie before it.
const TRIES: usize = 16;

/// The film at the end of a photo, from its first box to the end of the file.
///
/// Google's and Samsung's JPEGs have it behind the end of the image; whatever lies between, and whatever the XMP says of lengths, the film is where
/// boxes of a film begin. In HEIF files it is a box of its own.
#[must_use]
pub fn film(file: &[u8], format: Format) -> Option<&[u8]> {
    match format {
        Format::Jpeg => {
            let behind = file.get(jpeg::end(file)?..)?;
            let starts = memchr::memmem::find_iter(behind, b"ftyp").filter_map(|at| at.checked_sub(4));
            starts.take(TRIES).filter_map(|start| behind.get(start..)).find(|film| is_film(film))
        }
        Format::Avif | Format::Heif => {
            let last = bmff::pieces(file).ok()?.pop().filter(|piece| &piece.kind == b"mpvd")?;
            Some(last.body).filter(|film| is_film(film))
        }
        _ => None,
    }
}

/// Whether boxes of a film stand at the beginning; what follows them (Samsung's trailer) need not be boxes.
fn is_film(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut kinds = Vec::new();
    while let Some(len) = rest.first_chunk::<4>().map(|len| u32::from_be_bytes(*len)) {
        // Films behind photos are short and have no box of 64 bits.
        let Some(piece) = usize::try_from(len).ok().filter(|len| *len >= 8).and_then(|len| rest.get(..len)) else {
            break;
        };
        let Some(kind) = piece.get(4..8).filter(|_| kinds.len() < 64) else { break };
        kinds.push(kind);
        rest = rest.get(piece.len()..).unwrap_or_default();
    }
    kinds.first() == Some(&b"ftyp".as_slice())
        && kinds.contains(&b"moov".as_slice())
        && kinds.contains(&b"mdat".as_slice())
}

/// Longest film that is taken for a photo's moving part by its name alone, in seconds: Live Photos last about three.
const MAX_SECONDS: u64 = 10;
/// The key under which an iPhone notes which photo a film belongs to.
const IDENTIFIER: &[u8] = b"com.apple.quicktime.content.identifier";
/// Bytes of an identifier: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
const UUID_BYTES: usize = 36;

/// What film it is, if it was taken with the photo of the same name: it names the same identifier as the photo or, if it names none, is short.
#[must_use]
pub fn belongs(photo: &[u8], film: &[u8]) -> Option<Film> {
    if !matches!(Format::sniff(photo), Some(Format::Jpeg | Format::Heif)) || Format::sniff(film).is_some() {
        return None;
    }
    let kind = match film.get(4..12)? {
        b"ftypqt  " => Film::QuickTime,
        [b'f', b't', b'y', b'p', ..] => Film::Mp4,
        _ => return None,
    };
    let movie = bmff::first(&bmff::pieces(film).ok()?, b"moov")?;
    let is_it = match identifier(movie) {
        Some(identifier) => memchr::memmem::find(photo, identifier).is_some(),
        None => seconds(movie)? <= MAX_SECONDS,
    };
    is_it.then_some(kind)
}

/// The identifier that a film's metadata name, in their list of values that follows the keys.
fn identifier(movie: &[u8]) -> Option<&[u8]> {
    let behind = movie.get(memchr::memmem::find(movie, IDENTIFIER)? + IDENTIFIER.len()..)?;
    behind.windows(UUID_BYTES).find(|part| {
        part.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

/// How long a film is, rounded up.
fn seconds(movie: &[u8]) -> Option<u64> {
    let (version, _, body) = bmff::versioned(bmff::first(&bmff::pieces(movie).ok()?, b"mvhd")?).ok()?;
    let mut cursor = Cursor::new(body);
    // Two times, of creation and change, come first.
    cursor.take(if version == 1 { 16 } else { 8 }).ok()?;
    let per_second = u64::from(u32::from_be_bytes(cursor.array().ok()?));
    let length = match version {
        1 => u64::from_be_bytes(cursor.array().ok()?),
        _ => u32::from_be_bytes(cursor.array().ok()?).into(),
    };
    (per_second > 0).then(|| length.div_ceil(per_second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::container::samples::boxed;

    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xda\x00\x03x\x12\x34\xff\xd9";

    fn mp4() -> Vec<u8> {
        [boxed(b"ftyp", &[b"mp42\0\0\0\0"]), boxed(b"moov", &[b"index"]), boxed(b"mdat", &[b"pictures"])].concat()
    }

    #[test]
    fn a_film_behind_a_jpeg_is_found_whatever_lies_between() {
        let film = mp4();
        for between in [&b""[..], b"\xff\xd8\xff a depth map ftyp and so on \xff\xd9", b"ftyp"] {
            for after in [&b""[..], b"SEFHe\0\0\0SEFT"] {
                let file = [JPEG, between, &film, after].concat();
                assert_eq!(super::film(&file, Format::Jpeg), Some(&[&film, after].concat()[..]));
            }
        }
    }

    #[test]
    fn what_is_no_film_is_none() {
        let cut = &mp4()[..mp4().len() - 3];
        for behind in [&b""[..], b"ftyp", b"\0\0\0\x10ftypmp42\0\0\0\0", cut] {
            assert_eq!(super::film(&[JPEG, behind].concat(), Format::Jpeg), None);
        }
        let bomb = b"\0\0\0\x08ftyp".repeat(10_000);
        assert_eq!(super::film(&[JPEG, &bomb].concat(), Format::Jpeg), None);
    }

    #[test]
    fn a_film_inside_a_heif_file_is_its_last_box() {
        let film = mp4();
        let file = [boxed(b"ftyp", &[b"heic\0\0\0\0"]), boxed(b"meta", &[b""]), boxed(b"mpvd", &[&film])].concat();
        assert_eq!(super::film(&file, Format::Heif), Some(&film[..]));
    }

    /// A film of so many seconds that names an identifier, or none.
    fn quicktime(seconds: u32, identifier: &str) -> Vec<u8> {
        let head = [[0; 4], [0; 4], [0; 4], 600u32.to_be_bytes(), (600 * seconds).to_be_bytes()].concat();
        let notes =
            if identifier.is_empty() { vec![] } else { [IDENTIFIER, b"\0\0\0 data", identifier.as_bytes()].concat() };
        let movie = boxed(b"moov", &[&boxed(b"mvhd", &[&head]), &boxed(b"meta", &[&notes])]);
        [boxed(b"ftyp", &[b"qt  \0\0\0\0"]), movie, boxed(b"mdat", &[b"pictures"])].concat()
    }

    #[test]
    fn a_film_belongs_to_the_photo_that_it_names_or_is_short() {
        let (one, other) = ("1D8F1E0C-7B0C-4A55-9C3C-3C9A5B7E0001", "1D8F1E0C-7B0C-4A55-9C3C-3C9A5B7E0002");
        let photo = [JPEG, one.as_bytes()].concat();
        assert_eq!(belongs(&photo, &quicktime(60, one)), Some(Film::QuickTime), "its word comes before its length");
        assert_eq!(belongs(&photo, &quicktime(2, other)), None, "another photo's");
        assert_eq!(belongs(&photo, &quicktime(10, "")), Some(Film::QuickTime));
        assert_eq!(belongs(&photo, &quicktime(11, "")), None, "too long to be taken by its name alone");
        assert_eq!(belongs(b"%PDF-1.7", &quicktime(2, "")), None);
        assert_eq!(belongs(&photo, &quicktime(2, "")[..40]), None);
        assert_eq!(belongs(&photo, &photo), None);
    }
}
