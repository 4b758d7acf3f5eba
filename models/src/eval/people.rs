//! Who is told apart: distances of labelled faces, as embeddings and as protected templates.

use std::time::Instant;

use serde::Serialize;

use super::curve::{AtThreshold, Curve};
use super::detection::Detections;
use super::labels::{LabelledPhoto, Labels, at_working_size, open};
use super::variant::{Placed, Variant};
use super::{EvalError, Part, Protection};
use crate::{Embedding, Engine, Thresholds};

/// Photos of a person that are put together as if they were selfies.
const SELFIES: usize = 3;

/// With more people than this, none is left out in turn: it would take minutes and show little.
const LEAVE_OUT_OF: usize = 100;

/// Recognition of labelled people, each by the widest face of a photo.
#[derive(Debug, Clone, Serialize)]
pub struct Recognition {
    /// People.
    pub people: usize,
    /// Labelled photos in which no face was found; their pairs count as strangers to everybody.
    pub without_face: Vec<String>,
    /// The pairs that a pairs file labels one by one.
    pub labelled: Option<Curve>,
    /// Every pair of photos of labelled people.
    pub pooled: Option<Curve>,
    /// Of the pooled pairs, what the pack's thresholds do; no gate is applied.
    pub sure: AtThreshold,
    /// As `sure`.
    pub maybe: AtThreshold,
    /// Smallest and largest best threshold when each person in turn is left out: how much it hangs on whom one happens to have.
    pub best_without_one: Option<(f32, f32)>,
    /// The pooled pairs as templates.
    pub template: Option<KeyedCurve>,
    /// Several photos of a person together.
    pub selfies: Option<Selfies>,
}

/// A curve for each of several event keys.
#[derive(Debug, Clone, Serialize)]
pub struct KeyedCurve {
    /// Number of keys.
    pub keys: u32,
    /// Mean and worst equal error rate.
    pub eer: (f32, f32),
    /// Mean and worst share told with 1 in 100 pairs of strangers taken for one person.
    pub tpr_at_1e2: (f32, f32),
    /// Mean and worst share told with 1 in 1000.
    pub tpr_at_1e3: (f32, f32),
    /// Mean of the best thresholds.
    pub best_threshold: f32,
    /// At the pack's thresholds: share told on average, and pairs of strangers under it over all keys together.
    pub sure: AtThreshold,
    /// As `sure`.
    pub maybe: AtThreshold,
}

/// Ways to compare one photo with several photos of a person, over people who have that many and one more.
#[derive(Debug, Clone, Serialize)]
pub struct Selfies {
    /// With the first alone.
    pub one: Curve,
    /// With the nearest.
    pub nearest: Curve,
    /// With the mean of their embeddings.
    pub mean: Curve,
}

/// Faces of different people, and whether any would be taken for one person without a question.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Strangers {
    /// Pairs.
    pub pairs: usize,
    /// The two that are closest, of whatever quality.
    pub nearest: Option<f32>,
    /// Pairs of faces that pass the pack's gates.
    pub fit_pairs: usize,
    /// The two of them that are closest.
    pub nearest_fit: Option<f32>,
    /// Pairs that pass the gates and are at most `sure` apart.
    pub sure: usize,
    /// The closest two templates of faces that pass the gates, under the worst key.
    pub nearest_template: Option<f32>,
    /// Pairs that pass the gates and are at most `template_sure` apart, over all keys together.
    pub template_sure: usize,
}

/// A face with what is known of it.
struct Seen {
    photo: usize,
    person: Option<usize>,
    fit: bool,
    embedding: Embedding,
}

