//! What one image may cost (promise D7).

use std::ops::RangeInclusive;
use std::time::Duration;

/// Largest image file, in bytes: a 100-megapixel JPEG of high quality is about 50 MB.
pub const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;
/// Most pixels that are decoded: the largest sensors of cameras have 150 megapixels, phones make more only in a special mode; these are 450 MB as RGB.
pub const MAX_PIXELS: u64 = 150_000_000;
/// Longest side, in pixels: panoramas reach about 30,000.
pub const MAX_SIDE_PX: u32 = 32_768;
/// Most pixels that the scans of a JPEG may go over together: each scan of a progressive file goes over the whole image, and programs write about
/// 10. At 150 megapixels this allows 16.
pub const MAX_SCANNED_PIXELS: u64 = 2_500_000_000;
/// Most bytes that a decoder may take for its output: 150 megapixels with four channels of 16 bits.
pub const MAX_DECODE_BYTES: u64 = 8 * MAX_PIXELS;
/// Address space of a child, in bytes: the decoded image (1,200 MB at most) and its reduction to 8 bits (600 MB), or the coefficients of a progressive
/// JPEG (900 MB at 150 megapixels, then with 450 MB of RGB); the file, the face model (about 200 MB) and the program itself (about 110 MB).
pub const CHILD_ADDRESS_BYTES: u64 = 3 * 1024 * 1024 * 1024;
/// Open files of a child: three pipes, their copies, and a little room for the C library.
pub const CHILD_OPEN_FILES: u64 = 16;
/// How far children and tools stand back from other programs, 0 to 19: at 10 a busy program gets about nine parts of ten. The disk follows.
pub const NICENESS: i32 = 10;
/// How readily the kernel ends a child when the machine runs out of memory, -1000 to 1000: as if it held half of the memory besides its own.
pub const OOM_SCORE: &str = "500";
/// Long side of the grid thumbnail, in pixels: a row of 240 px on a screen of double density.
pub const GRID_PX: u32 = 480;
/// Long side of the preview, in pixels: fills a laptop's screen.
pub const PREVIEW_PX: u32 = 1600;
/// JPEG quality of thumbnails, 1 to 100: below 75 skies show steps.
pub const THUMB_QUALITY: u8 = 80;
/// JPEG quality of photos that are sent as a JPEG because theirs is another format, 1 to 100: above 90 files grow and nobody sees a difference.
pub const SENT_QUALITY: u8 = 90;
/// Most bytes of one thumbnail that the parent takes from a child: noise at 1600 x 1600 and this quality stays below it.
pub const MAX_THUMB_BYTES: usize = 4 * 1024 * 1024;
/// Long side at which faces are looked for, in pixels: the detector works at 512 px, and a face that is 40 px wide here is 8 px there.
pub const FACES_PX: u32 = 2560;
/// Most faces of one photo: the detector gives 100 at most.
pub const MAX_FACES: usize = 128;
/// Largest crop, long side in pixels: shown beside a still, never full screen.
pub const MAX_CROP_PX: u32 = 1024;
/// Bytes of a selfie still: it travels inside a record of 4 KiB.
pub const MAX_STILL_BYTES: usize = 3000;
/// Sides of a still that are tried, in pixels, the best first.
pub const STILL_SIDES_PX: [u32; 3] = [128, 120, 112];
/// A selfie's face is clearly the subject when it is this many times wider than any other face.
pub const DOMINANT_WIDTH_RATIO: f32 = 1.6;
/// A selfie's face must be this wide, in pixels: the recogniser looks at 150 px, and below half of it the template is weak.
pub const ENROL_MIN_FACE_PX: f32 = 70.0;
/// A selfie's face must be this sharp (variance of the Laplacian of the aligned face, brightness 0 to 255): below it the photo is plainly blurred.
pub const ENROL_MIN_SHARPNESS: f32 = 12.0;
/// A selfie's face must look into the camera this much (1 is straight, 0 a profile).
pub const ENROL_MIN_FRONTALITY: f32 = 0.45;
/// Mean brightness (0 to 255) of the middle of a selfie's face below which it is too dark and above which it is too bright: outside, the sensor's
/// noise or its end takes the place of the features. Faces of every skin in ordinary light lie between 60 and 200.
pub const ENROL_BRIGHTNESS: RangeInclusive<f32> = 30.0..=238.0;
/// Most bytes of a header of a message to or from a child: 128 faces with 68 landmarks and an embedding are about 150 kB.
pub const MAX_HEADER_BYTES: usize = 512 * 1024;
/// Most bytes after the header: a rendition is at most as large as its file, plus a minimal EXIF block.
pub const MAX_PAYLOAD_BYTES: usize = MAX_FILE_BYTES + 64 * 1024;
/// Most children at once: beyond it the disk and the catalog are the limit, and imports keep within [`MAX_WAITING`].
pub const MAX_PROCESSES: usize = 12;
/// Most callers that wait for a free child: each may hold a file of the largest size in memory.
pub const MAX_WAITING: usize = 16;
/// How many children are tried for a job when each ends before it has read the file: a lack of memory takes the idle ones first.
pub const CHILDREN_PER_JOB: u32 = 3;
/// A child exits after this many jobs, so that a slow leak in a decoder cannot add up.
pub const JOBS_PER_CHILD: u32 = 500;
/// How long a child may take to start and say what it is confined by: a cold disk needs seconds to read the program.
pub const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How much processor time one job may take: 150 megapixels, or a crowd of 100 faces with the loading of the model, need about 3 s on a fast core.
pub const JOB_PROCESSOR_TIME: Duration = Duration::from_secs(60);
/// How long decoding, cropping and filtering may take by the clock. Children yield to every other program, so that on a busy machine they may
/// stand still for long; their processor time is what is held short.
pub const DECODE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long finding faces may take by the clock.
pub const FACES_TIMEOUT: Duration = Duration::from_secs(180);
/// How long an idle child is kept; the model's memory is given back after it.
pub const IDLE: Duration = Duration::from_secs(30);
/// How long a child that was told to go may take before it is killed.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest camera name, in characters: it is shown in one line.
pub const MAX_CAMERA_CHARS: usize = 64;
/// Capture times that can be, in milliseconds since 1970: from the first photograph (1826) to a broken clock (2200).
pub const WALL_MS: RangeInclusive<i64> = -4_544_208_000_000..=7_289_654_399_999;
/// Offsets from UTC in use, in minutes.
pub const OFFSET_MIN: RangeInclusive<i16> = -12 * 60..=14 * 60;
/// Largest ThumbHash, in bytes: the format ends at 25.
pub const MAX_THUMBHASH_BYTES: usize = 32;
/// Most landmarks of a face: the scheme in use has 68.
pub const MAX_LANDMARKS: usize = 256;
/// Most numbers of an embedding: models in use have 128 to 512.
pub const MAX_EMBEDDING: usize = 1024;
/// Largest EXIF block that is read, in bytes: a JPEG segment is 64 KiB; PNG and WebP allow more, which no camera needs.
pub const MAX_EXIF_BYTES: usize = 256 * 1024;
/// Largest XMP packet that is searched for a location, in bytes.
pub const MAX_XMP_BYTES: usize = 1024 * 1024;
/// Largest colour profile that is copied into a thumbnail, in bytes: display and camera profiles are about 500 to 4,000.
pub const MAX_THUMB_ICC_BYTES: usize = 8 * 1024;
/// Largest colour profile that leaves with a rendition, in bytes: printing profiles reach 1.8 MB.
pub const MAX_ICC_BYTES: usize = 2 * 1024 * 1024;
/// What libheif's program may use for one photo, in bytes of address space: 150 megapixels in planes and as RGB, with its threads.
pub const LIBHEIF_ADDRESS_BYTES: u64 = 3 * 1024 * 1024 * 1024;
/// Files that libheif's program may have open: its libraries while they are loaded, input, output.
pub const LIBHEIF_OPEN_FILES: u64 = 64;
/// Most entries of one directory of a TIFF structure: cameras write about 100.
pub const MAX_DIRECTORY_ENTRIES: usize = 2_000;
/// Most directories of one TIFF structure: raw files have up to 10.
pub const MAX_DIRECTORIES: usize = 64;
/// Longest entry that is copied out of a raw file's directories, in bytes: camera names are below 64.
pub const MAX_KEPT_ENTRY_BYTES: usize = 1024;
/// Most items of a HEIF file: a 100-megapixel photo in tiles of 512 pixels has about 400, and each may have its thumbnail.
pub const MAX_HEIF_ITEMS: usize = 4_096;
/// Most pieces that one item of a HEIF file lies in: writers use one.
pub const MAX_HEIF_EXTENTS: usize = 64;
/// Most pixels of a HEIF or AVIF file that the decoders in this program take: they keep each sample in four bytes, and 64 megapixels
/// need about 1.2 GB.
pub const MAX_HEIF_PIXELS: u64 = 64_000_000;
/// Most pieces (segments, chunks) of one file: an animation of a thousand frames has two each.
pub const MAX_PIECES: usize = 100_000;
/// Files of a model pack that a child opens: a pack has five at most.
pub const MAX_PACK_FILES: usize = 8;
/// Long side of what is kept of a selfie for other model packs, in pixels: a face of 230 px with its surroundings, more than recognisers look at.
pub const SOURCE_PX: u32 = 512;
/// What is added around the face on each side, in parts of its size: detectors miss faces that fill a picture.
pub const SOURCE_MARGIN: f32 = 0.6;
/// Most bytes of it: noise of this size stays below.
pub const MAX_SOURCE_BYTES: usize = 512 * 1024;
