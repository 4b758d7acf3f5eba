//! What came, counted, and the sentences made of it. Without names they name nobody and no event.

use std::collections::{BTreeMap, HashSet};

use inframe_protocol::EventId;

use crate::limits::{MAX_NOTICE_CHARS, NOTICE_NAMES, NOTICE_PHOTOS_KNOWN};
use crate::settings::{NoticeKind, clean_name};

/// Of a longer name only so much is said.
const NAME_CHARS: usize = 80;

/// What one thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// A photo of the owner.
    Photo,
    /// One of a child of theirs.
    PhotoOfChild,
    /// Somebody asks to join an event.
    Join,
    /// A photo waits for a yes or no before it goes.
    Approval,
    /// A photo came of which the owner says whether it shows them.
    Doubtful,
    /// Somebody asks to have a photo back.
    Recall,
    /// A guest added something.
    Upload,
    /// A guest asks that a photo be removed.
    Removal,
    /// The activity log says that something is wrong.
    Suspicious,
    /// A browser signed in.
    SignIn,
    /// A text has a newer version.
    Text,
}

impl Matter {
    /// The kind of notice that tells of it.
    #[must_use]
    pub fn kind(self) -> NoticeKind {
        match self {
            Self::Photo | Self::PhotoOfChild => NoticeKind::Photos,
            Self::Join | Self::Approval | Self::Doubtful | Self::Recall | Self::Upload | Self::Removal => {
                NoticeKind::Requests
            }
            Self::Suspicious => NoticeKind::Suspicious,
            Self::SignIn => NoticeKind::SignIns,
            Self::Text => NoticeKind::ConsentTexts,
        }
    }

    /// So many of them, naming nobody.
    fn counted(self, count: u64) -> String {
        let (one, many) = match self {
            Self::Photo => ("1 new photo of you", "new photos of you"),
            Self::PhotoOfChild => ("1 new photo of your child", "new photos of your children"),
            Self::Join => ("1 person asks to join an event", "people ask to join an event"),
            Self::Approval => ("1 photo waits for your yes or no", "photos wait for your yes or no"),
            Self::Doubtful => ("1 photo that came may not show you", "photos that came may not show you"),
            Self::Recall => ("1 photo is asked back from you", "photos are asked back from you"),
            Self::Upload => ("1 file of a guest waits for your word", "files of guests wait for your word"),
            Self::Removal => ("1 guest asks you to remove a photo", "wishes of guests to remove photos"),
            Self::Suspicious => ("1 warning is in your activity log", "warnings are in your activity log"),
            Self::SignIn => ("A browser signed in to your dashboard", "browsers signed in to your dashboard"),
            Self::Text => ("1 text that you agreed to has changed", "texts that you agreed to have changed"),
        };
        if count == 1 { one.to_owned() } else { format!("{count} {many}") }
    }
}

/// An event, as a notice names it and as a page is found by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventName {
    /// Id.
    pub id: EventId,
    /// Name.
    pub name: String,
}

/// One thing that the owner is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub matter: Matter,
    /// Whom it is from; empty if that is not known.
    pub who: String,
    /// The event that it belongs to.
    pub event: Option<EventName>,
    /// What there is to say of it, where names may be said.
    pub sentence: Option<String>,
    /// What is not to be counted twice.
    pub photo: Option<[u8; 16]>,
}

impl Item {
    fn tidy(self) -> Self {
        let tidy = |text: &str, chars: usize| clean_name(text, chars, chars * 4);
        let event = self.event.map(|event| EventName { name: tidy(&event.name, NAME_CHARS), ..event });
        let sentence = self.sentence.map(|sentence| tidy(&sentence, MAX_NOTICE_CHARS));
        Self { who: tidy(&self.who, NAME_CHARS), event, sentence, ..self }
    }
}

