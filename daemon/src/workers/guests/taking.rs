//! Files of guests, from their pieces into the library, into the event, and out again.

use std::io::Read;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use inframe_protocol::{ContentId, EventId};

use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::guest::{ShortId, StoredUpload, UploadState};
use crate::library::{Added, AssetId, AssetKind, GuestId, LibraryError, Origin};
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::video::VideoFormat;
use crate::workers::{Core, Job, blocking, trash};

/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// Takes an upload whose pieces are all here into the library. A file that cannot be used is an outcome.
pub(super) async fn take_in(core: Arc<Core>, id: ShortId, upload: Arc<StoredUpload>) -> anyhow::Result<()> {
    let reader = core.clone();
    let (content, first) = blocking(move || look_through(&reader, &id)).await??;
    let state = match known(&core, &upload, &id, &content) {
        Some(state) => state,
        None => match import(&core, &id, &upload, first).await {
            Ok(state) => state,
            // The disk or the sandbox, not the file: it is tried again.
            Err(error @ (LibraryError::Vault(_) | LibraryError::Sandbox(_) | LibraryError::Ending)) => {
                return Err(error).context("what a guest has added could not be taken in yet");
            }
            Err(full) if full.is_full() => return Err(full).context("what a guest has added waits for space"),
            Err(error) => UploadState::Failed(error.to_string()),
        },
    };
    let writer = core.clone();
    blocking(move || {
        settle(&writer, &id, &upload, state)?;
        writer.guests.drop_pieces(&id)?;
        anyhow::Ok(())
    })
    .await??;
    for job in [Job::Faces, Job::Videos, Job::Matching] {
        core.board.ring(job);
    }
    Ok(())
}

fn look_through(core: &Core, id: &ShortId) -> anyhow::Result<(ContentId, Vec<u8>)> {
    let (mut pieces, mut hasher, mut first) = (core.guests.read(id), blake3::Hasher::new(), Vec::new());
    let mut piece = zeroize::Zeroizing::new(vec![0; READ_BYTES]);
    loop {
        let read = pieces.read(&mut piece)?;
        let new = piece.get(..read).unwrap_or_default();
        if new.is_empty() {
            break;
        }
        first.extend(new.iter().take(VideoFormat::SNIFFED_BYTES.saturating_sub(first.len())));
        hasher.update(new);
    }
    Ok((ContentId(*hasher.finalize().as_bytes()), first))
}

/// What becomes of bytes that are here already. What the host has put into the trash is not brought back by a guest.
fn known(core: &Core, upload: &StoredUpload, id: &ShortId, content: &ContentId) -> Option<UploadState> {
    let asset = core.library.by_content(content)?;
    let Some(found) = core.library.get(asset) else { return Some(UploadState::Refused) };
    // Taken in before a crash.
    let own = found.origin == Origin::Guest { event: upload.event, guest: upload.guest };
    let taken = core.guests.uploads().iter().any(|(other, row)| other != id && row.state.asset() == Some(asset));
    Some(if own && !taken { UploadState::Waiting(asset) } else { UploadState::Known })
}

async fn import(
    core: &Arc<Core>,
    id: &ShortId,
    upload: &StoredUpload,
    first: Vec<u8>,
) -> Result<UploadState, LibraryError> {
    let library = core.library.for_guest(upload.event, upload.guest);
    let pieces = core.guests.read(id);
    let added = match VideoFormat::sniff(&first) {
        Some(format) => library.import_video(&upload.name, format, pieces).await?,
        None if upload.size_bytes > MAX_FILE_BYTES as u64 => {
            return Ok(UploadState::Failed("it is no video, and larger than a photo may be".into()));
        }
        None => {
            let whole = tokio::task::spawn_blocking(move || {
                let (mut pieces, mut whole) = (pieces, Vec::new());
                pieces.read_to_end(&mut whole).map(|_| whole)
            });
            let whole = whole.await.map_err(|_| LibraryError::Ending)?.map_err(LibraryError::Cut)?;
            library.import(&upload.name, Bytes::from(whole)).await?
        }
    };
    Ok(match added {
        Added::New(asset) => UploadState::Waiting(asset),
        // Another program beside the daemon may be able to show it.
        Added::File(asset, why) if why.may_change => UploadState::Waiting(asset),
        Added::File(asset, why) => {
            let remover = core.clone();
            let removed = tokio::task::spawn_blocking(move || remover.library.delete(asset)).await;
            removed.map_err(|_| LibraryError::Ending)??;
            core.board.ring(Job::Trash);
            UploadState::Failed(why.reason)
        }
        Added::Duplicate(_) | Added::Restored(_) => UploadState::Known,
    })
}

