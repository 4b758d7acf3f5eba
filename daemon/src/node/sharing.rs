//! Approvals and the activity log.

use std::sync::Arc;

use bytes::Bytes;

use super::{Answer, Node, NodeError, Picture};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::faces::ProfileId;
use crate::library::{AssetId, AssetKind, StoredAsset};
use crate::live::What;
use crate::sandbox::FractionRect;
use crate::sharing::ledgers::{ApprovalId, ApprovalKind, ApprovalState, StoredApproval};
use crate::sharing::policy::Policy;
use crate::sharing::undo::Answered;
use crate::views::{ActivityView, ApprovalView, DecisionBody};
use crate::workers::{Core, Job, matching};

/// How much of the photo is shown around a matched face, as a part of the face's size.
const CROP_MARGIN: f32 = 0.45;
/// Long side of that picture, pixels.
const CROP_SIDE_PX: u32 = 320;
/// Entries of the activity log in one answer.
const MAX_ACTIVITY: u32 = 500;

pub(super) fn short_id(text: &str, what: &'static str) -> Answer<[u8; 16]> {
    let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| NodeError::NotFound(what))?;
    bytes.try_into().map_err(|_| NodeError::NotFound(what))
}

impl Node {
    /// Approvals, newest first; those answered as well with `all`.
    ///
    /// # Errors
    /// None at present.
    pub async fn approvals(&self, all: bool) -> Answer<Vec<ApprovalView>> {
        let mut views: Vec<ApprovalView> = self
            .core
            .approvals
            .all()
            .into_iter()
            .filter_map(|(key, row)| Some((ApprovalId::try_from(key).ok()?, row)))
            .filter(|(_, row)| row.state == ApprovalState::Waiting || (all && row.state != ApprovalState::Gone))
            .map(|(id, row)| approval_view(&self.core, &id, &row))
            .collect();
        views.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        Ok(views)
    }

    fn approval(&self, id: &str) -> Answer<(ApprovalId, Arc<StoredApproval>)> {
        let key = short_id(id, "approval")?;
        Ok((key, self.core.approvals.get(&key).ok_or(NodeError::NotFound("approval"))?))
    }

    /// Answers an approval.
    ///
    /// # Errors
    /// When it is answered or gone already, or the word is unknown.
    pub async fn decide(&self, approval: String, decision: DecisionBody) -> Answer<ApprovalView> {
        let (key, row) = self.approval(&approval)?;
        if row.state != ApprovalState::Waiting {
            return Err(NodeError::Conflict("answered", "this was answered already or is no longer wanted".into()));
        }
        if row.child && row.kind == ApprovalKind::Match && decision.always {
            let why = "photos of a child are asked about one by one; they are never sent by themselves";
            return Err(NodeError::Invalid("child-always-asks", why.into()));
        }
        let is_match = row.kind == ApprovalKind::Match;
        if is_match && decision.always && self.core.events.children_present(&row.event) {
            let why = "children are present in this event, so every photo is asked about; say yes to this one only";
            return Err(NodeError::Invalid("children-present", why.into()));
        }
        let (state, person) = match decision.decision.as_str() {
            "allow" if decision.always => (ApprovalState::Allowed, Some(Policy::Automatic)),
            "allow" => (ApprovalState::Allowed, None),
            "not_now" => (ApprovalState::Refused, None),
            "never" => (ApprovalState::Refused, Some(Policy::Never)),
            _ => {
                return Err(NodeError::Invalid("bad-decision", "the decision is `allow`, `not_now` or `never`".into()));
            }
        };
        self.blocking(move |core| {
            match row.kind {
                ApprovalKind::Match => settle_match(core, key, &row, state, person)?,
                ApprovalKind::Doubtful => settle_doubtful(core, &key, &row, state)?,
            }
            Ok(())
        })
        .await?;
        self.core.live.tell(What::Approvals, Some(approval.clone()));
        self.core.live.tell(What::Status, None);
        self.core.board.ring(Job::Matching);
        let (key, row) = self.approval(&approval)?;
        Ok(approval_view(&self.core, &key, &row))
    }

    /// Takes an answer back: it waits again, and what was to go by it stays.
    ///
    /// # Errors
    /// When its time is over, or it is gone meanwhile.
    pub async fn take_back(&self, approval: String) -> Answer<ApprovalView> {
        let (key, row) = self.approval(&approval)?;
        let Some(answered) = self.core.undo.take_back(&key, now_ms()) else {
            let why =
                "the time to take it back is over; a photo that has gone can be asked back on the page of transfers";
            return Err(NodeError::Conflict("final", why.into()));
        };
        let outcome = self.blocking(move |core| take_back(core, key, &row, &answered)).await;
        // Also after a failure: it must not hold back anything for ever.
        self.core.undo.forget(&key);
        self.core.live.tell(What::Approvals, Some(approval.clone()));
        self.core.live.tell(What::Status, None);
        self.core.board.ring(Job::Matching);
        outcome?;
        let (key, row) = self.approval(&approval)?;
        Ok(approval_view(&self.core, &key, &row))
    }

