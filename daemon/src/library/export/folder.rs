//! The folder that an export is written into. Every name is looked up in an opened folder and no link is followed, so that nothing that lies there
//! can lead out of it; a file has its name only when it is whole and on the disk.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self as at, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use rustix::path::Arg;

use super::{ExportError, FOLDER};
use crate::limits::{EXPORT_PIECE_BYTES, MAX_EXPORT_SIDECAR_BYTES};

/// What temporary files are called, in the root.
const PART: &str = ".inframe-part-";
const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// An opened folder of an export.
pub(super) struct Folder {
    fd: OwnedFd,
    /// For words only.
    path: PathBuf,
}

/// The root of an export, held by one exporter at a time.
pub(super) struct Root {
    folder: Folder,
    parts: AtomicU64,
}

/// Where the export of a library into `folder` lies: in a folder of its own in it, or there itself when it is one.
pub(super) fn root_of(folder: &Path) -> PathBuf {
    if folder.file_name().is_some_and(|name| name == FOLDER) { folder.to_owned() } else { folder.join(FOLDER) }
}

impl Root {
    /// Opens the root in the folder that the owner named; makes it there if `make`.
    pub(super) fn open(folder: &Path, data: &Path, make: bool) -> Result<Self, ExportError> {
        let folder = folder.canonicalize().map_err(|_| ExportError::Away(folder.to_path_buf()))?;
        if !folder.is_dir() {
            return Err(ExportError::Away(folder));
        }
        let path = root_of(&folder);
        if path.starts_with(data) {
            return Err(ExportError::Inside(folder));
        }
        let outer = path.parent().unwrap_or(&folder).to_owned();
        let outer = Folder { fd: open_folder(at::CWD, outer.as_path(), &outer)?, path: outer };
        let folder = if make {
            outer.inside(FOLDER)?
        } else {
            outer.existing(FOLDER)?.ok_or_else(|| ExportError::Away(path.clone()))?
        };
        // A file system without locks has no second exporter either, as far as anybody can tell.
        if at::flock(&folder.fd, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(ExportError::Busy(path));
        }
        Ok(Self { folder, parts: AtomicU64::new(0) })
    }

    /// Removes what a cut export left half-written.
    pub(super) fn sweep(&self) -> Result<(), ExportError> {
        for name in self.folder.names()?.into_iter().filter(|name| name.starts_with(PART)) {
            at::unlinkat(&self.folder.fd, name.as_str(), AtFlags::empty()).map_err(self.failed("remove", &name))?;
        }
        Ok(())
    }

    /// A new temporary file.
    pub(super) fn part(&self) -> Result<Part<'_>, ExportError> {
        let name = format!("{PART}{}", self.parts.fetch_add(1, Ordering::Relaxed));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = at::openat(&self.folder.fd, name.as_str(), flags, FILE_MODE);
        let file = File::from(made.map_err(self.failed("write", &name))?);
        Ok(Part { root: self, name: Some(name), file })
    }

    fn failed(&self, action: &'static str, name: &str) -> impl FnOnce(Errno) -> ExportError {
        self.folder.failed(action, name)
    }
}

impl std::ops::Deref for Root {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Folder {
    /// Where it is, for words.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of that name in this one, made if there is none.
    pub(super) fn inside(&self, name: &str) -> Result<Folder, ExportError> {
        match at::mkdirat(&self.fd, name, FOLDER_MODE) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(self.failed("make", name)(error)),
        }
        let path = self.path.join(name);
        Ok(Folder { fd: open_folder(&self.fd, name, &path)?, path })
    }

    /// The folder of that name in this one.
    pub(super) fn existing(&self, name: &str) -> Result<Option<Folder>, ExportError> {
        match self.kind(name)? {
            Some((FileType::Directory, _)) => self.inside(name).map(Some),
            _ => Ok(None),
        }
    }

