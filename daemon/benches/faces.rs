//! Our side of `make bench-faces`: reads a path a line, writes the faces a line, as `models/benches/peers/bench.mjs` asks of every program.
//!
//! `faces engine`: decoding and the engine in this process; `faces sandbox`: what the daemon does, which is the same in a confined child;
//! `faces networks`: the networks one by one.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use image::{ImageFormat, Limits};
use inframe::sandbox::limits::FACES_PX;
use inframe::sandbox::{Sandbox, SandboxConfig};
use inframe_models::{Engine, Pack, Rect, photo};
use serde_json::json;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("engine") => engine(),
        Some("sandbox") => sandbox(),
        Some("networks") => networks(),
        // `cargo bench` passes its own flag; without the other programs there is nothing to compare with.
        Some("--bench") | None => {
            println!("run `make bench-faces`");
            Ok(())
        }
        Some(other) => bail!("no such mode: {other}"),
    }
}

/// Milliseconds of each network, as `onnx.py` prints them.
fn networks() -> Result<()> {
    let times = Engine::load(&Pack::builtin()?)?.network_times()?;
    let ms: BTreeMap<String, f64> = times.into_iter().map(|(file, time)| (file, 1000.0 * time.as_secs_f64())).collect();
    println!("{}", json!(ms));
    Ok(())
}

fn engine() -> Result<()> {
    let pack = Pack::builtin()?;
    let engine = Engine::load(&pack)?;
    answer(&format!("ours, the engine alone, pack {}", pack.id()), |bytes| {
        let (width, height) = photo::dimensions(&bytes, ImageFormat::Jpeg)?;
        let decoded = photo::decode(&bytes, ImageFormat::Jpeg, &Limits::default())?;
        let image = photo::flatten(photo::shrink(decoded.image, FACES_PX));
        let (across, down) = (width as f32 / image.width() as f32, height as f32 / image.height() as f32);
        let faces = engine.find_faces(&image)?;
        Ok(faces
            .iter()
            .map(|face| Rect {
                x: face.rect.x * across,
                y: face.rect.y * down,
                w: face.rect.w * across,
                h: face.rect.h * down,
            })
            .collect())
    })
}

fn sandbox() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let program = PathBuf::from(env!("CARGO_BIN_EXE_inframe"));
    let _inside = runtime.enter();
    let sandbox = Sandbox::start(SandboxConfig { processes: 1, ..SandboxConfig::new(program) });
    answer("ours, through the sandbox", |bytes| {
        let found = runtime.block_on(sandbox.faces(bytes.into()))?;
        Ok(found.faces.into_iter().map(|face| face.rect).collect())
    })
}

fn answer(what: &str, look: impl Fn(Vec<u8>) -> Result<Vec<Rect>>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({ "ready": what }))?;
    for path in std::io::stdin().lock().lines() {
        let path = path?;
        let faces = look(std::fs::read(&path).with_context(|| path.clone())?)?;
        let faces: Vec<[f32; 4]> = faces.into_iter().map(|face| [face.x, face.y, face.w, face.h]).collect();
        writeln!(out, "{}", json!({ "faces": faces }))?;
        out.flush()?;
    }
    Ok(())
}
