//! Every format from its bytes to upright thumbnails and to what the egress filter is given; and what hostile ones get.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::sandbox::child::decode::filterable;
use crate::sandbox::child::inspect::inspect;
use crate::sandbox::container::heif::Heif;
use crate::sandbox::container::samples::{CANARY, avif_grid, raw_file};
use crate::sandbox::container::{Format, RawKind, jpeg};
use crate::sandbox::message::{Answer, CaptureTime, Inspection};
use crate::sandbox::refusal::Refusal;

const HEIC: &[u8] = include_bytes!("../../../../testdata/tiny.heic");
const AVIF: &[u8] = include_bytes!("../../../../testdata/tiny.avif");
const KINDS: [RawKind; 9] = [
    RawKind::Cr2,
    RawKind::Cr3,
    RawKind::Nef,
    RawKind::Arw,
    RawKind::Dng,
    RawKind::Raf,
    RawKind::Orf,
    RawKind::Rw2,
    RawKind::Other,
];
/// When and where the planted files were taken.
const TAKEN: CaptureTime = CaptureTime { wall_ms: 1_688_851_815_000, offset_min: Some(120) };

/// Four quarters, as in the files of `testdata`: red, green; blue, yellow.
const QUARTERS: [[u8; 3]; 4] = [[200, 40, 40], [40, 180, 60], [50, 70, 200], [220, 200, 60]];

fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb(QUARTERS[usize::from(x >= width / 2) + 2 * usize::from(y >= height / 2)])
    })
}