/// Whether what guests add to an event takes part only after the host's word: as the page says, and in any case where children are present (R81).
pub(crate) fn approves_first(core: &Core, event: &EventId) -> bool {
    core.events.children_present(event) || core.guests.page(event).is_none_or(|page| page.approve_first)
}

fn settle(core: &Arc<Core>, id: &ShortId, upload: &StoredUpload, state: UploadState) -> anyhow::Result<()> {
    let approve_first = approves_first(core, &upload.event);
    let (state, asset) = match state {
        UploadState::Waiting(asset) if !approve_first => {
            take_part(core, upload, asset, true)?;
            (UploadState::ShownUnseen(asset), Some(asset))
        }
        state => {
            let asset = state.asset();
            (state, asset)
        }
    };
    if let Some(asset) = asset {
        let what = match core.library.get(asset).map(|asset| matches!(asset.kind, AssetKind::Video { .. })) {
            Some(true) => "a video",
            _ => "a photo",
        };
        let waits = if matches!(state, UploadState::Waiting(_)) { "; it waits for your word" } else { "" };
        let (name, event) = (core.guests.name(&upload.guest), core.events.name(&upload.event));
        let text = format!("{name}, a guest of {event}, added {what}{waits}.");
        core.activity.note(ActivityKind::Arrived, text, Some(asset.to_string()), Some(upload.event.to_string()))?;
    }
    // The state last: what was not finished is done again after a crash.
    Ok(core.guests.set_upload(id, state, now_ms())?)
}

fn take_part(core: &Core, upload: &StoredUpload, asset: AssetId, takes: bool) -> anyhow::Result<()> {
    core.events.change_settings(&upload.event, |settings| {
        if takes {
            settings.chosen.insert(asset);
            settings.taken_out.remove(&asset);
        } else {
            settings.chosen.remove(&asset);
        }
    })?;
    Ok(())
}

/// What waits takes part in the event from now on, as its host looks at nothing first any more. Durable when it returns; blocking.
pub(crate) fn show_unseen(core: &Arc<Core>, id: &ShortId) -> anyhow::Result<()> {
    let Some(upload) = core.guests.upload(id) else { return Ok(()) };
    let UploadState::Waiting(asset) = upload.state else { return Ok(()) };
    take_part(core, &upload, asset, true)?;
    core.guests.set_upload(id, UploadState::ShownUnseen(asset), now_ms())?;
    core.board.ring(Job::Matching);
    Ok(())
}

/// The host's word on something that a guest added: it takes part in the event from now on, or goes into the trash. Whether it was there to be answered.
/// Durable when it returns; blocking.
pub(crate) fn show(core: &Arc<Core>, id: &ShortId, wanted: bool) -> anyhow::Result<bool> {
    let Some(upload) = core.guests.upload(id) else { return Ok(false) };
    let Some(asset) = upload.state.asset() else { return Ok(false) };
    take_part(core, &upload, asset, wanted)?;
    if wanted {
        core.guests.set_upload(id, UploadState::Shown(asset), now_ms())?;
    } else {
        core.guests.set_upload(id, UploadState::Refused, now_ms())?;
        if core.library.get(asset).is_some() {
            trash::discard(core, &[asset])??;
        }
    }
    core.board.ring(Job::Matching);
    Ok(true)
}

/// A guest takes back what they have added: it is deleted for good, past the trash, if it is theirs alone. Whether there was such an upload. Durable when
/// it returns; blocking.
pub(crate) fn withdraw(core: &Arc<Core>, guest: GuestId, id: &ShortId) -> anyhow::Result<bool> {
    let Some(upload) = core.guests.upload(id).filter(|upload| upload.guest == guest) else { return Ok(false) };
    let own = |asset: &AssetId| {
        let found = core.library.get(*asset).or_else(|| core.library.in_trash(*asset));
        found.is_some_and(|found| found.origin == Origin::Guest { event: upload.event, guest })
    };
    if let Some(asset) = upload.state.asset().filter(own) {
        if core.library.get(asset).is_some() {
            trash::discard(core, &[asset])??;
        }
        trash::purge(core, &[asset])?;
        take_part(core, &upload, asset, false)?;
        let (name, event) = (core.guests.name(&guest), core.events.name(&upload.event));
        let text = format!("{name}, a guest of {event}, deleted something that they had added.");
        core.activity.note(ActivityKind::Consent, text, None, Some(upload.event.to_string()))?;
    }
    core.guests.drop_upload(id)?;
    core.board.ring(Job::Guests);
    Ok(true)
}
