//! Invites: made and shown, as links and as codes; withdrawn; and used, by whoever was sent one or told a code.

use inframe_protocol::code::JoinCode;
use inframe_protocol::deputy::{DeputyInvite, DeputyRequest};
use inframe_protocol::limits::{MAX_INVITE_LIFE_MS, MAX_INVITE_USES};
use inframe_protocol::{EventId, InviteId};

use super::events::{event_id, invalid, member_id};
use super::{Answer, Node, NodeError};
use crate::activity::ActivityKind;
use crate::events::{CodeDescription, IssuedLink, Terms};
use crate::views::{CodeBody, CodeView, EventView, InviteView, InvitedView, LeakBody, LeakView, NewInviteBody};
use crate::workers::{DeputyError, Job, codes, deputies, events as events_worker};

/// Life of an invite when none is given, seconds.
const INVITE_LIFE_S: u64 = 48 * 3600;
/// Longest life of an invite, seconds.
const MAX_INVITE_LIFE_S: u64 = MAX_INVITE_LIFE_MS / 1000;
/// Names in an activity entry; of more it tells the number.
const NAMES_TOLD: usize = 5;

impl Node {
    /// Joins with a pasted invite link, or with a code that somebody on this network shows.
    ///
    /// # Errors
    /// When the link is no valid invite, or the code leads to none.
    pub async fn join_event(&self, link: String) -> Answer<EventView> {
        let link = if JoinCode::is_meant_by(&link) { self.link_of_code(&link).await? } else { link };
        let id = self.blocking(move |core| Ok(core.events.begin_joining(&link)?)).await?;
        self.core.board.ring(Job::Events);
        self.show(id).await
    }

    async fn link_of_code(&self, typed: &str) -> Answer<String> {
        let code = JoinCode::parse(typed).map_err(|error| invalid("bad-code", error.to_string()))?;
        let found = codes::find(&self.core, &code).await;
        let invite = found.map_err(|error| match error {
            codes::SearchError::Own => invalid("own-code", error.to_string()),
            codes::SearchError::Alone => invalid("nobody-near", error.to_string()),
            codes::SearchError::NotHere => invalid("no-such-code", error.to_string()),
            codes::SearchError::Wrong(_) => invalid("wrong-code", error.to_string()),
            codes::SearchError::Ended => invalid("code-ended", error.to_string()),
        })?;
        invite.to_link().map_err(|error| invalid("bad-invite", error.to_string()))
    }

    /// Makes an invite, as host, or by way of the host's node as co-host.
    ///
    /// # Errors
    /// When this node is neither, a bound is not kept, or a co-host's host is away.
    pub async fn create_invite(&self, event: String, wish: NewInviteBody) -> Answer<InviteView> {
        let id = event_id(&event)?;
        let by_hand = wish.by_hand.unwrap_or_default();
        let terms = terms_of(wish.expires_in_s, wish.uses.unwrap_or(1), by_hand)?;
        // How those are let in who come by it is the host's to say.
        let request = DeputyRequest::Invite { event: id, uses: terms.uses, life_ms: terms.life_ms };
        if !by_hand && let Some(made) = deputies::invites(&self.core, request).await? {
            return co_hosts_invite_view(made.into_iter().next().ok_or(DeputyError::NoInvite)?);
        }
        let addresses = events_worker::told_addresses(&self.core);
        self.blocking(move |core| invite_view(core.events.issue_invite(&id, addresses, terms)?, None)).await
    }

    /// Invites of an event: valid ones, or with `all` those as well by which somebody came or waits to come. For a co-host those that they asked for
    /// and that can be used.
    ///
    /// # Errors
    /// When there is no such event, or a co-host's host is away.
    pub async fn invites(&self, event: String, all: bool) -> Answer<Vec<InviteView>> {
        let id = event_id(&event)?;
        if let Some(mine) = deputies::invites(&self.core, DeputyRequest::Invites { event: id }).await? {
            return mine.into_iter().map(co_hosts_invite_view).collect();
        }
        let links = self.core.events.invites(&id, all).ok_or(NodeError::NotFound("event"))?;
        let poster = self.core.guests.page(&id).and_then(|page| page.members).map(|members| members.id);
        links.into_iter().map(|link| invite_view(link, poster)).collect()
    }

    /// Makes an invite useless; a co-host one that they asked for.
    ///
    /// # Errors
    /// When there is none with that id, or a co-host's host is away.
    pub async fn revoke_invite(&self, event: String, invite: String) -> Answer<()> {
        let id = event_id(&event)?;
        let invite = invite_id(&invite)?;
        if deputies::wish(&self.core, DeputyRequest::Withdraw { event: id, invite }).await? {
            return Ok(());
        }
        self.blocking(move |core| Ok(core.events.revoke_invite(&id, &invite)?)).await
    }

