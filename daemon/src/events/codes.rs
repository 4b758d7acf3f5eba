//! The code that a host shows for one of its invites, to be typed by people on the same network (R62 to R66).

use std::collections::BTreeSet;

use inframe_protocol::code::{JoinCode, OpenCode};
use inframe_protocol::invite::Invite;
use inframe_protocol::limits::CODE_SELECTORS;
use inframe_protocol::{EventId, InviteId, UnixMillis};

use super::entry::Entry;
use super::stored::ShownCode;
use super::{Events, EventsError};
use crate::clock::now_ms;

/// How a code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeState {
    /// It can be typed.
    Open,
    /// Too many wrong ones were tried.
    Guessed,
    /// Its invite can be used no more.
    Used,
    /// Its time is over.
    Expired,
}

impl CodeState {
    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            CodeState::Open => "open",
            CodeState::Guessed => "guessed",
            CodeState::Used => "used",
            CodeState::Expired => "expired",
        }
    }
}

/// A code as the host sees it.
#[derive(Clone, Debug)]
pub struct CodeDescription {
    /// The code, while it is open.
    pub code: Option<JoinCode>,
    /// The invite that it stands for.
    pub invite: InviteId,
    /// How it stands.
    pub state: CodeState,
    /// When it ends, Unix milliseconds.
    pub until: u64,
    /// Wrong ones that it still bears.
    pub guesses_left: u8,
}

/// What comes of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It fits: what to hand out.
    Granted(Invite),
    /// It does not. So many are borne until the code ends.
    Wrong(u8),
    /// The code has ended meanwhile.
    Ended,
}

impl Entry {
    /// How the code stands that is shown, or was last.
    pub(super) fn code_now(&self, now: u64) -> Option<CodeDescription> {
        let ShownCode { open, invite } = self.code.as_ref()?;
        let is_usable = self.usable(invite, now).is_some();
        let state = match open.is_open(UnixMillis(now)) {
            _ if open.guesses_left() == 0 => CodeState::Guessed,
            true if is_usable => CodeState::Open,
            true => CodeState::Used,
            false => CodeState::Expired,
        };
        Some(CodeDescription {
            code: (state == CodeState::Open).then(|| open.code.clone()),
            invite: *invite,
            state,
            until: open.until.0,
            guesses_left: open.guesses_left(),
        })
    }

    /// The link of an invite that another person can still use.
    fn usable(&self, invite: &InviteId, now: u64) -> Option<&str> {
        let invite = self.invites.iter().find(|known| known.id == *invite)?;
        let free = self.is_usable(invite, now) && invite.uses_left as usize > self.waiting_by(&invite.id);
        free.then_some(invite.link.as_str())
    }

    fn open_code(&self, now: u64) -> Option<JoinCode> {
        self.code_now(now)?.code
    }
}

impl Events {
    /// Shows a fresh code for an invite, in place of one that is shown for the event; host only.
    ///
    /// # Errors
    /// When this node is not the host, there is no such invite or it can be used no more, or the vault fails.
    pub fn show_code(&self, event: &EventId, invite: &InviteId) -> Result<(), EventsError> {
        let now = now_ms();
        let others = |entries: &super::BTreeMap<EventId, Entry>| -> BTreeSet<u8> {
            let others = entries.values().filter(|entry| entry.id != *event);
            others.filter_map(|entry| entry.open_code(now)).map(|code| code.selector()).collect()
        };
        let taken = others(&self.entries());
        if taken.len() >= CODE_SELECTORS {
            return Err(EventsError::Invalid("too many codes are shown already; stop one first".into()));
        }
        self.change(event, |entry| {
            if entry.event_key.is_none() {
                return Err(EventsError::NotHost);
            }
            if !entry.invites.iter().any(|known| known.id == *invite) {
                return Err(EventsError::NotFound);
            }
            if entry.usable(invite, now).is_none() {
                return Err(EventsError::Invalid("this invite can be used no more; make another one".into()));
            }
            let mut code = JoinCode::generate()?;
            while taken.contains(&code.selector()) {
                code = JoinCode::generate()?;
            }
            entry.code = Some(ShownCode { open: OpenCode::new(code, UnixMillis(now)), invite: *invite });
            Ok(())
        })
    }

    /// Stops showing the code of an event, or why it has ended.
    ///
    /// # Errors
    /// When there is no event or code, or the vault fails.
    pub fn stop_code(&self, event: &EventId) -> Result<(), EventsError> {
        self.change(event, |entry| entry.code.take().map(drop).ok_or(EventsError::NotFound))
    }

    /// The open code of this selector, and its event.
    #[must_use]
    pub fn code_of(&self, selector: u8) -> Option<(EventId, JoinCode)> {
        let now = now_ms();
        let entries = self.entries();
        let mut codes = entries.values().filter_map(|entry| Some((entry.id, entry.open_code(now)?)));
        codes.find(|(_, code)| code.selector() == selector)
    }

    /// Judges a proof that was made with this code, or another one (R64, R66). A wrong one is counted durably before this returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn judge_code(&self, event: &EventId, code: &JoinCode, fits: bool) -> Result<Judged, EventsError> {
        let now = now_ms();
        let link = |entry: &Entry| {
            let shown = entry.code.as_ref().filter(|_| entry.open_code(now).as_ref() == Some(code))?;
            entry.usable(&shown.invite, now).map(str::to_owned)
        };
        if fits {
            let Some(link) = self.read(event, link).flatten().map(zeroize::Zeroizing::new) else {
                return Ok(Judged::Ended);
            };
            return Ok(Judged::Granted(Invite::parse(&link)?));
        }
        if self.read(event, link).flatten().is_none() {
            return Ok(Judged::Ended);
        }
        self.change(event, |entry| {
            // Another one may have ended it since.
            let Some(shown) = entry.code.as_mut().filter(|shown| shown.open.code == *code) else {
                return Ok(Judged::Ended);
            };
            if shown.open.guesses_left() == 0 {
                return Ok(Judged::Ended);
            }
            shown.open.guessed_wrong();
            Ok(Judged::Wrong(shown.open.guesses_left()))
        })
    }
}
