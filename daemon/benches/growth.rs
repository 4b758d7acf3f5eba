//! `cargo bench --profile dev -p inframe --bench growth [-- ASSETS... --rows]`: what a start and importing one more photo cost as a library grows
//! (1,000, 10,000 and 100,000 photos unless said otherwise), and where the time goes.
//!
//! The library is filled with made-up photos, each with three made-up faces, by the code that imports real ones; with `--rows` by their rows in the
//! catalog alone, without files, which takes seconds where the other waits for the disk for each photo (allow ten minutes). Then a real `inframe run`
//! serves it, in a process of its own. The start lasts until its ready line, the first answer until it has given the timeline as well. Its memory is
//! taken then, and again when all that follows a start is done. Last it imports copies of a real photo of 2.7 megapixels with three faces, from the
//! folder to the last face found, unless `--no-import` is given. `--folder PATH` keeps the library there, and a second run finds it filled.

mod crowd;
mod process;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use inframe::data_dir::DataDir;
use inframe::disk::Disk;
use inframe::faces::{Faces, StoredFace, StoredFaces};
use inframe::library::{AssetId, AssetKind, FacesState, Library, NewAsset, Origin, Source, StoredAsset};
use inframe::live::Live;
use inframe::sandbox::{Format, Inspection, Sandbox, SandboxConfig};
use inframe::vault::{Batch, BlobId, KeyFile, Kind, Vault};
use inframe_protocol::ContentId;
use reqwest::Method;
use serde_json::json;

use crowd::Crowd;
use process::Daemon;

/// Photos that are imported at each size.
const PROBES: usize = 60;
const FACES_EACH: usize = 3;
const ROWS_PER_BATCH: usize = 500;
/// Side by side, so that they share the waits for the disk.
const FILLERS: usize = 8;
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::main]
async fn main() -> Result<()> {
    let told = |name: &str| std::env::args().any(|argument| argument == name);
    let (rows, imports) = (told("--rows"), !told("--no-import"));
    let mut sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 10_000, 100_000];
    }
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args().skip_while(|argument| argument != "--folder").nth(1).map(PathBuf::from);
    let folder = folder.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder)?;
    let pack = {
        let daemon = Daemon::start(folder)?;
        let text = daemon.get("/consent-texts/faces").await?;
        daemon.post("/profile/consent", &json!({ "text_hash": text["hash"] })).await?;
        let status = daemon.get("/status").await?;
        daemon.stop()?;
        status["pack"].as_str().context("no pack")?.to_owned()
    };
    println!(
        "{:>9} {:>9} {:>12} {:>9} {:>9} {:>10} {:>12} {:>12} {:>12}",
        "photos", "start", "first answer", "memory", "settled", "photos/s", "ms a photo", "node's CPU", "workers' CPU"
    );
    let mut filled = Vault::open(&DataDir::open(folder.join("data"))?, &KeyFile::at(folder.join("master.key")))?
        .catalog()
        .count(Kind::Asset)?;
    let mut crowd = Mutex::new(Crowd::new(FACES_EACH * sizes.iter().max().copied().unwrap_or_default()));
    for (round, size) in sizes.into_iter().enumerate() {
        if rows {
            fill_rows(folder, &pack, filled, size, &mut crowd)?;
        } else {
            fill(folder, &pack, filled, size, &crowd)?;
        }
        filled = size;
        let began = Instant::now();
        let daemon = Daemon::start(folder)?;
        let started = began.elapsed().as_secs_f64();
        daemon.ask(Method::GET, "/timeline/skeleton", "").await?;
        let answered = began.elapsed().as_secs_f64();
        print!("{size:>9} {started:>7.2} s {answered:>10.2} s {:>6} MB", resident_mb(&daemon)?);
        // Grouping millions of faces lasts; this much is known by now.
        std::io::stdout().flush()?;
        quiet(&daemon).await?;
        print!(" {:>6} MB", resident_mb(&daemon)?);
        if imports {
            let photos = probes(folder, round)?;
            let (node_before, workers_before) = processor_seconds(&daemon)?;
            let began = Instant::now();
            import(&daemon, &photos).await?;
            let took = began.elapsed().as_secs_f64();
            let (node_after, workers_after) = processor_seconds(&daemon)?;
            let each = |seconds: f64| 1000.0 * seconds / PROBES as f64;
            print!(
                " {:>10.1} {:>12.1} {:>9.1} ms {:>9.1} ms",
                PROBES as f64 / took,
                each(took),
                each(node_after - node_before),
                each(workers_after - workers_before)
            );
            filled += PROBES;
        }
        println!();
        daemon.stop()?;
    }
    Ok(())
}

