//! A member who offers the owner a photo and sends something else.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use image::{DynamicImage, ImageFormat};
use inframe_protocol::{
    FindMeId,
    frame::Message as _,
    limits::GROUP_BYTES,
    offer::{Offer, OfferReply, Receipt},
};
use inframe_tests::photos;
use tokio::time::timeout;

use crate::{
    case::Pace,
    field::Field,
    member::{Content, Member},
    peer::{FETCH, OFFER},
    wire::{ANSWER, Wire},
};

/// A group that does not come in a minute is given up.
const GIVEN_UP: Duration = Duration::from_secs(90);
const GROUP: usize = GROUP_BYTES as usize;

async fn with_what_is_sought(field: &Field) -> Result<(Member, FindMeId)> {
    let member = Member::join(&field.link, "Mallory").await?;
    let (find_me, _) = member.sought_by(&field.node)?;
    Ok((member, find_me))
}

/// Has the daemon accept an offer and gives the stream on which it fetches.
async fn fetched(member: &Member, offer: &Offer) -> Result<Wire> {
    let mut fetches = member.peer.accept(FETCH)?;
    let reply = member.offer(offer).await?;
    ensure!(reply == OfferReply::Accept, "the offer was answered by {reply:?}");
    timeout(ANSWER, fetches.recv()).await.context("the daemon does not fetch")?.context("the node has ended")
}

/// 1: the list of hashes is right, the bytes of the second group are not.
pub async fn wrong_bytes(field: &Field, _: Pace) -> Result<String> {
    let (member, find_me) = with_what_is_sought(field).await?;
    let content = Content::noise(3 * GROUP)?;
    let mut wire = fetched(&member, &content.offer(member.event, find_me, "image/jpeg")?).await?;
    content.ready(&mut wire).await?;
    let (first, second) = content.bytes.split_at(GROUP);
    wire.raw(first).await?;
    let wrong: Vec<u8> = second.iter().map(|byte| !byte).collect();
    // The daemon may have cut the stream before all is written.
    let _ = wire.raw(&wrong).await;
    ensure!(wire.rest(1024, ANSWER).await?.is_empty(), "a receipt came for wrong bytes");
    Ok("cut off at the wrong group, all of it thrown away".to_owned())
}

/// 2: the bytes do not end.
pub async fn endless(field: &Field, pace: Pace) -> Result<String> {
    let (member, find_me) = with_what_is_sought(field).await?;
    let content = Content::noise(2 * GROUP)?;
    let mut wire = fetched(&member, &content.offer(member.event, find_me, "image/jpeg")?).await?;
    content.ready(&mut wire).await?;
    wire.raw(&content.bytes).await?;
    let piece = vec![0x55; GROUP];
    let mut more = 0;
    // Until nobody reads any more: the daemon ends the stream, or its window is full.
    while more < pace.pick(4096, 512) {
        match timeout(Duration::from_secs(15), wire.raw(&piece)).await {
            Ok(Ok(())) => more += 1,
            _ => break,
        }
    }
    ensure!(more < 512, "the daemon took {more} groups more than it was told of");
    let receipt =
        frame_of_receipt(&mut wire).await.map_or("no receipt", |_| "a receipt for the part that was announced");
    Ok(format!("{} KiB more were taken off the wire and dropped; {receipt}", more * GROUP / 1024))
}

async fn frame_of_receipt(wire: &mut Wire) -> Result<Receipt> {
    wire.message().await
}

/// 2: a reply without an end where a small one belongs.
pub async fn endless_reply(field: &Field, pace: Pace) -> Result<String> {
    let (member, find_me) = with_what_is_sought(field).await?;
    let content = Content::noise(GROUP)?;
    let mut wire = fetched(&member, &content.offer(member.event, find_me, "image/jpeg")?).await?;
    let mut taken = 0;
    while taken < pace.pick(4096, 512) && wire.raw(&vec![0xff; GROUP]).await.is_ok() {
        taken += 1;
    }
    ensure!(taken < 512, "the daemon took {taken} groups of nonsense");
    Ok(format!("given up after the length; at most {} KiB were taken off the wire", taken * GROUP / 1024))
}

