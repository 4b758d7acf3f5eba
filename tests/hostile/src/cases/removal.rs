//! Removal is real: what somebody who was removed still gets, with all keys saved.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use inframe_protocol::{
    fetch::{FetchReply, FetchRequest},
    invite::Invite,
    join::{JoinRefusal, JoinReply, JoinRequest},
    keys::EpochGrant,
    limits::GROUP_BYTES,
    record::{Received, RecordBody},
    roster::Roster,
};
use inframe_tests::wait::{Seen, wait_until};
use libp2p::PeerId;

use super::{
    asking::{claimed, not_found},
    records::grant_of,
};
use crate::{
    case::Pace,
    field::Field,
    forge::gossip,
    member::{Member, ask_to_join, now},
    peer::{FETCH, GOSSIP, JOIN, OFFER, PUSH, Peer, SYNC},
    wire::ANSWER,
};

/// Long enough for gossip, which is passed on at once and again every second.
const GOSSIPED: Duration = Duration::from_secs(4);

pub(super) async fn remove(field: &Field, member: &Member) -> Result<()> {
    let id = member.keys.member_id();
    field.api().remove_member(&field.event, &id.to_string()).await?;
    let Some(friend) = &field.friend else { return Ok(()) };
    wait_until("the removal at the second daemon", ANSWER, async || {
        let members = friend.api().event(&field.event).await?.members;
        let gone = members.iter().all(|member| member.id != id.to_string());
        Ok(Seen::when(gone.then_some(()), || format!("{members:?}")))
    })
    .await
}

/// Whoever is no member may open none of these. That they may ask to join shows that they are heard.
async fn is_shut_out(peer: &Peer, daemon: PeerId, who: &str) -> Result<()> {
    peer.open(daemon, JOIN).await.with_context(|| format!("{who} is not heard at all"))?;
    for protocol in [SYNC, PUSH, OFFER, FETCH] {
        ensure!(peer.open(daemon, protocol).await.is_err(), "{who} may still speak {protocol}");
    }
    Ok(())
}

/// Follows the topic of a grant and hears whether gossip brings what the daemon's owner says then.
async fn hears_the_owner(field: &Field, peer: &Peer, daemon: PeerId, grant: &EpochGrant, name: &str) -> Result<bool> {
    let mut heard = peer.hear_gossip();
    peer.open_untaken(daemon, GOSSIP).await?.raw(&gossip::subscribe([grant.topic_name()])).await?;
    // Who has just come is given what is said from the next heartbeat on.
    tokio::time::sleep(GOSSIPED).await;
    field.api().rename(name).await?;
    let mut gossiped = Vec::new();
    let _ = tokio::time::timeout(GOSSIPED, async {
        while let Some(piece) = heard.recv().await {
            gossiped.extend(piece);
        }
    })
    .await;
    let mut honest = field.honest.lock().await;
    honest.sync().await?;
    let owner = honest.state.member_by_node(&field.node).context("no such member")?.id();
    let profile = honest.state.profile(&owner).context("the owner has no profile")?;
    ensure!(profile.nickname == name, "the owner is called {}", profile.nickname);
    let newest = honest.state.records().filter(|(author, _)| *author == owner).max().context("nothing is said")?.1;
    let said = honest.state.record(&owner, newest).context("no such record")?;
    Ok(gossiped.windows(said.len()).any(|window| window == said))
}

/// 16: with the saved keys, on the old connection, on a new one, and at another member's daemon.
pub async fn with_saved_keys(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let offer = claimed(field, &mut member).await?;
    let old = grant_of(&member)?;
    ensure!(hears_the_owner(field, &member.peer, member.daemon, &old, "Before").await?, "a member hears no gossip");
    remove(field, &member).await?;
    is_shut_out(&member.peer, member.daemon, "a removed member on its old connection").await?;

    let Member { peer, keys, state, event, .. } = member;
    let seed = peer.seed();
    drop(peer);
    let peer = Peer::with_seed(seed).await?;
    let daemon = peer.connect(&field.addresses()?).await?;
    is_shut_out(&peer, daemon, "a removed member who comes back").await?;
    let friend = peer.connect(&field.friend()?.api().status().await?.addresses).await?;
    is_shut_out(&peer, friend, "a removed member at another daemon").await?;

    // It follows the topic that it knows, and waits for what is said.
    ensure!(!hears_the_owner(field, &peer, daemon, &old, "After").await?, "gossip brought a new record");
    let mut honest = field.honest.lock().await;
    honest.sync().await?;
    let said = honest.say(RecordBody::Profile { nickname: "Honest, later".to_owned(), addresses: Vec::new() }).await?;
    let roster: Roster = honest.state.roster().clone();
    drop(honest);
    let opened = Received::read(&said)?.verify(&roster, now())?.open(Some(&old));
    ensure!(opened.is_err(), "what is said after the removal opens with the old key");
    let member = Member { peer, keys, state, event, daemon };
    let request = FetchRequest { offer: offer.offer, content: offer.content, from_group: 0 };
    match member.ask_for(&request).await {
        Err(_) => {}
        Ok(answer) => ensure!(answer == not_found()?, "the photo that was offered is still there to be fetched"),
    }
    Ok("no stream but to join, at the host and at another member, on the old connection and anew; no record opens, no gossip comes, the offered photo is not there".to_owned())
}

/// 16: under a new peer id: with the old keys, and with new ones by the invite that let it in.
pub async fn under_a_new_id(field: &Field, _: Pace) -> Result<String> {
    // An invite for many that admits by itself: the worst to have given away.
    let link = field.api().invite(&field.event, None, Some(50)).await?.link;
    let member = Member::join(&link, "Mallory").await?;
    remove(field, &member).await?;
    let invite = Invite::parse(&link)?;
    let peer = Peer::start().await?;
    let daemon = peer.connect(&invite.addresses).await?;
    is_shut_out(&peer, daemon, "somebody removed, under a new id,").await?;
    let old_keys = JoinRequest::new(&invite, &peer.node()?, &member.keys.public(), "Mallory", Vec::new());
    let reply = ask_to_join(&peer, daemon, &old_keys).await?;
    ensure!(reply == JoinReply::Refused(JoinRefusal::UnknownInvite), "the old keys got {reply:?}");
    let again = Member::join_as(peer, &link, "Somebody new").await.err().context("the invite still lets them in")?;
    ensure!(again.to_string().contains("UnknownInvite"), "{again:#}");
    // Nobody new is a member.
    let members = field.api().event(&field.event).await?.members.len();
    ensure!(members == 2, "{members} members");
    Ok("the invite that let it in is gone with it: neither the old keys nor new ones get in under another id"
        .to_owned())
}

/// 16: removed in the middle of a photo.
pub async fn in_the_middle(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let offer = claimed(field, &mut member).await?;
    let mut wire = member.peer.open(member.daemon, FETCH).await?;
    wire.send(&FetchRequest { offer: offer.offer, content: offer.content, from_group: 0 }).await?;
    let reply: FetchReply = wire.message().await?;
    ensure!(matches!(reply, FetchReply::Ready { .. }), "an accepted offer is not there");
    remove(field, &member).await?;
    let came = wire.rest(usize::MAX, Duration::from_secs(60)).await?.len() as u64;
    ensure!(came < offer.size_bytes, "all {came} bytes came, though their receiver was removed before");
    Ok(format!(
        "{} of {} groups were under way and came, no more",
        came.div_ceil(GROUP_BYTES),
        offer.size_bytes.div_ceil(GROUP_BYTES)
    ))
}
