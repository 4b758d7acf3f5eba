//! Angles, times and counts of the pose challenge.

use inframe_models::Pose;

use super::{Ask, Frame};

/// Degrees to the side, against the straight frame, at which a turn counts. A glance or a tilted photo stays below 10; 40 loses an eye.
const TURN_YAW: f32 = 16.0;
/// Degrees up at which a turn counts; landmarks show about two thirds of what a head really lifts.
const TURN_PITCH: f32 = 9.0;
/// Degrees that the other axis may be off while a turn is asked.
const ACROSS_YAW: f32 = 14.0;
const ACROSS_PITCH: f32 = 16.0;
/// Degrees within which a head is straight again.
const BACK_YAW: f32 = 9.0;
const BACK_PITCH: f32 = 7.0;
/// Degrees within which the first frame must be straight. Heads differ by more than 10 in pitch, and cameras stand below or above the eyes.
const FIRST_YAW: f32 = 14.0;
const FIRST_PITCH: std::ops::RangeInclusive<f32> = -22.0..=28.0;
const FIRST_ROLL: f32 = 20.0;

/// What a challenge demands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Embeddings of all frames lie within this distance of the first one's.
    pub same_person: f32,
    /// Least quality (0..1) of the first frame: it becomes a selfie.
    pub min_quality: f32,
    /// A step may take this long, milliseconds.
    pub step_ms: u64,
    /// All of it may take this long, milliseconds.
    pub whole_ms: u64,
    /// Frames that may be judged: each costs a run of the model.
    pub max_frames: u32,
    /// Frames with another face, at which it ends; blur may explain fewer.
    pub max_strange: u32,
    /// Turns in another direction than asked that are forgiven.
    pub max_wrong_turns: u32,
}

impl Rules {
    /// The rules for a pack with these thresholds.
    #[must_use]
    pub fn new(same_person: f32, min_quality: f32) -> Self {
        Self {
            same_person,
            min_quality,
            step_ms: 30_000,
            whole_ms: 120_000,
            max_frames: 300,
            max_strange: 4,
            max_wrong_turns: 1,
        }
    }

    /// Advice when a first frame is not fit to measure the others against.
    pub(super) fn straight_enough(&self, frame: &Frame) -> Option<&'static str> {
        let Pose { yaw, pitch, roll } = frame.pose;
        if yaw.abs() > FIRST_YAW {
            Some("Look straight into the camera")
        } else if roll.abs() > FIRST_ROLL {
            Some("Hold your head upright")
        } else if pitch > *FIRST_PITCH.end() {
            Some("Lower your chin a little, or raise the camera to your eyes")
        } else if pitch < *FIRST_PITCH.start() {
            Some("Lift your chin a little, or lower the camera to your eyes")
        } else if frame.quality < self.min_quality {
            Some("Come nearer and use more light")
        } else {
            None
        }
    }

    /// How far a head that is `turned` against the straight frame went in the asked direction, 0..1.
    pub(super) fn reached(&self, ask: Ask, turned: &Pose) -> f32 {
        let side =
            |yaw: f32| if turned.pitch.abs() <= ACROSS_PITCH { yaw / TURN_YAW } else { 0.9_f32.min(yaw / TURN_YAW) };
        let part = match ask {
            Ask::Left => side(turned.yaw),
            Ask::Right => side(-turned.yaw),
            Ask::Up if turned.yaw.abs() <= ACROSS_YAW => turned.pitch / TURN_PITCH,
            Ask::Up => 0.9_f32.min(turned.pitch / TURN_PITCH),
            Ask::Straight => {
                let off = (turned.yaw.abs() / BACK_YAW).max(turned.pitch.abs() / BACK_PITCH);
                if off <= 1.0 { 1.0 } else { 1.0 / off }
            }
        };
        part.clamp(0.0, 1.0)
    }

    /// The direction in which a head is plainly turned.
    pub(super) fn direction(&self, turned: &Pose) -> Option<Ask> {
        if turned.yaw >= TURN_YAW {
            Some(Ask::Left)
        } else if turned.yaw <= -TURN_YAW {
            Some(Ask::Right)
        } else if turned.pitch >= TURN_PITCH + 3.0 && turned.yaw.abs() <= ACROSS_YAW {
            Some(Ask::Up)
        } else {
            None
        }
    }

    /// What to do differently.
    pub(super) fn advice(&self, ask: Ask, turned: &Pose) -> Option<&'static str> {
        let begun = self.reached(ask, turned) > 0.35;
        match ask {
            Ask::Straight => Some("Look straight again"),
            Ask::Left if begun => Some("Further to your left"),
            Ask::Right if begun => Some("Further to your right"),
            Ask::Up if turned.yaw.abs() > ACROSS_YAW => Some("Only up, not to the side"),
            Ask::Up if begun => Some("A little higher"),
            _ => None,
        }
    }
}
