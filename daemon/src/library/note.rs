//! The sealed note in the header of a blob, from which an asset is found again without the catalog. Format: `vault/FORMAT.md`.

use inframe_protocol::OfferId;
use serde::{Deserialize, Serialize};

use super::{AssetId, Origin};
use crate::vault::BlobId;

/// No asset and no offer has this id: it marks a note of a form of its own.
const MARK: [u8; 16] = [0; 16];
const RECEIVED: u8 = 1;

/// What a note says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// An original that the owner imported.
    Own {
        /// Its asset.
        asset: AssetId,
        /// Its name.
        file_name: String,
    },
    /// A part of an asset that has no name of its own.
    Part(AssetId),
    /// An original that a member sent.
    Received(Received),
    /// An original that a member sent with this offer, and no more.
    Offered(OfferId),
    /// Nothing that this version knows.
    Unknown,
}

/// What is to be known again of a photo that a member sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Received {
    pub(super) origin: Origin,
    pub(super) taken_at: Option<i64>,
}

/// The note of something of the owner's own: an original with its name, or, without one, a part.
pub(super) fn own(id: AssetId, file_name: &str) -> Vec<u8> {
    let mut note = id.0.to_vec();
    note.extend_from_slice(file_name.as_bytes());
    note
}

/// The note of an original that was imported here: the owner's own, or a guest's, which must not become the owner's own by a loss of the catalog.
pub(super) fn of_original(id: AssetId, file_name: &str, origin: &Origin) -> Vec<u8> {
    if matches!(origin, Origin::Guest { .. }) { received(origin, None) } else { own(id, file_name) }
}

/// The note of an original that a member sends; `taken_at` in Unix milliseconds.
#[must_use]
pub fn received(origin: &Origin, taken_at: Option<i64>) -> Vec<u8> {
    let mut note = MARK.to_vec();
    note.push(RECEIVED);
    let plain = Received { origin: origin.clone(), taken_at };
    // Values of fixed size into memory: this does not fail.
    note.extend(postcard::to_stdvec(&plain).unwrap_or_default());
    note
}

/// What the note in the header of `blob` says.
pub(super) fn read(blob: BlobId, meta: &[u8]) -> Note {
    let Some((id, rest)) = meta.split_first_chunk::<16>() else { return Note::Unknown };
    match rest {
        [RECEIVED, rest @ ..] if *id == MARK => postcard::from_bytes(rest).map_or(Note::Unknown, Note::Received),
        _ if *id == MARK => Note::Unknown,
        // The original of an offer lies under the offer's id.
        [] if *id == blob.0 => Note::Offered(OfferId(*id)),
        [] => Note::Part(AssetId(*id)),
        name => match std::str::from_utf8(name) {
            Ok(name) => Note::Own { asset: AssetId(*id), file_name: name.to_owned() },
            Err(_) => Note::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use inframe_protocol::{EventId, FindMeId, MemberId};

    use super::*;

    #[test]
    fn every_note_is_read_as_what_was_written_and_nothing_else_is() {
        let (asset, blob) = (AssetId([3; 16]), BlobId([9; 16]));
        let named = Note::Own { asset, file_name: "a.jpg".into() };
        assert_eq!(read(blob, &own(asset, "a.jpg")), named);
        assert_eq!(read(blob, &own(asset, "")), Note::Part(asset));
        assert_eq!(read(blob, &blob.0), Note::Offered(OfferId(blob.0)));
        let origin = Origin::Received {
            event: EventId([1; 32]),
            from: MemberId([2; 32]),
            find_me: FindMeId([4; 16]),
            offer: OfferId(blob.0),
        };
        let note = received(&origin, Some(-5));
        assert_eq!(read(blob, &note), Note::Received(Received { origin, taken_at: Some(-5) }));
        for damaged in [&note[..20], &[], &[0; 16], &[&[0; 16][..], &[2]].concat(), &[&[7; 16][..], &[0xff]].concat()] {
            assert_eq!(read(blob, damaged), Note::Unknown, "{damaged:?}");
        }
    }
}