pub(super) fn part(
    engine: &Engine,
    labels: Labels,
    variant: Variant,
    protection: Option<&Protection<'_>>,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<Part, EvalError> {
    let mut unreadable = Vec::new();
    let mut detections = Detections::default();
    let mut seen: Vec<Seen> = Vec::new();
    // For each photo the number of the face of the labelled person.
    let mut fronts: Vec<Option<usize>> = Vec::new();
    let mut spent = std::time::Duration::ZERO;
    for (at, labelled) in labels.photos.iter().enumerate() {
        progress(&labelled.name, at, labels.photos.len());
        fronts.push(None);
        let image = match open(&labelled.path) {
            Ok(image) => image,
            Err(reason) => {
                unreadable.push((labelled.name.clone(), reason));
                continue;
            }
        };
        let placed = prepare(engine, labelled, image, variant)?;
        let start = Instant::now();
        let faces = engine.find_faces(&placed.image)?;
        spent += start.elapsed();
        detections.count(&labelled.name, &labelled.boxes, &placed.boxes, &faces);
        let widest = (0..faces.len()).max_by(|a, b| faces[*a].rect.w.total_cmp(&faces[*b].rect.w));
        if let Some((front, slot)) = widest.filter(|_| labelled.person.is_some()).zip(fronts.last_mut()) {
            *slot = Some(seen.len() + front);
        }
        seen.extend(faces.into_iter().enumerate().map(|(number, face)| Seen {
            photo: at,
            person: labelled.person.filter(|_| widest == Some(number)),
            fit: engine.thresholds().fit_for_sure(&face.quality),
            embedding: face.embedding,
        }));
    }
    let stranger = |a: &Seen, b: &Seen| {
        a.photo == b.photo || labels.boxed || matches!((a.person, b.person), (Some(a), Some(b)) if a != b)
    };
    let thresholds = engine.thresholds();
    Ok(Part {
        photos: labels.photos.len() - unreadable.len(),
        unreadable,
        seconds: spent.as_secs_f64(),
        recognition: (!labels.boxed).then(|| recognition(&labels, &seen, &fronts, thresholds, protection)),
        detection: labels.boxed.then_some(detections),
        within_photos: strangers(&seen, |a, b| a.photo == b.photo, thresholds, protection),
        strangers: strangers(&seen, stranger, thresholds, protection),
        folder: labels.folder,
    })
}

/// The photo changed as asked, at the size at which the daemon looks at photos.
fn prepare(
    engine: &Engine,
    labelled: &LabelledPhoto,
    image: image::RgbImage,
    variant: Variant,
) -> Result<Placed, EvalError> {
    let boxes: Vec<_> = labelled.boxes.iter().map(|label| label.rect).collect();
    let mut widths: Vec<f32> = labelled.boxes.iter().filter(|label| !label.ignore).map(|label| label.rect.w).collect();
    if widths.is_empty() && variant.shrink_to.is_some() {
        // Where nobody labelled boxes, the faces that the engine finds tell the size.
        let small = at_working_size(image.clone());
        let scale = image.width() as f32 / small.width() as f32;
        widths = engine.find_faces(&small)?.iter().map(|face| face.rect.w * scale).collect();
    }
    widths.sort_by(f32::total_cmp);
    let middling = widths.get(widths.len() / 2).copied();
    let placed = variant.apply(Placed { image, boxes }, middling);
    let width = placed.image.width() as f32;
    let image = at_working_size(placed.image);
    let scale = image.width() as f32 / width;
    let boxes =
        placed.boxes.iter().map(|r| crate::Rect { x: r.x * scale, y: r.y * scale, w: r.w * scale, h: r.h * scale });
    Ok(Placed { boxes: boxes.collect(), image })
}

fn recognition(
    labels: &Labels,
    seen: &[Seen],
    fronts: &[Option<usize>],
    thresholds: &Thresholds,
    protection: Option<&Protection<'_>>,
) -> Recognition {
    let labelled: Vec<(usize, usize)> =
        labels.photos.iter().enumerate().filter_map(|(at, photo)| Some((at, photo.person?))).collect();
    let front = |photo: usize| fronts[photo].map(|face| &seen[face].embedding);
    let apart = |a: usize, b: usize| front(a).zip(front(b)).map_or(f32::INFINITY, |(a, b)| a.distance(b));
    let pairs: Vec<Pair> = pairs(&labelled);
    let split = |distance: &dyn Fn(usize, usize) -> f32, without: Option<usize>| {
        let kept = pairs.iter().filter(|pair| without.is_none_or(|person| !pair.people.contains(&person)));
        let (same, different): (Vec<&Pair>, Vec<&Pair>) = kept.partition(|pair| pair.is_same());
        let measure = |pairs: Vec<&Pair>| pairs.iter().map(|pair| distance(pair.photos[0], pair.photos[1])).collect();
        (measure(same), measure(different))
    };
    let (same, different): (Vec<f32>, Vec<f32>) = split(&apart, None);
    let one_by_one = |wanted: bool| {
        labels.pairs.iter().filter(|(_, _, same)| *same == wanted).map(|(a, b, _)| apart(*a, *b)).collect()
    };
    let mut people: Vec<usize> = labelled.iter().map(|(_, person)| *person).collect();
    people.sort_unstable();
    people.dedup();
    let left_out = if people.len() <= LEAVE_OUT_OF { people.as_slice() } else { &[] };
    let bests = left_out.iter().filter_map(|person| {
        let (same, different) = split(&apart, Some(*person));
        Curve::of(same, different).map(|curve| curve.best_threshold)
    });
    let best_without_one = bests.fold(None, |range: Option<(f32, f32)>, best| {
        Some(range.map_or((best, best), |(least, most)| (least.min(best), most.max(best))))
    });
    Recognition {
        people: people.len(),
        without_face: labelled
            .iter()
            .filter(|(at, _)| fronts[*at].is_none())
            .map(|(at, _)| labels.photos[*at].name.clone())
            .collect(),
        labelled: Curve::of(one_by_one(true), one_by_one(false)),
        sure: AtThreshold::of(thresholds.sure, &same, &different),
        maybe: AtThreshold::of(thresholds.maybe, &same, &different),
        pooled: Curve::of(same, different),
        best_without_one,
        template: protection.and_then(|protection| {
            keyed(protection, seen, thresholds, |templates| {
                let apart =
                    |a: usize, b: usize| fronts[a].zip(fronts[b]).map_or(f32::INFINITY, |(a, b)| templates(a, b));
                split(&apart, None)
            })
        }),
        selfies: selfies(&labelled, &people, &front),
    }
}

