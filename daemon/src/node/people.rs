//! People: who is in which photo, names, and what the owner says about them.

mod show;

use std::cmp::Reverse;
use std::sync::Arc;

use show::{face_view, me, number, person_view, question_view, source, view_of};

use super::library::asset_id;
use super::{Answer, Node, NodeError, Picture};
use crate::limits::{
    MAX_FACES_PER_CORRECTION, MAX_PERSON_NAME_BYTES, MAX_PERSON_NAME_CHARS, MAX_PERSON_PHOTOS_PER_ANSWER,
    QUESTIONS_PER_ANSWER,
};
use crate::live::What;
use crate::people::{CorrectionError, FaceRef, Grouping, PeopleError, PersonId, SHOWN_FROM, Spot, Summary};
use crate::sandbox::FractionRect;
use crate::settings::clean_name;
use crate::views::{
    AssetView, AssignBody, FaceRefView, FacesBody, PeopleAnswerBody, PeopleView, PersonDetailView, PersonPatch,
    PersonPhotoView, PersonView, QuestionsView,
};
use crate::workers::{Core, Job};

/// Pixels along a side of a face's picture: twice the size at which the dashboard shows it.
const PICTURE_SIDE_PX: u32 = 240;
/// What is shown around a face, as a part of its size.
const PICTURE_MARGIN: f32 = 0.35;

impl From<PeopleError> for NodeError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::Correction(CorrectionError::NoPerson) => Self::NotFound("person"),
            PeopleError::Correction(CorrectionError::NoFace) => Self::NotFound("face of that person"),
            PeopleError::Correction(refused @ (CorrectionError::Together(_) | CorrectionError::OnePhoto)) => {
                Self::Conflict("seen-together", refused.to_string())
            }
            PeopleError::Correction(refused) => Self::Conflict("not-possible", refused.to_string()),
            PeopleError::Vault(error) => error.into(),
        }
    }
}

fn person_id(text: &str) -> Answer<PersonId> {
    text.parse().map_err(|()| NodeError::NotFound("person"))
}

fn face_ref(view: &FaceRefView) -> Answer<FaceRef> {
    Ok(FaceRef { asset: asset_id(&view.asset)?, index: view.face })
}

fn faces_of(body: &FacesBody) -> Answer<Vec<FaceRef>> {
    if body.faces.len() > MAX_FACES_PER_CORRECTION {
        return Err(NodeError::TooLarge(format!("at most {MAX_FACES_PER_CORRECTION} faces can be named at once")));
    }
    body.faces.iter().map(face_ref).collect()
}

fn clean(name: &str) -> String {
    clean_name(name, MAX_PERSON_NAME_CHARS, MAX_PERSON_NAME_BYTES)
}

impl Node {
    /// Makes a correction while consent stands, tells the open pages, and gives what `show` makes of it.
    async fn correct<T: Send + 'static, V: Send + 'static>(
        &self,
        correction: impl FnOnce(&mut Grouping) -> Result<T, CorrectionError> + Send + 'static,
        show: impl FnOnce(&Arc<Core>, T) -> Answer<V> + Send + 'static,
    ) -> Answer<V> {
        self.blocking(move |core| {
            let corrected = core.profile.if_consented(|| core.people.correct(correction));
            let done = corrected.ok_or(crate::faces::ProfileError::NoConsent)??;
            core.live.tell(What::People, None);
            show(core, done)
        })
        .await
    }

    /// Everybody who has a name or is seen often.
    ///
    /// # Errors
    /// None at present.
    pub async fn people(&self) -> Answer<PeopleView> {
        self.blocking(|core| {
            let in_use = core.pack();
            let consented = core.profile.consent_at().is_some();
            let pending = core.library.count_waiting(&in_use.id);
            Ok(core.people.read(|grouping| {
                let me = me(core, grouping);
                let shown = |one: &Summary| {
                    one.person.name.is_some() || one.person.hidden || Some(one.id) == me || one.photos >= SHOWN_FROM
                };
                // Whoever is only in photos that lie in the trash comes back with them.
                let everybody = grouping.people().into_iter().filter(|one| one.photos > 0);
                let mut people: Vec<Summary> = everybody.filter(shown).collect();
                people.sort_by_key(|one| (Reverse(one.photos), one.id));
                PeopleView {
                    consented,
                    people: people.iter().map(|one| person_view(core, grouping, one, me)).collect(),
                    questions: number(grouping.questions(me).len()),
                    pending: if consented { (pending + core.faces.changed()) as u64 } else { 0 },
                }
            }))
        })
        .await
    }

