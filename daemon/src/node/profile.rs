//! Consent, profiles, selfies and the erasure of all face data.

use bytes::Bytes;
use data_encoding::HEXLOWER;

use super::{Answer, Node, NodeError, Picture};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::faces::consent::Scope;
use crate::faces::{ConsentReceipt, MAX_SELFIES, ProfileId, StoredSelfie};
use crate::live::What;
use crate::views::{AnnouncementView, ConsentTextView, NewProfileBody, ProfileView, ReceiptView, SelfieView};
use crate::workers::{Core, Job, events as events_worker};

/// Longest name of a child's profile, characters.
const MAX_PROFILE_NAME_CHARS: usize = 40;
/// The same in bytes.
const MAX_PROFILE_NAME_BYTES: usize = 160;

impl Node {
    /// A consent text.
    ///
    /// # Errors
    /// When there is none for that scope.
    pub async fn consent_text(&self, scope: String) -> Answer<ConsentTextView> {
        Ok(Scope::from_word(&scope).ok_or(NodeError::NotFound("consent text"))?.view())
    }

    /// The owner's own profile.
    ///
    /// # Errors
    /// None at present.
    pub async fn profile(&self) -> Answer<ProfileView> {
        Ok(self.profile_view(ProfileId::ME))
    }

    /// Every profile, the owner's first.
    ///
    /// # Errors
    /// None at present.
    pub async fn profiles(&self) -> Answer<Vec<ProfileView>> {
        Ok(self.core.profile.ids().into_iter().map(|profile| self.profile_view(profile)).collect())
    }

    fn profile_view(&self, profile: ProfileId) -> ProfileView {
        let core = &self.core;
        let in_use = core.pack();
        let selfie_view = |(id, selfie): (String, StoredSelfie)| SelfieView {
            id,
            quality: selfie.quality,
            live: selfie.live,
            at: selfie.at,
            usable: selfie.pack == in_use.id,
        };
        let selfies: Vec<SelfieView> = core.profile.selfies(profile).into_iter().map(selfie_view).collect();
        let child = core.profile.child(profile);
        let mut announcements = Vec::new();
        for event in core.events.ids() {
            announcements
                .extend(self.announcements(&event).into_iter().filter(|one| one.profile == profile.to_string()));
        }
        ProfileView {
            id: profile.to_string(),
            subject: if profile == ProfileId::ME { "me" } else { "child" }.into(),
            name: child.as_ref().map(|child| child.name.clone()),
            consent_at: core.profile.consent_at(),
            declared_at: child.map(|child| child.at),
            enrolled: !selfies.is_empty(),
            live: !selfies.is_empty() && selfies.iter().all(|selfie| selfie.live),
            room: u32::try_from(MAX_SELFIES.saturating_sub(selfies.len())).unwrap_or(0),
            selfies,
            announcements,
        }
    }

    /// What of this node is announced in an event, the owner first.
    pub(super) fn announcements(&self, event: &inframe_protocol::EventId) -> Vec<AnnouncementView> {
        let view = |(profile, mine): (ProfileId, crate::events::Announcing)| AnnouncementView {
            profile: profile.to_string(),
            profile_name: self.core.profile.child(profile).map(|child| child.name),
            live: mine.live,
            event: event.to_string(),
            event_name: self.core.events.name(event),
            since: mine.since,
            until: mine.until,
            seen_by: u32::try_from(self.core.told(event)).unwrap_or(u32::MAX),
        };
        self.core.events.announcing(event).into_iter().map(view).collect()
    }

    /// Makes a profile for a child after the guardian's declaration.
    ///
    /// # Errors
    /// Without consent, name or the current text, or when there are too many.
    pub async fn add_child(&self, new: NewProfileBody) -> Answer<ProfileView> {
        let name = crate::settings::clean_name(&new.name, MAX_PROFILE_NAME_CHARS, MAX_PROFILE_NAME_BYTES);
        let profile = self
            .blocking(move |core| {
                let profile = core.profile.add_child(&name, &new.text_hash)?;
                let text = "You declared to be the guardian of a child, to enrol them.".to_owned();
                core.activity.note(ActivityKind::Consent, text, None, None)?;
                Ok(profile)
            })
            .await?;
        self.profile_changed();
        Ok(self.profile_view(profile))
    }

    /// Withdraws a child everywhere and erases their profile.
    ///
    /// # Errors
    /// When there is none with that id, or the vault fails; calling it again goes on.
    pub async fn remove_child(&self, id: String) -> Answer<Vec<ProfileView>> {
        let profile = self.known_profile(&id)?;
        if profile == ProfileId::ME {
            return Err(NodeError::Invalid("own-profile", "your own profile is erased with all face data".into()));
        }
        self.core.challenges.forget(Some(profile));
        self.blocking(move |core| {
            core.profile.remove_child(profile)?;
            for event in core.events.ids() {
                if let Err(error) = core.events.withdraw(&event, profile) {
                    tracing::warn!("a find-me could not be withdrawn; it ends by itself within a day: {error}");
                }
                if let Err(error) = core.events.unprotect(&event, profile) {
                    tracing::warn!("what was asked of photos could not be taken back; it ends within a week: {error}");
                }
            }
            // The journal of the catalog still holds what was erased, until a snapshot takes its place.
            core.vault.settle()?;
            let text = "You erased the profile of a child.".to_owned();
            Ok(core.activity.note(ActivityKind::Consent, text, None, None)?)
        })
        .await?;
        events_worker::tell_others(&self.core).await;
        self.profile_changed();
        self.profiles().await
    }

