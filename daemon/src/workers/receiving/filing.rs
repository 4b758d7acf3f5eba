//! The last step of an arrival: into the library, in one commit each.

use std::sync::{Arc, PoisonError};

use inframe_protocol::{EventId, FindMeId, OfferId};

use super::origin;
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::faces::{Likeness, ProfileId, StoredFaces};
use crate::library::{AssetId, AssetKind, NewAsset, Origin, Part, PlayableState, Source};
use crate::live::What;
use crate::matching::Grade;
use crate::sharing::ledgers::{ApprovalKind, ApprovalState, ArrivalState, StoredApproval, StoredArrival, approval_id};
use crate::vault::BlobId;
use crate::video::VideoFormat;
use crate::workers::{Core, Job};

/// A photo that was damaged here came once more: its bytes are verified, and everything else is known.
pub(super) fn arrived_again(
    core: &Arc<Core>,
    offer: OfferId,
    row: &StoredArrival,
    id: AssetId,
    blob: BlobId,
) -> anyhow::Result<()> {
    let _one_at_a_time = core.filing.lock().unwrap_or_else(PoisonError::into_inner);
    core.library.put_original(id, blob)?;
    let mut left = false;
    core.damage.change(&id.0, |damage| {
        damage.parts.retain(|(part, _)| *part != Part::Original);
        left = !damage.parts.is_empty();
        true
    })?;
    if !left {
        core.damage.remove(&[id.0.to_vec()])?;
    }
    core.board.ring(Job::Faces);
    core.live.tell(What::Asset, Some(id.to_string()));
    finish(core, offer, row, id)
}

#[expect(clippy::too_many_arguments, reason = "one commit point with everything that was found out before")]
pub(super) fn file(
    core: &Arc<Core>,
    offer: OfferId,
    row: &StoredArrival,
    blob: BlobId,
    size_bytes: u64,
    inspection: crate::sandbox::Inspection,
    faces: Option<StoredFaces>,
    nearest: Option<(usize, Likeness)>,
    sure: bool,
) -> anyhow::Result<()> {
    let _one_at_a_time = core.filing.lock().unwrap_or_else(PoisonError::into_inner);
    let id = match core.library.by_content(&row.content) {
        Some(id) => {
            if known_otherwise(core, id, blob)? {
                return finish(core, offer, row, id);
            }
            // Taken in before a crash that came ahead of the arrival's last mark.
            id
        }
        None => {
            let new = NewAsset {
                file_name: format!("inframe-{}.{}", &offer.to_string()[..8], inspection.format.extension()),
                content: row.content,
                size_bytes,
                original: Source::Stored(blob),
                origin: origin(offer, row),
                taken_at: row.taken_at.and_then(|at| i64::try_from(at).ok()),
                doubtful: !sure,
            };
            core.library.adopt(new, inspection)?
        }
    };
    if let Some(faces) = faces {
        core.profile.if_consented(|| crate::workers::faces::keep(core, id, faces)).transpose()?;
    }
    if !sure {
        ask_whether_me(core, row, id, nearest)?;
    }
    finish(core, offer, row, id)
}

/// Whether the same bytes came from somebody else, were imported meanwhile, or lie in the trash: then there is nothing to ask and nothing to
/// change, and what came now is let go.
fn known_otherwise(core: &Core, id: AssetId, blob: BlobId) -> anyhow::Result<bool> {
    let trashed = core.library.in_trash(id);
    let original = core.library.get(id).or(trashed.clone()).map(|asset| asset.original);
    let other = original.is_some_and(|original| original != blob);
    if other {
        core.vault.blobs().remove(blob)?;
    }
    Ok(other || trashed.is_some())
}

/// The face that is most like the one that was looked for.
pub(super) fn nearest(
    core: &Core,
    event: &EventId,
    find_me: &FindMeId,
    faces: &StoredFaces,
) -> Option<(usize, Likeness)> {
    // Stopped meanwhile: then by the owner's own profile, so that what is theirs needs no question.
    let profile = core.profile_sought(event, find_me).unwrap_or(ProfileId::ME);
    let near = |likeness: &Likeness| match likeness {
        Likeness::Sure(d) | Likeness::Perhaps(d) => *d,
        Likeness::No => f32::INFINITY,
    };
    let all = faces.faces.iter().enumerate();
    let likenesses = all.map(|(index, face)| (index, core.profile.likeness(profile, &faces.pack, &face.embedding)));
    likenesses.min_by(|a, b| near(&a.1).total_cmp(&near(&b.1)))
}

