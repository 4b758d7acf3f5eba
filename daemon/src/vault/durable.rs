//! Writing files so that they survive a power cut: temporary name, fsync, rename, fsync of the folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Mode of every file of the vault: nobody but the owner.
pub(super) const FILE_MODE: u32 = 0o600;

/// Makes a new private file for reading and writing; fails if the name is taken.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

/// Makes the names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The name under which `path` is written before it is renamed into place. One writer at a time per path.
pub(super) fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".new");
    PathBuf::from(name)
}

/// Puts `bytes` at `path` so that at every instant either the old content or the new is there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path);
    remove_if_there(&temporary)?;
    let mut file = create_new(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(folder_of(path))
}

/// Puts `bytes` at `path` only if nothing is there, even when two processes try at once.
pub(super) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path);
    remove_if_there(&temporary)?;
    let mut file = create_new(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    // A hard link, unlike a rename, fails when the name is taken.
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    linked?;
    sync_folder(folder_of(path))
}

/// Reads a whole file, if it is there and has at most `limit` bytes.
pub(crate) fn read_at_most(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is larger than it can be"));
    }
    Ok(Some(bytes))
}

/// Overwrites a small file with zeros before it is removed; it need not exist. The caller syncs the folder.
pub(crate) fn destroy(path: &Path, limit: u64) -> io::Result<()> {
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len().min(limit) as usize;
    std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; length], 0)?;
    file.sync_all()?;
    fs::remove_file(path)
}

/// Removes a file that need not exist; whether it did.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_never_replaces_and_replace_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        create(&path, b"one").unwrap();
        assert_eq!(create(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_at_most(&path, 3).unwrap().unwrap(), b"one");
        // A temporary file that a crash left behind is in nobody's way.
        fs::write(temporary_name(&path), b"left over").unwrap();
        replace(&path, b"three").unwrap();
        assert!(read_at_most(&path, 4).is_err());
        assert_eq!(read_at_most(&path, 5).unwrap().unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(remove_if_there(&path).unwrap());
        assert!(!remove_if_there(&path).unwrap());
        assert!(read_at_most(&path, 5).unwrap().is_none());
    }
}
