//! Where in a photo the detector looks, how often, and which of its boxes are believed.
//!
//! One look at the whole photo is enough for most photos: it has a face that is beyond doubt, and no face so small that there may be smaller
//! ones. More looks are taken only where the first gives a reason:
//!
//! | the first look has | then |
//! |---|---|
//! | clear faces that all lie tilted, and weak boxes | one look at the photo turned upright |
//! | faces and a middling box | one look at that box, enlarged and upright |
//! | boxes, but none beyond doubt | the best are looked at again; if they do not hold up, the photo is turned by quarters |
//! | no face, or very small ones | looks at tiles, but for plain ones |
//!
//! A box found on a turned or enlarged copy counts only if it holds up: its landmarks form a face (where there are pixels enough for any), and
//! the detector finds it again when it is shown upright and at the size that it knows best. Animals fail that.

use image::RgbImage;

use super::detail::Detail;
use super::detector::{Detection, Detector};
use super::lie::Lie;
use super::quality::LEAST_WIDTH_PX;
use super::turned::TurnedCopy;
use super::{Effort, EngineError};
use crate::Rect;
use crate::limits::{MAX_FACES, MAX_SECOND_LOOKS, MAX_TILES};
use crate::pack::Detector as Spec;

/// Pixels along a side of the turned copies, and the unit of widths "at the size of a look": those of the detector's own input.
const LOOK_PX: usize = 512;

/// A face this narrow at the size of a look is so far away that there may be others too small to be seen.
const SMALL_PX: f32 = 16.0;

/// Boxes from tiles that are wider than this at the size of a look would have been seen in it: they are something else.
const TILE_MOST_PX: f32 = 24.0;

/// Boxes of a tile that are narrower than this are looked at again however sure the detector is of them: there is little to go by.
const TILE_SURE_PX: f32 = 12.0;

/// Landmarks in narrower boxes are no evidence: the net makes nothing of so few pixels, of faces either.
const LANDMARKS_PX: f32 = 18.0;

/// Boxes narrower than this at the size of a look are no reason to turn the photo.
const TURN_LEAST_PX: f32 = 8.0;

/// Sides of tiles in pixels of the photo; the smallest that needs no more than [`MAX_TILES`] looks is taken. At the largest, a face of 24 px
/// has 11 px in the look, of which the detector finds most.
const TILE_SIDES: [f32; 5] = [320.0, 448.0, 640.0, 896.0, 1152.0];

/// Tiles share this part of their side with the next, so that a face on the edge of one lies within the other.
const TILE_SHARED: f32 = 0.125;

/// A tile as large as this share of the photo's longer side shows no more than the whole.
const TILE_LARGEST: f32 = 0.8;

/// A look at a box shows this many times its side: the face then has 64 px, where faces score 0.9 and more and dogs 0.6 at most.
const SURROUNDINGS: f32 = 8.0;

/// Least score of a box that is looked at again.
const HOLDS_UP: f32 = 0.75;

/// Landmarks further than this from a mean face are of something else, or of a face that lies on its side.
const MOST_MISFIT: f32 = 0.06;

/// Landmarks are wrong about faces that are turned by more (degrees).
const MOST_TURN: f32 = 60.0;

/// Clear faces that are tilted by less (degrees) are found well enough as they are.
const TILTED: f32 = 20.0;

/// Least score of a box beside clear faces that is looked at again, and of a box in the photo turned upright.
const MIDDLING: f32 = 0.3;
const BESIDE_TILTED: f32 = 0.6;

/// Boxes that overlap by more are one face, which the detector saw twice: it boxes tilted faces in more than one way. Two people in a photo
/// are never one person, so one face must never be two. Faces side by side overlap by less.
const SAME_FACE: f32 = 0.3;

/// Boxes of a photo without a clear face that are looked at again; the others are judged by them.
const WITNESSES: usize = 4;

/// Clear faces whose tilt is measured.
const TILT_FACES: usize = 3;

/// A box that is believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) detection: Detection,
    /// By how many degrees clockwise the photo was turned when it was found.
    pub(super) turn: f32,
}

/// Scores of a pack's detector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scores {
    clear: f32,
    face: f32,
}

impl Scores {
    pub(super) fn of(spec: &Spec) -> Self {
        Self { clear: spec.clear_score(), face: spec.min_score }
    }
}

