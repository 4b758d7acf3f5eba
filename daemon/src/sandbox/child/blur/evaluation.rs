//! Whether the face model knows a destroyed face again, on labelled photos where `INFRAME_EVAL_DIR` names a folder with `faces/people`. The attacker
//! has photos of everybody, knows where the face was, and may destroy the faces of the own photos in the same way before comparing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use inframe_models::{Detection, Embedding, Engine, Pack, photo};

use super::*;
use crate::sandbox::limits;

/// A labelled photo's front face: whose it is, as it is, as it leaves, and as the attacker cuts it out.
struct Probe {
    person: usize,
    as_it_is: Embedding,
    /// Described at the box where the face was, if the model finds something there that it can describe.
    destroyed: Option<Embedding>,
    /// The same with the box moved and widened, as another detector would have it.
    elsewhere: Option<Embedding>,
    /// Whether a detector still finds a face there by itself.
    found: bool,
}

fn photos(folder: &Path) -> Vec<(PathBuf, usize)> {
    let text = std::fs::read_to_string(folder.join("pairs.csv")).unwrap();
    let mut group: BTreeMap<String, usize> = BTreeMap::new();
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').map(str::trim).collect()).collect();
    for name in lines.iter().flat_map(|fields| &fields[..2]) {
        let next = group.len();
        group.entry((*name).to_owned()).or_insert(next);
    }
    for fields in lines.iter().filter(|fields| fields[2] == "Yes") {
        let (a, b) = (group[fields[0]], group[fields[1]]);
        group.values_mut().filter(|number| **number == a.max(b)).for_each(|number| *number = a.min(b));
    }
    group.into_iter().map(|(name, person)| (folder.join(name), person)).collect()
}

/// The photo as it leaves without this face.
fn without(image: &RgbImage, face: FractionRect) -> RgbImage {
    let mut image = image.clone();
    destroy(&mut image, &[face], &[]);
    let jpeg = photo::encode_jpeg(&image, limits::SENT_QUALITY, None).unwrap();
    image::load_from_memory(&jpeg).unwrap().to_rgb8()
}

fn probe(engine: &Engine, path: &Path, person: usize) -> Option<Probe> {
    let image = photo::flatten(photo::shrink(image::load_from_memory(&std::fs::read(path).unwrap()).unwrap(), 2560));
    let largest = |a: &Detection, b: &Detection| a.rect.w.total_cmp(&b.rect.w);
    let face = engine.detect(&image).unwrap().into_iter().max_by(largest)?;
    let described = |image: &RgbImage, at: &Detection| Some(engine.describe(image, at).unwrap()?.embedding);
    let as_it_is = described(&image, &face)?;
    let (width, height) = (image.width() as f32, image.height() as f32);
    let rect = face.rect;
    let part = FractionRect { x: rect.x / width, y: rect.y / height, w: rect.w / width, h: rect.h / height };
    let left = without(&image, part);
    let mut other = face;
    (other.rect.x, other.rect.y) = (rect.x - rect.w * 0.15, rect.y - rect.h * 0.1);
    (other.rect.w, other.rect.h) = (rect.w * 1.3, rect.h * 1.3);
    let (middle_x, middle_y) = (rect.x + rect.w / 2.0, rect.y + rect.h / 2.0);
    let found = engine.detect(&left).unwrap().iter().any(|one| {
        (one.rect.x..one.rect.x + one.rect.w).contains(&middle_x)
            && (one.rect.y..one.rect.y + one.rect.h).contains(&middle_y)
    });
    let (destroyed, elsewhere) = (described(&left, &face), described(&left, &other));
    Some(Probe { person, as_it_is, destroyed, elsewhere, found })
}

/// How well probes are told apart by a gallery: the probability that a pair of one person is nearer than one of two, and the share of probes whose
/// nearest is of the same person, beside what guessing gives.
#[derive(Debug)]
struct Told {
    described: usize,
    auc: f64,
    rank_1: f64,
    guessed: f64,
}

type Of = fn(&Probe) -> Option<&Embedding>;

