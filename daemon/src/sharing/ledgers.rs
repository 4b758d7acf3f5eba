//! What sharing remembers: approvals asked, deliveries to others, arrivals from others.

use inframe_protocol::{ContentId, EventId, FindMeId, MemberId, NodeId};
use serde::{Deserialize, Serialize};

use crate::library::AssetId;
use crate::matching::Grade;
use crate::sandbox::Details;
use crate::sharing::shield::Blurred;
use crate::vault::{BlobId, Versioned};

/// Names an approval; derived from what it is about, so that the same question is never asked twice.
pub type ApprovalId = [u8; 16];

/// The approval id of "may this asset go to this member of this event" or, for received photos, "is this me". A member who looks for a child of
/// theirs as well is asked about separately for that `child` find-me.
#[must_use]
pub fn approval_id(event: &EventId, member: &MemberId, child: Option<&FindMeId>, asset: AssetId) -> ApprovalId {
    let mut hasher = blake3::Hasher::new_derive_key("inframe approval id v1");
    hasher.update(&event.0);
    hasher.update(&member.0);
    hasher.update(&asset.0);
    if let Some(child) = child {
        hasher.update(&child.0);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

/// What an approval asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApprovalKind {
    /// May this photo go to them?
    Match,
    /// Is this received photo really of me?
    Doubtful,
}

/// How far an approval got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApprovalState {
    /// Waits for the owner.
    Waiting,
    /// The owner said yes.
    Allowed,
    /// The owner said no, for this photo.
    Refused,
    /// The find-me was withdrawn or expired before an answer.
    Gone,
}

/// A question to the owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredApproval {
    /// What is asked.
    pub kind: ApprovalKind,
    /// Event.
    pub event: EventId,
    /// The other person.
    pub member: MemberId,
    /// Their find-me (or mine, for a doubtful arrival).
    pub find_me: FindMeId,
    /// The photo.
    pub asset: AssetId,
    /// The matched face.
    pub face: u16,
    /// Template distance (raw distance for a doubtful arrival).
    pub score: f32,
    /// Distance of the next best face of the photo.
    pub next_best: Option<f32>,
    /// Sure or maybe.
    pub grade: Grade,
    /// State.
    pub state: ApprovalState,
    /// When asked.
    pub at: u64,
    /// Distance of the same face to the next best find-me.
    pub rival: Option<f32>,
    /// Whether a child is sought.
    pub child: bool,
    /// Whether the selfies behind the find-me were taken live, by the word of whoever announced it.
    pub live: bool,
}

impl Versioned for StoredApproval {
    const VERSION: u8 = 2;
    type Before = first::StoredApproval;
}

/// How far a delivery got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryState {
    /// To be offered, or offered again.
    Pending,
    /// The other side accepted and will fetch.
    Accepted,
    /// The other side has it, durably.
    Delivered,
    /// The other side does not want it.
    Declined,
    /// Could not be made or sent; the reason says why.
    Failed,
    /// The find-me was withdrawn or expired, or the policy changed, before it left.
    Cancelled,
}

/// The bytes that leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendition {
    /// Where they are kept until delivered.
    pub blob: BlobId,
    /// BLAKE3 of them.
    pub content: ContentId,
    /// Size.
    pub size_bytes: u64,
    /// Which faces it was made without.
    pub blurred: Blurred,
    /// What of the photo's details it still says.
    pub details: Details,
}

/// A photo on its way to a member; only what is known of its bytes, `R`, has had other forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeliveryOf<R> {
    /// Event.
    pub event: EventId,
    /// Receiver.
    pub member: MemberId,
    /// The find-me that it answers.
    pub find_me: FindMeId,
    /// The photo.
    pub asset: AssetId,
    /// Template distance.
    pub score: f32,
    /// Sure or maybe.
    pub grade: Grade,
    /// State.
    pub state: DeliveryState,
    /// The bytes, once made.
    pub rendition: Option<R>,
    /// Why it waits or failed, in words.
    pub reason: Option<String>,
    /// When created.
    pub at: u64,
    /// When last changed.
    pub changed_at: u64,
}

/// A photo on its way to a member.
pub type StoredDelivery = DeliveryOf<Rendition>;

impl<R> DeliveryOf<R> {
    fn with<S: From<R>>(self) -> DeliveryOf<S> {
        let Self { event, member, find_me, asset, score, grade, state, rendition, reason, at, changed_at } = self;
        let rendition = rendition.map(S::from);
        DeliveryOf { event, member, find_me, asset, score, grade, state, rendition, reason, at, changed_at }
    }
}

impl Versioned for StoredDelivery {
    const VERSION: u8 = 3;
    type Before = second::StoredDelivery;
}

/// How far an arrival got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArrivalState {
    /// Accepted; to be fetched.
    Accepted,
    /// All bytes are here, durable and verified; to be looked at.
    Stored(BlobId),
    /// In the library.
    Done(AssetId),
    /// Given up; the reason says why.
    Failed,
}

/// A photo on its way to this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredArrival {
    /// Event.
    pub event: EventId,
    /// Sender.
    pub from: MemberId,
    /// Sender's node.
    pub node: NodeId,
    /// My find-me that it answers.
    pub find_me: FindMeId,
    /// BLAKE3 of the rendition.
    pub content: ContentId,
    /// Its size.
    pub size_bytes: u64,
    /// When it was taken by the sender's word, Unix milliseconds: the file itself has lost its metadata.
    pub taken_at: Option<u64>,
    /// How often its examination crashed or timed out.
    pub strikes: u8,
    /// State.
    pub state: ArrivalState,
    /// Why it waits or failed, in words.
    pub reason: Option<String>,
    /// When offered.
    pub at: u64,
    /// When last changed.
    pub changed_at: u64,
}

