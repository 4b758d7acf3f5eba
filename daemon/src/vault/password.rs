//! The password that signs in to the dashboard over the network: its hash, in a file of the data folder, so that it can be checked while the vault is locked.
//!
//! It opens nothing of the vault, and no key is derived from it. What is absent on purpose: any word on who may try, and how often.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::durable;
use super::keys::Cost;
use super::{KeyError, Passphrase, Secret32};
use crate::data_dir::{DataDir, make_folder};
use crate::limits::{MAX_PASSWORD_BYTES, MAX_PASSWORD_FILE_BYTES, MIN_PASSWORD_CHARS};

const MAGIC: &[u8; 8] = b"IFPASSW\n";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = MAGIC.len() + 2;
const CHECKSUM_BYTES: usize = 32;
const CHECK_CONTEXT: &str = "inframe 2026-11-28 network password: check";

/// Why a password is not taken, kept or looked at.
#[derive(Debug, Error)]
pub enum PasswordError {
    /// Nobody may guess it by trying.
    #[error(
        "a password needs at least {MIN_PASSWORD_CHARS} characters: take some words that nobody else would put together"
    )]
    Short,
    /// Longer than anybody types.
    #[error("a password has at most {MAX_PASSWORD_BYTES} bytes")]
    Long,
    /// The file is none that this version reads.
    #[error("{} is damaged or of a newer version: set the password again with `inframe password set`", .0.display())]
    Damaged(PathBuf),
    /// The system gives no memory or no randomness.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file system error.
    #[error("cannot {action} {}: check the disk and your permissions", path.display())]
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

#[derive(Serialize, Deserialize)]
struct Body {
    /// As of a slot for a passphrase.
    cost: Vec<u8>,
    check: [u8; 32],
}

/// Where the password of one data folder is kept. Every call blocks, and those that look at a password take the memory and time of a passphrase.
#[derive(Clone, Debug)]
pub struct PasswordFile {
    dir: DataDir,
}

impl PasswordFile {
    /// That of `dir`.
    #[must_use]
    pub fn of(dir: &DataDir) -> Self {
        Self { dir: dir.clone() }
    }

    /// Whether there is a password.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.dir.lan_password.exists()
    }

    /// Keeps a password in the place of the one before; durable when it returns.
    ///
    /// # Errors
    /// When it is too short or too long, or the file cannot be written.
    pub fn set(&self, password: &str) -> Result<(), PasswordError> {
        let password = read(password)?;
        if password.chars() < MIN_PASSWORD_CHARS {
            return Err(PasswordError::Short);
        }
        let cost = Cost::new()?;
        let check = check_of(&cost, &password)?;
        let cost = postcard::to_stdvec(&cost).map_err(|_| KeyError::PassphraseCost)?;
        let body = Body { cost, check: *check.expose() };
        let mut bytes = [MAGIC.as_slice(), &VERSION.to_le_bytes()].concat();
        bytes.extend(postcard::to_stdvec(&body).map_err(|_| KeyError::PassphraseCost)?);
        let sum = blake3::hash(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        make_folder(&self.dir.lan).map_err(self.io("make the folder of"))?;
        durable::replace(&self.dir.lan_password, &bytes).map_err(self.io("write"))
    }

    /// No password any more; whether there was one.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove(&self) -> Result<bool, PasswordError> {
        let was = self.is_set();
        durable::destroy(&self.dir.lan_password, MAX_PASSWORD_FILE_BYTES).map_err(self.io("remove"))?;
        Ok(was)
    }

    /// Whether it is this one; never where there is none. Compares in constant time.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is(&self, password: &str) -> Result<bool, PasswordError> {
        let found = durable::read_at_most(&self.dir.lan_password, MAX_PASSWORD_FILE_BYTES);
        let bytes = match found {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(self.damaged()),
            Err(source) => return Err(self.io("read")(source)),
        };
        let body = parse(&bytes).ok_or_else(|| self.damaged())?;
        let cost = Cost::read(&body.cost).map_err(|_| self.damaged())?;
        // What could not have been set is none; it is not worth the work.
        let Ok(password) = read(password) else { return Ok(false) };
        Ok(check_of(&cost, &password)? == Secret32::new(body.check))
    }

    fn damaged(&self) -> PasswordError {
        PasswordError::Damaged(self.dir.lan_password.clone())
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> PasswordError {
        let path = self.dir.lan_password.clone();
        move |source| PasswordError::Io { action, path, source }
    }
}

