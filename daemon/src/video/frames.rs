//! Single frames of a video with their times, as JPEGs.
//!
//! The tool writes them as a Matroska stream, in which each frame carries its time; of that format this reads the few elements that the tool writes
//! (RFC 9559). The JPEGs themselves are decoded in the sandbox only.

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::tool::{BOUNDED, Run, Tool};
use super::{Input, Tools, VideoError, limits};

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Milliseconds from the start.
    pub at_ms: u64,
    /// The picture, upright.
    pub jpeg: Bytes,
}

/// Frames as they come. Dropping it ends the tool.
pub struct Frames {
    run: Run,
    cluster_ms: u64,
}

impl Tools {
    /// A frame that says something of the video, from its beginning. The one that takes most bytes as a JPEG of fixed quality is the one with
    /// most to see: neither black nor blurred.
    ///
    /// # Errors
    /// `Refused` if there is none; see [`VideoError`] for the rest.
    pub async fn poster(&self, input: &Input, duration_ms: u64) -> Result<Frame, VideoError> {
        let step_ms = (duration_ms / (limits::POSTER_FRAMES as u64 + 1)).clamp(1, limits::POSTER_STEP_MS);
        let filter = format!(
            "select='isnan(prev_selected_t)+gte(t-prev_selected_t,{}e-3)',{}",
            step_ms,
            as_jpeg(limits::POSTER_PX)
        );
        let count = limits::POSTER_FRAMES.to_string();
        let mut frames = self.frames_of(input, &[], &filter, &["-frames:v", &count])?;
        let choose = async {
            let mut best: Option<Frame> = None;
            while let Some(frame) = frames.next().await? {
                if best.as_ref().is_none_or(|best| frame.jpeg.len() > best.jpeg.len()) {
                    best = Some(frame);
                }
            }
            if best.is_none() {
                frames.finish().await?;
            }
            best.ok_or_else(|| VideoError::Refused("no picture in it can be decoded".into()))
        };
        timeout(limits::LOOK_TIMEOUT, choose).await.map_err(|_| VideoError::TimedOut)?
    }

    /// The frame at a time.
    ///
    /// # Errors
    /// `Refused` if there is none; see [`VideoError`] for the rest.
    pub async fn frame_at(&self, input: &Input, at_ms: u64) -> Result<Frame, VideoError> {
        // The index of boxes lets the tool jump forward in a pipe; other readers would look for theirs at the end and find nothing more.
        if input.format().has_boxes()
            && let Some(frame) = self.frame_after(input, at_ms, true).await?
            // The tool cannot jump back behind what it has read to know the video, and would give the next frame that it comes to.
            && frame.at_ms < limits::FRAME_STEP_MS / 2
        {
            return Ok(Frame { at_ms, ..frame });
        }
        let frame = self.frame_after(input, at_ms, false).await?;
        let frame = frame.ok_or_else(|| VideoError::Refused("it has no picture at that time".into()))?;
        Ok(Frame { at_ms, ..frame })
    }

    /// The first frame from a time on, its own time counted from there; by a jump, or by reading all before it.
    async fn frame_after(&self, input: &Input, at_ms: u64, by_jump: bool) -> Result<Option<Frame>, VideoError> {
        let seconds = format!("{}.{:03}", at_ms / 1000, at_ms % 1000);
        let seek = ["-ss", seconds.as_str()];
        let (before, after): (&[&str], &[&str]) = if by_jump { (&seek, &[]) } else { (&[], &seek) };
        let after = [after, &["-frames:v", "1"]].concat();
        let mut frames = self.frames_of(input, before, &as_jpeg(limits::FRAME_PX), &after)?;
        let first = timeout(limits::LOOK_TIMEOUT, frames.next()).await.map_err(|_| VideoError::TimedOut)??;
        if first.is_none() && !by_jump {
            frames.finish().await?;
        }
        Ok(first)
    }