/// Takes a video in, out of sight until its faces were looked at.
pub(super) fn file_video(core: &Arc<Core>, offer: OfferId, row: &StoredArrival, blob: BlobId) -> anyhow::Result<()> {
    let _one_at_a_time = core.filing.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(id) = core.library.by_content(&row.content) {
        known_otherwise(core, id, blob)?;
        return finish(core, offer, row, id);
    }
    let new = NewAsset {
        file_name: format!("inframe-{}.{}", &offer.to_string()[..8], VideoFormat::Mp4.extension()),
        content: row.content,
        size_bytes: row.size_bytes,
        original: Source::Stored(blob),
        origin: origin(offer, row),
        taken_at: row.taken_at.and_then(|at| i64::try_from(at).ok()),
        doubtful: true,
    };
    let id = core.library.adopt_video(AssetId::random()?, new, VideoFormat::Mp4)?;
    finish(core, offer, row, id)
}

/// A received video was searched for faces, or cannot be: shows it if I am in it, asks if that is not sure, throws away what is no video.
pub(crate) fn settle_video(core: &Arc<Core>, id: AssetId) -> anyhow::Result<()> {
    let Some(asset) = core.library.get(id).filter(|asset| asset.doubtful) else { return Ok(()) };
    let Origin::Received { event, from, find_me, offer } = asset.origin else { return Ok(()) };
    if matches!(asset.kind, AssetKind::Video { playable: PlayableState::Failed(_), .. }) && asset.grid.is_none() {
        let nickname = core.events.nickname(&event, &from);
        let text = format!("{nickname} sent a file that is no readable video; it was thrown away.");
        core.activity.note(ActivityKind::Suspicious, text, None, Some(event.to_string()))?;
        // Past the trash: it was never seen, and nobody could do anything with it.
        core.library.delete(id)?;
        core.board.ring(Job::Trash);
        return Ok(());
    }
    let nearest = core.faces.of(id).and_then(|faces| nearest(core, &event, &find_me, &faces));
    if matches!(nearest, Some((_, Likeness::Sure(_)))) {
        core.library.change(id, crate::vault::Batch::default(), |asset| asset.doubtful = false)?;
        core.live.tell(What::Events, Some(event.to_string()));
        // After the change: whoever reads this entry sees the video.
        let nickname = core.events.nickname(&event, &from);
        let text = format!("A video from {nickname} in {} shows whom it was sent for.", core.events.name(&event));
        core.activity.note(ActivityKind::Arrived, text, Some(id.to_string()), Some(event.to_string()))?;
        return Ok(());
    }
    match core.arrivals.get(&offer.0) {
        Some(row) => ask_whether_me(core, &row, id, nearest),
        None => Ok(()),
    }
}

fn finish(core: &Arc<Core>, offer: OfferId, row: &StoredArrival, id: AssetId) -> anyhow::Result<()> {
    let nickname = core.events.nickname(&row.event, &row.from);
    let is_video = core.library.get(id).is_some_and(|asset| matches!(asset.kind, AssetKind::Video { .. }));
    let what = if is_video { "video" } else { "photo" };
    let text = format!("A {what} came from {nickname} in {}.", core.events.name(&row.event));
    core.activity.note(ActivityKind::Arrived, text, Some(id.to_string()), Some(row.event.to_string()))?;
    core.arrivals.change(&offer.0, |arrival| {
        arrival.state = ArrivalState::Done(id);
        arrival.reason = None;
        arrival.changed_at = now_ms();
        true
    })?;
    core.live.tell(What::Events, Some(row.event.to_string()));
    Ok(())
}

fn ask_whether_me(
    core: &Arc<Core>,
    row: &StoredArrival,
    asset: AssetId,
    nearest: Option<(usize, Likeness)>,
) -> anyhow::Result<()> {
    let (face, score) = match nearest {
        Some((index, Likeness::Sure(d) | Likeness::Perhaps(d))) => (index, d),
        Some((index, Likeness::No)) => (index, 0.0),
        None => (0, 0.0),
    };
    let key = approval_id(&row.event, &row.from, None, asset);
    if core.approvals.get(&key).is_some() {
        // Asked before a crash, perhaps answered since.
        return Ok(());
    }
    core.approvals.put(
        &key,
        StoredApproval {
            kind: ApprovalKind::Doubtful,
            event: row.event,
            member: row.from,
            find_me: row.find_me,
            asset,
            face: u16::try_from(face).unwrap_or(0),
            score,
            next_best: None,
            grade: Grade::Maybe,
            state: ApprovalState::Waiting,
            at: now_ms(),
            rival: None,
            child: core.profile_sought(&row.event, &row.find_me).is_some_and(|profile| profile != ProfileId::ME),
            live: false,
        },
    )?;
    core.live.tell(What::Approvals, None);
    Ok(())
}
