//! The list of the blobs of one version: a sealed file in the format of a blob, of rows of fixed size in order of their ids.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::Path;

use super::BackupError;
use super::copy::Digest;
use crate::vault::blob::{BlobError, BlobId, BlobKind, BlobReader, SealingFile, WrappingKeys};
use crate::vault::durable;

/// The list is in no folder of blobs, so its name can be fixed.
const ID: BlobId = BlobId(*b"backup-blob-list");
/// Id, size, hash.
const ROW_BYTES: usize = 16 + 8 + 32;

/// What is known about the file of one blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) size: u64,
    hash: [u8; 32],
}

impl Row {
    pub(super) fn of(digest: Digest) -> Self {
        Self { size: digest.size, hash: digest.hash }
    }

    pub(super) fn digest(&self) -> Digest {
        Digest { size: self.size, hash: self.hash }
    }
}

pub(super) struct Manifest;

impl Manifest {
    pub(super) fn write(keys: &WrappingKeys, path: &Path, rows: &HashMap<BlobId, Row>) -> Result<(), BackupError> {
        let temporary = durable::temporary_name(path);
        durable::remove_if_there(&temporary).map_err(BackupError::io("remove", &temporary))?;
        let mut file = SealingFile::create(keys, temporary, ID, BlobKind::BackupList, &[])?;
        let mut sorted: Vec<_> = rows.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| **id);
        for (id, row) in sorted {
            file.append(&[id.as_bytes().as_slice(), &row.size.to_le_bytes(), &row.hash].concat())?;
        }
        file.close()?;
        file.sync()?;
        Ok(file.rename(path)?)
    }

    pub(super) fn read(keys: &WrappingKeys, path: &Path) -> Result<HashMap<BlobId, Row>, BackupError> {
        let reader = BlobReader::open(keys, ID, path)?;
        let damaged = || BackupError::Blob(BlobError::HeaderDamaged { id: ID });
        let count = usize::try_from(reader.len()).map_err(|_| damaged())? / ROW_BYTES;
        if reader.kind() != BlobKind::BackupList || reader.len() != (count * ROW_BYTES) as u64 {
            return Err(damaged());
        }
        // An empty list is authenticated as well.
        if count == 0 {
            reader.verify()?;
        }
        let mut rows = HashMap::with_capacity(count);
        let mut reader = io::BufReader::new(reader);
        for _ in 0..count {
            let mut row = [0; ROW_BYTES];
            reader.read_exact(&mut row).map_err(|error| match error.downcast::<BlobError>() {
                Ok(error) => BackupError::Blob(error),
                Err(error) => BackupError::io("read", path)(error),
            })?;
            let id = row.first_chunk::<16>().copied();
            let size = row.get(16..24).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
            let hash = row.last_chunk::<32>().copied();
            let (Some(id), Some(size), Some(hash)) = (id, size, hash) else { return Err(damaged()) };
            rows.insert(BlobId(id), Row { size, hash });
        }
        Ok(rows)
    }
}