    /// A person with some of their photos, newest first.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn person(&self, id: String, offset: usize, limit: usize) -> Answer<PersonDetailView> {
        let id = person_id(&id)?;
        self.blocking(move |core| {
            core.people.read(|grouping| {
                let me = me(core, grouping);
                let mut photos: Vec<_> = grouping
                    .faces_of(id)
                    .filter_map(|face| Some((face, core.library.get(face.asset)?)))
                    .filter(|(_, asset)| !asset.doubtful)
                    .collect();
                photos.sort_by_key(|(face, asset)| (Reverse(asset.moment()), *face));
                let some = photos.iter().skip(offset).take(limit.min(MAX_PERSON_PHOTOS_PER_ANSWER));
                let photos = some.map(|(face, asset)| PersonPhotoView {
                    face: face_view(*face),
                    taken_at: u64::try_from(asset.moment()).unwrap_or(0),
                    width: asset.width,
                    height: asset.height,
                    confirmed: grouping.rule(*face).is_some_and(|rule| rule.is == Some(id)),
                });
                let suggestions = grouping.suggestions(id, me).into_iter();
                Ok(PersonDetailView {
                    person: view_of(core, grouping, id, me)?,
                    photos: photos.collect(),
                    suggestions: suggestions.map(|one| view_of(core, grouping, one, me)).collect::<Answer<_>>()?,
                })
            })
        })
        .await
    }

    /// Names, hides or shows a person, or chooses their cover.
    ///
    /// # Errors
    /// When there is none with that id, or the cover is no face of theirs.
    pub async fn change_person(&self, id: String, patch: PersonPatch) -> Answer<PersonView> {
        let id = person_id(&id)?;
        let cover = patch.cover.as_ref().map(face_ref).transpose()?;
        self.correct(
            move |grouping| {
                if let Some(cover) = cover {
                    grouping.choose_cover(id, cover)?;
                }
                grouping.describe(id, |person| {
                    if let Some(name) = patch.name {
                        person.name = Some(clean(&name)).filter(|name| !name.is_empty());
                    }
                    person.hidden = patch.hidden.unwrap_or(person.hidden);
                })
            },
            move |core, ()| core.people.read(|grouping| view_of(core, grouping, id, me(core, grouping))),
        )
        .await
    }

    /// Makes a person part of another; gives the one who stays.
    ///
    /// # Errors
    /// When one of them is not there, or both are in one photo.
    pub async fn merge_people(&self, id: String, into: String) -> Answer<PersonView> {
        let (source, target) = (person_id(&id)?, person_id(&into)?);
        self.correct(
            move |grouping| grouping.merge(source, target),
            move |core, ()| core.people.read(|grouping| view_of(core, grouping, target, me(core, grouping))),
        )
        .await
    }

    /// Makes some faces of a person somebody new; gives the new person.
    ///
    /// # Errors
    /// When they are not all faces of that person, or two are in one photo.
    pub async fn split_person(&self, id: String, body: FacesBody) -> Answer<PersonView> {
        let (id, faces) = (person_id(&id)?, faces_of(&body)?);
        self.correct(
            move |grouping| match faces.iter().all(|face| grouping.person_of(*face) == Some(id)) {
                true => grouping.split(&faces),
                false => Err(CorrectionError::NoFace),
            },
            |core, new| core.people.read(|grouping| view_of(core, grouping, new, me(core, grouping))),
        )
        .await
    }

    /// Some faces are not that person; gives what is left of everybody.
    ///
    /// # Errors
    /// When they are not all faces of that person.
    pub async fn not_person(&self, id: String, body: FacesBody) -> Answer<PeopleView> {
        let (id, faces) = (person_id(&id)?, faces_of(&body)?);
        self.correct(move |grouping| grouping.not(id, &faces), |_, ()| Ok(())).await?;
        self.people().await
    }

    /// Says who a face is.
    ///
    /// # Errors
    /// When there is no such face or person, or another face of the photo was said to be that person.
    pub async fn assign_face(&self, asset: String, face: u16, body: AssignBody) -> Answer<AssetView> {
        let face = FaceRef { asset: asset_id(&asset)?, index: face };
        let person = body.person.as_deref().map(person_id).transpose()?;
        let name = body.name.as_deref().map(clean).filter(|name| !name.is_empty());
        // What lies in the trash keeps its faces, but is not there for anybody.
        self.core.library.get(face.asset).ok_or(NodeError::NotFound("photo"))?;
        if person.is_none() && name.is_none() {
            return Err(NodeError::Invalid("no-name", "say who it is: a person or a name".into()));
        }
        self.correct(
            move |grouping| {
                let assigned = grouping.assign(face, person)?;
                match name {
                    Some(name) if person.is_none() => grouping.describe(assigned, |person| person.name = Some(name)),
                    _ => Ok(()),
                }
            },
            |_, ()| Ok(()),
        )
        .await?;
        self.core.live.tell(What::Asset, Some(asset.clone()));
        self.asset(asset).await
    }

    /// What the owner may be asked next.
    ///
    /// # Errors
    /// None at present.
    pub async fn questions(&self) -> Answer<QuestionsView> {
        self.blocking(|core| {
            core.people.read(|grouping| {
                let me = me(core, grouping);
                let all = grouping.questions(me);
                let some = all.iter().take(QUESTIONS_PER_ANSWER);
                let questions = some.map(|question| question_view(core, grouping, question, me));
                Ok(QuestionsView { questions: questions.collect::<Answer<_>>()?, total: number(all.len()) })
            })
        })
        .await
    }

    /// Answers a question; gives those that are left.
    ///
    /// # Errors
    /// When the question is gone or the answer is none to it.
    pub async fn answer_question(&self, body: PeopleAnswerBody) -> Answer<QuestionsView> {
        let person = person_id(&body.person)?;
        let face = body.face.as_ref().map(face_ref).transpose()?;
        let other = body.other.as_deref().map(person_id).transpose()?;
        if !matches!(
            (body.answer.as_str(), face, other),
            ("yes" | "no", Some(_), None) | ("yes" | "no", None, Some(_)) | ("skip", _, None)
        ) {
            let what = "answer yes, no or skip for a face, yes or no for a suggestion; to answer \"who is this?\" name, hide or merge the person";
            return Err(NodeError::Invalid("no-answer", what.into()));
        }
        self.correct(
            move |grouping| match (body.answer.as_str(), face, other) {
                ("yes", Some(face), _) => grouping.assign(face, Some(person)).map(|_| ()),
                ("no", Some(face), _) => grouping.deny(face, person),
                (_, Some(face), _) => grouping.skip_doubt(face, person),
                ("yes", None, Some(other)) => grouping.merge(person, other),
                (_, None, Some(other)) => grouping.keep_apart(person, other),
                (_, None, None) => grouping.skip(person),
            },
            |_, ()| Ok(()),
        )
        .await?;
        self.questions().await
    }

    /// Takes the last correction back.
    ///
    /// # Errors
    /// When there is none since the node was started.
    pub async fn undo_correction(&self) -> Answer<PeopleView> {
        self.blocking(|core| {
            Ok(core.profile.if_consented(|| core.people.undo()).ok_or(crate::faces::ProfileError::NoConsent)??)
        })
        .await?;
        self.core.live.tell(What::People, None);
        self.core.board.ring(Job::People);
        self.people().await
    }

    /// The picture of a face.
    ///
    /// # Errors
    /// When there is no such face or the photo cannot be read.
    pub async fn face_crop(&self, asset: String, face: u16) -> Answer<Picture> {
        let asset = asset_id(&asset)?;
        let faces = self.core.faces.of(asset).ok_or(NodeError::NotFound("face"))?;
        let face = faces.faces.get(usize::from(face)).ok_or(NodeError::NotFound("face"))?;
        let spot = Spot { rect: face.rect, at_ms: face.at_ms };
        if let Some(picture) = self.core.face_pictures.get(asset, &spot) {
            return Ok(Picture::jpeg(picture));
        }
        let bytes = match self.frame_of_video(asset, spot.at_ms).await? {
            Some(frame) => frame,
            None => self.blocking(move |core| source(core, asset, spot.rect[2])).await?,
        };
        let [x, y, w, h] = spot.rect;
        let rect = FractionRect { x, y, w, h };
        let picture = bytes::Bytes::from(self.core.sandbox.crop(bytes, rect, PICTURE_MARGIN, PICTURE_SIDE_PX).await?);
        self.blocking(move |core| {
            // Not after an erasure that came while it was made.
            core.profile.if_consented(|| core.face_pictures.put(asset, &spot, picture.clone()));
            Ok(Picture::jpeg(picture))
        })
        .await
    }
}
