//! The consent texts: what is computed, where it is kept, who gets what, how long, how to stop. Nothing about a face is computed before.

use crate::views::{ConsentSectionView, ConsentTextView};

/// What a consent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Scope {
    /// Find the faces in my photos and keep selfies of me.
    Faces,
    /// Announce my face in one event.
    Announce,
}

struct Text {
    version: u32,
    title: &'static str,
    sections: &'static [(&'static str, &'static str)],
    tick: &'static str,
}

const FACES: Text = Text {
    version: 1,
    title: "Find faces in my photos",
    sections: &[
        (
            "What is computed",
            "For every face in the photos on this device, and for each selfie that you add, 128 numbers that describe the face. They are \
             made by a model that runs here. Whoever holds such numbers can recognise the face again, so they deserve the care of the photo itself.",
        ),
        (
            "Where it is kept",
            "Only on this device, encrypted, under a key of its own. These numbers are never sent to anyone and are not part of any photo that you share.",
        ),
        (
            "Who gets what",
            "Nobody gets anything by this consent. When another member of an event looks for themselves, your photos are compared with \
             their announcement on this device, and a photo leaves only as your rule for that event or person allows.",
        ),
        ("How long", "Until you delete a photo or a selfie, or erase all face data on the profile page."),
        (
            "How to stop",
            "One button on the profile page erases all face data at once and ends every announcement. Refusing changes nothing else: you \
             can still import, view and share photos by hand.",
        ),
        (
            "Other people and children",
            "Only enrol your own face. Faces of others in your photos are never announced by anyone. Do not enrol a child unless you are the guardian.",
        ),
    ],
    tick: "Yes, find the faces in my photos on this device.",
};

const ANNOUNCE: Text = Text {
    version: 1,
    title: "Announce my face in this event",
    sections: &[
        (
            "What is computed",
            "A template: 64 bytes made from your selfies with a key that only the members of this event have, and a small picture of your \
             selfie, so that people can see who asks.",
        ),
        (
            "Where it is kept",
            "On the devices of the members of this event, encrypted, until it expires or you withdraw it.",
        ),
        (
            "Who gets what",
            "Every member of this event gets the template and the small picture. People outside get nothing, and templates of different \
             events cannot be linked without their keys. But a member who means harm could misuse the template like a photo of you: to look \
             for you in other pictures, or to rebuild a likeness. Announce only among people whom you would give a photo of yourself.",
        ),
        (
            "How long",
            "For the time that you choose. The announcement itself lives for a day at most and is renewed daily meanwhile, so it dies out \
             when this device is off.",
        ),
        (
            "How to stop",
            "The badge on every page and this event's page have a stop button. Members who are connected erase the announcement at once, others when they \
             are next online. Photos that you were sent stay yours; photos already sent cannot be called back by technical means.",
        ),
    ],
    tick: "Yes, announce my face to the members of this event.",
};

impl Scope {
    /// The scope's word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Scope::Faces => "faces",
            Scope::Announce => "announce",
        }
    }

    /// Reads the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Scope::Faces, Scope::Announce].into_iter().find(|scope| scope.word() == word)
    }

    fn text(self) -> &'static Text {
        match self {
            Scope::Faces => &FACES,
            Scope::Announce => &ANNOUNCE,
        }
    }

    /// Hash of everything that is shown, hex; a consent names it, so that it is known later what was agreed to.
    #[must_use]
    pub fn text_hash(self) -> String {
        let text = self.text();
        let mut hasher = blake3::Hasher::new_derive_key("inframe consent text v1");
        for part in
            [self.word(), text.title, text.tick].into_iter().chain(text.sections.iter().flat_map(|(h, t)| [*h, *t]))
        {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(&text.version.to_le_bytes());
        hasher.finalize().to_hex().to_string()
    }

    /// The text's version.
    #[must_use]
    pub fn version(self) -> u32 {
        self.text().version
    }

    /// The text as the dashboard shows it.
    #[must_use]
    pub fn view(self) -> ConsentTextView {
        let text = self.text();
        ConsentTextView {
            scope: self.word().into(),
            version: text.version,
            hash: self.text_hash(),
            title: text.title.into(),
            sections: text
                .sections
                .iter()
                .map(|(heading, text)| ConsentSectionView { heading: (*heading).into(), text: (*text).into() })
                .collect(),
            tick: text.tick.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_answers_the_five_questions_and_has_a_hash_of_its_own() {
        for scope in [Scope::Faces, Scope::Announce] {
            let view = scope.view();
            for question in ["What is computed", "Where it is kept", "Who gets what", "How long", "How to stop"] {
                assert!(view.sections.iter().any(|section| section.heading == question), "{question}");
            }
            assert_eq!(Scope::from_word(scope.word()), Some(scope));
            assert_eq!(view.hash.len(), 64);
        }
        assert_ne!(Scope::Faces.text_hash(), Scope::Announce.text_hash());
    }

    #[test]
    fn d5_the_announce_text_says_that_members_could_misuse_the_template() {
        assert!(
            Scope::Announce
                .view()
                .sections
                .iter()
                .any(|s| s.text.contains("could misuse the template like a photo of you"))
        );
    }
}
