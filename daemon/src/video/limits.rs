//! What one video may cost (promise D7).

use std::time::Duration;

/// Largest index of an MP4 or MOV file that is moved to its front, in bytes: three hours at 60 frames a second take about 12 MiB.
pub const MAX_INDEX_BYTES: u64 = 64 * 1024 * 1024;
/// Most boxes at the top of a file that are looked at until its index is found: cameras write fewer than ten.
pub const MAX_TOP_BOXES: usize = 4096;
/// Bytes handed to a tool at once: one chunk of a sealed blob.
pub const PIECE_BYTES: usize = 256 * 1024;
/// Bytes of a tool's complaints that are kept; the rest is read and thrown away.
pub const MAX_WORDS_BYTES: usize = 4 * 1024;
/// Most bytes of what the tool says of a file: a few streams with their tags take 10 KiB.
pub const MAX_FACTS_BYTES: usize = 1024 * 1024;
/// Longest video that is looked through and copied, in milliseconds: twelve hours. What comes later is not looked at.
pub const MAX_DURATION_MS: u64 = 12 * 60 * 60 * 1000;
/// Largest side of a video, in pixels: 8K has 7680.
pub const MAX_SIDE_PX: u32 = 16_384;
/// Largest single piece of memory that the tool may take for a file, in bytes: a frame of 8K has 50 to 100 MB.
pub const MAX_ALLOC_BYTES: &str = "536870912";
/// Long side of the poster, in pixels; that of a photo's preview.
pub const POSTER_PX: u32 = 1600;
/// Frames among which the poster is chosen.
pub const POSTER_FRAMES: usize = 8;
/// Time between two of them at most, in milliseconds, so that the first quarter of a minute is all that has to be decoded.
pub const POSTER_STEP_MS: u64 = 2000;
/// Long side of the frames in which faces are looked for, in pixels: that of 1080p; 4K shows no face better that matters.
pub const FRAME_PX: u32 = 1920;
/// Frames of one video in which faces are looked for: half an hour at one a second. Longer videos are looked at more seldom.
pub const MAX_FRAMES: u64 = 1800;
/// Time between two frames that are looked at, in milliseconds, at least, unless the scene changes.
pub const FRAME_STEP_MS: u64 = 1000;
/// The same across a change of scene: a flash and a cut to and fro are not two scenes.
pub const SCENE_STEP_MS: u64 = 250;
/// Most bytes of one frame: noise at 1920 x 1920 as JPEG of the best quality stays below it.
pub const MAX_FRAME_BYTES: u64 = 8 * 1024 * 1024;
/// Long side of a playable copy, in pixels: a screen of 1080p.
pub const COPY_PX: u32 = 1920;
/// Largest playable copy, in bytes: twelve hours at 6 Mbit/s.
pub const MAX_COPY_BYTES: u64 = 32 * 1024 * 1024 * 1024;
/// Fragments of a playable copy that its list of places names: a box of 16 bits; twelve hours of two seconds each are 21,600.
pub const MAX_FRAGMENTS: usize = 65_535;
/// Largest single box of a copy that is read whole, in bytes: the frames of one fragment in a list.
pub const MAX_FRAGMENT_HEAD_BYTES: u64 = 4 * 1024 * 1024;
/// Address space of a tool, in bytes: its libraries (about 500 MB), and the frames of 8K that HEVC refers to (16 of 100 MB), decoded and encoded.
pub const TOOL_MEMORY_BYTES: u64 = 6 * 1024 * 1024 * 1024;
/// Files that a tool has open: its some hundred libraries are closed again once they are loaded.
pub const TOOL_OPEN_FILES: u64 = 64;
/// Threads of a tool's decoder or encoder: half of a small NAS stays for the rest.
pub const TOOL_THREADS: &str = "2";
/// Processor time of a tool, over all its threads: the longest run on its two threads.
pub const TOOL_PROCESSOR_TIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How long the tool may take to say what a file is, or to show one frame: the index at the end of gigabytes is found first.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(120);
/// How long looking through a video, copying it or making its rendition may take without a frame or a byte of result.
pub const STALL_TIMEOUT: Duration = Duration::from_secs(300);
/// How long looking through a video or copying it may take in all.
pub const WHOLE_TIMEOUT: Duration = Duration::from_secs(6 * 60 * 60);
