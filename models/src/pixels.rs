//! Resizing and warping of 8-bit RGB images into the planes that networks read.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::geometry::{Rect, Similarity};

/// Red, green and blue planes one after the other, 0..255, row by row: the layout `[1, 3, height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Planes {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

impl Planes {
    pub(crate) fn black(width: usize, height: usize) -> Self {
        Self { width, height, values: vec![0.0; 3 * width * height] }
    }

    /// Left and right exchanged.
    pub(crate) fn mirrored(&self) -> Self {
        let mut values = self.values.clone();
        values.chunks_exact_mut(self.width).for_each(<[f32]>::reverse);
        Self { values, ..*self }
    }

    /// As an image of bytes.
    pub(crate) fn to_image(&self) -> RgbImage {
        let area = self.width * self.height;
        RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let at = y as usize * self.width + x as usize;
            image::Rgb(
                [0, 1, 2].map(|channel| self.values.get(channel * area + at).map_or(0, |value| value.round() as u8)),
            )
        })
    }

    /// Brightness (Rec. 601), one plane.
    pub(crate) fn luma(&self) -> Vec<f32> {
        let (red, rest) = self.values.split_at(self.width * self.height);
        let (green, blue) = rest.split_at(self.width * self.height);
        red.iter().zip(green).zip(blue).map(|((r, g), b)| 0.299 * r + 0.587 * g + 0.114 * b).collect()
    }
}

/// Where a source lies within planes of another size: `plane = (source - origin) * scale + offset`, for each axis on its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    origin: [f32; 2],
    scale: [f32; 2],
    offset: [f32; 2],
}

impl Placement {
    /// From the planes back to the source.
    pub(crate) fn to_source(self, point: [f32; 2]) -> [f32; 2] {
        [0, 1].map(|axis| (point[axis] - self.offset[axis]) / self.scale[axis] + self.origin[axis])
    }
}

/// Where the shorter side of a source lies in the square planes; the rest is black.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fit {
    /// At the top or on the left.
    Start,
    /// In the middle.
    Centre,
}

/// Cuts `region` out of the image and fits it into a black square of this side; see [`fit`].
pub(crate) fn fit_square(image: &RgbImage, region: Rect, side: usize, how: Fit) -> Option<(Planes, Placement)> {
    fit(image, region, [side, side], how)
}

/// Cuts `region` out of the image and fits it into black planes of this width and height, keeping its proportions. Shrinking averages over
/// all pixels, growing is bilinear. `None` when the region has no pixel in the image.
pub(crate) fn fit(image: &RgbImage, region: Rect, size: [usize; 2], how: Fit) -> Option<(Planes, Placement)> {
    // Asked before clipping, which would turn a side that is no number into an edge of the image.
    if !region.is_finite() {
        return None;
    }
    let region = region.within(image.width(), image.height());
    if region.w < 1.0 || region.h < 1.0 {
        return None;
    }
    let [width, height] = size;
    let inner = if region.w * height as f32 >= region.h * width as f32 {
        [width, ((width as f32 * region.h / region.w).round() as usize).clamp(1, height)]
    } else {
        [((height as f32 * region.w / region.h).round() as usize).clamp(1, width), height]
    };
    let rgb = resize(image, region, inner[0] as u32, inner[1] as u32)?;
    let offset = match how {
        Fit::Start => [0, 0],
        Fit::Centre => [(width - inner[0]) / 2, (height - inner[1]) / 2],
    };
    let mut planes = Planes::black(width, height);
    for (plane, channel) in planes.values.chunks_exact_mut(width * height).zip(0..3) {
        let rows = plane.chunks_exact_mut(width).skip(offset[1]);
        for (row, source) in rows.zip(rgb.chunks_exact(3 * inner[0])) {
            for (value, pixel) in row[offset[0]..].iter_mut().zip(source.as_chunks::<3>().0) {
                *value = f32::from(pixel[channel]);
            }
        }
    }
    let placement = Placement {
        origin: [region.x, region.y],
        scale: [inner[0] as f32 / region.w, inner[1] as f32 / region.h],
        offset: offset.map(|pixels| pixels as f32),
    };
    Some((planes, placement))
}

