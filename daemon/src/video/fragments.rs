//! A fragmented MP4 file as the tool writes it into a pipe, made ready for jumping about in it.
//!
//! What comes through a pipe cannot have its index in front, as that is known only at the end. So the fragments are stored as they come, and behind
//! them the *head*: the film's description with its length, and a list of the fragments' places (`sidx`, ISO 14496-12, 8.16.3). Whoever reads the
//! file gets the head first: [`super::CopyFile`] puts it there.

use std::io;

use super::VideoError;
use super::limits;
use super::moov::BoxHeader;

/// Takes the tool's output piece by piece and writes the stored form to `out`.
pub(super) struct Fragments<W> {
    out: W,
    /// What came and is not yet dealt with.
    pending: Vec<u8>,
    /// Bytes of media that go straight through, or of a box that is left out.
    through: u64,
    leave_out: bool,
    /// `ftyp` and `moov`.
    first: Vec<u8>,
    moov_at: Option<usize>,
    track: Track,
    fragments: Vec<Fragment>,
}

/// The film's track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Track {
    id: u32,
    /// Ticks a second.
    timescale: u32,
}

/// One reference of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fragment {
    bytes: u64,
    /// In the track's ticks.
    duration: u64,
}

fn nonsense() -> VideoError {
    VideoError::Crashed("it wrote no film but something else".into())
}

impl<W: io::Write> Fragments<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            pending: Vec::new(),
            through: 0,
            leave_out: false,
            first: Vec::new(),
            moov_at: None,
            track: Track::default(),
            fragments: Vec::new(),
        }
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), VideoError> {
        self.pending.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(step) = self.step(at)? {
            at += step;
        }
        self.pending.drain(..at);
        Ok(())
    }

    /// Deals with what stands at `at` of the pending bytes, if it is whole; how many bytes that were.
    fn step(&mut self, at: usize) -> Result<Option<usize>, VideoError> {
        let rest = self.pending.get(at..).unwrap_or_default();
        if self.through > 0 {
            let count = rest.len().min(usize::try_from(self.through).unwrap_or(usize::MAX));
            if count == 0 {
                return Ok(None);
            }
            if !self.leave_out {
                self.out.write_all(rest.get(..count).unwrap_or_default()).map_err(VideoError::Read)?;
            }
            self.through -= count as u64;
            return Ok(Some(count));
        }
        if rest.len() < BoxHeader::MAX_BYTES {
            return Ok(None);
        }
        let header = BoxHeader::read(rest, limits::MAX_COPY_BYTES).ok_or_else(nonsense)?;
        match &header.kind {
            b"mdat" => {
                self.fragments.last_mut().ok_or_else(nonsense)?.bytes += header.bytes;
                (self.through, self.leave_out) = (header.bytes, false);
                Ok(Some(0))
            }
            b"ftyp" | b"moov" | b"moof" => {
                if header.bytes > limits::MAX_FRAGMENT_HEAD_BYTES {
                    return Err(nonsense());
                }
                let size = usize::try_from(header.bytes).map_err(|_| nonsense())?;
                let Some(whole) = rest.get(..size) else { return Ok(None) };
                let whole = whole.to_vec();
                self.keep(header.kind, &whole)?;
                Ok(Some(size))
            }
            _ => {
                (self.through, self.leave_out) = (header.bytes, true);
                Ok(Some(0))
            }
        }
    }

    fn keep(&mut self, kind: [u8; 4], whole: &[u8]) -> Result<(), VideoError> {
        if &kind != b"moof" {
            if &kind == b"moov" {
                self.track = film_track(whole).ok_or_else(nonsense)?;
                self.moov_at = Some(self.first.len());
            }
            self.first.extend_from_slice(whole);
            return Ok(());
        }
        self.out.write_all(whole).map_err(VideoError::Read)?;
        let duration = fragment_duration(whole, self.track.id);
        let is_full = self.fragments.len() == limits::MAX_FRAGMENTS;
        match (duration, self.fragments.last_mut()) {
            // Sound alone, or one too many for the list: part of the one before.
            (None, Some(last)) => last.bytes += whole.len() as u64,
            (Some(more), Some(last)) if is_full => {
                last.bytes += whole.len() as u64;
                last.duration += more;
            }
            _ => self.fragments.push(Fragment { bytes: whole.len() as u64, duration: duration.unwrap_or(0) }),
        }
        Ok(())
    }

    /// Milliseconds of film in the fragments so far.
    pub(super) fn done_ms(&self) -> u64 {
        let ticks: u64 = self.fragments.iter().map(|fragment| fragment.duration).sum();
        ticks.saturating_mul(1000) / u64::from(self.track.timescale.max(1))
    }

    /// Writes the head behind the fragments; gives the writer back.
    pub(super) fn finish(mut self) -> Result<W, VideoError> {
        if !self.pending.is_empty() || self.through > 0 || self.fragments.is_empty() {
            return Err(VideoError::Crashed("it stopped before the end of the film".into()));
        }
        let (first, moov) = self.first.split_at(self.moov_at.ok_or_else(nonsense)?);
        let duration = self.fragments.iter().map(|fragment| fragment.duration).sum();
        let moov = with_duration(moov, duration, self.track.timescale).ok_or_else(nonsense)?;
        let list = list(&self.fragments, self.track).ok_or_else(nonsense)?;
        let head = [first, &moov, &list].concat();
        self.out.write_all(&head).map_err(VideoError::Read)?;
        self.out.write_all(&(head.len() as u64).to_be_bytes()).map_err(VideoError::Read)?;
        Ok(self.out)
    }
}