    /// The small picture of who is sought: theirs for a match, my own for a doubtful arrival.
    ///
    /// # Errors
    /// When the find-me is gone.
    pub async fn approval_still(&self, approval: String) -> Answer<Picture> {
        let (_, row) = self.approval(&approval)?;
        let still = match row.kind {
            ApprovalKind::Match => self.core.events.still(&row.event, &row.find_me, now_ms()),
            ApprovalKind::Doubtful => {
                let profile = self.core.profile_sought(&row.event, &row.find_me).unwrap_or(ProfileId::ME);
                self.core.profile.portrait(profile, &self.core.pack().id).map(|portrait| portrait.still)
            }
        };
        still.filter(|still| !still.is_empty()).map(Picture::jpeg).ok_or(NodeError::NotFound("picture"))
    }

    /// The matched face, cut out of the photo with some of its surroundings.
    ///
    /// # Errors
    /// When the photo is gone or cannot be read.
    pub async fn approval_crop(&self, approval: String) -> Answer<Picture> {
        let (_, row) = self.approval(&approval)?;
        let faces = self.core.faces.of(row.asset);
        let face = faces.as_ref().and_then(|known| known.faces.get(usize::from(row.face)));
        let (rect, at_ms) = (face.map(|face| face.rect), face.and_then(|face| face.at_ms));
        let bytes = match self.frame_of_video(row.asset, at_ms).await? {
            Some(frame) => frame,
            None => self.blocking(move |core| Ok(core.library.read_original(row.asset)?)).await?,
        };
        let (rect, margin) = match rect {
            Some([x, y, w, h]) => (FractionRect { x, y, w, h }, CROP_MARGIN),
            None => (FractionRect { x: 0.0, y: 0.0, w: 1.0, h: 1.0 }, 0.0),
        };
        Ok(Picture::jpeg(self.core.sandbox.crop(bytes, rect, margin, CROP_SIDE_PX).await?))
    }

    /// The frame of a video at a time, or its poster if there is none; `None` for what is no video.
    pub(super) async fn frame_of_video(&self, asset: AssetId, at_ms: Option<u64>) -> Answer<Option<Bytes>> {
        let is_video = |stored: Arc<StoredAsset>| matches!(stored.kind, AssetKind::Video { .. });
        if !self.core.library.get(asset).is_some_and(is_video) {
            return Ok(None);
        }
        let frame = match at_ms {
            Some(at_ms) => {
                let input = self.blocking(move |core| Ok(core.library.video_input(asset)?)).await?;
                match input {
                    Ok(input) => self.core.videos.frame_at(&input, at_ms).await,
                    Err(error) => Err(error),
                }
            }
            None => return Ok(Some(self.blocking(move |core| Ok(core.library.read_picture(asset, true)?)).await?)),
        };
        Ok(Some(frame.map_err(|error| NodeError::Invalid("no-frame", error.to_string()))?.jpeg))
    }

    /// The activity log, newest first.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub async fn activity(&self, before: Option<u64>, limit: u32) -> Answer<Vec<ActivityView>> {
        self.blocking(move |core| Ok(core.activity.read(before, limit.clamp(1, MAX_ACTIVITY))?)).await
    }
}

fn settle_match(
    core: &Arc<Core>,
    key: ApprovalId,
    row: &StoredApproval,
    state: ApprovalState,
    person: Option<Policy>,
) -> Answer<()> {
    let undo_ms = u64::from(core.undo_time.get().seconds) * 1_000;
    if undo_ms > 0 {
        let before = core.events.settings(&row.event).and_then(|settings| settings.persons.get(&row.member).copied());
        let at = now_ms();
        let answered = Answered {
            event: row.event,
            member: row.member,
            allows: state == ApprovalState::Allowed,
            rule: person.map(|policy| (before, policy)),
            at,
            until: at.saturating_add(undo_ms),
        };
        core.undo.remember(key, answered);
    }
    if let Some(policy) = person {
        core.events.change_settings(&row.event, |settings| {
            settings.persons.insert(row.member, policy);
        })?;
    }
    answer(core, &key, state)?;
    if state == ApprovalState::Refused {
        let nickname = core.events.nickname(&row.event, &row.member);
        let text = format!("You kept a photo back from {nickname} in {}.", core.events.name(&row.event));
        core.activity.note(ActivityKind::Refused, text, Some(row.asset.to_string()), Some(row.event.to_string()))?;
    }
    Ok(())
}

