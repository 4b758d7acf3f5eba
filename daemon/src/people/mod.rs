//! People: which faces of the library belong to one person. What is known here never leaves the node, names least of all (D5).
//!
//! | file | job |
//! |---|---|
//! | `keep` | [`People`]: the catalog's rows behind one lock, every change durable before it is seen |
//! | `stored` | what the catalog keeps |
//! | `grouping` | all photos, looks and people in memory, and the few ways to change them |
//! | `photos` | photos come, are looked at again, and go |
//! | `places` | the one way of a face into a look and out of it |
//! | `joining` | where a new face goes: near enough to a look, together with another face, or nowhere |
//! | `corrections` | what the owner says, which later grouping never undoes |
//! | `merging` | two people who are one |
//! | `questions` | what the owner may be asked |
//! | `look` | one look of a person: its middle, its spread and a few faces that stand for it |
//! | `changes`, `undo` | what has to be written; a correction taken back |
//! | `boxes` | faces found again where they were |
//! | `pictures` | pictures of faces, in memory |
//!
//! A **look** is a tight group that was made by nearness alone; a person has one or more of them: a child of six and the same child of sixteen are
//! two looks that the owner made one person. A new face joins a look only if it is surely near one of its faces *and* near all of them on average,
//! so that no chain of similar faces leads from one person to another. Two faces of one photo are never one person. Faces too small or too poor
//! to be surely anybody join what is there and never begin anything.
//!
//! Deliberately absent: the clock, the network, and any use of the profile; who of the people is the owner is asked where both are known.

mod boxes;
mod changes;
mod corrections;
mod grouping;
mod joining;
mod keep;
mod look;
mod merging;
mod photos;
mod pictures;
mod places;
mod questions;
mod source;
mod stored;
mod undo;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use boxes::Spot;
pub use corrections::CorrectionError;
pub use grouping::{Grouping, GroupingRules, Summary};
pub use keep::{Embeddings, People, PeopleError};
pub use pictures::FacePictures;
pub use questions::{Question, SHOWN_FROM};
pub use source::{FaceSource, Remembered};
pub use stored::{StoredPerson, StoredPlace, StoredPlaces, StoredRule};

use crate::library::AssetId;

/// Names a person on this node; random, never leaves it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonId(pub [u8; 16]);

/// Names a look of a person.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LookId(pub [u8; 16]);

/// A face of the library: its photo and its place among the photo's faces, left to right. It names the same face only until the photo is looked at
/// again; what shall outlast that is kept by the face's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaceRef {
    /// The photo.
    pub asset: AssetId,
    /// Index among its faces.
    pub index: u16,
}

impl FaceRef {
    fn at(self) -> usize {
        usize::from(self.index)
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonId({})", &self.to_string()[..8])
    }
}

impl fmt::Debug for LookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LookId({})", &data_encoding::HEXLOWER.encode(&self.0)[..8])
    }
}

impl FromStr for PersonId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| ())?;
        Ok(Self(bytes.try_into().map_err(|_| ())?))
    }
}