/// The part of the image within `region` (clipped, at least one pixel) at another size, as interleaved RGB.
fn resize(image: &RgbImage, region: Rect, width: u32, height: u32) -> Option<Vec<u8>> {
    let source = ImageRef::new(image.width(), image.height(), image.as_raw(), PixelType::U8x3).ok()?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(f64::from(region.x), f64::from(region.y), f64::from(region.w), f64::from(region.h))
        .use_alpha(false);
    Resizer::new().resize(&source, &mut target, Some(&options)).ok()?;
    Some(target.into_vec())
}

/// Below this scale the region is shrunk by averaging before the bilinear warp, which would otherwise skip pixels.
const PRESHRINK_BELOW: f32 = 0.8;

/// The square chip of this side that `to_chip` cuts out of the photo; black outside the photo. `None` when nothing of the photo is in it.
pub(crate) fn warp(image: &RgbImage, to_chip: &Similarity, side: usize) -> Option<Planes> {
    let to_photo = to_chip.inverse();
    let end = side as f32;
    let corners = [[0.0, 0.0], [end, 0.0], [0.0, end], [end, end]].map(|corner| to_photo.apply(corner));
    let (mut left, mut top, mut right, mut bottom) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    for [x, y] in corners {
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
    }
    // Two pixels more on each side, for the neighbours that interpolation reads; whole pixels, so that the cut moves nothing.
    let region = Rect::from_corners(left.floor() - 2.0, top.floor() - 2.0, right.ceil() + 2.0, bottom.ceil() + 2.0)
        .within(image.width(), image.height());
    if !region.is_finite() || region.w < 1.0 || region.h < 1.0 {
        return None;
    }

    let shrink = if to_chip.scale() < PRESHRINK_BELOW { to_chip.scale() } else { 1.0 };
    let width = ((region.w * shrink).round() as u32).max(1);
    let height = ((region.h * shrink).round() as u32).max(1);
    let rgb = if shrink < 1.0 {
        resize(image, region, width, height)?
    } else {
        image::imageops::crop_imm(image, region.x as u32, region.y as u32, width, height).to_image().into_raw()
    };
    let scale = [width as f32 / region.w, height as f32 / region.h];

    let mut chip = Planes::black(side, side);
    let area = side * side;
    for row in 0..side {
        for column in 0..side {
            // Half a pixel is added and taken off because pixel i covers i..i+1.
            let [x, y] = to_photo.apply([column as f32 + 0.5, row as f32 + 0.5]);
            let at = [(x - region.x) * scale[0] - 0.5, (y - region.y) * scale[1] - 0.5];
            let [red, green, blue] = sample(&rgb, width as usize, height as usize, at);
            let index = row * side + column;
            chip.values[index] = red;
            chip.values[area + index] = green;
            chip.values[2 * area + index] = blue;
        }
    }
    Some(chip)
}

