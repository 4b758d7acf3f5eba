//! Why records are refused.

use thiserror::Error;

use crate::frame::FrameError;
use crate::keys::KeyError;
use crate::template::TemplateError;
use crate::text::FieldError;

/// Why a record is refused, or cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// R21: not one canonical record, or too long.
    #[error("the record cannot be read: {0}")]
    Unreadable(#[from] FrameError),
    /// R21: of another event.
    #[error("the record is of another event")]
    WrongEvent,
    /// R22: by nobody that the roster knows.
    #[error("the record's author is not in the roster: ask for a newer roster")]
    UnknownAuthor,
    /// R22: by a removed member.
    #[error("the record's author was removed from the event")]
    AuthorRemoved,
    /// R23: of an epoch that the roster has not reached.
    #[error("the record is of an epoch that has not begun here: ask for a newer roster")]
    UnknownEpoch,
    /// R23: of an epoch before its author joined.
    #[error("the record is of an epoch before its author joined")]
    BeforeJoining,
    /// R24: not signed by its author.
    #[error("the record is not signed by its author: do not trust its sender")]
    BadSignature,
    /// R32: its time lies ahead of this node's.
    #[error("the record is from the future: one of the clocks is wrong")]
    FromTheFuture,
    /// R33: its time is over.
    #[error("the record has expired")]
    Expired,
    /// R35: another record with a valid signature stands at its place.
    #[error("the author signed two different records with one sequence number")]
    Equivocation,
    /// R36: the author has as many newer records as are kept.
    #[error("the author has written too many records")]
    TooManyRecords,
    /// R25: it does not open with the grant of its epoch.
    #[error("the record does not open with the key of its epoch")]
    CannotOpen,
    /// R25: the padding is not what it should be.
    #[error("the record is padded wrongly")]
    WrongPadding,
    /// A field breaks its limit.
    #[error("the record holds something that is not allowed: {0}")]
    Field(#[from] FieldError),
    /// R28, R29: the template is not one of a face.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// R30: a find-me that ends before it begins or lives too long.
    #[error("a find-me lives for 24 hours at most")]
    Lifetime,
    /// R31: the find-me is another member's.
    #[error("the find-me is not the author's own")]
    ForeignFindMe,
    /// R38: more live find-mes than a member may have.
    #[error("you have three find-mes in this event: withdraw one first")]
    TooManyLive,
    /// R39: more find-mes in an hour than a member may write.
    #[error("you have announced four times within an hour: try again later")]
    TooManyInAnHour,
    /// R74: a protection that ends before it begins or lives too long.
    #[error("a protection lives for seven days at most")]
    ProtectionLifetime,
    /// R75: the protection is another member's.
    #[error("the protection is not the author's own")]
    ForeignProtection,
    /// R76: more live protections than a member may have.
    #[error("you have three protections in this event: take one back first")]
    TooManyProtections,
    /// R76: more protections in an hour than a member may write.
    #[error("you have changed what happens to photos of you eight times within an hour: try again later")]
    TooManyProtectionsInAnHour,
    /// The keys of this node are not those of a member, or R50: they have left.
    #[error("this node is not a member of the event")]
    NotAMember,
    /// The grant of the current epoch is not there.
    #[error("this node has no key for the current epoch: ask for a newer roster")]
    NoGrant,
    /// A key is not usable, or the machine gave no randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl RecordError {
    /// Whether no honest node sends such a record on purpose or by being late: worth a line in the log of suspicious things.
    pub fn is_hostile(&self) -> bool {
        match self {
            Self::Unreadable(_)
            | Self::WrongEvent
            | Self::BeforeJoining
            | Self::BadSignature
            | Self::Equivocation
            | Self::CannotOpen
            | Self::WrongPadding
            | Self::Field(_)
            | Self::Template(_)
            | Self::Lifetime
            | Self::ForeignFindMe
            | Self::ProtectionLifetime
            | Self::ForeignProtection => true,
            Self::UnknownAuthor
            | Self::AuthorRemoved
            | Self::UnknownEpoch
            | Self::FromTheFuture
            | Self::Expired
            | Self::TooManyRecords
            | Self::TooManyLive
            | Self::TooManyInAnHour
            | Self::TooManyProtections
            | Self::TooManyProtectionsInAnHour
            | Self::NotAMember
            | Self::NoGrant
            | Self::Key(_) => false,
        }
    }
}
