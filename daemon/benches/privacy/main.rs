//! `make bench-privacy`: what announced templates hide and what they give away, on labelled photos in the folder `faces` of `INFRAME_EVAL_DIR`, or
//! else on the sample photos.
//!
//! Linking templates of two events, accuracy against plain embeddings, faces rebuilt by somebody with the key, and what a new key is worth. The same
//! measurements on made-up faces are tests (`tests.rs`).

mod attack;
mod figures;
mod measure;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use inframe_models::eval::{self, Curve};
use inframe_models::{Engine, Pack, Thresholds};
use inframe_protocol::template::distance;

use figures::{Face, Linked, People, Rebuilt, TRAITS, event};

/// Pairs of events for the measures of linking.
const KEY_PAIRS: u32 = 200;
/// Events for accuracy, and pairs of events for what is rebuilt.
const KEYS: u32 = 50;
/// The sample photos of the model package.
const SAMPLES: &str = "../models/node_modules/@vladmandic/face-api/demo";

fn main() -> Result<()> {
    let engine = Engine::load(&Pack::builtin()?)?;
    let labelled = std::env::var_os("INFRAME_EVAL_DIR").map(|root| PathBuf::from(root).join("faces"));
    let found = match &labelled {
        Some(folder) => eval::labelled_faces(&engine, folder, &mut progress)?,
        None => samples(&engine)?,
    };
    let faces = found.into_iter().map(|face| Face { person: face.person, embedding: face.embedding.0 }).collect();
    let people = People { faces, mean: Pack::builtin()?.centre().to_vec() };
    anyhow::ensure!(people.templates(&event(0)).len() == people.faces.len(), "an embedding gives no template");
    let mut persons: Vec<usize> = people.faces.iter().map(|face| face.person).collect();
    persons.sort_unstable();
    persons.dedup();
    println!("{} faces of {} people.", people.faces.len(), persons.len());
    if labelled.is_none() {
        println!(
            "These are the sample photos, where each face counts as another person: the figures need labelled photos, in the folder `faces` of \
             INFRAME_EVAL_DIR. What needs two photos of a person is left out."
        );
    }
    linking(&people);
    accuracy(&people);
    rebuilding(&people, engine.thresholds());
    renewal(&people, engine.thresholds());
    Ok(())
}

fn progress(name: &str, done: usize, all: usize) {
    eprintln!("photo {} of {all}: {name}", done + 1);
}

fn samples(engine: &Engine) -> Result<Vec<eval::LabelledFace>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLES);
    eval::unlabelled_faces(engine, &folder, &mut progress)
        .context("the sample photos cannot be read; `make setup` installs them")
}

fn shown(linked: Option<Linked>) -> String {
    linked.map_or("-".to_owned(), |Linked { auc, error, d_sys }| format!("{auc:.3} ± {error:.3}; {d_sys:.3}"))
}

fn linking(people: &People) {
    let (selves, others) = (people.selves(), people.others());
    println!(
        "\n**Linking templates of two events** ({KEY_PAIRS} pairs of keys): AUC ± standard error (0.5 = nothing can be told); D_sys (0 = none)\n"
    );
    println!("| told by | the same photo | another photo of the person |\n|---|---|---|");
    let distances = |same| people.linked(same, KEY_PAIRS, &distance);
    println!("| distance of the templates | {} | {} |", shown(distances(&selves)), shown(distances(&others)));
    for (name, of) in TRAITS {
        let by = |same| people.linked_by(same, KEY_PAIRS, of);
        println!("| {name} | {} | {} |", shown(by(&selves)), shown(by(&others)));
    }
}

fn accuracy(people: &People) {
    println!("\n**Accuracy**, the same pairs ({KEYS} keys)\n");
    println!(
        "| | pairs of one person, of strangers | equal error | told at 1 false in 100 | at 1 in 1,000 |\n|---|---|---|---|---|"
    );
    for (name, keys) in [("embeddings", None), ("templates", Some(KEYS))] {
        let curves: Vec<Curve> =
            people.distances(keys).into_iter().filter_map(|(same, different)| Curve::of(same, different)).collect();
        let Some(first) = curves.first() else {
            println!("| {name} | - | - | - | - |");
            continue;
        };
        let mean = |of: fn(&Curve) -> f32| 100.0 * curves.iter().map(of).sum::<f32>() / curves.len() as f32;
        println!(
            "| {name} | {}, {} | {:.2} % | {:.1} % | {:.1} % |",
            first.same,
            first.different,
            mean(|curve| curve.eer),
            mean(|curve| curve.tpr_at_1e2),
            mean(|curve| curve.tpr_at_1e3)
        );
    }
}

fn rebuilding(people: &People, thresholds: &Thresholds) {
    let passing = [thresholds.sure, thresholds.maybe];
    println!(
        "\n**Faces rebuilt from templates** ({KEYS} events): cosine to the true direction; share that passes against other photos of the person \
         (embeddings at most {} apart: sure; {}: maybe)\n",
        passing[0], passing[1]
    );
    println!("| with | cosine | its absolute value | sure | maybe |\n|---|---|---|---|---|");
    let share = |passes: Option<[f64; 2]>| {
        passes.map_or("- | -".to_owned(), |[sure, maybe]| format!("{:.1} % | {:.1} %", 100.0 * sure, 100.0 * maybe))
    };
    let row = |name: &str, events: &dyn Fn(u32) -> Vec<u32>, guessed: &dyn Fn(u32) -> Vec<u32>| {
        let projections = |numbers: Vec<u32>| numbers.into_iter().map(event).collect::<Vec<_>>();
        let all: Vec<Rebuilt> = (0..KEYS)
            .map(|number| people.rebuilt(&projections(events(number)), &projections(guessed(number)), passing))
            .collect();
        let mean = |of: &dyn Fn(&Rebuilt) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
        let passes = all.iter().all(|one| one.passes.is_some());
        let passes = passes.then(|| [0, 1].map(|at| mean(&|one| one.passes.map_or(0.0, |passes| passes[at]))));
        let (cosine, absolute) = (mean(&|one| one.cosine), mean(&|one| one.absolute));
        println!("| {name} | {cosine:.3} | {absolute:.3} | {} |", share(passes));
    };
    let true_ones: Vec<Vec<f32>> = people.faces.iter().map(|face| face.embedding.clone()).collect();
    println!("| the embedding itself | 1 | 1 | {} |", share(people.passing(&true_ones, passing)));
    row("a template and its key", &|n| vec![n], &|n| vec![n]);
    row("templates of two events and both keys", &|n| vec![n, n + 1000], &|n| vec![n, n + 1000]);
    row("a template and another key", &|n| vec![n], &|n| vec![n + 1000]);
}

fn renewal(people: &People, thresholds: &Thresholds) {
    println!("\n**A new key** ({KEY_PAIRS} pairs of keys)\n");
    println!("| old templates that pass as the same face under the new key | share |\n|---|---|");
    for (name, most) in [("sure", thresholds.template_sure), ("maybe", thresholds.template_maybe)] {
        println!("| at most {most} apart ({name}) | {:.2} % |", 100.0 * people.still_passing(KEY_PAIRS, most));
    }
}
