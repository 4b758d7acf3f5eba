//! Faces of single frames of a video brought together: one person is one track, with the best frame and its time. Pure functions.
//!
//! A face that may be the one that stood in its place a moment ago goes on that one's track. Tracks are joined that are surely one person, who was
//! out of sight, moved or turned away in between: by the middle distance between their best faces, for among many frames of two strangers some are
//! always near; and only if a face of each is fit to be surely somebody's. Two faces of one frame never share a track, nor do two tracks that were
//! ever seen in one frame.

use inframe_models::Thresholds;

use super::StoredFace;

/// Faces further apart in time are not followed by their place, in milliseconds: two frames at one a second.
const FOLLOWED_MS: u64 = 2500;
/// Boxes that share this part of their union are at the same place.
const SAME_PLACE: f32 = 0.3;
/// Tracks kept of one video: a concert's audience is not a list of people. Those of the best faces stay (promise D7).
pub const MAX_TRACKS: usize = 256;
/// Embeddings of the best faces that stand for a track.
const SHOWN: usize = 3;

/// People seen so far.
#[derive(Debug, Default)]
pub struct Tracks {
    tracks: Vec<Track>,
    frame: u32,
}

#[derive(Debug)]
struct Track {
    /// The best faces, best first.
    shown: Vec<StoredFace>,
    last_rect: [f32; 4],
    last_ms: u64,
    /// Numbers of the frames that it was seen in, ascending.
    frames: Vec<u32>,
}

impl Track {
    /// Distance to the nearest of the faces that stand for it.
    fn distance(&self, face: &StoredFace) -> f32 {
        self.shown.iter().map(|shown| distance(shown, face)).fold(f32::INFINITY, f32::min)
    }

    /// Whether its best face may be surely somebody's.
    fn is_fit(&self, thresholds: &Thresholds) -> bool {
        self.shown.first().is_some_and(|best| is_fit(best, thresholds))
    }

    fn follows(&self, face: &StoredFace, at_ms: u64) -> bool {
        at_ms.saturating_sub(self.last_ms) <= FOLLOWED_MS && overlap(&self.last_rect, &face.rect) >= SAME_PLACE
    }

    fn take(&mut self, face: StoredFace, at_ms: u64, frame: u32) {
        self.last_rect = face.rect;
        self.last_ms = at_ms;
        self.frames.push(frame);
        self.show([face]);
    }

    fn show(&mut self, faces: impl IntoIterator<Item = StoredFace>) {
        self.shown.extend(faces);
        self.shown.sort_by(|a, b| merit(b).total_cmp(&merit(a)));
        self.shown.truncate(SHOWN);
    }

    /// Distance between two tracks: the middle one of all between their best faces, which one odd frame does not move.
    fn apart(&self, other: &Self) -> f32 {
        let mut all: Vec<f32> =
            self.shown.iter().flat_map(|a| other.shown.iter().map(move |b| distance(a, b))).collect();
        all.sort_by(f32::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f32::INFINITY)
    }

    fn met(&self, other: &Self) -> bool {
        self.frames.iter().any(|frame| other.frames.binary_search(frame).is_ok())
    }
}

fn is_fit(face: &StoredFace, thresholds: &Thresholds) -> bool {
    face.width_px >= thresholds.min_face_px && face.quality >= thresholds.min_quality
}

fn distance(a: &StoredFace, b: &StoredFace) -> f32 {
    if a.embedding.len() != b.embedding.len() {
        return f32::INFINITY;
    }
    let squares = a.embedding.iter().zip(&b.embedding).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f32>().sqrt()
}

/// Distance between two tracks that may be one person; infinite if they may not, or if one was joined to another.
fn apart_of(tracks: &[Option<Track>], a: usize, b: usize) -> f32 {
    match (tracks.get(a), tracks.get(b)) {
        (Some(Some(a)), Some(Some(b))) if !a.met(b) => a.apart(b),
        _ => f32::INFINITY,
    }
}

/// What makes a face worth showing: quality first, size between equals.
fn merit(face: &StoredFace) -> f32 {
    face.quality + face.width_px.min(1000.0) * 1e-4
}

/// Part of the union of two boxes that both cover.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let along = |at: f32, length: f32, other: f32, other_length: f32| {
        ((at + length).min(other + other_length) - at.max(other)).max(0.0)
    };
    let shared = along(a[0], a[2], b[0], b[2]) * along(a[1], a[3], b[1], b[3]);
    shared / (a[2] * a[3] + b[2] * b[3] - shared).max(f32::MIN_POSITIVE)
}

