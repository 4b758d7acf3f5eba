//! Videos in which a guest was found, as they play or save them.

use std::sync::Arc;

use super::super::library::asset_id;
use super::super::{Answer, Node, NodeError, Original};
use super::{Visitor, note_seen};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::library::{AssetId, AssetKind, PlayableState};
use crate::workers::Core;
use crate::workers::guests::{self as guests_worker, may_see};

/// Its name at the guest: the one that the host gave it says nothing to them, and perhaps too much.
const FILE_NAME: &str = "video.mp4";

impl Node {
    /// A video that a guest may see, as it may leave (D4): made anew where it was not made before, and asked for anew at each piece, so that a word of the host
    /// or of somebody in it ends a slow answer as well. To be played, or saved as a whole; the activity says which before the first byte leaves.
    ///
    /// # Errors
    /// When there is no such video for them, it is not ready yet, or it cannot be made safe to leave.
    pub async fn guest_video(&self, visitor: Visitor, id: &str, to_play: bool) -> Answer<Original> {
        let id = asset_id(id).map_err(|_| NodeError::NotFound("video"))?;
        self.blocking(move |core| is_theirs(core, visitor, id)).await?;
        let made = guests_worker::video(&self.core, id).await;
        let made = made.map_err(|error| NodeError::Internal(format!("the video cannot be made ready: {error:#}")))?;
        let ready = made.map_err(|reason| {
            NodeError::Conflict("video-not-playable", format!("the video cannot be made ready: {reason}"))
        })?;
        self.blocking(move |core| {
            // It took a while.
            is_theirs(core, visitor, id)?;
            note_seen(core, visitor, id)?;
            if to_play && core.guest_videos.is_news(id, visitor.guest) {
                let (name, event) = (core.guests.name(&visitor.guest), core.events.name(&visitor.event));
                let text = format!("{name}, a guest of {event}, plays a video of themselves.");
                core.activity.note(ActivityKind::Left, text, Some(id.to_string()), Some(visitor.event.to_string()))?;
                core.guest_videos.was_told(id, visitor.guest);
            }
            let (reader, asker) = (core.vault.blobs().open(ready.blob)?, core.clone());
            let read_at = move |offset: u64, len: usize| {
                is_theirs(&asker, visitor, id)?;
                let mut bytes = reader.rest_of_chunk(offset)?;
                bytes.truncate(len);
                Ok(bytes)
            };
            Ok(Original {
                media_type: guests_worker::VIDEO_TYPE.to_owned(),
                file_name: FILE_NAME.to_owned(),
                size_bytes: ready.size_bytes,
                tag: data_encoding::HEXLOWER.encode(ready.blob.as_bytes()),
                is_shown: to_play,
                start: 0,
                read_at: Arc::new(read_at),
            })
        })
        .await
    }
}

/// Whether a guest may have a video now; what is not theirs to see is not there.
fn is_theirs(core: &Core, visitor: Visitor, id: AssetId) -> Answer<()> {
    may_see(core, &visitor.event, visitor.guest, id, now_ms()).ok_or(NodeError::NotFound("video"))?;
    let asset = core.library.get(id).ok_or(NodeError::NotFound("video"))?;
    match &asset.kind {
        AssetKind::Video { playable: PlayableState::Original | PlayableState::Copy(_), .. } => Ok(()),
        AssetKind::Video { playable: PlayableState::Waiting { .. }, .. } => Err(NodeError::Conflict(
            "video-not-ready",
            "the host's device is still preparing this video; try again in a while".into(),
        )),
        AssetKind::Video { playable: PlayableState::Failed(reason), .. } => {
            Err(NodeError::Conflict("video-not-playable", reason.clone()))
        }
        _ => Err(NodeError::NotFound("video")),
    }
}
