//! Why roster entries are refused.

use thiserror::Error;

use crate::frame::FrameError;
use crate::keys::KeyError;
use crate::limits::MAX_MEMBERS;
use crate::text::FieldError;

/// Why an entry is not the next of a roster.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RosterError {
    /// R12: not one canonical entry within its size.
    #[error("the roster entry cannot be read: {0}")]
    Unreadable(#[from] FrameError),
    /// R12: of another event.
    #[error("the roster entry is of another event")]
    WrongEvent,
    /// R13: not signed by the event's key.
    #[error("the roster entry is not signed by the event's key: do not trust its sender")]
    BadSignature,
    /// R14: entries before it are missing.
    #[error("roster entry {found} came where {expected} is next: ask for those between")]
    Gap {
        /// Index of the next entry.
        expected: u32,
        /// Index of the entry given.
        found: u32,
    },
    /// The very entry is there already.
    #[error("the roster entry is known already")]
    Known,
    /// R15: another entry with a valid signature stands at its place.
    #[error(
        "the event's key signed two different entries at place {index}: the host shows different members different rosters"
    )]
    Forked {
        /// Index of both entries.
        index: u32,
    },
    /// R14: it does not follow the last entry.
    #[error("the roster entry does not follow the last one")]
    WrongPrevious,
    /// R16: the first entry must create the event, and no other may.
    #[error("an event is created by its first roster entry and by no other")]
    NotTheBeginning,
    /// A field breaks its limit.
    #[error("the roster entry holds something that is not allowed: {0}")]
    Field(#[from] FieldError),
    /// A public key is not usable, or the machine gave no randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// R17: these keys were a member's before.
    #[error("these keys are or were a member's: join with fresh ones")]
    KeysInUse,
    /// R17: this node is a member already.
    #[error("this node is a member already")]
    NodeInUse,
    /// R17: as many members as an event may have.
    #[error("the event is full: it has {MAX_MEMBERS} members")]
    EventFull,
    /// R18: not a member.
    #[error("there is no such member")]
    NoSuchMember,
    /// R18: the host cannot be removed nor get another role.
    #[error("the host stays the host of the event")]
    HostStays,
    /// R19: epochs count up by one.
    #[error("epoch {found} where {expected} is next")]
    WrongEpoch {
        /// The next epoch.
        expected: u32,
        /// The one given.
        found: u32,
    },
    /// R19: an epoch is sealed to every member, in order, and to nobody else.
    #[error("the epoch is not sealed to exactly the members of the event")]
    WrongGrants,
    /// R20: after a removal comes a new epoch, before anybody else is let in.
    #[error("a member was removed: the next entry must begin a new epoch")]
    RotationDue,
    /// D7: the roster is as long as it may be.
    #[error("the roster is full: make a new event")]
    RosterFull,
    /// The key is not that of the event.
    #[error("this key is not the event's")]
    WrongKey,
}

impl RosterError {
    /// Whether no honest node sends such an entry on purpose or by being late: worth a line in the log of suspicious things.
    pub fn is_hostile(&self) -> bool {
        !matches!(self, Self::Known | Self::Gap { .. } | Self::RosterFull)
    }
}
