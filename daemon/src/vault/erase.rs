//! Erasing a vault for good: the keys first, then everything else. What is cut short is finished at the next start.
//!
//! The order is the point. A mark comes first, durable, and is the owner's word: from then on nothing opens the vault. Then the key slots are
//! overwritten and removed, then the key file; after that nobody can read what is left, with any secret. The rest is removed, and the mark last.
//! What is absent on purpose: no backup in another folder is touched, and nothing that does not lie in the data folder but the key file.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::durable;
use super::keys::{KeyError, KeyFile, Keys};
use crate::data_dir::{DataDir, DataDirError};

const HEAD: &str = "inframe erasing 1\n";
const MAX_MARK_BYTES: u64 = 256;
/// The database may end its threads while its folder is removed.
const REMOVE_TRIES: usize = 50;
const REMOVE_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// Why not everything was erased.
#[derive(Debug, Error)]
pub enum EraseError {
    /// The keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The folders of the data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The file system.
    #[error("cannot {action} {}: check the disk and your permissions, then start the daemon again, which goes on with erasing", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl EraseError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }
}

/// Whether everything in `dir` is being erased.
#[must_use]
pub fn is_unfinished(dir: &DataDir) -> bool {
    dir.erasing.exists()
}

/// Erases everything in `dir`, and `key_file` if it opens the vault there, or goes on where that was cut short; the folder is as new then. Blocking. No
/// node may run on it.
///
/// # Errors
/// An [`EraseError`]; the next start goes on.
pub fn erase(dir: &DataDir, key_file: &KeyFile) -> Result<(), EraseError> {
    destroy_keys(dir, key_file)?;
    remove_the_rest(dir)?;
    dir.make_folders()?;
    durable::sync_folder(&dir.root).map_err(EraseError::io("sync", &dir.root))?;
    durable::remove_if_there(&dir.erasing).map_err(EraseError::io("remove", &dir.erasing))?;
    durable::sync_folder(&dir.root).map_err(EraseError::io("sync", &dir.root))
}

/// The first half of [`erase`]: nothing can be opened then, and the next start erases the rest. For where a part of the node still writes.
///
/// # Errors
/// As [`erase`].
pub fn destroy_keys(dir: &DataDir, key_file: &KeyFile) -> Result<(), EraseError> {
    if !is_unfinished(dir) {
        // The id tells the key file of this vault from another one that a later start may be given.
        let id = Keys::id_of_key_file(dir, key_file)?;
        let mark = format!("{HEAD}{}\n", id.map(|id| data_encoding::HEXLOWER.encode(&id)).unwrap_or_default());
        durable::replace(&dir.erasing, mark.as_bytes()).map_err(EraseError::io("write", &dir.erasing))?;
    }
    let mark = durable::read_at_most(&dir.erasing, MAX_MARK_BYTES).map_err(EraseError::io("read", &dir.erasing))?;
    Keys::destroy(dir)?;
    if let Some(id) = mark.as_deref().and_then(key_id) {
        key_file.destroy(id)?;
    }
    Ok(())
}

fn key_id(mark: &[u8]) -> Option<[u8; 8]> {
    let hex = mark.strip_prefix(HEAD.as_bytes())?.trim_ascii_end();
    data_encoding::HEXLOWER.decode(hex).ok()?.try_into().ok()
}

