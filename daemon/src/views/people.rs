//! What the API shows of people.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A face of the library; its picture is at `/people/faces/{asset}/{face}/crop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaceRefView {
    /// The photo.
    pub asset: String,
    /// Which of its faces.
    pub face: u16,
}

/// Somebody in the library's photos.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonView {
    /// Id.
    pub id: String,
    /// What the owner calls them.
    pub name: Option<String>,
    /// Whether it is the owner, by their selfies.
    pub me: bool,
    /// Whether the owner does not want to see them.
    pub hidden: bool,
    /// Photos that they are in.
    pub photos: u32,
    /// The face that stands for them.
    pub cover: Option<FaceRefView>,
}

/// Everybody.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeopleView {
    /// Whether there is consent to finding faces; without it nobody is known.
    pub consented: bool,
    /// People with a name and people seen often, most photos first; hidden ones included.
    pub people: Vec<PersonView>,
    /// Questions that wait.
    pub questions: u32,
    /// Photos whose faces are still to be found or grouped.
    pub pending: u64,
}

/// A photo of a person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonPhotoView {
    /// The photo and the face in it that is theirs.
    pub face: FaceRefView,
    /// Capture time (or import time where unknown), Unix ms.
    pub taken_at: u64,
    /// Width of the photo in pixels.
    pub width: u32,
    /// Height of the photo in pixels.
    pub height: u32,
    /// Whether the owner said that it is them.
    pub confirmed: bool,
}

/// A person with some of their photos.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PersonDetailView {
    /// Who.
    pub person: PersonView,
    /// Photos, newest first: as many as were asked for.
    pub photos: Vec<PersonPhotoView>,
    /// People who may be the same person, the nearest first.
    pub suggestions: Vec<PersonView>,
}

/// Changes to a person; absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PersonPatch {
    /// New name; empty takes the name away.
    pub name: Option<String>,
    /// Whether to show them.
    pub hidden: Option<bool>,
    /// The face that stands for them.
    pub cover: Option<FaceRefView>,
}

/// Whom a person is the same as.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MergeBody {
    /// Id of the person who stays.
    pub into: String,
}

/// Some faces of a person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FacesBody {
    /// The faces, 1 to 1,000.
    pub faces: Vec<FaceRefView>,
}

/// Who a face is: somebody known, or somebody new with a name.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct AssignBody {
    /// Id of a person.
    pub person: Option<String>,
    /// Name of somebody new.
    pub name: Option<String>,
}

/// A question to the owner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuestionView {
    /// `who` (who is this?) or `is` (is this face that person?).
    pub kind: String,
    /// The person that is asked about.
    pub person: PersonView,
    /// `who`: faces of theirs; `is`: the one face.
    pub faces: Vec<FaceRefView>,
    /// `who`: people with a name who it may be, the nearest first.
    pub suggestions: Vec<PersonView>,
}

/// What waits for an answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuestionsView {
    /// The next questions.
    pub questions: Vec<QuestionView>,
    /// All of them.
    pub total: u32,
}

/// An answer to a question.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeopleAnswerBody {
    /// Person of the question.
    pub person: String,
    /// Face of an `is` question.
    pub face: Option<FaceRefView>,
    /// For `who`: the suggestion that is answered.
    pub other: Option<String>,
    /// `yes`, `no` or `skip`. A `who` question without `other` can only be skipped here; to answer it, name, hide or merge the person.
    pub answer: String,
}
