//! Files on their way here. Each piece becomes a sealed blob of its own, durable before it is acknowledged (D1), so pieces may come in any order, from several
//! requests at once, and twice; a row says where each is. Once all are there they are read as one file.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use inframe_protocol::EventId;
use zeroize::Zeroizing;

use super::{Guests, GuestsError, ShortId, StoredUpload, UploadState, limits, random};
use crate::library::{AssetId, GuestId};
use crate::vault::{BlobId, BlobKind, Blobs, VaultError};

/// Why a piece is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ComingError {
    /// No such upload, or it is past that.
    #[error("this upload is not known here any more; add the file again")]
    NotFound,
    /// The piece has not the length that it must have.
    #[error("the piece has {found} bytes where {expected} are expected; reload the page")]
    Length {
        /// What it has.
        found: u64,
        /// What it must have.
        expected: u64,
    },
    /// Some are missing.
    #[error("{0} pieces are still missing; send them first")]
    Missing(u64),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

fn piece_key(upload: &ShortId, index: u64) -> Vec<u8> {
    [&upload[..], &index.to_be_bytes()].concat()
}

impl StoredUpload {
    /// Pieces that it has in all.
    #[must_use]
    pub fn pieces(&self) -> u64 {
        self.size_bytes.div_ceil(limits::PIECE_BYTES)
    }

    /// Plain bytes of a piece; 0 past the end.
    #[must_use]
    pub fn piece_bytes(&self, index: u64) -> u64 {
        self.size_bytes.saturating_sub(index.saturating_mul(limits::PIECE_BYTES)).min(limits::PIECE_BYTES)
    }
}

impl Guests {
    /// Every upload.
    #[must_use]
    pub fn uploads(&self) -> Vec<(ShortId, Arc<StoredUpload>)> {
        let all = self.inner.uploads.all().into_iter();
        all.filter_map(|(key, upload)| Some((ShortId::try_from(key).ok()?, upload))).collect()
    }

    /// Uploads of a guest, oldest first.
    #[must_use]
    pub fn uploads_of(&self, guest: GuestId) -> Vec<(ShortId, Arc<StoredUpload>)> {
        let mut mine: Vec<_> = self.uploads().into_iter().filter(|(_, upload)| upload.guest == guest).collect();
        mine.sort_by_key(|(id, upload)| (upload.at, *id));
        mine
    }

    /// What takes part in an event without its host's having looked at it.
    #[must_use]
    pub fn shown_unseen(&self, event: &EventId) -> BTreeSet<AssetId> {
        let unseen = |(_, upload): (ShortId, Arc<StoredUpload>)| match upload.state {
            UploadState::ShownUnseen(asset) if upload.event == *event => Some(asset),
            _ => None,
        };
        self.uploads().into_iter().filter_map(unseen).collect()
    }

    /// One upload.
    #[must_use]
    pub fn upload(&self, id: &ShortId) -> Option<Arc<StoredUpload>> {
        self.inner.uploads.get(id)
    }

    /// Begins an upload, or gives the one that the same guest has under way for a file of this name and size: a page that was closed goes on with it.
    ///
    /// # Errors
    /// When a bound is reached, in words for the guest, or the vault fails.
    pub fn begin(
        &self,
        event: &EventId,
        guest: GuestId,
        name: String,
        size_bytes: u64,
        now: u64,
    ) -> Result<ShortId, GuestsError> {
        let _one_at_a_time = self.counting();
        let all = self.uploads();
        let is_coming = |upload: &StoredUpload| upload.state == UploadState::Coming;
        let mine: Vec<_> = all.iter().filter(|(_, upload)| upload.guest == guest).collect();
        let same = |upload: &StoredUpload| is_coming(upload) && upload.name == name && upload.size_bytes == size_bytes;
        if let Some((id, _)) = mine.iter().find(|(_, upload)| same(upload)) {
            return Ok(*id);
        }
        let full = |text: &str| Err(GuestsError::Full(text.to_owned()));
        if size_bytes == 0 {
            return full("the file is empty; choose another");
        }
        if size_bytes > limits::FILE_BYTES {
            return full("a file may have at most 4 GB; give larger ones to the host in another way");
        }
        if mine.len() >= limits::UPLOADS_PER_GUEST {
            return full("you have added as many files as one guest may");
        }
        if mine.iter().filter(|(_, upload)| is_coming(upload)).count() >= limits::COMING_PER_GUEST {
            return full("wait until some of your files have arrived, then add more");
        }
        let bytes = |uploads: &mut dyn Iterator<Item = &Arc<StoredUpload>>| -> u64 {
            uploads.map(|upload| upload.size_bytes).fold(size_bytes, u64::saturating_add)
        };
        if bytes(&mut mine.iter().map(|(_, upload)| upload)) > limits::BYTES_PER_GUEST {
            return full("you have added as much as one guest may");
        }
        let coming = all.iter().map(|(_, upload)| upload).filter(|upload| upload.event == *event && is_coming(upload));
        if bytes(&mut coming.into_iter()) > limits::COMING_BYTES_PER_EVENT {
            return full("many files are on their way at the moment; try again later");
        }
        let id: ShortId = random()?;
        let state = UploadState::Coming;
        let upload = StoredUpload { event: *event, guest, name, size_bytes, state, at: now, changed_at: now };
        self.inner.uploads.put(&id, upload)?;
        Ok(id)
    }

