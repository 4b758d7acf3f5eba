//! Who is in a photo: compares the templates of a photo's faces with the find-mes of an event. Pure functions over values; no clock, no store.

use inframe_protocol::template::{self, Template};

/// Distances and gates that decide between sure, maybe and nothing; taken from the model pack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatchRules {
    /// At most this template distance is a sure match.
    pub sure: f32,
    /// At most this template distance is a maybe.
    pub maybe: f32,
    /// As `maybe`, for a find-me marked as a child's; never sure at any distance.
    pub child_maybe: f32,
    /// Narrower faces (pixels of the original) are never sure.
    pub min_face_px: f32,
    /// Faces of lower quality (0..1) are never sure.
    pub min_quality: f32,
    /// The second best face of the photo, and the second best find-me for the face, must be further away by this much, else the match is only
    /// a maybe.
    pub min_margin: f32,
}

impl MatchRules {
    /// The largest template distance that is still worth a question.
    #[must_use]
    pub fn maybe_for(&self, child: bool) -> f32 {
        if child { self.child_maybe } else { self.maybe }
    }
}

/// Somebody who looks for themselves or for their child, as matching sees them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sought {
    /// Their template in the event's projection.
    pub template: Template,
    /// Whether it is a child's: stricter, and always a question.
    pub child: bool,
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
    /// Distance of the same face to the next best find-me: by this much a look-alike lost.
    pub rival: Option<f32>,
    /// Sure or maybe.
    pub grade: Grade,
}

/// Finds which of the wanted people are in one photo.
///
/// Two faces of one photo are never the same person and one face is never surely two people, so pairs are taken greedily from the closest on,
/// each face and each find-me once. A match is sure only when the face is large and good enough, no other face of the photo comes near the
/// find-me, and no other find-me comes near the face. Where two find-mes are nearly as close to one face (look-alikes, or both parents of one
/// child), each is a maybe: only a person can tell. A child is never more than a maybe.
#[must_use]
pub fn match_photo(faces: &[PhotoFace], wanted: &[Sought], rules: &MatchRules) -> Vec<PhotoMatch> {
    let distances: Vec<Vec<f32>> = wanted
        .iter()
        .map(|sought| faces.iter().map(|face| template::distance(&face.template, &sought.template)).collect())
        .collect();
    let mut pairs: Vec<(f32, usize, usize)> = Vec::new();
    for (w, row) in distances.iter().enumerate() {
        let bound = rules.maybe_for(wanted[w].child);
        pairs.extend(row.iter().enumerate().filter(|(_, d)| **d <= bound).map(|(f, d)| (*d, w, f)));
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut face_given: Vec<Option<f32>> = vec![None; faces.len()];
    let mut wanted_taken = vec![false; wanted.len()];
    let mut found = Vec::new();
    for (score, w, f) in pairs {
        // A second person for the same face is asked about when only the margin decided against them.
        let contested = face_given[f].is_some_and(|best| score - best < rules.min_margin);
        if wanted_taken[w] || (face_given[f].is_some() && !contested) {
            continue;
        }
        face_given[f].get_or_insert(score);
        wanted_taken[w] = true;
        let next_best = nearest(distances[w].iter().enumerate(), f);
        let rival = nearest(distances.iter().map(|row| &row[f]).enumerate(), w);
        let clear = [next_best, rival].into_iter().flatten().all(|next| next - score >= rules.min_margin);
        let strong = faces[f].width_px >= rules.min_face_px && faces[f].quality >= rules.min_quality;
        let sure = score <= rules.sure && clear && strong && !wanted[w].child;
        let grade = if sure { Grade::Sure } else { Grade::Maybe };
        found.push(PhotoMatch { wanted: w, face: faces[f].index, score, next_best, rival, grade });
    }
    found.sort_by_key(|m| m.wanted);
    found
}

/// The smallest of numbered distances but for one.
fn nearest<'a>(distances: impl Iterator<Item = (usize, &'a f32)>, but: usize) -> Option<f32> {
    distances.filter(|(at, _)| *at != but).map(|(_, distance)| *distance).min_by(f32::total_cmp)
}

#[cfg(test)]
mod tests;
