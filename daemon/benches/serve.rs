//! `cargo bench --profile dev -p inframe --bench serve [-- PHOTOS]`: what a running daemon gives to a browser, beside a plain loop that reads and
//! decrypts the same files, and how soon a video begins in its middle.
//!
//! A real `inframe run` has photos of 12 megapixels (40 unless said otherwise). "ours" gets each of them over HTTP on loopback, on connections that
//! stay open, by clients that throw the bytes away. "plain loop" has the same photos sealed with ChaCha20-Poly1305 in chunks of the same size, one
//! file each; it reads and opens them chunk by chunk, on as many threads as there are clients. They take turns; of the rounds the median counts. All
//! files are in the page cache.
//!
//! The video has 2 GB of made-up bytes. For each of 50 places the time runs from sending the request to the first byte of the film, on a connection
//! that is open already: with the file in the page cache, and once more with it dropped from there before each request.

mod plain;
mod process;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use inframe::data_dir::DataDir;
use inframe::library::{AssetId, AssetKind, FacesState, Origin, PlayableState, StoredAsset};
use inframe::limits::BLOB_CHUNK_BYTES;
use inframe::vault::{Batch, BlobId, BlobKind, KeyFile, Kind, Vault};
use inframe_protocol::{ContentId, aead};
use reqwest::Method;
use rustix::fs::{Advice, fadvise};

use plain::{median, nonce, photos, spread};
use process::Daemon;

const ROUNDS: usize = 9;
const CLIENTS: [usize; 2] = [1, 4];
const VIDEO_BYTES: u64 = 2_000_000_000;
/// Places in the video that are asked for.
const PLACES: u64 = 50;
const READ_BYTES: usize = 256 << 10;

#[tokio::main]
async fn main() -> Result<()> {
    let count = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(40);
    let place = tempfile::tempdir()?;
    let video = put_video(place.path())?;
    let daemon = Daemon::start(place.path())?;
    let (mut ours, mut sealed) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for (number, jpeg) in photos(count)?.enumerate() {
        let upload = daemon.ask(Method::POST, &format!("/uploads?name={number}.jpg"), jpeg.clone()).await?;
        let upload: serde_json::Value = serde_json::from_slice(&upload)?;
        let id = upload["asset"].as_str().with_context(|| format!("not stored: {upload}"))?;
        ours.push(format!("/api/v1/assets/{id}/original"));
        sealed.push(seal(place.path(), number, jpeg.clone())?);
        bytes += jpeg.len();
    }
    let cookie = sign_in(&daemon).await?;
    let visit = || Visit::open(&daemon, &cookie);
    println!(
        "{count} photos of 12 megapixels, {:.1} MB each on average, {ROUNDS} rounds in turns",
        bytes as f64 / 1e6 / count as f64
    );
    println!("{:>8} {:>12} {:>12} {:>7}", "clients", "ours", "plain loop", "ratio");
    for clients in CLIENTS {
        let (mut our_rounds, mut plain_rounds) = (Vec::new(), Vec::new());
        // The first warms up.
        for round in 0..=ROUNDS {
            let our_round = spread(&ours, clients, visit, |visit, path| visit.whole(path))?;
            let buffer = || Ok(Vec::with_capacity(BLOB_CHUNK_BYTES + aead::TAG_BYTES));
            let plain_round = spread(&sealed, clients, buffer, open)?;
            ensure!(our_round.0 == bytes as u64 && plain_round.0 == bytes as u64, "not all bytes came");
            if round > 0 {
                our_rounds.push(our_round.1);
                plain_rounds.push(plain_round.1);
            }
        }
        let (ours, plain) = (median(our_rounds), median(plain_rounds));
        let speed = |seconds: f64| format!("{:.0} MB/s", bytes as f64 / 1e6 / seconds);
        println!("{clients:>8} {:>12} {:>12} {:>7.2}", speed(ours), speed(plain), plain / ours);
    }
    let video_file = largest(&place.path().join("data/blobs"))?;
    println!("\na range in a video of {} MB, to its first byte, {PLACES} places", VIDEO_BYTES / 1_000_000);
    println!("{:>24} {:>10} {:>10}", "", "median", "worst");
    for (name, cold) in [("in the page cache", false), ("dropped from it", true)] {
        let mut visit = visit()?;
        let mut times = Vec::new();
        for number in 0..PLACES {
            // Golden-ratio steps: all over the file, never twice.
            let at = (number * 1_236_067_977 + 1_000_000_007) % VIDEO_BYTES;
            if cold {
                fadvise(File::open(&video_file)?, 0, None, Advice::DontNeed)?;
            }
            times.push(visit.first_byte(&video, at)?);
        }
        let worst = times.iter().copied().fold(0.0, f64::max);
        println!("{name:>24} {:>7.2} ms {:>7.2} ms", 1000.0 * median(times), 1000.0 * worst);
    }
    daemon.stop()
}

