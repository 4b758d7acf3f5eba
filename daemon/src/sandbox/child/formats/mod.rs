//! One place that knows how each format becomes pixels. Whatever it is, it runs in the child only.
//!
//! | format | decoder | licence | pure Rust | who keeps it |
//! |---|---|---|---|---|
//! | JPEG, PNG, WebP, GIF, TIFF, BMP | `image` with `zune-jpeg`, `png`, `image-webp`, `gif`, `tiff` | MIT or Apache-2.0 | yes | image-rs |
//! | AVIF | `re_rav1d`, a port of dav1d, without its assembler; the container is read here | BSD-2-Clause | yes | Rerun, after memorysafety/rav1d |
//! | HEIC, HEIF | `heic-decoder`, bit-exact against the reference decoder, `forbid(unsafe_code)` | MIT or Apache-2.0 | yes | its author, new |
//! | HEIC, HEIF that it cannot read | `heif-convert` or `heif-dec` of libheif, a program found at run time | LGPL-3.0 (a program of its own, not linked) | no | strukturag |
//! | camera raw files | the JPEG that the camera put in, found by `container::raw`, read as JPEG | ours | yes | us |
//!
//! Not taken: `heic` and `zenavif` (AGPL), `rawler` (LGPL, linked), `avif-decode` (needs a newer compiler), `libheif-rs` (links at build time).

mod avif;
mod heif;

use image::{ImageFormat, Limits};
use inframe_models::photo;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::decode::{check_size, refusal};
use crate::sandbox::container::heif::Heif;
use crate::sandbox::container::{ContainerError, Format, raw};
use crate::sandbox::limits;
use crate::sandbox::refusal::Refusal;

/// What is decoded in the end.
pub(super) enum Coded<'a> {
    /// By the image crate.
    Plain(&'a [u8], ImageFormat),
    /// AV1.
    Avif(Heif<'a>),
    /// HEVC.
    Heif(&'a [u8]),
}

impl<'a> Coded<'a> {
    /// Finds what is to be decoded in a file, and its size as stored. Nothing is decoded.
    pub(super) fn open(bytes: &'a [u8], format: Format) -> Result<(Self, (u32, u32)), Refusal> {
        let plain = match format {
            Format::Jpeg => (bytes, ImageFormat::Jpeg),
            Format::Png => (bytes, ImageFormat::Png),
            Format::WebP => (bytes, ImageFormat::WebP),
            Format::Gif => (bytes, ImageFormat::Gif),
            Format::Tiff => (bytes, ImageFormat::Tiff),
            Format::Bmp => (bytes, ImageFormat::Bmp),
            Format::Raw(kind) => (raw::preview(bytes, kind).map_err(broken)?.jpeg, ImageFormat::Jpeg),
            Format::Avif => {
                let file = Heif::open(bytes).map_err(broken)?;
                let size = avif::size(&file)?;
                check_size(size.0, size.1)?;
                return few_enough(size).map(|()| (Self::Avif(file), size));
            }
            Format::Heif => {
                let size = heif::size(bytes)?;
                check_size(size.0, size.1)?;
                return few_enough(size).map(|()| (Self::Heif(bytes), size));
            }
        };
        let size = photo::dimensions(plain.0, plain.1).map_err(|error| refusal(&error, format))?;
        Ok((Self::Plain(plain.0, plain.1), size))
    }

    /// Decodes as stored, not yet upright.
    pub(super) fn decode(&self, format: Format) -> Result<photo::Decoded, Refusal> {
        match self {
            Self::Plain(bytes, decoder) => {
                let mut bounds = Limits::no_limits();
                bounds.max_image_width = Some(limits::MAX_SIDE_PX);
                bounds.max_image_height = Some(limits::MAX_SIDE_PX);
                bounds.max_alloc = Some(limits::MAX_DECODE_BYTES);
                photo::decode(bytes, *decoder, &bounds).map_err(|error| refusal(&error, format))
            }
            Self::Avif(file) => on_this_thread(|| avif::decode(file)),
            Self::Heif(bytes) => on_this_thread(|| heif::decode(bytes)),
        }
    }
}

/// The structure's words for a file that cannot be followed.
pub(super) fn broken(error: ContainerError) -> Refusal {
    match error {
        ContainerError::CutShort => Refusal::CutShort,
        ContainerError::Malformed(what) => Refusal::Damaged(what.to_string()),
    }
}

fn few_enough((width, height): (u32, u32)) -> Result<(), Refusal> {
    let px = u64::from(width) * u64::from(height);
    if px > limits::MAX_HEIF_PIXELS { Err(Refusal::NeedsTooMuchMemory) } else { Ok(()) }
}

thread_local! {
    static THIS_THREAD: Option<ThreadPool> =
        ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().ok();
}

/// Runs a decoder that would spread over threads on the calling one only: the pool of children is what spreads work over cores, and a child may
/// start no thread.
fn on_this_thread<T: Send>(work: impl FnOnce() -> Result<T, Refusal> + Send) -> Result<T, Refusal> {
    THIS_THREAD.with(|pool| match pool {
        Some(pool) => pool.install(work),
        None => Err(Refusal::NeedsTooMuchMemory),
    })
}

#[cfg(test)]
mod tests;
