//! The snapshot: all records at one commit, in one sealed file in the format of a blob, replaced atomically.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{CatalogError, store::Entry};
use crate::{
    limits::{MAX_CATALOG_KEY_BYTES, MAX_CATALOG_VALUE_BYTES},
    vault::{
        blob::{BlobError, BlobId, BlobKind, BlobReader, SealingFile, WrappingKeys},
        durable,
        seal::SEAL_BYTES,
    },
};

/// The snapshot is not in the folder of blobs, so its name can be fixed.
const ID: BlobId = BlobId(*b"catalog-snapshot");
const VERSION: u16 = 1;

#[derive(Serialize, Deserialize)]
struct Meta {
    version: u16,
    /// Number of the last commit in it.
    number: u64,
    records: u64,
}

fn encode_meta(number: u64, records: u64) -> Result<Vec<u8>, CatalogError> {
    postcard::to_stdvec(&Meta { version: VERSION, number, records }).map_err(|_| CatalogError::Stopped)
}

/// A snapshot being written.
pub(super) struct SnapshotWriter {
    file: SealingFile,
    path: PathBuf,
    records: u64,
}

impl SnapshotWriter {
    pub(super) fn begin(keys: &WrappingKeys, path: &Path) -> Result<Self, CatalogError> {
        let temporary = durable::temporary_name(path);
        durable::remove_if_there(&temporary).map_err(CatalogError::io("sweep the snapshot of"))?;
        let file = SealingFile::create(keys, temporary, ID, BlobKind::CatalogSnapshot, &encode_meta(0, 0)?)
            .map_err(CatalogError::Snapshot)?;
        Ok(Self { file, path: path.to_path_buf(), records: 0 })
    }

    pub(super) fn append(&mut self, place: &[u8], sealed: &[u8]) -> Result<(), CatalogError> {
        let (place_bytes, value_bytes) = ((place.len() as u16).to_le_bytes(), (sealed.len() as u32).to_le_bytes());
        for part in [place_bytes.as_slice(), &value_bytes, place, sealed] {
            self.file.append(part).map_err(disk_full_or_snapshot)?;
        }
        self.records += 1;
        Ok(())
    }

    /// Puts the snapshot in the place of the one before.
    pub(super) fn finish(mut self, number: u64) -> Result<(), CatalogError> {
        self.file.set_meta(&encode_meta(number, self.records)?).map_err(CatalogError::Snapshot)?;
        self.file.close().map_err(disk_full_or_snapshot)?;
        self.file.sync().map_err(disk_full_or_snapshot)?;
        self.file.rename(&self.path).map_err(disk_full_or_snapshot)?;
        durable::sync_folder(durable::folder_of(&self.path)).map_err(CatalogError::io("sync"))
    }
}

fn disk_full_or_snapshot(error: BlobError) -> CatalogError {
    match error {
        BlobError::DiskFull { .. } => CatalogError::DiskFull,
        other => CatalogError::Snapshot(other),
    }
}

/// Calls `each` with all records; the number of the last commit in the snapshot, or `None` if there is no snapshot.
pub(super) fn read(
    keys: &WrappingKeys,
    path: &Path,
    mut each: impl FnMut(Entry) -> Result<(), CatalogError>,
) -> Result<Option<u64>, CatalogError> {
    let Some((reader, meta)) = open(keys, path)? else { return Ok(None) };
    let mut reader = io::BufReader::new(reader);
    for _ in 0..meta.records {
        let (mut place_bytes, mut value_bytes) = ([0; 2], [0; 4]);
        read_exact(&mut reader, &mut place_bytes)?;
        read_exact(&mut reader, &mut value_bytes)?;
        let (place_bytes, value_bytes) =
            (u16::from_le_bytes(place_bytes) as usize, u32::from_le_bytes(value_bytes) as usize);
        if place_bytes > MAX_CATALOG_KEY_BYTES + 1 || value_bytes > MAX_CATALOG_VALUE_BYTES + SEAL_BYTES {
            return Err(damaged());
        }
        let (mut place, mut value) = (vec![0; place_bytes], vec![0; value_bytes]);
        read_exact(&mut reader, &mut place)?;
        read_exact(&mut reader, &mut value)?;
        each((place, value))?;
    }
    Ok(Some(meta.number))
}

fn damaged() -> CatalogError {
    CatalogError::Snapshot(BlobError::HeaderDamaged { id: ID })
}

fn open(keys: &WrappingKeys, path: &Path) -> Result<Option<(BlobReader, Meta)>, CatalogError> {
    let reader = match BlobReader::open(keys, ID, path) {
        Ok(reader) => reader,
        Err(BlobError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(CatalogError::Snapshot(error)),
    };
    let meta: Meta = postcard::from_bytes(reader.meta()).map_err(|_| damaged())?;
    if meta.version > VERSION {
        return Err(CatalogError::NewerFormat { version: meta.version });
    }
    Ok(Some((reader, meta)))
}

/// The number of the last commit in the snapshot; `None` if there is no snapshot.
pub(super) fn number(keys: &WrappingKeys, path: &Path) -> Result<Option<u64>, CatalogError> {
    Ok(open(keys, path)?.map(|(_, meta)| meta.number))
}

fn read_exact(reader: &mut impl io::Read, out: &mut [u8]) -> Result<(), CatalogError> {
    reader.read_exact(out).map_err(|error| match error.downcast::<BlobError>() {
        Ok(error) => CatalogError::Snapshot(error),
        Err(error) => CatalogError::io("read the snapshot of")(error),
    })
}

/// Whether the header of the snapshot opens with `keys`; `None` if there is no snapshot.
pub(super) fn opens(keys: &WrappingKeys, path: &Path) -> Result<Option<bool>, CatalogError> {
    match BlobReader::open(keys, ID, path) {
        Err(BlobError::NotFound { .. }) => Ok(None),
        // Of a newer version, or of a wrong length behind a header that opens: a matter for whoever reads it.
        Ok(_) | Err(BlobError::NewerVersion { .. } | BlobError::WrongLength { .. }) => Ok(Some(true)),
        Err(error) if error.is_damage() => Ok(Some(false)),
        Err(error) => Err(CatalogError::Snapshot(error)),
    }
}

/// Moves a snapshot that cannot be read out of the way, so that it is still there for somebody who wants to look at it.
pub(super) fn set_aside(path: &Path) -> Result<(), CatalogError> {
    let mut aside = path.as_os_str().to_os_string();
    aside.push(".damaged");
    fs::rename(path, aside).map_err(CatalogError::io("set aside the snapshot of"))
}
