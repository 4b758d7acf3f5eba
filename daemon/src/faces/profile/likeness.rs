//! Whether a face is that of a profile, and what of a profile is announced.

use super::{ProfileId, Profiles, StoredSelfie};

/// How near a face is to a profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Likeness {
    /// Within the sure threshold of a selfie.
    Sure(f32),
    /// Within the maybe threshold.
    Perhaps(f32),
    /// Further away, or nothing to compare with.
    No,
}

/// What of a profile goes into a find-me.
#[derive(Clone, PartialEq)]
pub struct Likable {
    /// Mean embedding of its selfies.
    pub embedding: Vec<f32>,
    /// The best still.
    pub still: Vec<u8>,
    /// Whether every selfie was taken live.
    pub live: bool,
}

impl std::fmt::Debug for Likable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Likable {{ live: {}, face: hidden }}", self.live)
    }
}

impl Profiles {
    /// The embedding to announce: the mean of the selfies of a pack, with the best still.
    #[must_use]
    pub fn portrait(&self, profile: ProfileId, pack: &str) -> Option<Likable> {
        let held = self.held();
        let of_it: Vec<&StoredSelfie> = held.selfies_of(profile).map(|(_, selfie)| selfie).collect();
        let live = of_it.iter().all(|selfie| selfie.live);
        let usable: Vec<&&StoredSelfie> = of_it.iter().filter(|s| s.pack == pack && !s.embedding.is_empty()).collect();
        let best = usable.iter().max_by(|a, b| a.quality.total_cmp(&b.quality))?;
        let mut mean = vec![0f32; best.embedding.len()];
        for selfie in &usable {
            for (sum, value) in mean.iter_mut().zip(&selfie.embedding) {
                *sum += value / usable.len() as f32;
            }
        }
        Some(Likable { embedding: mean, still: best.still.clone(), live })
    }

    /// Embeddings of a profile's selfies, of the pack in use.
    #[must_use]
    pub fn embeddings(&self, profile: ProfileId) -> Vec<Vec<f32>> {
        let pack = self.pack.get();
        let held = self.held();
        let usable = held.selfies_of(profile).map(|(_, selfie)| selfie).filter(|one| one.pack == pack.id);
        usable.map(|selfie| selfie.embedding.clone()).filter(|embedding| !embedding.is_empty()).collect()
    }

    /// Whether a face is that of a profile, by the full embedding; children's by stricter thresholds.
    #[must_use]
    pub fn likeness(&self, profile: ProfileId, pack: &str, embedding: &[f32]) -> Likeness {
        let thresholds = self.pack.get().thresholds.for_profile(profile != ProfileId::ME);
        match self.nearest(profile, pack, embedding) {
            Some(d) if d <= thresholds.sure => Likeness::Sure(d),
            Some(d) if d <= thresholds.maybe => Likeness::Perhaps(d),
            _ => Likeness::No,
        }
    }

    /// Distance to the nearest selfie of a profile.
    fn nearest(&self, profile: ProfileId, pack: &str, embedding: &[f32]) -> Option<f32> {
        self.held()
            .selfies_of(profile)
            .filter(|(_, s)| s.pack == pack && s.embedding.len() == embedding.len())
            .map(|(_, s)| distance(&s.embedding, embedding))
            .min_by(f32::total_cmp)
    }

    /// Whether a new selfie may belong to a profile that has some already: it must look like its person.
    #[must_use]
    pub fn may_be(&self, profile: ProfileId, pack: &str, embedding: &[f32]) -> bool {
        // Not by a child's stricter thresholds: here they would only make enrolment tedious.
        let maybe = self.pack.get().thresholds.maybe;
        self.nearest(profile, pack, embedding).is_none_or(|nearest| nearest <= maybe)
    }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt()
}