struct Pair {
    photos: [usize; 2],
    people: [usize; 2],
}

impl Pair {
    fn is_same(&self) -> bool {
        self.people[0] == self.people[1]
    }
}

fn pairs(labelled: &[(usize, usize)]) -> Vec<Pair> {
    let with_earlier = |(at, (photo, person)): (usize, &(usize, usize))| {
        let (photo, person) = (*photo, *person);
        labelled[..at].iter().map(move |(earlier, other)| Pair { photos: [*earlier, photo], people: [*other, person] })
    };
    labelled.iter().enumerate().flat_map(with_earlier).collect()
}

/// Curves of what `split` makes of the template distances under each key.
fn keyed(
    protection: &Protection<'_>,
    seen: &[Seen],
    thresholds: &Thresholds,
    split: impl Fn(&dyn Fn(usize, usize) -> f32) -> (Vec<f32>, Vec<f32>),
) -> Option<KeyedCurve> {
    let (mut all_same, mut all_different, mut curves) = (Vec::new(), Vec::new(), Vec::new());
    for key in 0..protection.keys {
        let templates = project(protection, key, seen);
        let (same, different) = split(&|a, b| between(protection, &templates, a, b));
        all_same.extend_from_slice(&same);
        all_different.extend_from_slice(&different);
        curves.push(Curve::of(same, different)?);
    }
    let mean = |of: fn(&Curve) -> f32| curves.iter().map(of).sum::<f32>() / curves.len() as f32;
    let least = |of: fn(&Curve) -> f32| curves.iter().map(of).fold(f32::INFINITY, f32::min);
    let most = |of: fn(&Curve) -> f32| curves.iter().map(of).fold(0.0, f32::max);
    Some(KeyedCurve {
        keys: protection.keys,
        eer: (mean(|curve| curve.eer), most(|curve| curve.eer)),
        tpr_at_1e2: (mean(|curve| curve.tpr_at_1e2), least(|curve| curve.tpr_at_1e2)),
        tpr_at_1e3: (mean(|curve| curve.tpr_at_1e3), least(|curve| curve.tpr_at_1e3)),
        best_threshold: mean(|curve| curve.best_threshold),
        sure: AtThreshold::of(thresholds.template_sure, &all_same, &all_different),
        maybe: AtThreshold::of(thresholds.template_maybe, &all_same, &all_different),
    })
}

fn project(protection: &Protection<'_>, key: u32, seen: &[Seen]) -> Vec<Option<Vec<u8>>> {
    seen.iter().map(|face| (protection.project)(key, &face.embedding.0)).collect()
}

fn between(protection: &Protection<'_>, templates: &[Option<Vec<u8>>], a: usize, b: usize) -> f32 {
    match (&templates[a], &templates[b]) {
        (Some(a), Some(b)) => (protection.distance)(a, b),
        _ => f32::INFINITY,
    }
}

fn selfies<'a>(
    labelled: &[(usize, usize)],
    people: &[usize],
    front: &dyn Fn(usize) -> Option<&'a Embedding>,
) -> Option<Selfies> {
    let of =
        |person: usize| labelled.iter().filter(move |(_, other)| *other == person).filter_map(|(at, _)| front(*at));
    let all: Vec<Vec<&Embedding>> =
        people.iter().map(|person| of(*person).collect::<Vec<_>>()).filter(|faces| faces.len() > SELFIES).collect();
    let mut same = [const { Vec::new() }; 3];
    let mut different = [const { Vec::new() }; 3];
    for (owner, photos) in all.iter().enumerate() {
        for (prober, probes) in all.iter().enumerate() {
            for (number, probe) in probes.iter().enumerate() {
                // A photo is never its own selfie.
                let others = photos.iter().enumerate().filter(|(at, _)| owner != prober || *at != number);
                let known: Vec<&Embedding> = others.map(|(_, face)| *face).take(SELFIES).collect();
                let lists = if owner == prober { &mut same } else { &mut different };
                let nearest = known.iter().map(|face| face.distance(probe)).fold(f32::INFINITY, f32::min);
                let first = known.first().map_or(f32::INFINITY, |face| face.distance(probe));
                for (list, distance) in lists.iter_mut().zip([first, nearest, mean(&known).distance(probe)]) {
                    list.push(distance);
                }
            }
        }
    }
    let mut curves = same.into_iter().zip(different).map(|(same, different)| Curve::of(same, different));
    Some(Selfies { one: curves.next()??, nearest: curves.next()??, mean: curves.next()?? })
}

