//! What my profiles ask of photos that others took: said with consent, renewed daily beside the announcements, made anew in a new epoch, taken
//! back at once. And what the others ask, as whoever sends a photo needs it.

use std::collections::BTreeMap;

use inframe_protocol::limits::MAX_PROTECTION_LIFETIME_MS;
use inframe_protocol::record::{Protection, RecordBody, Wish};
use inframe_protocol::roster::{Roster, RosterError, RosterWriter, SignedRosterEntry};
use inframe_protocol::template::{ProjectionKey, Template};
use inframe_protocol::{EventId, MemberId, ProtectionId, UnixMillis};
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::{Events, EventsError, Portrait};
use crate::clock::now_ms;
use crate::faces::ProfileId;

/// A protection is renewed when it was written so long ago, milliseconds: six nights before its end.
const RENEW_AFTER_MS: u64 = 24 * 3_600_000;

/// What one of my profiles asks in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protecting {
    /// The protection, renewed under the same id.
    pub protection: ProtectionId,
    /// What is asked.
    pub wish: Wish,
    /// Since when, Unix milliseconds.
    pub since: u64,
    /// When the record in the log was written, Unix milliseconds.
    pub said_at: u64,
    /// Epoch whose projection the template was made with.
    pub epoch: u32,
}

/// What my profiles ask in one event, as the catalog keeps it.
pub(super) type StoredProtecting = BTreeMap<ProfileId, Protecting>;

/// What a member asks of photos that show somebody.
#[derive(Clone, Debug)]
pub struct Protected {
    /// Who asks.
    pub author: MemberId,
    /// What is asked.
    pub wish: Wish,
    /// The face.
    pub template: Template,
    /// The projection that the template was made with.
    pub projection: ProjectionKey,
    /// Model pack of the template.
    pub pack: String,
}

impl Entry {
    /// Everybody's live protections, my own as well.
    pub(super) fn protected(&self, now: u64) -> Vec<Protected> {
        let live = self.state.protections(UnixMillis(now)).into_iter();
        live.map(|live| Protected {
            author: live.author,
            wish: live.protection.wish,
            template: live.protection.template,
            projection: live.projection,
            pack: live.protection.pack.clone(),
        })
        .collect()
    }

    /// Whether a protection of mine has to be said anew.
    fn is_due(&self, mine: &Protecting, pack: &str, now: u64) -> bool {
        let old = now.saturating_sub(mine.said_at) >= RENEW_AFTER_MS || mine.said_at > now;
        let live = self.state.protections(UnixMillis(now));
        let told = live.iter().find(|live| live.protection.id == mine.protection);
        old || mine.epoch != self.state.roster().epoch() || told.is_none_or(|told| told.protection.pack != pack)
    }
}

impl Events {
    /// Asks something of photos that show a profile, in place of what was asked before.
    ///
    /// # Errors
    /// When I am not admitted, the template cannot be made, a budget is used up, or the vault fails.
    pub fn protect(&self, event: &EventId, portrait: &Portrait, wish: Wish) -> Result<(), EventsError> {
        self.write_protection(event, portrait, |entry| {
            let before = entry.protecting.get(&portrait.profile);
            let protection = match before {
                Some(mine) => mine.protection,
                None => ProtectionId::generate(&entry.my_id())?,
            };
            let since = before.filter(|mine| mine.wish == wish).map_or_else(now_ms, |mine| mine.since);
            Ok(Some(Protecting { protection, wish, since, said_at: 0, epoch: 0 }))
        })
    }

    /// Renews every protection of mine that needs it; ends those of profiles without a portrait.
    ///
    /// # Errors
    /// The first error, after all were tried.
    pub fn renew_protections(&self, portrait: impl Fn(ProfileId) -> Option<Portrait>) -> Result<(), EventsError> {
        let now = now_ms();
        let mut outcome = Ok(());
        for event in self.ids() {
            // A new epoch of a large event spreads first.
            let standing = self.read(&event, |entry| {
                let may = entry.state.may_write_anew(UnixMillis(now)).is_ok();
                may.then(|| entry.protecting.clone())
            });
            for (profile, mine) in standing.flatten().unwrap_or_default() {
                let step = match portrait(profile) {
                    // Without a selfie there is no face to protect.
                    None => self.unprotect(&event, profile).map(|_| ()),
                    Some(portrait) => {
                        let due = self.read(&event, |entry| entry.is_due(&mine, &portrait.pack, now));
                        let again = |entry: &Entry| Ok(entry.protecting.get(&profile).copied());
                        if due == Some(true) { self.write_protection(&event, &portrait, again) } else { Ok(()) }
                    }
                };
                if outcome.is_ok() {
                    outcome = step;
                }
            }
        }
        outcome
    }

