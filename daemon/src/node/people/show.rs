//! How people, questions and faces are shown.

use super::super::{Answer, NodeError};
use crate::faces::ProfileId;
use crate::library::{AssetId, AssetKind};
use crate::people::{FaceRef, Grouping, PersonId, Question, Summary};
use crate::views::{FaceRefView, PersonView, QuestionView};
use crate::workers::Core;

/// A face narrower than this in the preview is cut from the original, which costs more.
const ENOUGH_PX: f32 = 110.0;
/// Long side of the preview in pixels.
const PREVIEW_PX: f32 = 1600.0;
/// Faces shown with "who is this?".
const FACES_PER_QUESTION: usize = 6;

pub(super) fn face_view(face: FaceRef) -> FaceRefView {
    FaceRefView { asset: face.asset.to_string(), face: face.index }
}

pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Who of the people is the owner, by the selfies.
pub(super) fn me(core: &Core, grouping: &Grouping) -> Option<PersonId> {
    let mine = core.profile.embeddings(ProfileId::ME);
    if mine.is_empty() { None } else { grouping.recognise(&mine) }
}

/// The face that stands for a person: the one that the owner chose, else the best of those that stand for their largest look.
fn cover(core: &Core, grouping: &Grouping, summary: &Summary) -> Option<FaceRef> {
    let chosen = summary.person.cover.and_then(|(asset, spot)| grouping.find(asset, &spot));
    let is_theirs = |face: &FaceRef| grouping.person_of(*face) == Some(summary.id) && !grouping.is_aside(*face);
    chosen.filter(is_theirs).or_else(|| {
        let quality = |face: &FaceRef| {
            core.faces.of(face.asset).and_then(|all| all.faces.get(usize::from(face.index)).map(|face| face.quality))
        };
        let exemplars = grouping.main_exemplars(summary.id).into_iter().filter(is_theirs);
        let best = exemplars.max_by(|a, b| quality(a).unwrap_or(0.0).total_cmp(&quality(b).unwrap_or(0.0)));
        best.or_else(|| grouping.faces_of(summary.id).find(is_theirs))
    })
}

pub(super) fn person_view(core: &Core, grouping: &Grouping, summary: &Summary, me: Option<PersonId>) -> PersonView {
    PersonView {
        id: summary.id.to_string(),
        name: summary.person.name.clone(),
        me: Some(summary.id) == me,
        hidden: summary.person.hidden,
        photos: number(summary.photos),
        cover: cover(core, grouping, summary).map(face_view),
    }
}

pub(super) fn view_of(core: &Core, grouping: &Grouping, id: PersonId, me: Option<PersonId>) -> Answer<PersonView> {
    let summary = grouping.summary(id).ok_or(NodeError::NotFound("person"))?;
    Ok(person_view(core, grouping, &summary, me))
}

pub(super) fn question_view(
    core: &Core,
    grouping: &Grouping,
    question: &Question,
    me: Option<PersonId>,
) -> Answer<QuestionView> {
    match question {
        Question::Who { person } => {
            let mut faces = grouping.exemplars(*person);
            faces.retain(|face| !grouping.is_aside(*face));
            let more: Vec<FaceRef> =
                grouping.faces_of(*person).filter(|face| !grouping.is_aside(*face) && !faces.contains(face)).collect();
            faces.extend(more.into_iter().take(FACES_PER_QUESTION));
            faces.truncate(FACES_PER_QUESTION);
            let others = grouping.suggestions(*person, me).into_iter().map(|other| view_of(core, grouping, other, me));
            Ok(QuestionView {
                kind: "who".into(),
                person: view_of(core, grouping, *person, me)?,
                faces: faces.into_iter().map(face_view).collect(),
                suggestions: others.collect::<Answer<_>>()?,
            })
        }
        Question::Is { face, person, .. } => Ok(QuestionView {
            kind: "is".into(),
            person: view_of(core, grouping, *person, me)?,
            faces: vec![face_view(*face)],
            suggestions: Vec::new(),
        }),
    }
}

/// The file that a face's picture is cut from: the preview where it is large enough there.
pub(super) fn source(core: &Core, id: AssetId, width: f32) -> Answer<bytes::Bytes> {
    let asset = core.library.get(id).ok_or(NodeError::NotFound("photo"))?;
    let longest = asset.width.max(asset.height).max(1) as f32;
    let in_preview = width * asset.width as f32 * (PREVIEW_PX / longest).min(1.0);
    if in_preview >= ENOUGH_PX || longest <= PREVIEW_PX || asset.kind != AssetKind::Photo {
        return Ok(core.library.read_picture(id, true)?);
    }
    Ok(core.library.read_original(id)?)
}
