//! The measurements, on embeddings of labelled people.

use inframe_protocol::template::{Projection, ProjectionKey, Template, distance};

use super::attack::rebuilt;
use super::measure::{auc, linkability, mean_and_error};

/// Parts of the histograms behind the measure of linkability.
const BINS: usize = 40;

/// One photo of a person.
pub struct Face {
    /// Whose.
    pub person: usize,
    /// What the model says of it.
    pub embedding: Vec<f32>,
}

/// Faces and the mean embedding of the pack that they come from.
pub struct People {
    /// The faces.
    pub faces: Vec<Face>,
    /// The mean.
    pub mean: Vec<f32>,
}

/// How well two sets of pairs are told apart over many pairs of keys: mean area, its standard error, the measure of linkability.
#[derive(Clone, Copy, Debug)]
pub struct Linked {
    /// Mean area under the curve.
    pub auc: f64,
    /// Its standard error over the pairs of keys.
    pub error: f64,
    /// Over the distances under all pairs of keys.
    pub d_sys: f64,
}

/// What a key holder gets out of templates.
#[derive(Clone, Copy, Debug)]
pub struct Rebuilt {
    /// Cosine to the true direction, on average.
    pub cosine: f64,
    /// Its absolute value, on average.
    pub absolute: f64,
    /// Share of rebuilt embeddings that are as near to another photo of the person as one person's photos must be for "sure" and for "maybe"; none
    /// without other photos.
    pub passes: Option<[f64; 2]>,
}

/// Something that a template shows without any key.
pub type Trait = fn(&Template) -> Vec<f32>;

/// What might tell a face though its key is unknown: how long the code is, how often each code stands in it, how many bits are set.
pub const TRAITS: [(&str, Trait); 3] = [
    ("norm of the code", |template| {
        let norm = template.codes().map(|code| (f32::from(code) - 1.5).powi(2)).sum::<f32>();
        vec![norm.sqrt()]
    }),
    ("counts of the four codes", |template| {
        let mut counts = vec![0.0; 4];
        template.codes().for_each(|code| counts[usize::from(code)] += 1.0);
        counts
    }),
    ("bits that are set", |template| vec![template.0.iter().map(|byte| byte.count_ones()).sum::<u32>() as f32]),
];

/// The projection of a made-up event.
pub fn event(number: u32) -> Projection {
    Projection::new(&ProjectionKey(*blake3::hash(&number.to_le_bytes()).as_bytes()))
}

fn spread(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
}

impl People {
    /// The templates of all faces under one projection; all give one, being faces.
    pub fn templates(&self, projection: &Projection) -> Vec<Template> {
        let project = |face: &Face| projection.project(&face.embedding, &self.mean);
        self.faces.iter().map(project).collect::<Result<_, _>>().unwrap_or_default()
    }

    /// Numbers of pairs of faces: the first of one event, the second of another.
    fn pairs(&self, wanted: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
        let count = self.faces.len();
        (0..count).flat_map(|a| (0..count).map(move |b| (a, b))).filter(|(a, b)| wanted(*a, *b)).collect()
    }

    fn is_same(&self, a: usize, b: usize) -> bool {
        self.faces[a].person == self.faces[b].person
    }

    /// Pairs of one face with itself.
    pub fn selves(&self) -> Vec<(usize, usize)> {
        self.pairs(|a, b| a == b)
    }

    /// Pairs of two photos of one person.
    pub fn others(&self) -> Vec<(usize, usize)> {
        self.pairs(|a, b| a != b && self.is_same(a, b))
    }

    /// Pairs of strangers.
    pub fn strangers(&self) -> Vec<(usize, usize)> {
        self.pairs(|a, b| !self.is_same(a, b))
    }

