//! Enrolment before a camera: begins pose challenges, has each frame looked at in the sandbox, and keeps the selfies of those who passed.

use bytes::Bytes;

use super::{Answer, Node, NodeError};
use crate::clock::now_ms;
use crate::faces::challenge::{ChallengeError, ChallengeId, Frame, Place, Rules, Verdict};
use crate::faces::{ProfileId, StoredSelfie};
use crate::sandbox::{EnrolledFace, SandboxError};
use crate::views::ChallengeView;

/// What a frame that could be looked at led to.
struct Judged {
    view: ChallengeView,
    passed: bool,
}

impl Node {
    /// Begins a pose challenge for a profile, in place of any other that is under way.
    ///
    /// # Errors
    /// Without consent, when the profile is full, or when too many were begun.
    pub async fn begin_challenge(&self, id: String) -> Answer<ChallengeView> {
        let profile = self.known_profile(&id)?;
        self.core.profile.room(profile)?;
        let thresholds = &self.core.pack().thresholds;
        let rules = Rules::new(thresholds.maybe, thresholds.min_enrol_quality);
        let begun = |place: &Place| view(place, "running", None);
        Ok(self.core.challenges.begin(profile, rules, now_ms(), begun)?)
    }

    /// Judges a frame of the camera. Nothing of it is kept but, once all is passed, small stills and embeddings of the best.
    ///
    /// # Errors
    /// When the challenge is over, the frame before is still being looked at, or the sandbox is not available.
    pub async fn challenge_frame(&self, id: String, challenge: String, jpeg: Bytes) -> Answer<ChallengeView> {
        let profile = self.known_profile(&id)?;
        let key = challenge_id(&challenge)?;
        let reserved = Reserved::new(self, &key, profile)?;
        let looked = match self.core.sandbox.frame(jpeg).await {
            Ok(enrolled) => Ok(enrolled),
            Err(SandboxError::Refused(why)) => Err(why.in_short()),
            Err(other) => return Err(other.into()),
        };
        let looked = match looked {
            Ok(enrolled) => self.fits(profile, enrolled),
            Err(advice) => Err(advice),
        };
        let (judged, over) = reserved.judge(|place| judge(place, looked))?;
        if let Some(place) = over.filter(|_| judged.passed) {
            self.keep(place).await?;
        }
        Ok(judged.view)
    }

    /// Ends a challenge that the person left.
    ///
    /// # Errors
    /// When there is no such profile.
    pub async fn abandon_challenge(&self, id: String, challenge: String) -> Answer<()> {
        self.known_profile(&id)?;
        self.core.challenges.abandon(&challenge_id(&challenge)?);
        Ok(())
    }

    /// A face with a pose, that can be the person of the selfies that are there already.
    fn fits(&self, profile: ProfileId, enrolled: EnrolledFace) -> Result<Frame, &'static str> {
        let face = enrolled.face;
        let pose = face.pose().ok_or("Hard to make out: use more light")?;
        let pack = enrolled.pack;
        if pack != self.core.pack().id {
            return Err("The model pack is being changed: hold on");
        }
        if !self.core.profile.may_be(profile, &pack, &face.embedding.0) {
            return Err("This is not the person of the other selfies: remove those first if they are wrong");
        }
        let (still, source) = (enrolled.still, enrolled.source);
        Ok(Frame { pose, embedding: face.embedding, quality: face.quality.score, still, source, pack })
    }

    async fn keep(&self, place: Place) -> Answer<()> {
        let profile = place.profile;
        let mut frames = place.challenge.selfies(self.core.pack().thresholds.min_enrol_quality);
        frames.truncate(self.core.profile.room(profile)?);
        let selfies = frames.into_iter().map(|frame| StoredSelfie {
            pack: frame.pack,
            embedding: frame.embedding.0,
            still: frame.still,
            quality: frame.quality,
            at: now_ms(),
            profile,
            live: true,
            source: frame.source,
        });
        let selfies = selfies.collect();
        self.blocking(move |core| Ok(core.profile.add_selfies(profile, selfies)?)).await?;
        self.profile_changed();
        Ok(())
    }
}

/// Judges a frame, or notes that there was nothing to judge; whether it goes on comes first.
fn judge(place: &mut Place, looked: Result<Frame, &'static str>) -> (bool, Judged) {
    let now = now_ms();
    let verdict = match looked {
        Ok(frame) => place.challenge.judge(frame, now),
        Err(advice) => {
            place.challenge.unusable();
            place.challenge.over(now).map_or(Verdict::More(Some(advice)), Verdict::Failed)
        }
    };
    let (state, advice) = match verdict {
        Verdict::More(advice) => ("running", advice),
        Verdict::Step => ("running", None),
        Verdict::Passed => ("passed", None),
        Verdict::Failed(why) => ("failed", Some(why)),
    };
    (state == "running", Judged { view: view(place, state, advice), passed: state == "passed" })
}

fn view(place: &Place, state: &str, advice: Option<&str>) -> ChallengeView {
    let (done, steps) = place.challenge.progress();
    let ask = place.challenge.ask();
    ChallengeView {
        id: data_encoding::HEXLOWER.encode(&place.id),
        state: state.into(),
        ask: ask.word().into(),
        instruction: ask.instruction().into(),
        advice: advice.map(str::to_owned),
        done: u32::try_from(done).unwrap_or(0),
        steps: u32::try_from(steps).unwrap_or(0),
        reached: place.challenge.reached(),
        step_ends_at: place.challenge.step_ends(),
    }
}

fn challenge_id(text: &str) -> Answer<ChallengeId> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(NodeError::NotFound("challenge"))
}

/// The place of one frame; given back when the caller goes away half-way.
struct Reserved<'a> {
    node: &'a Node,
    id: ChallengeId,
    judged: bool,
}

impl<'a> Reserved<'a> {
    fn new(node: &'a Node, id: &ChallengeId, profile: ProfileId) -> Result<Self, ChallengeError> {
        node.core.challenges.reserve(id, profile)?;
        Ok(Self { node, id: *id, judged: false })
    }

    fn judge(
        mut self,
        judge: impl FnOnce(&mut Place) -> (bool, Judged),
    ) -> Result<(Judged, Option<Place>), ChallengeError> {
        self.judged = true;
        self.node.core.challenges.judge(&self.id, judge)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.judged {
            self.node.core.challenges.release(&self.id);
        }
    }
}
