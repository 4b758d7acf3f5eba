//! Videos of the library: taken in as a stream, looked at later.

use std::io::{self, Read, Write as _};

use inframe_protocol::ContentId;

use super::{
    Added, AssetId, AssetKind, FacesState, Library, LibraryError, NewAsset, Origin, PlayableState, Source, Unshown,
};
use super::{meta, shown_name};
use crate::sandbox::Inspection;
use crate::vault::{Batch, BlobError, BlobId, BlobKind};
use crate::video::{Input, Playing, ReadAt, VideoError, VideoFacts, VideoFormat};

/// Bytes copied at once from a file or an upload into the vault.
const COPIED_BYTES: usize = 256 * 1024;

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
        let adopt = move |library: &Self, id, new| library.adopt_video(id, new, format).map(Added::New);
        self.import_stream(file_name, bytes, adopt).await
    }

    /// Adds a file that is too large for the decoders as its bytes come, in constant memory. Durable when it returns.
    ///
    /// # Errors
    /// As [`Library::import_video`].
    pub async fn import_large(
        &self,
        file_name: &str,
        bytes: impl Read + Send + 'static,
    ) -> Result<Added, LibraryError> {
        let adopt = |library: &Self, id, new| {
            let why = Unshown::too_large();
            library.adopt_file(id, new, why.clone()).map(|id| Added::File(id, why))
        };
        self.import_stream(file_name, bytes, adopt).await
    }

    async fn import_stream(
        &self,
        file_name: &str,
        bytes: impl Read + Send + 'static,
        adopt: impl FnOnce(&Self, AssetId, NewAsset) -> Result<Added, LibraryError> + Send + 'static,
    ) -> Result<Added, LibraryError> {
        let id = AssetId::random().map_err(|_| LibraryError::Random)?;
        let file_name = shown_name(file_name);
        let (library, note) = (self.clone(), meta(id, &file_name));
        let written = tokio::task::spawn_blocking(move || library.write(&note, bytes)).await;
        let (writer, content) = written.map_err(|_| LibraryError::Ending)??;
        let claim = match self.claim(content).await? {
            Ok(claim) => claim,
            // The writer goes, and with it what it wrote.
            Err(known) => return Ok(Added::Duplicate(known)),
        };
        if let Some(photo) = self.photo_of(&content) {
            return Ok(Added::Duplicate(photo));
        }
        let library = self.clone();
        let added = tokio::task::spawn_blocking(move || {
            let size_bytes = writer.written();
            let original = Source::Stored(writer.finish()?);
            let origin = Origin::Imported;
            let new = NewAsset { file_name, content, size_bytes, original, origin, taken_at: None, doubtful: false };
            adopt(&library, id, new)
        });
        let added = added.await;
        drop(claim);
        added.map_err(|_| LibraryError::Ending)?
    }

    fn write(&self, note: &[u8], mut bytes: impl Read) -> Result<(crate::vault::BlobWriter, ContentId), LibraryError> {
        let mut writer = self.vault.blobs().writer(BlobKind::Original, note)?;
        let mut hasher = blake3::Hasher::new();
        let mut piece = zeroize::Zeroizing::new(vec![0; COPIED_BYTES]);
        loop {
            let read = match bytes.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(LibraryError::Cut(error)),
            };
            let new = piece.get(..read).unwrap_or_default();
            hasher.update(new);
            if let Err(error) = writer.write_all(new) {
                return Err(match BlobError::of(&error) {
                    Some(BlobError::TooLarge { size, limit }) => {
                        LibraryError::TooLarge { size_bytes: *size, limit_bytes: *limit }
                    }
                    _ => LibraryError::Write(error),
                });
            }
        }
        Ok((writer, ContentId(*hasher.finalize().as_bytes())))
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
