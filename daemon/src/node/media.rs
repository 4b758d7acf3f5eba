//! Bytes of the library as they are read in pieces: originals, videos and the films of photos.

use std::sync::Arc;

use bytes::Bytes;

use super::library::asset_id;
use super::{Answer, Node, NodeError, Original, ReadAt};
use crate::library::{AssetId, AssetKind, PlayableState, StoredAsset};
use crate::vault::BlobId;
use crate::video::{CopyFile, VideoError};
use crate::views::VideoView;
use crate::workers::{Core, Job};

/// What is done with a file that was found, on a blocking thread.
pub trait Reading<T>: FnOnce(Original) -> T + Send + 'static {}

impl<T, F: FnOnce(Original) -> T + Send + 'static> Reading<T> for F {}

impl Node {
    /// An original, to be read piece by piece: `then` may begin at once, on the blocking thread that found it.
    ///
    /// # Errors
    /// When there is no such photo or its file is damaged.
    pub async fn original<T: Send + 'static>(&self, id: String, then: impl Reading<T>) -> Answer<T> {
        let id = asset_id(&id)?;
        self.blocking(move |core| {
            let asset = core.library.get(id).ok_or(NodeError::NotFound("photo"))?;
            Ok(then(Original {
                media_type: asset.media_type.clone(),
                file_name: asset.file_name.clone(),
                size_bytes: asset.size_bytes,
                tag: id.to_string(),
                is_shown: false,
                start: 0,
                read_at: reading(core, asset.original)?,
            }))
        })
        .await
    }

    /// A video in a form that browsers play, to be read as an original is.
    ///
    /// # Errors
    /// When there is no such video, it cannot be played (yet), or its file is damaged.
    pub async fn video<T: Send + 'static>(&self, id: String, then: impl Reading<T>) -> Answer<T> {
        let id = asset_id(&id)?;
        self.blocking(move |core| {
            let asset = core.library.get(id).ok_or(NodeError::NotFound("video"))?;
            let AssetKind::Video { playable, .. } = &asset.kind else { return Err(NodeError::NotFound("video")) };
            let (read_at, size_bytes, media_type): (ReadAt, _, _) = match playable {
                PlayableState::Original => (reading(core, asset.original)?, asset.size_bytes, asset.media_type.clone()),
                PlayableState::Copy(blob) => {
                    let (read, stored_bytes) = core.library.blob_reader(*blob)?;
                    let copy = CopyFile::open(read, stored_bytes).map_err(unreadable)?;
                    let size_bytes = copy.size_bytes();
                    let read_at = move |offset: u64, len: usize| {
                        let mut bytes = vec![0; len];
                        let count = copy.read_at(offset, &mut bytes).map_err(unreadable)?;
                        bytes.truncate(count);
                        Ok(Bytes::from(bytes))
                    };
                    (Arc::new(read_at), size_bytes, "video/mp4".to_owned())
                }
                PlayableState::Waiting { .. } => {
                    let reason = "the video is being prepared for playing; it plays here as soon as that is done";
                    return Err(NodeError::Conflict("video-not-ready", reason.into()));
                }
                PlayableState::Failed(reason) => return Err(NodeError::Conflict("video-not-playable", reason.clone())),
            };
            // A copy may come where the original was shown before, under the same address.
            let copy = if matches!(playable, PlayableState::Copy(_)) { "copy" } else { "" };
            let (file_name, tag) = (asset.file_name.clone(), format!("{id}{copy}"));
            Ok(then(Original { media_type, file_name, size_bytes, tag, is_shown: true, start: 0, read_at }))
        })
        .await
    }

    /// The film that was taken with a photo, to be read as an original is.
    ///
    /// # Errors
    /// When there is no such photo, it has no film, or its file is damaged.
    pub async fn motion<T: Send + 'static>(&self, id: String, then: impl Reading<T>) -> Answer<T> {
        let id = asset_id(&id)?;
        self.blocking(move |core| {
            let asset = core.library.get(id).ok_or(NodeError::NotFound("photo"))?;
            let motion = asset.motion.as_ref().ok_or(NodeError::NotFound("film of this photo"))?;
            let (blob, start) = match motion.blob {
                Some(blob) => (blob, 0),
                None => (asset.original, asset.size_bytes.saturating_sub(motion.size_bytes)),
            };
            let stem = asset.file_name.rsplit_once('.').map_or(asset.file_name.as_str(), |(stem, _)| stem);
            let ending = if motion.media_type == "video/quicktime" { "mov" } else { "mp4" };
            Ok(then(Original {
                media_type: motion.media_type.clone(),
                file_name: format!("{stem}.{ending}"),
                size_bytes: motion.size_bytes,
                tag: format!("{id}m"),
                is_shown: false,
                start,
                read_at: reading(core, blob)?,
            }))
        })
        .await
    }
}

/// The words of a failure to read a stored video.
fn unreadable(error: std::io::Error) -> NodeError {
    NodeError::Internal(format!("the stored video cannot be read: {error}"))
}

pub(super) fn video_view(core: &Core, id: AssetId, asset: &StoredAsset) -> Option<VideoView> {
    let AssetKind::Video { duration_ms, playable } = &asset.kind else { return None };
    let state = match playable {
        PlayableState::Original | PlayableState::Copy(_) => "ready",
        PlayableState::Waiting { .. } => "waiting",
        PlayableState::Failed(_) => "failed",
    };
    let reason = match playable {
        PlayableState::Failed(reason) => Some(reason.clone()),
        PlayableState::Waiting { .. } if !core.videos.are_there() => Some(VideoError::NoTools.to_string()),
        _ => None,
    };
    Some(VideoView {
        duration_ms: *duration_ms,
        playable: state.into(),
        reason,
        copy_percent: core.video_progress.of(id, Job::Copies),
        faces_percent: core.video_progress.of(id, Job::VideoFaces),
    })
}

/// Reads a blob.
fn reading(core: &Core, blob: BlobId) -> Answer<ReadAt> {
    let reader = core.vault.blobs().open(blob)?;
    Ok(Arc::new(move |offset: u64, len: usize| {
        let mut bytes = reader.rest_of_chunk(offset)?;
        bytes.truncate(len);
        Ok(bytes)
    }))
}