impl Tracks {
    /// Adds the faces of the next frame.
    pub fn add(&mut self, at_ms: u64, faces: Vec<StoredFace>, thresholds: &Thresholds) {
        let mut pairs = Vec::new();
        for (f, face) in faces.iter().enumerate() {
            for (t, track) in self.tracks.iter().enumerate() {
                let distance = track.distance(face);
                if distance <= thresholds.maybe && track.follows(face, at_ms) {
                    pairs.push((distance, f, t));
                }
            }
        }
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let frame = self.frame;
        self.frame += 1;
        let mut faces: Vec<Option<StoredFace>> =
            faces.into_iter().map(|face| Some(StoredFace { at_ms: Some(at_ms), ..face })).collect();
        for (_, f, t) in pairs {
            let Some(track) = self.tracks.get_mut(t).filter(|track| track.frames.last() != Some(&frame)) else {
                continue;
            };
            if let Some(face) = faces.get_mut(f).and_then(Option::take) {
                track.take(face, at_ms, frame);
            }
        }
        self.tracks.extend(faces.into_iter().flatten().map(|face| Track {
            last_rect: face.rect,
            last_ms: at_ms,
            frames: vec![frame],
            shown: vec![face],
        }));
        if self.tracks.len() > 2 * MAX_TRACKS {
            self.join(thresholds);
            self.keep_best();
        }
    }

    /// The best face of each person, in the order in which they are seen best; each with its time.
    #[must_use]
    pub fn finish(mut self, thresholds: &Thresholds) -> Vec<StoredFace> {
        self.join(thresholds);
        self.keep_best();
        let mut faces: Vec<_> = self.tracks.into_iter().filter_map(|track| track.shown.into_iter().next()).collect();
        faces.sort_by(|a, b| a.at_ms.cmp(&b.at_ms).then(a.rect[0].total_cmp(&b.rect[0])));
        faces
    }

