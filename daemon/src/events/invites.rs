//! Invites as the host of an event has them, their own and those that co-hosts asked for: made, shown with who came by them, withdrawn, and withdrawn
//! because they leaked.

use inframe_protocol::invite::Invite;
use inframe_protocol::roster::Role;
use inframe_protocol::{EventId, InviteId, MemberId, NodeId, UnixMillis};

use super::entry::Entry;
use super::stored::IssuedInvite;
use super::{Events, EventsError};
use crate::clock::now_ms;

/// Invites of one event that may be valid at once.
const MAX_INVITES: usize = 200;

/// How long an invite is good, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// From now to its expiry, milliseconds.
    pub life_ms: u64,
    /// Uses.
    pub uses: u32,
    /// Whether who comes by it waits for a yes even where everybody else is let in at once.
    pub by_hand: bool,
}

/// An invite as its issuer sees it.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedLink {
    /// Id.
    pub id: InviteId,
    /// Link.
    pub link: String,
    /// Expiry, Unix milliseconds.
    pub expires: u64,
    /// Uses left.
    pub uses_left: u32,
    /// Uses when it was made.
    pub uses: u32,
    /// Whether it can still be used.
    pub open: bool,
    /// Whether who comes by it waits for a yes, whatever the event's setting says.
    pub by_hand: bool,
    /// The co-host who asked for it, if it was one, with their nickname.
    pub by: Option<(MemberId, String)>,
    /// Members who came in by it, the first first, with their nicknames. The roster tells them, which lies sealed as this does.
    pub joined: Vec<(MemberId, String)>,
    /// Those who wait with it.
    pub waiting: usize,
}

impl std::fmt::Debug for IssuedLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IssuedLink {{ id: {:?}, uses_left: {}, link: hidden }}", self.id, self.uses_left)
    }
}

/// What came of an invite that leaked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The fresh invite.
    pub fresh: IssuedLink,
    /// Nicknames of those who were removed.
    pub removed: Vec<String>,
    /// How many who waited were declined.
    pub declined: usize,
}

impl Entry {
    pub(super) fn shown(&self, invite: &IssuedInvite, now: u64) -> IssuedLink {
        let mut members: Vec<_> = self.state.members().filter(|member| member.invite == Some(invite.id)).collect();
        members.sort_by_key(|member| (member.joined_at, member.id()));
        let named = |id: MemberId| (id, self.nickname(&id).unwrap_or_default());
        IssuedLink {
            id: invite.id,
            link: invite.link.clone(),
            expires: invite.expires,
            uses_left: invite.uses_left,
            uses: invite.uses,
            open: self.is_usable(invite, now),
            by_hand: invite.by_hand,
            by: invite.by.map(named),
            joined: members.into_iter().map(|member| named(member.id())).collect(),
            waiting: self.waiting_by(&invite.id),
        }
    }

    /// R73: whether an invite was asked for by somebody who is no co-host any more.
    pub(super) fn is_void(&self, invite: &IssuedInvite) -> bool {
        let is_co_host = |id: &MemberId| self.state.member(id).is_some_and(|member| member.role == Role::CoHost);
        invite.by.as_ref().is_some_and(|by| !is_co_host(by))
    }

    /// Whether an invite can still be used.
    pub(super) fn is_usable(&self, invite: &IssuedInvite, now: u64) -> bool {
        invite.is_valid(now) && !self.is_void(invite)
    }

    /// How many wait with an invite.
    pub(super) fn waiting_by(&self, invite: &InviteId) -> usize {
        self.waiting.iter().filter(|waiting| waiting.request.invite == *invite).count()
    }

    /// Makes an invite, for the host or for a co-host.
    pub(super) fn issue(
        &mut self,
        host: NodeId,
        addresses: Vec<String>,
        terms: Terms,
        by: Option<MemberId>,
        now: u64,
    ) -> Result<IssuedLink, EventsError> {
        if self.event_key.is_none() {
            return Err(EventsError::NotHost);
        }
        if self.invites.iter().filter(|invite| invite.is_valid(now)).count() >= MAX_INVITES {
            return Err(EventsError::Invalid(format!("{MAX_INVITES} invites are valid already; revoke one first")));
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| EventsError::Invalid("the system gives no random numbers".into()))?;
        let Terms { life_ms, uses, by_hand } = terms;
        let expires = now.saturating_add(life_ms);
        let invite = Invite {
            event: self.id,
            event_name: self.name(),
            host,
            addresses,
            id: InviteId::generate()?,
            secret,
            expires: UnixMillis(expires),
        };
        let link = invite.to_link()?;
        let issued = IssuedInvite { id: invite.id, secret, link, expires, uses_left: uses, uses, life_ms, by_hand, by };
        let shown = self.shown(&issued, now);
        self.invites.push(issued);
        Ok(shown)
    }

    /// Makes an invite useless, with the code that stands for it.
    pub(super) fn revoke(&mut self, invite: &InviteId) -> Result<(), EventsError> {
        let before = self.invites.len();
        self.invites.retain(|known| known.id != *invite);
        self.code.take_if(|code| code.invite == *invite);
        if self.invites.len() == before { Err(EventsError::NotFound) } else { Ok(()) }
    }

