//! Originals that no row names, taken in again: after the catalog lost rows, all that is known of a photo is what it says itself and the sealed note in
//! its header.
//!
//! What only the catalog knew is gone with it: names that the owner gave to people, decisions, whether it lay in the trash. What was being deleted for
//! good does not come back: that is noted outside the catalog.

use std::sync::PoisonError;

use bytes::Bytes;
use inframe_protocol::{ContentId, EventId, FindMeId, MemberId, OfferId};

use super::note::{self, Note, Received};
use super::{AssetId, Library, LibraryError, NewAsset, Origin, Source, StoredMotion, Unshown, shown_name};
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::vault::{Batch, BlobId, BlobKind};
use crate::video::VideoFormat;

/// What became of a blob that no row names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Salvaged {
    /// It is an asset again.
    Back(AssetId),
    /// The moving part of this asset is there again.
    Film(AssetId),
    /// The moving part of an asset that is not there (yet).
    FilmOf(AssetId),
    /// The same bytes are there already; this copy is erased.
    Duplicate,
    /// No original: whatever it is, it can be made again.
    Other,
}

/// What a blob says of itself.
struct Found {
    note: Note,
    content: ContentId,
    size_bytes: u64,
    head: Vec<u8>,
    written_at: Option<u64>,
}

impl Library {
    /// Takes the original in `blob`, which no row names, in again. Durable when it returns.
    ///
    /// # Errors
    /// When the blob is damaged or the vault fails; it stays as it is then.
    pub async fn salvage(&self, blob: BlobId) -> Result<Salvaged, LibraryError> {
        let library = self.clone();
        let Some(found) = self.run(move || library.look_into(blob)).await? else { return Ok(Salvaged::Other) };
        if let Note::Part(asset) = found.note {
            let library = self.clone();
            return self.run(move || library.film_again(asset, blob, &found)).await;
        }
        let claim = match self.claim(found.content).await? {
            Ok(claim) => claim,
            Err(known) => return self.second(known.id(), blob).await,
        };
        let back = self.take_in_again(blob, found).await;
        drop(claim);
        back
    }

    fn look_into(&self, blob: BlobId) -> Result<Option<Found>, LibraryError> {
        let blobs = self.vault.blobs();
        let entry = blobs.describe(blob)?;
        if entry.kind != BlobKind::Original {
            return Ok(None);
        }
        let (mut hasher, mut head) = (blake3::Hasher::new(), Vec::new());
        blobs.walk(blob, |plain| {
            let missing = VideoFormat::SNIFFED_BYTES.saturating_sub(head.len());
            head.extend(plain.iter().take(missing));
            hasher.update(plain);
            true
        })?;
        Ok(Some(Found {
            note: note::read(blob, &entry.meta),
            content: ContentId(*hasher.finalize().as_bytes()),
            size_bytes: entry.size_bytes,
            head,
            written_at: blobs.written_at(blob),
        }))
    }

    async fn take_in_again(&self, blob: BlobId, found: Found) -> Result<Salvaged, LibraryError> {
        let (asset, file_name, origin, taken_at) = match found.note {
            Note::Own { asset, file_name } => (Some(asset), shown_name(&file_name), Origin::Imported, None),
            Note::Received(Received { origin, taken_at }) => (None, String::new(), origin, taken_at),
            Note::Offered(offer) => (None, String::new(), of_nobody(offer), None),
            // What nobody knows the origin of is never passed on to others.
            Note::Part(_) | Note::Unknown => (None, String::new(), of_nobody(OfferId(blob.0)), None),
        };
        let id = match asset.filter(|id| self.get(*id).is_none() && self.in_trash(*id).is_none()) {
            Some(id) => id,
            None => AssetId::random().map_err(|_| LibraryError::Random)?,
        };
        let is_own = origin == Origin::Imported;
        let named = |extension: &str| match file_name.as_str() {
            "" => format!("inframe-{}.{extension}", blob.to_string().get(..8).unwrap_or_default()),
            name => name.to_owned(),
        };
        let new = |extension: &str| NewAsset {
            file_name: named(extension),
            content: found.content,
            size_bytes: found.size_bytes,
            original: Source::Stored(blob),
            origin: origin.clone(),
            taken_at,
            doubtful: false,
        };
        let mut motion = None;
        let library = self.clone();
        if let Some(format) = VideoFormat::sniff(&found.head) {
            let new = new(format.extension());
            self.run(move || library.adopt_video(id, new, format)).await?;
        } else if found.size_bytes > MAX_FILE_BYTES as u64 {
            let new = new("bin");
            self.run(move || library.adopt_file(id, new, Unshown::too_large())).await?;
        } else {
            let reader = self.vault.clone();
            let bytes = self.run(move || Ok(Bytes::from(reader.blobs().read(blob)?.to_vec()))).await?;
            match self.inspect(found.content, &file_name, bytes.clone()).await? {
                Ok(inspection) => {
                    // As at the import: what others send holds pixels only.
                    motion = is_own.then(|| StoredMotion::at_the_end(&bytes, &inspection)).flatten();
                    let new = new(inspection.format.extension());
                    self.run(move || library.adopt_as(id, new, inspection)).await?;
                }
                Err(why) => {
                    let new = new("bin");
                    self.run(move || library.adopt_file(id, new, why)).await?;
                }
            }
        }
        let library = self.clone();
        self.run(move || {
            library.change_if_there(id, Batch::default(), |asset| {
                asset.imported_at = found.written_at.unwrap_or(asset.imported_at);
                asset.motion = motion;
            })
        })
        .await?;
        Ok(Salvaged::Back(id))
    }

