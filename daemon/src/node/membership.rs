//! Who comes, goes and stays in an event: admissions, removals, leaving, new keys.

use inframe_protocol::deputy::DeputyRequest;

use super::events::{event_id, member_id};
use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::views::EventView;
use crate::workers::{DeputyError, Job, deputies, events as events_worker, farewells};

impl Node {
    /// Admits or refuses somebody who waits, as host, or by way of the host's node as co-host.
    ///
    /// # Errors
    /// When this node is neither, nobody of that id waits, or a co-host's host is away.
    pub async fn admit(&self, event: String, member: String, admit: bool) -> Answer<EventView> {
        let (id, member) = (event_id(&event)?, member_id(&member)?);
        if deputies::wish(&self.core, DeputyRequest::Decide { event: id, member, admit }).await? {
            return self.show(id).await;
        }
        deputies::admit_as_host(&self.core, "You".into(), id, member, admit).await??;
        self.show(id).await
    }

    /// Makes a member a co-host, or a plain member again.
    ///
    /// # Errors
    /// When this node is not the host or there is no such member.
    pub async fn set_co_host(&self, event: String, member: String, is_one: bool) -> Answer<EventView> {
        let (id, member) = (event_id(&event)?, member_id(&member)?);
        self.blocking(move |core| {
            core.events.set_co_host(&id, &member, is_one)?;
            let (who, name) = (core.events.nickname(&id, &member), core.events.name(&id));
            let did = if is_one { "a co-host of" } else { "a member like others of" };
            let text = format!("You made {who} {did} {name}.");
            Ok(core.activity.note(ActivityKind::Member, text, None, Some(id.to_string()))?)
        })
        .await?;
        self.core.board.ring(Job::Events);
        self.show(id).await
    }

    /// Removes a member and begins a new epoch, as host, or by way of the host's node as co-host.
    ///
    /// # Errors
    /// When this node is neither, there is no such member, a co-host may not remove them, or their host is away.
    pub async fn remove_member(&self, event: String, member: String) -> Answer<EventView> {
        let (id, member) = (event_id(&event)?, member_id(&member)?);
        if deputies::wish(&self.core, DeputyRequest::Remove { event: id, member }).await? {
            return self.show(id).await;
        }
        deputies::remove_as_host(&self.core, "You".into(), id, member).await??;
        self.show(id).await
    }

    /// Gives every member new keys.
    ///
    /// # Errors
    /// When this node is not the host or there is no such event.
    pub async fn renew_keys(&self, event: String) -> Answer<EventView> {
        let id = event_id(&event)?;
        self.blocking(move |core| {
            core.events.renew_keys(&id)?;
            let text = format!("You gave the members of {} new keys.", core.events.name(&id));
            Ok(core.activity.note(ActivityKind::Member, text, None, Some(id.to_string()))?)
        })
        .await?;
        self.core.board.ring(Job::Events);
        self.show(id).await
    }

    /// Leaves an event: it is forgotten here, and the others are told, those who are away as soon as they come.
    ///
    /// # Errors
    /// When there is none with that id.
    pub async fn leave_event(&self, id: String) -> Answer<()> {
        let id = event_id(&id)?;
        self.blocking(move |core| {
            let name = core.events.describe(&id, now_ms()).ok_or(NodeError::NotFound("event"))?.name;
            core.events.leave(&id)?;
            Ok(core.activity.note(ActivityKind::Member, format!("You left {name}."), None, Some(id.to_string()))?)
        })
        .await?;
        events_worker::tell_others(&self.core).await;
        farewells::say(&self.core).await;
        self.core.board.ring(Job::Matching);
        self.core.board.ring(Job::Events);
        Ok(())
    }
}

impl From<DeputyError> for NodeError {
    fn from(error: DeputyError) -> Self {
        let code = match error {
            DeputyError::HostAway => "host-away",
            DeputyError::Refused | DeputyError::NoInvite => "not-done",
            DeputyError::NoAnswer(_) => "no-answer",
        };
        Self::Conflict(code, error.to_string())
    }
}
