//! Every file of the library read to its end, and what can be made again made again.

use inframe_protocol::ContentId;
use serde::{Deserialize, Serialize};

use super::{AssetId, AssetKind, FacesState, Library, LibraryError, Part, PlayableState, StoredAsset, meta};
use crate::vault::backup::Progress;
use crate::vault::{Batch, BlobError, BlobId, BlobKind, VaultError};

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Whose.
    pub asset: AssetId,
    /// Which.
    pub part: Part,
    /// Its name in the vault.
    pub blob: BlobId,
    /// What is wrong with it, in words.
    pub why: String,
}

/// An asset with files that are not as they were written and could not be mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDamage {
    /// Which, and what is wrong with each, in words.
    pub parts: Vec<(Part, String)>,
    /// When it was found, Unix milliseconds.
    pub at: u64,
    /// Whether whoever sent it shall be asked for it again.
    pub wanted: bool,
}

/// What reading everything has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Files that were read.
    pub files: u64,
    /// Their plain bytes.
    pub bytes: u64,
    /// Those that are not as they were written.
    pub broken: Vec<Broken>,
}

impl Library {
    /// Reads every file of every asset, the trash included, and holds the originals against their content ids; blocking. `tell` is told how far it is
    /// and says whether to go on: `None` if not.
    ///
    /// # Errors
    /// When a newer version wrote a file.
    pub fn scan(&self, mut tell: impl FnMut(Progress) -> bool) -> Result<Option<Scan>, LibraryError> {
        let every: Vec<(AssetId, u64)> =
            self.index().every().map(|(id, asset)| (id, asset.parts().count() as u64)).collect();
        let mut progress = Progress { of: every.iter().map(|(_, parts)| parts).sum(), ..Progress::default() };
        let mut scan = Scan::default();
        for (id, parts) in every {
            // Deleted meanwhile.
            let Some(asset) = self.either(id) else {
                progress.files += parts;
                continue;
            };
            for (part, blob) in asset.parts() {
                let begun = progress;
                let mut seen = 0;
                let checked = self.check(&asset, part, blob, |bytes| {
                    seen += bytes;
                    tell(Progress { bytes: begun.bytes + seen, ..begun })
                })?;
                progress.files += 1;
                progress.bytes += seen;
                scan.files += 1;
                scan.bytes += seen;
                match checked {
                    Checked::Stopped => return Ok(None),
                    Checked::Sound => {}
                    // Deleted or changed while it was read.
                    Checked::Broken(_) if !self.names(id, blob) => {}
                    Checked::Broken(why) => scan.broken.push(Broken { asset: id, part, blob, why }),
                }
                if !tell(progress) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(scan))
    }

    /// Whether a file of an asset is as it was written; blocking. In words what is wrong, if something is.
    ///
    /// # Errors
    /// When a newer version wrote it.
    pub fn is_broken(&self, broken: &Broken) -> Result<bool, LibraryError> {
        let Some(asset) = self.either(broken.asset) else { return Ok(false) };
        match self.check(&asset, broken.part, broken.blob, |_| true)? {
            Checked::Broken(_) => Ok(self.names(broken.asset, broken.blob)),
            Checked::Sound | Checked::Stopped => Ok(false),
        }
    }

    fn check(
        &self,
        asset: &StoredAsset,
        part: Part,
        blob: BlobId,
        mut tell: impl FnMut(u64) -> bool,
    ) -> Result<Checked, LibraryError> {
        let mut hasher = blake3::Hasher::new();
        let walked = self.vault.blobs().walk(blob, |plain| {
            hasher.update(plain);
            tell(plain.len() as u64)
        });
        let content = ContentId(*hasher.finalize().as_bytes());
        Ok(match walked {
            Ok(false) => Checked::Stopped,
            Ok(true) if asset.content_of(part).is_some_and(|expected| expected != content) => {
                Checked::Broken("it is whole, but not what was imported".into())
            }
            Ok(true) => Checked::Sound,
            Err(BlobError::NotFound { .. } | BlobError::Removed { .. }) => Checked::Broken("it is missing".into()),
            Err(error) if error.is_damage() => Checked::Broken("it is damaged".into()),
            Err(BlobError::Io { .. }) => Checked::Broken("the disk cannot read it".into()),
            Err(error) => return Err(VaultError::from(error).into()),
        })
    }

    /// Makes the small pictures of a photo again, from its original; has those of a video, or its copy, made again by whoever does that. Whether there
    /// was anything to do: what is in the trash waits until it is restored.
    ///
    /// # Errors
    /// When the original cannot be read, or the vault or the sandbox fails.
    pub async fn make_again(&self, broken: &Broken) -> Result<bool, LibraryError> {
        let Some(asset) = self.get(broken.asset) else { return Ok(false) };
        let (id, library) = (broken.asset, self.clone());
        match (&asset.kind, broken.part) {
            (_, Part::Original | Part::Film) => Ok(false),
            (AssetKind::Video { .. }, part) => self.run(move || library.video_again(id, part == Part::Copy)).await,
            (AssetKind::File { .. } | AssetKind::Photo, _) => {
                let bytes = self.run(move || library.read_original(id)).await?;
                let Ok(inspection) = self.inspect(asset.content, &asset.file_name, bytes).await? else {
                    return Ok(false);
                };
                let library = self.clone();
                self.run(move || library.redraw(id, &inspection.grid, &inspection.preview)).await
            }
        }
    }

    fn redraw(&self, id: AssetId, grid: &[u8], preview: &[u8]) -> Result<bool, LibraryError> {
        let mut blobs = self.vault.blobs().batch()?;
        let grid = blobs.put(BlobKind::Grid, &meta(id, ""), grid)?;
        let preview = blobs.put(BlobKind::Preview, &meta(id, ""), preview)?;
        blobs.commit()?;
        let mut old = vec![Some(grid), Some(preview)];
        let kept = self.change_if_there(id, Batch::default(), |asset| {
            old = vec![asset.grid.replace(grid), asset.preview.replace(preview)];
        });
        for blob in old.into_iter().flatten() {
            self.vault.blobs().remove(blob)?;
        }
        kept
    }

    /// Has everything, or the copy alone, of a video made again.
    fn video_again(&self, id: AssetId, copy_alone: bool) -> Result<bool, LibraryError> {
        let mut old = Vec::new();
        let changed = self.change_if_there(id, Batch::default(), |asset| {
            let AssetKind::Video { playable, .. } = &mut asset.kind else { return };
            if let PlayableState::Copy(copy) = playable {
                old.push(*copy);
            }
            *playable = PlayableState::Waiting { strikes: 0 };
            if !copy_alone {
                old.extend([asset.grid.take(), asset.preview.take()].into_iter().flatten());
            }
        })?;
        for blob in old {
            self.vault.blobs().remove(blob)?;
        }
        Ok(changed)
    }

    /// A sound copy of the original lies in `blob` now; the one before is erased. Whether the asset was still there. Durable when it returns; blocking.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn put_original(&self, id: AssetId, blob: BlobId) -> Result<bool, LibraryError> {
        let mut old = blob;
        let there = self.change_if_there(id, Batch::default(), |asset| {
            old = std::mem::replace(&mut asset.original, blob);
            // What could not be read could not be looked at.
            if matches!(asset.faces, FacesState::Failed(_)) {
                asset.faces = FacesState::Waiting { strikes: 0 };
            }
        })?;
        if old != blob {
            self.vault.blobs().remove(old)?;
        }
        Ok(there)
    }

    fn either(&self, id: AssetId) -> Option<std::sync::Arc<StoredAsset>> {
        self.get(id).or_else(|| self.in_trash(id))
    }

    fn names(&self, id: AssetId, blob: BlobId) -> bool {
        self.either(id).is_some_and(|asset| asset.blobs().any(|named| named == blob))
    }
}

enum Checked {
    Sound,
    Broken(String),
    Stopped,
}
