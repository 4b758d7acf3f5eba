//! The library: assets, their pictures and their order. Holds the in-memory index, so that listing never decrypts row by row.
//!
//! Everything is durable before it is acknowledged (D1): blobs first, then the catalog row that names them.

mod asset;
mod error;
mod examine;
mod export;
mod files;
mod imports;
mod index;
mod lists;
mod mend;
mod note;
mod older;
mod packed;
mod quarantine;
mod salvage;
mod stream;
mod timeline;
mod trash;
mod trash_clock;
mod videos;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use inframe_protocol::{ContentId, EventId};
use tokio::sync::Notify;

pub use asset::{
    AssetId, AssetKind, FacesState, GuestId, Origin, Part, PlayableState, StoredAsset, StoredMotion, Trashed,
};
pub use error::LibraryError;
pub use export::{ExportError, ExportProgress, Exported, Facts, NotExported};
pub use files::Unshown;
pub use imports::{ImportRun, Imports};
pub use lists::FacesProgress;
pub use mend::{Broken, Scan, StoredDamage};
pub use note::received as received_note;
pub use packed::Sort;
pub use quarantine::{Quarantine, STRIKES, StoredStrike};
pub use salvage::Salvaged;
pub use timeline::{BLOCK, Timeline, ending};
pub use trash::{InTrash, finish_purges};
pub use videos::Look;

use crate::disk::Disk;
use crate::live::{Live, What};
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::sandbox::{Inspection, Sandbox};
use crate::vault::{Batch, BlobId, BlobKind, Kind, Vault};
use index::Index;
use note::{of_original, own as meta};
use trash_clock::TrashClock;

/// Assets changed in one commit when all are changed.
const ASSETS_PER_BATCH: usize = 500;

/// What became of bytes that were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// Now in the library, durable.
    New(AssetId),
    /// In the library, durable, as a file that cannot be shown.
    File(AssetId, Unshown),
    /// The same bytes were there already.
    Duplicate(AssetId),
    /// The same bytes were in the trash, and are back in the library.
    Restored(AssetId),
}

impl Added {
    /// The asset in any case.
    #[must_use]
    pub fn id(&self) -> AssetId {
        match self {
            Added::New(id) | Added::File(id, _) | Added::Duplicate(id) | Added::Restored(id) => *id,
        }
    }
}

/// The bytes of a new asset.
pub enum Source {
    /// To be stored.
    Plain(Bytes),
    /// Stored already, durably.
    Stored(BlobId),
}

/// A photo to take in, with what is known of it besides its contents.
pub struct NewAsset {
    /// File name, as shown.
    pub file_name: String,
    /// BLAKE3 of the plain bytes.
    pub content: ContentId,
    /// Plain size.
    pub size_bytes: u64,
    /// The bytes.
    pub original: Source,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was taken, for a file that does not say so itself. Unix milliseconds.
    pub taken_at: Option<i64>,
    /// Whether it stays out of the timeline until the owner has said that it is right.
    pub doubtful: bool,
}

/// The library; cheap to clone.
#[derive(Clone)]
pub struct Library {
    disk: Disk,
    vault: Vault,
    live: Live,
    sandbox: Sandbox,
    quarantine: Quarantine,
    index: Arc<Mutex<Index>>,
    /// Rings when a content in flight is given back.
    freed: Arc<Notify>,
    /// Held while an asset is read, changed and written, so that no change undoes another.
    changing: Arc<Mutex<()>>,
    /// What the age of what is in the trash is counted by.
    trash_clock: Arc<Mutex<TrashClock>>,
    /// Where what is imported through this handle comes from.
    arriving: Origin,
    /// Blobs of what was purged whose keys are still to be overwritten; after a crash the next start finds them as unnamed.
    to_erase: Arc<Mutex<Vec<BlobId>>>,
}

