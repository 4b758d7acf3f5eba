//! Files built to hurt whoever decodes them. Each is made here byte by byte, given to a real child, and must end in a picture or a refusal: never
//! in a crash, and within bounds of time and memory that do not depend on what the file claims.

mod jpeg;
mod png;
mod webp;

use std::time::Duration;

use bytes::Bytes;
use image::ImageFormat;
use inframe::sandbox::{Details, Sandbox, SandboxError, limits};
use tokio::time::Instant;

use crate::files::{encode, picture};
use crate::{memory, only_child, sandbox};

/// A limit for one file, far above what any needs, so that a loaded machine passes and a loop does not.
const LONGEST: Duration = Duration::from_secs(15);
/// What a child may take for any of the small files here, in bytes, besides what it takes for a harmless picture.
const MOST_MEMORY: u64 = 96 * 1024 * 1024;

type Bomb = (&'static str, fn() -> Vec<u8>);

/// What a bomb may come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Refused,
    /// Viewers show it, and so do we: what is wrong does not concern the picture.
    Shown,
    Either,
}

async fn explode(bombs: &[(End, Bomb)]) {
    let sandbox = sandbox();
    let harmless = Bytes::from(encode(&picture(), ImageFormat::Jpeg));
    sandbox.inspect(harmless.clone()).await.unwrap();
    let child = only_child(&sandbox);
    let usual = memory(child, "VmHWM").unwrap();
    for (end, (what, make)) in bombs {
        let file = Bytes::from(make());
        let size = file.len() as u64;
        let begun = Instant::now();
        let came_to = one(&sandbox, what, file).await;
        assert!(begun.elapsed() < LONGEST, "{what} took {:?}", begun.elapsed());
        assert!(
            *end == End::Either || *end == came_to,
            "{what} was {}",
            if came_to == End::Shown { "shown" } else { "refused" }
        );
        assert_eq!(only_child(&sandbox), child, "{what} cost a child");
        let most = memory(child, "VmHWM").unwrap();
        assert!(most < usual + 2 * size + MOST_MEMORY, "{what} took {} MiB", (most - usual) / (1024 * 1024));
    }
    sandbox.inspect(harmless).await.unwrap();
}

/// Every job that reads a file.
async fn one(sandbox: &Sandbox, what: &str, file: Bytes) -> End {
    let fine = |error: &SandboxError| matches!(error, SandboxError::Refused(_));
    if let Err(error) = sandbox.rendition(file.clone(), Details::default()).await {
        assert!(fine(&error), "{what}, filtered: {error}");
    }
    match sandbox.inspect(file).await {
        Ok(_) => End::Shown,
        Err(error) if fine(&error) => End::Refused,
        Err(error) => panic!("{what}: {error}"),
    }
}

const POLYGLOTS: &[(End, Bomb)] = &[
    (End::Refused, ("nothing", Vec::new)),
    (End::Refused, ("one byte", || vec![0xff])),
    (End::Refused, ("a web page", || b"<!doctype html><script>alert(1)</script>".to_vec())),
    (
        End::Refused,
        ("a drawing that fetches", || {
            b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/'/></svg>".to_vec()
        }),
    ),
    (End::Refused, ("a program", || std::fs::read("/proc/self/exe").unwrap()[..100_000].to_vec())),
    (
        End::Refused,
        ("a PDF with a JPEG in it", || [b"%PDF-1.7\n", &encode(&picture(), ImageFormat::Jpeg)[..]].concat()),
    ),
    (End::Refused, ("a script behind the signature of GIF", || b"GIF89a/*\0\0\0\0\0*/=1;alert(1)".to_vec())),
    (
        End::Refused,
        ("a GIF of 65,535 pixels a side", || {
            b"GIF89a\xff\xff\xff\xff\xf0\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;".to_vec()
        }),
    ),
    (
        End::Refused,
        ("a TIFF whose directory follows itself", || {
            jpeg::directory(&[(0x0100, jpeg::LONG, 1, u32::MAX), (0x0101, jpeg::LONG, 1, u32::MAX)], 8)
        }),
    ),
    (
        End::Refused,
        ("a BMP of 2^31 pixels a side", || {
            [b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f\x01\0\x18\0", &[0; 40][..]]
                .concat()
        }),
    ),
    (
        End::Shown,
        ("a JPEG with an archive behind it", || {
            [&encode(&picture(), ImageFormat::Jpeg)[..], b"PK\x03\x04", &[7; 10_000]].concat()
        }),
    ),
    (
        End::Either,
        ("a PNG with a web page behind it", || [&encode(&picture(), ImageFormat::Png)[..], b"<html><script>"].concat()),
    ),
    (
        End::Either,
        ("a JPEG that goes on as a PNG", || {
            [&encode(&picture(), ImageFormat::Jpeg)[..], &encode(&picture(), ImageFormat::Png)].concat()
        }),
    ),
];

#[tokio::test]
async fn d7_png_bombs_end_in_a_refusal_or_a_picture() {
    explode(png::PNGS).await;
}

#[tokio::test]
async fn d7_jpeg_bombs_end_in_a_refusal_or_a_picture() {
    explode(jpeg::JPEGS).await;
}

#[tokio::test]
async fn d7_webp_bombs_end_in_a_refusal_or_a_picture() {
    explode(webp::WEBPS).await;
}

#[tokio::test]
async fn d8_files_that_are_two_things_are_what_their_first_bytes_say() {
    explode(POLYGLOTS).await;
}

/// The first 200 cuts, and then some, of a file of each format; and every file with one of its first 64 bytes at its largest.
#[tokio::test]
async fn d8_no_cut_and_no_huge_byte_in_a_header_stops_a_child() {
    let sandbox = sandbox();
    sandbox.inspect(encode(&picture(), ImageFormat::Jpeg).into()).await.unwrap();
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
        let whole = encode(&picture(), format);
        let cuts = (0..whole.len()).filter(|len| *len < 200 || len % 37 == 0);
        for len in cuts {
            let file = Bytes::copy_from_slice(&whole[..len]);
            assert!(one(&sandbox, "a cut", file).await == End::Refused, "{format:?} cut to {len}");
        }
        for at in 0..64.min(whole.len()) {
            let mut file = whole.clone();
            file[at] = 0xff;
            one(&sandbox, "a huge byte", file.into()).await;
        }
    }
    assert!(memory(only_child(&sandbox), "VmPeak").unwrap() < limits::CHILD_ADDRESS_BYTES);
}
