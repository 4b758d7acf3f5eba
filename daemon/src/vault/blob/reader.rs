//! Reading a blob: any range, chunk by chunk, and never a byte of a chunk that was not authenticated.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rustix::{buffer::spare_capacity, io::Errno};
use zeroize::Zeroizing;

use super::{
    BlobEntry, BlobError, BlobId, BlobKind,
    header::{OpenedHeader, WrappingKeys},
    stream::{SEALED_CHUNK_BYTES, chunk_bytes, chunk_count},
};
use crate::{limits::BLOB_CHUNK_BYTES, vault::seal::TAG_BYTES};

/// Reads one blob at any place. Holds one decrypted chunk. A blob that is removed meanwhile can be read to its end.
#[derive(Debug)]
pub struct BlobReader {
    file: File,
    header: OpenedHeader,
    position: u64,
    cache: Mutex<CachedChunk>,
}

#[derive(Default)]
struct CachedChunk {
    index: Option<u64>,
    plain: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for CachedChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedChunk").field("index", &self.index).finish_non_exhaustive()
    }
}

impl BlobReader {
    pub(in crate::vault) fn open(keys: &WrappingKeys, id: BlobId, path: &Path) -> Result<Self, BlobError> {
        let file = File::open(path).map_err(BlobError::io(id, "open"))?;
        let header = OpenedHeader::read(keys, id, &file)?;
        header.check_length(&file)?;
        Ok(Self { file, header, position: 0, cache: Mutex::default() })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.header.entry.id
    }

    /// What it holds.
    #[must_use]
    pub fn kind(&self) -> BlobKind {
        self.header.entry.kind
    }

