//! Who is in a photo: compares the templates of a photo's faces with the find-mes of an event. Pure functions over values; no clock, no store.

use inframe_protocol::template::{self, Template};

/// Distances and gates that decide between sure, maybe and nothing; taken from the model pack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatchRules {
    /// At most this template distance is a sure match.
    pub sure: f32,
    /// At most this template distance is a maybe.
    pub maybe: f32,
    /// Narrower faces (pixels of the original) are never sure.
    pub min_face_px: f32,
    /// Faces of lower quality (0..1) are never sure.
    pub min_quality: f32,
    /// The second best face of the photo must be further away by this much, else the match is only a maybe.
    pub min_margin: f32,
}

/// A face of one photo as matching sees it.
#[derive(Clone, Debug)]
pub struct PhotoFace {
    /// Index of the face in its photo.
    pub index: u16,
    /// Its template in the event's projection.
    pub template: Template,
    /// Width in pixels of the original.
    pub width_px: f32,
    /// Quality 0..1.
    pub quality: f32,
}

/// Sure enough to follow the policy, or only worth asking about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Grade {
    /// Follows the policy.
    Sure,
    /// Always asks.
    Maybe,
}

/// One find-me found in one photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhotoMatch {
    /// Index into the find-mes given.
    pub wanted: usize,
    /// Index of the face in its photo.
    pub face: u16,
    /// Template distance.
    pub score: f32,
    /// Distance of the next best face of the photo to the same find-me.
    pub next_best: Option<f32>,
    /// Sure or maybe.
    pub grade: Grade,
}

/// Finds which of the wanted people are in one photo.
///
/// Two faces of one photo are never the same person and one face is never two people, so pairs are taken greedily from the closest on, each
/// face and each find-me once. A match is sure only when the face is large and good enough and no other face of the photo comes near it.
#[must_use]
pub fn match_photo(faces: &[PhotoFace], wanted: &[Template], rules: &MatchRules) -> Vec<PhotoMatch> {
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (w, template) in wanted.iter().enumerate() {
        for (f, face) in faces.iter().enumerate() {
            let distance = template::distance(&face.template, template);
            if distance <= rules.maybe {
                pairs.push((distance, w, f));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut face_taken = vec![false; faces.len()];
    let mut wanted_taken = vec![false; wanted.len()];
    let mut found = Vec::new();
    for (score, w, f) in pairs {
        if face_taken[f] || wanted_taken[w] {
            continue;
        }
        face_taken[f] = true;
        wanted_taken[w] = true;
        let next_best = faces
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != f)
            .map(|(_, other)| template::distance(&other.template, &wanted[w]))
            .min_by(f32::total_cmp);
        let clear = next_best.is_none_or(|next| next - score >= rules.min_margin);
        let strong = faces[f].width_px >= rules.min_face_px && faces[f].quality >= rules.min_quality;
        let grade = if score <= rules.sure && clear && strong { Grade::Sure } else { Grade::Maybe };
        found.push(PhotoMatch { wanted: w, face: faces[f].index, score, next_best, grade });
    }
    found.sort_by_key(|m| m.wanted);
    found
}

#[cfg(test)]
mod tests;
