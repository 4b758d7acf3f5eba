//! What is kept of profiles, selfies and consents, with the forms that older versions wrote.

use inframe_protocol::record::Subject;
use serde::{Deserialize, Serialize};

use inframe_protocol::keys::Signature;

use crate::faces::consent::Scope;
use crate::vault::Versioned;

/// Names a profile. The owner's own is all zeros, so that selfies from before there were several are the owner's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProfileId(pub [u8; 8]);

impl ProfileId {
    /// The owner of this node.
    pub const ME: Self = Self([0; 8]);

    /// Whom a find-me of this profile looks for.
    #[must_use]
    pub fn subject(self) -> Subject {
        if self == Self::ME { Subject::Me } else { Subject::Child }
    }

    /// Reads the API's form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "me" {
            return Some(Self::ME);
        }
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self).filter(|id| *id != Self::ME)
    }
}

/// `me`, or 16 hex digits.
impl std::fmt::Display for ProfileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == Self::ME { f.write_str("me") } else { f.write_str(&data_encoding::HEXLOWER.encode(&self.0)) }
    }
}

/// A child whose guardian the owner is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredProfile {
    /// What the owner calls them. It never leaves the node.
    pub name: String,
    /// When the guardian declared to be one, Unix milliseconds.
    pub at: u64,
}

impl std::fmt::Debug for StoredProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredProfile").field("at", &self.at).finish_non_exhaustive()
    }
}

/// A selfie's embedding with a small still of the face.
#[derive(Clone, Serialize, Deserialize)]
pub struct StoredSelfie {
    /// Model pack of the embedding.
    pub pack: String,
    /// Raw embedding.
    pub embedding: Vec<f32>,
    /// JPEG of at most 3,000 bytes; sent along with a find-me.
    pub still: Vec<u8>,
    /// Quality 0..1.
    pub quality: f32,
    /// When enrolled, Unix milliseconds.
    pub at: u64,
    /// Whose it is.
    pub profile: ProfileId,
    /// Whether it was taken before a camera while the person followed instructions, so that it is no photo of a photo.
    pub live: bool,
    /// JPEG of the face with some surroundings, from which another model pack can compute its own embedding; empty for selfies of the first
    /// version.
    pub source: Vec<u8>,
}

impl Versioned for StoredSelfie {
    const VERSION: u8 = 2;
    type Before = first::StoredSelfie;
}

impl std::fmt::Debug for StoredSelfie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoredSelfie {{ quality: {:.2}, live: {}, hidden }}", self.quality, self.live)
    }
}

/// What was agreed to, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentReceipt {
    /// Scope.
    pub scope: Scope,
    /// Hash of the text shown, hex.
    pub text_hash: String,
    /// Version of the text.
    pub version: u32,
    /// When, Unix milliseconds.
    pub at: u64,
    /// Event, for an announcement.
    pub event: Option<[u8; 32]>,
    /// Whom it is about.
    pub profile: ProfileId,
    /// Of [`ConsentReceipt::statement`], by the key for receipts; receipts of older versions have none.
    pub signature: Option<Signature>,
}

impl Versioned for ConsentReceipt {
    const VERSION: u8 = 3;
    type Before = second::ConsentReceipt;
}

impl ConsentReceipt {
    /// Its key: the time first, so that receipts are read in the order in which they were given.
    #[must_use]
    pub fn key(&self) -> Vec<u8> {
        let mut key = Self::PREFIX.to_vec();
        key.extend_from_slice(&self.at.to_be_bytes());
        key.push(self.scope as u8);
        key.extend(self.event.unwrap_or_default().into_iter().take(8));
        if self.profile != ProfileId::ME {
            key.extend_from_slice(&self.profile.0);
        }
        key
    }

    /// What is signed: everything in it as lines of text, so that a person can read what a machine checks.
    #[must_use]
    pub fn statement(&self) -> String {
        let event = self.event.map_or("none".to_owned(), |event| data_encoding::HEXLOWER.encode(&event));
        let Self { text_hash, version, at, profile, .. } = self;
        let scope = self.scope.word();
        format!(
            "Inframe consent receipt 1\nscope: {scope}\ntext: {text_hash}\nversion: {version}\n\
             time: {at}\nevent: {event}\nprofile: {profile}\n"
        )
    }

