//! What a child's answer must look like to be believed: it has read a stranger's bytes and may say anything (promise D8).
//!
//! Each function gives `None` for an answer to another question, or for one that no honest child gives; the child is killed then.

use inframe_models::Face;

use super::message::{Answer, CaptureTime, EnrolledFace, Film, FoundFaces, Inspection};
use super::{Format, limits};

pub(super) fn inspection(answer: Answer, mut payload: Vec<u8>) -> Option<Inspection> {
    let Answer::Inspected { mut inspection, grid_bytes } = answer else { return None };
    let at = usize::try_from(grid_bytes).ok().filter(|at| *at <= payload.len())?;
    inspection.preview = payload.split_off(at);
    inspection.grid = payload;
    let holds = is_size(inspection.width, inspection.height)
        && (1..=8).contains(&inspection.orientation)
        && inspection.taken_at.is_none_or(|time| is_moment(&time))
        && inspection.camera.as_deref().is_none_or(is_camera)
        && inspection.thumbhash.len() <= limits::MAX_THUMBHASH_BYTES
        && is_jpeg(&inspection.grid, limits::MAX_THUMB_BYTES)
        && is_jpeg(&inspection.preview, limits::MAX_THUMB_BYTES);
    holds.then_some(*inspection)
}

pub(super) fn faces(answer: Answer, payload: Vec<u8>) -> Option<FoundFaces> {
    let Answer::Faces(found) = answer else { return None };
    let holds = payload.is_empty()
        && is_size(found.width, found.height)
        && found.faces.len() <= limits::MAX_FACES
        && found.faces.iter().all(is_face);
    holds.then_some(found)
}

pub(super) fn model_runs(answer: Answer, payload: Vec<u8>) -> Option<()> {
    (matches!(answer, Answer::ModelRuns) && payload.is_empty()).then_some(())
}

pub(super) fn enrolled(answer: Answer, mut still: Vec<u8>) -> Option<EnrolledFace> {
    let Answer::Enrolled { face, still_bytes } = answer else { return None };
    let at = usize::try_from(still_bytes).ok().filter(|at| *at <= still.len())?;
    let source = still.split_off(at);
    let holds =
        is_face(&face) && is_jpeg(&still, limits::MAX_STILL_BYTES) && is_jpeg(&source, limits::MAX_SOURCE_BYTES);
    holds.then_some(EnrolledFace { pack: String::new(), face: *face, still, source })
}

/// Whether a film belongs to a photo, and its media type.
pub(super) fn pair(answer: Answer, payload: Vec<u8>) -> Option<Option<Film>> {
    match answer {
        Answer::Pair(film) if payload.is_empty() => Some(film),
        _ => None,
    }
}

pub(super) fn crop(answer: Answer, jpeg: Vec<u8>) -> Option<Vec<u8>> {
    (matches!(answer, Answer::Image) && is_jpeg(&jpeg, limits::MAX_THUMB_BYTES)).then_some(jpeg)
}

pub(super) fn rendition(answer: Answer, image: Vec<u8>) -> Option<Vec<u8>> {
    let may_leave = || Format::by_signature(&image).is_some_and(Format::leaves_as_it_is);
    (matches!(answer, Answer::Image) && may_leave()).then_some(image)
}

/// The only format that a photo with destroyed faces comes in.
pub(super) fn blurred(answer: Answer, image: Vec<u8>) -> Option<Vec<u8>> {
    (matches!(answer, Answer::Image) && is_jpeg(&image, usize::MAX)).then_some(image)
}

fn is_jpeg(bytes: &[u8], most: usize) -> bool {
    bytes.len() <= most && Format::by_signature(bytes) == Some(Format::Jpeg)
}

fn is_size(width: u32, height: u32) -> bool {
    let sides = 1..=limits::MAX_SIDE_PX;
    let px = u64::from(width) * u64::from(height);
    sides.contains(&width) && sides.contains(&height) && px <= limits::MAX_PIXELS
}

fn is_moment(time: &CaptureTime) -> bool {
    limits::WALL_MS.contains(&time.wall_ms)
        && time.offset_min.is_none_or(|minutes| limits::OFFSET_MIN.contains(&minutes))
}

fn is_camera(name: &str) -> bool {
    let is_printable = |c: char| c.is_alphanumeric() || c.is_ascii_graphic() || c == ' ';
    name.chars().count() <= limits::MAX_CAMERA_CHARS && name.chars().all(is_printable)
}

/// Every number is one: a single NaN would spoil each comparison that it is part of.
fn is_face(face: &Face) -> bool {
    let Face { rect, score, landmarks, quality, embedding } = face;
    let single = [rect.x, rect.y, rect.w, rect.h, *score, quality.width_px, quality.sharpness, quality.frontality];
    landmarks.len() <= limits::MAX_LANDMARKS
        && embedding.0.len() <= limits::MAX_EMBEDDING
        && single
            .iter()
            .chain([&quality.score])
            .chain(landmarks.as_flattened())
            .chain(&embedding.0)
            .all(|n| n.is_finite())
}

#[cfg(test)]
mod tests {
    use inframe_models::{Embedding, Quality, Rect};

