//! Assets that are no pictures: kept as they are, shown as a file with the reason, and looked at again when that may help.

use std::io::Read;
use std::sync::Arc;

use inframe_protocol::ContentId;

use super::{
    Added, AssetId, AssetKind, FacesState, Library, LibraryError, NewAsset, Sort, Source, StoredAsset, StoredMotion,
    meta, of_original,
};
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::sandbox::{Inspection, Refusal};
use crate::vault::{Batch, BlobKind};

/// Media type of what is no known picture: whatever it is, a browser keeps its hands off it.
const UNKNOWN: &str = "application/octet-stream";

/// Why a file cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unshown {
    /// In words for its owner.
    pub reason: String,
    /// Whether another version of this program, or a program beside it, may be able to show it.
    pub may_change: bool,
}

impl Unshown {
    /// Of a file that no decoder is given.
    pub(super) fn too_large() -> Self {
        let reason = format!(
            "it is larger than {} MiB, and such pictures are not shown; it is safe here and can be downloaded",
            MAX_FILE_BYTES >> 20
        );
        Self { reason, may_change: false }
    }

    /// Of a file over which decoders stopped too often, the last time for this reason.
    pub(super) fn left_alone(reason: &str) -> Self {
        let reason = format!(
            "reading this file as a picture was broken off three times ({reason}), so it is left alone; the settings list it and can try again"
        );
        Self { reason, may_change: false }
    }
}

impl From<Refusal> for Unshown {
    fn from(refusal: Refusal) -> Self {
        let may_change = matches!(
            refusal,
            Refusal::NeedsLibheif
                | Refusal::Unsupported(_)
                | Refusal::TooManyPixels { .. }
                | Refusal::SideTooLong { .. }
                | Refusal::NeedsTooMuchMemory
        );
        Self { reason: refusal.to_string(), may_change }
    }
}

impl Library {
    /// Adds a file that is too large for the decoders as its bytes come, in constant memory. Durable when it returns.
    ///
    /// # Errors
    /// When the bytes cannot be read to their end or the vault fails; nothing is kept then.
    pub async fn import_large(
        &self,
        file_name: &str,
        bytes: impl Read + Send + 'static,
    ) -> Result<Added, LibraryError> {
        self.import_stream(file_name, bytes, |library, id, new| library.adopt_file(id, new, Unshown::too_large())).await
    }

    /// Takes in a file that cannot be shown. Durable when it returns; blocking.
    pub(super) fn adopt_file(&self, id: AssetId, new: NewAsset, why: Unshown) -> Result<Added, LibraryError> {
        let faces = FacesState::Failed(why.reason.clone());
        let kind = AssetKind::File { reason: why.reason.clone(), may_change: why.may_change };
        self.adopt_unseen(id, new, kind, UNKNOWN, faces).map(|id| Added::File(id, why))
    }

    /// Takes in an asset of which nothing is known but its bytes.
    pub(super) fn adopt_unseen(
        &self,
        id: AssetId,
        new: NewAsset,
        kind: AssetKind,
        media_type: &str,
        faces: FacesState,
    ) -> Result<AssetId, LibraryError> {
        let NewAsset { file_name, content, size_bytes, original, origin, taken_at, doubtful } = new;
        let original = match original {
            Source::Plain(bytes) => {
                self.vault.blobs().put(BlobKind::Original, &of_original(id, &file_name, &origin), &bytes)?
            }
            Source::Stored(blob) => blob,
        };
        let asset = StoredAsset {
            kind,
            content,
            file_name,
            media_type: media_type.to_owned(),
            size_bytes,
            width: 0,
            height: 0,
            taken_at,
            offset_minutes: None,
            imported_at: crate::clock::now_ms(),
            camera: None,
            has_location: false,
            mean_colour: GREY,
            thumbhash: Vec::new(),
            original,
            grid: None,
            preview: None,
            motion: None,
            origin,
            doubtful,
            faces,
            trashed: None,
        };
        self.keep(id, asset, Batch::default())?;
        Ok(id)
    }

    /// Files that may be shown by another version or with another program beside it.
    #[must_use]
    pub fn undecided_files(&self) -> Vec<(AssetId, Arc<StoredAsset>)> {
        self.select(Sort::File, |asset| matches!(asset.kind, AssetKind::File { may_change: true, .. }))
    }

