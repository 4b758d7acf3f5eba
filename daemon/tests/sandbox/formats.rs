//! Every format through a real, confined child: what is shown, and what leaves.

use std::process::Command;

use bytes::Bytes;
use image::ImageFormat;
use inframe::sandbox::{Details, Format, FractionRect, Refusal, SandboxError};

use crate::files::{encode, picture};
use crate::sandbox;

/// Made here with libheif from a picture of four colours; EXIF with a place, XMP and a serial number were added.
const HEIC: &[u8] = include_bytes!("../../testdata/tiny.heic");
const AVIF: &[u8] = include_bytes!("../../testdata/tiny.avif");
/// A HEIC in four slices, which `heic-decoder` does not read.
const SLICED: &[u8] = include_bytes!("../../testdata/sliced.heic");

fn files() -> Vec<(Format, Vec<u8>)> {
    vec![
        (Format::Heif, HEIC.to_vec()),
        (Format::Avif, AVIF.to_vec()),
        (Format::Gif, encode(&picture(), ImageFormat::Gif)),
        (Format::Tiff, encode(&picture(), ImageFormat::Tiff)),
        (Format::Bmp, encode(&picture(), ImageFormat::Bmp)),
    ]
}

#[tokio::test]
async fn every_format_is_inspected_cut_and_searched_in_a_confined_child() {
    let sandbox = sandbox();
    for (format, file) in files() {
        let file = Bytes::from(file);
        let inspection = sandbox.inspect(file.clone()).await.unwrap();
        assert_eq!((inspection.format, inspection.width, inspection.height), (format, 96, 64));
        let whole = FractionRect { x: 0.0, y: 0.0, w: 0.5, h: 0.5 };
        let crop = sandbox.crop(file.clone(), whole, 0.0, 1024).await.unwrap();
        let crop = image::load_from_memory(&crop).unwrap().into_rgb8();
        assert_eq!(crop.dimensions(), (48, 32), "{format:?}");
        let [red, green, blue] = crop.get_pixel(24, 16).0;
        assert!(red > 150 && green < 80 && blue < 80, "{format:?}: the upper left quarter is red");
        assert_eq!(sandbox.faces(file).await.unwrap().faces.len(), 0, "{format:?}");
    }
}

#[tokio::test]
async fn d4_what_leaves_of_every_format_says_nothing_but_pixels() {
    let sandbox = sandbox();
    let exiftool = Command::new("exiftool").arg("-ver").output().is_ok();
    if !exiftool {
        eprintln!("exiftool is not installed: what leaves is searched for planted words only");
    }
    for (format, file) in files() {
        let out = sandbox.rendition(file.into(), Details::default()).await.unwrap();
        let sent_as = if format == Format::Gif { Format::Gif } else { Format::Jpeg };
        assert_eq!(Format::sniff(&out), Some(sent_as), "{format:?}");
        assert_eq!(memchr::memmem::find(&out, b"CANARY"), None, "{format:?}");
        let image = image::load_from_memory(&out).unwrap();
        assert_eq!((image.width(), image.height()), (96, 64));
        if exiftool {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("sent");
            std::fs::write(&path, &out).unwrap();
            let said = Command::new("exiftool").args(["-G1", "-s", "-a", "-u"]).arg(&path).output().unwrap();
            let said = String::from_utf8(said.stdout).unwrap();
            assert!(said.contains("ImageWidth"), "{said}");
            for line in said.lines() {
                let group = line.trim_start_matches('[').split(']').next().unwrap_or_default();
                let known = ["ExifTool", "System", "File", "JFIF", "GIF", "Composite"];
                assert!(known.contains(&group), "{format:?} says: {line}");
            }
        }
    }
}

#[tokio::test]
async fn a_heic_that_needs_libheif_is_read_with_it_or_says_so() {
    let sandbox = sandbox();
    let inspected = sandbox.inspect(SLICED.into()).await;
    if sandbox.has_libheif() {
        let inspection = inspected.unwrap();
        assert_eq!((inspection.format, inspection.width, inspection.height), (Format::Heif, 256, 256));
        let left = sandbox.rendition(SLICED.into(), Details::default()).await.unwrap();
        assert_eq!(Format::sniff(&left), Some(Format::Jpeg));
        let cut = Bytes::from_static(&SLICED[..SLICED.len() - 200]);
        assert!(matches!(sandbox.inspect(cut).await, Err(SandboxError::Refused(_))), "a file cut short stays one");
    } else {
        eprintln!("libheif-examples is not installed: only the advice to install it is tested");
        assert_eq!(inspected.unwrap_err(), SandboxError::Refused(Refusal::NeedsLibheif));
        assert!(Refusal::NeedsLibheif.to_string().contains("Debian package libheif-examples"));
    }
}

#[tokio::test]
async fn hostile_files_of_every_format_are_refused_and_the_child_lives_on() {
    let sandbox = sandbox();
    for (format, file) in files() {
        let half = Bytes::from(file[..file.len() / 2].to_vec());
        let refused = sandbox.inspect(half).await.unwrap_err();
        assert!(matches!(refused, SandboxError::Refused(_)), "{format:?} gave {refused}");
    }
    assert_eq!(sandbox.status().processes, 1, "one child did it all");
}
