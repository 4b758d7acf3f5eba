//! The find-mes of my profiles: announced with consent and an end, renewed daily meanwhile, made anew when the projection changes, withdrawn at once.

use inframe_protocol::limits::MAX_FIND_ME_LIFETIME_MS;
use inframe_protocol::record::{FindMe, RecordBody};
use inframe_protocol::template::Template;
use inframe_protocol::{EventId, FindMeId, UnixMillis};

use super::entry::Entry;
use super::stored::Announcing;
use super::{Events, EventsError};
use crate::clock::now_ms;
use crate::faces::{Likable, ProfileId};

/// A find-me is renewed when less than this is left of its record, half of the longest life, milliseconds.
const RENEW_BEFORE_MS: u64 = MAX_FIND_ME_LIFETIME_MS / 2;

/// What is announced of a profile, with what all of them share.
#[derive(Clone)]
pub struct Portrait {
    /// Whom it shows.
    pub profile: ProfileId,
    /// Raw embedding, still, and whether it was taken live; the embedding stays here, only its template leaves (D5).
    pub likable: Likable,
    /// Mean embedding of the pack.
    pub mean: Vec<f32>,
    /// Pack id.
    pub pack: String,
    /// Label shown to holders.
    pub label: String,
}

impl Events {
    /// Announces a profile until `until`, or prolongs what is announced.
    ///
    /// # Errors
    /// When I am not admitted, the template cannot be made, a budget is used up, or the vault fails.
    pub fn announce(&self, event: &EventId, portrait: &Portrait, until: u64) -> Result<(), EventsError> {
        self.write_find_me(event, portrait, |entry| {
            let before = entry.announcing.get(&portrait.profile);
            let find_me = match before {
                Some(mine) => mine.find_me,
                None => FindMeId::generate(&entry.my_id())?,
            };
            let since = before.map_or_else(now_ms, |mine| mine.since);
            Ok(Some(Announcing { find_me, since, until, record_expires: 0, epoch: 0, live: false }))
        })
    }

    /// Renews every announcement of mine that needs it; ends those whose time is over and those of profiles without a portrait.
    ///
    /// # Errors
    /// The first error, after all were tried.
    pub fn renew(&self, portrait: impl Fn(ProfileId) -> Option<Portrait>) -> Result<(), EventsError> {
        let now = now_ms();
        let mut outcome = Ok(());
        for event in self.ids() {
            // A new epoch of a large event spreads first.
            let standing = |entry: &Entry| {
                let may = entry.state.may_write_anew(UnixMillis(now)).is_ok();
                may.then(|| entry.announcing.clone())
            };
            let standing = self.read(&event, standing).flatten().unwrap_or_default();
            for (profile, mine) in standing {
                let portrait = portrait(profile);
                let live = portrait.as_ref().is_some_and(|portrait| portrait.likable.live);
                let pack = portrait.as_ref().map(|portrait| portrait.pack.as_str());
                let due = self.read(&event, |entry| entry.due(&mine, live, pack, now));
                let step = match (due, portrait) {
                    // Without a selfie there is nobody to announce.
                    (Some(Due::End), _) | (Some(_), None) => self.withdraw(&event, profile).map(|_| ()),
                    (Some(Due::Renew), Some(portrait)) => {
                        self.write_find_me(&event, &portrait, |entry| Ok(entry.announcing.get(&profile).copied()))
                    }
                    _ => Ok(()),
                };
                if outcome.is_ok() {
                    outcome = step;
                }
            }
        }
        outcome
    }

