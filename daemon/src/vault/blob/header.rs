//! The header of a blob: whose it is, its wrapped key and its sealed metadata. Format: `vault/FORMAT.md`.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use zeroize::Zeroizing;

use super::{
    BlobEntry, BlobError, BlobId, BlobKind,
    stream::{ChunkCipher, sealed_bytes},
};
use crate::{
    limits::{BLOB_META_STEP_BYTES, MAX_BLOB_BYTES, MAX_BLOB_META_BYTES},
    vault::{
        keys::{Keys, Subkey},
        seal::{self, SEAL_BYTES},
        secret::Secret32,
    },
};

const MAGIC: [u8; 8] = *b"IFBLOB\r\n";
const VERSION: u16 = 1;
/// log2 of the chunk size; the only one so far.
const CHUNK_LOG: u8 = 18;
const _: () = assert!(1 << CHUNK_LOG == crate::limits::BLOB_CHUNK_BYTES);
/// The fixed part, in the clear, bound to everything that is sealed.
pub(super) const PREFIX_BYTES: usize = 32;
const WRAPPED_KEY_BYTES: usize = 32 + SEAL_BYTES;
/// Where the sealed metadata begins.
pub(super) const META_AT: usize = PREFIX_BYTES + WRAPPED_KEY_BYTES;
/// In front of the metadata, sealed with it: plain size of the blob (8 bytes) and length of the metadata (4 bytes).
const SLOT_HEAD_BYTES: usize = 12;

/// The keys that wrap the keys of blobs.
#[derive(Clone, Debug)]
pub(in crate::vault) struct WrappingKeys {
    photos: Secret32,
    biometrics: Secret32,
    catalog: Secret32,
}

impl WrappingKeys {
    pub(in crate::vault) fn new(keys: &Keys) -> Self {
        let wrapping = |subkey| keys.subkey(subkey).derive("inframe 2026-11-25 blob: wrapping key");
        Self {
            photos: wrapping(Subkey::Blobs),
            biometrics: wrapping(Subkey::Biometrics),
            catalog: wrapping(Subkey::Catalog),
        }
    }

    fn of(&self, kind: BlobKind) -> &Secret32 {
        match kind {
            BlobKind::CatalogSnapshot | BlobKind::BackupList => &self.catalog,
            kind if kind.is_biometric() => &self.biometrics,
            _ => &self.photos,
        }
    }
}

fn prefix(id: BlobId, kind: BlobKind, sealed_meta_bytes: u32) -> [u8; PREFIX_BYTES] {
    let mut bytes = [0; PREFIX_BYTES];
    let fields: [&[u8]; 5] =
        [&MAGIC, &VERSION.to_le_bytes(), &[kind as u8, CHUNK_LOG], id.as_bytes(), &sealed_meta_bytes.to_le_bytes()];
    let source = fields.into_iter().flatten();
    bytes.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
    bytes
}

/// A header being written: the metadata may change until the blob is finished, its room may not.
#[derive(Debug)]
pub(in crate::vault) struct Header {
    file_key: Secret32,
    prefix: [u8; PREFIX_BYTES],
    wrapped: Vec<u8>,
    slot_bytes: usize,
    meta: Zeroizing<Vec<u8>>,
}

impl Header {
    /// A header with a fresh key. The room for metadata is that of `meta`, padded.
    pub(in crate::vault) fn new(
        keys: &WrappingKeys,
        id: BlobId,
        kind: BlobKind,
        meta: &[u8],
    ) -> Result<Self, BlobError> {
        if meta.len() > MAX_BLOB_META_BYTES {
            return Err(BlobError::MetaTooLarge { given: meta.len(), limit: MAX_BLOB_META_BYTES });
        }
        let slot_bytes = (SLOT_HEAD_BYTES + meta.len()).next_multiple_of(BLOB_META_STEP_BYTES);
        let prefix = prefix(id, kind, (slot_bytes + SEAL_BYTES) as u32);
        let file_key = Secret32::random().map_err(|_| seal::SealError)?;
        let wrapped = seal::seal(keys.of(kind), &prefix, file_key.expose())?;
        Ok(Self { file_key, prefix, wrapped, slot_bytes, meta: Zeroizing::new(meta.to_vec()) })
    }

    pub(in crate::vault) fn cipher(&self) -> ChunkCipher {
        ChunkCipher::new(&self.file_key, self.prefix)
    }

    /// Bytes of the whole header in the file.
    pub(in crate::vault) fn bytes(&self) -> u64 {
        (META_AT + self.slot_bytes + SEAL_BYTES) as u64
    }

    /// Replaces the metadata, if it fits the room.
    pub(in crate::vault) fn set_meta(&mut self, meta: &[u8]) -> Result<(), BlobError> {
        let limit = self.slot_bytes - SLOT_HEAD_BYTES;
        if meta.len() > limit {
            return Err(BlobError::MetaTooLarge { given: meta.len(), limit });
        }
        self.meta = Zeroizing::new(meta.to_vec());
        Ok(())
    }

    /// The bytes of the header for a blob with `size` plain bytes.
    pub(in crate::vault) fn encode(&self, size: u64) -> Result<Vec<u8>, BlobError> {
        let mut slot = Zeroizing::new(Vec::with_capacity(self.slot_bytes));
        slot.extend_from_slice(&size.to_le_bytes());
        slot.extend_from_slice(&(self.meta.len() as u32).to_le_bytes());
        slot.extend_from_slice(&self.meta);
        slot.resize(self.slot_bytes, 0);
        let sealed = seal::seal(&meta_key(&self.file_key), &self.prefix, &slot)?;
        Ok([self.prefix.as_slice(), &self.wrapped, &sealed].concat())
    }
}