/// Everything but what holds the folder itself: its lock, the socket that may be answering right now, and the mark.
fn remove_the_rest(dir: &DataDir) -> Result<(), EraseError> {
    let kept = [&dir.lock, &dir.socket, &dir.erasing].map(|path| path.file_name().map(OsStr::to_owned));
    for entry in fs::read_dir(&dir.root).map_err(EraseError::io("list", &dir.root))? {
        let entry = entry.map_err(EraseError::io("list", &dir.root))?;
        if kept.contains(&Some(entry.file_name())) {
            continue;
        }
        let path = entry.path();
        remove(&path).map_err(EraseError::io("remove", &path))?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    // A link is removed as such: what it points to is not ours to erase.
    if !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        return durable::remove_if_there(path).map(drop);
    }
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && tries < REMOVE_TRIES => {
                tries += 1;
                std::thread::sleep(REMOVE_PAUSE);
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::place::{Place, files_below, pattern};
    use crate::vault::{BlobKind, Opening, RecoveryPhrase, Unlock, VaultError};

    fn filled() -> (Place, Unlock) {
        let place = Place::new();
        let vault = place.vault();
        vault.blobs().put(BlobKind::Original, b"a photo", &pattern(70_000)).unwrap();
        let paper = Unlock::Recovery(RecoveryPhrase::random().unwrap());
        Keys::add_slot(vault.dir(), &Unlock::KeyFile(place.key_file()), &paper).unwrap();
        vault.settle().unwrap();
        (place, paper)
    }

    fn names(place: &Place) -> Vec<String> {
        files_below(&place.root())
            .iter()
            .map(|path| path.strip_prefix(place.root()).unwrap().display().to_string())
            .collect()
    }

    #[test]
    fn everything_goes_and_the_folder_begins_anew() {
        let (place, paper) = filled();
        let key = fs::read(place.key_file().path()).unwrap();
        erase(&place.dir(), &place.key_file()).unwrap();
        assert_eq!(names(&place), ["lock"]);
        assert!(!place.key_file().path().exists());
        assert!(matches!(Keys::unlock(&place.dir(), &paper), Err(KeyError::NoVault)));
        let vault = place.vault();
        assert!(matches!(vault.catalog().opening(), Opening::New) && !vault.is_incomplete());
        assert_ne!(fs::read(place.key_file().path()).unwrap(), key, "another key");
    }

    #[test]
    fn d2_an_erasure_that_was_cut_short_after_the_keys_opens_nothing_and_is_finished_later() {
        let (place, paper) = filled();
        let kept = fs::read(place.key_file().path()).unwrap();
        let slots = fs::read(place.root().join("key-slots")).unwrap();
        let dir = place.dir();
        let id = Keys::id_of_key_file(&dir, &place.key_file()).unwrap().unwrap();
        let mark = format!("{HEAD}{}\n", data_encoding::HEXLOWER.encode(&id));
        durable::replace(&dir.erasing, mark.as_bytes()).unwrap();
        let refused = |way: &Unlock| matches!(Keys::unlock(&dir, way), Err(KeyError::EraseUnfinished { .. }));
        assert!(refused(&paper) && refused(&Unlock::KeyFile(place.key_file())), "the mark is the owner's word");
        Keys::destroy(&dir).unwrap();
        assert!(refused(&paper), "with the slots gone as well");
        // A change of the slots that was cut short had left them under another name.
        fs::write(durable::temporary_name(&dir.key_slots), &slots).unwrap();
        erase(&dir, &place.key_file()).unwrap();
        drop(dir);
        assert_eq!(names(&place), ["lock"]);
        // Whoever kept a copy of the key file opens nothing with it.
        fs::write(place.outside().join("kept"), kept).unwrap();
        place.vault();
        let kept = Unlock::KeyFile(KeyFile::at(place.outside().join("kept")));
        assert!(Keys::unlock(&place.dir(), &kept).is_err());
    }

    #[test]
    fn the_key_file_of_another_vault_stays_and_so_does_what_a_link_points_to() {
        let (place, _) = filled();
        let (other, _) = filled();
        let outside = place.outside().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("photo"), b"not ours").unwrap();
        std::os::unix::fs::symlink(&outside, place.root().join("link")).unwrap();
        erase(&place.dir(), &other.key_file()).unwrap();
        assert_eq!(names(&place), ["lock"]);
        assert_eq!(fs::read(outside.join("photo")).unwrap(), b"not ours");
        assert!(place.key_file().path().exists(), "it was not named");
        other.vault();
        // Neither is one that a later start is given by mistake.
        let dir = place.dir();
        durable::replace(&dir.erasing, format!("{HEAD}0011223344556677\n").as_bytes()).unwrap();
        erase(&dir, &other.key_file()).unwrap();
        drop(dir);
        other.vault();
    }

    #[test]
    fn d2_a_key_file_that_was_overwritten_and_not_yet_removed_is_in_nobodys_way() {
        let (place, _) = filled();
        let dir = place.dir();
        let id = Keys::id_of_key_file(&dir, &place.key_file()).unwrap().unwrap();
        let mark = format!("{HEAD}{}\n", data_encoding::HEXLOWER.encode(&id));
        durable::replace(&dir.erasing, mark.as_bytes()).unwrap();
        Keys::destroy(&dir).unwrap();
        let length = fs::read(place.key_file().path()).unwrap().len();
        fs::write(place.key_file().path(), vec![0; length]).unwrap();
        erase(&dir, &place.key_file()).unwrap();
        assert!(!place.key_file().path().exists());
        drop(dir);
        place.vault();
    }

    #[test]
    fn a_vault_that_is_being_erased_takes_no_backup() {
        let (place, _) = filled();
        let dir = place.dir();
        durable::replace(&dir.erasing, HEAD.as_bytes()).unwrap();
        let opened = crate::vault::Vault::open(&dir, &place.key_file());
        assert!(matches!(opened, Err(VaultError::Key(KeyError::EraseUnfinished { .. }))), "{opened:?}");
    }
}
