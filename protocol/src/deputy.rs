//! Co-hosts: members who invite, admit and remove in the host's place, by way of the host's node, which alone has the event's key.

use serde::{Deserialize, Serialize};

use crate::event::EventState;
use crate::frame::Message;
use crate::ids::{EventId, InviteId, MemberId, NodeId, UnixMillis};
use crate::invite::Invite;
use crate::keys::MemberPublic;
use crate::limits::{
    MAX_DEPUTY_BYTES, MAX_DEPUTY_INVITES, MAX_INVITE_LIFE_MS, MAX_INVITE_USES, MAX_NICKNAME_BYTES,
    MAX_SMALL_MESSAGE_BYTES, MAX_WAITING,
};
use crate::roster::{Member, Role};
use crate::text::{FieldError, check_count, check_name};

/// What is said between a co-host and the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeputyRequest {
    /// Co-host to host: who waits to be admitted?
    Waiting {
        /// The event.
        event: EventId,
    },
    /// Co-host to host: admit somebody who waits, or refuse them.
    Decide {
        /// The event.
        event: EventId,
        /// Who waits.
        member: MemberId,
        /// Whether they are admitted.
        admit: bool,
    },
    /// Co-host to host: remove a member.
    Remove {
        /// The event.
        event: EventId,
        /// Whom.
        member: MemberId,
    },
    /// Host to co-host: who waits has changed; ask.
    Changed {
        /// The event.
        event: EventId,
    },
    /// Co-host to host: make an invite.
    Invite {
        /// The event.
        event: EventId,
        /// For how many.
        uses: u32,
        /// For how long, from now.
        life_ms: u64,
    },
    /// Co-host to host: which of the invites that I asked for can be used?
    Invites {
        /// The event.
        event: EventId,
    },
    /// Co-host to host: withdraw an invite that I asked for.
    Withdraw {
        /// The event.
        event: EventId,
        /// Which.
        invite: InviteId,
    },
}

impl DeputyRequest {
    /// The event that it is about.
    pub fn event(&self) -> EventId {
        match self {
            Self::Waiting { event }
            | Self::Decide { event, .. }
            | Self::Remove { event, .. }
            | Self::Changed { event }
            | Self::Invite { event, .. }
            | Self::Invites { event }
            | Self::Withdraw { event, .. } => *event,
        }
    }
}

impl Message for DeputyRequest {
    const MAX_BYTES: usize = MAX_SMALL_MESSAGE_BYTES;

    /// R72.
    fn check(&self) -> Result<(), FieldError> {
        let Self::Invite { uses, life_ms, .. } = self else { return Ok(()) };
        if *uses == 0 || *life_ms == 0 {
            return Err(FieldError::Value { field: "invite", why: "nobody could use it" });
        }
        check_count("uses", u64::from(*uses), u64::from(MAX_INVITE_USES))?;
        check_count("life_ms", *life_ms, MAX_INVITE_LIFE_MS)
    }
}

/// Somebody who waits to be admitted: what the words of R51 are made of, and what a person decides by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingJoin {
    /// Their keys in the event.
    pub member: MemberPublic,
    /// Their node.
    pub node: NodeId,
    /// The name that they gave.
    pub nickname: String,
    /// When they asked first.
    pub at: UnixMillis,
}

/// An invite that a co-host asked for. Who uses it asks the host's node, as with any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeputyInvite {
    /// The invite.
    pub invite: Invite,
    /// Uses when it was made.
    pub uses: u32,
    /// Uses left.
    pub uses_left: u32,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeputyReply {
    /// Those who wait.
    Waiting(Vec<WaitingJoin>),
    /// It is done.
    Done,
    /// It is not: no event of this node, no co-host, nobody of this id, or nobody whom a co-host may remove.
    No,
    /// The invite that was asked for, or those that can be used.
    Invites(Vec<DeputyInvite>),
}

impl Message for DeputyReply {
    const MAX_BYTES: usize = MAX_DEPUTY_BYTES;

    /// R72.
    fn check(&self) -> Result<(), FieldError> {
        let waiting = match self {
            Self::Waiting(waiting) => waiting,
            Self::Invites(invites) => {
                check_count("invites", invites.len() as u64, MAX_DEPUTY_INVITES as u64)?;
                return invites.iter().try_for_each(|one| one.invite.check());
            }
            Self::Done | Self::No => return Ok(()),
        };
        check_count("waiting", waiting.len() as u64, MAX_WAITING as u64)?;
        for one in waiting {
            check_name("nickname", &one.nickname, MAX_NICKNAME_BYTES)?;
            let unusable = FieldError::Value { field: "member", why: "its keys are not usable" };
            one.member.check().map_err(|_| unusable)?;
        }
        Ok(())
    }
}

impl EventState {
    /// R71: the co-host whose node this is; nobody else is listened to.
    pub fn co_host_by_node(&self, node: &NodeId) -> Option<&Member> {
        self.member_by_node(node).filter(|member| member.role == Role::CoHost)
    }

    /// R73: whether a co-host may remove this member.
    pub fn is_for_co_hosts_to_remove(&self, member: &MemberId) -> bool {
        self.roster().member(member).is_some_and(|member| member.role == Role::Member)
    }
}