/// 3: a byte a second, in the reply, in a group, and in requests.
pub async fn slow(field: &Field, pace: Pace) -> Result<String> {
    let (member, find_me) = with_what_is_sought(field).await?;
    let content = Content::noise(2 * GROUP)?;
    let mut wire = fetched(&member, &content.offer(member.event, find_me, "image/jpeg")?).await?;
    content.ready(&mut wire).await?;
    let mut asking = Vec::new();
    for protocol in [crate::peer::SYNC, crate::peer::PUSH, crate::peer::JOIN, OFFER, FETCH] {
        for _ in 0..8 {
            asking.push(member.peer.open(member.daemon, protocol).await?);
        }
    }
    let opened = asking.len();
    let begun = std::time::Instant::now();
    let last = pace.pick(GIVEN_UP, Duration::from_secs(8));
    let mut group_given_up = None;
    let mut second = 0;
    while begun.elapsed() < last {
        let byte = content.bytes.get(second).copied().unwrap_or_default();
        if group_given_up.is_none() && wire.raw(&[byte]).await.is_err() {
            group_given_up = Some(begun.elapsed().as_secs());
        }
        let mut still = Vec::new();
        for mut stream in asking {
            // A length of 200 bytes, and then the first of them.
            let byte = [200, 0, 0, 0].get(second).copied().unwrap_or(1);
            if stream.raw(&[byte]).await.is_ok() {
                still.push(stream);
            }
        }
        asking = still;
        second += 1;
        if asking.is_empty() && group_given_up.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // What is left of the photo would be waited for as long as the peer is a member.
    super::removal::remove(field, &member).await?;
    if pace == Pace::Short {
        return Ok(format!("{} of {opened} streams still open when the test went", asking.len()));
    }
    ensure!(asking.is_empty(), "{} of {opened} slow requests are still listened to", asking.len());
    let group = group_given_up.context("the slow group is still waited for")?;
    Ok(format!("all {opened} slow requests given up, the slow photo after {group} s"))
}

/// 4: one tebibyte, in the offer, in the reply, and in the length of a message.
pub async fn one_tebibyte(field: &Field, _: Pace) -> Result<String> {
    let (member, find_me) = with_what_is_sought(field).await?;
    let content = Content::noise(GROUP)?;
    let honest = content.offer(member.event, find_me, "image/jpeg")?;
    let lie = Offer { size_bytes: 1 << 40, ..honest.clone() };
    let mut wire = member.peer.open(member.daemon, OFFER).await?;
    wire.send_body(&postcard::to_stdvec(&lie)?).await?;
    ensure!(wire.rest(Offer::MAX_BYTES, ANSWER).await?.is_empty(), "an offer of 1 TiB was answered");
    for protocol in [OFFER, crate::peer::SYNC, crate::peer::PUSH, crate::peer::JOIN, FETCH] {
        let mut wire = member.peer.open(member.daemon, protocol).await?;
        wire.raw(&u32::MAX.to_le_bytes()).await?;
        ensure!(wire.rest(Offer::MAX_BYTES, ANSWER).await?.is_empty(), "{protocol}: a message of 4 GiB was answered");
    }
    let mut wire = fetched(&member, &honest).await?;
    let _ = wire.body(1024).await?;
    // `Ready` with a size of 1 TiB and no hashes.
    wire.send_body(&postcard::to_stdvec(&(0_u8, 1_u64 << 40, Vec::<[u8; 32]>::new()))?).await?;
    ensure!(wire.rest(1024, ANSWER).await?.is_empty(), "a reply of 1 TiB was answered");
    Ok("the offer is not answered; the reply ends the transfer; no room is made for any of it".to_owned())
}

/// 5: a picture that is small as a file and 432 MB as pixels; everything else about it is right.
pub async fn bomb(field: &Field, _: Pace) -> Result<String> {
    let (member, find_me) = with_what_is_sought(field).await?;
    let picture = DynamicImage::new_luma8(12_500, 12_500);
    let content = Content::new(photos::to_format(&picture, ImageFormat::Png)?)?;
    let offer = Offer { width: 12_500, height: 12_500, ..content.offer(member.event, find_me, "image/png")? };
    let mut wire = fetched(&member, &offer).await?;
    content.ready(&mut wire).await?;
    wire.raw(&content.bytes).await?;
    let _: Receipt = wire.message().await?;
    Ok(format!(
        "{} KiB on the wire, 156 megapixels; refused by the sandbox from its header",
        content.bytes.len() / 1024
    ))
}

/// 30: a picture that ends in the middle, over and over.
pub async fn unreadable(field: &Field, pace: Pace) -> Result<String> {
    let (member, find_me) = with_what_is_sought(field).await?;
    let photo = photos::sample(2)?;
    let times = pace.pick(20, 3);
    let mut fetches = member.peer.accept(FETCH)?;
    for time in 0..times {
        let mut bytes = photo.clone();
        bytes.truncate(200 + time * 7);
        let content = Content::new(bytes)?;
        let reply = member.offer(&content.offer(member.event, find_me, "image/jpeg")?).await?;
        ensure!(reply == OfferReply::Accept, "offer {time} was answered by {reply:?}");
        let fetch = timeout(ANSWER, fetches.recv()).await.context("the daemon does not fetch")?;
        let mut wire = fetch.context("the node has ended")?;
        content.ready(&mut wire).await?;
        wire.raw(&content.bytes).await?;
        let _: Receipt = wire.message().await?;
    }
    Ok(format!("{times} broken pictures taken, examined in a worker process and thrown away"))
}

/// 28: cuts the connection at each step of a transfer.
pub async fn cut_at_each_step(field: &Field, _: Pace) -> Result<String> {
    let invite = inframe_protocol::invite::Invite::parse(&field.link)?;
    let (member, find_me) = with_what_is_sought(field).await?;
    let mut fetches = member.peer.accept(FETCH)?;
    let content = Content::noise(3 * GROUP)?;
    let offer = content.offer(member.event, find_me, "image/jpeg")?;
    let steps = [
        "before the request is read",
        "after the request",
        "in the reply",
        "after the reply",
        "in a group",
        "between groups",
        "in the receipt",
    ];
    // The offer itself first: opened and left, half written and left.
    let _ = member.peer.open_untaken(member.daemon, OFFER).await?;
    let mut half = member.peer.open(member.daemon, OFFER).await?;
    half.raw(&[200, 0, 0]).await?;
    drop(half);
    let reply = member.offer(&offer).await?;
    ensure!(reply == OfferReply::Accept, "the offer was answered by {reply:?}");
    for (number, step) in steps.iter().enumerate() {
        let fetch = timeout(Duration::from_secs(120), fetches.recv())
            .await
            .with_context(|| format!("no fetch after it was cut {step}"))?;
        let mut wire = fetch.context("the node has ended")?;
        let cut = async {
            if number >= 1 {
                let _: inframe_protocol::fetch::FetchRequest = wire.message().await?;
            }
            let reply = inframe_protocol::frame::encode(
                &inframe_protocol::fetch::FetchReply::ready(&content.list),
                usize::MAX,
            )?;
            if number == 2 {
                wire.raw(reply.get(..20).unwrap_or_default()).await?;
            }
            if number >= 3 {
                wire.raw(&reply).await?;
            }
            // It goes on where it stopped, so what is sent from here on is where it asks from only in the first round.
            if number == 4 {
                wire.raw(content.bytes.get(..GROUP / 2).unwrap_or_default()).await?;
            }
            if number == 5 {
                wire.raw(content.bytes.get(..GROUP).unwrap_or_default()).await?;
            }
            if number == 6 {
                wire.raw(content.bytes.get(GROUP..).unwrap_or_default()).await?;
                // Not before it has all: what is on its way when a stream is reset is lost, and nobody is there who would send it once more.
                wire.bytes(1).await?;
            }
            anyhow::Ok(())
        };
        cut.await.with_context(|| format!("before it was cut {step}"))?;
        drop(wire);
        if number < 6 {
            member.peer.leave(member.daemon).await?;
            member.peer.connect(&invite.addresses).await?;
        }
    }
    Ok(format!("cut off {} times, gone on with each time, thrown away at its end since it is no photo", steps.len()))
}
