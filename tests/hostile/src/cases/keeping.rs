//! Sealed deliveries: senders who seal something else, keepers who bring something else, and what is put down with a keeper in others' names.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use inframe_protocol::{
    ContentId, FindMeId, MemberId, OfferId,
    keep::{KeepReply, KeepRequest, Label, Letter, PIECE_BYTES, SealedDelivery, fresh_key, seal_piece},
    keys::MemberKeys,
    limits::MAX_KEEPS_A_MINUTE,
};
use inframe_tests::wait::{Seen, wait_until};
use tokio::time::timeout;

use crate::{
    case::Pace,
    field::Field,
    member::{Content, Member, now},
    peer::{FETCH, KEEP, random},
    wire::{ANSWER, Wire},
};

const HOUR_MS: u64 = 3_600_000;
/// Long enough for a fetch that would be tried again, which is after a second at first.
const AGAIN: Duration = Duration::from_secs(5);
/// Room that the attacked daemon gives to others.
const ROOM_BYTES: u64 = 64 << 20;

/// A rendition, and its pieces sealed with a key.
fn sealed(plain: &[u8], key: &[u8; 32]) -> Result<Content> {
    let pieces: Vec<&[u8]> = plain.chunks(usize::try_from(PIECE_BYTES)?).collect();
    let mut all = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let mut piece = piece.to_vec();
        seal_piece(key, index as u64, index + 1 == pieces.len(), &mut piece)?;
        all.extend(piece);
    }
    Content::new(all)
}

fn letter(key: [u8; 32], plain: &Content) -> Letter {
    Letter {
        key,
        content: plain.list.content(),
        size_bytes: plain.bytes.len() as u64,
        media_type: "image/jpeg".to_owned(),
        width: 640,
        height: 480,
        taken_at: None,
        score: 9.0,
    }
}

fn label(from: &Member, to: MemberId, find_me: FindMeId, sealed: &Content) -> Result<Label> {
    Ok(Label {
        event: from.event,
        offer: OfferId::generate()?,
        from: from.keys.member_id(),
        to,
        find_me,
        content: sealed.list.content(),
        size_bytes: sealed.bytes.len() as u64,
        expires: now().plus(HOUR_MS),
    })
}

async fn ask(member: &Member, request: &KeepRequest) -> Result<KeepReply> {
    let mut wire = member.peer.open(member.daemon, KEEP).await?;
    wire.send(request).await?;
    wire.message().await
}

async fn bring(member: &Member, delivery: &SealedDelivery) -> Result<KeepReply> {
    ask(member, &KeepRequest::Delivery(Box::new(delivery.clone()))).await
}

/// The next stream on which the daemon fetches.
async fn fetched(fetches: &mut tokio::sync::mpsc::Receiver<Wire>) -> Result<Wire> {
    timeout(ANSWER, fetches.recv()).await.context("the daemon does not fetch")?.context("the node has ended")
}

/// Brings a delivery and sends these bytes for it. They are fetched once, no receipt comes, and it is not taken again.
async fn is_refused_for_good(
    member: &Member,
    fetches: &mut tokio::sync::mpsc::Receiver<Wire>,
    delivery: &SealedDelivery,
    announced: &Content,
    bytes: &[u8],
) -> Result<()> {
    let reply = bring(member, delivery).await?;
    ensure!(reply == KeepReply::Accept, "the delivery was answered by {reply:?}");
    let mut wire = fetched(fetches).await?;
    announced.ready(&mut wire).await?;
    // The daemon may have cut the stream before all is written.
    let _ = wire.raw(bytes).await;
    ensure!(wire.rest(1024, ANSWER).await?.is_empty(), "a receipt came for wrong bytes");
    ensure!(timeout(AGAIN, fetches.recv()).await.is_err(), "the same wrong bytes are fetched again");
    let reply = bring(member, delivery).await?;
    ensure!(reply == KeepReply::No, "brought once more it was answered by {reply:?}");
    Ok(())
}

/// A sender whose pieces do not open with the key of the letter, and one whose letter names another content.
pub async fn sealed_wrongly(field: &Field, _: Pace) -> Result<String> {
    let member = Member::join(&field.link, "Mallory").await?;
    let (find_me, _) = member.sought_by(&field.node)?;
    let to = owner(field, &member)?;
    let mut fetches = member.peer.accept(FETCH)?;
    let plain = Content::noise(3 * usize::try_from(PIECE_BYTES)?)?;
    let key = fresh_key()?;
    let other_key = sealed(&plain.bytes, &fresh_key()?)?;
    let with_other_key = member.state.seal_delivery(label(&member, to, find_me, &other_key)?, &letter(key, &plain))?;
    is_refused_for_good(&member, &mut fetches, &with_other_key, &other_key, &other_key.bytes).await?;
    let right = sealed(&plain.bytes, &key)?;
    let mut lie = letter(key, &plain);
    lie.content = ContentId(random()?);
    let other_content = member.state.seal_delivery(label(&member, to, find_me, &right)?, &lie)?;
    is_refused_for_good(&member, &mut fetches, &other_content, &right, &right.bytes).await?;
    Ok("pieces that do not open, and pieces of another content: fetched once, thrown away, not taken again".to_owned())
}

