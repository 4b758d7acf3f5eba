//! The pose challenge: whether a living person is before the camera, rather than a photo of somebody. Pure: frames and times in, verdicts out.
//!
//! The person looks straight into the camera, then to the left, to the right and up in an order that is drawn for each challenge and told one
//! step at a time, looking straight again in between. Each frame is judged by the pose of its face against the straight one. A printed or
//! displayed photo fails however it is held, since slanting a flat picture does not turn the face in it
//! ([`Pose`]). A film that shows the turns in another order fails too.
//!
//! It discourages, no more: whoever films the person turning each way on demand, animates a photo, or changes this program gets through.
//! Everything that is told to others about it is therefore worded as the announcer's word.

mod rules;
mod running;
#[cfg(test)]
mod tests;

use inframe_models::{Embedding, Pose};

pub use rules::Rules;
pub use running::{ChallengeError, ChallengeId, Challenges, Place};

/// A direction to look in, from the person's own point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// Into the camera.
    Straight,
    /// To their left.
    Left,
    /// To their right.
    Right,
    /// Up.
    Up,
}

impl Ask {
    /// The word of the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Straight => "straight",
            Self::Left => "left",
            Self::Right => "right",
            Self::Up => "up",
        }
    }

    /// What to do, in words.
    #[must_use]
    pub fn instruction(self) -> &'static str {
        match self {
            Self::Straight => "Look straight into the camera",
            Self::Left => "Turn your head to your left",
            Self::Right => "Turn your head to your right",
            Self::Up => "Lift your chin and look up",
        }
    }
}

/// One frame of the camera, as far as it matters here.
#[derive(Clone)]
pub struct Frame {
    /// How the head is turned.
    pub pose: Pose,
    /// What the face looks like.
    pub embedding: Embedding,
    /// Quality 0..1.
    pub quality: f32,
    /// A small still of the face, JPEG.
    pub still: Vec<u8>,
    /// The face with its surroundings, JPEG.
    pub source: Vec<u8>,
    /// The model pack of the embedding.
    pub pack: String,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame {{ quality: {:.2}, face: hidden }}", self.quality)
    }
}

