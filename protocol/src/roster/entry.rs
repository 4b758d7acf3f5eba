//! One entry of a roster, its signed form, and the grants sealed in it.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::fixed_bytes;
use crate::frame::{FrameError, from_canonical, to_canonical};
use crate::ids::{EventId, InviteId, MemberId, NodeId, UnixMillis};
use crate::keys::{EpochGrant, EventKey, KeyError, MemberKeys, MemberPublic, ROSTER_CONTEXT, SealedBox, Signature};
use crate::keys::{open_sealed, seal_to};
use crate::limits::{MAX_EVENT_NAME_BYTES, MAX_MEMBERS, MAX_NICKNAME_BYTES, MAX_ROSTER_ENTRY_BYTES};
use crate::text::{FieldError, check_count, check_name};

/// Seals grants.
const GRANT_CONTEXT: &str = "inframe 1 epoch grant";
/// Derives the hash of an entry.
const HASH_CONTEXT: &str = "inframe 1 roster hash";

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Made the event and holds its key.
    Host,
    /// May admit on behalf of the host.
    CoHost,
    /// Takes part.
    Member,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RosterBody {
    /// The event was made; its host is the first member, and epoch 0 begins.
    Created {
        /// Name of the event.
        name: String,
        /// The host's keys.
        host: MemberPublic,
        /// The host's node.
        node: NodeId,
        /// The host's nickname.
        nickname: String,
        /// When the event starts, if it says so.
        starts: Option<UnixMillis>,
        /// When the event ends, if it does.
        ends: Option<UnixMillis>,
        /// The grant of epoch 0, sealed to the host.
        grant: SealedBox,
    },
    /// Somebody was admitted.
    Joined {
        /// The new member's keys.
        member: MemberPublic,
        /// The new member's node.
        node: NodeId,
        /// The new member's nickname.
        nickname: String,
        /// The invite that was used.
        invite: Option<InviteId>,
        /// The grant of the current epoch, sealed to the new member.
        grant: SealedBox,
    },
    /// A member was removed or left; a new epoch must follow.
    Removed {
        /// Who.
        member: MemberId,
    },
    /// A member got another role.
    Role {
        /// Who.
        member: MemberId,
        /// The role from now on; never `Host`.
        role: Role,
    },
    /// A new epoch began.
    Epoch {
        /// Its number: one more than the last.
        number: u32,
        /// Its grant, sealed to each member in the order of their ids.
        sealed: Vec<(MemberId, SealedBox)>,
    },
    /// The event is described anew.
    Changed {
        /// Name of the event.
        name: String,
        /// When it starts, if it says so.
        starts: Option<UnixMillis>,
        /// When it ends, if it does.
        ends: Option<UnixMillis>,
    },
    /// R79: what holds for photos of the event from now on.
    Rules {
        /// Whether the faces of bystanders are blurred in what leaves.
        blur_bystanders: bool,
    },
    /// R81: whether children are present in the event from now on.
    Children {
        /// Whether they are.
        present: bool,
    },
}

impl RosterBody {
    /// The limits of the fields, apart from all other entries.
    pub(super) fn check_fields(&self) -> Result<(), FieldError> {
        match self {
            Self::Created { name, nickname, starts, ends, grant, .. } => {
                check_event(name, *starts, *ends)?;
                check_name("nickname", nickname, MAX_NICKNAME_BYTES)?;
                grant.check()
            }
            Self::Joined { nickname, grant, .. } => {
                check_name("nickname", nickname, MAX_NICKNAME_BYTES)?;
                grant.check()
            }
            Self::Role { role: Role::Host, .. } => {
                Err(FieldError::Value { field: "role", why: "an event has one host" })
            }
            Self::Epoch { sealed, .. } => {
                check_count("sealed", sealed.len() as u64, MAX_MEMBERS as u64)?;
                sealed.iter().try_for_each(|(_, grant)| grant.check())
            }
            Self::Changed { name, starts, ends } => check_event(name, *starts, *ends),
            Self::Removed { .. } | Self::Role { .. } | Self::Rules { .. } | Self::Children { .. } => Ok(()),
        }
    }
}