    /// Withdraws the announcement of a profile in an event; whether there was one.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn withdraw(&self, event: &EventId, profile: ProfileId) -> Result<bool, EventsError> {
        self.take_back(event, |entry| {
            let mine = entry.announcing.remove(&profile)?;
            Some(RecordBody::Withdraw { find_me: mine.find_me })
        })
    }

    /// Takes a standing word of mine out of an event, and says so to the others if I am a member; whether there was one.
    pub(super) fn take_back(
        &self,
        event: &EventId,
        remove: impl FnOnce(&mut Entry) -> Option<RecordBody>,
    ) -> Result<bool, EventsError> {
        let taken = self.change(event, |entry| {
            let Some(body) = remove(entry) else { return Ok(None) };
            if !entry.is_admitted() {
                return Ok(Some(None));
            }
            let (bytes, _changes) = entry.state.write(body, UnixMillis(now_ms()))?;
            Ok(Some(Some(bytes)))
        })?;
        let there_was = taken.is_some();
        if let Some(Some(bytes)) = taken {
            self.tell_others(*event, vec![bytes], Vec::new());
        }
        Ok(there_was)
    }

    /// Withdraws every profile in an event.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn withdraw_all(&self, event: &EventId) -> Result<(), EventsError> {
        let profiles = self.read(event, |entry| entry.announcing.keys().copied().collect::<Vec<_>>());
        profiles.unwrap_or_default().into_iter().try_for_each(|profile| self.withdraw(event, profile).map(|_| ()))
    }

    /// What of mine is announced in an event, the owner first.
    #[must_use]
    pub fn announcing(&self, event: &EventId) -> Vec<(ProfileId, Announcing)> {
        let now = now_ms();
        let live = |entry: &Entry| {
            let all = entry.announcing.iter().map(|(profile, mine)| (*profile, *mine));
            all.filter(|(_, mine)| mine.until > now).collect()
        };
        self.read(event, live).unwrap_or_default()
    }

    fn write_find_me(
        &self,
        event: &EventId,
        portrait: &Portrait,
        next: impl FnOnce(&Entry) -> Result<Option<Announcing>, EventsError>,
    ) -> Result<(), EventsError> {
        let bytes = self.change(event, |entry| {
            if !entry.is_admitted() {
                return Err(EventsError::NotAdmitted);
            }
            let Some(mut mine) = next(entry)? else { return Ok(None) };
            let grant = entry.state.current_grant().ok_or(EventsError::NotAdmitted)?;
            let now = now_ms();
            mine.record_expires = mine.until.min(now.saturating_add(MAX_FIND_ME_LIFETIME_MS));
            mine.epoch = entry.state.roster().epoch();
            mine.live = portrait.likable.live;
            let embedding = &portrait.likable.embedding;
            let find_me = FindMe {
                id: mine.find_me,
                pack: portrait.pack.clone(),
                template: Template::project(embedding, &portrait.mean, &grant.projection_key())?,
                subject: portrait.profile.subject(),
                live: mine.live,
                expires: UnixMillis(mine.record_expires),
                still: portrait.likable.still.clone(),
                label: portrait.label.clone(),
            };
            let (bytes, _changes) = entry.state.write(RecordBody::FindMe(find_me), UnixMillis(now))?;
            entry.announcing.insert(portrait.profile, mine);
            Ok(Some(bytes))
        })?;
        if let Some(bytes) = bytes {
            self.tell_others(*event, vec![bytes], Vec::new());
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Renew,
    End,
}

impl Entry {
    /// What is to be done with an announcement, when its selfies are all `live` or not and described by `pack`.
    pub(super) fn due(&self, mine: &Announcing, live: bool, pack: Option<&str>, now: u64) -> Due {
        if mine.until <= now {
            return Due::End;
        }
        let ends_with_consent = mine.record_expires >= mine.until;
        let short = mine.record_expires.saturating_sub(now) < RENEW_BEFORE_MS && !ends_with_consent;
        // A record that says "live" of selfies that no longer are would be a lie for up to a day.
        let untrue = mine.live != live;
        // One of another model pack compares with nobody's faces who has changed packs as well.
        let told = self.state.find_mes(UnixMillis(now)).into_iter().find(|known| known.find_me.id == mine.find_me);
        let outdated = told.is_some_and(|told| pack.is_some_and(|pack| told.find_me.pack != pack));
        if short || untrue || outdated || mine.epoch != self.state.roster().epoch() { Due::Renew } else { Due::Nothing }
    }
}
