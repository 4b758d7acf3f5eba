//! `cargo bench --profile dev -p inframe --bench vault [-- PHOTOS]`: what taking photos into the vault costs beside a plain loop that does the same
//! work, and what ciphers and sizes of chunks would change.
//!
//! The photos are of 12 megapixels (200 unless said otherwise), all different, read from files. "ours" is what an import does with each once it was
//! looked at: hash, seal, write, fsync, rename, fsync of the folder, a row in the catalog with its fsync. "plain loop" reads, hashes with BLAKE3, seals
//! with ChaCha20-Poly1305 in chunks of the same size, writes, and waits for the disk as often: the file, its folder, and a journal that gets as many
//! bytes. They take turns, each round in a new folder; of the rounds the median counts.

mod plain;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};
use inframe::data_dir::DataDir;
use inframe::vault::{Batch, BlobKind, KeyFile, Kind, Vault};
use inframe_protocol::{ContentId, aead};

use plain::{median, nonce, spread};

const ROUNDS: usize = 5;
/// Bytes of a photo's row, sealed.
const ROW_BYTES: usize = 300;
/// Importers at once.
const SIDE_BY_SIDE: [usize; 2] = [1, 4];
const CHUNKS_KIB: [usize; 5] = [16, 64, 256, 1024, 4096];
/// Bytes through each cipher.
const CIPHERED: usize = 256 << 20;

fn main() -> Result<()> {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200);
    ciphers();
    let place = tempfile::tempdir()?;
    let (mut photos, mut bytes) = (Vec::new(), 0);
    for (number, jpeg) in plain::photos(count)?.enumerate() {
        photos.push(place.path().join(format!("IMG_{number:04}.jpg")));
        fs::write(&photos[number], &jpeg)?;
        bytes += jpeg.len() as u64;
    }
    println!(
        "\n{count} photos of 12 megapixels, {:.1} MB each on average, {ROUNDS} rounds in turns",
        bytes as f64 / 1e6 / count as f64
    );
    println!("{:>12} {:>22} {:>22} {:>7}", "side by side", "ours", "plain loop", "ratio");
    for workers in SIDE_BY_SIDE {
        let (mut our_rounds, mut plain_rounds) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let folder = place.path().join(format!("{workers}-{round}"));
            our_rounds.push(import(&folder.join("ours"), &photos, workers)?);
            plain_rounds.push(plain_loop(&folder.join("plain"), &photos, workers)?);
            fs::remove_dir_all(&folder)?;
        }
        let (ours, plain) = (median(our_rounds), median(plain_rounds));
        let shown = |seconds: f64| {
            format!("{:.0} MB/s {:.1} ms each", bytes as f64 / 1e6 / seconds, 1000.0 * seconds / count as f64)
        };
        println!("{workers:>12} {:>22} {:>22} {:>7.2}", shown(ours), shown(plain), plain / ours);
    }
    Ok(())
}

/// Sealing by what there is, in chunks of several sizes.
fn ciphers() {
    println!("seal, MB/s of one core");
    print!("{:<36}", "");
    CHUNKS_KIB.iter().for_each(|kib| print!("{:>9}", format!("{kib} KiB")));
    println!();
    row("XChaCha20-Poly1305, chacha20poly1305", |number, chunk| {
        let mut long = [0; 24];
        long[12..].copy_from_slice(&nonce(number));
        black_box(aead::seal_extended(&plain::KEY, &long, plain::ASSOCIATED, chunk).is_some());
    });
    for (name, algorithm) in
        [("ChaCha20-Poly1305, ring", &ring::aead::CHACHA20_POLY1305), ("AES-256-GCM, ring", &ring::aead::AES_256_GCM)]
    {
        let Ok(key) = ring::aead::UnboundKey::new(algorithm, &[7; 32]) else { continue };
        let key = ring::aead::LessSafeKey::new(key);
        row(name, |number, chunk| {
            let nonce = ring::aead::Nonce::assume_unique_for_key(nonce(number));
            black_box(key.seal_in_place_separate_tag(nonce, ring::aead::Aad::from(b"aad"), chunk).is_ok());
        });
    }
    row("BLAKE3, for comparison", |_, chunk| _ = black_box(blake3::hash(chunk)));
}

fn row(name: &str, mut seal: impl FnMut(u64, &mut [u8])) {
    print!("{name:<36}");
    for kib in CHUNKS_KIB {
        let mut chunk = vec![1; kib << 10];
        let times = CIPHERED / chunk.len();
        let mut rounds: Vec<f64> = Vec::new();
        for _ in 0..3 {
            let began = Instant::now();
            (0..times as u64).for_each(|number| seal(number, &mut chunk));
            rounds.push(began.elapsed().as_secs_f64());
        }
        print!("{:>9.0}", CIPHERED as f64 / 1e6 / median(rounds));
    }
    println!();
}

fn import(folder: &Path, photos: &[PathBuf], workers: usize) -> Result<f64> {
    fs::create_dir_all(folder)?;
    let vault = Vault::open(&DataDir::open(folder.join("data"))?, &KeyFile::at(folder.join("master.key")))?;
    let none = || Ok(());
    let (_, took) = spread(photos, workers, none, |(), path| {
        let bytes = fs::read(path)?;
        let content = ContentId::of(&bytes);
        let mut blobs = vault.blobs().batch()?;
        blobs.put(BlobKind::Original, path.as_os_str().as_encoded_bytes(), &bytes)?;
        blobs.commit()?;
        let mut batch = Batch::default();
        batch.put(Kind::Asset, content.0, vec![1; ROW_BYTES]);
        vault.catalog().commit(batch)?;
        Ok(1)
    })?;
    ensure!(vault.catalog().count(Kind::Asset)? == photos.len(), "two photos are one");
    Ok(took)
}

fn plain_loop(folder: &Path, photos: &[PathBuf], workers: usize) -> Result<f64> {
    fs::create_dir_all(folder)?;
    let opened = File::open(folder)?;
    let journal = File::create(folder.join("journal"))?;
    let none = || Ok(());
    let (_, took) = spread(photos, workers, none, |(), path| {
        let mut bytes = fs::read(path)?;
        let content = blake3::hash(&bytes);
        let mut out = File::create(folder.join(content.to_hex().as_str()))?;
        plain::seal(&mut bytes, &mut out)?;
        out.sync_all()?;
        opened.sync_all()?;
        (&journal).write_all(&[1; ROW_BYTES])?;
        journal.sync_data()?;
        Ok(1)
    })?;
    Ok(took)
}
