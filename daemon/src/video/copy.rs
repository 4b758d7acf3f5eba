//! Copies of a video: one that every browser plays, and the bytes that may leave.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::fragments::Fragments;
use super::frames::sized;
use super::tool::{BOUNDED, Tool};
use super::{Input, Playing, ReadAt, Tools, VideoError, VideoFacts, VideoFormat, limits};
use crate::sandbox::{Details, Place};

/// What a copy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To be played here: pictures made anew in 1080p at most unless they only need another container.
    Playable,
    /// To be sent: the same pictures and sound and nothing else but these details; pictures made anew only where an MP4 file cannot hold them.
    Rendition(Details),
}

/// Arguments that write details anew, from what was understood of them.
fn told(facts: &VideoFacts, details: Details) -> Vec<String> {
    let taken_at = facts.taken_at.filter(|_| details.time).map(|taken| taken.unix_ms(0));
    let taken_at = taken_at.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let place = facts.place.filter(|_| details.place);
    let camera = facts.camera.as_deref().filter(|_| details.camera);
    let said = [
        taken_at.map(|at| format!("creation_time={}", at.strftime("%Y-%m-%dT%H:%M:%SZ"))),
        place.map(|Place { north, east }| format!("location={north:+08.4}{east:+09.4}/")),
        camera.map(|camera| format!("model={camera}")),
    ];
    said.into_iter().flatten().flat_map(|said| ["-metadata".to_owned(), said]).collect()
}

/// Codings of pictures that MP4 files hold.
const IN_MP4: [&str; 6] = ["h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video"];

/// A filter that takes remarks of encoder and camera out of coded pictures (SEI: ITU-T H.264 annex D, H.265 annex D).
fn without_remarks(codec: &str) -> &'static str {
    match codec {
        "h264" => "filter_units=remove_types=6",
        "hevc" => "filter_units=remove_types=39|40",
        _ => "null",
    }
}

impl Tools {
    /// Writes a copy as fragmented MP4 to `out`, in the form that [`CopyFile`] reads, and gives `out` back. `progress` hears how many milliseconds
    /// are done; the work waits until it comes back, which does not count as time that it takes.
    ///
    /// # Errors
    /// See [`VideoError`]; what was written is then worth nothing.
    pub async fn copy<W: io::Write + Send + 'static, F: Future<Output = ()>>(
        &self,
        input: &Input,
        wanted: Wanted,
        facts: &VideoFacts,
        out: W,
        progress: impl Fn(u64) -> F,
    ) -> Result<W, VideoError> {
        let length = (limits::MAX_DURATION_MS / 1000).to_string();
        let small = sized(limits::COPY_PX);
        let mut arguments = BOUNDED.to_vec();
        arguments.extend([
            "-protocol_whitelist",
            "pipe",
            "-fflags",
            "+genpts",
            "-f",
            input.format().demuxer(),
            "-i",
            "pipe:0",
        ]);
        arguments.extend(["-map", "0:V:0", "-map", "0:a:0?", "-sn", "-dn", "-t", &length]);
        // Everything that is neither picture nor sound stays behind, also in streams and chapters, and the writer signs with no name or time.
        arguments.extend(["-map_metadata", "-1", "-map_metadata:s", "-1", "-map_chapters", "-1"]);
        arguments.extend(["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"]);
        let is_kept = match wanted {
            Wanted::Playable => facts.playing != Playing::Convert,
            // Frames in AVI files have no times of their own, without which they cannot be put elsewhere.
            Wanted::Rendition(_) => IN_MP4.contains(&facts.codec.as_str()) && input.format() != VideoFormat::Avi,
        };
        if is_kept {
            arguments.extend(["-c:v", "copy", "-bsf:v", without_remarks(&facts.codec)]);
        } else {
            arguments.extend(["-threads", limits::TOOL_THREADS, "-c:v", "libx264", "-preset", "veryfast"]);
            arguments.extend(["-pix_fmt", "yuv420p", "-force_key_frames", "expr:gte(t,n_forced*2)"]);
            match wanted {
                Wanted::Playable => arguments.extend(["-crf", "23", "-fpsmax", "60", "-vf", &small]),
                Wanted::Rendition(_) => arguments.extend(["-crf", "18", "-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2"]),
            }
        }
        if facts.has_aac {
            // MPEG streams carry AAC with a header a packet, which MP4 files do not have; elsewhere the filter changes nothing.
            arguments.extend(["-c:a", "copy", "-bsf:a", "aac_adtstoasc"]);
        } else {
            arguments.extend(["-c:a", "aac", "-b:a", "160k", "-ac", "2"]);
        }
        let details = if let Wanted::Rendition(details) = wanted { details } else { Details::default() };
        let told = told(facts, details);
        arguments.extend(told.iter().map(String::as_str));
        // The model of a camera has a place only among tags of free choice.
        let free = if details.camera { "+use_metadata_tags" } else { "" };
        let flags = format!("+frag_keyframe+empty_moov+default_base_moof{free}");
        arguments.extend(["-movflags", &flags, "-f", "mp4", "pipe:1"]);
        let mut run = self.start(Tool::Ffmpeg, &arguments, input)?;
        let mut fragments = Fragments::new(out);
        let mut taken = Duration::ZERO;
        loop {
            let begun = Instant::now();
            let mut piece = Vec::with_capacity(limits::PIECE_BYTES);
            let read = timeout(limits::STALL_TIMEOUT, run.stdout.read_buf(&mut piece));
            if read.await.map_err(|_| VideoError::TimedOut)?.map_err(VideoError::Read)? == 0 {
                break;
            }
            let fed = tokio::task::spawn_blocking(move || {
                let fed = fragments.feed(&piece);
                (fragments, fed)
            });
            let (back, fed) = fed.await.map_err(|_| VideoError::Unavailable("the copy was broken off".into()))?;
            fragments = back;
            fed?;
            taken += begun.elapsed();
            if taken > limits::WHOLE_TIMEOUT {
                return Err(VideoError::TimedOut);
            }
            progress(fragments.done_ms()).await;
        }
        run.finish().await?;
        let finished = tokio::task::spawn_blocking(move || fragments.finish()).await;
        finished.map_err(|_| VideoError::Unavailable("the copy was broken off".into()))?
    }
}