    /// Frames throughout the video in which faces may be looked for: one a second at most (more seldom in long videos), and where the scene changes.
    ///
    /// # Errors
    /// When the tools are not there or cannot be started.
    pub fn frames(&self, input: &Input, duration_ms: u64) -> Result<Frames, VideoError> {
        let step_ms = duration_ms.min(limits::MAX_DURATION_MS).div_ceil(limits::MAX_FRAMES).max(limits::FRAME_STEP_MS);
        let filter = format!(
            "select='isnan(prev_selected_t)+gte(t-prev_selected_t,{step_ms}e-3)+gt(scene,0.3)*gte(t-prev_selected_t,{}e-3)',{}",
            limits::SCENE_STEP_MS,
            as_jpeg(limits::FRAME_PX)
        );
        // Half of the frames may be changes of scene on top.
        let count = (limits::MAX_FRAMES * 3 / 2).to_string();
        let length = (limits::MAX_DURATION_MS / 1000).to_string();
        self.frames_of(input, &[], &filter, &["-frames:v", &count, "-t", &length])
    }

    fn frames_of(&self, input: &Input, before: &[&str], filter: &str, after: &[&str]) -> Result<Frames, VideoError> {
        let mut arguments = BOUNDED.to_vec();
        arguments.extend(["-protocol_whitelist", "pipe", "-f", input.format().demuxer()]);
        arguments.extend(before);
        arguments.extend([
            "-i",
            "pipe:0",
            "-map",
            "0:V:0",
            "-map_metadata",
            "-1",
            "-map_chapters",
            "-1",
            "-vf",
            filter,
        ]);
        arguments.extend(["-fps_mode", "passthrough", "-c:v", "mjpeg", "-q:v", "2"]);
        arguments.extend(after);
        arguments.extend(["-f", "matroska", "pipe:1"]);
        Ok(Frames { run: self.start(Tool::Ffmpeg, &arguments, input)?, cluster_ms: 0 })
    }
}

/// A filter that makes pixels square and the long side `px` at most.
pub(super) fn sized(px: u32) -> String {
    format!(
        "scale=w='max(2,trunc(iw*sar/2)*2)':h=ih,setsar=1,\
         scale=w='min({px},iw)':h='min({px},ih)':force_original_aspect_ratio=decrease:force_divisible_by=2"
    )
}

/// [`sized`], in the colours of a JPEG.
fn as_jpeg(px: u32) -> String {
    sized(px) + ",format=yuvj420p"
}

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const SIMPLE_BLOCK: u32 = 0xa3;
/// Length of an element that ends where the next of its level begins.
const UNKNOWN: u64 = u64::MAX;

impl Frames {
    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// As for [`Tools::frames`], and what became of the tool. Frames of a damaged video may come before that.
    pub async fn next(&mut self) -> Result<Option<Frame>, VideoError> {
        let step = read_frame(&mut self.run.stdout, &mut self.cluster_ms);
        timeout(limits::STALL_TIMEOUT, step).await.map_err(|_| VideoError::TimedOut)?
    }

    /// Waits for the tool's end, after the last frame.
    ///
    /// # Errors
    /// What the tool complains of.
    pub async fn finish(self) -> Result<(), VideoError> {
        self.run.finish().await
    }
}