/// Bilinear interpolation; pixels outside are black.
fn sample(rgb: &[u8], width: usize, height: usize, [x, y]: [f32; 2]) -> [f32; 3] {
    if !(x > -1.0 && y > -1.0 && x < width as f32 && y < height as f32) {
        return [0.0; 3];
    }
    let (left, top) = (x.floor(), y.floor());
    let (right_share, bottom_share) = (x - left, y - top);
    let mut sum = [0.0; 3];
    for (row, row_share) in [(top as i64, 1.0 - bottom_share), (top as i64 + 1, bottom_share)] {
        for (column, share) in [(left as i64, 1.0 - right_share), (left as i64 + 1, right_share)] {
            let inside = row >= 0 && column >= 0 && (row as usize) < height && (column as usize) < width;
            let index = if inside { 3 * (row as usize * width + column as usize) } else { continue };
            for (sum, value) in sum.iter_mut().zip(&rgb[index..]) {
                *sum += share * row_share * f32::from(*value);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([(x * 2) as u8, (y * 2) as u8, 7]))
    }

    fn whole(image: &RgbImage) -> Rect {
        Rect { x: 0.0, y: 0.0, w: image.width() as f32, h: image.height() as f32 }
    }

    #[test]
    fn a_wide_image_is_placed_at_the_top_or_in_the_middle_with_black_around() {
        let image = RgbImage::from_pixel(40, 20, Rgb([200, 100, 50]));
        let (start, _) = fit_square(&image, whole(&image), 8, Fit::Start).unwrap();
        let rows = |planes: &Planes| planes.values[..64].chunks(8).map(|row| row[3]).collect::<Vec<_>>();
        assert_eq!(rows(&start), [200.0, 200.0, 200.0, 200.0, 0.0, 0.0, 0.0, 0.0]);
        let (centre, _) = fit_square(&image, whole(&image), 8, Fit::Centre).unwrap();
        assert_eq!(rows(&centre), [0.0, 0.0, 200.0, 200.0, 200.0, 200.0, 0.0, 0.0]);
        assert_eq!(centre.values[64 + 3 * 8], 100.0);
        assert_eq!(centre.values[128 + 3 * 8], 50.0);
    }

    #[test]
    fn placement_leads_back_to_the_photo() {
        let image = gradient(60, 30);
        let region = Rect { x: 10.0, y: 5.0, w: 40.0, h: 20.0 };
        let (_, placement) = fit_square(&image, region, 80, Fit::Centre).unwrap();
        assert_eq!(placement.to_source([0.0, 20.0]), [10.0, 5.0]);
        assert_eq!(placement.to_source([80.0, 60.0]), [50.0, 25.0]);
    }

    #[test]
    fn regions_outside_the_image_give_nothing() {
        let image = gradient(10, 10);
        assert!(fit_square(&image, Rect { x: 20.0, y: 0.0, w: 5.0, h: 5.0 }, 8, Fit::Start).is_none());
        assert!(fit_square(&image, Rect { x: f32::NAN, y: 0.0, w: 5.0, h: 5.0 }, 8, Fit::Start).is_none());
        let far = Similarity::fit(&[[1000.0, 1000.0], [1010.0, 1000.0]], &[[0.0, 0.0], [10.0, 0.0]]).unwrap();
        assert!(warp(&image, &far, 10).is_none());
    }

    #[test]
    fn warping_by_the_identity_copies_and_by_a_turn_turns() {
        let image = gradient(20, 20);
        let corners = [[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0]];
        let still = warp(&image, &Similarity::fit(&corners, &corners).unwrap(), 20).unwrap();
        let turned_corners = [[20.0, 0.0], [20.0, 20.0], [0.0, 20.0], [0.0, 0.0]];
        let turned = warp(&image, &Similarity::fit(&corners, &turned_corners).unwrap(), 20).unwrap();
        for (x, y) in [(0, 0), (3, 7), (19, 19)] {
            let pixel = image.get_pixel(x, y);
            let (x, y) = (x as usize, y as usize);
            assert!((still.values[y * 20 + x] - f32::from(pixel[0])).abs() < 0.01);
            let to = x * 20 + (19 - y);
            assert!((turned.values[to] - f32::from(pixel[0])).abs() < 0.01, "{x} {y}");
            assert!((turned.values[400 + to] - f32::from(pixel[1])).abs() < 0.01, "{x} {y}");
        }
    }

    #[test]
    fn a_strong_reduction_averages_rather_than_skips() {
        let stripes = RgbImage::from_fn(400, 400, |x, _| Rgb([if x % 2 == 0 { 0 } else { 200 }, 0, 0]));
        let corners = [[0.0, 0.0], [400.0, 400.0]];
        let chip = warp(&stripes, &Similarity::fit(&corners, &[[0.0, 0.0], [40.0, 40.0]]).unwrap(), 40).unwrap();
        assert!((chip.values[20 * 40 + 20] - 100.0).abs() < 5.0, "{}", chip.values[820]);
    }

    #[test]
    fn planes_become_the_image_that_they_were() {
        let image = gradient(8, 8);
        let (planes, _) = fit_square(&image, whole(&image), 8, Fit::Start).unwrap();
        assert_eq!(planes.to_image(), image);
    }

    #[test]
    fn mirroring_twice_is_nothing() {
        let mut planes = Planes::black(4, 3);
        planes.values.iter_mut().enumerate().for_each(|(at, value)| *value = at as f32);
        assert_ne!(planes.mirrored(), planes);
        assert_eq!(planes.mirrored().mirrored(), planes);
    }
}
