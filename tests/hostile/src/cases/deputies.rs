//! Members who decide what is not theirs to decide.

use anyhow::{Context as _, Result, ensure};
use inframe_protocol::{
    EventId,
    deputy::{DeputyReply, DeputyRequest},
    invite::Invite,
    join::{JoinRefusal, JoinReply, JoinRequest},
    keys::MemberKeys,
    limits::MAX_DEPUTIES_A_MINUTE,
};
use inframe_tests::{
    scene::SOON,
    views::EventPatch,
    wait::{Seen, wait_until},
};

use crate::{
    case::Pace,
    field::Field,
    member::{Member, ask_to_join},
    peer::{DEPUTY, Peer, random},
};

async fn ask(member: &Member, request: &DeputyRequest) -> Result<DeputyReply> {
    let mut wire = member.peer.open(member.daemon, DEPUTY).await?;
    wire.send(request).await?;
    wire.message().await
}

async fn members(field: &Field) -> Result<usize> {
    Ok(field.api().event(&field.event).await?.members.len())
}

/// 33: decides who comes and goes without being a co-host; then as one, over the host and over nobody.
pub async fn pretends(field: &Field, pace: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let honest = field.honest.lock().await.keys.member_id();
    // From here on people wait, so that there is somebody to decide on.
    let by_hand = EventPatch { admit_automatically: Some(false), ..EventPatch::default() };
    field.api().patch_event(&field.event, &by_hand).await?;
    let invite = Invite::parse(&field.link)?;
    let (stranger, keys) = (Peer::start().await?, MemberKeys::generate()?.public());
    let daemon = stranger.connect(&invite.addresses).await?;
    let knock = JoinRequest::new(&invite, &stranger.node()?, &keys, "Newcomer", Vec::new());
    let reply = ask_to_join(&stranger, daemon, &knock).await?;
    ensure!(reply == JoinReply::Waiting, "the newcomer was answered by {reply:?}");

    let (event, before) = (member.event, members(field).await?);
    let admit = DeputyRequest::Decide { event, member: keys.member_id(), admit: true };
    let remove = |member| DeputyRequest::Remove { event, member };
    let wish = DeputyRequest::Invite { event, uses: 5, life_ms: 3_600_000 };
    let hosts = DeputyRequest::Withdraw { event, invite: invite.id };
    let elsewhere = DeputyRequest::Waiting { event: EventId(random()?) };
    let changed = DeputyRequest::Changed { event };
    let list = DeputyRequest::Invites { event };
    for request in [DeputyRequest::Waiting { event }, admit, remove(honest), changed, elsewhere, wish, list, hosts] {
        let reply = ask(&member, &request).await?;
        ensure!(reply == DeputyReply::No, "{request:?} of a plain member was answered by {reply:?}");
    }
    ensure!(stranger.open(daemon, DEPUTY).await.is_err(), "a stranger may speak {DEPUTY}");

    let me = member.keys.member_id().to_string();
    field.api().co_host(&field.event, &me, true).await?;
    let DeputyReply::Waiting(waiting) = ask(&member, &DeputyRequest::Waiting { event }).await? else {
        anyhow::bail!("a co-host is not told who waits");
    };
    ensure!(waiting.len() == 1 && waiting[0].member == keys, "{waiting:?}");
    let host = member.state.roster().host().context("no host")?.id();
    let nobody = MemberKeys::generate()?.member_id();
    for whom in [host, member.keys.member_id(), nobody] {
        let reply = ask(&member, &remove(whom)).await?;
        ensure!(reply == DeputyReply::No, "{whom:?} was removed: {reply:?}");
    }
    let unknown = DeputyRequest::Decide { event, member: nobody, admit: true };
    ensure!(ask(&member, &unknown).await? == DeputyReply::No, "somebody was admitted who does not wait");
    ensure!(members(field).await? == before, "somebody came or went");
    ensure!(ask(&member, &hosts).await? == DeputyReply::No, "a co-host withdrew an invite of the host");
    let DeputyReply::Invites(mine) = ask(&member, &wish).await? else { anyhow::bail!("a co-host may not invite") };
    let mine = mine.into_iter().next().context("no invite")?.invite;

    field.api().co_host(&field.event, &me, false).await?;
    // What they invited to as a co-host is void now, whoever holds it.
    ensure!(ask(&member, &wish).await? == DeputyReply::No, "somebody who is no co-host any more invited");
    let late = Peer::start().await?;
    let daemon = late.connect(&invite.addresses).await?;
    let knock = JoinRequest::new(&mine, &late.node()?, &MemberKeys::generate()?.public(), "Latecomer", Vec::new());
    let reply = ask_to_join(&late, daemon, &knock).await?;
    ensure!(reply == JoinReply::Refused(JoinRefusal::UnknownInvite), "an invite of a former co-host: {reply:?}");
    field.api().co_host(&field.event, &me, true).await?;

    let most = u64::from(MAX_DEPUTIES_A_MINUTE) * pace.pick(4, 2);
    let mut answered = 0_u64;
    for _ in 0..most {
        answered += u64::from(ask(&member, &DeputyRequest::Waiting { event }).await.is_ok());
    }
    ensure!(answered > 0 && answered < most, "{answered} of {most} questions were answered");

    field.api().co_host(&field.event, &me, false).await?;
    field.api().admit(&field.event, &keys.member_id().to_string(), false).await?;
    let as_before = EventPatch { admit_automatically: Some(true), ..EventPatch::default() };
    field.api().patch_event(&field.event, &as_before).await?;
    wait_until("nobody at the door", SOON, async || {
        let waiting = field.api().event(&field.event).await?.waiting.len();
        Ok(Seen::when((waiting == 0).then_some(()), || format!("{waiting} wait")))
    })
    .await?;
    Ok(format!("13 decisions refused; as co-host {answered} of {most} questions answered in one go"))
}
