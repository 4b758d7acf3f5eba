//! The keys of the vault: one random master key, wrapped in key slots, and a sub-key for each use.
//!
//! Public names: [`Unlock`] with [`KeyFile`], [`Passphrase`] and [`RecoveryPhrase`], [`SlotKind`], [`Subkey`], [`Keys`] and [`KeyError`]. What is absent on purpose: nothing here ever replaces a key file or key slots
//! that exist, because a new key over an existing vault would lose every photo in it.

mod key_file;
mod slots;
mod unlock;

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

pub use key_file::KeyFile;
pub(super) use unlock::Cost;
pub use unlock::{Passphrase, RECOVERY_WORDS, RecoveryPhrase, SlotKind, Unlock};

use super::{durable, seal::SealError, secret::Secret32};
use crate::data_dir::DataDir;

/// Why the vault cannot be unlocked.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The vault exists but the key file does not.
    #[error("the key file {} is missing: restore it from your copy, or point to it with --key-file; without it the vault cannot be opened", path.display())]
    KeyFileMissing {
        /// Where it was expected.
        path: PathBuf,
    },
    /// The key file is not one of ours, or a character of it was changed.
    #[error("the key file {} is damaged or is not an inframe key file: restore it from your copy", path.display())]
    KeyFileDamaged {
        /// Which file.
        path: PathBuf,
    },
    /// A sound key file, but of another vault.
    #[error("the key file {} belongs to another vault: point to the right one with --key-file", path.display())]
    WrongKeyFile {
        /// Which file.
        path: PathBuf,
    },
    /// Others may read the key file.
    #[error("other users may read the key file {0}: run chmod 600 {0}", path.display())]
    KeyFileExposed {
        /// Which file.
        path: PathBuf,
    },
    /// It opens the vault already.
    #[error("the key file {} is in use already: name another", path.display())]
    KeyFileInUse {
        /// Which file.
        path: PathBuf,
    },
    /// The key file would lie inside the data folder.
    #[error("the key file {} lies inside the data folder, so whoever copies the folder could open it: keep it elsewhere with --key-file", path.display())]
    KeyFileInsideDataFolder {
        /// Which file.
        path: PathBuf,
    },
    /// There are photos or a catalog but no key slots.
    #[error("{} is missing but the folder holds a vault: restore that file from a backup; no new key is made, as it could not open what is there", path.display())]
    SlotsMissing {
        /// Where they were expected.
        path: PathBuf,
    },
    /// Both copies of the key slots are damaged.
    #[error("{} and its copy are damaged: restore one of them from a backup", path.display())]
    SlotsDamaged {
        /// Which file.
        path: PathBuf,
    },
    /// A later version wrote the key slots.
    #[error("{} was written by a newer version of inframe (format {version}): install that version or a later one", path.display())]
    NewerSlots {
        /// Which file.
        path: PathBuf,
        /// Its format.
        version: u16,
    },
    /// The vault is unlocked in another way.
    #[error("no {wanted} opens this vault: {}", only(there))]
    NoSuchSlot {
        /// What was tried.
        wanted: SlotKind,
        /// What does.
        there: Vec<SlotKind>,
    },
    /// Another passphrase or recovery phrase.
    #[error("this {0} does not open the vault: try again, and mind capital letters and the keyboard's language")]
    WrongSecret(SlotKind),
    /// A passphrase that cannot be taken.
    #[error("{0}")]
    BadPassphrase(String),
    /// Words that are no recovery phrase.
    #[error("{0}")]
    BadRecoveryPhrase(String),
    /// A slot asks for more memory or time than any version does.
    #[error(
        "the passphrase's slot is damaged or asks for more memory than it may: restore key-slots from a backup, or unlock in another way"
    )]
    PassphraseCost,
    /// A slot cannot remove itself.
    #[error("the {0} unlocks the vault right now: unlock it in the way that will be left, to show that you can")]
    OwnSlot(SlotKind),
    /// There is nothing to unlock.
    #[error(
        "there is no vault in the data folder yet: start the daemon once, with a key file; it can be removed later"
    )]
    NoVault,
    /// A restore was cut short.
    #[error("a backup was being brought back into {} and was cut short: start the daemon and go on in the dashboard, or run inframe restore again", path.display())]
    RestoreUnfinished {
        /// The data folder.
        path: PathBuf,
    },
    /// An erasure was cut short.
    #[error("everything in {} is being erased and that was cut short: start the daemon once, which finishes it and begins anew", path.display())]
    EraseUnfinished {
        /// The data folder.
        path: PathBuf,
    },
    /// No room.
    #[error("there are 16 ways to unlock this vault already: remove one first")]
    TooManySlots,
    /// No randomness.
    #[error(transparent)]
    Seal(#[from] SealError),
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

fn only(there: &[SlotKind]) -> String {
    let mut words: Vec<&str> = there.iter().map(|kind| kind.words()).collect();
    words.dedup();
    if words.is_empty() { "it has no key slots".into() } else { format!("only its {} does", words.join(" or its ")) }
}

/// What a sub-key is for. Each has its own derivation context, so that no two uses share a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subkey {
    /// Wraps the keys of photo blobs.
    Blobs,
    /// Seals the catalog, its journal and its snapshot.
    Catalog,
    /// Seals names of people.
    Names,
    /// Wraps and seals face data: selfies, stills, embeddings.
    Biometrics,
    /// The node's own network identity.
    Identity,
    /// Web sessions and launch links.
    Sessions,
    /// Tags by which equal content is found without storing its hash.
    ContentTags,
}

