//! What is read from sound files.

use std::io::Cursor;

use exif::{Tag, Value};
use image::{DynamicImage, ImageFormat};
use inframe::sandbox::{CaptureTime, Details, Format, FractionRect, Inspection};

use crate::files::{SIZE, ascii, degrees, encode, exif, held, picture, with_exif};
use crate::sandbox;

/// Whether the thumbnails show `picture` upright.
fn shows_the_picture(jpeg: &[u8]) {
    let image = image::load_from_memory(jpeg).unwrap().into_rgb8();
    assert_eq!(image.dimensions(), SIZE);
    let (x, y) = (SIZE.0 / 4, SIZE.1 / 4);
    for (x, y) in [(x, y), (3 * x, y), (3 * x, 3 * y), (x, 3 * y)] {
        let (is, should) = (image.get_pixel(x, y).0, picture().get_pixel(x, y).0);
        let off = is.iter().zip(should).map(|(is, should)| is.abs_diff(should)).max().unwrap();
        assert!(off < 16, "{is:?} instead of {should:?} at {x}, {y}");
    }
}

#[tokio::test]
async fn all_orientations_of_all_formats_come_upright() {
    let sandbox = sandbox();
    let formats = [
        (ImageFormat::Jpeg, Format::Jpeg, "image/jpeg"),
        (ImageFormat::Png, Format::Png, "image/png"),
        (ImageFormat::WebP, Format::WebP, "image/webp"),
    ];
    for (encoder, format, media_type) in formats {
        for orientation in 1..=8u8 {
            let block = exif(vec![(Tag::Orientation, Value::Short(vec![orientation.into()]))]);
            let file = with_exif(&encode(&held(orientation), encoder), &block);
            let inspection = sandbox.inspect(file).await.unwrap();
            assert_eq!((inspection.width, inspection.height), SIZE, "{format:?}, orientation {orientation}");
            assert_eq!((inspection.format, inspection.media_type()), (format, media_type));
            assert_eq!(inspection.orientation, orientation);
            shows_the_picture(&inspection.preview);
            shows_the_picture(&inspection.grid);
        }
    }
}

#[tokio::test]
async fn images_of_16_bits_and_those_that_one_can_see_through_come_as_they_look() {
    let sandbox = sandbox();
    let mut see_through = DynamicImage::from(picture()).into_rgba8();
    for pixel in see_through.pixels_mut().filter(|pixel| pixel.0 == [255; 4]) {
        // Looks white where it lies on white.
        pixel.0 = [0; 4];
    }
    let see_through = DynamicImage::from(see_through);
    let wide = DynamicImage::from(picture()).into_rgb16().into();
    for image in [DynamicImage::from(see_through.to_rgba16()), see_through, wide] {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Png).unwrap();
        let inspection = sandbox.inspect(file.into_inner().into()).await.unwrap();
        shows_the_picture(&inspection.preview);
    }
}

#[tokio::test]
async fn a_crop_is_cut_from_the_upright_image() {
    let sandbox = sandbox();
    let lower_right = FractionRect { x: 0.5, y: 0.5, w: 0.5, h: 0.5 };
    for orientation in 1..=8u8 {
        let block = exif(vec![(Tag::Orientation, Value::Short(vec![orientation.into()]))]);
        let file = with_exif(&encode(&held(orientation), ImageFormat::Png), &block);
        let crop = sandbox.crop(file, lower_right, 0.0, 24).await.unwrap();
        let crop = image::load_from_memory(&crop).unwrap().into_rgb8();
        assert_eq!(crop.dimensions(), (24, 16));
        let [red, green, blue] = crop.get_pixel(12, 8).0;
        assert!(red < 16 && green < 16 && blue > 239, "orientation {orientation}: {red} {green} {blue}");
    }
}

#[tokio::test]
async fn an_invalid_orientation_counts_as_upright() {
    let sandbox = sandbox();
    for orientation in [0, 9, 65_535] {
        let block = exif(vec![(Tag::Orientation, Value::Short(vec![orientation]))]);
        let inspection = sandbox.inspect(with_exif(&encode(&picture(), ImageFormat::Jpeg), &block)).await.unwrap();
        assert_eq!((inspection.width, inspection.height, inspection.orientation), (SIZE.0, SIZE.1, 1));
        shows_the_picture(&inspection.preview);
    }
}

