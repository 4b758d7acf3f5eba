//! Blobs being received: groups of 256 KiB are sealed as they come, in the format of a finished blob, and survive a restart.
//!
//! The caller verifies each group against the hash that it was promised before it appends it. Therefore a group whose tail was torn by a crash is
//! appended again with the same bytes, and no place in the file is ever sealed twice with different content under one key.

use std::{
    fs::{self, File, OpenOptions},
    num::NonZeroU64,
    os::unix::fs::FileExt as _,
};

use zeroize::Zeroizing;

use super::{
    blob::{
        BlobError, BlobId, BlobKind, Blobs, ChunkCipher, Header, OpenedHeader, SEALED_CHUNK_BYTES, chunk_bytes,
        chunk_count,
    },
    durable,
    seal::TAG_BYTES,
};
use crate::limits::{BLOB_CHUNK_BYTES, MAX_BLOB_BYTES};

/// Groups after which the disk is told to begin: 8 MiB, so that a photo is left in the page cache for whoever decodes it.
const WRITTEN_AT_A_TIME: u64 = 32;

/// One blob being received. Dropping it keeps what is there, for the next [`Blobs::incoming`] under the same id.
#[derive(Debug)]
pub struct Incoming {
    blobs: Blobs,
    file: File,
    id: BlobId,
    kind: BlobKind,
    size: u64,
    header: Header,
    header_bytes: u64,
    cipher: ChunkCipher,
    meta: Vec<u8>,
    present: u64,
    _claim: Claim,
}

/// Keeps a second receiver of the same blob out, for as long as it lives.
#[derive(Debug)]
struct Claim {
    blobs: Blobs,
    id: BlobId,
}

impl Claim {
    fn take(blobs: &Blobs, id: BlobId) -> Result<Self, BlobError> {
        if blobs.receiving().insert(id) {
            Ok(Self { blobs: blobs.clone(), id })
        } else {
            Err(BlobError::IncomingInUse { id })
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.blobs.receiving().remove(&self.id);
    }
}

impl Blobs {
    /// Begins to receive a blob of `size` plain bytes under `id` (fresh from [`BlobId::random`], kept by the caller), or goes on with it: what is there is
    /// read and authenticated, and a torn tail is dropped. `meta` is used when it begins; [`Incoming::set_meta`] changes it.
    ///
    /// # Errors
    /// [`BlobError::Finished`] if it is a blob of the vault already, [`BlobError::IncomingDiffers`] if another size or kind was begun under `id`, [`BlobError::IncomingInUse`], [`BlobError::TooLarge`],
    /// and whatever the disk reports.
    pub fn incoming(&self, id: BlobId, kind: BlobKind, size: u64, meta: &[u8]) -> Result<Incoming, BlobError> {
        if size > MAX_BLOB_BYTES {
            return Err(BlobError::TooLarge { size, limit: MAX_BLOB_BYTES });
        }
        let claim = Claim::take(self, id)?;
        if self.contains(id) {
            return Err(BlobError::Finished { id });
        }
        let path = self.incoming_path(id);
        if path.exists() {
            let file = OpenOptions::new().read(true).write(true).open(&path).map_err(BlobError::io(id, "open"))?;
            match OpenedHeader::read(self.wrapping_keys(), id, &file) {
                Ok(header) if header.entry.kind == kind && header.entry.size_bytes == size => {
                    return Incoming::go_on(self.clone(), claim, file, header);
                }
                Ok(_) => return Err(BlobError::IncomingDiffers { id }),
                // Torn while it was begun, damaged since, or half discarded: nothing in it can be used, so it begins again.
                Err(error) if error.is_damage() || matches!(error, BlobError::Removed { .. }) => {
                    fs::remove_file(&path).map_err(BlobError::io(id, "remove"))?;
                }
                Err(error) => return Err(error),
            }
        }
        Incoming::begin(self.clone(), claim, kind, size, meta)
    }

