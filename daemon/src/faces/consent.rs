//! The consent texts: what is computed, where it is kept, who gets what, how long, how to stop. Nothing about a face is computed before.

use crate::views::{ConsentSectionView, ConsentTextView};

/// What a consent is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Scope {
    /// Find the faces in my photos and keep selfies of me.
    Faces,
    /// Announce my face in one event.
    Announce,
    /// Enrol a child whose guardian I am.
    Guardian,
    /// Announce my child's face in one event.
    AnnounceChild,
    /// Ask the members of one event to blur or hold back photos of me.
    Protect,
    /// The same for a child of mine.
    ProtectChild,
    /// A guest has their face looked for among the host's photos and videos of one event.
    Guest,
}

struct Text {
    version: u32,
    title: &'static str,
    sections: &'static [(&'static str, &'static str)],
    tick: &'static str,
}

const FACES: Text = Text {
    version: 2,
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
            "Only enrol your own face. Faces of others in your photos are never announced by anyone. Do not enrol a child unless you are the guardian; \
             a child has a profile of its own, with a declaration.",
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

const GUARDIAN: Text = Text {
    version: 1,
    title: "Enrol a child",
    sections: &[
        (
            "What you declare",
            "You are a parent or legal guardian of this child, you may decide on their behalf about photos of them, and nobody who may \
             decide with you objects. If the child is old enough to understand, you have asked them and they agree.",
        ),
        (
            "What is computed",
            "For each picture of the child that you add, 128 numbers that describe the face, made by a model that runs here. Whoever holds \
             such numbers can recognise the face again, for years.",
        ),
        (
            "Where it is kept",
            "Only on this device, encrypted. The name that you give the profile never leaves it. This declaration is kept with its time as a receipt.",
        ),
        (
            "Who gets what",
            "Nobody gets anything by this declaration. Announcing the child in an event is asked for separately, event by event. Photos \
             that are found are never sent by themselves: whoever took them is asked for each one.",
        ),
        (
            "How well it works",
            "Children's faces change quickly and resemble each other, so mistakes are more frequent than with adults. The comparison is stricter for \
             children for that reason; renew the pictures every few months.",
        ),
        ("How long", "Until you erase the child's profile, or all face data, on the profile page."),
        (
            "How to stop",
            "One button erases the child's pictures and what was computed from them, and ends every announcement. A child who asks for it, \
             or who is old enough to decide alone, must find that button pressed.",
        ),
    ],
    tick: "I declare that I am this child's parent or guardian and may decide this for them.",
};

const ANNOUNCE_CHILD: Text = Text {
    version: 1,
    title: "Announce your child's face in this event",
    sections: &[
        (
            "What is computed",
            "A template: 64 bytes made from the child's pictures with a key that only the members of this event have, and a small picture of the \
             child, so that people can see whom you look for.",
        ),
        (
            "Where it is kept",
            "On the devices of the members of this event, encrypted, until it expires or you withdraw it.",
        ),
        (
            "Who gets what",
            "Every member of this event gets the template, the small picture and the note that it is a child of yours; not the child's name. \
             People outside get nothing. But a member who means harm could misuse the template like a photo of the child: to look for them in other \
             pictures, or to rebuild a likeness. Announce only among people whom you would give a photo of your child.",
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
    tick: "Yes, as the guardian I announce this child's face to the members of this event.",
};

const PROTECT: Text = Text {
    version: 1,
    title: "Protect photos of me in this event",
    sections: &[
        (
            "What is computed",
            "A template: 64 bytes made from your selfies with a key that only the members of this event have. No picture goes with it.",
        ),
        (
            "Where it is kept",
            "On the devices of the members of this event, encrypted, until you take your wish back or it expires.",
        ),
        (
            "Who gets what",
            "Every member of this event gets the template and your wish. Their devices compare it with the faces in each photo before they send it. People \
             outside get nothing, and templates of different events cannot be linked without their keys. But a member who means harm could misuse the \
             template like a photo of you: to look for you in other pictures, or to rebuild a likeness.",
        ),
        (
            "What it cannot do",
            "A device can only obey if it finds your face: not if you are turned away, masked, far off or out of focus, and not if its owner has other \
             software. Whoever got a photo before has it. Whoever took it sees it as it is. You still get your own photos unblurred. A video in which your \
             face is found is held back in either case.",
        ),
        (
            "How long",
            "Until you take it back. The wish is renewed daily while this device is on, and is obeyed for a week when it is off.",
        ),
        (
            "How to stop",
            "Choose \"Share as usual\" on this event's page, or erase all face data on the profile page. Members who are connected erase the template at once, \
             others when they are next online.",
        ),
    ],
    tick: "Yes, tell the members of this event how to recognise me, so that their devices protect me.",
};

const PROTECT_CHILD: Text = Text {
    version: 1,
    title: "Protect photos of your child in this event",
    sections: &[
        (
            "What is computed",
            "A template: 64 bytes made from the child's pictures with a key that only the members of this event have. No picture and no name goes with it.",
        ),
        (
            "Where it is kept",
            "On the devices of the members of this event, encrypted, until you take your wish back or it expires.",
        ),
        (
            "Who gets what",
            "Every member of this event gets the template, your wish, and the note that it is a child of yours. Their devices compare it with the faces in \
             each photo before they send it. People outside get nothing. But a member who means harm could misuse the template like a photo of the child: to \
             look for them in other pictures, or to rebuild a likeness.",
        ),
        (
            "What it cannot do",
            "A device can only obey if it finds the face, and children's faces are found and told apart less well: now and then another child is protected as \
             well, or yours is missed. Whoever got a photo before has it. Whoever took it sees it as it is. A video in which the face is found is held back in \
             either case.",
        ),
        (
            "How long",
            "Until you take it back. The wish is renewed daily while this device is on, and is obeyed for a week when it is off.",
        ),
        (
            "How to stop",
            "Choose \"Share as usual\" on this event's page, or erase the child's profile. Members who are connected erase the template at once, others when \
             they are next online.",
        ),
    ],
    tick: "Yes, as the guardian I tell the members of this event how to recognise this child, so that their devices protect them.",
};

/// From this version on the text for guests speaks of videos too; whoever agreed to an earlier one is looked for in photos only.
pub const GUEST_VIDEOS_SINCE: u32 = 2;

const GUEST: Text = Text {
    version: 2,
    title: "Find yourself in the photos and videos of this event",
    sections: &[
        (
            "What is computed",
            "From your selfie, 128 numbers that describe your face, and a small picture of it. They are compared with the faces in the host's photos \
             and videos of this event.",
        ),
        (
            "Where it is kept",
            "On the host's device only, encrypted. The selfie itself is not kept, only the numbers and the small picture.",
        ),
        (
            "Who gets what",
            "The host sees your name and the small picture, and may be asked whether you may see a photo or video. Nobody else gets anything. Whoever holds \
             the numbers can recognise your face again, so take a selfie only if you trust the host as you would with a photo of yourself.",
        ),
        (
            "How long",
            "Until you delete it, the host removes you, or some days after the event: this page says how many.",
        ),
        (
            "How to stop",
            "The button \u{201c}Delete my selfie\u{201d} on this page erases the numbers and the picture at once. Without a selfie everything else on this \
             page works. That you agreed is kept, with the time and without your face, as a proof.",
        ),
        (
            "Other people and children",
            "Take a selfie of yourself only. Never use a picture of somebody else, nor of a child: children are found only through a parent's \
             or guardian's own Inframe.",
        ),
    ],
    tick: "Yes, look for my face in the photos and videos of this event.",
};

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::Faces,
        Self::Announce,
        Self::Guardian,
        Self::AnnounceChild,
        Self::Protect,
        Self::ProtectChild,
        Self::Guest,
    ];

    /// The scope's word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Scope::Faces => "faces",
            Scope::Announce => "announce",
            Scope::Guardian => "guardian",
            Scope::AnnounceChild => "announce-child",
            Scope::Protect => "protect",
            Scope::ProtectChild => "protect-child",
            Scope::Guest => "guest",
        }
    }

    /// Reads the API's word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }

    fn text(self) -> &'static Text {
        match self {
            Scope::Faces => &FACES,
            Scope::Announce => &ANNOUNCE,
            Scope::Guardian => &GUARDIAN,
            Scope::AnnounceChild => &ANNOUNCE_CHILD,
            Scope::Protect => &PROTECT,
            Scope::ProtectChild => &PROTECT_CHILD,
            Scope::Guest => &GUEST,
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
        for scope in Scope::ALL {
            let view = scope.view();
            for question in ["What is computed", "Where it is kept", "Who gets what", "How long", "How to stop"] {
                assert!(view.sections.iter().any(|section| section.heading == question), "{question}");
            }
            assert_eq!(Scope::from_word(scope.word()), Some(scope));
            assert_eq!(view.hash.len(), 64);
        }
        let mut hashes = Scope::ALL.map(Scope::text_hash);
        hashes.sort();
        assert!(hashes.windows(2).all(|two| two[0] != two[1]));
    }

    #[test]
    fn d5_the_texts_for_an_event_say_that_members_could_misuse_the_template() {
        for (scope, warning) in [
            (Scope::Announce, "like a photo of you"),
            (Scope::AnnounceChild, "like a photo of the child"),
            (Scope::Protect, "like a photo of you"),
            (Scope::ProtectChild, "like a photo of the child"),
        ] {
            let sections = scope.view().sections;
            assert!(sections.iter().any(|s| s.text.contains(&format!("could misuse the template {warning}"))));
        }
    }

    #[test]
    fn the_guardian_declares_to_be_one() {
        let view = Scope::Guardian.view();
        assert!(view.tick.contains("parent or guardian"));
        assert!(view.sections.iter().any(|s| s.heading == "What you declare" && s.text.contains("legal guardian")));
    }
}