    use super::*;

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xd9];

    fn honest() -> Inspection {
        Inspection {
            format: Format::Png,
            width: 4000,
            height: 3000,
            orientation: 6,
            taken_at: Some(CaptureTime { wall_ms: 1_719_837_296_000, offset_min: Some(120) }),
            camera: Some("Fairphone FP4".to_string()),
            has_location: false,
            motion_bytes: None,
            mean_rgb565: 0,
            thumbhash: vec![0; 25],
            grid: Vec::new(),
            preview: Vec::new(),
        }
    }

    fn face() -> Face {
        Face {
            rect: Rect { x: 1.0, y: 2.0, w: 30.0, h: 40.0 },
            score: 0.9,
            landmarks: vec![[1.0, 2.0]; 68],
            quality: Quality { width_px: 30.0, sharpness: 20.0, frontality: 1.0, score: 0.5 },
            embedding: Embedding(vec![0.1; 128]),
        }
    }

    fn enrolled_answer(face: Face, still_bytes: u32) -> Answer {
        Answer::Enrolled { face: Box::new(face), still_bytes }
    }

    fn believed(change: impl FnOnce(&mut Inspection)) -> bool {
        let mut inspection = Box::new(honest());
        change(&mut inspection);
        super::inspection(Answer::Inspected { inspection, grid_bytes: 4 }, [JPEG, JPEG].concat()).is_some()
    }

    #[test]
    fn d8_inspections_are_believed_only_within_the_limits() {
        assert!(believed(|_| ()));
        assert!(!believed(|said| said.width = 0));
        assert!(!believed(|said| said.height = limits::MAX_SIDE_PX + 1));
        assert!(!believed(|said| (said.width, said.height) = (20_000, 20_000)));
        assert!(!believed(|said| said.orientation = 9));
        assert!(!believed(|said| said.taken_at = Some(CaptureTime { wall_ms: i64::MIN, offset_min: None })));
        assert!(!believed(|said| said.taken_at = Some(CaptureTime { wall_ms: 0, offset_min: Some(i16::MAX) })));
        assert!(!believed(|said| said.camera = Some("\u{202e}4PF".to_string())));
        assert!(!believed(|said| said.camera = Some("x".repeat(65))));
        assert!(!believed(|said| said.thumbhash = vec![0; 1000]));
    }

    #[test]
    fn d8_thumbnails_are_jpegs_where_the_answer_says() {
        let at = |grid_bytes, payload: &[u8]| {
            let answer = Answer::Inspected { inspection: Box::new(honest()), grid_bytes };
            super::inspection(answer, payload.to_vec()).is_some()
        };
        let both = [JPEG, JPEG].concat();
        assert!(at(4, &both));
        assert!(!at(3, &both) && !at(0, &both) && !at(8, &both) && !at(9, &both) && !at(u32::MAX, &both));
        assert!(!at(4, &[JPEG, b"<svg"].concat()));
        assert!(!at(4, &[JPEG, JPEG, &vec![0; limits::MAX_THUMB_BYTES]].concat()));
    }

    #[test]
    fn d8_faces_are_numbers_and_not_too_many() {
        let found = |faces, payload: &[u8]| {
            super::faces(
                Answer::Faces(FoundFaces { pack: String::new(), width: 100, height: 100, faces }),
                payload.to_vec(),
            )
            .is_some()
        };
        assert!(found(vec![face(); limits::MAX_FACES], b""));
        assert!(!found(vec![face(); limits::MAX_FACES + 1], b""));
        assert!(!found(Vec::new(), b"more"));
        let spoilt: [fn(&mut Face); 5] = [
            |face| face.rect.w = f32::NAN,
            |face| face.quality.score = f32::INFINITY,
            |face| face.landmarks[67][1] = f32::NAN,
            |face| face.embedding.0[127] = f32::NAN,
            |face| face.embedding.0 = vec![0.0; 100_000],
        ];
        for spoil in spoilt {
            let mut face = face();
            spoil(&mut face);
            assert!(!found(vec![face.clone()], b""));
            assert!(enrolled(enrolled_answer(face, 4), [JPEG, JPEG].concat()).is_none());
        }
        assert!(enrolled(enrolled_answer(face(), 4), [JPEG, JPEG].concat()).is_some());
        for (still_bytes, payload) in [
            (limits::MAX_STILL_BYTES + 1, [JPEG, &[0; limits::MAX_STILL_BYTES - 3], JPEG].concat()),
            (4, [JPEG, JPEG, &[0; limits::MAX_SOURCE_BYTES]].concat()),
            (4, [JPEG, b"<svg".as_slice()].concat()),
            (4, JPEG.to_vec()),
            (9, [JPEG, JPEG].concat()),
        ] {
            assert!(enrolled(enrolled_answer(face(), still_bytes as u32), payload).is_none(), "{still_bytes}");
        }
    }

    #[test]
    fn d8_answers_to_another_question_are_not_believed() {
        assert!(crop(Answer::Image, JPEG.to_vec()).is_some() && rendition(Answer::Image, JPEG.to_vec()).is_some());
        assert!(
            crop(Answer::Image, b"<svg".to_vec()).is_none() && rendition(Answer::Image, b"<svg".to_vec()).is_none()
        );
        assert!(super::inspection(Answer::Image, JPEG.to_vec()).is_none());
        assert!(super::faces(Answer::Image, Vec::new()).is_none());
        assert!(enrolled(Answer::Image, JPEG.to_vec()).is_none());
        let other = || Answer::Faces(FoundFaces { pack: String::new(), width: 1, height: 1, faces: Vec::new() });
        assert!(crop(other(), JPEG.to_vec()).is_none() && rendition(other(), JPEG.to_vec()).is_none());
    }
}