    /// How well `same` pairs are told from strangers, when each pair's templates are of two events; `None` without pairs.
    pub fn linked(
        &self,
        same: &[(usize, usize)],
        keys: u32,
        apart: &dyn Fn(&Template, &Template) -> f32,
    ) -> Option<Linked> {
        let different = self.strangers();
        if same.is_empty() || different.is_empty() {
            return None;
        }
        let (mut areas, mut all_near, mut all_far) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..keys {
            let (one, other) = (self.templates(&event(2 * number)), self.templates(&event(2 * number + 1)));
            let measured = |pairs: &[(usize, usize)]| -> Vec<f32> {
                pairs.iter().map(|(a, b)| apart(&one[*a], &other[*b])).collect()
            };
            let (near, far) = (measured(same), measured(&different));
            areas.push(auc(&near, &far));
            all_near.extend(near);
            all_far.extend(far);
        }
        let (auc, error) = mean_and_error(&areas);
        Some(Linked { auc, error, d_sys: linkability(&all_near, &all_far, BINS) })
    }

    /// [`People::linked`] by what a template shows.
    pub fn linked_by(&self, same: &[(usize, usize)], keys: u32, shown: Trait) -> Option<Linked> {
        self.linked(same, keys, &|a, b| spread(&shown(a), &shown(b)))
    }

    /// Distances of two photos of one person, and of strangers: of their embeddings, or of their templates under each key in turn.
    pub fn distances(&self, keys: Option<u32>) -> Vec<(Vec<f32>, Vec<f32>)> {
        let split = |apart: &dyn Fn(usize, usize) -> f32| {
            let once = |pairs: Vec<(usize, usize)>| pairs.into_iter().filter(|(a, b)| a < b);
            let measured = |pairs| once(pairs).map(|(a, b)| apart(a, b)).collect::<Vec<f32>>();
            (measured(self.others()), measured(self.strangers()))
        };
        let Some(keys) = keys else {
            return vec![split(&|a, b| spread(&self.faces[a].embedding, &self.faces[b].embedding))];
        };
        let under = |number| {
            let templates = self.templates(&event(number));
            split(&|a, b| distance(&templates[a], &templates[b]))
        };
        (0..keys).map(under).collect()
    }

    /// Share of templates that still pass as the same face once its event has another key; at most so far apart.
    pub fn still_passing(&self, keys: u32, most: f32) -> f64 {
        let mut passed = 0;
        for number in 0..keys {
            let (old, new) = (self.templates(&event(2 * number)), self.templates(&event(2 * number + 1)));
            passed += old.iter().zip(&new).filter(|(old, new)| distance(old, new) <= most).count();
        }
        passed as f64 / f64::from(keys) / self.faces.len() as f64
    }

    /// What is rebuilt from templates of these events by somebody who takes `guessed` for their projections; `passing` are the distances of
    /// embeddings for "sure" and "maybe".
    pub fn rebuilt(&self, events: &[Projection], guessed: &[Projection], passing: [f32; 2]) -> Rebuilt {
        let templates: Vec<Vec<Template>> = events.iter().map(|projection| self.templates(projection)).collect();
        let (mut cosines, mut embeddings) = (Vec::new(), Vec::new());
        for (number, face) in self.faces.iter().enumerate() {
            let seen: Vec<(&Projection, &Template)> =
                guessed.iter().zip(templates.iter().map(|templates| &templates[number])).collect();
            let centred = rebuilt(&seen, face.embedding.len());
            let truth: Vec<f64> =
                face.embedding.iter().zip(&self.mean).map(|(value, mean)| f64::from(value - mean)).collect();
            cosines.push(cosine(&centred, &truth));
            let whole = centred.iter().zip(&self.mean).map(|(value, mean)| *value as f32 + mean);
            embeddings.push(whole.collect::<Vec<f32>>());
        }
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / cosines.len() as f64;
        Rebuilt {
            cosine: mean(&mut cosines.iter().copied()),
            absolute: mean(&mut cosines.iter().map(|cosine| cosine.abs())),
            passes: self.passing(&embeddings, passing),
        }
    }

    /// Share of these embeddings, one for each face, that pass as another photo of the person.
    pub fn passing(&self, embeddings: &[Vec<f32>], passing: [f32; 2]) -> Option<[f64; 2]> {
        let others = self.others();
        let share = |most: f32| {
            let near = |(a, b): &&(usize, usize)| spread(&embeddings[*a], &self.faces[*b].embedding) <= most;
            others.iter().filter(near).count() as f64 / others.len() as f64
        };
        (!others.is_empty()).then(|| passing.map(share))
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12)
}
