//! A pack on its way in: copied or downloaded into an unfinished folder, checked, and kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use inframe_models::limits::MAX_MANIFEST_BYTES;
use inframe_models::{PackError, PackFacts, PackFile, builtin_file};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::download::{Download, beside};
use super::{Adding, PACK_TOML, Packs, PacksError, UNFINISHED, read_facts};
use crate::limits::MAX_MODEL_PACKS;
use crate::sandbox::Model;

/// Where a pack comes from.
#[derive(Clone, Debug)]
pub enum Wish {
    /// From a folder of this machine.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Whether files that are not in it may be downloaded from the addresses that its `pack.toml` names.
        download: bool,
        /// Whether that may be plain http.
        insecure: bool,
    },
    /// From an address.
    Address {
        /// Address of the `pack.toml`; the files lie beside it, unless it names their addresses.
        url: String,
        /// BLAKE3 of the `pack.toml` in lowercase hex.
        blake3: String,
        /// Whether it may be plain http.
        insecure: bool,
    },
}

/// A pack in an unfinished folder, all hashes right. The folder goes when this is dropped, unless the pack is kept.
#[derive(Debug)]
pub struct Staged {
    folder: PathBuf,
    facts: PackFacts,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a rename there is nothing, and after an exchange the folder that was replaced.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Staged {
    /// For the trial in a decode process.
    #[must_use]
    pub fn model(&self) -> Model {
        Model::in_folder(&self.facts.id, self.folder.clone())
    }

    /// What its `pack.toml` says.
    #[must_use]
    pub fn facts(&self) -> &PackFacts {
        &self.facts
    }
}

impl Packs {
    /// Brings a pack into an unfinished folder; blocking. `stop` is asked between pieces.
    ///
    /// # Errors
    /// When a file is missing, too large, or not the one that was asked for, or when `pack.toml` makes no sense.
    pub fn stage(&self, wish: &Wish, stop: &dyn Fn() -> bool) -> Result<Staged, PacksError> {
        let outcome = self.stage_noted(wish, stop);
        self.note(None);
        outcome
    }

    fn stage_noted(&self, wish: &Wish, stop: &dyn Fn() -> bool) -> Result<Staged, PacksError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| PacksError::Random)?;
        let folder = self.folder.join(format!("{UNFINISHED}{}", data_encoding::HEXLOWER.encode(&random)));
        DirBuilder::new().mode(0o700).create(&folder).map_err(PacksError::io("make", &folder))?;
        // From here on it goes again by itself.
        let mut staged = Staged { folder, facts: PackFacts::builtin()? };
        let intake = Intake { packs: self, wish, folder: &staged.folder, stop };
        let manifest = intake.manifest()?;
        for file in PackFacts::files_of(&manifest)? {
            intake.file(&file)?;
        }
        sync(&staged.folder)?;
        let facts = read_facts(&staged.folder)?;
        staged.facts = facts;
        Ok(staged)
    }

    /// Makes a staged pack one of those that are there, durably; blocking. One that was there before is replaced if it is the same or damaged,
    /// so that adding a pack again mends it.
    ///
    /// # Errors
    /// When there is another one with its id, when there are too many, or when the folder cannot be written.
    pub fn keep(&self, staged: &Staged) -> Result<(), PacksError> {
        let id = &staged.facts.id;
        if PackFacts::builtin().is_ok_and(|builtin| builtin.id == *id) {
            return Err(PacksError::BuiltIn(id.clone()));
        }
        let place = self.folder.join(id);
        if place.exists() {
            let manifest = |folder: &Path| fs::read(folder.join(PACK_TOML)).ok();
            if read_facts(&place).is_ok() && manifest(&place) != manifest(&staged.folder) {
                return Err(PacksError::Known(id.clone()));
            }
            renameat_with(CWD, &staged.folder, CWD, &place, RenameFlags::EXCHANGE)
                .map_err(|error| PacksError::io("replace", &place)(error.into()))?;
        } else {
            let count = super::added(&self.folder)?.len();
            if count >= MAX_MODEL_PACKS {
                return Err(PacksError::TooMany(count));
            }
            fs::rename(&staged.folder, &place).map_err(PacksError::io("make", &place))?;
        }
        sync(&self.folder)
    }
}

fn sync(folder: &Path) -> Result<(), PacksError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(PacksError::io("sync", folder))
}

