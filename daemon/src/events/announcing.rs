//! My find-mes: announced with consent and an end, renewed daily meanwhile, made anew when the projection changes, withdrawn at once.

use inframe_protocol::limits::MAX_FIND_ME_LIFETIME_MS;
use inframe_protocol::record::{FindMe, RecordBody, Subject};
use inframe_protocol::template::Template;
use inframe_protocol::{EventId, FindMeId, UnixMillis};

use super::entry::Entry;
use super::stored::Announcing;
use super::{Events, EventsError};
use crate::clock::now_ms;

/// A find-me is renewed when less than this is left of its record, half of the longest life, milliseconds.
const RENEW_BEFORE_MS: u64 = MAX_FIND_ME_LIFETIME_MS / 2;

/// What is announced of me: made from the selfies.
#[derive(Clone)]
pub struct Portrait {
    /// Raw embedding; it stays here, only its template leaves (D5).
    pub embedding: Vec<f32>,
    /// Mean embedding of the pack.
    pub mean: Vec<f32>,
    /// Pack id.
    pub pack: String,
    /// Small JPEG.
    pub still: Vec<u8>,
    /// Label shown to holders.
    pub label: String,
}

impl Events {
    /// Announces me until `until`, or prolongs what is announced.
    ///
    /// # Errors
    /// When I am not admitted, the template cannot be made, a budget is used up, or the vault fails.
    pub fn announce(&self, event: &EventId, portrait: &Portrait, until: u64) -> Result<(), EventsError> {
        self.write_find_me(event, portrait, |entry| {
            let now = now_ms();
            let id = match entry.announcing {
                Some(mine) => mine.find_me,
                None => FindMeId::generate(&entry.my_id())?,
            };
            let since = entry.announcing.map_or(now, |mine| mine.since);
            Ok(Some(Announcing { find_me: id, since, until, record_expires: 0, epoch: 0 }))
        })
    }

    /// Renews every announcement of mine that needs it; ends those whose time is over.
    ///
    /// # Errors
    /// The first error, after all were tried.
    pub fn renew(&self, portrait: Option<&Portrait>) -> Result<(), EventsError> {
        let now = now_ms();
        let mut outcome = Ok(());
        for event in self.ids() {
            let due = self.read(&event, |entry| entry.announcing.map(|mine| entry.due(&mine, now))).flatten();
            let step = match (due, portrait) {
                // Without a selfie there is nobody to announce.
                (Some(Due::End), _) | (Some(_), None) => self.withdraw(&event).map(|_| ()),
                (Some(Due::Renew), Some(portrait)) => {
                    self.write_find_me(&event, portrait, |entry| Ok(entry.announcing))
                }
                _ => Ok(()),
            };
            if outcome.is_ok() {
                outcome = step;
            }
        }
        outcome
    }

    /// Withdraws my announcement in an event; whether there was one.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn withdraw(&self, event: &EventId) -> Result<bool, EventsError> {
        let withdrawn = self.change(event, |entry| {
            let Some(mine) = entry.announcing.take() else { return Ok(None) };
            if !entry.is_admitted() {
                return Ok(Some(None));
            }
            let body = RecordBody::Withdraw { find_me: mine.find_me };
            let (bytes, _changes) = entry.state.write(body, UnixMillis(now_ms()))?;
            Ok(Some(Some(bytes)))
        })?;
        if let Some(Some(bytes)) = &withdrawn {
            self.tell_others(*event, vec![bytes.clone()], Vec::new());
        }
        Ok(withdrawn.is_some())
    }

    /// My announcement in an event.
    #[must_use]
    pub fn announcing(&self, event: &EventId) -> Option<Announcing> {
        let now = now_ms();
        self.read(event, |entry| entry.announcing.filter(|mine| mine.until > now)).flatten()
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
            let find_me = FindMe {
                id: mine.find_me,
                pack: portrait.pack.clone(),
                template: Template::project(&portrait.embedding, &portrait.mean, &grant.projection_key())?,
                subject: Subject::Me,
                // Selfies come from files here; holders are shown that.
                live: false,
                expires: UnixMillis(mine.record_expires),
                still: portrait.still.clone(),
                label: portrait.label.clone(),
            };
            let (bytes, _changes) = entry.state.write(RecordBody::FindMe(find_me), UnixMillis(now))?;
            entry.announcing = Some(mine);
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
    pub(super) fn due(&self, mine: &Announcing, now: u64) -> Due {
        if mine.until <= now {
            return Due::End;
        }
        let ends_with_consent = mine.record_expires >= mine.until;
        let short = mine.record_expires.saturating_sub(now) < RENEW_BEFORE_MS && !ends_with_consent;
        if short || mine.epoch != self.state.roster().epoch() { Due::Renew } else { Due::Nothing }
    }
}
