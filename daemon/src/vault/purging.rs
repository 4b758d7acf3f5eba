//! What is being deleted for good, noted outside the catalog: should all of the catalog be lost before the files were erased, they must not come back.
//!
//! The note is durable before the catalog forgets an asset, and goes once its files are erased. What a start finds in it is deleted to the end.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use super::{BlobId, Vault, durable};
use crate::limits::MAX_PURGING_BYTES;

impl Vault {
    /// Notes that these blobs are being deleted for good; durable when it returns. Blocking, one caller at a time. Gives where the note began, for
    /// [`Vault::take_back_purging`].
    ///
    /// # Errors
    /// What the disk reports; the note is as before then.
    pub fn note_purging(&self, blobs: impl IntoIterator<Item = BlobId>) -> io::Result<u64> {
        let text: String = blobs.into_iter().map(|id| format!("{id}\n")).collect();
        let path = &self.dir().purging;
        let mut file = OpenOptions::new().append(true).create(true).mode(durable::FILE_MODE).open(path)?;
        let before = file.metadata()?.len();
        let noted = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        if let Err(error) = noted.and_then(|()| durable::sync_folder(&self.dir().root)) {
            file.set_len(before)?;
            return Err(error);
        }
        Ok(before)
    }

    /// Takes back what was noted from `before` on, as the catalog did not forget it; blocking.
    ///
    /// # Errors
    /// What the disk reports; the next start deletes it then.
    pub fn take_back_purging(&self, before: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.dir().purging)?;
        file.set_len(before)?;
        file.sync_all()
    }

    /// All that was noted is erased; blocking.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn purged(&self) -> io::Result<()> {
        if durable::remove_if_there(&self.dir().purging)? {
            durable::sync_folder(&self.dir().root)?;
        }
        Ok(())
    }

    /// The blobs that were being deleted for good when the daemon stopped; blocking. A line that is no id, such as a torn one, is passed over: what it
    /// was for was never forgotten.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn purging(&self) -> io::Result<Vec<BlobId>> {
        let bytes = durable::read_at_most(&self.dir().purging, MAX_PURGING_BYTES)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).lines().filter_map(|line| line.parse().ok()).collect())
    }
}