/// Boxes in `bytes`: kind and body.
fn children(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let header = BoxHeader::read(bytes, bytes.len() as u64)?;
        let (this, rest) = bytes.split_at_checked(usize::try_from(header.bytes).ok()?)?;
        bytes = rest;
        Some((header.kind, this.get(usize::try_from(header.header_bytes).ok()?..)?))
    })
}

fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    children(bytes).find(|(this, _)| this == kind).map(|(_, body)| body)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The body of a `moov` box.
fn body_of(whole: &[u8]) -> Option<&[u8]> {
    children(whole).next().map(|(_, body)| body)
}

fn film_track(moov: &[u8]) -> Option<Track> {
    children(body_of(moov)?).filter(|(kind, _)| kind == b"trak").find_map(|(_, trak)| {
        let media = child(trak, b"mdia")?;
        if child(media, b"hdlr")?.get(8..12)? != b"vide" {
            return None;
        }
        // Version 1 has times of eight bytes.
        let of_version = |body: &[u8], short, long| number(body, if body.first() == Some(&1) { long } else { short });
        let id = of_version(child(trak, b"tkhd")?, 12, 20)?;
        let timescale = of_version(child(media, b"mdhd")?, 12, 20).filter(|scale| *scale > 0)?;
        Some(Track { id, timescale })
    })
}

/// Ticks that the track has in a `moof` box; `None` if it has no part in it.
fn fragment_duration(moof: &[u8], track: u32) -> Option<u64> {
    let mut sum = None;
    for (_, traf) in children(body_of(moof)?).filter(|(kind, _)| kind == b"traf") {
        let head = child(traf, b"tfhd")?;
        if number(head, 4)? != track {
            continue;
        }
        let flags = number(head, 0)? & 0x00ff_ffff;
        // Optional fields before the default duration: base offset, index of the description.
        let skipped = usize::from(flags & 0x1 != 0) * 8 + usize::from(flags & 0x2 != 0) * 4;
        let default = if flags & 0x8 != 0 { number(head, 8 + skipped)? } else { 0 };
        for (_, run) in children(traf).filter(|(kind, _)| kind == b"trun") {
            *sum.get_or_insert(0) += run_duration(run, default)?;
        }
    }
    sum
}