fn mean(embeddings: &[&Embedding]) -> Embedding {
    let length = embeddings.first().map_or(0, |first| first.0.len());
    let at = |place: usize| embeddings.iter().map(|e| e.0[place]).sum::<f32>() / embeddings.len() as f32;
    Embedding((0..length).map(at).collect())
}

fn strangers(
    seen: &[Seen],
    is_stranger: impl Fn(&Seen, &Seen) -> bool,
    thresholds: &Thresholds,
    protection: Option<&Protection<'_>>,
) -> Strangers {
    let mut found = Strangers::default();
    let mut fit = Vec::new();
    let nearer = |known: Option<f32>, apart: f32| Some(known.map_or(apart, |known| known.min(apart)));
    for (at, a) in seen.iter().enumerate() {
        for (other, b) in seen[..at].iter().enumerate().filter(|(_, b)| is_stranger(a, b)) {
            let apart = a.embedding.distance(&b.embedding);
            found.pairs += 1;
            found.nearest = nearer(found.nearest, apart);
            if a.fit && b.fit {
                fit.push((at, other));
                found.nearest_fit = nearer(found.nearest_fit, apart);
                found.sure += usize::from(apart <= thresholds.sure);
            }
        }
    }
    found.fit_pairs = fit.len();
    if let Some(protection) = protection {
        for key in 0..protection.keys {
            let templates = project(protection, key, seen);
            for (a, b) in &fit {
                let apart = between(protection, &templates, *a, *b);
                found.nearest_template = nearer(found.nearest_template, apart);
                found.template_sure += usize::from(apart <= thresholds.template_sure);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(photo: usize, person: usize, fit: bool, at: f32) -> Seen {
        Seen { photo, person: Some(person), fit, embedding: Embedding(vec![at]) }
    }

    fn thresholds() -> Thresholds {
        *crate::PackFacts::builtin().map(|facts| facts.thresholds).as_ref().unwrap()
    }

    #[test]
    fn only_strangers_that_pass_the_gates_can_be_taken_for_one_person() {
        let faces = [seen(0, 0, true, 0.0), seen(0, 1, true, 1.0), seen(1, 2, false, 0.01), seen(1, 0, true, 0.02)];
        let found = strangers(&faces, |a, b| a.person != b.person, &thresholds(), None);
        assert_eq!((found.pairs, found.fit_pairs, found.sure), (5, 2, 0));
        assert!(found.nearest.unwrap() < 0.02 && found.nearest_fit.unwrap() > 0.9);
        assert_eq!(strangers(&[], |_, _| true, &thresholds(), None).nearest, None);
    }

    #[test]
    fn templates_are_compared_under_every_key() {
        // A template that is the rounded embedding, further off with each key.
        let project = |key: u32, embedding: &[f32]| Some(vec![(embedding[0] * 100.0) as u8 + key as u8]);
        let distance = |a: &[u8], b: &[u8]| f32::from(a[0].abs_diff(b[0]));
        let protection = Protection { keys: 3, project: &project, distance: &distance };
        let faces = [seen(0, 0, true, 0.0), seen(1, 1, true, 0.05)];
        let found = strangers(&faces, |_, _| true, &thresholds(), Some(&protection));
        assert_eq!((found.nearest_template, found.template_sure), (Some(5.0), 3));
    }

    #[test]
    fn several_selfies_are_never_compared_with_themselves() {
        let embeddings: Vec<Embedding> =
            [0.0, 0.2, 0.3, 0.4, 9.0, 9.1, 9.2, 9.3].map(|at| Embedding(vec![at])).to_vec();
        let labelled: Vec<(usize, usize)> = (0..8).map(|at| (at, at / 4)).collect();
        let selfies = selfies(&labelled, &[0, 1], &|at| embeddings.get(at)).unwrap();
        assert_eq!((selfies.nearest.same, selfies.nearest.different), (8, 8));
        assert!(selfies.nearest.furthest_same > 0.19 && selfies.nearest.furthest_same < 0.21);
        assert_eq!(selfies.mean.eer, 0.0);
    }
}