fn told(probes: &[Probe], probe: Of, gallery: Of) -> Told {
    let asked: Vec<(usize, &Probe, &Embedding)> =
        probes.iter().enumerate().filter_map(|(at, one)| Some((at, one, probe(one)?))).collect();
    // Some photos are nearer to everything than others: that says nothing of who it is, and an attacker would take it out as well.
    let known: Vec<(usize, &Probe, &Embedding, f32)> = probes
        .iter()
        .enumerate()
        .filter_map(|(at, one)| {
            let of = gallery(one)?;
            let all: f32 = asked.iter().map(|(_, _, face)| face.distance(of)).sum();
            Some((at, one, of, all / asked.len() as f32))
        })
        .collect();
    let (mut same, mut other) = (Vec::new(), Vec::new());
    let (mut right, mut guessed, mut tried) = (0.0, 0.0, 0.0);
    for (at, one, face) in &asked {
        // What is compared with the very photo that it was made from would be no search for a person.
        let rest = known.iter().filter(|(number, ..)| number != at);
        let mut pairs: Vec<(f32, bool)> =
            rest.map(|(_, known, of, usual)| (face.distance(of) - usual, known.person == one.person)).collect();
        let twins = pairs.iter().filter(|(_, same)| *same).count();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        if twins > 0 {
            (right, tried) = (right + f64::from(u8::from(pairs[0].1)), tried + 1.0);
            guessed += twins as f64 / pairs.len() as f64;
        }
        for (distance, is_same) in pairs {
            if is_same { &mut same } else { &mut other }.push(distance);
        }
    }
    let half = |a: &f32, b: &f32| if a < b { 1.0 } else { f64::from(u8::from(a == b)) / 2.0 };
    let wins: f64 = same.iter().map(|a| other.iter().map(|b| half(a, b)).sum::<f64>()).sum();
    let pairs = (same.len() * other.len()) as f64;
    Told { described: asked.len(), auc: wins / pairs, rank_1: right / tried, guessed: guessed / tried }
}

#[test]
fn a_destroyed_face_is_known_again_no_better_than_by_guessing() {
    let Some(root) = std::env::var_os("INFRAME_EVAL_DIR") else {
        eprintln!("skipped: INFRAME_EVAL_DIR is not set");
        return;
    };
    let engine = Engine::load(&Pack::builtin().unwrap()).unwrap();
    let folder = Path::new(&root).join("faces/people");
    let probes: Vec<Probe> =
        photos(&folder).iter().filter_map(|(path, person)| probe(&engine, path, *person)).collect();
    let people: std::collections::BTreeSet<usize> = probes.iter().map(|probe| probe.person).collect();
    eprintln!("{} faces of {} people", probes.len(), people.len());
    let before = told(&probes, |one| Some(&one.as_it_is), |one| Some(&one.as_it_is));
    let after = told(&probes, |one| one.destroyed.as_ref(), |one| Some(&one.as_it_is));
    let elsewhere = told(&probes, |one| one.elsewhere.as_ref(), |one| Some(&one.as_it_is));
    let both = told(&probes, |one| one.destroyed.as_ref(), |one| one.destroyed.as_ref());
    let found = probes.iter().filter(|probe| probe.found).count();
    eprintln!("as they are:                        {before:?}");
    eprintln!("destroyed, at the known box:        {after:?}");
    eprintln!("destroyed, at another box:          {elsewhere:?}");
    eprintln!("destroyed, against destroyed ones:  {both:?}");
    eprintln!("found by the detector afterwards:   {found} of {}", probes.len());
    assert!(probes.len() >= 25 && before.auc > 0.99 && before.rank_1 > 0.95, "{before:?}");
    for attempt in [&after, &elsewhere] {
        assert!(attempt.described > 0, "the model gives no description at all: {attempt:?}");
        // Of so few faces, one more or less is chance.
        assert!(attempt.auc < 0.6, "{attempt:?}");
        assert!(attempt.rank_1 <= attempt.guessed + 0.05, "{attempt:?}");
    }
    assert_eq!(found, 0);
}