    /// An invite leaked, or any may have: withdraws it, declines those who wait with it, removes those who are named, gives everybody else new keys,
    /// and makes a fresh invite of the same kind.
    ///
    /// # Errors
    /// When this node is not the host, there is no such invite or member, or a member did not come by it.
    pub async fn replace_leaked(&self, event: String, wish: LeakBody) -> Answer<LeakView> {
        let id = event_id(&event)?;
        let leaked = wish.invite.as_deref().map(invite_id).transpose()?;
        let remove = wish.remove.iter().map(|member| member_id(member)).collect::<Answer<Vec<_>>>()?;
        let addresses = events_worker::told_addresses(&self.core);
        let replaced = self
            .blocking(move |core| {
                let otherwise = Terms { life_ms: INVITE_LIFE_S * 1000, uses: 1, by_hand: false };
                let replaced = core.events.replace_leaked(&id, leaked.as_ref(), &remove, addresses, otherwise)?;
                let (which, it) = if leaked.is_some() { ("An invite", "it") } else { ("The invites", "them") };
                let name = core.events.name(&id);
                let (removed, declined) = (named(&replaced.removed), replaced.declined);
                let text = format!(
                    "{which} to {name} leaked: you withdrew {it}, removed {removed}, declined {declined} who waited, and gave the members new keys.",
                );
                core.activity.note(ActivityKind::Member, text, None, Some(id.to_string()))?;
                Ok(replaced)
            })
            .await?;
        self.core.board.ring(Job::Events);
        self.core.board.ring(Job::Matching);
        Ok(LeakView {
            event: self.show(id).await?,
            removed: replaced.removed,
            declined: replaced.declined as u64,
            invite: invite_view(replaced.fresh, None)?,
        })
    }

    /// Shows a fresh code for an invite.
    ///
    /// # Errors
    /// When this node is not the host, or the invite can be used no more.
    pub async fn show_code(&self, event: String, wish: CodeBody) -> Answer<EventView> {
        let (id, invite) = (event_id(&event)?, invite_id(&wish.invite)?);
        self.blocking(move |core| Ok(core.events.show_code(&id, &invite)?)).await?;
        self.show(id).await
    }

    /// Stops showing the code of an event, or why it has ended.
    ///
    /// # Errors
    /// When there is none.
    pub async fn stop_code(&self, event: String) -> Answer<EventView> {
        let id: EventId = event_id(&event)?;
        self.blocking(move |core| Ok(core.events.stop_code(&id)?)).await?;
        self.show(id).await
    }
}

fn invite_id(text: &str) -> Answer<InviteId> {
    text.parse().map_err(|_| NodeError::NotFound("invite"))
}

/// Names for a sentence.
fn named(names: &[String]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [all @ .., last] if names.len() <= NAMES_TOLD => format!("{} and {last}", all.join(", ")),
        _ => format!("{} members", names.len()),
    }
}

/// What an invite is good for, within its bounds.
pub(super) fn terms_of(expires_in_s: Option<u64>, uses: u32, by_hand: bool) -> Answer<Terms> {
    let life = expires_in_s.unwrap_or(INVITE_LIFE_S);
    if !(1..=MAX_INVITE_LIFE_S).contains(&life) {
        return Err(invalid("bad-expiry", "an invite lives between one second and 90 days"));
    }
    if !(1..=MAX_INVITE_USES).contains(&uses) {
        return Err(invalid("bad-uses", "an invite can be used between once and 500 times"));
    }
    Ok(Terms { life_ms: life.saturating_mul(1000), uses, by_hand })
}

/// A QR code on a screen, as an SVG.
fn qr_svg(text: &str) -> Answer<String> {
    qr_of(text, qrcode::EcLevel::L)
}

/// A QR code that is printed, as an SVG: it bears a fold or a stain over 15 % of it, where one on a screen need not.
pub(super) fn printed_qr_svg(text: &str) -> Answer<String> {
    qr_of(text, qrcode::EcLevel::M)
}

fn qr_of(text: &str, level: qrcode::EcLevel) -> Answer<String> {
    let code = qrcode::QrCode::with_error_correction_level(text.as_bytes(), level)
        .map_err(|_| NodeError::Internal("the link is too long for a QR code; listen at fewer addresses".into()))?;
    Ok(code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(240, 240).build())
}

/// An invite, and whether it is the one in the link of the guest page.
fn invite_view(link: IssuedLink, poster: Option<InviteId>) -> Answer<InviteView> {
    let qr_svg = qr_svg(&link.link)?;
    Ok(InviteView {
        id: link.id.to_string(),
        link: link.link,
        qr_svg,
        expires_at: link.expires,
        uses_left: link.uses_left,
        uses: link.uses,
        open: link.open,
        by_hand: link.by_hand,
        by: link.by.map(|(_, nickname)| nickname),
        poster: poster == Some(link.id),
        joined: link.joined.into_iter().map(|(id, nickname)| InvitedView { id: id.to_string(), nickname }).collect(),
        waiting: link.waiting as u64,
    })
}

/// An invite that the host's node made for this one.
fn co_hosts_invite_view(made: DeputyInvite) -> Answer<InviteView> {
    let link = made.invite.to_link().map_err(|error| invalid("bad-invite", error.to_string()))?;
    Ok(InviteView {
        id: made.invite.id.to_string(),
        qr_svg: qr_svg(&link)?,
        link,
        expires_at: made.invite.expires.0,
        uses_left: made.uses_left,
        uses: made.uses,
        open: true,
        by_hand: false,
        by: None,
        poster: false,
        joined: Vec::new(),
        waiting: 0,
    })
}

pub(super) fn code_view(code: CodeDescription) -> CodeView {
    CodeView {
        code: code.code.map(|code| code.to_string()),
        invite: code.invite.to_string(),
        state: code.state.word().into(),
        ends_at: code.until,
        guesses_left: code.guesses_left.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn names_are_told_as_a_sentence_needs_them_and_many_are_counted() {
        let names =
            |count: usize| ["Ann", "Bob", "Zoë", "Max", "Ben", "Eve"][..count].iter().map(|name| (*name).to_owned());
        let told: Vec<String> = (0..=6).map(|count| named(&names(count).collect::<Vec<_>>())).collect();
        assert_eq!(told[..4], ["nobody", "Ann", "Ann and Bob", "Ann, Bob and Zoë"]);
        assert_eq!(told[6], "6 members");
    }
}