    /// Takes back what a profile asks in an event; whether there was something.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn unprotect(&self, event: &EventId, profile: ProfileId) -> Result<bool, EventsError> {
        self.take_back(event, |entry| {
            let mine = entry.protecting.remove(&profile)?;
            Some(RecordBody::Unprotect { protection: mine.protection })
        })
    }

    /// Takes back what every profile asks in an event.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn unprotect_all(&self, event: &EventId) -> Result<(), EventsError> {
        let profiles = self.protecting(event).into_iter().map(|(profile, _)| profile);
        profiles.into_iter().try_for_each(|profile| self.unprotect(event, profile).map(|_| ()))
    }

    /// What my profiles ask in an event, the owner first.
    #[must_use]
    pub fn protecting(&self, event: &EventId) -> Vec<(ProfileId, Protecting)> {
        let all = |entry: &Entry| entry.protecting.iter().map(|(profile, mine)| (*profile, *mine)).collect();
        self.read(event, all).unwrap_or_default()
    }

    /// Says as host whether the faces of bystanders are blurred in the event (R79); whether that is news.
    ///
    /// # Errors
    /// When I am not the host or the vault fails.
    pub fn set_blur_bystanders(&self, event: &EventId, blur: bool) -> Result<bool, EventsError> {
        self.say_rule(event, Roster::blur_bystanders, blur, |writer, now| writer.set_rules(blur, now))
    }

    /// Says as host whether children are present in the event (R81); whether that is news.
    ///
    /// # Errors
    /// When I am not the host or the vault fails.
    pub fn set_children_present(&self, event: &EventId, present: bool) -> Result<bool, EventsError> {
        self.say_rule(event, Roster::children_present, present, |writer, now| writer.set_children(present, now))
    }

    /// Puts a rule of mine into the roster, unless it is said there already.
    fn say_rule(
        &self,
        event: &EventId,
        said: impl Fn(&Roster) -> bool,
        wanted: bool,
        say: impl FnOnce(&RosterWriter<'_>, UnixMillis) -> Result<SignedRosterEntry, RosterError>,
    ) -> Result<bool, EventsError> {
        let entry = self.change(event, |entry| {
            let key = entry.event_key.as_ref().ok_or(EventsError::NotHost)?;
            if said(entry.state.roster()) == wanted {
                return Ok(None);
            }
            let signed = say(&RosterWriter::new(key, entry.state.roster())?, UnixMillis(now_ms()))?;
            entry.state.apply_roster(&signed)?;
            Ok(Some(signed))
        })?;
        let is_news = entry.is_some();
        if let Some(signed) = entry {
            self.tell_others(*event, Vec::new(), vec![signed]);
        }
        Ok(is_news)
    }

    fn write_protection(
        &self,
        event: &EventId,
        portrait: &Portrait,
        next: impl FnOnce(&Entry) -> Result<Option<Protecting>, EventsError>,
    ) -> Result<(), EventsError> {
        let bytes = self.change(event, |entry| {
            if !entry.is_admitted() {
                return Err(EventsError::NotAdmitted);
            }
            let Some(mut mine) = next(entry)? else { return Ok(None) };
            let grant = entry.state.current_grant().ok_or(EventsError::NotAdmitted)?;
            let now = now_ms();
            (mine.said_at, mine.epoch) = (now, entry.state.roster().epoch());
            let protection = Protection {
                id: mine.protection,
                pack: portrait.pack.clone(),
                template: Template::project(&portrait.likable.embedding, &portrait.mean, &grant.projection_key())?,
                subject: portrait.profile.subject(),
                wish: mine.wish,
                expires: UnixMillis(now.saturating_add(MAX_PROTECTION_LIFETIME_MS)),
            };
            let (bytes, _changes) = entry.state.write(RecordBody::Protect(protection), UnixMillis(now))?;
            entry.protecting.insert(portrait.profile, mine);
            Ok(Some(bytes))
        })?;
        if let Some(bytes) = bytes {
            self.tell_others(*event, vec![bytes], Vec::new());
        }
        Ok(())
    }
}