impl Subkey {
    fn context(self) -> &'static str {
        match self {
            Self::Blobs => "inframe 2026-11-25 vault: blobs",
            Self::Catalog => "inframe 2026-11-25 vault: catalog",
            Self::Names => "inframe 2026-11-25 vault: names",
            Self::Biometrics => "inframe 2026-11-25 vault: biometrics",
            Self::Identity => "inframe 2026-11-25 vault: identity",
            Self::Sessions => "inframe 2026-11-25 vault: sessions",
            Self::ContentTags => "inframe 2026-11-25 vault: content tags",
        }
    }
}

/// The unlocked keys of a vault.
#[derive(Clone, Debug)]
pub struct Keys {
    master: Secret32,
}

impl Keys {
    /// The keys of a vault whose master key is known, for files that a test describes.
    #[cfg(test)]
    pub(crate) fn of_master(master: [u8; 32]) -> Self {
        Self { master: Secret32::new(master) }
    }

    /// Unlocks the key slots of `dir` with `key_file`; at the very first start makes both. The flag says whether they were made.
    ///
    /// # Errors
    /// A [`KeyError`] that says what to do. Nothing that exists is ever overwritten with a new key.
    pub fn open(dir: &DataDir, key_file: &KeyFile) -> Result<(Self, bool), KeyError> {
        refuse_unfinished(dir)?;
        key_file.check_outside(dir)?;
        let way = Unlock::KeyFile(key_file.clone());
        if let Some(master) = slots::unlock(dir, &way)? {
            return Ok((Self { master }, false));
        }
        if holds_a_vault(dir)? {
            return Err(KeyError::SlotsMissing { path: dir.key_slots.clone() });
        }
        // The key file comes first: a crash between the two leaves a key file without slots, which the next start takes over.
        key_file.read_or_create()?;
        let master = slots::create(dir, &way)?;
        Ok((Self { master }, true))
    }

    /// Unlocks the key slots of `dir`; with a key file as [`Keys::open`] does.
    ///
    /// # Errors
    /// A [`KeyError`] that says what to do.
    pub fn unlock(dir: &DataDir, way: &Unlock) -> Result<Self, KeyError> {
        if let Unlock::KeyFile(key_file) = way {
            return Self::open(dir, key_file).map(|(keys, _new)| keys);
        }
        refuse_unfinished(dir)?;
        let Some(master) = slots::unlock(dir, way)? else {
            let lost = holds_a_vault(dir)?;
            return Err(if lost { KeyError::SlotsMissing { path: dir.key_slots.clone() } } else { KeyError::NoVault });
        };
        Ok(Self { master })
    }

    /// Whether there is a vault in `dir`, or anything of one.
    pub(super) fn is_there(dir: &DataDir) -> Result<bool, KeyError> {
        Ok(dir.key_slots.exists() || dir.key_slots_copy.exists() || holds_a_vault(dir)?)
    }

    /// The random name of the vault in `dir`, which is no secret.
    pub(super) fn vault_id(dir: &DataDir) -> Result<[u8; 16], KeyError> {
        Ok(slots::sound(dir)?.0)
    }