/// The question waits again, the rule for the person is as before, and the photo stays.
fn take_back(core: &Arc<Core>, key: ApprovalId, row: &StoredApproval, answered: &Answered) -> Answer<()> {
    if let Some((before, after)) = answered.rule {
        core.events.change_settings(&row.event, |settings| {
            // Unless the owner has changed it since.
            if settings.persons.get(&row.member) == Some(&after) {
                match before {
                    Some(policy) => settings.persons.insert(row.member, policy),
                    None => settings.persons.remove(&row.member),
                };
            }
        })?;
    }
    core.approvals.change(&key, |row| {
        let is_answered = matches!(row.state, ApprovalState::Allowed | ApprovalState::Refused);
        if is_answered {
            row.state = ApprovalState::Waiting;
        }
        is_answered
    })?;
    matching::cancel(core, &key, "you took your answer back")?;
    let nickname = core.events.nickname(&row.event, &row.member);
    let text = format!("You took back your answer about a photo for {nickname} in {}.", core.events.name(&row.event));
    core.activity.note(ActivityKind::Refused, text, Some(row.asset.to_string()), Some(row.event.to_string()))?;
    Ok(())
}

/// "Yes, it is me" brings a received photo into the timeline; "no" throws it away.
fn settle_doubtful(core: &Arc<Core>, key: &ApprovalId, row: &StoredApproval, state: ApprovalState) -> Answer<()> {
    // Only what still waits for this answer: the same bytes may have been imported meanwhile.
    if core.library.get(row.asset).is_some_and(|asset| asset.doubtful) {
        if state == ApprovalState::Allowed {
            core.library.change(row.asset, crate::vault::Batch::default(), |asset| asset.doubtful = false)?;
        } else {
            // Past the trash: "it is not me" means that a photo of somebody else does not stay here.
            core.library.delete(row.asset)?;
            core.faces.forget(row.asset);
            core.board.ring(Job::People);
            core.board.ring(Job::Trash);
        }
    }
    answer(core, key, state)
}

fn answer(core: &Core, key: &ApprovalId, state: ApprovalState) -> Answer<()> {
    core.approvals.change(key, |row| {
        row.state = state;
        true
    })?;
    Ok(())
}

/// Faces that would be blurred if it went now.
fn blurred_faces(core: &Core, row: &StoredApproval) -> u32 {
    let now = now_ms();
    let is_open = row.kind == ApprovalKind::Match && row.state == ApprovalState::Waiting;
    let search = is_open.then(|| core.events.search(&row.event, now)).flatten();
    let Some((search, wanted)) = search.zip(core.events.wanted(&row.event, &row.find_me, now)) else { return 0 };
    core.seen_of(&search, &wanted, row.asset).map_or(0, |seen| u32::from(seen.blurred().faces))
}

fn approval_view(core: &Core, id: &ApprovalId, row: &StoredApproval) -> ApprovalView {
    let faces = core.faces.of(row.asset).map_or(0, |known| known.faces.len());
    ApprovalView {
        id: data_encoding::HEXLOWER.encode(id),
        kind: match row.kind {
            ApprovalKind::Match => "match",
            ApprovalKind::Doubtful => "doubtful",
        }
        .into(),
        state: match row.state {
            ApprovalState::Waiting => "waiting",
            ApprovalState::Allowed => "allowed",
            ApprovalState::Refused | ApprovalState::Gone => "refused",
        }
        .into(),
        event: row.event.to_string(),
        event_name: core.events.name(&row.event),
        member: row.member.to_string(),
        nickname: core.events.nickname(&row.event, &row.member),
        asset: row.asset.to_string(),
        face: row.face.to_string(),
        other_faces: u32::try_from(faces.saturating_sub(1)).unwrap_or(u32::MAX),
        blurred_faces: blurred_faces(core, row),
        score: row.score,
        sure_below: match row.kind {
            ApprovalKind::Match => core.pack().thresholds.template_sure,
            ApprovalKind::Doubtful => core.pack().thresholds.sure,
        },
        grade: matching::grade_word(row.grade).into(),
        next_best: row.next_best,
        rival: row.rival,
        child: row.child,
        children_present: row.kind == ApprovalKind::Match && core.events.children_present(&row.event),
        live: row.live,
        profile_name: match row.kind {
            ApprovalKind::Match => None,
            ApprovalKind::Doubtful => core
                .profile_sought(&row.event, &row.find_me)
                .and_then(|profile| core.profile.child(profile))
                .map(|child| child.name),
        },
        at: row.at,
        undo_until: core.undo.until(id, now_ms()),
    }
}
