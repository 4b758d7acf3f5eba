//! What is asked of photos that show a profile: hold them back, blur the face, or leave it as it is where bystanders are blurred.

use inframe_protocol::EventId;
use inframe_protocol::record::Wish;

use super::events::{event_id, invalid, whose_face};
use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::events::{Protecting, Spoken};
use crate::faces::consent::Scope;
use crate::faces::{ProfileError, ProfileId};
use crate::views::{EventView, ProtectionBody, ProtectionView};
use crate::workers::{Job, events as events_worker};

fn word(wish: Wish) -> &'static str {
    match wish {
        Wish::HoldBack => "hold-back",
        Wish::Blur => "blur",
        Wish::Show => "show",
    }
}

fn wish_of(text: &str) -> Answer<Wish> {
    let known = [Wish::HoldBack, Wish::Blur, Wish::Show].into_iter().find(|wish| word(*wish) == text);
    known.ok_or_else(|| invalid("bad-wish", "the wish is `hold-back`, `blur` or `show`"))
}

/// What the log says; it may be shown around, so a child's name stays out of it.
fn said(wish: Wish, profile: ProfileId) -> String {
    let whom = if profile == ProfileId::ME { "you" } else { "a child of yours" };
    match wish {
        Wish::HoldBack => format!("You asked that photos of {whom} are held back in"),
        Wish::Blur => format!("You asked that {} is blurred in photos of", whose_face(profile)),
        Wish::Show => format!("You asked that {} is not blurred in photos of", whose_face(profile)),
    }
}

impl Node {
    /// What of this node is asked in an event, the owner first.
    pub(super) fn protections(&self, event: &EventId) -> Vec<ProtectionView> {
        let view = |(profile, mine): (ProfileId, Protecting)| ProtectionView {
            profile: profile.to_string(),
            profile_name: self.core.profile.child(profile).map(|child| child.name),
            wish: word(mine.wish).into(),
            since: mine.since,
            seen_by: u32::try_from(self.core.told(event)).unwrap_or(u32::MAX),
        };
        self.core.events.protecting(event).into_iter().map(view).collect()
    }

    /// Asks something of photos that show a profile.
    ///
    /// # Errors
    /// Without consent or selfie, with an unknown word, or when I am not admitted.
    pub async fn protect(&self, event: String, body: ProtectionBody) -> Answer<EventView> {
        let id = event_id(&event)?;
        let wish = wish_of(&body.wish)?;
        let profile = self.known_profile(&body.profile)?;
        let said_now = self.blocking(move |core| {
            if core.profile.consent_at().is_none() {
                return Err(ProfileError::NoConsent.into());
            }
            let Some(portrait) = events_worker::portrait(core, profile) else {
                let whose = if profile == ProfileId::ME { "yourself" } else { "the child" };
                let why =
                    format!("add a selfie of {whose} first: others can only protect a face that their devices know");
                return Err(NodeError::Conflict("no-selfie", why));
            };
            core.events.describe(&id, now_ms()).ok_or(NodeError::NotFound("event"))?;
            let scope = if profile == ProfileId::ME { Scope::Protect } else { Scope::ProtectChild };
            core.profile.give_consent(scope, &body.text_hash, Some(id.0), profile)?;
            core.profile
                .if_consented(|| core.events.protect(&id, &portrait, wish))
                .ok_or(ProfileError::NoConsent)??;
            let text = format!("{} {}.", said(wish, profile), core.events.name(&id));
            core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            let said = core.events.protecting(&id).into_iter().find(|(whose, _)| *whose == profile);
            Ok(said.map(|(_, mine)| Spoken::Asks(mine.protection)))
        });
        let said = said_now.await?;
        events_worker::look_for_alikes(&self.core, id, said.into_iter().collect()).await;
        self.protection_changed();
        self.show(id).await
    }

    /// Photos that show a profile are shared as usual again.
    ///
    /// # Errors
    /// When there is no such event or profile.
    pub async fn unprotect(&self, event: String, profile: String) -> Answer<EventView> {
        let id = event_id(&event)?;
        let profile = self.known_profile(&profile)?;
        self.blocking(move |core| {
            if core.events.unprotect(&id, profile)? {
                let whom = if profile == ProfileId::ME { "you" } else { "a child of yours" };
                let text = format!("You took back what you asked of photos of {whom} in {}.", core.events.name(&id));
                core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            }
            Ok(())
        })
        .await?;
        self.protection_changed();
        self.show(id).await
    }

    fn protection_changed(&self) {
        self.announcement_changed();
        // My own photos are judged by it as well.
        self.core.board.ring(Job::Matching);
    }
}