    /// Joins the nearest two tracks that may be one person, again and again.
    fn join(&mut self, thresholds: &Thresholds) {
        let (fit, unfit): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.tracks).into_iter().partition(|track| track.is_fit(thresholds));
        let mut tracks: Vec<Option<Track>> = fit.into_iter().map(Some).collect();
        // Each pair once: the row is that of the later track.
        let mut apart: Vec<Vec<f32>> = (0..tracks.len())
            .map(|later| (0..later).map(|earlier| apart_of(&tracks, earlier, later)).collect())
            .collect();
        loop {
            let pairs =
                apart.iter().enumerate().flat_map(|(b, row)| row.iter().enumerate().map(move |(a, d)| (*d, a, b)));
            let Some((_, a, b)) = pairs.filter(|(d, ..)| *d <= thresholds.sure).min_by(|x, y| x.0.total_cmp(&y.0))
            else {
                break;
            };
            let Some(other) = tracks.get_mut(b).and_then(Option::take) else { break };
            if let Some(Some(track)) = tracks.get_mut(a) {
                track.frames.extend(other.frames);
                track.frames.sort_unstable();
                if other.last_ms > track.last_ms {
                    (track.last_ms, track.last_rect) = (other.last_ms, other.last_rect);
                }
                track.show(other.shown);
            }
            for (later, row) in apart.iter_mut().enumerate() {
                for (earlier, entry) in row.iter_mut().enumerate() {
                    if [later, earlier].iter().any(|at| *at == a || *at == b) {
                        *entry = apart_of(&tracks, earlier, later);
                    }
                }
            }
        }
        self.tracks = tracks.into_iter().flatten().chain(unfit).collect();
    }

    fn keep_best(&mut self) {
        let best = |track: &Track| track.shown.first().map_or(0.0, merit);
        self.tracks.sort_by(|a, b| best(b).total_cmp(&best(a)));
        self.tracks.truncate(MAX_TRACKS);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thresholds() -> Thresholds {
        Thresholds {
            sure: 0.5,
            maybe: 0.7,
            template_sure: 1.0,
            template_maybe: 2.0,
            template_margin: 0.1,
            min_face_px: 40.0,
            min_quality: 0.1,
            min_enrol_quality: 0.1,
            child: None,
        }
    }

    /// A face that looks like `look` (people are whole numbers) at `x`.
    fn face(look: f32, x: f32, quality: f32) -> StoredFace {
        StoredFace { rect: [x, 0.2, 0.1, 0.1], width_px: 80.0, quality, embedding: vec![look, 0.0], at_ms: None }
    }

    fn people(frames: &[(u64, Vec<StoredFace>)]) -> Vec<(f32, u64)> {
        let mut tracks = Tracks::default();
        for (at_ms, faces) in frames {
            tracks.add(*at_ms, faces.clone(), &thresholds());
        }
        let faces = tracks.finish(&thresholds());
        faces.into_iter().map(|face| (face.embedding[0].round(), face.at_ms.unwrap())).collect()
    }

    #[test]
    fn one_person_is_one_track_with_the_best_time_also_after_a_while_out_of_sight() {
        let frames = [
            (0, vec![face(1.0, 0.1, 0.2)]),
            (1000, vec![face(1.1, 0.3, 0.9), face(5.0, 0.6, 0.5)]),
            (2000, vec![face(5.1, 0.6, 0.4)]),
            (60_000, vec![face(0.8, 0.8, 0.6)]),
        ];
        assert_eq!(people(&frames), [(1.0, 1000), (5.0, 1000)]);
    }

    #[test]
    fn two_faces_of_one_frame_are_never_one_person_however_alike() {
        let twins = (0, vec![face(1.0, 0.1, 0.5), face(1.01, 0.6, 0.5)]);
        let later = (1000, vec![face(1.0, 0.1, 0.6), face(1.01, 0.6, 0.7)]);
        assert_eq!(people(std::slice::from_ref(&twins)).len(), 2);
        assert_eq!(people(&[twins, later]).len(), 2);
    }

    #[test]
    fn a_face_that_changes_slowly_in_its_place_is_followed_and_one_elsewhere_is_not() {
        let at = |x: f32| vec![(0, vec![face(1.0, 0.1, 0.5)]), (1000, vec![face(1.6, x, 0.9)])];
        assert_eq!(people(&at(0.12)), [(2.0, 1000)]);
        assert_eq!(people(&at(0.7)).len(), 2);
        let late = vec![(0, vec![face(1.0, 0.1, 0.5)]), (9000, vec![face(1.6, 0.1, 0.9)])];
        assert_eq!(people(&late).len(), 2);
    }

    #[test]
    fn a_poor_face_is_followed_in_its_place_but_is_nobody_known_elsewhere() {
        let known = (0, vec![face(1.0, 0.1, 0.5)]);
        let poor = |at_ms, x| (at_ms, vec![face(1.0, x, 0.05)]);
        assert_eq!(people(&[known.clone(), poor(1000, 0.12)]), [(1.0, 0)]);
        assert_eq!(people(&[known, poor(1000, 0.7), poor(2000, 0.72)]), [(1.0, 0), (1.0, 1000)]);
    }

    #[test]
    fn d7_a_crowd_is_bounded_to_the_best_faces() {
        let frames: Vec<_> =
            (0..600u64).map(|n| (n * 1000, vec![face(n as f32 * 10.0, 0.1, n as f32 / 600.0)])).collect();
        let found = people(&frames);
        assert_eq!(found.len(), MAX_TRACKS);
        assert!(found.iter().all(|(look, _)| *look >= 10.0 * (600 - 2 * MAX_TRACKS) as f32), "the best ones stay");
    }

    proptest! {
        /// However faces come, no track holds two faces of one frame: there are at least as many tracks as faces in the fullest frame.
        #[test]
        fn people_are_at_least_the_fullest_frame_and_at_most_all_faces(
            frames in proptest::collection::vec(proptest::collection::vec((0f32..3.0, 0f32..0.9), 0..6), 1..12)
        ) {
            let frames: Vec<_> = frames.into_iter().enumerate().map(|(n, faces)| {
                (n as u64 * 1000, faces.into_iter().map(|(look, x)| face(look, x, 0.5)).collect::<Vec<_>>())
            }).collect();
            let fullest = frames.iter().map(|(_, faces)| faces.len()).max().unwrap();
            let all: usize = frames.iter().map(|(_, faces)| faces.len()).sum();
            let found = people(&frames).len();
            prop_assert!(found >= fullest && found <= all);
        }
    }
}
