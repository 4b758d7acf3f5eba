//! Files that are taken in as their bytes come: videos, and what is too large for memory.

use std::io::{self, Read, Write as _};

use inframe_protocol::ContentId;

use super::{Added, AssetId, Library, LibraryError, NewAsset, Source, of_original, shown_name};
use crate::limits::DISK_ROOM_STEP_BYTES;
use crate::vault::{BlobError, BlobKind, BlobWriter};

/// Bytes copied at once from a file or an upload into the vault.
const COPIED_BYTES: usize = 256 * 1024;

impl Library {
    /// Adds bytes chosen by the owner as they come, in constant memory; `adopt` makes an asset of them. Durable when it returns.
    pub(super) async fn import_stream(
        &self,
        file_name: &str,
        bytes: impl Read + Send + 'static,
        adopt: impl FnOnce(&Self, AssetId, NewAsset) -> Result<Added, LibraryError> + Send + 'static,
    ) -> Result<Added, LibraryError> {
        let id = AssetId::random().map_err(|_| LibraryError::Random)?;
        let file_name = shown_name(file_name);
        let (library, note) = (self.clone(), of_original(id, &file_name, &self.arriving));
        let written = tokio::task::spawn_blocking(move || library.write(&note, bytes)).await;
        let (writer, content) = written.map_err(|_| LibraryError::Ending)??;
        let claim = match self.claim(content).await? {
            Ok(claim) => claim,
            // The writer goes, and with it what it wrote.
            Err(known) => return Ok(known),
        };
        if let Some(photo) = self.photo_of(&content) {
            return Ok(Added::Duplicate(photo));
        }
        let library = self.clone();
        let added = tokio::task::spawn_blocking(move || {
            let size_bytes = writer.written();
            let original = Source::Stored(writer.finish()?);
            let origin = library.arriving.clone();
            let new = NewAsset { file_name, content, size_bytes, original, origin, taken_at: None, doubtful: false };
            adopt(&library, id, new)
        });
        let added = added.await;
        drop(claim);
        added.map_err(|_| LibraryError::Ending)?
    }

    fn write(&self, note: &[u8], mut bytes: impl Read) -> Result<(BlobWriter, ContentId), LibraryError> {
        let mut writer = self.vault.blobs().writer(BlobKind::Original, note)?;
        let mut hasher = blake3::Hasher::new();
        let mut piece = zeroize::Zeroizing::new(vec![0; COPIED_BYTES]);
        let mut asked = 0;
        loop {
            // Nobody says how long it is: space is asked for step by step.
            if writer.written() >= asked {
                self.disk.room_for(DISK_ROOM_STEP_BYTES)?;
                asked += DISK_ROOM_STEP_BYTES;
            }
            let read = match bytes.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(LibraryError::Cut(error)),
            };
            let new = piece.get(..read).unwrap_or_default();
            hasher.update(new);
            if let Err(error) = writer.write_all(new) {
                return Err(match BlobError::of(&error) {
                    Some(BlobError::TooLarge { size, limit }) => {
                        LibraryError::TooLarge { size_bytes: *size, limit_bytes: *limit }
                    }
                    _ => LibraryError::Write(error),
                });
            }
        }
        Ok((writer, ContentId(*hasher.finalize().as_bytes())))
    }
}
