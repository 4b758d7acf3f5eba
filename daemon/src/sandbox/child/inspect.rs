//! Everything that the library wants to know about one image file.

use image::{DynamicImage, RgbImage};
use inframe_models::photo;

use super::decode::{Checked, encode};
use super::{Outcome, capture};
use crate::sandbox::container::motion;
use crate::sandbox::limits;
use crate::sandbox::message::{Answer, Inspection};
use crate::sandbox::refusal::Refusal;

pub(super) fn inspect(file: &[u8]) -> Result<Outcome, Refusal> {
    let checked = Checked::open(file)?;
    let said = capture::read(&checked.metadata);
    let upright = checked.upright(limits::PREVIEW_PX)?;
    let preview = encode(&upright.image, upright.icc.clone())?;
    let small = photo::shrink(DynamicImage::ImageRgb8(upright.image), limits::GRID_PX);
    let tiny = photo::shrink(small.clone(), THUMBHASH_PX).into_rgb8();
    let grid = encode(&photo::flatten(small), upright.icc)?;
    let (width, height) = checked.size();
    let inspection = Box::new(Inspection {
        format: checked.format,
        width,
        height,
        orientation: checked.orientation.to_exif(),
        taken_at: said.taken_at,
        camera: said.camera,
        has_location: said.has_location,
        motion_bytes: motion::film(file, checked.format).map(|film| film.len() as u64),
        mean_rgb565: mean_rgb565(&tiny),
        thumbhash: thumbhash(&tiny),
        grid: Vec::new(),
        preview: Vec::new(),
    });
    let grid_bytes = u32::try_from(grid.len()).unwrap_or(u32::MAX);
    Ok((Answer::Inspected { inspection, grid_bytes }, vec![grid, preview]))
}

/// The format takes 100 pixels a side at most.
const THUMBHASH_PX: u32 = 100;

fn thumbhash(image: &RgbImage) -> Vec<u8> {
    let rgba = DynamicImage::ImageRgb8(image.clone()).into_rgba8();
    let side = |px: u32| usize::try_from(px).unwrap_or_default();
    thumbhash::rgba_to_thumb_hash(side(rgba.width()), side(rgba.height()), rgba.as_raw())
}

/// The mean colour in 16 bits: five for red, six for green, five for blue.
fn mean_rgb565(image: &RgbImage) -> u16 {
    let mut sum = [0u64; 3];
    for pixel in image.pixels() {
        for (sum, value) in sum.iter_mut().zip(pixel.0) {
            *sum += u64::from(value);
        }
    }
    let count = (u64::from(image.width()) * u64::from(image.height())).max(1);
    // The nearest step of `most`, for a mean of 0 to 255.
    let step = |sum: u64, most: u64| u16::try_from((sum * most + count * 255 / 2) / (count * 255)).unwrap_or_default();
    let [red, green, blue] = sum;
    step(red, 31) << 11 | step(green, 63) << 5 | step(blue, 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn mean_colours_fill_sixteen_bits() {
        let mean = |rgb| mean_rgb565(&RgbImage::from_pixel(3, 3, Rgb(rgb)));
        assert_eq!(mean([255, 255, 255]), 0xffff);
        assert_eq!(mean([0, 0, 0]), 0);
        assert_eq!(mean([255, 0, 0]), 0xf800);
        assert_eq!(mean([0, 255, 0]), 0x07e0);
        assert_eq!(mean([0, 0, 255]), 0x001f);
        assert_eq!(mean([128, 128, 128]), 16 << 11 | 32 << 5 | 16);
    }
}