fn run_duration(run: &[u8], default: u32) -> Option<u64> {
    let flags = number(run, 0)? & 0x00ff_ffff;
    let count = number(run, 4)?;
    if flags & 0x100 == 0 {
        return Some(u64::from(count) * u64::from(default));
    }
    let first = 8 + usize::from(flags & 0x1 != 0) * 4 + usize::from(flags & 0x4 != 0) * 4;
    let width = 4 * [0x100, 0x200, 0x400, 0x800].into_iter().filter(|flag| flags & flag != 0).count();
    let samples = run.get(first..)?.chunks_exact(width);
    let durations = samples.take(count as usize).map(|sample| number(sample, 0).map(u64::from));
    durations.sum()
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Option<Vec<u8>> {
    let size = u32::try_from(body.len().checked_add(8)?).ok()?;
    Some([&size.to_be_bytes(), &kind[..], body].concat())
}

/// The `moov` box with a statement of the whole length (`mehd`) in its `mvex` box.
fn with_duration(moov: &[u8], duration: u64, timescale: u32) -> Option<Vec<u8>> {
    let body = body_of(moov)?;
    let header = child(body, b"mvhd")?;
    let movie_timescale = number(header, if header.first() == Some(&1) { 20 } else { 12 })?;
    let in_movie = u128::from(duration) * u128::from(movie_timescale) / u128::from(timescale.max(1));
    let length = [&[1, 0, 0, 0][..], &u64::try_from(in_movie).ok()?.to_be_bytes()].concat();
    let mut new_body = Vec::with_capacity(moov.len() + 32);
    for (kind, child) in children(body) {
        let extended = if &kind == b"mvex" { [&boxed(b"mehd", &length)?, child].concat() } else { child.to_vec() };
        new_body.extend(boxed(&kind, &extended)?);
    }
    boxed(b"moov", &new_body)
}

/// The list of fragments.
fn list(fragments: &[Fragment], track: Track) -> Option<Vec<u8>> {
    let mut body = vec![1, 0, 0, 0];
    body.extend(track.id.to_be_bytes());
    body.extend(track.timescale.to_be_bytes());
    // Earliest time, and the distance from here to the first fragment: none.
    body.extend([0; 16]);
    body.extend([0; 2]);
    body.extend(u16::try_from(fragments.len()).ok()?.to_be_bytes());
    for fragment in fragments {
        // The highest bit says that it is media and not another list.
        body.extend(u32::try_from(fragment.bytes).ok().filter(|bytes| bytes >> 31 == 0)?.to_be_bytes());
        body.extend(u32::try_from(fragment.duration).ok()?.to_be_bytes());
        // Begins with a frame that needs no other.
        body.extend(0x9000_0000_u32.to_be_bytes());
    }
    boxed(b"sidx", &body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn full(kind: &[u8; 4], flags: u32, numbers: &[u32]) -> Vec<u8> {
        let mut body = flags.to_be_bytes().to_vec();
        numbers.iter().for_each(|number| body.extend(number.to_be_bytes()));
        boxed(kind, &body).unwrap()
    }

    fn film() -> Vec<u8> {
        let hdlr = boxed(b"hdlr", b"\0\0\0\0\0\0\0\0vide\0\0").unwrap();
        let mdia = boxed(b"mdia", &[full(b"mdhd", 0, &[0, 0, 12_800, 0]), hdlr].concat()).unwrap();
        let trak = boxed(b"trak", &[full(b"tkhd", 7, &[0, 0, 1, 0, 0]), mdia].concat()).unwrap();
        let mvex = boxed(b"mvex", &full(b"trex", 0, &[1, 1, 0, 0, 0])).unwrap();
        let mvhd = full(b"mvhd", 0, &[0, 0, 1000, 0]);
        [boxed(b"ftyp", b"isom").unwrap(), boxed(b"moov", &[mvhd, trak, mvex].concat()).unwrap()].concat()
    }

    fn fragment(track: u32, media: &[u8]) -> Vec<u8> {
        let tfhd = full(b"tfhd", 0x8, &[track, 512]);
        let runs = [full(b"trun", 0, &[20]), full(b"trun", 0x301, &[2, 99, 100, 7, 28, 7])].concat();
        let traf = boxed(b"traf", &[tfhd, runs].concat()).unwrap();
        [boxed(b"moof", &traf).unwrap(), boxed(b"mdat", media).unwrap()].concat()
    }

    fn stored(output: &[u8], piece: usize) -> Result<Vec<u8>, VideoError> {
        let mut fragments = Fragments::new(Vec::new());
        for piece in output.chunks(piece) {
            fragments.feed(piece)?;
        }
        fragments.finish()
    }

    #[test]
    fn the_head_names_length_and_places_whatever_the_pieces() {
        let media = [fragment(1, &[1; 500]), fragment(2, &[2; 30]), fragment(1, &[3; 9])];
        let output =
            [film(), boxed(b"sidx", &[0; 40]).unwrap(), media.concat(), boxed(b"mfra", &[0; 50]).unwrap()].concat();
        let whole = stored(&output, output.len()).unwrap();
        for piece in [1, 7, 100] {
            assert_eq!(stored(&output, piece).unwrap(), whole, "pieces of {piece} bytes");
        }
        let media = media.concat();
        let (body, head) = whole.split_at(media.len());
        assert_eq!(body, media);
        let (head, length) = head.split_at(head.len() - 8);
        assert_eq!(length, (head.len() as u64).to_be_bytes());
        let moov = child(head, b"moov").unwrap();
        let mehd = child(child(moov, b"mvex").unwrap(), b"mehd").unwrap();
        // Twice 20 times 512 and 128 ticks of 12,800 a second, in milliseconds.
        assert_eq!(mehd, [&[1, 0, 0, 0][..], &1620u64.to_be_bytes()].concat());
        let sidx = child(head, b"sidx").unwrap();
        let first = fragment(1, &[1; 500]).len() + fragment(2, &[2; 30]).len();
        // Behind version, track, time scale, earliest time and distance.
        let numbers: Vec<u32> = (28..sidx.len()).step_by(4).map(|at| number(sidx, at).unwrap()).collect();
        let last = fragment(1, &[3; 9]).len() as u32;
        assert_eq!(numbers, [2, first as u32, 10_368, 0x9000_0000, last, 10_368, 0x9000_0000]);
    }

    #[test]
    fn a_film_that_stops_early_is_no_film() {
        let output = [film(), fragment(1, &[1; 500])].concat();
        assert!(stored(&output, 64).is_ok());
        for end in [0, 10, film().len(), output.len() - 1] {
            assert!(stored(&output[..end], 64).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn d8_any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 1..300), at in any::<usize>()) {
            let _ = stored(&bytes, 50);
            let mut spoilt = [film(), fragment(1, &[1; 50])].concat();
            let at = at % spoilt.len();
            spoilt[at] ^= bytes[0];
            let _ = stored(&spoilt, 50);
        }
    }
}