/// The forms of the first version: of approvals, adults only, and nobody's selfies were live; of deliveries, nobody's face was blurred.
mod first {
    use serde::{Deserialize, Serialize};

    use super::{
        ApprovalKind, ApprovalState, AssetId, BlobId, Blurred, ContentId, DeliveryOf, EventId, FindMeId, Grade,
        MemberId, second,
    };

    #[derive(Serialize, Deserialize)]
    pub struct StoredApproval {
        pub(super) kind: ApprovalKind,
        pub(super) event: EventId,
        pub(super) member: MemberId,
        pub(super) find_me: FindMeId,
        pub(super) asset: AssetId,
        pub(super) face: u16,
        pub(super) score: f32,
        pub(super) next_best: Option<f32>,
        pub(super) grade: Grade,
        pub(super) state: ApprovalState,
        pub(super) at: u64,
    }

    crate::first_version!(StoredApproval);

    #[derive(Serialize, Deserialize)]
    pub struct Rendition {
        pub(super) blob: BlobId,
        pub(super) content: ContentId,
        pub(super) size_bytes: u64,
    }

    pub type StoredDelivery = DeliveryOf<Rendition>;

    crate::first_version!(StoredDelivery);

    impl From<StoredDelivery> for second::StoredDelivery {
        fn from(old: StoredDelivery) -> Self {
            old.with()
        }
    }

    impl From<Rendition> for second::Rendition {
        fn from(Rendition { blob, content, size_bytes }: Rendition) -> Self {
            Self { blob, content, size_bytes, blurred: Blurred::default() }
        }
    }

    impl From<StoredApproval> for super::StoredApproval {
        fn from(old: StoredApproval) -> Self {
            let StoredApproval { kind, event, member, find_me, asset, face, score, next_best, grade, state, at } = old;
            Self {
                kind,
                event,
                member,
                find_me,
                asset,
                face,
                score,
                next_best,
                grade,
                state,
                at,
                rival: None,
                child: false,
                live: false,
            }
        }
    }
}

/// The second form of deliveries: nothing of a photo's details stayed.
mod second {
    use serde::{Deserialize, Serialize};

    use super::{BlobId, Blurred, ContentId, DeliveryOf, Details, Versioned, first};

    #[derive(Serialize, Deserialize)]
    pub struct Rendition {
        pub(super) blob: BlobId,
        pub(super) content: ContentId,
        pub(super) size_bytes: u64,
        pub(super) blurred: Blurred,
    }

    pub type StoredDelivery = DeliveryOf<Rendition>;

    impl Versioned for StoredDelivery {
        const VERSION: u8 = 2;
        type Before = first::StoredDelivery;
    }

    impl From<StoredDelivery> for super::StoredDelivery {
        fn from(old: StoredDelivery) -> Self {
            old.with()
        }
    }

    impl From<Rendition> for super::Rendition {
        fn from(Rendition { blob, content, size_bytes, blurred }: Rendition) -> Self {
            Self { blob, content, size_bytes, blurred, details: Details::default() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Older;

    #[test]
    fn an_answer_of_the_first_version_still_stands() {
        let old = first::StoredApproval {
            kind: ApprovalKind::Match,
            event: EventId([1; 32]),
            member: MemberId([2; 32]),
            find_me: FindMeId([3; 16]),
            asset: AssetId([4; 16]),
            face: 1,
            score: 9.5,
            next_best: Some(14.0),
            grade: Grade::Sure,
            state: ApprovalState::Refused,
            at: 7,
        };
        let now = StoredApproval::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        assert_eq!((now.state, now.child, now.live, now.rival), (ApprovalState::Refused, false, false, None));
    }

    #[test]
    fn a_delivery_of_the_first_version_goes_on() {
        let rendition = first::Rendition { blob: BlobId([5; 16]), content: ContentId([6; 32]), size_bytes: 7 };
        let old = first::StoredDelivery {
            event: EventId([1; 32]),
            member: MemberId([2; 32]),
            find_me: FindMeId([3; 16]),
            asset: AssetId([4; 16]),
            score: 9.5,
            grade: Grade::Sure,
            state: DeliveryState::Accepted,
            rendition: Some(rendition),
            reason: None,
            at: 7,
            changed_at: 8,
        };
        let now = StoredDelivery::read(1, &postcard::to_allocvec(&old).unwrap()).unwrap().unwrap();
        let made = now.rendition.unwrap();
        assert_eq!((now.state, made.size_bytes, made.blurred), (DeliveryState::Accepted, 7, Blurred::default()));
        assert_eq!(made.details, Details::default());
    }

    #[test]
    fn a_photo_of_a_member_and_of_their_child_is_two_questions() {
        let (event, member, asset) = (EventId([1; 32]), MemberId([2; 32]), AssetId([4; 16]));
        let of = |child: Option<u8>| approval_id(&event, &member, child.map(|c| FindMeId([c; 16])).as_ref(), asset);
        assert!(of(None) != of(Some(1)) && of(Some(1)) != of(Some(2)) && of(Some(1)) == of(Some(1)));
    }
}
