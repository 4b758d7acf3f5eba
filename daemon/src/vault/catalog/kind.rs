//! The kinds of records in the catalog, and the key that each is sealed with.

use crate::vault::keys::Subkey;

/// What a record is about. The number is the first byte of its key in the database and part of the format: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A photo, video or file in the library.
    Asset = 1,
    /// Content tag to asset, by which duplicates are found.
    ContentTag = 2,
    /// A face found in an asset, with its embedding. Face data.
    Face = 3,
    /// A local group of faces. Face data.
    Person = 4,
    /// A profile that this node may look for. Face data.
    Profile = 5,
    /// A selfie from which a profile was enrolled. Face data.
    Selfie = 6,
    /// What was consented to, and when.
    Consent = 7,
    /// An event.
    Event = 8,
    /// A signed record of an event.
    Record = 9,
    /// An invite.
    Invite = 10,
    /// Somebody who asks to join.
    Admission = 11,
    /// Another node.
    Peer = 12,
    /// A find-me of ours.
    FindMe = 13,
    /// A match between a face and a find-me. Face data.
    Match = 14,
    /// An approval, asked or answered.
    Approval = 15,
    /// The rule for an event or a member.
    Policy = 16,
    /// An offer that we made.
    Offer = 17,
    /// A delivery to us or from us.
    Delivery = 18,
    /// An entry of the activity log.
    Activity = 19,
    /// Settings.
    Settings = 20,
    /// A run of the importer.
    Import = 21,
    /// A file that the importer has seen.
    ImportedFile = 22,
    /// A folder that is watched.
    WatchedFolder = 23,
    /// A web session.
    Session = 24,
    /// An album.
    Album = 25,
    /// Something in the trash.
    Trash = 26,
    /// Work that failed and how often: strikes, and when to try again.
    Strike = 27,
    /// An asset's part in an event.
    EventAsset = 28,
    /// A rendition that was made.
    Rendition = 29,
    /// A budget: what a member has used up.
    Budget = 30,
    /// A blob that is being received.
    Incoming = 31,
    /// A look of a person. Face data.
    PersonLook = 32,
    /// Which looks the faces of an asset belong to. Face data.
    PersonPlaces = 33,
    /// What the owner said about the faces of an asset. Face data.
    PersonRules = 34,
    /// Two people whom the owner keeps apart. Face data.
    PersonApart = 35,
    /// The clock of the trash.
    TrashClock = 44,
    /// An asset with files that are not as they were written.
    Damage = 47,
    /// My last word in an event that I left, and who has not heard it.
    Farewell = 50,
    /// An entry of an event's roster.
    RosterEntry = 51,
    /// A record of an event.
    EventRecord = 52,
    /// What was found to be wrong in an event.
    EventAlarms = 53,
    /// A delivery of mine that another member keeps for its receiver.
    Deposit = 54,
    /// A delivery between two others that I keep.
    Held = 55,
    /// How an arrival is opened that a keeper brings.
    Sealed = 56,
    /// What my profiles ask of photos in an event.
    EventProtecting = 60,
    /// A photo of mine that I asked back.
    Recall = 64,
    /// A photo that its sender asks me to delete.
    AskedBack = 65,
    /// Something that waits for the owner, of which they were told.
    Told = 66,
    /// That the members of an event see the owner's name and e-mail address.
    EventContact = 67,
    /// What photos still say when they go to members of an event.
    EventDetails = 68,
    /// The guest page of an event.
    GuestPage = 70,
    /// Somebody who uses a guest page.
    Guest = 71,
    /// A file that a guest adds.
    GuestUpload = 72,
    /// A piece of it.
    GuestPiece = 73,
    /// A guest's face, as their selfie showed it. Face data.
    GuestSelfie = 74,
    /// A photo in which a guest was found. Face data.
    GuestMatch = 75,
    /// A guest asks that a photo be removed.
    GuestRemoval = 76,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 57] = [
        Self::Asset,
        Self::ContentTag,
        Self::Face,
        Self::Person,
        Self::Profile,
        Self::Selfie,
        Self::Consent,
        Self::Event,
        Self::Record,
        Self::Invite,
        Self::Admission,
        Self::Peer,
        Self::FindMe,
        Self::Match,
        Self::Approval,
        Self::Policy,
        Self::Offer,
        Self::Delivery,
        Self::Activity,
        Self::Settings,
        Self::Import,
        Self::ImportedFile,
        Self::WatchedFolder,
        Self::Session,
        Self::Album,
        Self::Trash,
        Self::Strike,
        Self::EventAsset,
        Self::Rendition,
        Self::Budget,
        Self::Incoming,
        Self::PersonLook,
        Self::PersonPlaces,
        Self::PersonRules,
        Self::PersonApart,
        Self::TrashClock,
        Self::Damage,
        Self::Farewell,
        Self::RosterEntry,
        Self::EventRecord,
        Self::EventAlarms,
        Self::Deposit,
        Self::Held,
        Self::Sealed,
        Self::EventProtecting,
        Self::Recall,
        Self::AskedBack,
        Self::Told,
        Self::EventContact,
        Self::EventDetails,
        Self::GuestPage,
        Self::Guest,
        Self::GuestUpload,
        Self::GuestPiece,
        Self::GuestSelfie,
        Self::GuestMatch,
        Self::GuestRemoval,
    ];

    /// The sub-key that seals records of this kind.
    #[must_use]
    pub fn subkey(self) -> Subkey {
        match self {
            Self::Face
            | Self::Person
            | Self::Profile
            | Self::Selfie
            | Self::Match
            | Self::PersonLook
            | Self::PersonPlaces
            | Self::PersonRules
            | Self::PersonApart
            | Self::GuestSelfie
            | Self::GuestMatch => Subkey::Biometrics,
            _ => Subkey::Catalog,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_never_shared_and_never_zero() {
        let mut numbers: Vec<u8> = Kind::ALL.iter().map(|kind| *kind as u8).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]) && numbers[0] > 0, "{numbers:?}");
    }
}