/// Reads up to the next frame of the only track. A stream that is cut ends there: what became of the tool is asked afterwards.
async fn read_frame(stream: &mut (impl AsyncRead + Unpin), cluster_ms: &mut u64) -> Result<Option<Frame>, VideoError> {
    let nonsense = || VideoError::Crashed("it gave no frames but something else".into());
    loop {
        let (Some(id), Some(size)) = (number(stream, true).await?, number(stream, false).await?) else {
            return Ok(None);
        };
        match u32::try_from(id).map_err(|_| nonsense())? {
            SEGMENT | CLUSTER | BLOCK_GROUP => {}
            _ if size == UNKNOWN => return Err(nonsense()),
            TIMESTAMP if size <= 8 => {
                let mut bytes = [0; 8];
                // At most eight, so it fits.
                let at = 8 - size as usize;
                if stream.read_exact(bytes.get_mut(at..).unwrap_or_default()).await.is_err() {
                    return Ok(None);
                }
                *cluster_ms = u64::from_be_bytes(bytes);
            }
            SIMPLE_BLOCK | BLOCK => {
                if !(4..=limits::MAX_FRAME_BYTES).contains(&size) {
                    return Err(nonsense());
                }
                let mut block = vec![0; usize::try_from(size).map_err(|_| nonsense())?];
                if stream.read_exact(&mut block).await.is_err() {
                    return Ok(None);
                }
                // Track number of one byte, time from the cluster's, flags.
                let mut block = Bytes::from(block);
                let head = block.split_to(4);
                let [_, high, low, _] = head[..] else { return Err(nonsense()) };
                let at_ms = cluster_ms.saturating_add_signed(i16::from_be_bytes([high, low]).into());
                return Ok(Some(Frame { at_ms, jpeg: block }));
            }
            _ => {
                let skipped = tokio::io::copy(&mut (&mut *stream).take(size), &mut tokio::io::sink()).await;
                if skipped.map_err(VideoError::Read)? < size {
                    return Ok(None);
                }
            }
        }
    }
}

/// A number of 1 to 8 bytes whose first bit that is set says how many; `None` at the end. An id keeps that bit.
async fn number(stream: &mut (impl AsyncRead + Unpin), keep_mark: bool) -> Result<Option<u64>, VideoError> {
    let Ok(first) = stream.read_u8().await else { return Ok(None) };
    let more = first.leading_zeros();
    if more > 7 {
        return Err(VideoError::Crashed("it gave no frames but something else".into()));
    }
    let mark = 0x80 >> more;
    let mut number = u64::from(if keep_mark { first } else { first ^ mark });
    let mut is_all_ones = first | (mark - 1) == first;
    for _ in 0..more {
        let Ok(byte) = stream.read_u8().await else { return Ok(None) };
        is_all_ones &= byte == 0xff;
        number = number << 8 | u64::from(byte);
    }
    Ok(Some(if is_all_ones && !keep_mark { UNKNOWN } else { number }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn read_all(bytes: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, VideoError> {
        let (mut stream, mut cluster_ms, mut frames) = (bytes, 0, Vec::new());
        while let Some(frame) = read_frame(&mut stream, &mut cluster_ms).await? {
            frames.push((frame.at_ms, frame.jpeg.to_vec()));
        }
        Ok(frames)
    }

    fn stream() -> Vec<u8> {
        let mut out = b"\x1a\x45\xdf\xa3\x83abc\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff".to_vec();
        out.extend(b"\x1f\x43\xb6\x75\xff\xe7\x82\x03\xe8");
        out.extend(b"\xa3\x87\x81\x00\x00\x80one\xec\x40\x02xx");
        out.extend(b"\xa0\x8b\xa1\x87\x81\x01\xf4\x00two\x9b\x81\x05");
        out.extend(b"\x1f\x43\xb6\x75\xff\xe7\x83\x01\x00\x00\xa3\x89\x81\xff\xff\x80three");
        out
    }

    #[tokio::test]
    async fn frames_come_with_their_times() {
        let expected = [(1000, b"one".to_vec()), (1500, b"two".to_vec()), (65_535, b"three".to_vec())];
        assert_eq!(read_all(&stream()).await.unwrap(), expected);
        assert!(read_all(b"").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn d7_a_frame_that_claims_too_much_is_refused_unread() {
        let claims = b"\xa3\x08\xff\xff\xff\xff\x81\x00\x00\x00";
        assert!(matches!(read_all(claims).await, Err(VideoError::Crashed(_))));
    }

    proptest! {
        #[test]
        fn d8_any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..60, cut in 0usize..80) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let _ = runtime.block_on(read_all(&bytes));
            let mut spoilt = stream();
            spoilt.truncate(cut);
            if let Some(byte) = spoilt.get_mut(at) {
                *byte = bytes.first().copied().unwrap_or(0);
            }
            let _ = runtime.block_on(read_all(&spoilt));
        }
    }
}