    /// Drops what was received of a blob, its key first as in [`Blobs::remove`]; whether there was anything.
    ///
    /// # Errors
    /// [`BlobError::IncomingInUse`] while somebody receives it, and whatever the disk reports.
    pub fn discard_incoming(&self, id: BlobId) -> Result<bool, BlobError> {
        let _claim = Claim::take(self, id)?;
        self.erase(id, &self.incoming_path(id))
    }
}

impl Incoming {
    fn begin(blobs: Blobs, claim: Claim, kind: BlobKind, size: u64, meta: &[u8]) -> Result<Self, BlobError> {
        let id = claim.id;
        let header = Header::new(blobs.wrapping_keys(), id, kind, meta)?;
        let file = durable::create_new(&blobs.incoming_path(id)).map_err(BlobError::io(id, "make"))?;
        file.write_all_at(&header.encode(size)?, 0).map_err(BlobError::io(id, "write"))?;
        let (header_bytes, cipher) = (header.bytes(), header.cipher());
        let meta = meta.to_vec();
        Ok(Self { blobs, file, id, kind, size, header, header_bytes, cipher, meta, present: 0, _claim: claim })
    }

    fn go_on(blobs: Blobs, claim: Claim, file: File, opened: OpenedHeader) -> Result<Self, BlobError> {
        let (id, kind, size) = (opened.entry.id, opened.entry.kind, opened.entry.size_bytes);
        let (header_bytes, cipher, meta) = (opened.bytes, opened.cipher.clone(), opened.entry.meta.clone());
        let header = opened.into_header();
        let mut incoming =
            Self { blobs, file, id, kind, size, header, header_bytes, cipher, meta, present: 0, _claim: claim };
        let mut scratch = Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_BYTES));
        while incoming.present < incoming.groups() {
            scratch.clear();
            match incoming.open_group(incoming.present, &mut scratch) {
                Ok(()) => incoming.present += 1,
                Err(BlobError::ChunkDamaged { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        let end = incoming.place_of(incoming.present);
        incoming.file.set_len(end).map_err(BlobError::io(id, "cut"))?;
        Ok(incoming)
    }

    /// Its name, now and when it is finished.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// What it holds.
    #[must_use]
    pub fn kind(&self) -> BlobKind {
        self.kind
    }

    /// Plain bytes that it will have.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size
    }

    /// Its metadata.
    #[must_use]
    pub fn meta(&self) -> &[u8] {
        &self.meta
    }

    /// Groups of 256 KiB that it will have; 0 if it has no bytes.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.size.div_ceil(BLOB_CHUNK_BYTES as u64)
    }

    /// Groups that are there: the next one to append has this number.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.present
    }