/// One photo under search. `lie` tells how the face in a box lies, given how the photo was turned when it was found.
pub(super) struct Search<'a, P> {
    pub(super) detector: &'a Detector,
    pub(super) scores: Scores,
    pub(super) image: &'a RgbImage,
    pub(super) lie: P,
}

impl<P: Fn(&Found) -> Result<Option<Lie>, EngineError>> Search<'_, P> {
    /// The faces, the surest first, at most [`MAX_FACES`].
    pub(super) fn run(&self, effort: Effort) -> Result<Vec<Found>, EngineError> {
        let seen = self.look(0.0)?;
        let mut found = match seen.first() {
            Some(best) if best.detection.score >= self.scores.clear => self.beside_clear(&seen)?,
            _ => self.without_clear(&seen, effort)?,
        };
        let narrowest = found.iter().map(|face| self.at_look(face.detection.rect.w)).fold(f32::INFINITY, f32::min);
        if found.is_empty() || narrowest < SMALL_PX {
            self.in_tiles(&mut found)?;
        }
        found.sort_by(|a, b| b.detection.score.total_cmp(&a.detection.score));
        let mut apart: Vec<Found> = Vec::with_capacity(found.len());
        for face in found {
            if apart.len() < MAX_FACES && apart.iter().all(|better| overlap(better, &face) <= SAME_FACE) {
                apart.push(face);
            }
        }
        Ok(apart)
    }

    /// Every box in the photo turned by so many degrees, down to hints, the surest first.
    fn look(&self, turn: f32) -> Result<Vec<Found>, EngineError> {
        let as_found = |detection| Found { detection, turn };
        if turn == 0.0 {
            let seen = self.detector.look(self.image, whole(self.image))?;
            return Ok(self.detector.suppress(seen).into_iter().map(as_found).collect());
        }
        let Some(copy) = TurnedCopy::whole(self.image, turn, LOOK_PX) else { return Ok(Vec::new()) };
        let seen = self.detector.suppress(self.detector.look(&copy.image, whole(&copy.image))?);
        let back = |detection: Detection| {
            let rect = copy.rect_back(detection.rect).within(self.image.width(), self.image.height());
            let points = detection.points.map(|points| points.map(|point| copy.point_back(point)));
            as_found(Detection { rect, points, ..detection })
        };
        Ok(seen.into_iter().map(back).filter(|face| face.detection.rect.area() >= 1.0).collect())
    }

    /// A photo with a clear face: what is weak beside it may be a face that lies tilted or is half hidden.
    fn beside_clear(&self, seen: &[Found]) -> Result<Vec<Found>, EngineError> {
        let (mut found, weak) = self.split(seen);
        let weak: Vec<Found> = weak.into_iter().filter(|face| !is_known(face, &found)).collect();
        if weak.is_empty() {
            return Ok(found);
        }
        if let Some(turn) = self.common_turn(&found)? {
            for face in self.look(turn)? {
                if face.detection.score >= BESIDE_TILTED && !is_known(&face, &found) {
                    found.push(face);
                }
            }
        }
        self.add_middling(&weak, &mut found)?;
        Ok(found)
    }

    /// Adds those of the weak boxes beside faces that hold up.
    fn add_middling(&self, weak: &[Found], found: &mut Vec<Found>) -> Result<(), EngineError> {
        for face in weak.iter().filter(|face| face.detection.score >= MIDDLING).take(WITNESSES) {
            if !is_known(face, found) && self.holds_up(face)? {
                found.push(*face);
            }
        }
        Ok(())
    }

    /// By how much to turn the photo when its clear faces lie tilted alike.
    fn common_turn(&self, found: &[Found]) -> Result<Option<f32>, EngineError> {
        let mut turns = Vec::new();
        for face in found.iter().filter(|face| face.detection.score >= self.scores.clear).take(TILT_FACES) {
            let lie = (self.lie)(face)?;
            turns.extend(lie.filter(|lie| lie.misfit <= MOST_MISFIT).map(|lie| lie.turn));
        }
        turns.sort_by(f32::total_cmp);
        Ok(turns.get(turns.len() / 2).copied().filter(|turn| turn.abs() >= TILTED))
    }

    /// A photo without a clear face: its faces are far away, lie on their side, or are none.
    fn without_clear(&self, seen: &[Found], effort: Effort) -> Result<Vec<Found>, EngineError> {
        let (faces, weak) = self.split(seen);
        let (mut found, believed) = self.judged(faces)?;
        if believed {
            self.add_middling(&weak, &mut found)?;
            return Ok(found);
        }
        let hinted = seen.iter().any(|face| self.at_look(face.detection.rect.w) >= TURN_LEAST_PX);
        if !(hinted || effort == Effort::Thorough) {
            return Ok(found);
        }
        // Phones are held on their side more often than upside down.
        for turn in [90.0, 270.0, 180.0] {
            let (faces, _) = self.split(&self.look(turn)?);
            if total(&faces) > total(&found) {
                let (judged, believed) = self.judged(faces)?;
                if believed && total(&judged) > total(&found) {
                    found = judged;
                }
            }
            let clear = found.iter().any(|face| face.turn != 0.0 && face.detection.score >= self.scores.clear);
            if clear && turn == 270.0 {
                break;
            }
        }
        Ok(found)
    }

    /// Those that hold up, and whether so many do that the others are believed as well.
    fn judged(&self, faces: Vec<Found>) -> Result<(Vec<Found>, bool), EngineError> {
        let mut held = Vec::new();
        let asked = faces.len().min(WITNESSES);
        for face in &faces[..asked] {
            if self.holds_up(face)? {
                held.push(*face);
            }
        }
        let believed = !held.is_empty() && 2 * held.len() >= asked;
        Ok((if believed { faces } else { held }, believed))
    }

    /// Looks closer, part by part, and adds what holds up.
    fn in_tiles(&self, found: &mut Vec<Found>) -> Result<(), EngineError> {
        let mut asked = 0;
        for tile in self.tiles() {
            let seen = self.detector.suppress(self.detector.look(self.image, tile)?);
            for detection in seen {
                let face = Found { detection, turn: 0.0 };
                let plausible = detection.rect.w >= LEAST_WIDTH_PX && self.at_look(detection.rect.w) < TILE_MOST_PX;
                if !plausible || self.is_cut(&detection.rect, &tile) || is_known(&face, found) {
                    continue;
                }
                if detection.score < self.scores.clear || detection.rect.w < TILE_SURE_PX {
                    asked += 1;
                    if asked > MAX_SECOND_LOOKS || !self.holds_up(&face)? {
                        continue;
                    }
                }
                found.push(face);
            }
        }
        Ok(())
    }

    /// The tiles that are worth a look, row by row: as small as the number of looks allows.
    fn tiles(&self) -> Vec<Rect> {
        let (width, height) = (self.image.width() as f32, self.image.height() as f32);
        let mut detail = None;
        let mut tiles = Vec::new();
        for side in TILE_SIDES.into_iter().filter(|side| *side < TILE_LARGEST * width.max(height)) {
            let detail = detail.get_or_insert_with(|| Detail::of(self.image));
            tiles.clear();
            for y in starts(height, side) {
                let row =
                    starts(width, side).into_iter().map(|x| Rect { x, y, w: side.min(width), h: side.min(height) });
                tiles.extend(row.filter(|tile| !detail.is_plain(*tile)));
            }
            if tiles.len() <= MAX_TILES {
                return tiles;
            }
        }
        tiles.truncate(MAX_TILES);
        tiles
    }

    /// Whether a box ends at a side of its tile within the photo: the next tile has the whole of it.
    fn is_cut(&self, rect: &Rect, tile: &Rect) -> bool {
        const NEAR_PX: f32 = 2.0;
        let (width, height) = (self.image.width() as f32, self.image.height() as f32);
        (tile.x > 0.0 && rect.x < tile.x + NEAR_PX)
            || (tile.y > 0.0 && rect.y < tile.y + NEAR_PX)
            || (tile.right() < width && rect.right() > tile.right() - NEAR_PX)
            || (tile.bottom() < height && rect.bottom() > tile.bottom() - NEAR_PX)
    }

    /// Whether the landmarks in a box form a face and the detector finds it again, upright and at the size that it knows best.
    fn holds_up(&self, face: &Found) -> Result<bool, EngineError> {
        let rect = face.detection.rect;
        let Some(turn) = (if rect.w < LANDMARKS_PX { Some(face.turn) } else { self.upright(face)? }) else {
            return Ok(false);
        };
        let side = SURROUNDINGS * rect.w.max(rect.h);
        let Some(copy) = TurnedCopy::cut(self.image, rect.centre(), side, turn, LOOK_PX) else { return Ok(false) };
        let (middle, expected) = (LOOK_PX as f32 / 2.0, LOOK_PX as f32 / SURROUNDINGS);
        let again = |detection: &Detection| {
            let [x, y] = detection.rect.centre();
            let same = (x - middle).hypot(y - middle) <= 0.6 * expected;
            same && (0.4..2.0).contains(&(detection.rect.w / expected)) && detection.score >= HOLDS_UP
        };
        Ok(self.detector.look(&copy.image, whole(&copy.image))?.iter().any(again))
    }

    /// By how much to turn the photo for the face in a box to stand upright; `None` when the landmarks in it form no face.
    fn upright(&self, face: &Found) -> Result<Option<f32>, EngineError> {
        let Some(lie) = (self.lie)(face)? else { return Ok(None) };
        let off = (lie.turn - face.turn + 540.0).rem_euclid(360.0) - 180.0;
        Ok((lie.misfit <= MOST_MISFIT && off.abs() <= MOST_TURN).then_some(lie.turn))
    }

    /// Boxes that count as faces, and weaker ones.
    fn split(&self, seen: &[Found]) -> (Vec<Found>, Vec<Found>) {
        seen.iter().partition(|face| face.detection.score > self.scores.face)
    }

    /// A length in pixels at the size of a look at the whole photo.
    fn at_look(&self, pixels: f32) -> f32 {
        pixels * LOOK_PX as f32 / self.image.width().max(self.image.height()) as f32
    }
}