    /// Plain bytes in it.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.header.entry.size_bytes
    }

    /// Whether it holds no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Metadata that its writer gave.
    #[must_use]
    pub fn meta(&self) -> &[u8] {
        &self.header.entry.meta
    }

    /// All that its header says.
    #[must_use]
    pub fn entry(&self) -> &BlobEntry {
        &self.header.entry
    }

    /// Copies plain bytes from `offset` on into `out`; how many, which is 0 only at the end and may be less than asked for.
    ///
    /// # Errors
    /// [`BlobError::ChunkDamaged`] and whatever the disk reports; `out` then holds nothing of the damaged chunk.
    pub fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<usize, BlobError> {
        if offset >= self.len() || out.is_empty() {
            if self.is_empty() {
                // That there is no byte has to be authenticated too.
                drop(self.cached(0)?);
            }
            return Ok(0);
        }
        let chunk = BLOB_CHUNK_BYTES as u64;
        let cache = self.cached(offset / chunk)?;
        let plain = cache.plain.get((offset % chunk) as usize..).unwrap_or_default();
        let count = plain.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), plain.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    /// Plain bytes from `offset` to the end of the chunk that it lies in, decrypted where they are; none at the end.
    ///
    /// # Errors
    /// As [`BlobReader::read_at`].
    pub fn rest_of_chunk(&self, offset: u64) -> Result<Bytes, BlobError> {
        let chunk = BLOB_CHUNK_BYTES as u64;
        if offset >= self.len() {
            return Ok(Bytes::new());
        }
        let mut plain = Vec::new();
        self.read_chunk(offset / chunk, &mut plain)?;
        Ok(Bytes::from(plain).slice((offset % chunk) as usize..))
    }

    /// Fills `out` from `offset` on.
    ///
    /// # Errors
    /// As [`BlobReader::read_at`], and [`BlobError::TooLarge`] if the range goes past the end.
    pub fn read_exact_at(&self, mut offset: u64, mut out: &mut [u8]) -> Result<(), BlobError> {
        let end = offset.saturating_add(out.len() as u64);
        if end > self.len() {
            return Err(BlobError::TooLarge { size: end, limit: self.len() });
        }
        while !out.is_empty() {
            let count = self.read_at(offset, out)?;
            offset += count as u64;
            out = out.get_mut(count..).unwrap_or_default();
        }
        Ok(())
    }

    fn cached(&self, index: u64) -> Result<MutexGuard<'_, CachedChunk>, BlobError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.index != Some(index) {
            cache.index = None;
            self.read_chunk(index, &mut cache.plain)?;
            cache.index = Some(index);
        }
        Ok(cache)
    }

    /// Makes `out` the plain bytes of chunk `index`, of [`BLOB_CHUNK_BYTES`] each but the last; after a failure it is empty.
    ///
    /// # Errors
    /// As [`BlobReader::read_at`].
    pub fn read_chunk(&self, index: u64, out: &mut Vec<u8>) -> Result<(), BlobError> {
        let id = self.id();
        let sealed = chunk_bytes(self.len(), index) + TAG_BYTES;
        let at = self.header.bytes + index * SEALED_CHUNK_BYTES as u64;
        out.clear();
        // The first chunk is the largest: reserved once, so that growing leaves no plain copy behind in freed memory.
        out.reserve_exact(chunk_bytes(self.len(), 0) + TAG_BYTES);
        while out.len() < sealed {
            let next = at + out.len() as u64;
            let read = rustix::io::pread(&self.file, spare_capacity(out), next);
            let failure = match read {
                // Cut short after it was opened.
                Ok(0) => BlobError::ChunkDamaged { id, chunk: index },
                Ok(_) | Err(Errno::INTR) => continue,
                Err(error) => BlobError::io(id, "read")(error.into()),
            };
            out.clear();
            return Err(failure);
        }
        // A buffer with more room took a part of the next one too.
        out.truncate(sealed);
        let last = index + 1 == chunk_count(self.len());
        if self.header.cipher.open(index, last, out) {
            Ok(())
        } else {
            Err(BlobError::ChunkDamaged { id, chunk: index })
        }
    }

    /// All plain bytes, if there are at most `limit`.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`], [`BlobError::ChunkDamaged`], and whatever the disk reports.
    pub fn read_whole(&self, limit: u64) -> Result<Zeroizing<Vec<u8>>, BlobError> {
        let size = self.len();
        if size > limit {
            return Err(BlobError::TooLarge { size, limit });
        }
        // Room for all, so that the buffer never moves and leaves no copy.
        let mut out = Zeroizing::new(Vec::with_capacity(size as usize));
        let mut plain = Zeroizing::new(Vec::new());
        for index in 0..chunk_count(size) {
            self.read_chunk(index, &mut plain)?;
            out.extend_from_slice(&plain);
        }
        Ok(out)
    }

    /// Reads and authenticates everything, for `verify`.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self) -> Result<(), BlobError> {
        let mut scratch = Zeroizing::new(Vec::with_capacity(SEALED_CHUNK_BYTES));
        for index in 0..chunk_count(self.len()) {
            self.read_chunk(index, &mut scratch)?;
        }
        Ok(())
    }
}

impl Read for BlobReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(self.position, out)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(distance) => self.len().checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        let target = target.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        self.position = target;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::place::{Place, pattern};

    #[test]
    fn the_buffer_for_chunks_never_moves_and_nothing_is_read_twice() {
        let place = Place::new();
        let (blobs, plain) = (place.blobs(), pattern(3 * BLOB_CHUNK_BYTES + 5));
        let reader = blobs.open(blobs.put(BlobKind::Original, b"", &plain).unwrap()).unwrap();
        let mut seen = Vec::new();
        for chunk in [0, 1, 2, 3, 0] {
            let cache = reader.cached(chunk).unwrap();
            seen.push((cache.plain.as_ptr(), cache.plain.capacity()));
        }
        assert_eq!(seen, [seen[0]; 5]);
        assert_eq!(seen[0].1, SEALED_CHUNK_BYTES, "room for one chunk: more would be filled with the next one");
    }
}