/// What there is to tell of one kind.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<Matter, u64>,
    /// Whom and which events to name, in the order in which they came; as many as are named, and one more.
    named: Vec<(Matter, String, Option<EventName>)>,
    sentences: Vec<String>,
    /// The event of all of them; `None` inside when there are several or none.
    event: Option<Option<EventName>>,
    photos: HashSet<[u8; 16]>,
}

impl Tally {
    /// Counts one more. Names and sentences may be a stranger's: they are made harmless (D8).
    pub fn add(&mut self, item: Item) {
        let item = item.tidy();
        if let Some(photo) = item.photo {
            if self.photos.contains(&photo) {
                return;
            }
            if self.photos.len() < NOTICE_PHOTOS_KNOWN {
                self.photos.insert(photo);
            }
        }
        *self.counts.entry(item.matter).or_default() += 1;
        match &self.event {
            None => self.event = Some(item.event.clone()),
            Some(event) if *event != item.event => self.event = Some(None),
            Some(_) => {}
        }
        let named = (item.matter, item.who, item.event);
        if !named.1.is_empty() && self.named.len() <= NOTICE_NAMES && !self.named.contains(&named) {
            self.named.push(named);
        }
        // The newest say most of what goes on.
        if let Some(sentence) = item.sentence {
            if self.sentences.len() == NOTICE_NAMES {
                self.sentences.remove(0);
            }
            self.sentences.push(sentence);
        }
    }

    /// How many things it is about.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// It as a text, with names or without.
    #[must_use]
    pub fn text(&self, names: bool) -> String {
        if names && self.sentences.len() as u64 == self.count() {
            return bounded(self.sentences.join("\n"));
        }
        let mut text = self.counts.iter().map(|(matter, count)| matter.counted(*count)).collect::<Vec<_>>().join("; ");
        if names {
            text.push_str(&self.names());
            for sentence in &self.sentences {
                text = format!("{text}\n{sentence}");
            }
        }
        bounded(text)
    }

    fn names(&self) -> String {
        let shown: Vec<String> = self
            .named
            .iter()
            .take(NOTICE_NAMES)
            .map(|(_, who, event)| match event {
                Some(event) => format!("{who} in {}", event.name),
                None => who.clone(),
            })
            .collect();
        match shown.is_empty() {
            true => String::new(),
            false => {
                format!(" ({}{})", shown.join(", "), if self.named.len() > NOTICE_NAMES { " and others" } else { "" })
            }
        }
    }