async fn inspect_with(fields: Vec<(Tag, Value)>, format: ImageFormat) -> Inspection {
    sandbox().inspect(with_exif(&encode(&picture(), format), &exif(fields))).await.unwrap()
}

/// 2024-07-01 12:34:56 of the camera's clock.
const WALL_MS: i64 = 1_719_837_296_000;

#[tokio::test]
async fn the_moment_is_read_with_fraction_and_offset() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let fields = vec![
            (Tag::DateTimeOriginal, ascii("2024:07:01 12:34:56")),
            (Tag::SubSecTimeOriginal, ascii("789")),
            (Tag::OffsetTimeOriginal, ascii("-03:30")),
        ];
        let taken_at = inspect_with(fields, format).await.taken_at.unwrap();
        assert_eq!(taken_at, CaptureTime { wall_ms: WALL_MS + 789, offset_min: Some(-210) });
        assert_eq!(taken_at.unix_ms(600), WALL_MS + 789 + 210 * 60_000);
    }
}

#[tokio::test]
async fn a_moment_without_offset_leaves_the_offset_to_the_reader() {
    let fields = vec![(Tag::DateTimeOriginal, ascii("2024:07:01 12:34:56"))];
    let taken_at = inspect_with(fields, ImageFormat::Jpeg).await.taken_at.unwrap();
    assert_eq!(taken_at, CaptureTime { wall_ms: WALL_MS, offset_min: None });
    assert_eq!(taken_at.unix_ms(120), WALL_MS - 120 * 60_000);
}

#[tokio::test]
async fn moments_that_cannot_be_are_none() {
    for text in
        ["0000:00:00 00:00:00", "    :  :     :  :  ", "2024:13:40 25:61:61", "9999:01:01 00:00:00", "yesterday"]
    {
        let inspection = inspect_with(vec![(Tag::DateTimeOriginal, ascii(text))], ImageFormat::Jpeg).await;
        assert_eq!(inspection.taken_at, None, "{text}");
    }
}

#[tokio::test]
async fn camera_and_place_are_noted_without_the_place_itself() {
    let fields = vec![
        (Tag::Make, ascii("Fairphone\u{7}\n")),
        (Tag::Model, ascii("FP4")),
        (Tag::GPSLatitude, degrees(48)),
        (Tag::GPSLongitude, degrees(11)),
    ];
    let inspection = inspect_with(fields, ImageFormat::Jpeg).await;
    assert_eq!(inspection.camera.as_deref(), Some("Fairphone FP4"));
    assert!(inspection.has_location);
    let plain = sandbox().inspect(encode(&picture(), ImageFormat::Jpeg).into()).await.unwrap();
    assert_eq!((plain.camera, plain.has_location, plain.taken_at), (None, false, None));
}

#[tokio::test]
async fn d4_a_rendition_has_the_pixels_and_the_orientation_and_nothing_else() {
    let sandbox = sandbox();
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let block = exif(vec![
            (Tag::Orientation, Value::Short(vec![6])),
            (Tag::Make, ascii("Fairphone")),
            (Tag::DateTimeOriginal, ascii("2024:07:01 12:34:56")),
            (Tag::GPSLatitude, degrees(48)),
        ]);
        let file = with_exif(&encode(&held(6), format), &block);
        let rendition = sandbox.rendition(file, Details::default()).await.unwrap();
        assert_eq!(memchr::memmem::find(&rendition, b"Fairphone"), None);
        let inspection = sandbox.inspect(rendition.into()).await.unwrap();
        assert_eq!((inspection.width, inspection.height, inspection.orientation), (SIZE.0, SIZE.1, 6));
        assert_eq!((inspection.taken_at, inspection.camera, inspection.has_location), (None, None, false));
        shows_the_picture(&inspection.preview);
    }
}

#[tokio::test]
async fn thumbnails_have_their_sizes_and_a_panorama_keeps_a_pixel() {
    let sandbox = sandbox();
    let inspection = sandbox.inspect(crate::files::black(3000, 2)).await.unwrap();
    let size = |jpeg: &[u8]| image::load_from_memory(jpeg).map(|image| (image.width(), image.height())).unwrap();
    assert_eq!((inspection.width, inspection.height), (3000, 2));
    assert_eq!((size(&inspection.preview), size(&inspection.grid)), ((1600, 1), (480, 1)));
    assert_eq!(inspection.mean_rgb565, 0);
    assert!((5..=32).contains(&inspection.thumbhash.len()));
}
