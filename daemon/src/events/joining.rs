//! Admission: both sides of joining an event.

use inframe_protocol::invite::Invite;
use inframe_protocol::join::{JoinRefusal, JoinReply, JoinRequest};
use inframe_protocol::keys::MemberKeys;
use inframe_protocol::limits::{MAX_MEMBERS, MAX_WAITING};
use inframe_protocol::roster::{Joining as Newcomer, RosterWriter, SignedRosterEntry};
use inframe_protocol::{EventId, MemberId, NodeId, UnixMillis};

use super::entry::Entry;
use super::stored::{Joining, Takes, WaitingAdmission};
use super::{Events, EventsError, MAX_EVENTS};
use crate::clock::now_ms;
use crate::live::What;

impl Events {
    /// Takes a pasted link: from now on this node asks the host to be admitted. Of the link of a guest page the invite alone is kept.
    ///
    /// # Errors
    /// When the link is no valid invite, or this node is in the event already.
    pub fn begin_joining(&self, link: &str) -> Result<EventId, EventsError> {
        let invite = Invite::parse(link)?;
        invite.check_expiry(UnixMillis(now_ms()))?;
        if invite.host == self.me {
            return Err(EventsError::Invalid("this is an invite to your own event; send it to somebody else".into()));
        }
        let joining = Joining { link: invite.to_link()?, problem: None, at: now_ms() };
        let known = self.read(&invite.event, |entry| (entry.is_admitted(), entry.joining.is_some()));
        match known {
            Some((true, _)) => return Err(EventsError::Invalid("you are a member of this event already".into())),
            Some((false, _)) => {
                self.change(&invite.event, |entry| {
                    entry.joining = Some(joining);
                    Ok(())
                })?;
            }
            None => {
                if self.entries().len() >= MAX_EVENTS {
                    return Err(EventsError::Invalid(format!("{MAX_EVENTS} events are the most; leave one first")));
                }
                let keys = MemberKeys::generate()?;
                let mut entry = Entry::new(invite.event, keys, invite.event_name.clone(), Takes::All);
                entry.joining = Some(joining);
                entry.write(&self.vault)?;
                self.entries().insert(invite.event, entry);
                self.live.tell(What::Events, Some(invite.event.to_string()));
            }
        }
        Ok(invite.event)
    }

    /// Requests to send now: each with its host and where to reach it.
    #[must_use]
    pub fn join_requests(&self, nickname: &str, addresses: &[String]) -> Vec<(EventId, Invite, JoinRequest)> {
        self.entries()
            .values()
            .filter(|entry| !entry.is_admitted())
            .filter_map(|entry| {
                let joining = entry.joining.as_ref().filter(|joining| joining.problem.is_none())?;
                let invite = Invite::parse(&joining.link).ok()?;
                let request = JoinRequest::new(&invite, &self.me, &entry.keys.public(), nickname, addresses.to_vec());
                Some((entry.id, invite, request))
            })
            .collect()
    }

    /// Ends my wish to join with a reason in words.
    ///
    /// # Errors
    /// When there is no such event or the vault fails.
    pub fn joining_failed(&self, event: &EventId, problem: String) -> Result<(), EventsError> {
        self.change(event, |entry| {
            if let Some(joining) = &mut entry.joining {
                joining.problem = Some(problem);
            }
            Ok(())
        })
    }