fn written(format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    DynamicImage::from(picture(96, 64)).write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn inspected(file: &[u8]) -> (Inspection, DynamicImage) {
    let (answer, parts) = inspect(file).unwrap();
    let Answer::Inspected { inspection, .. } = answer else { panic!("another answer") };
    (*inspection, image::load_from_memory(&parts[1]).unwrap())
}

/// Whether the middles of the quarters have these colours, from the upper left in lines.
fn assert_shows(image: &DynamicImage, colours: [[u8; 3]; 4], what: &str) {
    let image = image.to_rgb8();
    for (at, colour) in colours.into_iter().enumerate() {
        let (x, y) = (u32::from(at % 2 == 1) * 2 + 1, u32::from(at > 1) * 2 + 1);
        let is = image.get_pixel(image.width() * x / 4, image.height() * y / 4).0;
        let off = is.iter().zip(colour).map(|(is, should)| is.abs_diff(should)).max().unwrap();
        assert!(off < 24, "{what}: {is:?} instead of {colour:?} in quarter {at}");
    }
}

#[test]
fn formats_of_the_image_crate_are_read() {
    for (format, is) in
        [(ImageFormat::Gif, Format::Gif), (ImageFormat::Tiff, Format::Tiff), (ImageFormat::Bmp, Format::Bmp)]
    {
        let (said, preview) = inspected(&written(format));
        assert_eq!((said.format, said.width, said.height), (is, 96, 64));
        assert_shows(&preview, QUARTERS, is.extension());
    }
}

#[test]
fn heic_and_avif_are_read_with_what_they_say() {
    for (file, format) in [(HEIC, Format::Heif), (AVIF, Format::Avif)] {
        let (said, preview) = inspected(file);
        assert_eq!((said.format, said.width, said.height, said.orientation), (format, 96, 64, 1));
        assert_eq!((said.camera.as_deref(), said.taken_at), (Some("CANARY One"), Some(TAKEN)));
        assert!(said.has_location);
        assert_shows(&preview, QUARTERS, format.extension());
    }
}

#[test]
fn an_avif_of_tiles_is_put_together() {
    let whole = Heif::open(AVIF).unwrap();
    let coded = whole.bytes(whole.primary).unwrap();
    let file = avif_grid(whole.property(whole.primary, b"av1C").unwrap(), &coded, (96, 64));
    let (said, preview) = inspected(&file);
    assert_eq!((said.width, said.height), (192, 128));
    for (x, y) in [(0, 0), (96, 0), (0, 64), (96, 64)] {
        assert_shows(&preview.crop_imm(x, y, 96, 64), QUARTERS, "a tile");
    }
}

#[test]
fn raw_files_of_every_kind_show_their_preview_upright_with_what_they_say() {
    let preview = written(ImageFormat::Jpeg);
    for kind in KINDS {
        let file = raw_file(kind, &preview);
        let (said, shown) = inspected(&file);
        assert_eq!(said.format, Format::Raw(kind));
        if kind == RawKind::Raf {
            // Fujifilm leaves everything to the JPEG, which says nothing here.
            assert_eq!((said.width, said.height, said.orientation, said.camera), (96, 64, 1, None));
            assert_shows(&shown, QUARTERS, "raf");
            continue;
        }
        assert_eq!((said.width, said.height, said.orientation), (64, 96, 6), "{kind:?}");
        assert_eq!(said.taken_at, Some(TAKEN), "{kind:?}");
        assert!(said.camera.unwrap().ends_with("Camera One"), "{kind:?}");
        assert!(said.has_location, "{kind:?}");
        let [red, green, blue, yellow] = QUARTERS;
        assert_shows(&shown, [blue, red, yellow, green], kind.extension());
    }
}

#[test]
fn a_raw_file_without_a_preview_says_so() {
    let file = raw_file(RawKind::Nef, b"\xff\xd8no picture at all");
    assert_eq!(
        inspect(&file).unwrap_err(),
        Refusal::Damaged("the camera's raw file holds no preview that can be shown".to_string())
    );
}

#[test]
fn d4_what_the_egress_filter_gets_of_other_formats_is_their_pixels_only() {
    let preview = written(ImageFormat::Jpeg);
    let mut all: Vec<Vec<u8>> = KINDS.iter().map(|kind| raw_file(*kind, &preview)).collect();
    all.extend([HEIC.to_vec(), AVIF.to_vec(), written(ImageFormat::Tiff), written(ImageFormat::Bmp)]);
    for file in all {
        let format = Format::sniff(&file).unwrap();
        let out = filterable(&file).unwrap();
        assert_eq!(Format::sniff(&out), Some(Format::Jpeg), "{format:?}");
        assert_eq!(memchr::memmem::find(&out, CANARY.as_bytes()), None, "{format:?}");
        let kept = jpeg::segments(&out).unwrap();
        assert!(kept.iter().all(|segment| !(0xe1..=0xef).contains(&segment.marker)), "{format:?}: no application data");
        let (said, shown) = inspected(&file);
        let sent = image::load_from_memory(&out).unwrap();
        assert_eq!((sent.width(), sent.height()), (said.width, said.height), "{format:?}");
        let colours = [(1, 1), (3, 1), (1, 3), (3, 3)]
            .map(|(x, y)| shown.to_rgb8().get_pixel(shown.width() * x / 4, shown.height() * y / 4).0);
        assert_shows(&sent, colours, format.extension());
    }
    let gif = written(ImageFormat::Gif);
    assert!(*filterable(&gif).unwrap() == gif, "the filter takes GIF apart itself");
}

#[test]
fn d7_bombs_are_refused_by_their_headers() {
    let mut bmp = written(ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    assert_eq!(inspect(&bmp).unwrap_err(), Refusal::SideTooLong { side_px: 65_535 });
    let mut gif = written(ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xff, 0x7f, 0xff, 0x7f]);
    assert!(matches!(inspect(&gif).unwrap_err(), Refusal::TooManyPixels { .. }));
    let at = memchr::memmem::find(AVIF, b"ispe").unwrap() + 8;
    let mut avif = AVIF.to_vec();
    avif[at..at + 8].copy_from_slice(&[0, 0, 0x24, 0, 0, 0, 0x24, 0]);
    assert_eq!(inspect(&avif).unwrap_err(), Refusal::NeedsTooMuchMemory);
    avif[at..at + 8].copy_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0]);
    assert_eq!(inspect(&avif).unwrap_err(), Refusal::Damaged("its size does not fit its pixels".to_string()));
}

#[test]
fn every_truncation_is_refused_or_read_and_never_panics() {
    let preview = written(ImageFormat::Jpeg);
    let mut all: Vec<Vec<u8>> = KINDS.iter().map(|kind| raw_file(*kind, &preview)).collect();
    all.extend([HEIC.to_vec(), AVIF.to_vec()]);
    all.extend([ImageFormat::Tiff, ImageFormat::Bmp, ImageFormat::Gif].map(written));
    for file in all {
        let format = Format::sniff(&file).unwrap();
        for len in (0..file.len()).step_by(61) {
            let _ = inspect(&file[..len]);
        }
        if !matches!(format, Format::Raw(_)) {
            assert!(inspect(&file[..file.len() / 2]).is_err(), "{format:?}: half a file is no photo");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn d8_damage_anywhere_is_refused_or_read_and_never_panics(
        which in 0..14_usize, damage in vec((any::<Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = match which {
            0..9 => raw_file(KINDS[which], &written(ImageFormat::Jpeg)),
            9 => HEIC.to_vec(),
            10 => AVIF.to_vec(),
            11 => written(ImageFormat::Tiff),
            12 => written(ImageFormat::Gif),
            _ => written(ImageFormat::Bmp),
        };
        for (at, byte) in damage {
            // The head is where the structure is.
            let at = at.index(file.len().min(1200));
            file[at] = byte;
        }
        let _ = inspect(&file);
    }
}
