//! From a file to upright pixels, within the limits.

use std::borrow::Cow;

use image::error::LimitErrorKind;
use image::metadata::Orientation;
use image::{DynamicImage, ImageError, ImageFormat, RgbImage};
use inframe_models::photo;

use super::formats::{Coded, broken};
use crate::sandbox::container::metadata::Metadata;
use crate::sandbox::container::{Format, jpeg};
use crate::sandbox::limits;
use crate::sandbox::message::FractionRect;
use crate::sandbox::refusal::{Refusal, tame};

/// A file whose structure is whole and whose size is within the limits; nothing is decoded yet.
pub(super) struct Checked<'a> {
    coded: Coded<'a>,
    pub(super) format: Format,
    pub(super) metadata: Metadata<'a>,
    pub(super) orientation: Orientation,
    /// Size as stored, before turning.
    stored: (u32, u32),
}

/// Upright pixels.
pub(super) struct Upright {
    pub(super) image: RgbImage,
    /// The colour profile, if it is one for RGB and small enough to go with every thumbnail.
    pub(super) icc: Option<Vec<u8>>,
}

impl<'a> Checked<'a> {
    /// Recognises the format by its first bytes, walks the structure to its end and reads the size from the headers (promise D7: before any
    /// pixel is decoded).
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let format = Format::sniff(bytes).ok_or(Refusal::NotAnImage)?;
        let opened = Coded::open(bytes, format);
        if let Ok((_, (width, height))) = opened {
            check_size(width, height)?;
        }
        // The structure speaks first: "cut off" is better advice than what a decoder says of the same file.
        let metadata = Metadata::find(bytes, format).map_err(broken)?;
        if let Ok((Coded::Plain(coded, ImageFormat::Jpeg), (width, height))) = &opened {
            let px = u64::from(*width) * u64::from(*height);
            if px * jpeg::scans(coded) as u64 > limits::MAX_SCANNED_PIXELS {
                return Err(Refusal::Damaged("its pixels are told too many times".to_string()));
            }
        }
        let orientation = metadata.orientation();
        let (coded, stored) = opened?;
        Ok(Self { coded, format, metadata, orientation, stored })
    }

    /// Width and height of the upright image.
    pub(super) fn size(&self) -> (u32, u32) {
        let (width, height) = self.stored;
        if swaps_sides(self.orientation) { (height, width) } else { (width, height) }
    }

    fn decode(&self) -> Result<photo::Decoded, Refusal> {
        let decoded = self.coded.decode(self.format)?;
        Ok(photo::Decoded { image: narrowed(decoded.image), ..decoded })
    }

    /// Decodes, shrinks to `long_side_px` at most, turns upright and flattens, in this order: turning 150 megapixels would double the memory.
    pub(super) fn upright(&self, long_side_px: u32) -> Result<Upright, Refusal> {
        let decoded = self.decode()?;
        let mut image = photo::shrink(decoded.image, long_side_px);
        image.apply_orientation(self.orientation);
        Ok(Upright { image: photo::flatten(image), icc: decoded.icc.filter(|icc| is_small_rgb(icc)) })
    }
}

/// Brings 16 bits down to the 8 that everything made here has. Later would be too late: shrinking an image that one can see through takes a
/// second copy of it, and two of 150 megapixels with 16 bits leave no room for the file and the face model.
fn narrowed(image: DynamicImage) -> DynamicImage {
    match image {
        DynamicImage::ImageLuma16(_) => image.into_luma8().into(),
        DynamicImage::ImageLumaA16(_) => image.into_luma_alpha8().into(),
        DynamicImage::ImageRgb16(_) => image.into_rgb8().into(),
        DynamicImage::ImageRgba16(_) => image.into_rgba8().into(),
        narrow => narrow,
    }
}

pub(super) fn check_size(width: u32, height: u32) -> Result<(), Refusal> {
    let side_px = width.max(height);
    if side_px > limits::MAX_SIDE_PX {
        return Err(Refusal::SideTooLong { side_px });
    }
    let px = u64::from(width) * u64::from(height);
    if px > limits::MAX_PIXELS {
        return Err(Refusal::TooManyPixels { megapixels: px.div_ceil(1_000_000) });
    }
    Ok(())
}

fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    )
}

/// Bytes 16 to 20 of a profile name the colours that it is for; one for CMYK would be wrong for the RGB that we decode to.
fn is_small_rgb(icc: &[u8]) -> bool {
    icc.len() <= limits::MAX_THUMB_ICC_BYTES && icc.get(16..20) == Some(b"RGB ")
}

pub(super) fn refusal(error: &ImageError, format: Format) -> Refusal {
    match error {
        ImageError::IoError(cause) if cause.kind() == std::io::ErrorKind::UnexpectedEof => Refusal::CutShort,
        ImageError::Unsupported(_) => Refusal::Unsupported(format.extension().to_ascii_uppercase()),
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => Refusal::NeedsTooMuchMemory,
        other => Refusal::Damaged(tame(&other.to_string())),
    }
}

/// Cuts out a rectangle of the upright image.
pub(super) fn crop(file: &[u8], rect: FractionRect, margin: f32, long_side_px: u32) -> Result<Vec<u8>, Refusal> {
    let checked = Checked::open(file)?;
    let rect = stored_rect(widened(rect, margin), checked.orientation);
    let decoded = checked.decode()?;
    let (x, y, width, height) = in_pixels(rect, decoded.image.width(), decoded.image.height());
    let part = decoded.image.crop_imm(x, y, width, height);
    drop(decoded.image);
    let mut part = photo::shrink(part, long_side_px.clamp(1, limits::MAX_CROP_PX));
    part.apply_orientation(checked.orientation);
    let icc = decoded.icc.filter(|icc| is_small_rgb(icc));
    encode(&photo::flatten(part), icc)
}

/// What the egress filter is given: a file of a format that it can take apart, or else all its pixels as a bare JPEG.
pub(super) fn filterable(file: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    match Format::sniff(file) {
        Some(format) if !format.leaves_as_it_is() => {
            let Upright { image, icc } = Checked::open(file)?.upright(limits::MAX_SIDE_PX)?;
            let jpeg = photo::encode_jpeg(&image, limits::SENT_QUALITY, icc);
            jpeg.map(Cow::Owned).map_err(|error| Refusal::Damaged(tame(&error.to_string())))
        }
        _ => Ok(Cow::Borrowed(file)),
    }
}

/// All pixels as a bare JPEG, without these faces.
pub(super) fn blurred(file: &[u8], faces: &[FractionRect], kept: &[FractionRect]) -> Result<Vec<u8>, Refusal> {
    let Upright { mut image, icc } = Checked::open(file)?.upright(limits::MAX_SIDE_PX)?;
    super::blur::destroy(&mut image, faces, kept);
    let jpeg = photo::encode_jpeg(&image, limits::SENT_QUALITY, icc);
    jpeg.map_err(|error| Refusal::Damaged(tame(&error.to_string())))
}

/// Encodes at thumbnail quality.
pub(super) fn encode(image: &RgbImage, icc: Option<Vec<u8>>) -> Result<Vec<u8>, Refusal> {
    photo::encode_jpeg(image, limits::THUMB_QUALITY, icc).map_err(|error| Refusal::Damaged(tame(&error.to_string())))
}