    /// Looks at such a file again; it becomes a photo if it can be shown now. Gives whether it did.
    ///
    /// # Errors
    /// When the vault fails, or the sandbox for a reason that is not the file's.
    pub async fn look_again(&self, id: AssetId) -> Result<bool, LibraryError> {
        let reader = self.clone();
        let read = tokio::task::spawn_blocking(move || reader.read_original(id));
        let bytes = read.await.map_err(|_| LibraryError::Ending)??;
        let file = self.get(id).ok_or(LibraryError::NotFound)?;
        let inspection = match self.inspect(file.content, &file.file_name, bytes.clone()).await? {
            Ok(inspection) => inspection,
            Err(why) => {
                // The same words again need no write.
                let same = |asset: &StoredAsset| matches!(&asset.kind, AssetKind::File { reason, .. } if *reason == why.reason);
                if self.get(id).is_some_and(|asset| same(&asset)) {
                    return Ok(false);
                }
                let writer = self.clone();
                let kind = AssetKind::File { reason: why.reason, may_change: why.may_change };
                let written =
                    tokio::task::spawn_blocking(move || writer.change(id, Batch::default(), |asset| asset.kind = kind));
                written.await.map_err(|_| LibraryError::Ending)??;
                return Ok(false);
            }
        };
        let writer = self.clone();
        let shown = tokio::task::spawn_blocking(move || writer.show(id, &bytes, inspection));
        shown.await.map_err(|_| LibraryError::Ending)??;
        Ok(true)
    }

    /// Makes a file a photo.
    fn show(&self, id: AssetId, bytes: &[u8], inspection: Inspection) -> Result<(), LibraryError> {
        let motion = StoredMotion::at_the_end(bytes, &inspection);
        let mut blobs = self.vault.blobs().batch()?;
        let grid = blobs.put(BlobKind::Grid, &meta(id, ""), &inspection.grid)?;
        let preview = blobs.put(BlobKind::Preview, &meta(id, ""), &inspection.preview)?;
        blobs.commit()?;
        self.change(id, Batch::default(), |asset| {
            asset.kind = AssetKind::Photo;
            asset.media_type = inspection.media_type().to_owned();
            asset.width = inspection.width;
            asset.height = inspection.height;
            asset.taken_at = inspection.taken_at.map(|time| time.unix_ms(0)).or(asset.taken_at);
            asset.offset_minutes = inspection.taken_at.and_then(|time| time.offset_min);
            asset.camera = inspection.camera;
            asset.has_location = inspection.has_location;
            asset.mean_colour = inspection.mean_rgb565;
            asset.thumbhash = inspection.thumbhash;
            asset.grid = Some(grid);
            asset.preview = Some(preview);
            asset.motion = motion;
            asset.faces = FacesState::Waiting { strikes: 0 };
        })
    }

    /// Adds the moving part of a photo that came as a file of its own, unless it has one. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When there is no such photo or the vault fails.
    pub fn add_motion(&self, id: AssetId, media_type: &str, bytes: &[u8]) -> Result<(), LibraryError> {
        if self.get(id).ok_or(LibraryError::NotFound)?.motion.is_some() {
            return Ok(());
        }
        let blob = self.vault.blobs().put(BlobKind::Original, &meta(id, ""), bytes)?;
        let motion = StoredMotion {
            content: ContentId::of(bytes),
            media_type: media_type.to_owned(),
            size_bytes: bytes.len() as u64,
            blob: Some(blob),
        };
        let mut unused = Some(blob);
        let changed = self.change(id, Batch::default(), |asset| {
            if asset.motion.is_none() {
                asset.motion = Some(motion);
                unused = None;
            }
        });
        if let Some(blob) = unused {
            self.vault.blobs().remove(blob)?;
        }
        changed
    }

    /// The photo whose moving part these bytes are.
    pub(super) fn photo_of(&self, film: &ContentId) -> Option<AssetId> {
        let has = |asset: &StoredAsset| asset.motion.as_ref().is_some_and(|motion| motion.content == *film);
        self.index().select(|packed| packed.film, has).map(|(id, _)| id).next()
    }
}

/// What stands for a file that has no colours of its own: a middle grey.
const GREY: u16 = 16 << 11 | 32 << 5 | 16;

impl StoredMotion {
    /// The film that a photo carries at its end, if the sandbox found one; its words are held against the file (D8).
    pub(super) fn at_the_end(bytes: &[u8], inspection: &Inspection) -> Option<Self> {
        let size_bytes = inspection.motion_bytes?;
        let start = bytes.len().checked_sub(usize::try_from(size_bytes).ok()?)?;
        let film = bytes.get(start..).filter(|_| start > 0)?;
        let content = ContentId::of(film);
        Some(Self { content, media_type: "video/mp4".to_owned(), size_bytes, blob: None })
    }
}
