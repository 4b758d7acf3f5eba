//! What the vault is held against: photos of 12 megapixels, and the parts of a plain loop over them.

#![allow(dead_code)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use inframe::limits::BLOB_CHUNK_BYTES;
use inframe_protocol::aead;

pub const KEY: [u8; 32] = [7; 32];
pub const ASSOCIATED: &[u8] = b"aad";

/// Real photos enlarged to 12 megapixels and told apart by a comment.
pub fn photos(count: usize) -> Result<impl Iterator<Item = Vec<u8>>> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/node_modules/@vladmandic/face-api/demo");
    let mut encoded = Vec::new();
    for number in 1..=4 {
        let path = samples.join(format!("sample{number}.jpg"));
        let photo = image::open(&path).with_context(|| format!("{} (run `make setup`)", path.display()))?;
        let photo = photo.resize_exact(4000, 3000, image::imageops::FilterType::CatmullRom);
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 99).encode_image(&photo.to_rgb8())?;
        encoded.push(jpeg);
    }
    Ok((0..count).map(move |number| {
        let (jpeg, text) = (&encoded[number % encoded.len()], format!("{number:08}"));
        [&jpeg[..2], &[0xff, 0xfe, 0, 10], text.as_bytes(), &jpeg[2..]].concat()
    }))
}

pub fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// Seals `bytes` with ChaCha20-Poly1305 in chunks of the size that the vault has.
pub fn seal(bytes: &mut [u8], out: &mut File) -> Result<()> {
    for (number, chunk) in bytes.chunks_mut(BLOB_CHUNK_BYTES).enumerate() {
        let tag = aead::seal(&KEY, &nonce(number as u64), ASSOCIATED, chunk).context("not sealed")?;
        out.write_all(chunk)?;
        out.write_all(&tag)?;
    }
    Ok(())
}

/// Each item by one of so many threads, each with a tool of its own; the sum of the results, and seconds once the tools are there.
pub fn spread<I: Sync, T: Send>(
    items: &[I],
    workers: usize,
    tool: impl Fn() -> Result<T>,
    work: impl Fn(&mut T, &I) -> Result<u64> + Sync,
) -> Result<(u64, f64)> {
    let tools: Vec<T> = (0..workers).map(|_| tool()).collect::<Result<_>>()?;
    let began = Instant::now();
    let sum: Result<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = tools
            .into_iter()
            .enumerate()
            .map(|(first, mut tool)| {
                let work = &work;
                scope.spawn(move || {
                    items.iter().skip(first).step_by(workers).map(|item| work(&mut tool, item)).sum::<Result<u64>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?).sum()
    });
    Ok((sum?, began.elapsed().as_secs_f64()))
}

pub fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}
