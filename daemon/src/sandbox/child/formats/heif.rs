//! HEIC and other HEIF files with HEVC inside.

use heic_decoder::{HeifError, ImageInfo};
use image::{DynamicImage, RgbImage, RgbaImage};
use inframe_models::photo::Decoded;

use crate::sandbox::refusal::Refusal;

/// Width and height after what the container says of cropping; turning is left to the caller.
pub(super) fn size(bytes: &[u8]) -> Result<(u32, u32), Refusal> {
    let ImageInfo { coded_width, coded_height, .. } = heic_decoder::probe(bytes).map_err(|error| refusal(&error))?;
    side(coded_width).zip(side(coded_height)).ok_or(Refusal::NeedsTooMuchMemory)
}

/// Decodes as stored.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let options = heic_decoder::DecodeOptions { apply_transforms: false };
    let mut planes = heic_decoder::decode_with(bytes, &options).map_err(|error| refusal(&error))?;
    let icc = planes.metadata.icc_profile.take();
    Ok(Decoded { image: pixels(&planes)?, icc })
}

/// Turns planes of brightness and colour into pixels.
pub(super) fn pixels(planes: &heic_decoder::DecodedImage) -> Result<DynamicImage, Refusal> {
    let damaged = || Refusal::Damaged("its size does not fit its pixels".to_string());
    if planes.alpha.is_some() {
        let rgba = planes.to_rgba8().map_err(|error| refusal(&error))?;
        let (width, height) = side(rgba.width).zip(side(rgba.height)).ok_or_else(damaged)?;
        return RgbaImage::from_raw(width, height, rgba.data).map(DynamicImage::from).ok_or_else(damaged);
    }
    let rgb = planes.to_rgb8().map_err(|error| refusal(&error))?;
    let (width, height) = side(rgb.width).zip(side(rgb.height)).ok_or_else(damaged)?;
    RgbImage::from_raw(width, height, rgb.data).map(DynamicImage::from).ok_or_else(damaged)
}

fn side(px: usize) -> Option<u32> {
    u32::try_from(px).ok().filter(|px| *px > 0)
}

/// What the decoder's words mean to the owner of the file.
pub(super) fn refusal(error: &HeifError) -> Refusal {
    match error {
        HeifError::Truncated { .. } => Refusal::CutShort,
        HeifError::LimitExceeded(_) => Refusal::NeedsTooMuchMemory,
        // Whether the file is damaged or only unusual, the older decoder is the better judge.
        _ => Refusal::NeedsLibheif,
    }
}
