//! What an owner shows to unlock, and what changes in the ways to unlock.

use std::path::PathBuf;

use crate::data_dir::DataDir;
use crate::vault::{KeyError, KeyFile, Keys, Passphrase, RecoveryPhrase, SlotKind, Unlock};

/// What is shown at the door.
#[derive(Clone, Debug)]
pub enum Secret {
    /// The key file that the daemon was started with.
    KeyFile,
    /// A passphrase.
    Passphrase(Passphrase),
    /// The words on paper.
    Recovery(RecoveryPhrase),
}

/// A new way to unlock.
#[derive(Clone, Debug)]
pub enum NewWay {
    /// A passphrase.
    Passphrase(Passphrase),
    /// The words on paper.
    Recovery(RecoveryPhrase),
    /// A key file, made at the path, or where the daemon looks for it.
    KeyFile(Option<PathBuf>),
}

/// A change in the ways to unlock.
#[derive(Clone, Debug)]
pub enum SlotChange {
    /// One more.
    Add(NewWay),
    /// In place of all others of its kind.
    Replace(NewWay),
    /// None of this kind any more.
    Remove(SlotKind),
}

impl SlotChange {
    /// Carries it out, unlocked with `by`; blocking. `own` is the key file that the daemon looks for. Gives the ways that there are then.
    ///
    /// # Errors
    /// When `by` does not unlock the vault, the change would shut the owner out, or a file cannot be written.
    pub fn carry_out(self, dir: &DataDir, own: &KeyFile, by: &Unlock) -> Result<Vec<SlotKind>, KeyError> {
        match self {
            Self::Add(new) => Keys::add_slot(dir, by, &new.made(dir, own)?),
            Self::Replace(new) => Keys::replace_slot(dir, by, &new.made(dir, own)?),
            Self::Remove(kind) => Keys::remove_slots(dir, by, kind),
        }
    }
}

impl NewWay {
    fn made(self, dir: &DataDir, own: &KeyFile) -> Result<Unlock, KeyError> {
        Ok(match self {
            Self::Passphrase(passphrase) => Unlock::Passphrase(passphrase),
            Self::Recovery(phrase) => Unlock::Recovery(phrase),
            Self::KeyFile(path) => {
                let file = path.map_or_else(|| own.clone(), KeyFile::at);
                if file == *own && Keys::slots(dir)?.contains(&SlotKind::KeyFile) {
                    return Err(KeyError::KeyFileInUse { path: file.path().to_path_buf() });
                }
                file.make(dir)?;
                Unlock::KeyFile(file)
            }
        })
    }
}