/// What a frame led to.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Not there yet: what to do differently, if anything.
    More(Option<&'static str>),
    /// The step is done; the next one is asked.
    Step,
    /// All steps are done.
    Passed,
    /// It is over: why, and what to do.
    Failed(&'static str),
}

/// A challenge under way.
#[derive(Debug)]
pub struct Challenge {
    rules: Rules,
    steps: Vec<Ask>,
    at: usize,
    started: u64,
    step_started: u64,
    /// The first straight frame: everything is measured against it.
    first: Option<Frame>,
    /// The frames that count, best quality first for the straight one.
    kept: Vec<(Ask, Frame)>,
    frames: u32,
    strange: u32,
    wrong_turns: u32,
    in_wrong_turn: bool,
    reached: f32,
}

impl Challenge {
    /// Begins with the turns in this order, at `now` (Unix milliseconds).
    #[must_use]
    pub fn new(order: [Ask; 3], rules: Rules, now: u64) -> Self {
        let steps = order.into_iter().flat_map(|turn| [Ask::Straight, turn]).collect();
        Self {
            rules,
            steps,
            at: 0,
            started: now,
            step_started: now,
            first: None,
            kept: Vec::new(),
            frames: 0,
            strange: 0,
            wrong_turns: 0,
            in_wrong_turn: false,
            reached: 0.0,
        }
    }

    /// What is asked now; `Straight` once everything is done.
    #[must_use]
    pub fn ask(&self) -> Ask {
        self.steps.get(self.at).copied().unwrap_or(Ask::Straight)
    }

    /// How many of how many steps are done.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        (self.at, self.steps.len())
    }

    /// How far the last frame went in the direction that is asked, 0..1.
    #[must_use]
    pub fn reached(&self) -> f32 {
        self.reached
    }

    /// When the step that is asked must be done, Unix milliseconds.
    #[must_use]
    pub fn step_ends(&self) -> u64 {
        (self.step_started + self.rules.step_ms).min(self.started + self.rules.whole_ms)
    }

    /// Why it is over by the clock or by the number of frames, if it is.
    #[must_use]
    pub fn over(&self, now: u64) -> Option<&'static str> {
        if now >= self.step_ends() {
            return Some(match self.ask() {
                Ask::Straight => {
                    "That took too long. Start again when your face is well lit and alone before the camera."
                }
                _ => "Your head was not seen to turn. A photo held before the camera does not work; start again.",
            });
        }
        (self.frames >= self.rules.max_frames).then_some("That took too many pictures. Start again.")
    }

    /// A frame that shows no single usable face counts as a frame and nothing else.
    pub fn unusable(&mut self) {
        self.frames += 1;
        self.reached = 0.0;
    }

    /// Judges a frame.
    pub fn judge(&mut self, frame: Frame, now: u64) -> Verdict {
        if let Some(why) = self.over(now) {
            return Verdict::Failed(why);
        }
        self.frames += 1;
        let Some(first) = &self.first else { return self.judge_first(frame, now) };
        let apart = first.embedding.distance(&frame.embedding);
        let turned = frame.pose.from(&first.pose);
        if apart > self.rules.same_person {
            self.strange += 1;
            self.reached = 0.0;
            if self.strange >= self.rules.max_strange {
                return Verdict::Failed("Another face came before the camera. Start again, alone.");
            }
            return Verdict::More(Some("Hold still: your face was not recognised"));
        }
        let ask = self.ask();
        self.reached = self.rules.reached(ask, &turned);
        if let Some(shown) = self.rules.direction(&turned)
            && ask != Ask::Straight
            && shown != ask
        {
            return self.wrong_turn(shown);
        }
        self.in_wrong_turn = false;
        if self.reached < 1.0 {
            return Verdict::More(self.rules.advice(ask, &turned));
        }
        self.keep(ask, frame);
        self.advance(now)
    }

    fn judge_first(&mut self, frame: Frame, now: u64) -> Verdict {
        if let Some(advice) = self.rules.straight_enough(&frame) {
            self.reached = 0.0;
            return Verdict::More(Some(advice));
        }
        self.first = Some(frame.clone());
        self.keep(Ask::Straight, frame);
        self.advance(now)
    }

    /// One wrong turn may be a mistake over left and right, two are a film.
    fn wrong_turn(&mut self, shown: Ask) -> Verdict {
        if !std::mem::replace(&mut self.in_wrong_turn, true) {
            self.wrong_turns += 1;
        }
        if self.wrong_turns > self.rules.max_wrong_turns {
            return Verdict::Failed("Your head turned another way than asked, twice. Start again.");
        }
        Verdict::More(Some(match shown {
            Ask::Left => "That was your left: the other way",
            Ask::Right => "That was your right: the other way",
            Ask::Up => "That was up: another way",
            Ask::Straight => "Look the way that is asked",
        }))
    }

    fn keep(&mut self, ask: Ask, frame: Frame) {
        match self.kept.iter_mut().find(|(kept, _)| *kept == ask) {
            Some((_, known)) if known.quality >= frame.quality => {}
            Some((_, known)) => *known = frame,
            None => self.kept.push((ask, frame)),
        }
    }

    fn advance(&mut self, now: u64) -> Verdict {
        self.at += 1;
        self.step_started = now;
        self.reached = 0.0;
        if self.at == self.steps.len() { Verdict::Passed } else { Verdict::Step }
    }

    /// The frames worth keeping as selfies, the straight one first: those of at least this quality, and the straight one in any case.
    #[must_use]
    pub fn selfies(self, min_quality: f32) -> Vec<Frame> {
        let worth = |(ask, frame): &(Ask, Frame)| *ask == Ask::Straight || frame.quality >= min_quality;
        let mut kept: Vec<_> = self.kept.into_iter().filter(worth).collect();
        kept.sort_by_key(|(ask, _)| *ask);
        kept.into_iter().map(|(_, frame)| frame).collect()
    }
}
