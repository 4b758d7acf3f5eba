//! Writing a blob: sealed into a temporary file as the bytes come, made visible only when all of it is on the disk.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use zeroize::{Zeroize as _, Zeroizing};

use super::{
    BlobError, BlobId, BlobKind, Blobs,
    header::{Header, WrappingKeys},
    stream::{ChunkCipher, SEALED_CHUNK_BYTES},
};
use crate::{
    limits::{BLOB_CHUNK_BYTES, MAX_BLOB_BYTES},
    vault::durable,
};

/// A file that is being sealed under a temporary name, which goes when this is dropped.
#[derive(Debug)]
pub(in crate::vault) struct SealingFile {
    file: File,
    path: PathBuf,
    id: BlobId,
    header: Header,
    cipher: ChunkCipher,
    /// Plain bytes of the chunk at hand; full chunks stay until more comes, because only then it is known that they are not the last.
    buffer: Zeroizing<Vec<u8>>,
    sealed_chunks: u64,
    size: u64,
    /// Whether a write failed. What is in the buffer may be sealed already then, and to seal it again would write plain bytes or rubbish.
    failed: bool,
    kept: bool,
}

impl SealingFile {
    pub(in crate::vault) fn create(
        keys: &WrappingKeys,
        path: PathBuf,
        id: BlobId,
        kind: BlobKind,
        meta: &[u8],
    ) -> Result<Self, BlobError> {
        let header = Header::new(keys, id, kind, meta)?;
        let cipher = header.cipher();
        let file = durable::create_new(&path).map_err(BlobError::io(id, "make"))?;
        let buffer = Zeroizing::new(Vec::new());
        Ok(Self { file, path, id, header, cipher, buffer, sealed_chunks: 0, size: 0, failed: false, kept: false })
    }

    pub(in crate::vault) fn set_meta(&mut self, meta: &[u8]) -> Result<(), BlobError> {
        self.header.set_meta(meta)
    }

    pub(in crate::vault) fn append(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        self.check()?;
        let size = self.size.saturating_add(bytes.len() as u64);
        if size > MAX_BLOB_BYTES {
            return Err(BlobError::TooLarge { size, limit: MAX_BLOB_BYTES });
        }
        self.size = size;
        if self.buffer.capacity() == 0 {
            // Reserved once, so that growing leaves no plain copies behind in freed memory.
            self.buffer.reserve_exact(SEALED_CHUNK_BYTES);
        }
        while !bytes.is_empty() {
            if self.buffer.len() == BLOB_CHUNK_BYTES {
                self.seal_chunk(false)?;
            }
            let room = BLOB_CHUNK_BYTES - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), BlobError> {
        if self.failed {
            return Err(BlobError::io(self.id, "write")(io::Error::other("an earlier write of it failed")));
        }
        Ok(())
    }

    fn seal_chunk(&mut self, last: bool) -> Result<(), BlobError> {
        self.check()?;
        self.failed = true;
        self.cipher.seal(self.sealed_chunks, last, &mut self.buffer)?;
        let at = self.header.bytes() + self.sealed_chunks * SEALED_CHUNK_BYTES as u64;
        self.file.write_all_at(&self.buffer, at).map_err(BlobError::io(self.id, "write"))?;
        self.sealed_chunks += 1;
        self.buffer.clear();
        self.failed = false;
        Ok(())
    }

    /// Seals the last chunk and writes the header. Nothing may be appended afterwards.
    pub(in crate::vault) fn close(&mut self) -> Result<(), BlobError> {
        self.seal_chunk(true)?;
        self.buffer.zeroize();
        let header = self.header.encode(self.size)?;
        self.file.write_all_at(&header, 0).map_err(BlobError::io(self.id, "write"))
    }

    pub(in crate::vault) fn sync(&self) -> Result<(), BlobError> {
        self.file.sync_all().map_err(BlobError::io(self.id, "sync"))
    }

    /// Gives the closed and synced file its name; the caller syncs the folder.
    pub(in crate::vault) fn rename(mut self, to: &Path) -> Result<(), BlobError> {
        fs::rename(&self.path, to).map_err(BlobError::io(self.id, "rename"))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for SealingFile {
    fn drop(&mut self) {
        if !self.kept {
            // Best effort: what stays is swept at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes one blob. Nothing of it is in the vault before [`BlobWriter::finish`] returns (D1, D2); dropping it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    blobs: Blobs,
    file: SealingFile,
}

impl BlobWriter {
    pub(super) fn new(blobs: Blobs, id: BlobId, kind: BlobKind, meta: &[u8]) -> Result<Self, BlobError> {
        let path = blobs.temporary_path(id);
        let file = SealingFile::create(blobs.wrapping_keys(), path, id, kind, meta)?;
        Ok(Self { blobs, file })
    }

    /// The name that the blob will have.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.file.id
    }

    /// Plain bytes written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.file.size
    }

    /// Replaces the metadata, for what is known only once all bytes were seen. It may be as long as the metadata given first,
    /// padded with 12 bytes to the next multiple of [`crate::limits::BLOB_META_STEP_BYTES`].
    ///
    /// # Errors
    /// [`BlobError::MetaTooLarge`] if it does not fit.
    pub fn set_meta(&mut self, meta: &[u8]) -> Result<(), BlobError> {
        self.file.set_meta(meta)
    }

    /// Makes the blob durable and visible.
    ///
    /// # Errors
    /// Whatever the disk reports; the blob is then not in the vault.
    pub fn finish(self) -> Result<BlobId, BlobError> {
        let Self { blobs, mut file } = self;
        let id = file.id;
        file.close()?;
        file.sync()?;
        let folder = blobs.make_folder_of(id)?;
        file.rename(&blobs.path_of(id))?;
        durable::sync_folder(&folder).map_err(BlobError::io(id, "sync the folder of"))?;
        Ok(id)
    }
}

impl io::Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)?;
        Ok(bytes.len())
    }