impl Library {
    /// Reads the catalog into memory.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault, sandbox: Sandbox, live: Live, disk: Disk) -> Result<Self, LibraryError> {
        let index = Index::build(|see| {
            vault.catalog().each_versioned::<StoredAsset>(Kind::Asset, |key, asset| {
                if let Ok(key) = key.try_into() {
                    see(AssetId(key), asset);
                }
            })
        })?;
        Ok(Self {
            quarantine: Quarantine::open(vault.clone())?,
            trash_clock: Arc::new(Mutex::new(TrashClock::open(&vault)?)),
            to_erase: Arc::default(),
            arriving: Origin::Imported,
            vault,
            live,
            disk,
            sandbox,
            index: Arc::new(Mutex::new(index)),
            freed: Arc::default(),
            changing: Arc::default(),
        })
    }

    /// The same library for what a guest adds: it is marked with them from its first moment on.
    #[must_use]
    pub fn for_guest(&self, event: EventId, guest: GuestId) -> Self {
        Self { arriving: Origin::Guest { event, guest }, ..self.clone() }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the bytes of a file chosen by the owner; what cannot be shown is kept as a file. Durable when it returns.
    ///
    /// # Errors
    /// [`LibraryError::Unreadable`] says what is wrong with the file, [`LibraryError::NoRoom`] what the disk lacks; nothing of it is kept then.
    pub async fn import(&self, file_name: &str, bytes: Bytes) -> Result<Added, LibraryError> {
        if bytes.len() > MAX_FILE_BYTES {
            return self.import_large(file_name, std::io::Cursor::new(bytes)).await;
        }
        if bytes.is_empty() {
            return Err(LibraryError::Unreadable("the file is empty: copy or download it again".into()));
        }
        let content = ContentId::of(&bytes);
        let claim = match self.claim(content).await? {
            Ok(claim) => claim,
            Err(known) => return Ok(known),
        };
        self.disk.room_for(bytes.len() as u64)?;
        let looked = self.inspect(content, file_name, bytes.clone()).await?;
        let new = NewAsset {
            file_name: shown_name(file_name),
            content,
            size_bytes: bytes.len() as u64,
            original: Source::Plain(bytes),
            origin: self.arriving.clone(),
            taken_at: None,
            doubtful: false,
        };
        let library = self.clone();
        let added = tokio::task::spawn_blocking(move || match looked {
            Ok(inspection) => library.adopt(new, inspection).map(Added::New),
            Err(why) => {
                let id = AssetId::random().map_err(|_| LibraryError::Random)?;
                library.adopt_file(id, new, why)
            }
        });
        let added = added.await;
        drop(claim);
        added.map_err(|_| LibraryError::Ending)?
    }

    /// The right to add a content that is not there, once nobody else is adding it; or the asset that has it, which is the owner's own from then on
    /// and out of the trash.
    async fn claim(&self, content: ContentId) -> Result<Result<Claim<'_>, Added>, LibraryError> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let known = {
                let mut index = self.index();
                match index.by_content(&content) {
                    Some(id) => Some((id, index.is_trashed(id), index.get(id).is_some_and(|asset| asset.doubtful))),
                    None if index.in_flight.insert(content) => return Ok(Ok(Claim { library: self, content })),
                    None => None,
                }
            };
            match known {
                Some((id, true, _)) => match self.restore_again(id).await {
                    // Purged or restored at this very moment: looked at anew.
                    Err(LibraryError::NotFound) => {}
                    restored => return restored.map(Err),
                },
                Some((id, _, doubtful)) => {
                    if doubtful {
                        self.make_own(id).await?;
                    }
                    return Ok(Err(Added::Duplicate(id)));
                }
                None => freed.await,
            }
        }
    }

    async fn restore_again(&self, id: AssetId) -> Result<Added, LibraryError> {
        let library = self.clone();
        let restored = tokio::task::spawn_blocking(move || library.restore(&[id])).await;
        let restored = restored.map_err(|_| LibraryError::Ending)??;
        if restored.is_empty() { Err(LibraryError::NotFound) } else { Ok(Added::Restored(id)) }
    }

    /// The owner imports what somebody had sent and what still waited for a word: that is the word.
    async fn make_own(&self, id: AssetId) -> Result<(), LibraryError> {
        let library = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            library.change(id, Batch::default(), |asset| {
                asset.doubtful = false;
                asset.origin = Origin::Imported;
            })
        });
        made.await.map_err(|_| LibraryError::Ending)?
    }

    /// Takes in a photo that was examined: its pictures, and its original unless that is a blob already. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn adopt(&self, new: NewAsset, inspection: Inspection) -> Result<AssetId, LibraryError> {
        let id = AssetId::random().map_err(|_| LibraryError::Random)?;
        self.adopt_as(id, new, inspection)?;
        Ok(id)
    }

    fn adopt_as(&self, id: AssetId, new: NewAsset, inspection: Inspection) -> Result<(), LibraryError> {
        let NewAsset { file_name, content, size_bytes, original, origin, taken_at, doubtful } = new;
        // One batch, so that three files cost the disk one wait.
        let mut blobs = self.vault.blobs().batch()?;
        let (original, motion) = match original {
            Source::Plain(bytes) => {
                let motion = StoredMotion::at_the_end(&bytes, &inspection);
                (blobs.put(BlobKind::Original, &of_original(id, &file_name, &origin), &bytes)?, motion)
            }
            // What others send holds pixels only.
            Source::Stored(blob) => (blob, None),
        };
        let grid = blobs.put(BlobKind::Grid, &meta(id, ""), &inspection.grid)?;
        let preview = blobs.put(BlobKind::Preview, &meta(id, ""), &inspection.preview)?;
        blobs.commit()?;
        let asset = StoredAsset {
            kind: AssetKind::Photo,
            content,
            file_name,
            media_type: inspection.media_type().to_owned(),
            size_bytes,
            width: inspection.width,
            height: inspection.height,
            taken_at: inspection.taken_at.map(|time| time.unix_ms(0)).or(taken_at),
            offset_minutes: inspection.taken_at.and_then(|time| time.offset_min),
            imported_at: crate::clock::now_ms(),
            camera: inspection.camera,
            has_location: inspection.has_location,
            mean_colour: inspection.mean_rgb565,
            thumbhash: inspection.thumbhash,
            original,
            grid: Some(grid),
            preview: Some(preview),
            motion,
            origin,
            doubtful,
            faces: FacesState::Waiting { strikes: 0 },
            trashed: None,
        };
        self.keep(id, asset, Batch::default())
    }

    /// Writes an asset, with `more` in the same batch, and lists it.
    fn keep(&self, id: AssetId, asset: StoredAsset, mut more: Batch) -> Result<(), LibraryError> {
        more.put_versioned(Kind::Asset, id.0, &asset)?;
        self.vault.catalog().commit(more)?;
        self.index().put(id, &asset);
        self.tell_new(id);
        Ok(())
    }

    fn tell_new(&self, id: AssetId) {
        self.live.tell(What::Timeline, None);
        self.live.tell(What::Asset, Some(id.to_string()));
    }

    /// Changes one asset durably. `more` is committed in the same batch.
    ///
    /// # Errors
    /// When there is no such asset or the vault fails.
    pub fn change(&self, id: AssetId, more: Batch, change: impl FnOnce(&mut StoredAsset)) -> Result<(), LibraryError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut asset = StoredAsset::clone(&*self.get(id).ok_or(LibraryError::NotFound)?);
        change(&mut asset);
        self.keep(id, asset, more)
    }

    /// As [`Library::change`]; whether the asset was still there. For work that took a while: what was deleted meanwhile is no failure.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn change_if_there(
        &self,
        id: AssetId,
        more: Batch,
        change: impl FnOnce(&mut StoredAsset),
    ) -> Result<bool, LibraryError> {
        match self.change(id, more, change) {
            Err(LibraryError::NotFound) => Ok(false),
            changed => changed.map(|()| true),
        }
    }

    /// Has every asset searched for faces anew, after face data was erased, those in the trash as well; blocking, durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; those before are changed then.
    pub fn forget_faces(&self) -> Result<(), LibraryError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let every: Vec<AssetId> = self.index().every().map(|(id, _)| id).collect();
        for ids in every.chunks(ASSETS_PER_BATCH) {
            let mut batch = Batch::default();
            for id in ids {
                batch.remove(Kind::Face, id.0);
            }
            let some = self.found(ids, |id| self.get(id).or_else(|| self.in_trash(id)));
            self.write_all(&some, batch, |asset| asset.faces = FacesState::Waiting { strikes: 0 })?;
        }
        self.live.tell(What::Timeline, None);
        Ok(())
    }

    /// Changes these assets in one commit, with `more`. The caller holds `changing`.
    fn write_all(
        &self,
        assets: &[(AssetId, Arc<StoredAsset>)],
        mut more: Batch,
        change: impl Fn(&mut StoredAsset),
    ) -> Result<(), LibraryError> {
        let mut changed = Vec::with_capacity(assets.len());
        for (id, asset) in assets {
            let mut asset = StoredAsset::clone(asset);
            change(&mut asset);
            more.put_versioned(Kind::Asset, id.0, &asset)?;
            changed.push((*id, asset));
        }
        self.vault.catalog().commit(more)?;
        let mut index = self.index();
        for (id, asset) in changed {
            index.put(id, &asset);
        }
        Ok(())
    }

    /// One asset. What is in the trash is not found here, nor by anything else that does not say so.
    #[must_use]
    pub fn get(&self, id: AssetId) -> Option<Arc<StoredAsset>> {
        self.index().get(id)
    }

    /// The asset with these plain bytes, be it in the trash.
    #[must_use]
    pub fn by_content(&self, content: &ContentId) -> Option<AssetId> {
        self.index().by_content(content)
    }

    /// Decrypts a whole original; blocking.
    ///
    /// # Errors
    /// When there is no such asset or its blob is damaged.
    pub fn read_original(&self, id: AssetId) -> Result<Bytes, LibraryError> {
        let asset = self.get(id).ok_or(LibraryError::NotFound)?;
        Ok(Bytes::from(self.vault.blobs().read(asset.original)?.to_vec()))
    }

    /// Decrypts a picture for the owner's eyes, also of what is in the trash; blocking.
    ///
    /// # Errors
    /// When there is no such asset, it has no picture or its blob is damaged.
    pub fn read_picture(&self, id: AssetId, preview: bool) -> Result<Bytes, LibraryError> {
        let asset = self.get(id).or_else(|| self.in_trash(id)).ok_or(LibraryError::NotFound)?;
        let blob = if preview { asset.preview } else { asset.grid }.ok_or(LibraryError::NoPicture)?;
        Ok(Bytes::from(self.vault.blobs().read(blob)?.to_vec()))
    }
}

/// Gives the content back when an import ends, however it ends.
struct Claim<'a> {
    library: &'a Library,
    content: ContentId,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.library.index().in_flight.remove(&self.content);
        self.library.freed.notify_waiters();
    }
}

/// A file name for display: the last component, no control characters and none that turn the direction of what follows, bounded (D8).
#[must_use]
pub fn shown_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let clean: String = last.chars().filter(|c| !c.is_control() && !turns(*c)).take(200).collect();
    if clean.is_empty() { "photo".into() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::shown_name;

    #[test]
    fn d8_a_strangers_file_name_never_carries_a_path_or_control_characters() {
        assert_eq!(shown_name("../../etc/pass\u{0}wd\n"), "passwd");
        assert_eq!(shown_name("C:\\fotos\\a.jpg"), "a.jpg");
        assert_eq!(shown_name("dir/"), "photo");
        assert_eq!(shown_name("a\u{202e}gpj.exe\u{2066}"), "agpj.exe");
        assert_eq!(shown_name(&"x".repeat(999)).len(), 200);
    }
}