fn check_event(name: &str, starts: Option<UnixMillis>, ends: Option<UnixMillis>) -> Result<(), FieldError> {
    check_name("name", name, MAX_EVENT_NAME_BYTES)?;
    match (starts, ends) {
        (Some(starts), Some(ends)) if ends < starts => {
            Err(FieldError::Value { field: "ends", why: "an event ends after it starts" })
        }
        _ => Ok(()),
    }
}

/// One entry: its place in the chain, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// The event.
    pub event: EventId,
    /// Place in the chain, from 0.
    pub index: u32,
    /// Hash of the entry before it; zeros for the first.
    #[serde(with = "fixed_bytes")]
    pub previous: [u8; 32],
    /// When it was made, by the clock of its maker; shown, and never decided by.
    pub at: UnixMillis,
    /// What it says.
    pub body: RosterBody,
}

/// An entry as it travels: its canonical bytes, and the event key's signature over them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRosterEntry {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: Signature,
}

impl std::fmt::Debug for SignedRosterEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedRosterEntry({} bytes)", self.bytes.len())
    }
}

impl SignedRosterEntry {
    /// Signs an entry. Whether it may follow is for [`super::Roster`] to judge.
    pub(super) fn sign(entry: &RosterEntry, key: &EventKey) -> Result<Self, FrameError> {
        let bytes = to_canonical(entry)?;
        let signature = key.sign(ROSTER_CONTEXT, &bytes);
        let signed = Self { bytes, signature };
        signed.check()?;
        Ok(signed)
    }

    /// The place in the chain that it claims; nothing is verified yet.
    ///
    /// # Errors
    /// R12: it cannot be read.
    pub fn index(&self) -> Result<u32, FrameError> {
        Ok(self.read()?.index)
    }

    /// Checks the size.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        check_count("roster entry", self.bytes.len() as u64, MAX_ROSTER_ENTRY_BYTES as u64)
    }

    /// Bytes that it takes in a message: its own, at most three of length, and the signature.
    pub(crate) fn wire_bytes(&self) -> usize {
        self.bytes.len() + 3 + 64
    }

    /// R12: reads the entry. Nothing is verified yet.
    pub(crate) fn read(&self) -> Result<RosterEntry, FrameError> {
        self.check()?;
        from_canonical(&self.bytes)
    }

    /// The hash by which the next entry refers to it.
    pub(super) fn hash(&self) -> [u8; 32] {
        blake3::derive_key(HASH_CONTEXT, &self.bytes)
    }
}

/// What a sealed grant is bound to: event, member and epoch.
fn grant_aad(event: &EventId, member: &MemberId, epoch: u32) -> Vec<u8> {
    [event.as_bytes().as_slice(), member.as_bytes(), &epoch.to_le_bytes()].concat()
}

/// Seals the grant of an epoch to a member.
pub(super) fn seal_grant(
    event: &EventId,
    member: &MemberPublic,
    epoch: u32,
    grant: &EpochGrant,
) -> Result<SealedBox, KeyError> {
    let plain = Zeroizing::new([grant.secret, grant.projection].concat());
    seal_to(&member.seal, GRANT_CONTEXT, &grant_aad(event, &member.sign, epoch), &plain)
}

/// Opens the grant of an epoch.
///
/// # Errors
/// It was sealed to somebody else, for another event or epoch, or is not a grant.
pub(crate) fn open_grant(
    keys: &MemberKeys,
    event: &EventId,
    epoch: u32,
    sealed: &SealedBox,
) -> Result<EpochGrant, KeyError> {
    let plain = open_sealed(keys, GRANT_CONTEXT, &grant_aad(event, &keys.member_id(), epoch), sealed)?;
    let (secret, projection) = plain.split_first_chunk::<32>().ok_or(KeyError::CannotOpen)?;
    let projection: [u8; 32] = projection.try_into().map_err(|_| KeyError::CannotOpen)?;
    Ok(EpochGrant { secret: *secret, projection })
}
