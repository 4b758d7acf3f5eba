//! Which faces of a photo may be seen by somebody whom it goes to: what its members ask and the event's rule, as one pure function (R79 of the
//! protocol, D4).

use serde::{Deserialize, Serialize};

/// What is asked of photos that show a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The photo stays.
    HoldBack,
    /// The face is destroyed.
    Blur,
}

/// Somebody other than the receiver whose face this may be, and who asks something. Sure and maybe are one here: the wish errs towards protection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// Template distance between the face and theirs.
    pub distance: f32,
    /// What they ask.
    pub asked: Asked,
}

/// What is known of one face of a photo.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FaceFacts {
    /// The distance to the receiver's find-me, if this is the face for which they get the photo.
    pub sought: Option<f32>,
    /// Who may be seen in it and asks something.
    pub near: Vec<Near>,
    /// Whether it is somebody who is to be seen though bystanders are blurred: it is surely the sender, somebody who looks for themselves, or somebody
    /// who said so.
    pub shown: bool,
}

/// Why a photo stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// Somebody in it asked for that.
    Asked,
    /// A face in a video would have to be destroyed.
    Video,
}

/// What may leave of a photo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shield {
    /// Why it stays, if it does.
    pub stays: Option<Stays>,
    /// Faces that are destroyed in what leaves, by their place among the faces of the photo, rising.
    pub blurred: Vec<usize>,
}

/// Rules over the faces of one photo or video.
#[must_use]
pub fn shield(faces: &[FaceFacts], blur_bystanders: bool, is_video: bool) -> Shield {
    let (mut held, mut blurred) = (false, Vec::new());
    for (index, face) in faces.iter().enumerate() {
        // The receiver's own face is theirs, unless it is rather somebody's who asks otherwise.
        let counts = |near: &&Near| face.sought.is_none_or(|sought| near.distance < sought);
        let asked = |what: Asked| face.near.iter().filter(counts).any(|near| near.asked == what);
        held |= asked(Asked::HoldBack);
        let is_bystander = blur_bystanders && face.sought.is_none() && !face.shown;
        if asked(Asked::Blur) || is_bystander {
            blurred.push(index);
        }
    }
    let stays = match (held, is_video && !blurred.is_empty()) {
        (true, _) => Some(Stays::Asked),
        (false, true) => Some(Stays::Video),
        (false, false) => None,
    };
    Shield { stays, blurred }
}

/// Which faces a rendition was made without: it is served only while the same ones have to be destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blurred {
    /// How many.
    pub faces: u16,
    /// Stands for their places in the picture; zeros for none.
    pub tag: [u8; 16],
}

impl Blurred {
    /// Of these boxes (left, top, width and height as fractions of the upright image).
    #[must_use]
    pub fn of(boxes: &[[f32; 4]]) -> Self {
        if boxes.is_empty() {
            return Self::default();
        }
        let mut hasher = blake3::Hasher::new_derive_key("inframe blurred faces v1");
        for side in boxes.iter().flatten() {
            hasher.update(&side.to_le_bytes());
        }
        let mut tag = [0; 16];
        hasher.finalize_xof().fill(&mut tag);
        Self { faces: u16::try_from(boxes.len()).unwrap_or(u16::MAX), tag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(distance: f32, asked: Asked) -> Near {
        Near { distance, asked }
    }

    fn face(sought: Option<f32>, near: &[Near], shown: bool) -> FaceFacts {
        FaceFacts { sought, near: near.to_vec(), shown }
    }

    #[test]
    fn d4_whoever_asks_is_obeyed_whatever_else_is_in_the_photo() {
        let finder = face(Some(6.0), &[], true);
        let plain = face(None, &[], true);
        for (asked, stays) in [(Asked::HoldBack, Some(Stays::Asked)), (Asked::Blur, None)] {
            let protected = face(None, &[near(9.0, asked)], true);
            for order in [[&finder, &plain, &protected], [&protected, &finder, &plain], [&plain, &protected, &finder]] {
                let faces: Vec<FaceFacts> = order.into_iter().cloned().collect();
                let place = faces.iter().position(|face| *face == protected);
                let ruled = shield(&faces, false, false);
                assert_eq!(ruled.stays, stays);
                let blurred: Vec<usize> = place.into_iter().filter(|_| asked == Asked::Blur).collect();
                assert_eq!(ruled.blurred, blurred);
            }
        }
        assert_eq!(shield(&[finder, plain], false, false), Shield::default());
    }

    #[test]
    fn hold_back_wins_over_blur_and_over_being_shown() {
        let both = face(None, &[near(9.0, Asked::Blur), near(11.0, Asked::HoldBack)], true);
        assert_eq!(shield(&[both], false, false).stays, Some(Stays::Asked));
        let shown = face(None, &[near(9.0, Asked::Blur)], true);
        assert_eq!(shield(&[shown], true, false).blurred, [0]);
    }

    #[test]
    fn the_receivers_face_is_theirs_unless_it_is_rather_anothers() {
        for asked in [Asked::HoldBack, Asked::Blur] {
            let of = |distance| shield(&[face(Some(8.0), &[near(distance, asked)], true)], true, false);
            assert_eq!(of(8.0), Shield::default());
            assert_eq!(of(9.0), Shield::default());
            assert_ne!(of(7.9), Shield::default());
        }
    }

    #[test]
    fn bystanders_are_blurred_where_the_event_says_so() {
        let faces =
            [face(Some(6.0), &[], false), face(None, &[], true), face(None, &[], false), face(None, &[], false)];
        assert_eq!(shield(&faces, false, false), Shield::default());
        assert_eq!(shield(&faces, true, false), Shield { stays: None, blurred: vec![2, 3] });
        assert_eq!(shield(&[], true, false), Shield::default());
    }

    #[test]
    fn a_video_in_which_a_face_had_to_be_destroyed_stays() {
        let protected = face(None, &[near(9.0, Asked::Blur)], false);
        assert_eq!(shield(&[protected], false, true).stays, Some(Stays::Video));
        assert_eq!(shield(&[face(None, &[], false)], true, true).stays, Some(Stays::Video));
        assert_eq!(shield(&[face(Some(5.0), &[], false)], true, true).stays, None);
    }

    #[test]
    fn a_rendition_is_bound_to_the_faces_that_it_was_made_without() {
        let (one, other) = ([0.1, 0.2, 0.3, 0.4], [0.5, 0.2, 0.3, 0.4]);
        assert_eq!(Blurred::of(&[]), Blurred::default());
        let all = [vec![one], vec![other], vec![one, other], vec![other, one]].map(|boxes| Blurred::of(&boxes).tag);
        assert!((0..4).all(|a| (0..a).all(|b| all[a] != all[b])));
        assert_eq!(Blurred::of(&[one, other]).faces, 2);
    }
}