/// A copy as it is read: its head, then its fragments.
#[derive(Clone)]
pub struct CopyFile {
    read: ReadAt,
    head_bytes: u64,
    body_bytes: u64,
}

impl CopyFile {
    /// Opens a copy of `stored_bytes` bytes that [`Tools::copy`] wrote. Blocking.
    ///
    /// # Errors
    /// When it cannot be read or is no copy.
    pub fn open(read: ReadAt, stored_bytes: u64) -> io::Result<Self> {
        let mut length = [0; 8];
        let end = stored_bytes.checked_sub(8).ok_or(io::ErrorKind::InvalidData)?;
        let mut have = 0;
        while let Some(rest) = length.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match read(end + have as u64, rest)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => have += count,
            }
        }
        let head_bytes = u64::from_be_bytes(length);
        let body_bytes = end.checked_sub(head_bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { read, head_bytes, body_bytes })
    }

    /// Bytes of the file.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.head_bytes.saturating_add(self.body_bytes)
    }

    /// Copies bytes from `offset` on into `out`; how many, which is 0 only at the end. Blocking.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let (at, room) = match offset.checked_sub(self.head_bytes) {
            None => (self.body_bytes.saturating_add(offset), self.head_bytes - offset),
            Some(in_body) => (in_body, self.body_bytes.saturating_sub(in_body)),
        };
        let count = usize::try_from(room).unwrap_or(usize::MAX).min(out.len());
        if count == 0 { Ok(0) } else { (self.read)(at, out.get_mut(..count).unwrap_or_default()) }
    }

    /// Up to `most` bytes from `offset` on. Blocking.
    ///
    /// # Errors
    /// As [`CopyFile::read_at`].
    pub fn piece(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        let mut bytes = vec![0; most];
        let count = self.read_at(offset, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::sandbox::CaptureTime;

    #[test]
    fn d4_details_are_written_anew_only_if_they_are_wanted() {
        let facts = VideoFacts {
            duration_ms: 1000,
            width: 16,
            height: 16,
            taken_at: Some(CaptureTime { wall_ms: 1_623_053_350_000, offset_min: Some(120) }),
            camera: Some("Fairphone FP4".into()),
            has_location: true,
            place: Place::of(48.137_154, -1.5),
            codec: "h264".into(),
            has_aac: true,
            playing: Playing::Original,
        };
        let told = |time, place, camera| told(&facts, Details { time, place, camera }).join(" ");
        assert_eq!(told(false, false, false), "");
        assert_eq!(told(true, false, false), "-metadata creation_time=2021-06-07T06:09:10Z");
        assert_eq!(told(false, true, false), "-metadata location=+48.1372-001.5000/");
        assert_eq!(told(false, false, true), "-metadata model=Fairphone FP4");
    }

    fn file(stored: Vec<u8>) -> io::Result<CopyFile> {
        let size = stored.len() as u64;
        let read: ReadAt = Arc::new(move |at, out| {
            let rest = stored.get(at as usize..).unwrap_or_default();
            let count = rest.len().min(out.len()).min(3);
            out[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        });
        CopyFile::open(read, size)
    }

    #[test]
    fn the_head_is_read_first_from_any_place() {
        let stored = [&b"fragments"[..], b"head", &4u64.to_be_bytes()].concat();
        let file = file(stored).unwrap();
        assert_eq!(file.size_bytes(), 13);
        for start in 0..=13 {
            let (mut at, mut out) = (start, Vec::new());
            loop {
                let piece = file.piece(at, 5).unwrap();
                if piece.is_empty() {
                    break;
                }
                at += piece.len() as u64;
                out.extend_from_slice(&piece);
            }
            assert_eq!(out, b"headfragments"[start as usize..], "from {start}");
        }
        assert!(file.piece(99, 5).unwrap().is_empty());
    }

    #[test]
    fn a_length_that_cannot_be_is_an_error() {
        assert!(file(b"short".to_vec()).is_err());
        assert!(file([&b"x"[..], &9u64.to_be_bytes()].concat()).is_err());
    }
}