/// Adds the margin and keeps the rectangle inside the image; numbers that are none become the whole image.
fn widened(rect: FractionRect, margin: f32) -> FractionRect {
    let margin = if margin.is_finite() { margin.clamp(0.0, 4.0) } else { 0.0 };
    if ![rect.x, rect.y, rect.w, rect.h].iter().all(|side| side.is_finite()) {
        return FractionRect { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
    }
    let left = (rect.x - rect.w * margin).clamp(0.0, 1.0);
    let top = (rect.y - rect.h * margin).clamp(0.0, 1.0);
    let right = (rect.x + rect.w * (1.0 + margin)).clamp(left, 1.0);
    let bottom = (rect.y + rect.h * (1.0 + margin)).clamp(top, 1.0);
    FractionRect { x: left, y: top, w: right - left, h: bottom - top }
}

/// The same rectangle in the image as it is stored, before turning.
fn stored_rect(rect: FractionRect, orientation: Orientation) -> FractionRect {
    let FractionRect { x, y, w, h } = rect;
    let (from_right, from_bottom) = (1.0 - x - w, 1.0 - y - h);
    let turned = |x, y| FractionRect { x, y, w: h, h: w };
    match orientation {
        Orientation::NoTransforms => rect,
        Orientation::FlipHorizontal => FractionRect { x: from_right, ..rect },
        Orientation::FlipVertical => FractionRect { y: from_bottom, ..rect },
        Orientation::Rotate180 => FractionRect { x: from_right, y: from_bottom, ..rect },
        Orientation::Rotate90 => turned(y, from_right),
        Orientation::Rotate270 => turned(from_bottom, x),
        Orientation::Rotate90FlipH => turned(y, x),
        Orientation::Rotate270FlipH => turned(from_bottom, from_right),
    }
}

/// Whole pixels, one at least, inside the image.
fn in_pixels(rect: FractionRect, width: u32, height: u32) -> (u32, u32, u32, u32) {
    let span = |from: f32, len: f32, side: u32| {
        let start = ((f64::from(from) * f64::from(side)).round().max(0.0) as u32).min(side.saturating_sub(1));
        let end = ((f64::from(from) + f64::from(len)) * f64::from(side)).round().max(0.0) as u32;
        (start, end.clamp(start + 1, side.max(start + 1)) - start)
    };
    let ((x, w), (y, h)) = (span(rect.x, rect.w, width), span(rect.y, rect.h, height));
    (x, y, w, h)
}

/// A rectangle of an image that is upright already, in its pixels, as a square around its middle.
pub(super) fn square(image: &RgbImage, middle: (f32, f32), side: f32) -> RgbImage {
    let most = image.width().min(image.height());
    let side = (side.round().max(1.0) as u32).min(most);
    let start = |middle: f32, len: u32| ((middle - side as f32 / 2.0).round().max(0.0) as u32).min(len - side);
    let (x, y) = (start(middle.0, image.width()), start(middle.1, image.height()));
    DynamicImage::ImageRgb8(image::imageops::crop_imm(image, x, y, side, side).to_image()).into_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GenericImageView, Rgb};

    fn picture() -> RgbImage {
        RgbImage::from_fn(40, 20, |x, y| Rgb([u8::try_from(x * 6).unwrap(), u8::try_from(y * 12).unwrap(), 7]))
    }

    #[test]
    fn cutting_before_turning_is_cutting_after_turning() {
        let rect = FractionRect { x: 0.1, y: 0.2, w: 0.3, h: 0.4 };
        for value in 1..=8 {
            let orientation = Orientation::from_exif(value).unwrap();
            let mut upright = DynamicImage::ImageRgb8(picture());
            upright.apply_orientation(orientation);
            let (x, y, w, h) = in_pixels(rect, upright.width(), upright.height());
            let after = upright.view(x, y, w, h).to_image();
            let (x, y, w, h) = in_pixels(stored_rect(rect, orientation), 40, 20);
            let mut before = DynamicImage::ImageRgb8(picture()).crop_imm(x, y, w, h);
            before.apply_orientation(orientation);
            assert_eq!(before.into_rgba8(), after, "orientation {value}");
        }
    }

    #[test]
    fn d8_wild_rectangles_stay_inside() {
        for (x, w) in [(f32::NAN, 1.0), (-5.0, 9.0), (2.0, -1.0), (0.5, 0.0), (f32::INFINITY, 0.1), (1.0, 1.0)] {
            let rect = widened(FractionRect { x, y: 0.0, w, h: 1.0 }, f32::MAX);
            let (x, y, w, h) = in_pixels(rect, 40, 20);
            assert!(x + w <= 40 && y + h <= 20 && w > 0 && h > 0, "{rect:?}");
        }
    }

    #[test]
    fn d7_sizes_are_checked_at_the_boundary() {
        assert_eq!(check_size(15_000, 10_000), Ok(()));
        assert_eq!(check_size(15_000, 10_001), Err(Refusal::TooManyPixels { megapixels: 151 }));
        assert_eq!(check_size(32_768, 1), Ok(()));
        assert_eq!(check_size(1, 32_769), Err(Refusal::SideTooLong { side_px: 32_769 }));
    }
}