    /// Does nothing: only [`BlobWriter::finish`] makes a blob durable.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Several blobs that become durable together, with one fsync of a folder instead of one each: a photo and its thumbnails.
/// After a crash in the middle of [`BlobBatch::commit`] some may be there, each of them whole.
#[derive(Debug)]
pub struct BlobBatch {
    blobs: Blobs,
    /// Ids of one batch share their first byte and thereby their folder.
    first_byte: u8,
    closed: Vec<SealingFile>,
}

impl BlobBatch {
    pub(super) fn new(blobs: Blobs) -> Result<Self, BlobError> {
        let BlobId([first_byte, ..]) = super::random_id()?;
        Ok(Self { blobs, first_byte, closed: Vec::new() })
    }

    /// A writer whose blob can be added to this batch.
    ///
    /// # Errors
    /// As [`Blobs::writer`], and [`BlobError::BatchFull`].
    pub fn writer(&self, kind: BlobKind, meta: &[u8]) -> Result<BlobWriter, BlobError> {
        if self.closed.len() >= crate::limits::MAX_BLOBS_PER_BATCH {
            return Err(BlobError::BatchFull);
        }
        let BlobId(mut id) = super::random_id()?;
        if let Some(first) = id.first_mut() {
            *first = self.first_byte;
        }
        BlobWriter::new(self.blobs.clone(), BlobId(id), kind, meta)
    }

    /// Adds a blob whose bytes were all written. It is not in the vault before [`BlobBatch::commit`] returns.
    ///
    /// # Errors
    /// Whatever the disk reports; the blob is then not in the batch.
    pub fn add(&mut self, writer: BlobWriter) -> Result<BlobId, BlobError> {
        if self.closed.len() >= crate::limits::MAX_BLOBS_PER_BATCH {
            return Err(BlobError::BatchFull);
        }
        let mut file = writer.file;
        file.close()?;
        let id = file.id;
        self.closed.push(file);
        Ok(id)
    }

    /// Writes `plain` as a blob of this batch.
    ///
    /// # Errors
    /// As [`BlobBatch::writer`] and [`BlobBatch::add`].
    pub fn put(&mut self, kind: BlobKind, meta: &[u8], plain: &[u8]) -> Result<BlobId, BlobError> {
        let mut writer = self.writer(kind, meta)?;
        writer.file.append(plain)?;
        self.add(writer)
    }

    /// Makes every blob of the batch durable and visible.
    ///
    /// # Errors
    /// Whatever the disk reports; blobs of the batch may then be in the vault or not, and those that are are whole.
    pub fn commit(self) -> Result<Vec<BlobId>, BlobError> {
        let mut ids = Vec::with_capacity(self.closed.len());
        for file in &self.closed {
            file.sync()?;
        }
        let mut folders = Vec::new();
        for file in self.closed {
            let id = file.id;
            let folder = self.blobs.make_folder_of(id)?;
            file.rename(&self.blobs.path_of(id))?;
            ids.push(id);
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        for folder in folders {
            durable::sync_folder(&folder).map_err(|source| BlobError::Folder { action: "sync", source })?;
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::vault::place::{Place, files_below, pattern};

    #[test]
    fn d3_after_a_failed_write_nothing_more_is_sealed_and_nothing_finished() {
        let place = Place::new();
        let blobs = place.blobs();
        let mut writer = blobs.writer(BlobKind::Original, b"").unwrap();
        writer.write_all(&pattern(BLOB_CHUNK_BYTES)).unwrap();
        // A device that is always full, for as long as the test wants it.
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let sound = std::mem::replace(&mut writer.file.file, full);
        let error = writer.write_all(b"the next chunk").unwrap_err();
        assert!(matches!(BlobError::of(&error), Some(BlobError::DiskFull { .. })), "{error:?}");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        // There is room again; a caller that goes on must not get a blob out of it.
        writer.file.file = sound;
        assert!(writer.write_all(b"again").is_err());
        let id = writer.id();
        assert!(matches!(writer.finish(), Err(BlobError::Io { .. })));
        assert!(!blobs.contains(id));
        assert!(files_below(&place.root().join("blobs")).is_empty());
    }
}