    /// Proofs of every consent and declaration, oldest first.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub async fn receipts(&self) -> Answer<Vec<ReceiptView>> {
        self.blocking(|core| {
            let key = core.profile.receipts_key()?;
            core.profile.receipts()?.into_iter().map(|one| receipt_view(core, key, one)).collect()
        })
        .await
    }

    /// The profile with this id in the API's form.
    pub(super) fn known_profile(&self, id: &str) -> Answer<ProfileId> {
        let known = ProfileId::parse(id).filter(|profile| self.core.profile.ids().contains(profile));
        known.ok_or(NodeError::NotFound("profile"))
    }

    /// Consents to face finding.
    ///
    /// # Errors
    /// When the text has changed meanwhile.
    pub async fn give_consent(&self, text_hash: String) -> Answer<ProfileView> {
        self.blocking(move |core| {
            core.profile.give_consent(Scope::Faces, &text_hash, None, ProfileId::ME)?;
            let text = "You agreed that faces are found in your photos on this device.".to_owned();
            Ok(core.activity.note(ActivityKind::Consent, text, None, None)?)
        })
        .await?;
        self.core.live.tell(What::Profile, None);
        self.core.board.ring(Job::Faces);
        self.profile().await
    }

    /// Enrols a selfie from a file: it may be of anybody, so it is not live.
    ///
    /// # Errors
    /// Without consent, or when the picture cannot be used: with advice.
    pub async fn enrol_selfie(&self, id: String, bytes: Bytes) -> Answer<ProfileView> {
        let profile = self.known_profile(&id)?;
        self.core.profile.room(profile)?;
        let enrolled = self.core.sandbox.enrol(bytes).await?;
        let face = enrolled.face;
        let selfie = StoredSelfie {
            pack: enrolled.pack,
            embedding: face.embedding.0,
            still: enrolled.still,
            quality: face.quality.score,
            at: now_ms(),
            profile,
            live: false,
            source: enrolled.source,
        };
        self.blocking(move |core| Ok(core.profile.add_selfies(profile, vec![selfie])?)).await?;
        self.profile_changed();
        Ok(self.profile_view(profile))
    }

    pub(super) fn profile_changed(&self) {
        self.core.live.tell(What::Profile, None);
        self.core.live.tell(What::People, None);
        self.core.live.tell(What::Status, None);
        self.core.board.ring(Job::Events);
    }

    /// Removes a selfie.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn remove_selfie(&self, id: String, selfie: String) -> Answer<ProfileView> {
        let profile = self.known_profile(&id)?;
        self.blocking(move |core| Ok(core.profile.remove_selfie(profile, &selfie)?)).await?;
        self.profile_changed();
        Ok(self.profile_view(profile))
    }

    /// The small picture of a selfie.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn selfie_still(&self, id: String, selfie: String) -> Answer<Picture> {
        let profile = self.known_profile(&id)?;
        let found = self.core.profile.selfies(profile).into_iter().find(|(known, _)| *known == selfie);
        Ok(Picture::jpeg(found.ok_or(NodeError::NotFound("selfie"))?.1.still))
    }

    /// Withdraws everywhere and erases profiles, selfies, the standing consent and every face of every photo.
    ///
    /// # Errors
    /// When the vault fails; calling it again goes on.
    pub async fn erase_profile(&self) -> Answer<ProfileView> {
        self.core.challenges.forget(None);
        self.blocking(|core| {
            // First what lies here; no event can hinder that.
            core.profile.erase(|| {
                core.library.forget_faces()?;
                core.faces.forget_all();
                core.people.erase()?;
                core.face_pictures.forget();
                core.projected.forget();
                core.guests.forget_faces()?;
                Ok::<(), NodeError>(())
            })?;
            for event in core.events.ids() {
                if let Err(error) = core.events.withdraw_all(&event) {
                    tracing::warn!("a find-me could not be withdrawn; it ends by itself within a day: {error}");
                }
                if let Err(error) = core.events.unprotect_all(&event) {
                    tracing::warn!("what was asked of photos could not be taken back; it ends within a week: {error}");
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

fn receipt_view(core: &Core, key: Option<[u8; 32]>, receipt: ConsentReceipt) -> Answer<ReceiptView> {
    let signature = receipt.signature.as_ref().map(|signature| HEXLOWER.encode(&signature.0));
    Ok(ReceiptView {
        text: core.profile.agreed_text(&receipt)?,
        statement: receipt.statement(),
        key: key.filter(|_| signature.is_some()).map(|key| HEXLOWER.encode(&key)),
        signature,
        scope: receipt.scope.word().into(),
        version: receipt.version,
        text_hash: receipt.text_hash,
        at: receipt.at,
        event: receipt.event.map(|event| inframe_protocol::EventId(event).to_string()),
        profile: receipt.profile.to_string(),
        profile_name: core.profile.child(receipt.profile).map(|child| child.name),
    })
}
