//! Files that mean harm or were harmed: each gets the refusal that says why, from a child that lives on.

use bytes::Bytes;
use image::ImageFormat;
use inframe::sandbox::{Details, FractionRect, Refusal, Sandbox, SandboxError, limits};
use proptest::test_runner::{Config, TestRunner};

use crate::files::{clear, encode, jpeg_that_claims, picture, png_that_claims, progressive};
use crate::{only_child, sandbox};

async fn refusal(sandbox: &Sandbox, file: impl Into<Bytes>) -> Refusal {
    match sandbox.inspect(file.into()).await {
        Err(SandboxError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn d7_what_is_no_image_is_refused() {
    let sandbox = sandbox();
    let mut wrong_magic = encode(&picture(), ImageFormat::Jpeg);
    wrong_magic[0] = 0xfe;
    let html = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
    for file in [vec![], vec![0xff], wrong_magic, html, b"GIF88a\x01\0\x01\0\0\0\0;".to_vec(), b"words\n".to_vec()] {
        assert_eq!(refusal(&sandbox, file).await, Refusal::NotAnImage);
    }
}

#[tokio::test]
async fn files_that_were_cut_off_are_told_so() {
    let sandbox = sandbox();
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = encode(&picture(), format);
        for len in [whole.len() / 2, whole.len() - 1] {
            assert_eq!(refusal(&sandbox, whole[..len].to_vec()).await, Refusal::CutShort, "{format:?} to {len}");
        }
    }
}

#[tokio::test]
async fn a_wrong_checksum_and_broken_pixels_are_damage() {
    let sandbox = sandbox();
    let mut png = encode(&picture(), ImageFormat::Png);
    let middle = png.len() / 2;
    png[middle] ^= 0x55;
    assert_eq!(refusal(&sandbox, png).await, Refusal::Damaged("a checksum is wrong".to_string()));
    assert!(matches!(refusal(&sandbox, png_that_claims(100, 100)).await, Refusal::Damaged(_) | Refusal::CutShort));
}

#[tokio::test]
async fn d7_sizes_over_the_limit_are_refused_from_the_header() {
    let sandbox = sandbox();
    sandbox.inspect(encode(&picture(), ImageFormat::Jpeg).into()).await.unwrap();
    let before = crate::memory(only_child(&sandbox), "VmHWM").unwrap();
    assert_eq!(refusal(&sandbox, png_that_claims(15_000, 10_001)).await, Refusal::TooManyPixels { megapixels: 151 });
    assert_eq!(refusal(&sandbox, jpeg_that_claims(20_000, 20_000)).await, Refusal::TooManyPixels { megapixels: 400 });
    assert_eq!(refusal(&sandbox, jpeg_that_claims(65_500, 1)).await, Refusal::SideTooLong { side_px: 65_500 });
    assert_eq!(
        refusal(&sandbox, png_that_claims(1, u32::MAX >> 1)).await,
        Refusal::SideTooLong { side_px: u32::MAX >> 1 }
    );
    let after = crate::memory(only_child(&sandbox), "VmHWM").unwrap();
    assert!(after - before < 16 * 1024 * 1024, "a header made a child take {} bytes", after - before);
}

#[tokio::test]
async fn the_most_expensive_images_within_the_limits_fit_beside_the_face_model() {
    let sandbox = sandbox();
    assert_eq!(sandbox.faces(crate::files::sample(1).into()).await.unwrap().faces.len(), 3);
    let child = only_child(&sandbox);
    let whole = FractionRect { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
    for (what, file) in [("progressive", progressive(15_000, 10_000)), ("16 bits", clear(15_000, 10_000))] {
        let wrong = |error: SandboxError| -> ! { panic!("{what}: {error}") };
        let inspection = sandbox.inspect(file.clone()).await.unwrap_or_else(|error| wrong(error));
        assert_eq!((inspection.width, inspection.height), (15_000, 10_000));
        assert!(sandbox.faces(file.clone()).await.unwrap_or_else(|error| wrong(error)).faces.is_empty());
        sandbox.crop(file.clone(), whole, 0.0, 1024).await.unwrap_or_else(|error| wrong(error));
        sandbox.rendition(file, Details::default()).await.unwrap_or_else(|error| wrong(error));
        // The same images in files of the largest size, with a margin for what differs between machines.
        let peak = crate::memory(child, "VmPeak").unwrap() + limits::MAX_FILE_BYTES as u64;
        assert!(peak < limits::CHILD_ADDRESS_BYTES / 4 * 3, "{what}: {peak}");
    }
    assert_eq!(only_child(&sandbox), child);
}

#[tokio::test]
async fn d7_files_over_the_limit_reach_no_child() {
    let sandbox = sandbox();
    let mut file = encode(&picture(), ImageFormat::Jpeg);
    file.resize(limits::MAX_FILE_BYTES + 1, 0);
    let file = Bytes::from(file);
    assert_eq!(sandbox.inspect(file.clone()).await, Err(SandboxError::TooLarge));
    assert_eq!(sandbox.status().processes, 0);
    // What follows the end of a JPEG is not part of the image, so that the limit itself can be tried.
    let inspection = sandbox.inspect(file.slice(..limits::MAX_FILE_BYTES)).await.unwrap();
    assert_eq!((inspection.width, inspection.height), crate::files::SIZE);
}

#[tokio::test]
async fn refusals_are_no_strikes_and_all_jobs_give_them() {
    let sandbox = sandbox();
    let words = || Bytes::from_static(b"words\n");
    let rect = FractionRect { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
    let errors = [
        sandbox.inspect(words()).await.unwrap_err(),
        sandbox.faces(words()).await.unwrap_err(),
        sandbox.enrol(words()).await.unwrap_err(),
        sandbox.crop(words(), rect, 0.0, 100).await.unwrap_err(),
        sandbox.rendition(words(), Details::default()).await.unwrap_err(),
    ];
    for error in &errors[..4] {
        assert_eq!(*error, SandboxError::Refused(Refusal::NotAnImage));
    }
    assert!(errors.iter().all(|error| matches!(error, SandboxError::Refused(_)) && !error.is_strike()), "{errors:?}");
}

/// A crash or a hang over any of these would be a strike, and would end the child that the first file was given to.
#[test]
fn d7_no_flipped_byte_stops_a_child() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let sandbox = sandbox();
    let files: Vec<Vec<u8>> =
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP].map(|format| encode(&picture(), format)).to_vec();
    runtime.block_on(sandbox.inspect(files[0].clone().into())).unwrap();
    let child = only_child(&sandbox);
    let flips = proptest::collection::vec((proptest::num::usize::ANY, proptest::num::u8::ANY), 1..8);
    TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() })
        .run(&(0..files.len(), flips), |(which, flips)| {
            let mut file = files[which].clone();
            for (at, value) in flips {
                let at = at % file.len();
                file[at] = value;
            }
            match runtime.block_on(sandbox.inspect(file.into())) {
                Ok(_) | Err(SandboxError::Refused(_)) => Ok(()),
                Err(other) => Err(proptest::test_runner::TestCaseError::fail(other.to_string())),
            }
        })
        .unwrap();
    assert_eq!(only_child(&sandbox), child);
}
