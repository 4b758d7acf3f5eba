//! Videos of the library: taken in as a stream, looked at later.

use std::io::{self, Read};

use super::{Added, AssetId, AssetKind, FacesState, Library, LibraryError, NewAsset, PlayableState, meta};
use crate::sandbox::Inspection;
use crate::vault::{Batch, BlobId, BlobKind};
use crate::video::{Input, Playing, ReadAt, VideoError, VideoFacts, VideoFormat};

/// What was found out about a video.
pub struct Look {
    /// What it says of itself.
    pub facts: VideoFacts,
    /// Its poster, examined as a photo.
    pub poster: Inspection,
}

impl Library {
    /// Adds a video chosen by the owner as its bytes come, in constant memory. Durable when it returns; what it shows is found out later.
    ///
    /// # Errors
    /// When the bytes cannot be read to their end or the vault fails; nothing is kept then.
    pub async fn import_video(
        &self,
        file_name: &str,
        format: VideoFormat,
        bytes: impl Read + Send + 'static,
    ) -> Result<Added, LibraryError> {
        self.import_stream(file_name, bytes, move |library, id, new| {
            library.adopt_video(id, new, format).map(Added::New)
        })
        .await
    }

    /// Takes in a video whose bytes are a blob already. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn adopt_video(&self, id: AssetId, new: NewAsset, format: VideoFormat) -> Result<AssetId, LibraryError> {
        let kind = AssetKind::Video { duration_ms: 0, playable: PlayableState::Waiting { strikes: 0 } };
        self.adopt_unseen(id, new, kind, format.media_type(), FacesState::Waiting { strikes: 0 })
    }

    /// Keeps what was found out about a video, with its poster. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When there is no such asset or the vault fails.
    pub fn looked(&self, id: AssetId, look: Look) -> Result<(), LibraryError> {
        let Look { facts, poster } = look;
        let mut blobs = self.vault.blobs().batch()?;
        let grid = blobs.put(BlobKind::Grid, &meta(id, ""), &poster.grid)?;
        let preview = blobs.put(BlobKind::Preview, &meta(id, ""), &poster.preview)?;
        blobs.commit()?;
        let kept = self.change(id, Batch::default(), |asset| {
            let playable = match facts.playing {
                Playing::Original => PlayableState::Original,
                Playing::Repack | Playing::Convert => PlayableState::Waiting { strikes: 0 },
            };
            asset.kind = AssetKind::Video { duration_ms: facts.duration_ms, playable };
            (asset.width, asset.height) = (facts.width, facts.height);
            asset.taken_at = facts.taken_at.map(|time| time.unix_ms(0)).or(asset.taken_at);
            asset.offset_minutes = facts.taken_at.and_then(|time| time.offset_min);
            asset.camera = facts.camera;
            asset.has_location = facts.has_location;
            asset.mean_colour = poster.mean_rgb565;
            asset.thumbhash = poster.thumbhash;
            (asset.grid, asset.preview) = (Some(grid), Some(preview));
        });
        if kept.is_err() {
            // Deleted meanwhile; what stays is swept at the next start.
            for blob in [grid, preview] {
                let _ = self.vault.blobs().remove(blob);
            }
        }
        kept
    }

    /// Changes whether a video plays in a browser; a copy that is no longer wanted goes. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When there is no such asset or the vault fails.
    pub fn set_playable(&self, id: AssetId, state: PlayableState) -> Result<(), LibraryError> {
        let made = if let PlayableState::Copy(blob) = &state { Some(*blob) } else { None };
        let kept = self.change(id, Batch::default(), |asset| {
            if let AssetKind::Video { playable, .. } = &mut asset.kind {
                *playable = state;
            }
        });
        if let (Err(_), Some(blob)) = (&kept, made) {
            let _ = self.vault.blobs().remove(blob);
        }
        kept
    }

    /// A video as it is piped into a tool; blocking.
    ///
    /// # Errors
    /// When there is no such video or it cannot be read; the latter with words for the owner.
    pub fn video_input(&self, id: AssetId) -> Result<Result<Input, VideoError>, LibraryError> {
        let asset = self.get(id).ok_or(LibraryError::NotFound)?;
        let format = VideoFormat::of_media_type(&asset.media_type).ok_or(LibraryError::NoPicture)?;
        let (read, size_bytes) = self.blob_reader(asset.original)?;
        Ok(Input::open(read, size_bytes, format).map_err(VideoError::from))
    }

    /// Reads a blob at any place; blocking. Also gives its plain size.
    ///
    /// # Errors
    /// When the blob is not there or damaged.
    pub fn blob_reader(&self, blob: BlobId) -> Result<(ReadAt, u64), LibraryError> {
        let reader = self.vault.blobs().open(blob)?;
        let size_bytes = reader.len();
        let read = move |offset: u64, out: &mut [u8]| reader.read_at(offset, out).map_err(io::Error::other);
        Ok((std::sync::Arc::new(read), size_bytes))
    }
}
