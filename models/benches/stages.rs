//! `cargo bench --profile dev -p inframe-models [-- PHOTO...]`: what each stage costs on the package's sample photos, and the memory that the engine takes.
//!
//! Times are the least of several runs on one thread. The development profile optimises this crate and tract, and is already built.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use inframe_models::{Engine, Pack, photo};

/// Photos are shrunk to this long side, as the daemon does before it looks for faces.
const LONG_SIDE_PX: u32 = 2560;

const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut photos: Vec<PathBuf> =
        std::env::args_os().skip(1).map(PathBuf::from).filter(|path| path.is_file()).collect();
    if photos.is_empty() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/@vladmandic/face-api/demo");
        photos = (1..=6).map(|number| folder.join(format!("sample{number}.jpg"))).collect();
    }
    // Memory first, while there is one engine only.
    let before = resident_mb();
    let engine = Engine::load(&Pack::builtin()?)?;
    if let Some(path) = photos.first() {
        engine.find_faces(&photo::flatten(photo::shrink(
            image::load_from_memory(&std::fs::read(path)?)?,
            LONG_SIDE_PX,
        )))?;
    }
    if let (Some(before), Some(after)) = (before, resident_mb()) {
        println!("memory: {before} MB before, {after} MB at the most with an engine that has looked at one photo");
    }
    drop(engine);

    let (pack_time, pack) = least(Pack::builtin)?;
    let (load_time, engine) = least(|| Engine::load(&pack))?;
    println!("read and check the pack  {:>7.1} ms", ms(pack_time));
    println!("load the engine          {:>7.1} ms", ms(load_time));
    println!("{:<14} {:>11} {:>6} {:>8} {:>8} {:>10}", "photo", "size", "faces", "decode", "detect", "each face");
    for path in &photos {
        let bytes = std::fs::read(path)?;
        let (decode, image) =
            least(|| image::load_from_memory(&bytes).map(|image| photo::flatten(photo::shrink(image, LONG_SIDE_PX))))?;
        let (detect, detections) = least(|| engine.detect(&image))?;
        let (describe, faces) = least(|| {
            let faces = detections.iter().map(|detection| engine.describe(&image, detection));
            faces.collect::<Result<Vec<_>, _>>()
        })?;
        let faces = faces.into_iter().flatten().count();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let size = format!("{}x{}", image.width(), image.height());
        let each = ms(describe) / faces.max(1) as f64;
        println!("{name:<14} {size:>11} {faces:>6} {:>5.1} ms {:>5.1} ms {each:>7.1} ms", ms(decode), ms(detect));
    }
    Ok(())
}

fn least<T, E>(mut job: impl FnMut() -> Result<T, E>) -> Result<(Duration, T), E> {
    let mut timed = || {
        let start = Instant::now();
        let made = job()?;
        Ok((start.elapsed(), made))
    };
    let mut best = timed()?;
    for _ in 1..RUNS {
        let again = timed()?;
        if again.0 < best.0 {
            best = again;
        }
    }
    Ok(best)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The most that this process ever had in memory, where the system says so.
fn resident_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? / 1024)
}