    /// Every name in it that is text.
    pub(super) fn names(&self) -> Result<Vec<String>, ExportError> {
        let failed = |error: Errno| ExportError::of("list", &self.path, error.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_str().unwrap_or_default();
            if !["", ".", ".."].contains(&name) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Plain bytes of all files in it and in the folders in it, `depth` levels down.
    pub(super) fn bytes(&self, depth: u32) -> Result<u64, ExportError> {
        let mut sum = 0_u64;
        for name in self.names()? {
            sum = sum.saturating_add(match self.kind(&name)? {
                Some((FileType::RegularFile, size)) => size,
                Some((FileType::Directory, _)) if depth > 0 => match self.existing(&name)? {
                    Some(folder) => folder.bytes(depth - 1)?,
                    None => 0,
                },
                _ => 0,
            });
        }
        Ok(sum)
    }

    /// What a name is and how large; links are not followed.
    fn kind(&self, name: &str) -> Result<Option<(FileType, u64)>, ExportError> {
        match at::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => {
                Ok(Some((FileType::from_raw_mode(found.st_mode), u64::try_from(found.st_size).unwrap_or(u64::MAX))))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed("look at", name)(error)),
        }
    }

    /// A file to be read, if there is one with that name.
    fn reader(&self, name: &str) -> Result<Option<(File, u64)>, ExportError> {
        let Some((FileType::RegularFile, size)) = self.kind(name)? else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = at::openat(&self.fd, name, flags, Mode::empty()).map_err(self.failed("read", name))?;
        Ok(Some((File::from(opened), size)))
    }

    /// Whether there is a file with these very bytes. One that cannot be read to its end is not the same.
    pub(super) fn holds(
        &self,
        name: &str,
        content: blake3::Hash,
        size_bytes: u64,
        going: &mut dyn FnMut(u64) -> bool,
    ) -> Result<bool, ExportError> {
        let Some((mut file, _)) = self.reader(name)?.filter(|(_, size)| *size == size_bytes) else { return Ok(false) };
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; EXPORT_PIECE_BYTES];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(hasher.finalize() == content),
                Ok(read) => {
                    hasher.update(piece.get(..read).unwrap_or_default());
                    if !going(read as u64) {
                        return Err(ExportError::Stopped);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(false),
            }
        }
    }

    /// The bytes of a small file, cut where no file of ours is longer; `None` when there is no such file.
    pub(super) fn head(&self, name: &str) -> Result<Option<Vec<u8>>, ExportError> {
        let Some((file, _)) = self.reader(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(MAX_EXPORT_SIDECAR_BYTES).read_to_end(&mut bytes);
        read.map_err(|error| ExportError::of("read", &self.path.join(name), error))?;
        Ok(Some(bytes))
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<(), ExportError> {
        match at::fsync(&self.fd) {
            // Some file systems of other machines have no such thing for a folder.
            Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            Err(error) => Err(ExportError::of("sync", &self.path, error.into())),
        }
    }

    fn failed(&self, action: &'static str, name: &str) -> impl FnOnce(Errno) -> ExportError {
        let path = self.path.join(name);
        move |error| ExportError::of(action, &path, error.into())
    }
}

fn open_folder(within: impl AsFd, name: impl Arg, path: &Path) -> Result<OwnedFd, ExportError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    at::openat(within, name, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP | Errno::NOTDIR => ExportError::Taken(path.to_owned()),
        error => ExportError::of("open", path, error.into()),
    })
}

/// A file that has no name of its own yet; it is gone when this is dropped.
pub(super) struct Part<'a> {
    root: &'a Root,
    name: Option<String>,
    file: File,
}

impl Part<'_> {
    /// Gives the file its name once it is on the disk, if nothing has that name. Whether it did.
    pub(super) fn name(mut self, folder: &Folder, name: &str) -> Result<bool, ExportError> {
        self.sync(folder, name)?;
        let Some(own) = self.name.clone() else { return Ok(false) };
        let named = at::renameat_with(&self.root.fd, own.as_str(), &folder.fd, name, RenameFlags::NOREPLACE);
        let named = match named {
            // Not every file system can do both at once.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match folder.kind(name)? {
                Some(_) => Err(Errno::EXIST),
                None => at::renameat(&self.root.fd, own.as_str(), &folder.fd, name),
            },
            named => named,
        };
        match named {
            Ok(()) => {
                self.name = None;
                Ok(true)
            }
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(folder.failed("name", name)(error)),
        }
    }

    /// Gives the file the name of one of ours, in its place.
    pub(super) fn replace(mut self, folder: &Folder, name: &str) -> Result<(), ExportError> {
        self.sync(folder, name)?;
        if let Some(own) = &self.name {
            at::renameat(&self.root.fd, own.as_str(), &folder.fd, name).map_err(folder.failed("name", name))?;
        }
        self.name = None;
        Ok(())
    }

    /// Appends bytes to the file, which is to become `name`.
    pub(super) fn append(&mut self, bytes: &[u8], folder: &Folder, name: &str) -> Result<(), ExportError> {
        self.file.write_all(bytes).map_err(|error| ExportError::of("write", &folder.path.join(name), error))
    }

    fn sync(&self, folder: &Folder, name: &str) -> Result<(), ExportError> {
        self.file.sync_all().map_err(|error| ExportError::of("write", &folder.path.join(name), error))
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(error) = at::unlinkat(&self.root.fd, name.as_str(), AtFlags::empty())
        {
            tracing::warn!("a temporary file of the export stays until the next one: {error}");
        }
    }
}
