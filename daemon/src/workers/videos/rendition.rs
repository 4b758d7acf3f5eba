//! The bytes of a video that may leave: pictures and sound, packed anew without anything else (promise D4).

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use inframe_protocol::OfferId;
use inframe_protocol::groups::GroupHasher;
use inframe_protocol::limits::MAX_RENDITION_BYTES;

use super::input;
use crate::library::{AssetId, AssetKind, PlayableState};
use crate::sandbox::Details;
use crate::sharing::ledgers::Rendition;
use crate::vault::{BlobId, BlobKind};
use crate::video::{CopyFile, Input, VideoError, VideoFormat, Wanted};
use crate::workers::{Core, blocking, sending};

/// Bytes copied at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Media type of every rendition of a video.
pub(crate) const MEDIA_TYPE: &str = "video/mp4";

/// Why there is nothing to make one of.
const DELETED: &str = "the video was deleted";

/// Makes the rendition of a video; an inner error says why it never can be made.
pub(crate) async fn rendition(
    core: &Arc<Core>,
    id: AssetId,
    offer: OfferId,
    details: Details,
) -> anyhow::Result<Result<Rendition, String>> {
    let Some(input) = input(core, id).await? else { return Ok(Err(DELETED.into())) };
    of_input(core, input, offer, details).await
}

/// The same for guests, who have only a browser to play it with: of the copy that browsers play where there is one, and with no details.
pub(crate) async fn rendition_for_guests(core: &Arc<Core>, id: AssetId) -> anyhow::Result<Result<Rendition, String>> {
    let playable = core.library.get(id).and_then(|asset| match &asset.kind {
        AssetKind::Video { playable, .. } => Some(playable.clone()),
        _ => None,
    });
    let input = match playable {
        Some(PlayableState::Copy(blob)) => {
            let reader = core.clone();
            Some(blocking(move || copy_input(&reader, blob)).await?)
        }
        Some(_) => input(core, id).await?,
        None => None,
    };
    let Some(input) = input else { return Ok(Err(DELETED.into())) };
    of_input(core, input, OfferId(id.0), Details::default()).await
}

/// A copy, in the order in which it is read.
fn copy_input(core: &Core, blob: BlobId) -> Result<Input, VideoError> {
    let opened = core.library.blob_reader(blob);
    let (read, stored_bytes) = opened.map_err(|error| VideoError::Read(std::io::Error::other(error)))?;
    let copy = CopyFile::open(read, stored_bytes).map_err(VideoError::Read)?;
    let size_bytes = copy.size_bytes();
    let read = move |offset: u64, out: &mut [u8]| copy.read_at(offset, out);
    Ok(Input::open(Arc::new(read), size_bytes, VideoFormat::Mp4)?)
}

async fn of_input(
    core: &Arc<Core>,
    input: Result<Input, VideoError>,
    offer: OfferId,
    details: Details,
) -> anyhow::Result<Result<Rendition, String>> {
    let made = match input {
        Ok(input) => make(core, &input, offer, details).await?,
        Err(error) => Err(error),
    };
    match made {
        Ok(rendition) if rendition.size_bytes > MAX_RENDITION_BYTES => {
            let remover = core.clone();
            blocking(move || remover.vault.blobs().remove(rendition.blob)).await??;
            Ok(Err(format!("it is too large to be sent: at most {} GiB can be", MAX_RENDITION_BYTES >> 30)))
        }
        Ok(rendition) => Ok(Ok(rendition)),
        Err(error) if error.is_final() || error.is_strike() => Ok(Err(error.to_string())),
        Err(error) => Err(error).context("the egress filter for videos is not available"),
    }
}

async fn make(
    core: &Arc<Core>,
    input: &Input,
    offer: OfferId,
    details: Details,
) -> anyhow::Result<Result<Rendition, VideoError>> {
    let facts = match core.videos.probe(input).await {
        Ok(facts) => facts,
        Err(error) => return Ok(Err(error)),
    };
    let (opener, wanted) = (core.clone(), Wanted::Rendition(details));
    let writer = blocking(move || opener.vault.blobs().writer(BlobKind::Playable, &offer.0)).await??;
    let writer = match core.videos.copy(input, wanted, &facts, writer, |_| std::future::ready(())).await {
        Ok(writer) => writer,
        Err(error) => return Ok(Err(error)),
    };
    let packer = core.clone();
    let rendition = blocking(move || {
        let stored = writer.finish()?;
        let packed = pack(&packer, stored, offer);
        packer.vault.blobs().remove(stored)?;
        packed
    })
    .await??;
    // The tool was told to leave behind what does not stay; it is asked whether it did.
    let reader = core.clone();
    let blob = rendition.blob;
    let (read, size_bytes) = blocking(move || reader.library.blob_reader(blob)).await??;
    let opened = blocking(move || Input::open(read, size_bytes, VideoFormat::Mp4)).await?;
    let said = match opened {
        Ok(input) => core.videos.probe(&input).await,
        Err(error) => Err(error.into()),
    };
    let refusal = match said {
        Ok(facts)
            if (details.place || !facts.has_location)
                && (details.camera || facts.camera.is_none())
                && (details.time || facts.taken_at.is_none()) =>
        {
            return Ok(Ok(Rendition { details, ..rendition }));
        }
        Ok(_) => VideoError::Refused("where, when or with what it was taken could not be removed".into()),
        Err(error) => error,
    };
    let remover = core.clone();
    blocking(move || remover.vault.blobs().remove(blob)).await??;
    Ok(Err(refusal))
}

/// Writes the copy in the order in which it is read; blocking.
fn pack(core: &Core, stored: BlobId, offer: OfferId) -> anyhow::Result<Rendition> {
    let (read, stored_bytes) = core.library.blob_reader(stored)?;
    let copy = CopyFile::open(read, stored_bytes)?;
    let mut writer = core.vault.blobs().writer(BlobKind::Rendition, &offer.0)?;
    let mut hasher = GroupHasher::new();
    loop {
        let piece = copy.piece(writer.written(), PIECE_BYTES)?;
        if piece.is_empty() {
            break;
        }
        hasher.update(&piece);
        writer.write_all(&piece)?;
    }
    let list = hasher.finish()?;
    Ok(sending::kept(core, writer.finish()?, list))
}