/// Stores the video as an upload would, with its row; the path that gives it.
fn put_video(folder: &Path) -> Result<String> {
    let vault = Vault::open(&DataDir::open(folder.join("data"))?, &KeyFile::at(folder.join("master.key")))?;
    let id = AssetId::random().map_err(|_| anyhow::anyhow!("no randomness"))?;
    let mut writer = vault.blobs().writer(BlobKind::Original, &[&id.0[..], b"film.mp4"].concat())?;
    let mut piece = vec![0; 1_000_000];
    for number in 0..VIDEO_BYTES / piece.len() as u64 {
        piece[..8].copy_from_slice(&number.to_le_bytes());
        writer.write_all(&piece)?;
    }
    let original = writer.finish()?;
    let asset = StoredAsset {
        kind: AssetKind::Video { duration_ms: 1_000_000, playable: PlayableState::Original },
        content: ContentId::of(b"film"),
        file_name: "film.mp4".into(),
        media_type: "video/mp4".into(),
        size_bytes: VIDEO_BYTES,
        width: 1920,
        height: 1080,
        taken_at: Some(1_400_000_000_000),
        offset_minutes: None,
        imported_at: 1_400_000_000_000,
        camera: None,
        has_location: false,
        mean_colour: 0x8410,
        thumbhash: vec![7; 25],
        original,
        grid: Some(BlobId::random().context("no randomness")?),
        preview: Some(BlobId::random().context("no randomness")?),
        motion: None,
        origin: Origin::Imported,
        doubtful: false,
        faces: FacesState::Done { pack: "none".into(), count: 0 },
        trashed: None,
    };
    let mut batch = Batch::default();
    batch.put_versioned(Kind::Asset, id.0, &asset)?;
    vault.catalog().commit(batch)?;
    vault.settle()?;
    Ok(format!("/api/v1/assets/{id}/video"))
}

fn seal(folder: &Path, number: usize, mut bytes: Vec<u8>) -> Result<PathBuf> {
    let path = folder.join(format!("{number}.sealed"));
    plain::seal(&mut bytes, &mut File::create(&path)?)?;
    Ok(path)
}

/// The plain loop; how many bytes there were.
fn open(buffer: &mut Vec<u8>, path: &PathBuf) -> Result<u64> {
    let file = File::open(path)?;
    let mut all = 0;
    for number in 0.. {
        buffer.clear();
        (&file).take((BLOB_CHUNK_BYTES + aead::TAG_BYTES) as u64).read_to_end(buffer)?;
        let Some((chunk, tag)) = buffer.split_last_chunk_mut() else { break };
        ensure!(aead::open(&plain::KEY, &nonce(number), plain::ASSOCIATED, chunk, *tag), "not opened");
        all += black_box(chunk).len() as u64;
    }
    Ok(all)
}

/// The cookie that a browser gets for the launch link.
async fn sign_in(daemon: &Daemon) -> Result<String> {
    let (_, token) = daemon.ready("launch")?.split_once("#launch=").context("a launch link without a token")?;
    let session = format!("{}/api/v1/session", daemon.ready("dashboard")?.trim_end_matches('/'));
    let answer = reqwest::Client::new().post(session).json(&serde_json::json!({ "token": token })).send().await?;
    let cookie = answer.headers().get("set-cookie").context("no cookie")?.to_str()?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

/// A client with one connection that stays open.
struct Visit {
    stream: BufReader<TcpStream>,
    host: String,
    cookie: String,
}

impl Visit {
    fn open(daemon: &Daemon, cookie: &str) -> Result<Self> {
        let host = daemon.ready("dashboard")?.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let stream = TcpStream::connect(&host)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(READ_BYTES, stream), host, cookie: cookie.to_owned() })
    }

    /// Asks, and reads up to the body; its length.
    fn ask(&mut self, path: &str, more: &str) -> Result<u64> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n{more}\r\n", self.host, self.cookie);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut length = None;
        for number in 0.. {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            ensure!(number > 0 || line.starts_with("HTTP/1.1 20"), "{path}: {line}");
            match line.trim().split_once(": ") {
                Some(("content-length", value)) => length = Some(value.parse()?),
                None if number > 0 => break,
                _ => {}
            }
        }
        length.context("an answer without a length")
    }

    fn whole(&mut self, path: &str) -> Result<u64> {
        let length = self.ask(path, "")?;
        self.pass(length)?;
        Ok(length)
    }

    fn pass(&mut self, mut left: u64) -> Result<()> {
        while left > 0 {
            let there = self.stream.fill_buf()?.len().min(usize::try_from(left)?);
            ensure!(there > 0, "the answer was broken off");
            self.stream.consume(there);
            left -= there as u64;
        }
        Ok(())
    }

    /// Asks for a megabyte from `at` on, as a player does; seconds to its first byte.
    fn first_byte(&mut self, path: &str, at: u64) -> Result<f64> {
        let range = format!("Range: bytes={at}-{}\r\n", at + 999_999);
        let began = Instant::now();
        let length = self.ask(path, &range)?;
        ensure!(!self.stream.fill_buf()?.is_empty(), "no film");
        let took = began.elapsed().as_secs_f64();
        self.pass(length)?;
        Ok(took)
    }
}

fn largest(folder: &Path) -> Result<PathBuf> {
    let mut all = Vec::new();
    for bucket in fs::read_dir(folder)? {
        let bucket = bucket?.path();
        if bucket.is_dir() {
            all.extend(fs::read_dir(bucket)?.flatten().map(|entry| entry.path()));
        }
    }
    all.into_iter().max_by_key(|path| fs::metadata(path).map_or(0, |data| data.len())).context("no blob")
}