    /// What the keys of receipts begin with.
    pub const PREFIX: &'static [u8] = b"receipt";
}

/// The forms of the second version: no signature.
mod second {
    use serde::{Deserialize, Serialize};

    use super::{ProfileId, Scope};
    use crate::vault::Versioned;

    #[derive(Serialize, Deserialize)]
    pub struct ConsentReceipt {
        pub(super) scope: Scope,
        pub(super) text_hash: String,
        pub(super) version: u32,
        pub(super) at: u64,
        pub(super) event: Option<[u8; 32]>,
        pub(super) profile: ProfileId,
    }

    impl Versioned for ConsentReceipt {
        const VERSION: u8 = 2;
        type Before = super::first::ConsentReceipt;
    }

    impl From<ConsentReceipt> for super::ConsentReceipt {
        fn from(ConsentReceipt { scope, text_hash, version, at, event, profile }: ConsentReceipt) -> Self {
            Self { scope, text_hash, version, at, event, profile, signature: None }
        }
    }
}

/// The forms of the first version: one profile, one kind of selfie.
mod first {
    use serde::{Deserialize, Serialize};

    use super::{ProfileId, Scope};

    #[derive(Serialize, Deserialize)]
    pub struct StoredSelfie {
        pub(super) pack: String,
        pub(super) embedding: Vec<f32>,
        pub(super) still: Vec<u8>,
        pub(super) quality: f32,
        pub(super) at: u64,
    }

    crate::first_version!(StoredSelfie);

    impl From<StoredSelfie> for super::StoredSelfie {
        fn from(StoredSelfie { pack, embedding, still, quality, at }: StoredSelfie) -> Self {
            Self { pack, embedding, still, quality, at, profile: ProfileId::ME, live: false, source: Vec::new() }
        }
    }

    #[derive(Serialize, Deserialize)]
    pub struct ConsentReceipt {
        pub(super) scope: Scope,
        pub(super) text_hash: String,
        pub(super) version: u32,
        pub(super) at: u64,
        pub(super) event: Option<[u8; 32]>,
    }

    crate::first_version!(ConsentReceipt);

    impl From<ConsentReceipt> for super::second::ConsentReceipt {
        fn from(ConsentReceipt { scope, text_hash, version, at, event }: ConsentReceipt) -> Self {
            Self { scope, text_hash, version, at, event, profile: ProfileId::ME }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Older;

    #[test]
    fn selfies_and_receipts_of_the_first_version_are_the_owners_and_not_live() {
        let old =
            first::StoredSelfie { pack: "p".into(), embedding: vec![0.5; 3], still: vec![9], quality: 0.7, at: 3 };
        let selfie = StoredSelfie::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        assert_eq!((selfie.profile, selfie.live, selfie.at), (ProfileId::ME, false, 3));
        let old = first::ConsentReceipt {
            scope: Scope::Announce,
            text_hash: "00".into(),
            version: 1,
            at: 5,
            event: Some([7; 32]),
        };
        let receipt = ConsentReceipt::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        assert_eq!((receipt.profile, receipt.at, receipt.event), (ProfileId::ME, 5, Some([7; 32])));
        assert_eq!(receipt.signature, None);
    }

    #[test]
    fn ids_round_trip_and_the_owner_has_one_name_only() {
        for id in [ProfileId::ME, ProfileId([1; 8])] {
            assert_eq!(ProfileId::parse(&id.to_string()), Some(id));
        }
        assert_eq!(ProfileId::parse("0000000000000000"), None);
        assert_eq!(ProfileId::parse("../me"), None);
        assert_eq!((ProfileId::ME.subject(), ProfileId([1; 8]).subject()), (Subject::Me, Subject::Child));
    }

    #[test]
    fn d3_no_name_of_a_child_is_printed() {
        assert!(!format!("{:?}", StoredProfile { name: "Finder".into(), at: 1 }).contains("Finder"));
    }
}
