//! Looks at what was fetched and takes it into the library.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use inframe_protocol::OfferId;

use super::fail;
use super::filing::{arrived_again, file, file_video, nearest};
use crate::activity::ActivityKind;
use crate::faces::{Likeness, StoredFaces};
use crate::library::STRIKES;
use crate::sandbox::SandboxError;
use crate::sharing::ledgers::{ArrivalState, StoredArrival};
use crate::vault::BlobId;
use crate::video::VideoFormat;
use crate::workers::board::Step;
use crate::workers::{Core, Job, blocking};

/// Arrivals looked at side by side: one waits for the disk while others are decoded.
const AT_ONCE: usize = 4;

/// One step: everything that is stored, and what is stored meanwhile, each tried once.
pub(crate) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let mut running = FuturesUnordered::new();
    let mut outcomes = Vec::new();
    let mut tried = BTreeSet::new();
    let mut next = stored(&core).into_iter();
    loop {
        while running.len() < AT_ONCE {
            let Some((offer, row, blob)) = next.find(|(offer, ..)| tried.insert(*offer)) else { break };
            let core = core.clone();
            running.push(async move { take_in_one(core, offer, row, blob).await.map(|()| true) });
        }
        tokio::select! {
            Some(outcome) = running.next() => outcomes.push(outcome),
            () = core.board.rung(Job::TakingIn), if !running.is_empty() => next = stored(&core).into_iter(),
            else => break,
        }
    }
    if outcomes.iter().any(Result::is_ok) {
        // Who else offers the same is told that it is here.
        core.board.ring(Job::Receiving);
    }
    Step::of(outcomes)
}

/// What is to be taken in, the oldest first.
fn stored(core: &Core) -> Vec<(OfferId, Arc<StoredArrival>, BlobId)> {
    let mut stored: Vec<_> = core
        .arrivals
        .all()
        .into_iter()
        .filter_map(|(key, row)| match row.state {
            ArrivalState::Stored(blob) => Some((OfferId(<[u8; 16]>::try_from(key).ok()?), row, blob)),
            _ => None,
        })
        .collect();
    stored.sort_by_key(|(offer, row, _)| (row.changed_at, *offer));
    stored
}

/// Looks at a stored arrival with my own full embeddings and takes it into the library; doubtful ones wait for me to say.
async fn take_in_one(core: Arc<Core>, offer: OfferId, row: Arc<StoredArrival>, blob: BlobId) -> anyhow::Result<()> {
    let worker = core.clone();
    let (known, arrived) = (core.library.by_content(&row.content), row.clone());
    if let Some(id) = known.filter(|id| core.wants_again(*id)) {
        return blocking(move || arrived_again(&worker, offer, &arrived, id, blob)).await?;
    }
    let reader = core.clone();
    let is_video = blocking(move || {
        let mut head = [0; VideoFormat::SNIFFED_BYTES];
        let read = reader.vault.blobs().open(blob)?.read_at(0, &mut head)?;
        anyhow::Ok(VideoFormat::sniff(head.get(..read).unwrap_or_default()) == Some(VideoFormat::Mp4))
    });
    if is_video.await?? {
        let worker = core.clone();
        blocking(move || file_video(&worker, offer, &row, blob)).await??;
        core.tell_transfer(&offer);
        core.board.ring(Job::Videos);
        return Ok(());
    }
    let reader = core.clone();
    let bytes = Bytes::from(blocking(move || reader.vault.blobs().read(blob).map(|plain| plain.to_vec())).await??);
    let inspection = match core.sandbox.inspect(bytes.clone()).await {
        Ok(inspection) => inspection,
        Err(SandboxError::Refused(reason)) => {
            let nickname = core.events.nickname(&row.event, &row.from);
            let text = format!("{nickname} sent a file that is no readable photo; it was thrown away.");
            core.note(ActivityKind::Suspicious, text, None, Some(row.event)).await;
            return fail(&core, offer, blob, &reason.to_string()).await;
        }
        // They were told that I have it, so it is not thrown away for one bad moment of the sandbox.
        Err(error) if error.is_strike() && row.strikes + 1 >= STRIKES => {
            return fail(&core, offer, blob, "reading it crashed or took too long three times; it was thrown away")
                .await;
        }
        Err(error) => {
            if error.is_strike() {
                let striker = core.clone();
                blocking(move || {
                    striker.arrivals.change(&offer.0, |row| {
                        row.strikes += 1;
                        true
                    })
                })
                .await??;
            }
            return Err(error).context("a photo that arrived could not be examined yet");
        }
    };
    let may_look = core.profile.consent_at().is_some() && core.packs.trouble().is_none();
    let found = if may_look { core.sandbox.faces(bytes.clone()).await.ok() } else { None };
    let faces = found.map(|found| StoredFaces::new(found.pack, found.faces, found.width, found.height));
    let nearest = faces.as_ref().and_then(|faces| nearest(&core, &row.event, &row.find_me, faces));
    let sure = matches!(nearest, Some((_, Likeness::Sure(_))));
    let worker = core.clone();
    blocking(move || file(&worker, offer, &row, blob, bytes.len() as u64, inspection, faces, nearest, sure)).await??;
    core.tell_transfer(&offer);
    Ok(())
}