struct Intake<'a> {
    packs: &'a Packs,
    wish: &'a Wish,
    folder: &'a Path,
    stop: &'a dyn Fn() -> bool,
}

impl Intake<'_> {
    /// Fetches `pack.toml` and gives its bytes.
    fn manifest(&self) -> Result<Vec<u8>, PacksError> {
        match self.wish {
            Wish::Folder { path, .. } => {
                let from = path.join(PACK_TOML);
                let opened = open(&from).map_err(|_| PacksError::NoPack(path.clone()))?;
                self.take(opened, None, PACK_TOML, MAX_MANIFEST_BYTES, &from.display().to_string())?;
            }
            Wish::Address { url, blake3, insecure } => {
                if blake3.len() != 64 || !blake3.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(PacksError::NoHash);
                }
                let found = self.download(url, *insecure, PACK_TOML, MAX_MANIFEST_BYTES)?;
                if found != *blake3 {
                    return Err(PacksError::OtherHash { address: url.clone(), expected: blake3.clone(), found });
                }
            }
        }
        let path = self.folder.join(PACK_TOML);
        fs::read(&path).map_err(PacksError::io("read", &path))
    }

    /// Fetches a file that `pack.toml` names: from the folder, from the program, or from its address.
    fn file(&self, file: &PackFile) -> Result<(), PacksError> {
        let found = match (self.wish, builtin_file(&file.blake3)) {
            (Wish::Folder { path, .. }, _) if fs::symlink_metadata(path.join(&file.name)).is_ok() => {
                let from = path.join(&file.name);
                let opened = open(&from).map_err(PacksError::io("read", &from))?;
                self.take(opened, None, &file.name, file.limit, &from.display().to_string())?
            }
            (_, Some(bytes)) => self.take(bytes, None, &file.name, file.limit, &file.name)?,
            (Wish::Folder { download, insecure, .. }, None) => match &file.url {
                Some(url) if *download => self.download(url, *insecure, &file.name, file.limit)?,
                Some(url) => {
                    return Err(PacksError::NotDownloaded { file: file.name.clone(), address: url.clone() });
                }
                None => {
                    let source = std::io::ErrorKind::NotFound.into();
                    return Err(PackError::Read { path: file.name.clone().into(), source }.into());
                }
            },
            (Wish::Address { url, insecure, .. }, None) => {
                let address = file.url.clone().unwrap_or_else(|| beside(url, &file.name));
                self.download(&address, *insecure, &file.name, file.limit)?
            }
        };
        if found == file.blake3 {
            return Ok(());
        }
        Err(PackError::Damaged { file: file.name.clone(), expected: file.blake3.clone(), found }.into())
    }

    fn download(&self, address: &str, insecure: bool, name: &str, limit: u64) -> Result<String, PacksError> {
        let download = Download::new(address, insecure)?;
        let (body, total) = download.open()?;
        if total.is_some_and(|total| total > limit) {
            return Err(PacksError::TooLarge { what: address.to_owned(), limit });
        }
        match self.take(body, total, name, limit, address) {
            Err(PacksError::Io { action: "read", source, .. }) => Err(download.failed(&source)),
            outcome => outcome,
        }
    }

    /// Writes what comes into the unfinished folder, durably, and gives its BLAKE3 in hex.
    fn take(
        &self,
        mut from: impl Read,
        total: Option<u64>,
        name: &str,
        limit: u64,
        what: &str,
    ) -> Result<String, PacksError> {
        let path = self.folder.join(name);
        let mut to = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(PacksError::io("make", &path))?;
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; 256 * 1024];
        let mut done = 0;
        loop {
            if (self.stop)() {
                return Err(PacksError::Ending);
            }
            self.packs.note(Some(Adding { file: name.to_owned(), done, total }));
            let read = from.read(&mut piece).map_err(PacksError::io("read", Path::new(what)))?;
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            done += read as u64;
            if done > limit {
                return Err(PacksError::TooLarge { what: what.to_owned(), limit });
            }
            hasher.update(bytes);
            to.write_all(bytes).map_err(PacksError::io("write", &path))?;
        }
        to.sync_all().map_err(PacksError::io("sync", &path))?;
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// A regular file only: neither a device nor a pipe that would never end.
fn open(path: &Path) -> std::io::Result<File> {
    if fs::metadata(path)?.is_file() { File::open(path) } else { Err(std::io::ErrorKind::InvalidInput.into()) }
}
