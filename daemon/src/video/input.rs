//! A video as it is piped into a tool: the file as it is, or with its index moved to its front.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::moov::{BoxHeader, move_chunks};
use super::{VideoFormat, limits};

/// Copies bytes from an offset on; how many, which is 0 only at the end. Blocking.
pub type ReadAt = Arc<dyn Fn(u64, &mut [u8]) -> io::Result<usize> + Send + Sync>;

/// Why a video cannot be piped.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The index is missing.
    #[error(
        "the video has no index: the recording was broken off or the file was cut off, copy it again from the camera"
    )]
    NoIndex,
    /// The structure contradicts itself.
    #[error("the video is damaged: the lengths in its index contradict each other")]
    Damaged,
    /// A kind of index that cannot be moved.
    #[error("the video has {0}, which cannot be read")]
    Unsupported(&'static str),
    /// The index is too large.
    #[error("the index of the video has {0} bytes; at most {max} can be read", max = limits::MAX_INDEX_BYTES)]
    IndexTooLarge(u64),
    /// The stored file cannot be read.
    #[error("the stored video cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Two errors are alike if they say the same.
impl PartialEq for InputError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// These bytes of the file.
    File(Range<u64>),
    /// The index in its new place.
    Index(Bytes),
}

/// A video that can be piped, as often as wished. Cheap to clone.
#[derive(Clone)]
pub struct Input {
    read: ReadAt,
    parts: Arc<[Part]>,
    format: VideoFormat,
}

impl Input {
    /// Finds out how the file must be piped: reads a few headers, and the index if it lies at the end. Blocking.
    ///
    /// # Errors
    /// [`InputError`] in words for the owner; trying again helps with [`InputError::Read`] only.
    pub fn open(read: ReadAt, size_bytes: u64, format: VideoFormat) -> Result<Self, InputError> {
        let parts = if format.has_boxes() { index_first(&read, size_bytes)? } else { vec![Part::File(0..size_bytes)] };
        Ok(Self { read, parts: parts.into(), format })
    }

    /// What it is.
    #[must_use]
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// The bytes in the order in which they are piped.
    #[must_use]
    pub fn pieces(&self) -> Pieces {
        Pieces { input: self.clone(), part: 0, done: 0 }
    }
}

/// Where an [`Input`] has got to.
pub struct Pieces {
    input: Input,
    part: usize,
    /// Bytes of the part that were given.
    done: u64,
}

impl Pieces {
    /// The next piece; empty at the end. Blocking.
    ///
    /// # Errors
    /// When the file cannot be read, or is shorter than it was.
    pub fn next(&mut self) -> io::Result<Bytes> {
        while let Some(part) = self.input.parts.get(self.part) {
            let piece = match part {
                Part::Index(bytes) => bytes.slice(usize::try_from(self.done).unwrap_or(bytes.len()).min(bytes.len())..),
                Part::File(range) => {
                    let left = range.end.saturating_sub(range.start).saturating_sub(self.done);
                    let mut piece = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(limits::PIECE_BYTES)];
                    if !piece.is_empty() {
                        let read = (self.input.read)(range.start.saturating_add(self.done), &mut piece)?;
                        if read == 0 {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                        piece.truncate(read);
                    }
                    Bytes::from(piece)
                }
            };
            if !piece.is_empty() {
                self.done += piece.len() as u64;
                return Ok(piece);
            }
            self.part += 1;
            self.done = 0;
        }
        Ok(Bytes::new())
    }
}

/// The parts of a file of boxes, such that its index (`moov`) comes before its media (`mdat`).
fn index_first(read: &ReadAt, size_bytes: u64) -> Result<Vec<Part>, InputError> {
    let mut at = 0;
    let mut media: Option<u64> = None;
    for _ in 0..limits::MAX_TOP_BOXES {
        let Some(header) = header_at(read, at, size_bytes)? else { return Err(InputError::NoIndex) };
        match (&header.kind, media) {
            (b"moov", None) => return Ok(vec![Part::File(0..size_bytes)]),
            (b"moov", Some(media)) => {
                let index = moved_index(read, at..at.saturating_add(header.bytes), media)?;
                return Ok(vec![
                    Part::File(0..media),
                    Part::Index(index),
                    Part::File(media..at),
                    Part::File(at.saturating_add(header.bytes)..size_bytes),
                ]);
            }
            (b"mdat", None) => media = Some(at),
            _ => {}
        }
        at = at.saturating_add(header.bytes);
    }
    Err(InputError::NoIndex)
}

/// The box at `at`, if one begins there that ends within the file.
fn header_at(read: &ReadAt, at: u64, size_bytes: u64) -> Result<Option<BoxHeader>, InputError> {
    let room = size_bytes.saturating_sub(at);
    let wanted = usize::try_from(room).unwrap_or(usize::MAX).min(BoxHeader::MAX_BYTES);
    let mut head = [0; BoxHeader::MAX_BYTES];
    let head = head.get_mut(..wanted).unwrap_or_default();
    read_exact(read, at, head)?;
    Ok(BoxHeader::read(head, room))
}