    /// Answers a request to join, as host.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn answer_join(&self, from: &NodeId, request: JoinRequest) -> Result<JoinReply, EventsError> {
        let now = now_ms();
        let event = request.event;
        let Some(verdict) = self.read(&event, |entry| self.judge_join(entry, from, &request, now)) else {
            return Ok(JoinReply::Refused(JoinRefusal::UnknownInvite));
        };
        if let Verdict::Reply(reply) = verdict {
            return Ok(reply);
        }
        // Judged again where it is written: two requests with the same invite may have come this far at once.
        let (reply, written) = self.change(&event, |entry| match self.judge_join(entry, from, &request, now) {
            Verdict::Reply(reply) => Ok((reply, Vec::new())),
            Verdict::Wait => {
                entry.waiting.push(WaitingAdmission { request, node: from.clone(), at: now });
                Ok((JoinReply::Waiting, Vec::new()))
            }
            Verdict::Admit => {
                let written = admit(entry, from, &request, now)?;
                Ok((JoinReply::admitted(entry.state.roster().entries()), written))
            }
        })?;
        if !written.is_empty() {
            self.tell_others(event, Vec::new(), written);
        }
        Ok(reply)
    }

    fn judge_join(&self, entry: &Entry, from: &NodeId, request: &JoinRequest, now: u64) -> Verdict {
        let refuse = |why| Verdict::Reply(JoinReply::Refused(why));
        let id = request.member.member_id();
        if entry.event_key.is_none() {
            return refuse(JoinRefusal::UnknownInvite);
        }
        if entry.state.roster().member(&id).is_some_and(|member| member.node == *from) {
            return Verdict::Reply(JoinReply::admitted(entry.state.roster().entries()));
        }
        if entry.declined.contains(&id) {
            return refuse(JoinRefusal::Declined);
        }
        if entry.waiting.iter().any(|waiting| waiting.request.member == request.member && waiting.node == *from) {
            return Verdict::Reply(JoinReply::Waiting);
        }
        let Some(invite) = entry.invites.iter().find(|invite| invite.id == request.invite) else {
            return refuse(JoinRefusal::UnknownInvite);
        };
        if request.verify_proof(&invite.secret, &self.me, from).is_err() {
            return refuse(JoinRefusal::WrongProof);
        }
        if entry.is_void(invite) {
            return refuse(JoinRefusal::UnknownInvite);
        }
        if invite.expires <= now {
            return refuse(JoinRefusal::Expired);
        }
        if invite.uses_left as usize <= entry.waiting_by(&invite.id) {
            return refuse(JoinRefusal::UsedUp);
        }
        if entry.state.roster().members().len() >= MAX_MEMBERS {
            return refuse(JoinRefusal::EventFull);
        }
        if entry.settings.admit_automatically && !invite.by_hand && !entry.removed_nodes.contains(from) {
            Verdict::Admit
        } else if entry.waiting.len() >= MAX_WAITING {
            refuse(JoinRefusal::Busy)
        } else {
            Verdict::Wait
        }
    }

    /// The host's decision on somebody who waits. Gives their node, which should hear of it at once.
    ///
    /// # Errors
    /// When this node is not the host, nobody of that id waits, or the vault fails.
    pub fn decide_admission(&self, event: &EventId, member: &MemberId, admitted: bool) -> Result<NodeId, EventsError> {
        let now = now_ms();
        let (node, written) = self.change(event, |entry| {
            if entry.event_key.is_none() {
                return Err(EventsError::NotHost);
            }
            let at = entry.waiting.iter().position(|waiting| waiting.request.member.member_id() == *member);
            let waiting = entry.waiting.remove(at.ok_or(EventsError::NotFound)?);
            if admitted {
                let written = admit(entry, &waiting.node, &waiting.request, now)?;
                Ok((waiting.node, written))
            } else {
                entry.declined.insert(*member);
                Ok((waiting.node, Vec::new()))
            }
        })?;
        if !written.is_empty() {
            self.tell_others(*event, Vec::new(), written);
        }
        Ok(node)
    }
}

enum Verdict {
    Reply(JoinReply),
    Wait,
    Admit,
}

/// Uses up the invite and writes the roster entry, in one change. Gives what was written.
fn admit(
    entry: &mut Entry,
    node: &NodeId,
    request: &JoinRequest,
    now: u64,
) -> Result<Vec<SignedRosterEntry>, EventsError> {
    let mut written = entry.make_room_for(node, now)?;
    let key = entry.event_key.as_ref().ok_or(EventsError::NotHost)?;
    let grant = entry.state.current_grant().ok_or(EventsError::NotAdmitted)?;
    let newcomer = Newcomer {
        member: request.member,
        node: node.clone(),
        nickname: request.nickname.clone(),
        invite: Some(request.invite),
    };
    let signed = RosterWriter::new(key, entry.state.roster())?.admit(grant, newcomer, UnixMillis(now))?;
    entry.state.apply_roster(&signed)?;
    if let Some(invite) = entry.invites.iter_mut().find(|invite| invite.id == request.invite) {
        invite.uses_left = invite.uses_left.saturating_sub(1);
    }
    written.push(signed);
    Ok(written)
}
