//! Copying one file so that it is whole and durable under its name, and hashing what is there.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::BackupError;
use crate::limits::BACKUP_PIECE_BYTES;
use crate::vault::durable;

/// Size and BLAKE3 of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) size: u64,
    pub(super) hash: [u8; 32],
}

/// Copies `from` to `to`, which is replaced; `going` is told the bytes so far and says whether to go on. The caller syncs the folder.
pub(super) fn copy_file(from: &Path, to: &Path, mut going: impl FnMut(u64) -> bool) -> Result<Digest, BackupError> {
    let mut source = File::open(from).map_err(BackupError::io("open", from))?;
    let temporary = durable::temporary_name(to);
    durable::remove_if_there(&temporary).map_err(BackupError::io("remove", &temporary))?;
    let mut target = durable::create_new(&temporary).map_err(BackupError::io("make", &temporary))?;
    let (mut hasher, mut size, mut piece) = (blake3::Hasher::new(), 0, vec![0; BACKUP_PIECE_BYTES]);
    let copied = loop {
        let read = match source.read(&mut piece) {
            Ok(0) => break Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Err(BackupError::io("read", from)(error)),
        };
        let bytes = piece.get(..read).unwrap_or_default();
        hasher.update(bytes);
        if let Err(error) = target.write_all(bytes) {
            break Err(BackupError::io("write", &temporary)(error));
        }
        size += bytes.len() as u64;
        if !going(size) {
            break Err(BackupError::Stopped);
        }
    };
    let named = copied.and_then(|()| target.sync_all().map_err(BackupError::io("sync", &temporary))).and_then(|()| {
        drop(target);
        fs::rename(&temporary, to).map_err(BackupError::io("name", to))
    });
    if let Err(error) = named {
        // Best effort: it is swept the next time.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(Digest { size, hash: *hasher.finalize().as_bytes() })
}

/// Reads a file through, from the disk rather than from memory where the system lets us choose; `going` as for [`copy_file`].
pub(super) fn hash_file(path: &Path, mut going: impl FnMut(u64) -> bool) -> Result<Digest, BackupError> {
    let mut file = File::open(path).map_err(BackupError::io("open", path))?;
    // Only advice: a file system without it is read all the same.
    let _ = fadvise(&file, 0, None, Advice::DontNeed);
    let (mut hasher, mut size, mut piece) = (blake3::Hasher::new(), 0, vec![0; BACKUP_PIECE_BYTES]);
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(BackupError::io("read", path)(error)),
        };
        hasher.update(piece.get(..read).unwrap_or_default());
        size += read as u64;
        if !going(size) {
            return Err(BackupError::Stopped);
        }
    }
    Ok(Digest { size, hash: *hasher.finalize().as_bytes() })
}

impl super::Backup {
    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where it has a blob, if it has it.
    #[must_use]
    pub fn path_of(&self, id: crate::vault::BlobId) -> std::path::PathBuf {
        super::blob_path(&self.root, id)
    }
}
