//! The small still of a selfie that travels in a find-me.

use image::{DynamicImage, RgbImage};
use inframe_models::{Rect, photo};

use super::decode::square;
use crate::sandbox::limits;
use crate::sandbox::refusal::{Refusal, tame};

/// How much wider than the face's box the still is: hair and chin help a person to recognise a person.
const WIDER: f32 = 1.6;

/// Qualities that are tried for each side, the best first.
const QUALITIES: [u8; 6] = [82, 72, 62, 52, 42, 32];

/// A square JPEG of 112 to 128 pixels and 3,000 bytes at most, the best that fits.
pub(super) fn encode(image: &RgbImage, face: Rect) -> Result<Vec<u8>, Refusal> {
    let middle = (face.x + face.w / 2.0, face.y + face.h / 2.0);
    let square = DynamicImage::ImageRgb8(square(image, middle, face.w.max(face.h) * WIDER));
    let try_one = |from: &DynamicImage, side: u32, quality: u8| {
        photo::encode_jpeg(&photo::flatten(photo::resize(from, side, side)), quality, None)
            .map_err(|error| Refusal::Damaged(tame(&error.to_string())))
    };
    for quality in QUALITIES {
        for side in limits::STILL_SIDES_PX {
            let jpeg = try_one(&square, side, quality)?;
            if jpeg.len() <= limits::MAX_STILL_BYTES {
                return Ok(jpeg);
            }
        }
    }
    // Noise: half the detail always fits.
    let [.., smallest] = limits::STILL_SIDES_PX;
    let jpeg = try_one(&photo::resize(&square, smallest / 4, smallest / 4), smallest, 32)?;
    if jpeg.len() <= limits::MAX_STILL_BYTES { Ok(jpeg) } else { Err(Refusal::FaceUnclear) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn d7_stills_fit_a_record_whatever_the_photo() {
        let plain = RgbImage::from_fn(640, 480, |x, y| Rgb([(x / 3) as u8, (y / 2) as u8, 120]));
        let mut seed = 1u32;
        let noise = RgbImage::from_fn(640, 480, |_, _| {
            let mut next = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            };
            Rgb([next(), next(), next()])
        });
        for image in [plain, noise] {
            for face in
                [Rect { x: 200.0, y: 100.0, w: 150.0, h: 180.0 }, Rect { x: 600.0, y: 440.0, w: 300.0, h: 300.0 }]
            {
                let jpeg = encode(&image, face).unwrap();
                let still = image::load_from_memory(&jpeg).unwrap();
                assert!(jpeg.len() <= limits::MAX_STILL_BYTES, "{} bytes", jpeg.len());
                assert_eq!(still.width(), still.height());
                assert!((112..=128).contains(&still.width()), "{} px", still.width());
            }
        }
    }
}