    /// The page of the dashboard that shows what it is about.
    #[must_use]
    pub fn page(&self) -> String {
        let matters: Vec<Matter> = self.counts.keys().copied().collect();
        let event = self.event.clone().flatten();
        match (matters.as_slice(), event) {
            ([Matter::Join], Some(event)) => format!("/events/{}", event.id),
            ([Matter::Join], None) => "/events".into(),
            ([Matter::Upload | Matter::Removal] | [Matter::Upload, Matter::Removal], Some(event)) => {
                format!("/events/{}/guests", event.id)
            }
            ([matter, ..], _) => match matter.kind() {
                NoticeKind::Photos => "/photos",
                NoticeKind::Requests => "/approvals",
                NoticeKind::Suspicious => "/activity",
                NoticeKind::SignIns => "/settings?at=sessions",
                NoticeKind::ConsentTexts => "/profile",
            }
            .into(),
            ([], _) => "/photos".into(),
        }
    }
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(MAX_NOTICE_CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(byte: u8) -> Option<EventName> {
        Some(EventName { id: EventId([byte; 32]), name: format!("Party {byte}") })
    }

    fn item(matter: Matter, who: &str, event: Option<EventName>) -> Item {
        Item { matter, who: who.into(), event, sentence: None, photo: None }
    }

    fn tally(items: impl IntoIterator<Item = Item>) -> Tally {
        let mut tally = Tally::default();
        items.into_iter().for_each(|item| tally.add(item));
        tally
    }

    #[test]
    fn photos_are_counted_and_named_only_when_asked() {
        let photos = tally((0..3).map(|_| item(Matter::Photo, "Mia", event(1))));
        assert_eq!(photos.text(false), "3 new photos of you");
        assert_eq!(photos.text(true), "3 new photos of you (Mia in Party 1)");
        assert_eq!((photos.count(), photos.page().as_str()), (3, "/photos"));
        let one = tally([item(Matter::Photo, "Mia", event(1)), item(Matter::PhotoOfChild, "Tom", event(2))]);
        assert_eq!(one.text(false), "1 new photo of you; 1 new photo of your child");
        let many = tally(["A", "B", "C", "D", "E"].map(|who| item(Matter::Photo, who, None)));
        assert_eq!(many.text(true), "5 new photos of you (A, B, C and others)");
    }

    #[test]
    fn d8_a_name_cannot_break_the_line_or_turn_the_text() {
        let hostile = tally([item(Matter::Join, "Mia\r\nTitle: x\u{202e}", event(1))]);
        assert_eq!(hostile.text(true), "1 person asks to join an event (MiaTitle: x in Party 1)");
        let long = tally([item(Matter::Join, &"m".repeat(5_000), None)]);
        assert!(long.text(true).len() < 200);
    }

    #[test]
    fn a_photo_with_two_entries_counts_once() {
        let photo = |byte| Item { photo: Some([byte; 16]), ..item(Matter::Photo, "Mia", event(1)) };
        assert_eq!(tally([photo(1), photo(2), photo(1)]).count(), 2);
    }

    #[test]
    fn what_waits_says_what_it_is_and_leads_to_its_page() {
        let join = tally([item(Matter::Join, "Mia", event(1))]);
        assert_eq!(join.text(false), "1 person asks to join an event");
        assert_eq!(join.page(), format!("/events/{}", EventId([1; 32])));
        let joins = tally([item(Matter::Join, "Mia", event(1)), item(Matter::Join, "Tom", event(2))]);
        assert_eq!(joins.page(), "/events");
        let guests = tally([item(Matter::Upload, "Mia", event(1)), item(Matter::Removal, "Tom", event(1))]);
        assert_eq!(guests.page(), format!("/events/{}/guests", EventId([1; 32])));
        let mixed = tally([item(Matter::Approval, "Mia", event(1)), item(Matter::Recall, "Tom", event(1))]);
        assert_eq!(mixed.text(false), "1 photo waits for your yes or no; 1 photo is asked back from you");
        assert_eq!(mixed.page(), "/approvals");
    }

    #[test]
    fn d7_sentences_of_the_log_are_said_only_with_names_and_are_bounded() {
        let entry = |number: u32| Item {
            sentence: Some(format!("Mia {number} did {}", "x".repeat(500))),
            ..item(Matter::Suspicious, "", None)
        };
        let flood = tally((0..50_000).map(entry));
        assert_eq!(flood.text(false), "50000 warnings are in your activity log");
        let named = flood.text(true);
        assert!(named.contains("Mia 49997") && !named.contains("Mia 49996"), "{named}");
        assert_eq!(named.chars().count(), MAX_NOTICE_CHARS + 1);
        assert!(flood.sentences.len() <= NOTICE_NAMES && flood.named.is_empty());
        let few = tally((0..2).map(|number| Item { sentence: Some(format!("Mia {number}.")), ..entry(number) }));
        assert_eq!(few.text(true), "Mia 0.\nMia 1.", "where they say all there is, nothing else is said");
    }

    #[test]
    fn no_text_without_names_holds_any() {
        use Matter::*;
        for matter in [Photo, PhotoOfChild, Join, Approval, Doubtful, Recall, Upload, Removal, Suspicious, SignIn, Text]
        {
            let named = Item { sentence: Some("Zoe did it".into()), ..item(matter, "Zoe", event(7)) };
            let text = tally([named.clone(), named]).text(false);
            assert!(!text.contains("Zoe") && !text.contains("Party") && text.is_ascii(), "{text}");
        }
    }
}
