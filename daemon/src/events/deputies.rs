//! Co-hosts: whom the host has made one, what they may see and do, and whom a co-host asks.

use inframe_protocol::deputy::WaitingJoin;
use inframe_protocol::limits::MAX_DEPUTY_INVITES;
use inframe_protocol::roster::{Role, RosterWriter};
use inframe_protocol::{EventId, InviteId, MemberId, NodeId, UnixMillis};

use super::description::WaitingDescription;
use super::entry::MyRole;
use super::words::words;
use super::{Events, EventsError, IssuedLink, Terms};
use crate::clock::now_ms;

impl Events {
    /// Makes a member a co-host, or a plain member again; host only.
    ///
    /// # Errors
    /// When this node is not the host, the member is the host or gone, or the vault fails.
    pub fn set_co_host(&self, event: &EventId, member: &MemberId, is_one: bool) -> Result<(), EventsError> {
        let role = if is_one { Role::CoHost } else { Role::Member };
        let entries = self.change(event, |entry| {
            let key = entry.event_key.as_ref().ok_or(EventsError::NotHost)?;
            let now = entry.state.roster().member(member).ok_or(EventsError::NotFound)?.role;
            if now == role {
                return Ok(Vec::new());
            }
            let signed =
                RosterWriter::new(key, entry.state.roster())?.change_role(member, role, UnixMillis(now_ms()))?;
            entry.state.apply_roster(&signed)?;
            // R73: void for good, also should they be a co-host once more. They stay listed with who came by them.
            let theirs = entry.invites.iter_mut().filter(|invite| invite.by == Some(*member) && !is_one);
            theirs.for_each(|invite| invite.uses_left = 0);
            Ok(vec![signed])
        })?;
        if !entries.is_empty() {
            self.tell_others(*event, Vec::new(), entries);
        }
        Ok(())
    }

    /// Nodes of the co-hosts of my event.
    #[must_use]
    pub fn co_hosts(&self, event: &EventId) -> Vec<NodeId> {
        let of_mine = self.read(event, |entry| {
            let mine = entry.event_key.is_some();
            let co_hosts = entry.state.members().filter(|member| mine && member.role == Role::CoHost);
            co_hosts.map(|member| member.node.clone()).collect()
        });
        of_mine.unwrap_or_default()
    }

    /// The host's node of an event in which I am co-host.
    #[must_use]
    pub fn host_for_co_host(&self, event: &EventId) -> Option<NodeId> {
        let host = self.read(event, |entry| {
            let host = entry.state.roster().host().map(|host| host.node.clone());
            host.filter(|_| entry.role() == MyRole::CoHost)
        });
        host.flatten()
    }

    /// R71: who waits, for a co-host of my event; nothing for anybody else.
    #[must_use]
    pub fn waiting_for(&self, event: &EventId, co_host: &NodeId) -> Option<Vec<WaitingJoin>> {
        let waiting = self.read(event, |entry| {
            entry.event_key.as_ref()?;
            entry.state.co_host_by_node(co_host)?;
            let waiting = entry.waiting.iter().map(|one| WaitingJoin {
                member: one.request.member,
                node: one.node.clone(),
                nickname: one.request.nickname.clone(),
                at: UnixMillis(one.at),
            });
            Some(waiting.collect())
        });
        waiting.flatten()
    }

    /// R73: makes an invite of this node's for a co-host of my event.
    ///
    /// # Errors
    /// When nobody of this node is a co-host ([`EventsError::NotFound`]), they have as many as they may, or the vault fails.
    pub fn issue_invite_for(
        &self,
        event: &EventId,
        co_host: &NodeId,
        addresses: Vec<String>,
        terms: Terms,
    ) -> Result<IssuedLink, EventsError> {
        let now = now_ms();
        self.change(event, |entry| {
            let by = entry.state.co_host_by_node(co_host).ok_or(EventsError::NotFound)?.id();
            let theirs = entry.invites.iter().filter(|invite| invite.by == Some(by) && entry.is_usable(invite, now));
            if theirs.count() >= MAX_DEPUTY_INVITES {
                return Err(EventsError::Invalid(format!("a co-host has {MAX_DEPUTY_INVITES} invites at most")));
            }
            entry.issue(self.me.clone(), addresses, terms, Some(by), now)
        })
    }

    /// R73: the invites that a co-host of my event asked for and that can be used, the oldest first.
    #[must_use]
    pub fn invites_of_co_host(&self, event: &EventId, co_host: &NodeId) -> Vec<IssuedLink> {
        let now = now_ms();
        let theirs = self.read(event, |entry| {
            let by = entry.state.co_host_by_node(co_host)?.id();
            let theirs = entry.invites.iter().filter(|invite| invite.by == Some(by) && entry.is_usable(invite, now));
            Some(theirs.map(|invite| entry.shown(invite, now)).collect())
        });
        theirs.flatten().unwrap_or_default()
    }

    /// R73: withdraws an invite that this co-host of my event asked for.
    ///
    /// # Errors
    /// When they are no co-host or did not ask for it ([`EventsError::NotFound`]), or the vault fails.
    pub fn withdraw_for(&self, event: &EventId, co_host: &NodeId, invite: &InviteId) -> Result<(), EventsError> {
        self.change(event, |entry| {
            let by = entry.state.co_host_by_node(co_host).map(inframe_protocol::roster::Member::id);
            let is_theirs =
                entry.invites.iter().any(|known| known.id == *invite && known.by.is_some() && known.by == by);
            if is_theirs { entry.revoke(invite) } else { Err(EventsError::NotFound) }
        })
    }

    /// R73: whether a co-host of my event may remove this member.
    #[must_use]
    pub fn is_for_co_hosts_to_remove(&self, event: &EventId, member: &MemberId) -> bool {
        self.read(event, |entry| entry.state.is_for_co_hosts_to_remove(member)).unwrap_or(false)
    }

    /// Somebody who waits at the host, as their co-host sees them.
    #[must_use]
    pub fn seen_by_co_host(&self, event: &EventId, host: &NodeId, one: &WaitingJoin) -> WaitingDescription {
        WaitingDescription {
            id: one.member.member_id(),
            nickname: one.nickname.clone(),
            at: one.at.0,
            verification: words(*event, host, &one.member, &one.node),
        }
    }
}