/// The index at `place`, changed for its new place at `media`: media between the two moves by the length of the index.
fn moved_index(read: &ReadAt, place: Range<u64>, media: u64) -> Result<Bytes, InputError> {
    let length = place.end.saturating_sub(place.start);
    let fits = usize::try_from(length).ok().filter(|_| length <= limits::MAX_INDEX_BYTES);
    let mut index = vec![0; fits.ok_or(InputError::IndexTooLarge(length))?];
    read_exact(read, place.start, &mut index)?;
    move_chunks(&mut index, &|chunk| if (media..place.start).contains(&chunk) { chunk + length } else { chunk })?;
    Ok(index.into())
}

fn read_exact(read: &ReadAt, mut at: u64, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        let count = read(at, out)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at = at.saturating_add(count as u64);
        out = out.get_mut(count..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::moov::tests::{boxed, index};
    use super::*;

    fn reader(file: Vec<u8>) -> ReadAt {
        Arc::new(move |at, out| {
            let rest = file.get(usize::try_from(at).unwrap()..).unwrap_or_default();
            // Short reads, as a chunked blob gives them.
            let count = rest.len().min(out.len()).min(1000);
            out[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })
    }

    fn piped(file: &[u8], format: VideoFormat) -> Result<Vec<u8>, InputError> {
        let mut pieces = Input::open(reader(file.to_vec()), file.len() as u64, format)?.pieces();
        let mut out = Vec::new();
        loop {
            let piece = pieces.next()?;
            if piece.is_empty() {
                return Ok(out);
            }
            out.extend_from_slice(&piece);
        }
    }

    #[test]
    fn an_index_at_the_end_comes_first_and_points_to_the_same_bytes() {
        let ftyp = boxed(b"ftyp", b"qt  \0\0\0\0");
        let media: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
        let mdat = boxed(b"mdat", &media);
        let first = (ftyp.len() + 8) as u64;
        let moov = index(b"co64", &[first, first + 4000]);
        let tail = boxed(b"free", b"tail");
        let piped = piped(&[&ftyp[..], &mdat, &moov, &tail].concat(), VideoFormat::Mov).unwrap();
        let shift = moov.len() as u64;
        let expected = [&ftyp[..], &index(b"co64", &[first + shift, first + shift + 4000]), &mdat, &tail].concat();
        assert_eq!(piped, expected);
        assert_eq!(piped[(first + shift + 4000) as usize], media[4000]);
    }

    #[test]
    fn an_index_in_front_and_other_containers_are_piped_as_they_are() {
        let file = [boxed(b"ftyp", b"isom"), index(b"stco", &[1]), boxed(b"mdat", &[7; 3000])].concat();
        assert_eq!(piped(&file, VideoFormat::Mp4).unwrap(), file);
        let any = vec![9; 700_000];
        assert_eq!(piped(&any, VideoFormat::Matroska).unwrap(), any);
        assert!(piped(&[], VideoFormat::Avi).unwrap().is_empty());
    }

    #[test]
    fn a_file_without_an_index_says_so() {
        let cut = [boxed(b"ftyp", b"isom"), boxed(b"mdat", &[7; 3000])].concat();
        assert_eq!(piped(&cut, VideoFormat::Mp4).unwrap_err(), InputError::NoIndex);
        assert_eq!(piped(&cut[..200], VideoFormat::Mp4).unwrap_err(), InputError::NoIndex);
        assert_eq!(piped(&[], VideoFormat::Mp4).unwrap_err(), InputError::NoIndex);
    }

    #[test]
    fn d8_damaged_videos_are_piped_or_refused_and_no_more_comes_out_than_is_in_them() {
        let media: Vec<u8> = vec![9; 900];
        let file = [boxed(b"ftyp", b"isom"), boxed(b"mdat", &media), index(b"co64", &[20, 420])].concat();
        let also = [boxed(b"ftyp", b"isom"), boxed(b"mdat", &media), index(b"stco", &[20, 420, 700])].concat();
        for file in [file, also] {
            crate::sandbox::container::fuzz::fuzz("MP4", &file, |file| {
                if let Ok(piped) = piped(file, VideoFormat::Mp4) {
                    assert!(piped.len() <= 2 * file.len());
                }
                std::hint::black_box(VideoFormat::sniff(file));
            });
        }
    }

    #[test]
    fn d7_a_huge_index_is_refused_before_it_is_read() {
        let length = limits::MAX_INDEX_BYTES + 9;
        let read: ReadAt = Arc::new(move |at, out| {
            let moov = [&u32::try_from(length).unwrap().to_be_bytes()[..], b"moov"].concat();
            // A header may have 16 bytes.
            let file = [boxed(b"mdat", b""), moov, vec![0; 8]].concat();
            assert!(at < 24, "nothing of the index is read");
            let count = out.len().min(8);
            out[..count].copy_from_slice(&file[at as usize..at as usize + count]);
            Ok(count)
        });
        let error = Input::open(read, length + 8, VideoFormat::Mov).err().unwrap();
        assert_eq!(error, InputError::IndexTooLarge(length));
    }
}
