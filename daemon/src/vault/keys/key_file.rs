//! The unattended key file: a random secret in a small text file outside the data folder, readable by its owner only.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::{DataDir, KeyError, SealError, Secret32, durable};
use crate::{data_dir::sync_names_above, limits::MAX_KEY_FILE_BYTES};

const PREFIX: &str = "inframe-key-1-";
const HEAD: &str = "# The key of an inframe vault. Whoever has this file and the data folder can see every photo in it.\n\
                    # Keep a copy somewhere safe: without it nobody can open the vault, not even you.\n";
/// Bytes of the checksum that tells a damaged key file from the key of another vault.
const CHECKSUM_BYTES: usize = 4;

/// Where the key file is. Holds no secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The key file at `path`, which need not exist before the first start.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn check_outside(&self, dir: &DataDir) -> Result<(), KeyError> {
        let absolute = std::path::absolute(&self.path).map_err(|source| self.failed("resolve", source))?;
        // Resolved as far as it exists, so that a symbolic link does not hide where the file really is.
        let existing = absolute.ancestors().find_map(|path| path.canonicalize().ok());
        if existing.is_some_and(|folder| folder.starts_with(&dir.root)) {
            return Err(KeyError::KeyFileInsideDataFolder { path: self.path.clone() });
        }
        Ok(())
    }

    /// The secret in the file.
    pub(super) fn read(&self) -> Result<Secret32, KeyError> {
        let bytes = match durable::read_at_most(&self.path, MAX_KEY_FILE_BYTES) {
            Ok(Some(bytes)) => Zeroizing::new(bytes),
            Ok(None) => return Err(KeyError::KeyFileMissing { path: self.path.clone() }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(self.damaged()),
            Err(source) => return Err(self.failed("read", source)),
        };
        let mode = fs::metadata(&self.path).map_err(|source| self.failed("look at", source))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(KeyError::KeyFileExposed { path: self.path.clone() });
        }
        parse(&bytes).ok_or_else(|| self.damaged())
    }

    /// Makes the file, private to its owner, for a slot that is added; one that is there already stays as it is.
    ///
    /// # Errors
    /// When it cannot be written, would lie in the data folder, or what is there is no key file.
    pub fn make(&self, dir: &DataDir) -> Result<(), KeyError> {
        self.check_outside(dir)?;
        self.read_or_create().map(drop)
    }

    /// Overwrites and removes the file, if the key in it is the one with this id, or if it was overwritten already.
    pub(in crate::vault) fn destroy(&self, id: [u8; 8]) -> Result<(), KeyError> {
        if super::slots::id_in(self) != Some(id) && !self.is_overwritten()? {
            return Ok(());
        }
        durable::destroy(&self.path, MAX_KEY_FILE_BYTES).map_err(|source| self.failed("destroy", source))?;
        durable::sync_folder(durable::folder_of(&self.path)).map_err(|source| self.failed("sync the folder of", source))
    }

    /// Whether there is nothing but zeros in it, as when the destruction of a key was cut short.
    fn is_overwritten(&self) -> Result<bool, KeyError> {
        match durable::read_at_most(&self.path, MAX_KEY_FILE_BYTES) {
            Ok(bytes) => Ok(bytes.is_some_and(|bytes| !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0))),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(false),
            Err(source) => Err(self.failed("read", source)),
        }
    }

    pub(super) fn read_or_create(&self) -> Result<Secret32, KeyError> {
        match self.read() {
            Err(KeyError::KeyFileMissing { .. }) => {}
            other => return other,
        }
        let secret = Secret32::random().map_err(|_| SealError)?;
        let folder = durable::folder_of(&self.path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| self.failed("make the folder of", source))?;
        // The names of new folders on the way must survive a power cut too: losing the key file loses the vault.
        sync_names_above(folder).map_err(|source| self.failed("sync a folder above", source))?;
        durable::create(&self.path, format(&secret).as_bytes()).map_err(|source| self.failed("write", source))?;
        Ok(secret)
    }

    fn damaged(&self) -> KeyError {
        KeyError::KeyFileDamaged { path: self.path.clone() }
    }

    fn failed(&self, action: &'static str, source: io::Error) -> KeyError {
        KeyError::Io { action, path: self.path.clone(), source }
    }
}

fn checksum(secret: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = blake3::derive_key("inframe 2026-11-25 key file: checksum", secret);
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

fn format(secret: &Secret32) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(secret.expose().to_vec());
    bytes.extend_from_slice(&checksum(secret.expose()));
    Zeroizing::new(format!("{HEAD}{PREFIX}{}\n", BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()))
}

fn parse(text: &[u8]) -> Option<Secret32> {
    let text = std::str::from_utf8(text).ok()?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let line = Zeroizing::new(lines.next()?.strip_prefix(PREFIX)?.to_ascii_uppercase());
    if lines.next().is_some() {
        return None;
    }
    let bytes = Zeroizing::new(BASE32_NOPAD.decode(line.as_bytes()).ok()?);
    let (secret, sum) = bytes.split_first_chunk::<32>()?;
    (*sum == checksum(secret)).then(|| Secret32::new(*secret))
}
