//! A member who asks for photos that are not for it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use inframe_protocol::{
    ContentId, FindMeId, OfferId,
    fetch::FetchReply,
    fetch::FetchRequest,
    frame,
    limits::{MAX_FETCH_REPLY_BYTES, MAX_GROUPS},
    offer::{Offer, OfferReply, Receipt, ReceiptState},
    record::RecordBody,
};
use inframe_tests::{
    scene,
    views::Approval,
    wait::{Seen, wait_until},
};
use tokio::{sync::mpsc::Receiver, time::timeout};

use super::records::grant_of;
use crate::{
    case::Pace,
    field::Field,
    member::Member,
    peer::{FETCH, OFFER, random},
    wire::Wire,
};

/// How long the daemon may take to find a face that is claimed among its photos.
const MATCHED: Duration = Duration::from_secs(60);
/// How long it may take until whoever sent no receipt is asked.
const ASKED_AGAIN: Duration = Duration::from_secs(15);

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

/// Announces the template of the second daemon's owner as its own, and waits for the offer of her photo. Two who look alike to the last digit are a
/// doubtful match, whatever the rule, so the owner of the daemon is asked, and here is taken in.
pub(super) async fn claimed(field: &Field, member: &mut Member) -> Result<Offer> {
    let mut offers = member.peer.accept(OFFER)?;
    claimed_of(field, member, &mut offers).await
}

async fn claimed_of(field: &Field, member: &mut Member, offers: &mut Receiver<Wire>) -> Result<Offer> {
    let friend = field.friend()?.api().status().await?.node_id;
    let friend: libp2p::PeerId = friend.parse()?;
    let (_, hers) = member.sought_by(&inframe_protocol::NodeId::new(friend.to_bytes())?)?;
    let claim = member.claim(hers.template, hers.pack)?;
    member.say(RecordBody::FindMe(claim)).await?;
    let asked = question(field).await?;
    ensure!(offers.try_recv().is_err(), "a photo was offered before the owner said yes");
    field.api().decide(&asked.id, "allow", false).await?;
    accepted(offers, MATCHED).await.context("nothing was offered")
}

/// Accepts the next offer.
async fn accepted(offers: &mut Receiver<Wire>, within: Duration) -> Result<Offer> {
    let mut wire = timeout(within, offers.recv()).await?.context("the node has ended")?;
    let offer: Offer = wire.message().await?;
    wire.send(&OfferReply::Accept).await?;
    wire.close().await?;
    Ok(offer)
}

/// 32: takes what it is offered, again and again, and does not say that it has it. It may have been cut off before it could, so it is asked each time.
pub async fn no_receipt(field: &Field, pace: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let mut offers = member.peer.accept(OFFER)?;
    let offer = claimed_of(field, &mut member, &mut offers).await?;
    let request = FetchRequest { offer: offer.offer, content: offer.content, from_group: 0 };
    let times = pace.pick(20, 3);
    for time in 1..=times {
        drop(taken(&member, &request, offer.size_bytes).await?);
        let again = accepted(&mut offers, ASKED_AGAIN).await;
        let same = again.with_context(|| format!("not asked after time {time}"))?;
        ensure!(same.offer == offer.offer, "asked about {same:?} instead of {offer:?}");
    }
    let mut wire = taken(&member, &request, offer.size_bytes).await?;
    wire.send(&Receipt { offer: offer.offer, state: ReceiptState::Delivered }).await?;
    wire.close().await?;
    let id = offer.offer.to_string();
    wait_until("the delivery", MATCHED, async || {
        let transfers = field.api().transfers().await?;
        let done = transfers.iter().any(|transfer| transfer.id == id && transfer.state == "delivered");
        Ok(Seen::when(done.then_some(()), || format!("{transfers:?}")))
    })
    .await?;
    Ok(format!("asked {times} times, and done when the receipt came at last"))
}

/// Fetches a photo whole; the stream waits for the receipt.
async fn taken(member: &Member, request: &FetchRequest, size_bytes: u64) -> Result<Wire> {
    let mut wire = member.peer.open(member.daemon, FETCH).await?;
    wire.send(request).await?;
    let reply = wire.body(MAX_FETCH_REPLY_BYTES).await?;
    ensure!(reply != not_found()?, "it is not served any more");
    wire.bytes(usize::try_from(size_bytes)?).await?;
    Ok(wire)
}

/// Waits until the owner is asked about Mallory.
async fn question(field: &Field) -> Result<Approval> {
    wait_until("the question to the owner", MATCHED, async || {
        let waiting = field.api().approvals("waiting").await?;
        let about = waiting.iter().find(|asked| asked.nickname == "Mallory").cloned();
        Ok(Seen::when(about, || format!("{waiting:?}")))
    })
    .await
}

/// 19: was offered a photo, and asks for it when the holder no longer sends.
pub async fn after_withdrawal(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    let offer = claimed(field, &mut member).await?;
    let id = member.keys.member_id().to_string();
    field.api().member_policy(&field.event, &id, "never").await?;
    let request = FetchRequest { offer: offer.offer, content: offer.content, from_group: 0 };
    ensure!(member.ask_for(&request).await? == not_found()?, "a photo left after its holder said never");
    Ok("offered when the owner had said yes; after never, not found".to_owned())
}

/// 23: claims somebody else's face. The owner is asked, with both faces in view; nothing leaves before.
pub async fn false_claim(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    field.api().member_policy(&field.event, &member.keys.member_id().to_string(), "ask").await?;
    let friend: libp2p::PeerId = field.friend()?.api().status().await?.node_id.parse()?;
    let (_, hers) = member.sought_by(&inframe_protocol::NodeId::new(friend.to_bytes())?)?;
    let mut offers = member.peer.accept(OFFER)?;
    let claim = member.claim(hers.template, hers.pack.clone())?;
    member.say(RecordBody::FindMe(claim)).await?;
    let asked = question(field).await?;
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