/// Puts made-up photos into the library until it has so many.
fn fill(folder: &Path, pack: &str, from: usize, to: usize, crowd: &Mutex<Crowd>) -> Result<()> {
    let vault = Vault::open(&DataDir::open(folder.join("data"))?, &KeyFile::at(folder.join("master.key")))?;
    let program = PathBuf::from(env!("CARGO_BIN_EXE_inframe"));
    let sandbox = Sandbox::start(SandboxConfig::new(program));
    let library = Library::open(vault.clone(), sandbox, Live::default(), Disk::of(folder, None))?;
    std::thread::scope(|scope| {
        let fillers: Vec<_> = (0..FILLERS)
            .map(|filler| {
                let library = library.clone();
                scope.spawn(move || {
                    (from + filler..to).step_by(FILLERS).try_for_each(|number| put(&library, pack, number, crowd))
                })
            })
            .collect();
        fillers.into_iter().try_for_each(|filler| filler.join().map_err(|_| anyhow::anyhow!("a filler panicked"))?)
    })?;
    vault.settle()?;
    Ok(())
}

fn put(library: &Library, pack: &str, number: usize, crowd: &Mutex<Crowd>) -> Result<()> {
    let bytes = Bytes::from(format!("photo {number:>600}"));
    let new = NewAsset {
        file_name: format!("IMG_{number:06}.jpg"),
        content: ContentId::of(&bytes),
        size_bytes: bytes.len() as u64,
        original: Source::Plain(bytes.clone()),
        origin: Origin::Imported,
        taken_at: Some(taken_at(number)),
        doubtful: false,
    };
    let inspection = Inspection {
        format: Format::Jpeg,
        width: 4000,
        height: 3000,
        orientation: 1,
        taken_at: None,
        camera: None,
        has_location: false,
        motion_bytes: None,
        mean_rgb565: 0x8410,
        thumbhash: vec![7; 25],
        grid: bytes.to_vec(),
        preview: bytes.to_vec(),
    };
    let id = library.adopt(new, inspection)?;
    let faces = faces(pack, &mut *crowd.lock().map_err(|_| anyhow::anyhow!("a filler panicked"))?);
    let mut batch = Batch::default();
    Faces::put(&mut batch, id, &faces)?;
    let done = FacesState::Done { pack: pack.to_owned(), count: FACES_EACH as u16 };
    library.change(id, batch, |asset| asset.faces = done)?;
    Ok(())
}

fn faces(pack: &str, crowd: &mut Crowd) -> StoredFaces {
    let face = |index: usize| StoredFace { rect: [0.3 * index as f32, 0.2, 0.2, 0.3], ..crowd.face().1 };
    StoredFaces { pack: pack.to_owned(), faces: (0..FACES_EACH).map(face).collect() }
}

fn taken_at(number: usize) -> i64 {
    1_400_000_000_000 + number as i64 * 600_000
}

