//! The invite that rides in the link to a guest page, so that one printed code is for guests and for members.

use inframe_protocol::EventId;
use inframe_protocol::invite::Invite;

use super::super::events::{event_id, invalid};
use super::super::invites::terms_of;
use super::super::{Answer, Node};
use super::{hosted, page_view};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::events::EventsError;
use crate::guest::{StoredMembersInvite, StoredPage};
use crate::views::{GuestMembersBody, GuestMembersView, GuestPageView};
use crate::workers::{Core, events as events_worker};

/// Uses of the invite if none are given.
const USES: u32 = 10;
/// Straight addresses in a printed code: each makes it denser, and whoever scans it stands in the same network.
const MOST_STRAIGHT: usize = 3;

impl Node {
    /// Lets members join with the link of the guest page as well: makes an invite for it, in place of the one before, which is withdrawn.
    ///
    /// # Errors
    /// When this node is not the host or a bound is not kept.
    pub async fn let_members_join(&self, event: String, wish: GuestMembersBody) -> Answer<GuestPageView> {
        let id = event_id(&event)?;
        let terms = terms_of(wish.expires_in_s, wish.uses.unwrap_or(USES), wish.by_hand.unwrap_or(true))?;
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            let fresh = core.events.issue_invite(&id, events_worker::told_addresses(core), terms)?;
            withdraw(core, &id, &page)?;
            let members = Some(StoredMembersInvite { id: fresh.id, expires: fresh.expires });
            let page = StoredPage { members, ..page };
            core.guests.put_page(&id, page.clone())?;
            let name = core.events.name(&id);
            let text = format!("You let members join {name} with the code of its guest page.");
            core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            page_view(core, &id, &page)
        })
        .await
    }

    /// Has the link of the guest page be for guests alone again; the invite in links that are printed already is withdrawn.
    ///
    /// # Errors
    /// When this node is not the host.
    pub async fn let_no_members_join(&self, event: String) -> Answer<GuestPageView> {
        let id = event_id(&event)?;
        self.blocking(move |core| {
            let page = hosted(core, &id)?;
            withdraw(core, &id, &page)?;
            let page = StoredPage { members: None, ..page };
            core.guests.put_page(&id, page.clone())?;
            let name = core.events.name(&id);
            let text = format!("The code of the guest page of {name} is for guests alone.");
            core.activity.note(ActivityKind::Consent, text, None, Some(id.to_string()))?;
            page_view(core, &id, &page)
        })
        .await
    }
}

/// What was printed with the invite before lets nobody join any more.
pub(super) fn withdraw(core: &Core, event: &EventId, page: &StoredPage) -> Answer<()> {
    match page.members.map(|members| core.events.revoke_invite(event, &members.id)) {
        None | Some(Ok(()) | Err(EventsError::NotFound)) => Ok(()),
        Some(Err(error)) => Err(error.into()),
    }
}

/// How the invite of a page stands.
pub(super) fn members_view(core: &Core, event: &EventId, page: &StoredPage) -> Option<GuestMembersView> {
    let members = page.members?;
    let invite = core.events.invite(event, &members.id);
    let state = match &invite {
        Some(invite) if invite.open => "open",
        _ if members.expires <= now_ms() => "expired",
        Some(_) => "used",
        None => "withdrawn",
    };
    Some(GuestMembersView {
        invite: members.id.to_string(),
        state: state.to_owned(),
        expires_at: members.expires,
        uses_left: invite.as_ref().map_or(0, |invite| invite.uses_left),
        by_hand: invite.as_ref().is_none_or(|invite| invite.by_hand),
    })
}

/// What the links of a page carry for members, while its invite can be used: where this device is now, not where it was when the invite was made.
pub(super) fn members_part(core: &Core, event: &EventId, page: &StoredPage) -> Answer<Option<String>> {
    let invite = page.members.and_then(|members| core.events.invite(event, &members.id));
    let Some(invite) = invite.filter(|invite| invite.open) else { return Ok(None) };
    let damaged = |error: inframe_protocol::invite::InviteError| invalid("bad-invite", error.to_string());
    let invite = Invite::parse(&invite.link).map_err(damaged)?;
    let invite = Invite { addresses: few(events_worker::told_addresses(core)), ..invite };
    invite.to_web_part().map(Some).map_err(damaged)
}

/// The addresses that are worth their place in a printed code: none of this machine itself unless there is no other, and one through a relay.
fn few(addresses: Vec<String>) -> Vec<String> {
    let (relayed, mut straight): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.ends_with("/p2p-circuit"));
    let is_loopback = |address: &String| address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/");
    if !relayed.is_empty() || straight.iter().any(|address| !is_loopback(address)) {
        straight.retain(|address| !is_loopback(address));
    }
    straight.into_iter().take(MOST_STRAIGHT).chain(relayed.into_iter().take(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn a_printed_code_has_few_addresses_and_none_of_use_to_nobody() {
        let at = |ip: &str| format!("/ip4/{ip}/tcp/7412/p2p/x");
        let all = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let relayed = "/ip4/203.0.113.7/tcp/7413/p2p/y/p2p-circuit";
        let many =
            [at("10.0.0.1"), at("10.0.0.2"), at("10.0.0.3"), at("10.0.0.4"), relayed.to_owned(), at("127.0.0.1")];
        assert_eq!(few(many.to_vec()), all(&[&many[0], &many[1], &many[2], relayed]));
        assert_eq!(few(vec![at("127.0.0.1")]), [at("127.0.0.1")], "a test on one machine");
        assert_eq!(few(vec![at("10.0.0.1"), "/ip6/::1/tcp/7412/p2p/x".to_owned()]), [at("10.0.0.1")]);
        assert_eq!(few(vec![relayed.to_owned(), at("127.0.0.1")]), [relayed]);
    }
}
