//! Events, invites, members, my find-mes and which photos take part.

use std::collections::{BTreeSet, HashSet};

use inframe_protocol::limits::MAX_EVENT_NAME_BYTES;
use inframe_protocol::record::Contact;
use inframe_protocol::roster::Role;
use inframe_protocol::{EventId, MemberId};

use super::invites::code_view;
use super::library::asset_id;
use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::events::{Description, MyRole, Spoken, Takes};
use crate::faces::consent::Scope;
use crate::faces::{ProfileError, ProfileId};
use crate::library::AssetId;
use crate::live::What;
use crate::sandbox::Details;
use crate::settings::clean_name;
use crate::sharing::policy::Policy;
use crate::views::{
    AdmissionView, ContactView, DetailsView, EventPatch, EventView, FindMeBody, MemberView, NewEventBody,
};
use crate::workers::{Job, deputies, events as events_worker, matching, shielding};

/// Longest event name, characters.
const MAX_EVENT_NAME_CHARS: usize = 80;
/// Longest announcement, hours.
const MAX_ANNOUNCE_HOURS: u32 = 90 * 24;
/// Assets named in one wish.
const MAX_ASSETS: usize = 10_000;

pub(super) fn event_id(text: &str) -> Answer<EventId> {
    text.parse().map_err(|_| NodeError::NotFound("event"))
}

pub(super) fn member_id(text: &str) -> Answer<MemberId> {
    text.parse().map_err(|_| NodeError::NotFound("member"))
}

pub(super) fn whose_face(profile: ProfileId) -> &'static str {
    // The log may be shown around; a child's name stays out of it.
    if profile == ProfileId::ME { "your face" } else { "the face of a child of yours" }
}

pub(super) fn contact_view(Contact { name, email }: Contact) -> ContactView {
    ContactView { name, email }
}

pub(super) fn details_view(Details { time, place, camera }: Details) -> DetailsView {
    DetailsView { time, place, camera }
}