/// The same with nothing but the rows.
fn fill_rows(folder: &Path, pack: &str, from: usize, to: usize, crowd: &mut Mutex<Crowd>) -> Result<()> {
    let vault = Vault::open(&DataDir::open(folder.join("data"))?, &KeyFile::at(folder.join("master.key")))?;
    let crowd = crowd.get_mut().map_err(|_| anyhow::anyhow!("a filler panicked"))?;
    let numbers: Vec<usize> = (from..to).collect();
    for some in numbers.chunks(ROWS_PER_BATCH) {
        let mut batch = Batch::default();
        for number in some {
            let id = AssetId::random().map_err(|_| anyhow::anyhow!("no randomness"))?;
            let blob = || BlobId::random().context("no randomness");
            let asset = StoredAsset {
                kind: AssetKind::Photo,
                content: ContentId::of(&number.to_le_bytes()),
                file_name: format!("IMG_{number:06}.jpg"),
                media_type: "image/jpeg".into(),
                size_bytes: 4_000_000,
                width: 4000,
                height: 3000,
                taken_at: Some(taken_at(*number)),
                offset_minutes: Some(60),
                imported_at: taken_at(*number).unsigned_abs(),
                camera: Some("Camera Model 12".into()),
                has_location: false,
                mean_colour: 0x8410,
                thumbhash: vec![7; 25],
                original: blob()?,
                grid: Some(blob()?),
                preview: Some(blob()?),
                motion: None,
                origin: Origin::Imported,
                doubtful: false,
                faces: FacesState::Done { pack: pack.to_owned(), count: FACES_EACH as u16 },
                trashed: None,
            };
            batch.put_versioned(Kind::Asset, id.0, &asset)?;
            Faces::put(&mut batch, id, &faces(pack, crowd))?;
        }
        vault.catalog().commit(batch)?;
    }
    vault.settle()?;
    Ok(())
}

/// A folder of copies of one real photo, each another file.
fn probes(folder: &Path, round: usize) -> Result<PathBuf> {
    let sample =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/node_modules/@vladmandic/face-api/demo/sample1.jpg");
    let sample = std::fs::read(&sample).with_context(|| format!("{} (run `make setup`)", sample.display()))?;
    let photos = folder.join(format!("photos{round}"));
    std::fs::create_dir_all(&photos)?;
    for number in 0..PROBES {
        // A comment behind the first marker.
        let text = format!("{round} {number} {}", std::process::id());
        let length = u16::try_from(text.len() + 2)?.to_be_bytes();
        let copy = [&sample[..2], &[0xff, 0xfe], &length, text.as_bytes(), &sample[2..]].concat();
        std::fs::write(photos.join(format!("{number}.jpg")), copy)?;
    }
    Ok(photos)
}

/// Imports a folder and waits until the faces of every photo are known.
async fn import(daemon: &Daemon, photos: &Path) -> Result<()> {
    let run = daemon.post("/imports", &json!({ "path": photos })).await?;
    let run = format!("/imports/{}", run["id"].as_str().context("an import without an id")?);
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let import = daemon.get(&run).await?;
        if import["state"] == "running" {
            continue;
        }
        ensure!(import["imported"] == PROBES, "imported {import}");
        let faces = &daemon.get("/status").await?["faces"];
        let [done, failed, total] = ["done", "failed", "total"].map(|name| faces[name].as_u64().unwrap_or_default());
        if done + failed == total {
            ensure!(failed == 0, "{failed} photos could not be looked at");
            return Ok(());
        }
    }
}

/// Waits until what follows a start is done: the database tidies up after it was filled.
async fn quiet(daemon: &Daemon) -> Result<()> {
    loop {
        let before = processor_seconds(daemon)?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let after = processor_seconds(daemon)?;
        if after.0 - before.0 + after.1 - before.1 < 0.03 {
            return Ok(());
        }
    }
}

/// Processor time so far of the daemon and of all that it started.
fn processor_seconds(daemon: &Daemon) -> Result<(f64, f64)> {
    let own = daemon.pid();
    let mut workers = 0.0;
    let mut ids = children(own)?;
    while let Some(id) = ids.pop() {
        // One that ends meanwhile is counted with its parent's ended children below.
        if let Ok((seconds, _)) = seconds_of(id) {
            workers += seconds;
            ids.extend(children(id).unwrap_or_default());
        }
    }
    let (node, ended) = seconds_of(own)?;
    Ok((node, workers + ended))
}

/// Of a process, and of its children that have ended.
fn seconds_of(id: u32) -> Result<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/PID/stat")?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(4).map(str::parse).collect::<Result<_, _>>()?;
    ensure!(ticks.len() == 4, "an unknown form of /proc/PID/stat");
    Ok(((ticks[0] + ticks[1]) / TICKS_PER_SECOND, (ticks[2] + ticks[3]) / TICKS_PER_SECOND))
}

fn children(id: u32) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let list = std::fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        all.extend(list.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
    }
    Ok(all)
}

fn resident_mb(daemon: &Daemon) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
