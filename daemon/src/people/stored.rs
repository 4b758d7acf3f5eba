//! What the catalog keeps of people. All of it is sealed with the key of face data, names included.

use serde::{Deserialize, Serialize};

use super::{LookId, PersonId, Spot};
use crate::library::AssetId;

/// A person; its key is the [`PersonId`].
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredPerson {
    /// What the owner calls them.
    pub name: Option<String>,
    /// Not shown and not asked about.
    pub hidden: bool,
    /// The face that stands for them, if the owner chose one: the photo and where in it.
    pub cover: Option<(AssetId, Spot)>,
    /// The owner has said something about them; grouping never makes them part of somebody else who is kept as well.
    pub kept: bool,
    /// The owner did not want to say who this is; asked last.
    pub skipped: bool,
}

impl std::fmt::Debug for StoredPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The name is nobody's business, a log's least of all.
        write!(f, "StoredPerson {{ named: {}, hidden: {}, kept: {} }}", self.name.is_some(), self.hidden, self.kept)
    }
}

/// A look; its key is the [`LookId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLook {
    /// Whose look it is.
    pub person: PersonId,
}

/// Where the faces of one photo belong; its key is the photo's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredPlaces {
    /// The model pack whose faces these are.
    pub pack: String,
    /// Tells whether the photo was looked at again since.
    pub print: [u8; 8],
    /// One a face, left to right.
    pub places: Vec<StoredPlace>,
}

/// Where one face belongs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredPlace {
    /// Where the face is: how it is known again.
    pub spot: Spot,
    /// The look that it is part of.
    pub look: Option<LookId>,
    /// The look that it may be part of, and how far it is from its nearest face.
    pub doubt: Option<(LookId, f32)>,
}

/// What the owner said about one face. The rules of a photo lie under its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredRule {
    /// Where the face was when the owner said it.
    pub spot: Spot,
    /// It is this person.
    pub is: Option<PersonId>,
    /// It is none of these.
    pub not: Vec<PersonId>,
    /// Asked whether it is one of these, the owner would not say.
    pub skipped: Vec<PersonId>,
}

impl StoredRule {
    /// A rule that says nothing yet.
    #[must_use]
    pub fn at(spot: Spot) -> Self {
        Self { spot, is: None, not: Vec::new(), skipped: Vec::new() }
    }
}