    /// Whether every group is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.present == self.groups()
    }

    /// Bytes that group `index` must have; 0 past the end.
    #[must_use]
    pub fn group_bytes(&self, index: u64) -> usize {
        if index < self.groups() { chunk_bytes(self.size, index) } else { 0 }
    }

    fn place_of(&self, index: u64) -> u64 {
        let full = self.header_bytes + index * SEALED_CHUNK_BYTES as u64;
        let complete = self.header_bytes + self.size + self.groups() * TAG_BYTES as u64;
        full.min(complete)
    }

    /// Appends the next group, which the caller has verified, and which is sealed where it is: `group` holds nothing of use afterwards. It survives a
    /// crash of the process; only [`Incoming::finish`] makes it survive a power cut.
    ///
    /// # Errors
    /// [`BlobError::WrongGroup`] if it has not [`Incoming::group_bytes`] bytes, [`BlobError::DiskFull`], and whatever the disk reports;
    /// the group then does not count as present.
    pub fn append(&mut self, group: &mut Vec<u8>) -> Result<(), BlobError> {
        let expected = self.group_bytes(self.present);
        if group.len() != expected || expected == 0 {
            return Err(BlobError::WrongGroup {
                id: self.id,
                group: self.present,
                expected: expected as u64,
                found: group.len() as u64,
            });
        }
        self.seal_at(self.present, group)?;
        self.present += 1;
        self.begin_to_write();
        Ok(())
    }

    /// Has the disk write what is there while the rest still comes, so that [`Incoming::finish`] has little left to wait for.
    fn begin_to_write(&self) {
        if self.present.is_multiple_of(WRITTEN_AT_A_TIME) {
            let from = self.place_of(self.present - WRITTEN_AT_A_TIME);
            let length = NonZeroU64::new(self.place_of(self.present) - from);
            // The kernel begins to write pages of which it is told that they are not needed. It is a hint: without it, all is written at the end.
            let _ = rustix::fs::fadvise(&self.file, from, length, rustix::fs::Advice::DontNeed);
        }
    }

    fn seal_at(&self, index: u64, buffer: &mut Vec<u8>) -> Result<(), BlobError> {
        self.cipher.seal(index, index + 1 == chunk_count(self.size), buffer)?;
        self.file.write_all_at(buffer, self.place_of(index)).map_err(BlobError::io(self.id, "write"))
    }

    /// Reads a group that is there, to hash it again after a restart.
    ///
    /// # Errors
    /// [`BlobError::WrongGroup`] if it is not there, [`BlobError::ChunkDamaged`], and whatever the disk reports.
    pub fn read_group(&self, index: u64) -> Result<Zeroizing<Vec<u8>>, BlobError> {
        if index >= self.present {
            return Err(BlobError::WrongGroup { id: self.id, group: index, expected: 0, found: 0 });
        }
        let mut out = Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_BYTES));
        self.open_group(index, &mut out)?;
        Ok(out)
    }

    fn open_group(&self, index: u64, out: &mut Vec<u8>) -> Result<(), BlobError> {
        let damaged = BlobError::ChunkDamaged { id: self.id, chunk: index };
        out.resize(chunk_bytes(self.size, index) + TAG_BYTES, 0);
        match self.file.read_exact_at(out, self.place_of(index)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(damaged),
            Err(error) => return Err(BlobError::io(self.id, "read")(error)),
        }
        let last = index + 1 == chunk_count(self.size);
        if self.cipher.open(index, last, out) { Ok(()) } else { Err(damaged) }
    }

    /// Replaces the metadata that the finished blob will carry, for what is known only once the bytes were looked at.
    ///
    /// # Errors
    /// [`BlobError::MetaTooLarge`] if it does not fit the room that the first metadata made.
    pub fn set_meta(&mut self, meta: &[u8]) -> Result<(), BlobError> {
        self.header.set_meta(meta)?;
        self.meta = meta.to_vec();
        let header = self.header.encode(self.size)?;
        self.file.write_all_at(&header, 0).map_err(BlobError::io(self.id, "write"))
    }

    /// Makes the complete blob durable and visible, by a rename.
    ///
    /// # Errors
    /// [`BlobError::Incomplete`]: what was received is then still there. If the disk fails to sync it, it is dropped.
    pub fn finish(self) -> Result<BlobId, BlobError> {
        let id = self.id;
        if !self.is_complete() {
            return Err(BlobError::Incomplete { id, present: self.present, expected: self.groups() });
        }
        if self.size == 0 {
            self.seal_at(0, &mut Vec::new())?;
        }
        if let Err(error) = self.file.sync_all() {
            // The kernel may now take pages for clean that never reached the disk, so a second fsync would prove nothing: receive it again.
            durable::remove_if_there(&self.blobs.incoming_path(id)).map_err(BlobError::io(id, "remove"))?;
            return Err(BlobError::io(id, "sync")(error));
        }
        let folder = self.blobs.make_folder_of(id)?;
        fs::rename(self.blobs.incoming_path(id), self.blobs.path_of(id)).map_err(BlobError::io(id, "rename"))?;
        for folder in [folder.as_path(), self.blobs.incoming_folder()] {
            durable::sync_folder(folder).map_err(BlobError::io(id, "sync the folder of"))?;
        }
        Ok(id)
    }

    /// Drops what was received.
    ///
    /// # Errors
    /// Whatever the disk reports.
    pub fn discard(self) -> Result<(), BlobError> {
        let (blobs, id) = (self.blobs.clone(), self.id);
        drop(self);
        blobs.discard_incoming(id).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
