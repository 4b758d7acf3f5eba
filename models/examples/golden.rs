//! `cargo run -p inframe-models --example golden > models/golden/sample_photos.json`: what this pack finds in the package's sample photos.
//!
//! `tests/sample_photos.rs` holds later builds to these numbers. They are made anew only when the pack or the way that it is used changes on
//! purpose; `src/engine/reference.rs` has the check against the package itself.

use std::error::Error;
use std::path::Path;

use inframe_models::{Engine, Pack, photo};
use serde_json::json;

/// Photos are shrunk to this long side, as the daemon does before it looks for faces.
const LONG_SIDE_PX: u32 = 2560;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/@vladmandic/face-api/demo");
    let pack = Pack::builtin()?;
    let engine = Engine::load(&pack)?;
    let mut photos = Vec::new();
    for number in 1..=6 {
        let file = format!("sample{number}.jpg");
        let image = image::load_from_memory(&std::fs::read(folder.join(&file))?)?;
        let faces = engine.find_faces(&photo::flatten(photo::shrink(image, LONG_SIDE_PX)))?;
        let faces: Vec<_> = faces
            .iter()
            .map(|face| {
                let points: Vec<f64> = face.landmarks.iter().flatten().map(|&value| rounded(value, 1)).collect();
                let embedding: Vec<f64> = face.embedding.0.iter().map(|&value| rounded(value, 4)).collect();
                let rect = [face.rect.x, face.rect.y, face.rect.w, face.rect.h].map(|value| rounded(value, 1));
                json!({
                    "rect": rect,
                    "score": rounded(face.score, 3),
                    "quality": rounded(face.quality.score, 3),
                    "landmarks": points,
                    "embedding": embedding,
                })
            })
            .collect();
        photos.push(json!({ "file": file, "faces": faces }));
    }
    println!("{}", serde_json::to_string(&json!({ "pack": pack.id(), "photos": photos }))?);
    Ok(())
}

fn rounded(value: f32, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (f64::from(value) * scale).round() / scale
}
