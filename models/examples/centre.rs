//! `cargo run -p inframe-models --example centre -- PHOTO...`: prints the mean embedding of the people in the photos as `centre.json` has it.
//!
//! Faces nearer than the sure threshold count as one person, each person counts once. The centre only has to be near the common direction of
//! all embeddings; it is fixed with the pack and never computed again, as templates of different centres do not compare.

use std::error::Error;

use inframe_models::{Embedding, Engine, Pack, photo};

/// Photos are shrunk to this long side, as the daemon does before it looks for faces.
const LONG_SIDE_PX: u32 = 2560;

fn main() -> Result<(), Box<dyn Error>> {
    let pack = Pack::builtin()?;
    let engine = Engine::load(&pack)?;
    let mut people: Vec<Vec<Embedding>> = Vec::new();
    for path in std::env::args_os().skip(1) {
        let image = image::load_from_memory(&std::fs::read(&path)?)?;
        let image = photo::flatten(photo::shrink(image, LONG_SIDE_PX));
        for face in engine.find_faces(&image)? {
            let same = |person: &&mut Vec<Embedding>| {
                person.iter().any(|known| known.distance(&face.embedding) <= pack.thresholds().sure)
            };
            match people.iter_mut().find(same) {
                Some(person) => person.push(face.embedding),
                None => people.push(vec![face.embedding]),
            }
        }
    }
    let dimensions = people.first().and_then(|person| person.first()).map_or(0, |embedding| embedding.0.len());
    let mut centre = vec![0f64; dimensions];
    for person in &people {
        for embedding in person {
            let weight = 1.0 / (person.len() * people.len()) as f64;
            for (sum, value) in centre.iter_mut().zip(&embedding.0) {
                *sum += f64::from(*value) * weight;
            }
        }
    }
    eprintln!("{} people", people.len());
    let rounded: Vec<String> = centre.iter().map(|value| format!("{value:.5}")).collect();
    println!("[{}]", rounded.join(", "));
    Ok(())
}