    /// Has an invite, or all, go at once, with the code that stands for it and those who wait with it. Gives how many waited.
    fn withdraw_leaked(&mut self, leaked: Option<&InviteId>) -> usize {
        let is_leaked = |invite: &InviteId| leaked.is_none_or(|leaked| leaked == invite);
        self.invites.retain(|invite| !is_leaked(&invite.id));
        self.code.take_if(|code| is_leaked(&code.invite));
        let before = self.waiting.len();
        let declined = &mut self.declined;
        self.waiting.retain(|waiting| {
            let goes = is_leaked(&waiting.request.invite);
            if goes {
                // They hear that they are declined, and not that there is no such invite, which they would take for a mistake.
                declined.insert(waiting.request.member.member_id());
            }
            !goes
        });
        before - self.waiting.len()
    }
}

impl Events {
    /// Issues an invite; host only.
    ///
    /// # Errors
    /// When this node is not the host, too many are valid, or the vault fails.
    pub fn issue_invite(
        &self,
        event: &EventId,
        addresses: Vec<String>,
        terms: Terms,
    ) -> Result<IssuedLink, EventsError> {
        self.change(event, |entry| entry.issue(self.me.clone(), addresses, terms, None, now_ms()))
    }

    /// Invites of an event, the oldest first: those that are valid, or with `all` those as well by which somebody came or waits to come.
    #[must_use]
    pub fn invites(&self, event: &EventId, all: bool) -> Option<Vec<IssuedLink>> {
        let now = now_ms();
        let is_listed = |link: &IssuedLink| link.open || all && (!link.joined.is_empty() || link.waiting > 0);
        let list =
            |entry: &Entry| entry.invites.iter().map(|invite| entry.shown(invite, now)).filter(is_listed).collect();
        self.read(event, list)
    }

    /// One invite, as long as it is kept.
    #[must_use]
    pub fn invite(&self, event: &EventId, invite: &InviteId) -> Option<IssuedLink> {
        let now = now_ms();
        let one = |entry: &Entry| {
            let known = entry.invites.iter().find(|known| known.id == *invite)?;
            Some(entry.shown(known, now))
        };
        self.read(event, one).flatten()
    }

    /// Makes an invite useless.
    ///
    /// # Errors
    /// When there is none or the vault fails.
    pub fn revoke_invite(&self, event: &EventId, invite: &InviteId) -> Result<(), EventsError> {
        self.change(event, |entry| entry.revoke(invite))
    }

    /// An invite leaked, or any may have: in one change it is withdrawn, those who wait with it are declined, those of `remove` who came by it are
    /// removed, everybody who stays gets new keys, and a fresh invite of the same kind is made (of the kind of the newest, if it was any); host only.
    ///
    /// # Errors
    /// When this node is not the host, there is no such invite, somebody is to be removed who did not come by it, or the vault fails. Nothing has
    /// changed then.
    pub fn replace_leaked(
        &self,
        event: &EventId,
        leaked: Option<&InviteId>,
        remove: &[MemberId],
        addresses: Vec<String>,
        otherwise: Terms,
    ) -> Result<Replaced, EventsError> {
        let now = now_ms();
        let (replaced, entries) = self.change(event, |entry| {
            if entry.event_key.is_none() {
                return Err(EventsError::NotHost);
            }
            let newest = entry.invites.iter().rfind(|invite| leaked.is_none_or(|leaked| invite.id == *leaked));
            if newest.is_none() && leaked.is_some() {
                return Err(EventsError::NotFound);
            }
            let terms = newest.map_or(otherwise, |invite| Terms {
                life_ms: invite.life_ms,
                uses: invite.uses,
                by_hand: invite.by_hand,
            });
            let removed = remove
                .iter()
                .map(|member| entry.removable(member, leaked))
                .collect::<Result<Vec<(MemberId, NodeId, String)>, _>>()?;
            let declined = entry.withdraw_leaked(leaked);
            let gone: Vec<MemberId> = removed.iter().map(|(member, ..)| *member).collect();
            let entries = entry.remove_or_rotate(&gone, now)?;
            for (_, node, _) in &removed {
                entry.forget_node(node);
            }
            let fresh = entry.issue(self.me.clone(), addresses, terms, None, now)?;
            let removed = removed.into_iter().map(|(.., nickname)| nickname).collect();
            Ok((Replaced { fresh, removed, declined }, entries))
        })?;
        self.tell_others(*event, Vec::new(), entries);
        Ok(replaced)
    }
}

impl Entry {
    /// A member who may go with a leaked invite: one who came by it, or by any if all leaked.
    fn removable(
        &self,
        member: &MemberId,
        leaked: Option<&InviteId>,
    ) -> Result<(MemberId, NodeId, String), EventsError> {
        let known = self.state.roster().member(member).ok_or(EventsError::NotFound)?;
        let came_by = known.invite.is_some_and(|invite| leaked.is_none_or(|leaked| invite == *leaked));
        if known.role == Role::Host || !came_by {
            let who = self.nickname(member).unwrap_or_default();
            return Err(EventsError::Invalid(format!(
                "{who} did not come in by this invite; remove them by themselves"
            )));
        }
        Ok((*member, known.node.clone(), self.nickname(member).unwrap_or_default()))
    }
}
