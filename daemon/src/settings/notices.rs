//! What the owner is told of and how, and how far they were told: two rows of the catalog.

use serde::{Deserialize, Serialize};

use super::{Kept, KeptRow, QuietHours};

/// What a notice is about; each can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoticeKind {
    /// Photos of the owner, or of their children, that came.
    Photos,
    /// What waits for the owner's word.
    Requests,
    /// What looked suspicious.
    Suspicious,
    /// A browser signed in.
    SignIns,
    /// A text that the owner agreed to has a newer version.
    ConsentTexts,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Photos, Self::Requests, Self::Suspicious, Self::SignIns, Self::ConsentTexts];

    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Photos => "photos",
            Self::Requests => "requests",
            Self::Suspicious => "suspicious",
            Self::SignIns => "sign-ins",
            Self::ConsentTexts => "consent-texts",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What people read.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Photos => "New photos of you",
            Self::Requests => "Requests that wait for you",
            Self::Suspicious => "Something looks suspicious",
            Self::SignIns => "A browser signed in",
            Self::ConsentTexts => "A text you agreed to has changed",
        }
    }
}

/// How the owner is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Way {
    /// In the dashboard, and by the browser that it is open in.
    Here,
    /// At the address that the owner named.
    Outward,
}

impl Way {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Here, Self::Outward];
}

/// How an address wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeForm {
    /// As a text, with the rest in headers: a topic of an ntfy server.
    Ntfy,
    /// As JSON.
    Webhook,
}

impl NoticeForm {
    /// The word that the API uses.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ntfy => "ntfy",
            Self::Webhook => "webhook",
        }
    }

    /// Reads it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ntfy, Self::Webhook].into_iter().find(|form| form.word() == word)
    }
}

/// Where notices are sent to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeReceiver {
    /// How it wants them.
    pub form: NoticeForm,
    /// Where it is.
    pub address: String,
    /// Whether plain http to another machine is allowed.
    pub insecure: bool,
    /// What it asks for, if anything. It is never shown again.
    pub token: Option<String>,
    /// Whether names of people and events go along.
    pub names: bool,
}

impl std::fmt::Debug for NoticeReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The path may be all that keeps others from reading along.
        write!(f, "NoticeReceiver {{ form: {:?}, names: {}, address and token: hidden }}", self.form, self.names)
    }
}

/// What the owner chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notices {
    /// What they are not told of, and by which way.
    pub off: Vec<(Way, NoticeKind)>,
    /// Part of the day in which nothing is told; what comes in it is told afterwards.
    pub quiet: Option<QuietHours>,
    /// Where notices are sent to; nowhere when absent.
    pub receiver: Option<NoticeReceiver>,
}

impl Notices {
    /// Whether the owner is told of this in this way.
    #[must_use]
    pub fn tells(&self, way: Way, kind: NoticeKind) -> bool {
        (way == Way::Here || self.receiver.is_some()) && !self.off.contains(&(way, kind))
    }

    /// Switches one on or off.
    pub fn switch(&mut self, way: Way, kind: NoticeKind, on: bool) {
        self.off.retain(|one| *one != (way, kind));
        if !on {
            self.off.push((way, kind));
        }
    }
}

impl KeptRow for Notices {
    const KEY: &'static [u8] = b"notices";
}

/// [`Notices`] in memory and in the catalog.
pub type NoticesRow = Kept<Notices>;

/// How far in the activity log the owner was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeMarks {
    /// Whether it was noted what there was before notices began: nobody is told of that.
    pub begun: bool,
    /// The last entry that is settled, by way and kind.
    pub told: Vec<(Way, NoticeKind, u64)>,
}

impl NoticeMarks {
    /// The last entry that is settled; 0 if none is.
    #[must_use]
    pub fn of(&self, way: Way, kind: NoticeKind) -> u64 {
        self.told.iter().find(|(w, k, _)| (*w, *k) == (way, kind)).map_or(0, |(_, _, seq)| *seq)
    }

    /// Notes that everything up to this entry is settled.
    pub fn set(&mut self, way: Way, kind: NoticeKind, seq: u64) {
        self.told.retain(|(w, k, _)| (*w, *k) != (way, kind));
        self.told.push((way, kind, seq));
    }
}

impl KeptRow for NoticeMarks {
    const KEY: &'static [u8] = b"notices-told";
}

/// [`NoticeMarks`] in memory and in the catalog.
pub type NoticeMarksRow = Kept<NoticeMarks>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_switched_by_itself_and_nothing_goes_out_without_an_address() {
        let mut notices = Notices::default();
        for kind in NoticeKind::ALL {
            assert_eq!(NoticeKind::from_word(kind.word()), Some(kind));
            assert!(notices.tells(Way::Here, kind) && !notices.tells(Way::Outward, kind));
        }
        notices.receiver = Some(NoticeReceiver {
            form: NoticeForm::Ntfy,
            address: "https://example.org/t".into(),
            insecure: false,
            token: None,
            names: false,
        });
        notices.switch(Way::Outward, NoticeKind::Photos, false);
        notices.switch(Way::Outward, NoticeKind::Photos, false);
        assert!(!notices.tells(Way::Outward, NoticeKind::Photos) && notices.tells(Way::Here, NoticeKind::Photos));
        assert!(notices.tells(Way::Outward, NoticeKind::Suspicious));
        notices.switch(Way::Outward, NoticeKind::Photos, true);
        assert!(notices.tells(Way::Outward, NoticeKind::Photos) && notices.off.is_empty());
    }

    #[test]
    fn marks_are_apart() {
        let mut marks = NoticeMarks::default();
        marks.set(Way::Here, NoticeKind::Photos, 7);
        marks.set(Way::Here, NoticeKind::Photos, 9);
        marks.set(Way::Outward, NoticeKind::Photos, 3);
        assert_eq!((marks.of(Way::Here, NoticeKind::Photos), marks.of(Way::Outward, NoticeKind::Photos)), (9, 3));
        assert_eq!((marks.of(Way::Here, NoticeKind::SignIns), marks.told.len()), (0, 2));
    }
}
