//! Image files to pixels and back: decode, shrink, flatten, encode.
//!
//! It lives in this crate, and every function here is free of type parameters, because the development profile optimises this crate and not the
//! daemon: a generic decoder instantiated in the daemon would run ten times slower there.

use std::io::Cursor;

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::{DecodingError, ImageFormatHint, LimitError, LimitErrorKind};
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageResult, Limits, RgbImage,
};

use crate::limits::MAX_PNG_ASIDE_BYTES;

/// A decoded image as it lies in the file (not yet upright).
pub struct Decoded {
    /// The pixels, in the colour type of the file.
    pub image: DynamicImage,
    /// The embedded colour profile, if any.
    pub icc: Option<Vec<u8>>,
}

/// Reads width and height from the headers, without decoding a pixel.
///
/// # Errors
/// When the headers are damaged or the format is none of JPEG, PNG, WebP, GIF, TIFF and BMP.
pub fn dimensions(bytes: &[u8], format: ImageFormat) -> ImageResult<(u32, u32)> {
    Ok(decoder(bytes, format, &Limits::no_limits())?.dimensions())
}

/// Decodes a JPEG, PNG, WebP, GIF, TIFF or BMP (of an animation or of several pages, the first) within `limits`.
///
/// # Errors
/// When the file is damaged, of another format, or larger than the limits allow.
pub fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> ImageResult<Decoded> {
    let mut decoder = decoder(bytes, format, limits)?;
    let (width, height) = decoder.dimensions();
    limits.check_dimensions(width, height)?;
    if limits.max_alloc.is_some_and(|most| decoder.total_bytes() > most) {
        return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::InsufficientMemory)));
    }
    // A broken profile is no reason to lose the photo.
    let icc = decoder.icc_profile().ok().flatten();
    Ok(Decoded { image: DynamicImage::from_decoder(decoder)?, icc })
}

/// What a PNG may unpack besides its pixels: a colour profile of a few bytes can hold gigabytes. Pixels have their own limits.
fn beside_pixels() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_PNG_ASIDE_BYTES);
    limits
}

fn decoder<'a>(bytes: &'a [u8], format: ImageFormat, limits: &Limits) -> ImageResult<Box<dyn ImageDecoder + 'a>> {
    let cursor = Cursor::new(bytes);
    let mut decoder: Box<dyn ImageDecoder + 'a> = match format {
        ImageFormat::Jpeg => Box::new(JpegDecoder::new(cursor)?),
        ImageFormat::Png => Box::new(PngDecoder::with_limits(cursor, beside_pixels())?),
        ImageFormat::WebP => Box::new(WebPDecoder::new(cursor)?),
        ImageFormat::Gif => Box::new(GifDecoder::new(cursor)?),
        ImageFormat::Tiff => Box::new(TiffDecoder::new(cursor)?),
        ImageFormat::Bmp => Box::new(BmpDecoder::new(cursor)?),
        other => {
            let hint = ImageFormatHint::Exact(other);
            return Err(ImageError::Decoding(DecodingError::new(hint, "no decoder for it")));
        }
    };
    decoder.set_limits(limits.clone())?;
    Ok(decoder)
}

/// The size that has `long_side` pixels on its longer side, or the same size if it is that small already.
#[must_use]
pub fn fitted(width: u32, height: u32, long_side: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    if longest <= long_side {
        return (width.max(1), height.max(1));
    }
    let scale = |side: u32| {
        let exact = (u64::from(side) * u64::from(long_side) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(exact).unwrap_or(long_side).max(1)
    };
    (scale(width), scale(height))
}

/// Shrinks to at most `long_side` pixels on the longer side with an area filter; smaller images come back as they are.
#[must_use]
pub fn shrink(image: DynamicImage, long_side: u32) -> DynamicImage {
    let (width, height) = fitted(image.width(), image.height(), long_side);
    if (width, height) == (image.width(), image.height()) { image } else { resize(&image, width, height) }
}

/// Resizes to exactly this size, both sides at least one pixel.
#[must_use]
pub fn resize(image: &DynamicImage, width: u32, height: u32) -> DynamicImage {
    let (width, height) = (width.max(1), height.max(1));
    let mut target = DynamicImage::new(width, height, image.color());
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    match Resizer::new().resize(image, &mut target, &options) {
        Ok(()) => target,
        // Colour types that the fast path does not know.
        Err(_) => image.resize_exact(width, height, image::imageops::FilterType::CatmullRom),
    }
}

/// Converts to RGB with 8 bits; see-through pixels are laid on white.
#[must_use]
pub fn flatten(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let rgba = image.into_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (from, to) in rgba.pixels().zip(rgb.pixels_mut()) {
        let alpha = u32::from(from.0[3]);
        for channel in 0..3 {
            let mixed = (u32::from(from.0[channel]) * alpha + 255 * (255 - alpha) + 127) / 255;
            to.0[channel] = u8::try_from(mixed).unwrap_or(u8::MAX);
        }
    }
    rgb
}

/// Encodes a JPEG; `icc` is embedded if given.
///
/// # Errors
/// When a side is 0 or above 65,535 pixels.
pub fn encode_jpeg(image: &RgbImage, quality: u8, icc: Option<Vec<u8>>) -> ImageResult<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, quality);
    if let Some(icc) = icc {
        encoder.set_icc_profile(icc).map_err(ImageError::Unsupported)?;
    }
    encoder.write_image(image.as_raw(), image.width(), image.height(), ExtendedColorType::Rgb8)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgb, Rgba, RgbaImage};

    #[test]
    fn fitted_keeps_the_shape_and_never_reaches_zero() {
        assert_eq!(fitted(4000, 3000, 1600), (1600, 1200));
        assert_eq!(fitted(100, 80, 1600), (100, 80));
        assert_eq!(fitted(32_768, 1, 480), (480, 1));
        assert_eq!(fitted(0, 0, 480), (1, 1));
    }

    #[test]
    fn see_through_pixels_lie_on_white() {
        let mut image = RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 0]));
        image.put_pixel(1, 0, Rgba([10, 20, 30, 255]));
        let flat = flatten(DynamicImage::ImageRgba8(image));
        assert_eq!(flat.get_pixel(0, 0), &Rgb([255, 255, 255]));
        assert_eq!(flat.get_pixel(1, 0), &Rgb([10, 20, 30]));
    }

    #[test]
    fn every_colour_type_shrinks() {
        for image in [
            DynamicImage::new_rgb8(64, 32),
            DynamicImage::new_luma8(64, 32),
            DynamicImage::new_rgba8(64, 32),
            DynamicImage::new_rgb16(64, 32),
            DynamicImage::new_luma_a16(64, 32),
        ] {
            let small = shrink(image, 16);
            assert_eq!((small.width(), small.height()), (16, 8));
        }
    }
}