    /// The key slots as they are in their file.
    pub(super) fn slots_bytes(dir: &DataDir) -> Result<Vec<u8>, KeyError> {
        Ok(slots::sound(dir)?.1)
    }

    /// In which ways key slots that lie elsewhere, at `path`, are unlocked.
    pub(super) fn slots_of(slots: &[u8], path: &Path) -> Result<Vec<SlotKind>, KeyError> {
        slots::list_of(slots, path)
    }

    /// The keys in key slots that lie elsewhere, at `path`; nothing is written.
    pub(super) fn of_slots(slots: &[u8], path: &Path, dir: &DataDir, way: &Unlock) -> Result<Self, KeyError> {
        if let Unlock::KeyFile(key_file) = way {
            key_file.check_outside(dir)?;
        }
        Ok(Self { master: slots::unlock_of(slots, path, way)? })
    }

    /// Puts key slots from a backup into `dir`, byte for byte.
    pub(super) fn adopt(dir: &DataDir, slots: &[u8]) -> Result<(), KeyError> {
        slots::adopt(dir, slots)
    }

    /// The id of the key in `key_file`, which is no secret, if it is one that opens the vault in `dir`.
    pub(super) fn id_of_key_file(dir: &DataDir, key_file: &KeyFile) -> Result<Option<[u8; 8]>, KeyError> {
        slots::id_of_key_file(dir, key_file)
    }

    /// In which ways the vault of `dir` is unlocked; none before its first start.
    ///
    /// # Errors
    /// When the slots cannot be read.
    pub fn slots(dir: &DataDir) -> Result<Vec<SlotKind>, KeyError> {
        slots::list(dir)
    }

    /// Adds a way to unlock; no photo is encrypted anew. Gives the ways that there are now.
    ///
    /// # Errors
    /// When `by` does not unlock the vault, or the slots cannot be written.
    pub fn add_slot(dir: &DataDir, by: &Unlock, new: &Unlock) -> Result<Vec<SlotKind>, KeyError> {
        slots::change(dir, by, slots::Change::Add(new))
    }

    /// Adds a way to unlock in place of all others of its kind.
    ///
    /// # Errors
    /// As [`Keys::add_slot`].
    pub fn replace_slot(dir: &DataDir, by: &Unlock, new: &Unlock) -> Result<Vec<SlotKind>, KeyError> {
        slots::change(dir, by, slots::Change::Replace(new))
    }

    /// Removes every slot of a kind, unlocked in another way: so that nobody shuts themselves out.
    ///
    /// # Errors
    /// As [`Keys::add_slot`], and when `by` is of that kind or there is none of it.
    pub fn remove_slots(dir: &DataDir, by: &Unlock, kind: SlotKind) -> Result<Vec<SlotKind>, KeyError> {
        slots::change(dir, by, slots::Change::Remove(kind))
    }

    /// The sub-key for one use.
    #[must_use]
    pub fn subkey(&self, subkey: Subkey) -> Secret32 {
        self.master.derive(subkey.context())
    }

    /// Destroys the key slots: nothing in the vault can be opened again, by anybody, whatever key file they hold.
    ///
    /// # Errors
    /// If a slots file cannot be overwritten or removed.
    pub fn destroy(dir: &DataDir) -> Result<(), KeyError> {
        slots::destroy(dir)
    }
}

/// A vault of which only a part was brought back must not start: what is missing would be taken for lost. Neither must one that is being erased.
pub(super) fn refuse_unfinished(dir: &DataDir) -> Result<(), KeyError> {
    let path = dir.root.clone();
    if dir.erasing.exists() {
        Err(KeyError::EraseUnfinished { path })
    } else if dir.restoring.exists() {
        Err(KeyError::RestoreUnfinished { path })
    } else {
        Ok(())
    }
}

/// Whether `dir` holds anything that a former key sealed.
fn holds_a_vault(dir: &DataDir) -> Result<bool, KeyError> {
    if dir.catalog.exists() || dir.catalog_snapshot.exists() {
        return Ok(true);
    }
    for folder in [&dir.blobs, &dir.incoming, &dir.catalog_journal] {
        let failed = |source| KeyError::Io { action: "list", path: folder.clone(), source };
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            if entry.map_err(failed)?.path() != dir.blobs_temporary {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