fn owned(words: Vec<&str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

pub(super) fn invalid(kind: &'static str, text: impl Into<String>) -> NodeError {
    NodeError::Invalid(kind, text.into())
}

impl Node {
    /// Every event.
    ///
    /// # Errors
    /// None at present.
    pub async fn events(&self) -> Answer<Vec<EventView>> {
        let this = self.clone();
        self.blocking(move |core| {
            Ok(core.events.describe_all(now_ms()).into_iter().map(|event| this.event_view(event)).collect())
        })
        .await
    }

    /// One event.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn event(&self, id: String) -> Answer<EventView> {
        self.show(event_id(&id)?).await
    }

    pub(super) async fn show(&self, id: EventId) -> Answer<EventView> {
        let this = self.clone();
        self.blocking(move |core| {
            let event = core.events.describe(&id, now_ms()).ok_or(NodeError::NotFound("event"))?;
            Ok(this.event_view(event))
        })
        .await
    }

    fn event_view(&self, event: Description) -> EventView {
        let core = &self.core;
        let received: HashSet<AssetId> = core.library.received_in(&event.id).into_iter().collect();
        let search = core.events.search(&event.id, now_ms());
        let mut shown: Vec<(i64, AssetId)> = Vec::new();
        let mut eligible_count = 0;
        for id in core.library.ids() {
            let Some(asset) = core.library.get(id) else { continue };
            let eligible = search.as_ref().is_some_and(|search| matching::takes_part(search, id, &asset));
            eligible_count += u64::from(eligible);
            if eligible || received.contains(&id) {
                shown.push((asset.moment(), id));
            }
        }
        shown.sort_unstable_by(|a, b| b.cmp(a));
        let settings = &event.settings;
        let members = event.members.into_iter().map(|member| MemberView {
            id: member.id.to_string(),
            nickname: member.nickname,
            role: match member.role {
                Role::Host => "host",
                Role::CoHost => "co-host",
                Role::Member => "member",
            }
            .into(),
            me: member.me,
            online: member.me || core.network.is_connected(&member.node),
            looking: member.looking,
            joined_at: member.joined_at,
            policy: settings.persons.get(&member.id).map_or("event", |policy| policy.word()).into(),
            details: details_view(member.details),
            contact: member.contact.map(contact_view),
        });
        let waiting = match event.role {
            MyRole::CoHost => deputies::waiting(core, &event.id),
            _ => event.waiting,
        };
        let find_mes = self.announcements(&event.id);
        EventView {
            id: event.id.to_string(),
            name: event.name,
            role: event.role.word().into(),
            problem: event.problem,
            starts_at: event.starts,
            ends_at: event.ends,
            members: members.collect(),
            waiting: waiting
                .into_iter()
                .map(|one| AdmissionView {
                    id: one.id.to_string(),
                    nickname: one.nickname,
                    at: one.at,
                    verification: owned(one.verification),
                })
                .collect(),
            admit_automatically: settings.admit_automatically,
            code: event.code.map(code_view),
            policy: settings.policy.word().into(),
            scope: settings.takes.word().into(),
            eligible_count,
            asset_ids: shown.iter().map(|(_, id)| id.to_string()).collect(),
            received_count: received.len() as u64,
            find_me: find_mes.iter().find(|one| one.profile == ProfileId::ME.to_string()).cloned(),
            find_mes,
            protections: self.protections(&event.id),
            blur_bystanders: event.blur_bystanders,
            children_present: event.children_present,
            shows_contact: event.shows_contact,
            epoch: event.epoch,
            epoch_at: event.epoch_at,
            verification: owned(event.verification),
        }
    }

    /// Photos of an event for a screen that everybody in the room sees, the newest first: those that take part and that its members want seen.
    ///
    /// # Errors
    /// When there is no event with that id.
    pub async fn wall(&self, id: String) -> Answer<Vec<String>> {
        let id = event_id(&id)?;
        self.blocking(move |core| {
            core.events.describe(&id, now_ms()).ok_or(NodeError::NotFound("event"))?;
            let Some(search) = core.events.search(&id, now_ms()) else { return Ok(Vec::new()) };
            // R81: where children are present, only what its owner has put there by hand, or let in after a look.
            let unseen = core.guests.shown_unseen(&id);
            let approved = |id: &AssetId| search.settings.chosen.contains(id) && !unseen.contains(id);
            let mut shown: Vec<(i64, AssetId)> = Vec::new();
            for id in core.library.ids().into_iter().filter(|id| !search.children_present || approved(id)) {
                let Some(asset) = core.library.get(id) else { continue };
                if matching::takes_part(&search, id, &asset) && shielding::is_for_all(core, &search, id) {
                    shown.push((asset.moment(), id));
                }
            }
            shown.sort_unstable_by(|a, b| b.cmp(a));
            Ok(shown.into_iter().map(|(_, id)| id.to_string()).collect())
        })
        .await
    }

    /// Founds an event.
    ///
    /// # Errors
    /// When the name is empty or the end lies before the start.
    pub async fn create_event(&self, new: NewEventBody) -> Answer<EventView> {
        let name = clean_name(&new.name, MAX_EVENT_NAME_CHARS, MAX_EVENT_NAME_BYTES);
        if name.is_empty() {
            return Err(invalid("empty-name", "give the event a name"));
        }
        if matches!((new.starts_at, new.ends_at), (Some(starts), Some(ends)) if ends <= starts) {
            return Err(invalid("bad-times", "the event must end after it starts"));
        }
        let nickname = self.core.settings.get().nickname;
        let id = self.blocking(move |core| Ok(core.events.create(name, new.starts_at, new.ends_at, nickname)?)).await?;
        self.core.board.ring(Job::Events);
        self.show(id).await
    }

    /// Changes my settings for an event.
    ///
    /// # Errors
    /// When a word is unknown, or only the host may do that.
    pub async fn change_event(&self, id: String, patch: EventPatch) -> Answer<EventView> {
        let id = event_id(&id)?;
        let policy = patch.policy.map(|word| policy_of(&word)).transpose()?;
        let takes = match patch.scope {
            Some(word) => Some(
                Takes::from_word(&word)
                    .ok_or_else(|| invalid("bad-scope", "the scope is `window`, `all` or `chosen`"))?,
            ),
            None => None,
        };
        self.blocking(move |core| {
            let event = core.events.describe(&id, now_ms()).ok_or(NodeError::NotFound("event"))?;
            let rules = patch.blur_bystanders.or(patch.children_present);
            let of_host = patch.admit_automatically.is_some() || rules.is_some();
            if of_host && event.role != crate::events::MyRole::Host {
                return Err(NodeError::NotHost);
            }
            let note = |said: &str| {
                let text = format!("You said of {} that {said}.", event.name);
                core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))
            };
            if let Some(blur) = patch.blur_bystanders
                && core.events.set_blur_bystanders(&id, blur)?
            {
                note(events_worker::blur_words(blur))?;
            }
            if let Some(present) = patch.children_present
                && core.events.set_children_present(&id, present)?
            {
                note(events_worker::children_words(present))?;
            }
            if let Some(shows) = patch.show_contact
                && core.events.show_contact(&id, shows)?
            {
                let text = match shows {
                    true => format!("You chose that the members of {} see your name and e-mail address.", event.name),
                    false => format!("You took your name and e-mail address back from {}.", event.name),
                };
                core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            }
            Ok(core.events.change_settings(&id, |settings| {
                settings.policy = policy.unwrap_or(settings.policy);
                settings.takes = takes.unwrap_or(settings.takes);
                settings.admit_automatically = patch.admit_automatically.unwrap_or(settings.admit_automatically);
            })?)
        })
        .await?;
        self.core.board.ring(Job::Matching);
        self.core.board.ring(Job::Events);
        self.show(id).await
    }

    /// Sets the policy towards one member.
    ///
    /// # Errors
    /// When the word is unknown or there is no such member.
    pub async fn set_member_policy(&self, event: String, member: String, policy: String) -> Answer<EventView> {
        let (id, member) = (event_id(&event)?, member_id(&member)?);
        let policy = if policy == "event" { None } else { Some(policy_of(&policy)?) };
        self.blocking(move |core| {
            core.events.member_node(&id, &member).ok_or(NodeError::NotFound("member"))?;
            Ok(core.events.change_settings(&id, |settings| {
                match policy {
                    Some(policy) => settings.persons.insert(member, policy),
                    None => settings.persons.remove(&member),
                };
            })?)
        })
        .await?;
        self.core.board.ring(Job::Matching);
        self.show(id).await
    }

    /// Chooses what photos still say when they go to one member. What was made ready and has not gone is made anew; what they have they keep.
    ///
    /// # Errors
    /// When there is no such member, or it is this node.
    pub async fn set_member_details(&self, event: String, member: String, chosen: DetailsView) -> Answer<EventView> {
        let (id, member) = (event_id(&event)?, member_id(&member)?);
        let DetailsView { time, place, camera } = chosen;
        self.blocking(move |core| {
            core.events.member_node(&id, &member).ok_or(NodeError::NotFound("member"))?;
            if core.events.me_in(&id) == Some(member) {
                return Err(invalid("own-photos", "your own photos stay as they are; choose another member"));
            }
            core.events.set_details(&id, member, Details { time, place, camera })?;
            let (whom, name) = (core.events.nickname(&id, &member), core.events.name(&id));
            let text = match chosen.words() {
                None => format!("You chose that photos for {whom} in {name} say nothing of their taking."),
                Some(said) => format!("You chose that photos for {whom} in {name} say {said} they were taken."),
            };
            Ok(core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?)
        })
        .await?;
        self.core.board.ring(Job::Matching);
        self.core.board.ring(Job::Sending);
        self.show(id).await
    }

    /// Announces my face in an event.
    ///
    /// # Errors
    /// Without consent or selfie, or when I am not admitted.
    pub async fn announce(&self, event: String, wish: FindMeBody) -> Answer<EventView> {
        let id = event_id(&event)?;
        if !(1..=MAX_ANNOUNCE_HOURS).contains(&wish.hours) {
            return Err(invalid("bad-hours", "announce for between one hour and 90 days"));
        }
        let profile = self.known_profile(&wish.profile)?;
        let announced = self.blocking(move |core| {
            if core.profile.consent_at().is_none() {
                return Err(ProfileError::NoConsent.into());
            }
            let Some(portrait) = events_worker::portrait(core, profile) else {
                let whose = if profile == ProfileId::ME { "yourself" } else { "the child" };
                return Err(NodeError::Conflict("no-selfie", format!("add a selfie of {whose} first")));
            };
            core.events.describe(&id, now_ms()).ok_or(NodeError::NotFound("event"))?;
            let scope = if profile == ProfileId::ME { Scope::Announce } else { Scope::AnnounceChild };
            core.profile.give_consent(scope, &wish.text_hash, Some(id.0), profile)?;
            let until = now_ms().saturating_add(u64::from(wish.hours).saturating_mul(3_600_000));
            core.profile
                .if_consented(|| core.events.announce(&id, &portrait, until))
                .ok_or(ProfileError::NoConsent)??;
            let text = format!("You announced {} in {}.", whose_face(profile), core.events.name(&id));
            core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            let announced = core.events.announcing(&id).into_iter().find(|(whose, _)| *whose == profile);
            Ok(announced.map(|(_, mine)| mine.find_me))
        });
        let announced = announced.await?;
        events_worker::look_for_alikes(&self.core, id, announced.into_iter().map(Spoken::Looks).collect()).await;
        self.announcement_changed();
        self.show(id).await
    }

    pub(super) fn announcement_changed(&self) {
        self.core.live.tell(What::Profile, None);
        self.core.live.tell(What::Status, None);
        self.core.board.ring(Job::Events);
    }

    /// Withdraws the announcement of a profile in an event.
    ///
    /// # Errors
    /// When there is no such event or profile.
    pub async fn withdraw(&self, event: String, profile: String) -> Answer<EventView> {
        let id = event_id(&event)?;
        let profile = self.known_profile(&profile)?;
        self.blocking(move |core| {
            if core.events.withdraw(&id, profile)? {
                let text = format!("You withdrew {} from {}.", whose_face(profile), core.events.name(&id));
                core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            }
            Ok(())
        })
        .await?;
        self.announcement_changed();
        self.show(id).await
    }

    /// Has photos take part in an event.
    ///
    /// # Errors
    /// When there is no such event or photo.
    pub async fn take_part(&self, event: String, assets: Vec<String>) -> Answer<EventView> {
        self.choose(event, assets, true).await
    }

    /// Has photos not take part in an event.
    ///
    /// # Errors
    /// When there is no such event or photo.
    pub async fn take_out(&self, event: String, assets: Vec<String>) -> Answer<EventView> {
        self.choose(event, assets, false).await
    }

    async fn choose(&self, event: String, assets: Vec<String>, takes_part: bool) -> Answer<EventView> {
        let id = event_id(&event)?;
        if assets.len() > MAX_ASSETS {
            return Err(NodeError::TooLarge("name at most 10,000 photos at once".into()));
        }
        let assets = assets.iter().map(|asset| asset_id(asset)).collect::<Answer<BTreeSet<AssetId>>>()?;
        self.blocking(move |core| {
            if assets.iter().any(|asset| core.library.get(*asset).is_none()) {
                return Err(NodeError::NotFound("photo"));
            }
            Ok(core.events.change_settings(&id, |settings| {
                for asset in assets {
                    let (into, from) = if takes_part {
                        (&mut settings.chosen, &mut settings.taken_out)
                    } else {
                        (&mut settings.taken_out, &mut settings.chosen)
                    };
                    into.insert(asset);
                    from.remove(&asset);
                }
            })?)
        })
        .await?;
        self.core.board.ring(Job::Matching);
        self.show(id).await
    }
}

pub(super) fn policy_of(word: &str) -> Answer<Policy> {
    Policy::from_word(word).ok_or_else(|| invalid("bad-policy", "the policy is `ask`, `automatic` or `never`"))
}
