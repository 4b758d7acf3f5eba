//! Consent, selfies and the erasure of all face data.

use bytes::Bytes;

use super::{Answer, Node, NodeError, Picture};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::faces::StoredSelfie;
use crate::faces::consent::Scope;
use crate::live::What;
use crate::views::{AnnouncementView, ConsentTextView, ProfileView, SelfieView};
use crate::workers::{Job, events as events_worker};

impl Node {
    /// A consent text.
    ///
    /// # Errors
    /// When there is none for that scope.
    pub async fn consent_text(&self, scope: String) -> Answer<ConsentTextView> {
        Ok(Scope::from_word(&scope).ok_or(NodeError::NotFound("consent text"))?.view())
    }

    /// The profile "me".
    ///
    /// # Errors
    /// None at present.
    pub async fn profile(&self) -> Answer<ProfileView> {
        let core = &self.core;
        let selfies: Vec<SelfieView> = core
            .profile
            .selfies()
            .into_iter()
            .map(|(id, selfie)| SelfieView { id, quality: selfie.quality, at: selfie.at })
            .collect();
        let announcements = core.events.ids().iter().filter_map(|event| self.announcement(event)).collect();
        Ok(ProfileView { consent_at: core.profile.consent_at(), enrolled: !selfies.is_empty(), selfies, announcements })
    }

    /// My live announcement in an event.
    pub(super) fn announcement(&self, event: &inframe_protocol::EventId) -> Option<AnnouncementView> {
        let mine = self.core.events.announcing(event)?;
        Some(AnnouncementView {
            event: event.to_string(),
            event_name: self.core.events.name(event),
            since: mine.since,
            until: mine.until,
            seen_by: u32::try_from(self.core.rounds.told(event)).unwrap_or(u32::MAX),
        })
    }

    /// Consents to face finding.
    ///
    /// # Errors
    /// When the text has changed meanwhile.
    pub async fn give_consent(&self, text_hash: String) -> Answer<ProfileView> {
        self.blocking(move |core| {
            core.profile.give_consent(Scope::Faces, &text_hash, None)?;
            let text = "You agreed that faces are found in your photos on this device.".to_owned();
            Ok(core.activity.note(ActivityKind::Consent, text, None, None)?)
        })
        .await?;
        self.core.live.tell(What::Profile, None);
        self.core.board.ring(Job::Faces);
        self.profile().await
    }

    /// Enrols a selfie.
    ///
    /// # Errors
    /// Without consent, or when the picture cannot be used: with advice.
    pub async fn enrol_selfie(&self, bytes: Bytes) -> Answer<ProfileView> {
        if self.core.profile.consent_at().is_none() {
            return Err(crate::faces::ProfileError::NoConsent.into());
        }
        let enrolled = self.core.sandbox.enrol(bytes).await?;
        let selfie = StoredSelfie {
            pack: self.core.pack.id.clone(),
            embedding: enrolled.face.embedding.0,
            still: enrolled.still,
            quality: enrolled.face.quality.score,
            at: now_ms(),
            profile: [0; 8],
            live: false,
            source: Vec::new(),
        };
        self.blocking(move |core| Ok(core.profile.add_selfie(selfie)?)).await?;
        self.profile_changed();
        self.profile().await
    }

    fn profile_changed(&self) {
        self.core.live.tell(What::Profile, None);
        self.core.live.tell(What::People, None);
        self.core.live.tell(What::Status, None);
        self.core.board.ring(Job::Events);
    }

    /// Removes a selfie.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn remove_selfie(&self, id: String) -> Answer<ProfileView> {
        self.blocking(move |core| Ok(core.profile.remove_selfie(&id)?)).await?;
        self.profile_changed();
        self.profile().await
    }

    /// The small picture of a selfie.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn selfie_still(&self, id: String) -> Answer<Picture> {
        let found = self.core.profile.selfies().into_iter().find(|(known, _)| *known == id);
        Ok(Picture::jpeg(found.ok_or(NodeError::NotFound("selfie"))?.1.still))
    }

    /// Withdraws everywhere and erases selfies, the standing consent and every face of every photo.
    ///
    /// # Errors
    /// When the vault fails; calling it again goes on.
    pub async fn erase_profile(&self) -> Answer<ProfileView> {
        self.blocking(|core| {
            // First what lies here; no event can hinder that.
            core.profile.erase(|| {
                core.library.forget_faces()?;
                core.faces.forget_all();
                core.people.erase()?;
                core.face_pictures.forget();
                core.projected.forget();
                Ok::<(), NodeError>(())
            })?;
            for event in core.events.ids() {
                if let Err(error) = core.events.withdraw(&event) {
                    tracing::warn!("a find-me could not be withdrawn; it ends by itself within a day: {error}");
                }
            }
            // The journal of the catalog still holds what was erased, until a snapshot takes its place.
            core.vault.settle()?;
            let text = "You erased all face data on this device and took back your consent.".to_owned();
            Ok(core.activity.note(ActivityKind::Consent, text, None, None)?)
        })
        .await?;
        events_worker::tell_others(&self.core).await;
        self.profile_changed();
        self.core.board.ring(Job::Matching);
        self.profile().await
    }
}
