//! A member who asks for photos that are not for it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use inframe_protocol::{
    ContentId, FindMeId, OfferId,
    fetch::FetchReply,
    fetch::FetchRequest,
    frame,
    limits::MAX_GROUPS,
    offer::{Offer, OfferReply},
    record::RecordBody,
};
use inframe_tests::scene;
use tokio::time::timeout;

use super::records::grant_of;
use crate::{
    case::Pace,
    field::Field,
    member::Member,
    peer::{OFFER, random},
};

/// How long the daemon may take to find a face that is claimed among its photos.
const MATCHED: Duration = Duration::from_secs(60);

pub(super) fn not_found() -> Result<Vec<u8>> {
    Ok(frame::encode_body(&FetchReply::NotFound, usize::MAX)?)
}

/// The content of the photo that went to the second daemon, which somebody may have seen there.
async fn content(field: &Field) -> Result<(OfferId, ContentId)> {
    let transfers = field.api().transfers().await?;
    let sent = transfers.iter().find(|transfer| transfer.direction != "in").context("nothing was sent")?;
    let got = scene::received(field.friend()?.api()).await?;
    let photo = got.first().context("nothing was received")?;
    Ok((sent.id.parse()?, photo.content_id.parse()?))
}

/// 17: asks for what was offered to others, knowing the ids.
pub async fn not_offered(field: &Field, _: Pace) -> Result<String> {
    let (offer, content) = content(field).await?;
    let member = Member::join(&field.link, "Mallory").await?;
    let asked = [
        FetchRequest { offer, content, from_group: 0 },
        FetchRequest { offer, content, from_group: 1 },
        FetchRequest { offer: OfferId::generate()?, content, from_group: 0 },
        FetchRequest { offer, content: ContentId(random()?), from_group: 0 },
    ];
    for request in asked {
        ensure!(member.ask_for(&request).await? == not_found()?, "something else than `NotFound` was answered");
    }
    Ok("the right offer and content by the wrong member, and each alone: the same answer".to_owned())
}

/// 18, 20: tries ids and places by the thousand.
pub async fn enumerate(field: &Field, pace: Pace) -> Result<String> {
    let (offer, content) = content(field).await?;
    let member = Member::join(&field.link, "Mallory").await?;
    let count = pace.pick(1_000, 60);
    let (mut existing, mut unknown) = (Vec::new(), Vec::new());
    for number in 0..count {
        let exists = number % 2 == 0;
        let offer = if exists { offer } else { OfferId::generate()? };
        let request = FetchRequest { offer, content, from_group: number % MAX_GROUPS as u64 };
        let begun = Instant::now();
        ensure!(member.ask_for(&request).await? == not_found()?, "something else than `NotFound` was answered");
        if exists { &mut existing } else { &mut unknown }.push(begun.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    Ok(format!(
        "{count} ids: one answer for all; median {:.2} ms for one that exists, {:.2} ms for one that does not",
        median(&mut existing),
        median(&mut unknown)
    ))
}

/// Announces the template of the second daemon's owner as its own, and waits for the offer of her photo.
pub(super) async fn claimed(field: &Field, member: &mut Member) -> Result<Offer> {
    let friend = field.friend()?.api().status().await?.node_id;
    let friend: libp2p::PeerId = friend.parse()?;
    let (_, hers) = member.sought_by(&inframe_protocol::NodeId::new(friend.to_bytes())?)?;
    let mut offers = member.peer.accept(OFFER)?;
    let claim = member.claim(hers.template, hers.pack)?;
    member.say(RecordBody::FindMe(claim)).await?;
    let Ok(offered) = timeout(MATCHED, offers.recv()).await else {
        let transfers = field.api().transfers().await?;
        let questions = field.api().approvals("waiting").await?;
        anyhow::bail!("nothing was offered: transfers {transfers:?}, questions {questions:?}");
    };
    let mut wire = offered.context("the node has ended")?;
    let offer: Offer = wire.message().await?;
    wire.send(&OfferReply::Accept).await?;
    wire.close().await?;
    Ok(offer)
}

/// 19: was offered a photo, and asks for it when the holder no longer sends.
pub async fn after_withdrawal(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let offer = claimed(field, &mut member).await?;
    let id = member.keys.member_id().to_string();
    field.api().member_policy(&field.event, &id, "never").await?;
    let request = FetchRequest { offer: offer.offer, content: offer.content, from_group: 0 };
    ensure!(member.ask_for(&request).await? == not_found()?, "a photo left after its holder said never");
    Ok("offered while the rule was automatic; after never, not found".to_owned())
}

/// 23: claims somebody else's face. Where the rule is automatic and the photo's holder lets everybody in, the claim holds, as SECURITY.md says; with the
/// rule to ask, nothing leaves.
pub async fn false_claim(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    field.api().member_policy(&field.event, &member.keys.member_id().to_string(), "ask").await?;
    let friend: libp2p::PeerId = field.friend()?.api().status().await?.node_id.parse()?;
    let (_, hers) = member.sought_by(&inframe_protocol::NodeId::new(friend.to_bytes())?)?;
    let mut offers = member.peer.accept(OFFER)?;
    let claim = member.claim(hers.template, hers.pack.clone())?;
    member.say(RecordBody::FindMe(claim)).await?;
    let asked = inframe_tests::wait::wait_until("the question to the owner", MATCHED, async || {
        let waiting = field.api().approvals("waiting").await?;
        Ok(inframe_tests::wait::Seen::when(waiting.first().cloned(), || "no question".to_owned()))
    })
    .await?;
    ensure!(asked.nickname == "Mallory", "the question is about {}", asked.nickname);
    ensure!(offers.try_recv().is_err(), "a photo was offered before the owner said yes");
    field.api().decide(&asked.id, "never", false).await?;
    // And it announces for her: the id is bound to its author.
    let foreign = FindMeId::generate(&member.state.roster().host().context("no host")?.id())?;
    let stolen = inframe_protocol::record::FindMe { id: foreign, ..member.claim(hers.template, hers.pack)? };
    let bytes = crate::forge::record(member.header()?, &RecordBody::FindMe(stolen), &member.keys, &grant_of(&member)?)?;
    member.push(Vec::new(), vec![bytes]).await?;
    Ok("the owner is asked with both faces in view, nothing is offered before; a claim under another's id is refused"
        .to_owned())
}
