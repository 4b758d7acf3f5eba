//! `inframe keys`: the ways to unlock the vault. Works on the data folder itself, so the daemon must not run: it holds the folder's lock.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde_json::json;
use zeroize::Zeroizing;

use super::text::Screen;
use crate::config::{ConfigError, data_dir_or_default, key_file_or_default};
use crate::data_dir::{DataDir, DataDirError};
use crate::vault::{KeyError, KeyFile, Keys, Passphrase, RECOVERY_WORDS, RecoveryPhrase, SlotKind, Unlock};

/// Words of a new recovery phrase that are asked back.
const ASKED_BACK: usize = 3;

/// A kind of slot, as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// A file with a random secret, for a daemon that starts unattended
    KeyFile,
    /// Typed at each start
    Passphrase,
    /// 24 words on paper
    Recovery,
}

impl Kind {
    fn slot(self) -> SlotKind {
        match self {
            Self::KeyFile => SlotKind::KeyFile,
            Self::Passphrase => SlotKind::Passphrase,
            Self::Recovery => SlotKind::Recovery,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// The ways that there are
    List,
    /// Add a way; a recovery phrase is shown once
    Add {
        /// Which kind of way
        kind: Kind,
        /// Where a new key file is made [default: inframe/key in the configuration folder]
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        by: By,
    },
    /// Choose another passphrase, key file or recovery phrase in place of the old one
    Change {
        /// Which kind of way
        kind: Kind,
        /// Where the new key file is made
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        #[command(flatten)]
        by: By,
    },
    /// Remove a way, unlocked in another
    Remove {
        /// Which kind of way
        kind: Kind,
        #[command(flatten)]
        by: By,
    },
}

/// How to unlock for the change.
#[derive(Debug, clap::Args)]
pub(super) struct By {
    /// How to unlock the vault now [default: the key file if there is one, else the passphrase]
    #[arg(long, value_name = "KIND")]
    by: Option<Kind>,
    /// The key file [default: inframe/key in the configuration folder]
    #[arg(long, env = "INFRAME_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Why the ways to unlock stay as they are.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
    #[error("{0}; nothing was changed")]
    Differs(&'static str),
    #[error("cannot read the passphrase file {}", .0.display())]
    PassphraseFile(PathBuf, #[source] io::Error),
    #[error(
        "this vault is unlocked by a {0}: start the daemon in a terminal, or name a file that holds the passphrase with --passphrase-file"
    )]
    Unattended(SlotKind, #[source] io::Error),
}

pub(super) fn run(command: KeysCommand, data_dir: Option<PathBuf>, screen: &Screen) -> Result<(), KeysError> {
    let variable = |name: &str| std::env::var_os(name);
    let folder = data_dir_or_default(data_dir, variable)?;
    // Looking must not make a folder.
    if !folder.is_dir() {
        return Err(KeyError::NoVault.into());
    }
    let dir = DataDir::open(&folder)?;
    let slots = match command {
        KeysCommand::List => Keys::slots(&dir)?,
        KeysCommand::Add { kind, to, by } => {
            let (by, new) = both(&dir, kind, to, &by, screen)?;
            Keys::add_slot(&dir, &by, &new)?
        }
        KeysCommand::Change { kind, to, by } => {
            let (by, new) = both(&dir, kind, to, &by, screen)?;
            Keys::replace_slot(&dir, &by, &new)?
        }
        KeysCommand::Remove { kind, by } => {
            let by = unlocking(&dir, &by, Some(kind.slot()), screen)?;
            Keys::remove_slots(&dir, &by, kind.slot())?
        }
    };
    show(&slots, screen);
    Ok(())
}

fn show(slots: &[SlotKind], screen: &Screen) {
    let words: Vec<&str> = slots.iter().map(|kind| kind.words()).collect();
    if screen.json {
        println!("{:#}", json!({ "slots": words }));
        return;
    }
    if slots.is_empty() {
        println!("There is no vault here yet.");
        return;
    }
    println!("This vault is unlocked by: {}.", words.join(", "));
    if !slots.contains(&SlotKind::Recovery) {
        println!(
            "There is no recovery phrase: should the rest be lost, so are the photos. Add one: inframe keys add recovery"
        );
    }
}

/// What unlocks now, proven at once so that nobody writes 24 words down for nothing, and the new way.
fn both(
    dir: &DataDir,
    kind: Kind,
    to: Option<PathBuf>,
    by: &By,
    screen: &Screen,
) -> Result<(Unlock, Unlock), KeysError> {
    let unlock = unlocking(dir, by, None, screen)?;
    Keys::unlock(dir, &unlock)?;
    let new = match kind {
        Kind::KeyFile => {
            let file = key_file(to)?;
            if matches!(&unlock, Unlock::KeyFile(now) if *now == file) {
                return Err(KeysError::Differs("that key file is in use already: name another with --to"));
            }
            file.make(dir)?;
            Unlock::KeyFile(file)
        }
        Kind::Passphrase => Unlock::Passphrase(new_passphrase(screen)?),
        Kind::Recovery => Unlock::Recovery(new_recovery_phrase(screen)?),
    };
    Ok((unlock, new))
}

fn key_file(chosen: Option<PathBuf>) -> Result<KeyFile, ConfigError> {
    key_file_or_default(chosen, |name| std::env::var_os(name)).map(KeyFile::at)
}

/// The way to unlock now; never the one that is to be removed.
fn unlocking(dir: &DataDir, by: &By, removed: Option<SlotKind>, screen: &Screen) -> Result<Unlock, KeysError> {
    let there = Keys::slots(dir)?;
    let likeliest = SlotKind::ALL.into_iter().find(|kind| there.contains(kind) && Some(*kind) != removed);
    let kind = match by.by.map(Kind::slot).or(likeliest) {
        Some(kind) => kind,
        None if there.is_empty() => return Err(KeyError::NoVault.into()),
        // Only the one that is to be removed is there; the vault says what is wrong with that.
        None => removed.unwrap_or(SlotKind::KeyFile),
    };
    Ok(match kind {
        SlotKind::KeyFile => Unlock::KeyFile(key_file(by.key_file.clone())?),
        SlotKind::Passphrase => Unlock::Passphrase(Passphrase::typed(&screen.ask_secretly("Passphrase: ")?)?),
        SlotKind::Recovery => Unlock::Recovery(RecoveryPhrase::typed(&screen.ask("The 24 words: ")?)?),
    })
}

fn new_passphrase(screen: &Screen) -> Result<Passphrase, KeysError> {
    let first = screen.ask_secretly("New passphrase, at least four words: ")?;
    let chosen = Passphrase::chosen(&first)?;
    if *screen.ask_secretly("Once more: ")? != *first {
        return Err(KeysError::Differs("the two are not the same"));
    }
    Ok(chosen)
}

fn new_recovery_phrase(screen: &Screen) -> Result<RecoveryPhrase, KeysError> {
    let phrase = RecoveryPhrase::random()?;
    let words = phrase.words()?;
    screen.say("Write these words on paper and keep it where nobody looks. They are shown only now. Whoever has them and the data folder can see everything.");
    for (row, four) in words.chunks(4).enumerate() {
        let numbered = four.iter().enumerate().map(|(at, word)| format!("{:>2}. {word:<9}", 4 * row + at + 1));
        screen.say(&format!("  {}", numbered.collect::<Vec<_>>().join("  ")));
    }
    for number in asked_back()? {
        let answer = screen.ask(&format!("Word {number}: "))?;
        if words.get(number - 1).is_none_or(|word| !answer.trim().eq_ignore_ascii_case(word)) {
            return Err(KeysError::Differs("that is another word: look at your paper and begin again"));
        }
    }
    Ok(phrase)
}

/// Which words are asked back, in order.
fn asked_back() -> Result<Vec<usize>, KeyError> {
    let mut numbers = Vec::with_capacity(ASKED_BACK);
    while numbers.len() < ASKED_BACK {
        let mut byte = [0];
        getrandom::fill(&mut byte).map_err(|_| crate::vault::SealError)?;
        let number = usize::from(byte[0]) % RECOVERY_WORDS + 1;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// How a daemon unlocks its vault: with the passphrase in a file or from the terminal when no key file opens it.
pub(super) fn for_run(
    data_dir: &Path,
    key_file: PathBuf,
    passphrase_file: Option<&Path>,
    screen: &Screen,
) -> Result<Unlock, KeysError> {
    if let Some(path) = passphrase_file {
        let failed = |error| KeysError::PassphraseFile(path.to_path_buf(), error);
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
        return Ok(Unlock::Passphrase(Passphrase::typed(&text)?));
    }
    let key_file = Unlock::KeyFile(KeyFile::at(key_file));
    if !data_dir.is_dir() {
        return Ok(key_file);
    }
    let there = Keys::slots(&DataDir::open(data_dir)?)?;
    if there.is_empty() || there.contains(&SlotKind::KeyFile) {
        return Ok(key_file);
    }
    if there.contains(&SlotKind::Passphrase) {
        let unattended = |error| KeysError::Unattended(SlotKind::Passphrase, error);
        let typed = screen.ask_secretly("Passphrase of the vault: ").map_err(unattended)?;
        return Ok(Unlock::Passphrase(Passphrase::typed(&typed)?));
    }
    let unattended = |error| KeysError::Unattended(SlotKind::Recovery, error);
    let typed = screen.ask("The 24 words of the vault: ").map_err(unattended)?;
    Ok(Unlock::Recovery(RecoveryPhrase::typed(&typed)?))
}