/// A keeper who brings what another one has sealed and sends other bytes; the sender may still deliver.
pub async fn keeper_lies(field: &Field, _: Pace) -> Result<String> {
    let mut member = Member::join(&field.link, "Mallory").await?;
    member.sync().await?;
    let (find_me, _) = member.sought_by(&field.node)?;
    let to = owner(field, &member)?;
    let mut honest = field.honest.lock().await;
    honest.sync().await?;
    let plain = Content::noise(2 * usize::try_from(PIECE_BYTES)?)?;
    let key = fresh_key()?;
    let content = sealed(&plain.bytes, &key)?;
    let delivery = honest.state.seal_delivery(label(&honest, to, find_me, &content)?, &letter(key, &plain))?;
    let mut fetches = member.peer.accept(FETCH)?;
    let mut wrong = content.bytes.clone();
    wrong.iter_mut().skip(300_000).for_each(|byte| *byte = !*byte);
    is_refused_for_good(&member, &mut fetches, &delivery, &content, &wrong).await?;
    let mut fetches = honest.peer.accept(FETCH)?;
    let reply = bring(&honest, &delivery).await?;
    ensure!(reply == KeepReply::Accept, "the sender is answered by {reply:?} for what a keeper did");
    let mut wire = fetched(&mut fetches).await?;
    content.ready(&mut wire).await?;
    wire.raw(&content.bytes).await?;
    let _: inframe_protocol::offer::Receipt = wire.message().await?;
    Ok("wrong bytes of a keeper are thrown away and not taken from it again; the sender's own are taken".to_owned())
}

/// Puts things down with a keeper: in another's name, for nobody, too much, and without ever giving the bytes; asks for room without end.
pub async fn deposits(field: &Field, pace: Pace) -> Result<String> {
    field.api().keep_for_others(Some(ROOM_BYTES)).await?;
    let mut member = Member::join(&field.link, "Mallory").await?;
    member.sync().await?;
    let mut honest = field.honest.lock().await;
    honest.sync().await?;
    let find_me = FindMeId::generate(&honest.keys.member_id())?;
    let small = Content::noise(1_000)?;
    let to = honest.keys.member_id();
    let right = label(&member, to, find_me, &small)?;
    let text = letter([7; 32], &Content::noise(984)?);
    let write = |label: Label, keys: &MemberKeys| SealedDelivery::write(label, &text, &honest.keys.public().seal, keys);
    let large = Label { size_bytes: ROOM_BYTES / 2 + 1, ..right };
    let mine = owner(field, &member)?;
    let refused = [
        ("in another's name", write(Label { from: to, to: member.keys.member_id(), ..right }, &honest.keys)?),
        ("signed by another", write(right, &honest.keys)?),
        ("for nobody", write(Label { to: MemberKeys::generate()?.member_id(), ..right }, &member.keys)?),
        ("of another event", write(Label { event: inframe_protocol::EventId(random()?), ..right }, &member.keys)?),
        ("for a year", write(Label { expires: now().plus(365 * 24 * HOUR_MS), ..right }, &member.keys)?),
        ("more than its share", write(large, &member.keys)?),
        ("for the keeper, not to be opened", write(Label { to: mine, ..right }, &member.keys)?),
    ];
    for (what, delivery) in &refused {
        let reply = bring(&member, delivery).await?;
        ensure!(reply == KeepReply::No, "a delivery {what} was answered by {reply:?}");
    }
    let held = field.api().settings().await?.keeping;
    ensure!(held.count == 0, "something of it is kept: {held:?}");
    // One that is right, and whose bytes never come: it takes room until it is erased, and nobody else's.
    let right = write(right, &member.keys)?;
    let reply = bring(&member, &right).await?;
    ensure!(reply == KeepReply::Accept, "what is right was answered by {reply:?}");
    let erase = KeepRequest::Erase { event: member.event, offer: right.label().offer };
    ask(&honest, &erase).await?;
    ensure!(field.api().settings().await?.keeping.count == 1, "somebody else has it erased");
    let most = u64::from(MAX_KEEPS_A_MINUTE) * pace.pick(4, 2);
    let mut answered = 0_u64;
    for _ in 0..most {
        answered += u64::from(ask(&member, &KeepRequest::Room { event: member.event, size_bytes: 17 }).await.is_ok());
    }
    ensure!(answered > 0 && answered < most, "{answered} of {most} questions for room were answered");
    drop(honest);
    // What its owner does not want kept any more goes.
    field.api().keep_for_others(None).await?;
    wait_until("nothing kept", ANSWER, async || {
        let held = field.api().settings().await?.keeping;
        Ok(Seen::when((held.count == 0).then_some(()), || format!("{held:?}")))
    })
    .await?;
    Ok(format!("{} deliveries refused; {answered} of {most} questions for room answered in one go", refused.len()))
}

/// The member behind the attacked daemon.
fn owner(field: &Field, member: &Member) -> Result<MemberId> {
    match member.state.roster().member_by_node(&field.node) {
        Some(owner) => Ok(owner.id()),
        None => bail!("the owner is no member"),
    }
}