fn meta_key(file_key: &Secret32) -> Secret32 {
    file_key.derive("inframe 2026-11-25 blob: metadata")
}

/// A header that was read and authenticated.
#[derive(Debug)]
pub(in crate::vault) struct OpenedHeader {
    pub(in crate::vault) entry: BlobEntry,
    pub(in crate::vault) cipher: ChunkCipher,
    /// Where the chunks begin.
    pub(in crate::vault) bytes: u64,
    header: Header,
}

impl OpenedHeader {
    /// Reads and authenticates the header of `file`, which must be that of `id`.
    pub(in crate::vault) fn read(keys: &WrappingKeys, id: BlobId, file: &File) -> Result<Self, BlobError> {
        let damaged = || BlobError::HeaderDamaged { id };
        let fixed: [u8; META_AT] = read_array(file, id)?;
        let (prefix_bytes, wrapped) = fixed.split_first_chunk::<PREFIX_BYTES>().ok_or_else(damaged)?;
        let (kind, sealed_meta_bytes) = parse_prefix(id, prefix_bytes)?;
        if wrapped.iter().all(|byte| *byte == 0) {
            return Err(BlobError::Removed { id });
        }
        let file_key = seal::open(keys.of(kind), prefix_bytes, wrapped);
        let file_key = file_key.as_ref().and_then(|key| key.first_chunk::<32>()).ok_or_else(damaged)?;
        let file_key = Secret32::new(*file_key);

        let mut sealed = vec![0; sealed_meta_bytes];
        file.read_exact_at(&mut sealed, META_AT as u64).map_err(short_is_damage(id))?;
        let slot = seal::open(&meta_key(&file_key), prefix_bytes, &sealed).ok_or_else(damaged)?;
        let (size, rest) = slot.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
        let size_bytes = u64::from_le_bytes(*size);
        let meta = rest.get(..u32::from_le_bytes(*length) as usize).ok_or_else(damaged)?;
        if size_bytes > MAX_BLOB_BYTES {
            return Err(damaged());
        }
        let header = Header {
            prefix: *prefix_bytes,
            wrapped: wrapped.to_vec(),
            slot_bytes: slot.len(),
            meta: Zeroizing::new(meta.to_vec()),
            file_key,
        };
        let entry = BlobEntry { id, kind, size_bytes, meta: meta.to_vec() };
        Ok(Self { entry, cipher: header.cipher(), bytes: header.bytes(), header })
    }

    /// Checks that the file is as long as a blob of its size is.
    pub(in crate::vault) fn check_length(&self, file: &File) -> Result<(), BlobError> {
        let id = self.entry.id;
        let found = file.metadata().map_err(BlobError::io(id, "look at"))?.len();
        let expected = self.bytes + sealed_bytes(self.entry.size_bytes);
        if found == expected { Ok(()) } else { Err(BlobError::WrongLength { id, expected, found }) }
    }

    /// For changing the metadata of a blob that is not finished.
    pub(in crate::vault) fn into_header(self) -> Header {
        self.header
    }
}

fn parse_prefix(id: BlobId, bytes: &[u8; PREFIX_BYTES]) -> Result<(BlobKind, usize), BlobError> {
    let damaged = || BlobError::HeaderDamaged { id };
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
    if *magic != MAGIC {
        return Err(BlobError::NotABlob { id });
    }
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
    let version = u16::from_le_bytes(*version);
    if version > VERSION {
        return Err(BlobError::NewerVersion { id, version });
    }
    let ([kind, chunk_log], rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
    let (name, meta) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
    let meta = meta.first_chunk::<4>().map(|meta| u32::from_le_bytes(*meta) as usize).ok_or_else(damaged)?;
    // Bounded before it is allocated (D7).
    let meta_limit = (SLOT_HEAD_BYTES + MAX_BLOB_META_BYTES).next_multiple_of(BLOB_META_STEP_BYTES) + SEAL_BYTES;
    let sound = version == VERSION && *chunk_log == CHUNK_LOG && BlobId(*name) == id && meta <= meta_limit;
    match BlobKind::from_number(*kind) {
        Some(kind) if sound => Ok((kind, meta)),
        _ => Err(damaged()),
    }
}

/// Destroys the key and the metadata in the header of `file`.
pub(super) fn destroy(id: BlobId, file: &File) -> Result<(), BlobError> {
    let found = file.metadata().map_err(BlobError::io(id, "look at"))?.len();
    let end = usize::try_from(found).unwrap_or(usize::MAX).min(META_AT + SEAL_BYTES + BLOB_META_STEP_BYTES);
    if let Some(length) = end.checked_sub(PREFIX_BYTES) {
        file.write_all_at(&vec![0; length], PREFIX_BYTES as u64).map_err(BlobError::io(id, "erase"))?;
    }
    file.sync_all().map_err(BlobError::io(id, "sync"))
}

fn short_is_damage(id: BlobId) -> impl FnOnce(io::Error) -> BlobError {
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BlobError::HeaderDamaged { id },
        _ => BlobError::io(id, "read")(error),
    }
}

fn read_array<const N: usize>(file: &File, id: BlobId) -> Result<[u8; N], BlobError> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, 0).map_err(short_is_damage(id))?;
    Ok(bytes)
}