fn whole(image: &RgbImage) -> Rect {
    Rect { x: 0.0, y: 0.0, w: image.width() as f32, h: image.height() as f32 }
}

fn total(faces: &[Found]) -> f32 {
    faces.iter().map(|face| face.detection.score).sum()
}

fn overlap(a: &Found, b: &Found) -> f32 {
    a.detection.rect.overlap(&b.detection.rect)
}

/// Whether a box is one of those known: they overlap, or its middle lies in the other.
fn is_known(face: &Found, known: &[Found]) -> bool {
    let [x, y] = face.detection.rect.centre();
    known.iter().map(|known| known.detection.rect).any(|rect| {
        let inside = (rect.x..rect.right()).contains(&x) && (rect.y..rect.bottom()).contains(&y);
        inside || rect.overlap(&face.detection.rect) > SAME_FACE
    })
}

/// Where tiles of this side begin along a length: evenly, each sharing at least [`TILE_SHARED`] with the next.
fn starts(length: f32, side: f32) -> Vec<f32> {
    if length <= side {
        return vec![0.0];
    }
    let shared = TILE_SHARED * side;
    let count = ((length - shared) / (side - shared)).ceil().max(2.0);
    (0..count as usize).map(|at| (at as f32 * (length - side) / (count - 1.0)).round()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_the_length_and_share_a_part() {
        for (length, side) in [(2560.0, 1152.0), (1920.0, 1152.0), (1153.0, 1152.0), (2560.0, 320.0)] {
            let starts = starts(length, side);
            assert_eq!((starts[0], starts[starts.len() - 1] + side), (0.0, length));
            for two in starts.windows(2) {
                assert!(two[0] + side - two[1] >= TILE_SHARED * side - 1.0, "{length} {side}: {starts:?}");
            }
        }
        assert_eq!(starts(300.0, 320.0), [0.0]);
    }

    #[test]
    fn a_box_is_known_by_overlap_or_by_its_middle() {
        let at = |x: f32, side: f32| Found {
            detection: Detection { rect: Rect { x, y: 0.0, w: side, h: side }, score: 0.9, points: None },
            turn: 0.0,
        };
        assert!(is_known(&at(10.0, 100.0), &[at(0.0, 100.0)]));
        assert!(is_known(&at(40.0, 20.0), &[at(0.0, 100.0)]));
        assert!(!is_known(&at(90.0, 100.0), &[at(0.0, 100.0)]));
    }
}