    /// The moving part of an asset that came as a file of its own.
    fn film_again(&self, id: AssetId, blob: BlobId, found: &Found) -> Result<Salvaged, LibraryError> {
        let Some(asset) = self.get(id).or_else(|| self.in_trash(id)) else { return Ok(Salvaged::FilmOf(id)) };
        if let Some(motion) = &asset.motion {
            if motion.blob != Some(blob) {
                self.vault.blobs().remove(blob)?;
            }
            return Ok(Salvaged::Duplicate);
        }
        let media_type = VideoFormat::sniff(&found.head).unwrap_or(VideoFormat::Mp4).media_type().to_owned();
        let motion =
            StoredMotion { content: found.content, media_type, size_bytes: found.size_bytes, blob: Some(blob) };
        self.change_if_there(id, Batch::default(), |asset| asset.motion = Some(motion))?;
        Ok(Salvaged::Film(id))
    }

    /// A second copy of the bytes of an asset takes the place of one that is lost, and is erased otherwise.
    async fn second(&self, id: AssetId, blob: BlobId) -> Result<Salvaged, LibraryError> {
        let library = self.clone();
        self.run(move || {
            let _one_at_a_time = library.changing.lock().unwrap_or_else(PoisonError::into_inner);
            let asset = library.get(id).or_else(|| library.in_trash(id)).ok_or(LibraryError::NotFound)?;
            let blobs = library.vault.blobs();
            if asset.original == blob {
                return Ok(Salvaged::Back(id));
            }
            if blobs.contains(asset.original) {
                blobs.remove(blob)?;
                return Ok(Salvaged::Duplicate);
            }
            library.write_all(&[(id, asset)], Batch::default(), |asset| asset.original = blob)?;
            Ok(Salvaged::Back(id))
        })
        .await
    }

    /// A moving part whose asset is nowhere becomes a video of its own. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When the blob is damaged or the vault fails.
    pub fn film_alone(&self, blob: BlobId) -> Result<Salvaged, LibraryError> {
        let Some(found) = self.look_into(blob)? else { return Ok(Salvaged::Other) };
        if let Some(known) = self.by_content(&found.content) {
            self.vault.blobs().remove(blob)?;
            return Ok(if self.get(known).is_some() { Salvaged::Duplicate } else { Salvaged::Other });
        }
        let id = AssetId::random().map_err(|_| LibraryError::Random)?;
        let format = VideoFormat::sniff(&found.head);
        let new = NewAsset {
            file_name: format!("film.{}", format.map_or("bin", VideoFormat::extension)),
            content: found.content,
            size_bytes: found.size_bytes,
            original: Source::Stored(blob),
            origin: Origin::Imported,
            taken_at: None,
            doubtful: false,
        };
        match format {
            Some(format) => self.adopt_video(id, new, format).map(drop)?,
            None => {
                let why = Unshown { reason: "it is a file that no record describes any more".into(), may_change: true };
                self.adopt_file(id, new, why).map(drop)?;
            }
        }
        Ok(Salvaged::Back(id))
    }

    /// Runs blocking work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, LibraryError> + Send + 'static,
    ) -> Result<T, LibraryError> {
        tokio::task::spawn_blocking(work).await.map_err(|_| LibraryError::Ending)?
    }
}

/// From a member of an event of which nothing is known any more.
fn of_nobody(offer: OfferId) -> Origin {
    Origin::Received { event: EventId([0; 32]), from: MemberId([0; 32]), find_me: FindMeId([0; 16]), offer }
}
