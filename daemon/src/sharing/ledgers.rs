//! What sharing remembers: approvals asked, deliveries to others, arrivals from others.

use inframe_protocol::{ContentId, EventId, FindMeId, MemberId, NodeId};
use serde::{Deserialize, Serialize};

use crate::library::AssetId;
use crate::matching::Grade;
use crate::vault::BlobId;

/// Names an approval; derived from what it is about, so that the same question is never asked twice.
pub type ApprovalId = [u8; 16];

/// The approval id of "may this asset go to this member of this event" or, for received photos, "is this me".
#[must_use]
pub fn approval_id(event: &EventId, member: &MemberId, asset: AssetId) -> ApprovalId {
    let mut hasher = blake3::Hasher::new_derive_key("inframe approval id v1");
    hasher.update(&event.0);
    hasher.update(&member.0);
    hasher.update(&asset.0);
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
}

/// A photo on its way to a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredDelivery {
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
    pub rendition: Option<Rendition>,
    /// Why it waits or failed, in words.
    pub reason: Option<String>,
    /// When created.
    pub at: u64,
    /// When last changed.
    pub changed_at: u64,
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