fn read(text: &str) -> Result<Passphrase, PasswordError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.len() > MAX_PASSWORD_BYTES {
        return Err(PasswordError::Long);
    }
    // What is empty is short.
    Passphrase::typed(text).map_err(|_| PasswordError::Short)
}

fn check_of(cost: &Cost, password: &Passphrase) -> Result<Secret32, KeyError> {
    Ok(cost.stretch(password)?.derive(CHECK_CONTEXT))
}

fn parse(bytes: &[u8]) -> Option<Body> {
    let (content, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (head, body) = content.split_first_chunk::<HEAD_BYTES>()?;
    let version = head.strip_prefix(MAGIC)?;
    if blake3::hash(content) != *sum || version != VERSION.to_le_bytes() {
        return None;
    }
    postcard::from_bytes(body).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn place() -> (tempfile::TempDir, PasswordFile) {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(folder.path().join("data")).unwrap();
        (folder, PasswordFile::of(&dir))
    }

    #[test]
    fn a_password_is_known_again_until_it_is_changed_or_removed() {
        let (_folder, file) = place();
        assert!(!file.is_set() && !file.is("lanterns on the lake").unwrap());
        file.set("lanterns on the lake\n").unwrap();
        assert!(file.is_set() && file.is("lanterns on the lake").unwrap());
        assert!(!file.is("lanterns on the lak").unwrap() && !file.is("").unwrap());
        file.set("\u{fc}ber alle Berge").unwrap();
        assert!(file.is("u\u{308}ber alle Berge").unwrap(), "keyboards send either form");
        assert!(!file.is("lanterns on the lake").unwrap());
        assert!(file.remove().unwrap() && !file.remove().unwrap());
        assert!(!file.is_set() && !file.is("\u{fc}ber alle Berge").unwrap());
    }

    #[test]
    fn short_and_endless_passwords_are_not_taken() {
        let (_folder, file) = place();
        assert!(matches!(file.set(""), Err(PasswordError::Short)));
        assert!(matches!(file.set("nine char"), Err(PasswordError::Short)));
        assert!(matches!(file.set(&"x".repeat(MAX_PASSWORD_BYTES + 1)), Err(PasswordError::Long)));
        assert!(!file.is_set());
        file.set("ten chars!").unwrap();
        assert!(!file.is(&"x".repeat(MAX_PASSWORD_BYTES + 1)).unwrap());
    }

    #[test]
    fn d3_the_file_is_private_and_does_not_hold_the_password() {
        let (_folder, file) = place();
        file.set("lanterns on the lake").unwrap();
        let path = &file.dir.lan_password;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&file.dir.lan).unwrap().permissions().mode() & 0o777, 0o700);
        let bytes = fs::read(path).unwrap();
        assert!(!bytes.windows(8).any(|part| part == b"lanterns"));
        let first = bytes.clone();
        file.set("lanterns on the lake").unwrap();
        assert_ne!(fs::read(path).unwrap(), first, "another salt");
    }

    #[test]
    fn a_damaged_file_lets_nobody_in() {
        let (_folder, file) = place();
        file.set("lanterns on the lake").unwrap();
        let mut bytes = fs::read(&file.dir.lan_password).unwrap();
        bytes[20] ^= 1;
        fs::write(&file.dir.lan_password, &bytes).unwrap();
        assert!(matches!(file.is("lanterns on the lake"), Err(PasswordError::Damaged(_))));
        fs::write(&file.dir.lan_password, vec![0; 100_000]).unwrap();
        assert!(matches!(file.is("lanterns on the lake"), Err(PasswordError::Damaged(_))));
        file.set("another evening").unwrap();
        assert!(file.is("another evening").unwrap());
    }
}