    /// Numbers of the pieces that are there.
    #[must_use]
    pub fn present(&self, id: &ShortId) -> Vec<u64> {
        let rows = self.inner.pieces.under(id).into_iter();
        rows.filter_map(|(key, _)| Some(u64::from_be_bytes(key.get(16..)?.try_into().ok()?))).collect()
    }

    /// Takes a piece, opened and found to be right. Durable when it returns; one that is there already is left as it is.
    ///
    /// # Errors
    /// When there is no such upload, the length is wrong, or the vault fails.
    pub fn take_piece(&self, id: &ShortId, index: u64, plain: &[u8]) -> Result<(), ComingError> {
        let upload = self.upload(id).filter(|upload| upload.state == UploadState::Coming);
        let upload = upload.ok_or(ComingError::NotFound)?;
        let expected = upload.piece_bytes(index);
        if plain.len() as u64 != expected || expected == 0 {
            return Err(ComingError::Length { found: plain.len() as u64, expected });
        }
        let key = piece_key(id, index);
        if self.inner.pieces.get(&key).is_some() {
            return Ok(());
        }
        let blobs = self.inner.vault.blobs();
        let blob = blobs.put(BlobKind::Rendition, id, plain).map_err(VaultError::from)?;
        // Looked at again under the lock: the same piece may have come twice, or the upload may be gone.
        let _one_at_a_time = self.counting();
        let wanted = self.upload(id).is_some_and(|upload| upload.state == UploadState::Coming);
        if !wanted || self.inner.pieces.get(&key).is_some() {
            blobs.remove(blob).map_err(VaultError::from)?;
            return if wanted { Ok(()) } else { Err(ComingError::NotFound) };
        }
        Ok(self.inner.pieces.put(&key, blob)?)
    }

    /// Says that every piece is here. Durable when it returns.
    ///
    /// # Errors
    /// When some are missing, there is no such upload, or the vault fails.
    pub fn complete(&self, id: &ShortId, now: u64) -> Result<(), ComingError> {
        let upload = self.upload(id).ok_or(ComingError::NotFound)?;
        if upload.state != UploadState::Coming {
            return Ok(());
        }
        let missing = upload.pieces().saturating_sub(self.present(id).len() as u64);
        if missing > 0 {
            return Err(ComingError::Missing(missing));
        }
        Ok(self.set_upload(id, UploadState::Here, now)?)
    }

    /// Changes the state of an upload. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails.
    pub fn set_upload(&self, id: &ShortId, state: UploadState, now: u64) -> Result<(), VaultError> {
        let changed = self.inner.uploads.change(id, |upload| {
            upload.state = state;
            upload.changed_at = now;
            true
        })?;
        if let Some(upload) = changed {
            self.tell(&upload.event);
        }
        Ok(())
    }

    /// All pieces of an upload as one file.
    #[must_use]
    pub fn read(&self, id: &ShortId) -> PieceReader {
        let blobs = self.inner.pieces.under(id).into_iter().map(|(_, blob)| *blob);
        PieceReader { vault: self.inner.vault.blobs().clone(), left: blobs.collect(), now: Zeroizing::default(), at: 0 }
    }

    /// Erases the pieces of an upload; the row stays. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; calling it again goes on.
    pub fn drop_pieces(&self, id: &ShortId) -> Result<(), VaultError> {
        let rows = self.inner.pieces.under(id);
        let keys: Vec<Vec<u8>> = rows.iter().map(|(key, _)| key.clone()).collect();
        self.inner.pieces.remove(&keys)?;
        // After a crash in between, the next start finds them as unnamed.
        for (_, blob) in rows {
            self.inner.vault.blobs().remove(*blob)?;
        }
        Ok(())
    }

    /// Forgets an upload and erases what is here of it. Durable when it returns.
    ///
    /// # Errors
    /// When the vault fails; calling it again goes on.
    pub fn drop_upload(&self, id: &ShortId) -> Result<(), VaultError> {
        let known = self.upload(id);
        {
            let _no_new_piece = self.counting();
            self.inner.uploads.remove(&[id.to_vec()])?;
        }
        self.drop_pieces(id)?;
        if let Some(upload) = known {
            self.tell(&upload.event);
        }
        Ok(())
    }

    /// Blobs of pieces, for the sweep at a start.
    #[must_use]
    pub fn piece_blobs(&self) -> Vec<BlobId> {
        self.inner.pieces.all().into_iter().map(|(_, blob)| *blob).collect()
    }
}

/// The pieces of an upload, read one after the other; blocking.
pub struct PieceReader {
    vault: Blobs,
    left: std::collections::VecDeque<BlobId>,
    now: Zeroizing<Vec<u8>>,
    at: usize,
}

impl io::Read for PieceReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.now.len() {
            let Some(next) = self.left.pop_front() else { return Ok(0) };
            self.now = self.vault.read(next).map_err(io::Error::other)?;
            self.at = 0;
        }
        let rest = self.now.get(self.at..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.at += count;
        Ok(count)
    }
}
