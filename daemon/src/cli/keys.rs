//! `inframe keys`, `lock` and `unlock`: what opens the vault. Through the daemon where one runs, else on the data folder itself.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::CliError;
use super::client::Client;
use super::text::Screen;
use crate::config::{ConfigError, data_dir_or_default, key_file_or_default};
use crate::data_dir::{DataDir, DataDirError};
use crate::door::{NewWay, Phase, Secret, SlotChange};
use crate::vault::erase::{self, EraseError};
use crate::vault::{KeyError, KeyFile, Keys, Passphrase, RECOVERY_WORDS, RecoveryPhrase, SlotKind, Unlock};
use crate::web::{RecoveryWordsView, VaultView, WayView};

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

/// How to unlock.
#[derive(Debug, clap::Args)]
pub(super) struct By {
    /// How to unlock the vault [default: the key file if there is one, else the passphrase]
    #[arg(long, value_name = "KIND")]
    by: Option<Kind>,
    /// The key file [default: inframe/key in the configuration folder]
    #[arg(long, env = "INFRAME_KEY_FILE", value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
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
    #[error(transparent)]
    Erase(#[from] EraseError),
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
    #[error("{0}; nothing was changed")]
    Differs(&'static str),
    #[error("cannot read the passphrase file {}", .0.display())]
    PassphraseFile(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Daemon(#[from] CliError),
}

/// Carries out a command on the ways to unlock.
pub(super) async fn run(command: KeysCommand, data_dir: Option<PathBuf>, screen: &Screen) -> Result<(), KeysError> {
    let place = Place::find(data_dir)?;
    let there = place.slots().await?;
    let slots = match command {
        KeysCommand::List => there,
        KeysCommand::Add { kind, to, by } => place.change(Change::Add, kind, to, &by, &there, screen).await?,
        KeysCommand::Change { kind, to, by } => place.change(Change::Replace, kind, to, &by, &there, screen).await?,
        KeysCommand::Remove { kind, by } => {
            let by = Known::ask(&by, &there, Some(kind.slot()), screen)?;
            place.carry_out("remove", &by, &New { kind: kind.slot(), secret: None, path: None }).await?
        }
    };
    show(&slots, screen);
    Ok(())
}

/// Stops the node of the running daemon and has it forget every key.
pub(super) async fn lock(client: &Client, screen: &Screen) -> Result<(), CliError> {
    client.post("/vault/lock", &()).await?;
    let answer = client.get("/vault").await?;
    screen.show(&answer, || {
        Ok(vec![
            "The vault is locked: no key is in memory, nothing is shared. Unlock it with: inframe unlock".to_owned(),
        ])
    })
}

/// Unlocks the vault of the running daemon.
pub(super) async fn unlock(client: &Client, by: &By, screen: &Screen) -> Result<(), KeysError> {
    let view: VaultView = client.view(&client.get("/vault").await?)?;
    if view.phase == Phase::Open {
        screen.say("The vault is unlocked already.");
        return Ok(());
    }
    let there: Vec<SlotKind> = view.ways.into_iter().map(SlotKind::from).collect();
    client.post("/vault/unlock", &Known::ask(by, &there, None, screen)?.json()).await?;
    let answer = client.get("/vault").await?;
    screen.show(&answer, || Ok(vec!["The vault is unlocked.".to_owned()]))
}

/// Where the slots are changed.
enum Place {
    /// In the folder itself; no daemon runs.
    Folder(Box<DataDir>),
    /// By the daemon that holds the folder.
    Daemon(Client),
}

/// How the owner unlocks for the change.
pub(super) struct Known {
    kind: SlotKind,
    /// What was typed.
    secret: Option<Zeroizing<String>>,
    key_file: Option<PathBuf>,
}

/// A new way.
struct New {
    kind: SlotKind,
    secret: Option<Zeroizing<String>>,
    path: Option<PathBuf>,
}

#[derive(Clone, Copy)]
enum Change {
    Add,
    Replace,
}

impl Place {
    fn find(data_dir: Option<PathBuf>) -> Result<Self, KeysError> {
        let folder = data_dir_or_default(data_dir, |name| std::env::var_os(name))?;
        // Looking must not make a folder.
        if !folder.is_dir() {
            return Err(KeyError::NoVault.into());
        }
        match DataDir::open(&folder) {
            Ok(dir) if erase::is_unfinished(&dir) => Err(KeyError::EraseUnfinished { path: dir.root }.into()),
            Ok(dir) => Ok(Self::Folder(Box::new(dir))),
            Err(DataDirError::InUse { path }) => Ok(Self::Daemon(Client::new(path.join("inframe.sock"))?)),
            Err(error) => Err(error.into()),
        }
    }

    async fn slots(&self) -> Result<Vec<SlotKind>, KeysError> {
        match self {
            Self::Folder(dir) => Ok(Keys::slots(dir)?),
            Self::Daemon(client) => ways(client, &client.get("/vault").await?),
        }
    }

    /// Proves first that `by` unlocks, so that nobody writes 24 words down for nothing.
    async fn change(
        &self,
        change: Change,
        kind: Kind,
        to: Option<PathBuf>,
        by: &By,
        there: &[SlotKind],
        screen: &Screen,
    ) -> Result<Vec<SlotKind>, KeysError> {
        let by = Known::ask(by, there, None, screen)?;
        match self {
            Self::Folder(dir) => drop(Keys::unlock(dir, &by.unlock()?)?),
            // One that is open takes a secret only as a proof.
            Self::Daemon(client) => drop(client.post("/vault/unlock", &by.json()).await?),
        }
        let secret = match kind {
            Kind::KeyFile => None,
            Kind::Passphrase => Some(new_passphrase(screen)?),
            Kind::Recovery => Some(self.new_recovery_phrase(screen).await?),
        };
        let word = match change {
            Change::Add => "add",
            Change::Replace => "replace",
        };
        // The daemon may run in another folder than this command.
        let path = to.map(std::path::absolute).transpose()?;
        self.carry_out(word, &by, &New { kind: kind.slot(), secret, path }).await
    }

    async fn carry_out(&self, change: &str, by: &Known, new: &New) -> Result<Vec<SlotKind>, KeysError> {
        match self {
            Self::Folder(dir) => {
                let change = match change {
                    "add" => SlotChange::Add(new.way()?),
                    "replace" => SlotChange::Replace(new.way()?),
                    _ => SlotChange::Remove(new.kind),
                };
                let own = KeyFile::at(key_file_path(by.key_file.clone())?);
                Ok(change.carry_out(dir, &own, &by.unlock()?)?)
            }
            Self::Daemon(client) => {
                let wish = json!({
                    "by": by.json(),
                    "change": change,
                    "way": WayView::from(new.kind),
                    "secret": new.secret.as_ref().map(|text| text.as_str()),
                    "path": new.path,
                });
                ways(client, &client.post("/vault/slots", &wish).await?)
            }
        }
    }

    async fn new_recovery_phrase(&self, screen: &Screen) -> Result<Zeroizing<String>, KeysError> {
        let words = match self {
            Self::Folder(_) => RecoveryPhrase::random()?.words()?.iter().map(|word| (*word).to_owned()).collect(),
            Self::Daemon(client) => {
                let view: RecoveryWordsView = client.view(&client.post("/vault/recovery-words", &()).await?)?;
                view.words
            }
        };
        write_down(&words, screen)?;
        Ok(Zeroizing::new(words.join(" ")))
    }
}

impl Known {
    /// The way to unlock now, never the one that is to be removed; asks for what is known by heart or on paper.
    pub(super) fn ask(
        by: &By,
        there: &[SlotKind],
        removed: Option<SlotKind>,
        screen: &Screen,
    ) -> Result<Self, KeysError> {
        let likeliest = SlotKind::ALL.into_iter().find(|kind| there.contains(kind) && Some(*kind) != removed);
        let kind = match by.by.map(Kind::slot).or(likeliest) {
            Some(kind) => kind,
            None if there.is_empty() => return Err(KeyError::NoVault.into()),
            // Only the one that is to be removed is there; the vault says what is wrong with that.
            None => removed.unwrap_or(SlotKind::KeyFile),
        };
        let secret = match kind {
            SlotKind::KeyFile => None,
            SlotKind::Passphrase => Some(screen.ask_secretly("Passphrase: ")?),
            SlotKind::Recovery => Some(screen.ask("The 24 words: ")?),
        };
        Ok(Self { kind, secret, key_file: by.key_file.clone() })
    }

    pub(super) fn json(&self) -> Value {
        json!({ "way": WayView::from(self.kind), "secret": self.secret.as_ref().map(|text| text.as_str()) })
    }

    pub(super) fn unlock(&self) -> Result<Unlock, KeysError> {
        let typed = self.secret.as_ref().map_or("", |text| text.as_str());
        Ok(match self.kind {
            SlotKind::KeyFile => Unlock::KeyFile(KeyFile::at(key_file_path(self.key_file.clone())?)),
            SlotKind::Passphrase => Unlock::Passphrase(Passphrase::typed(typed)?),
            SlotKind::Recovery => Unlock::Recovery(RecoveryPhrase::typed(typed)?),
        })
    }
}

impl New {
    fn way(&self) -> Result<NewWay, KeyError> {
        let typed = self.secret.as_ref().map_or("", |text| text.as_str());
        Ok(match self.kind {
            SlotKind::KeyFile => NewWay::KeyFile(self.path.clone()),
            SlotKind::Passphrase => NewWay::Passphrase(Passphrase::chosen(typed)?),
            SlotKind::Recovery => NewWay::Recovery(RecoveryPhrase::typed(typed)?),
        })
    }
}

fn ways(client: &Client, answer: &Value) -> Result<Vec<SlotKind>, KeysError> {
    let view: VaultView = client.view(answer)?;
    Ok(view.ways.into_iter().map(SlotKind::from).collect())
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

pub(super) fn key_file_path(chosen: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    key_file_or_default(chosen, |name| std::env::var_os(name))
}

fn new_passphrase(screen: &Screen) -> Result<Zeroizing<String>, KeysError> {
    let first = screen.ask_secretly("New passphrase, at least four words: ")?;
    Passphrase::chosen(&first)?;
    if *screen.ask_secretly("Once more: ")? != *first {
        return Err(KeysError::Differs("the two are not the same"));
    }
    Ok(first)
}

/// Shows the words once, and asks some of them back.
fn write_down(words: &[String], screen: &Screen) -> Result<(), KeysError> {
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
    Ok(())
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

/// The data folder of a daemon, and how it unlocks its vault by itself: with its key file, the passphrase in a file, or what is typed on the
/// terminal. Nothing where it begins locked.
pub(super) fn for_run(
    data_dir: &Path,
    key_file: &Path,
    passphrase_file: Option<&Path>,
    screen: &Screen,
) -> Result<(DataDir, Option<Secret>), KeysError> {
    let dir = DataDir::open(data_dir)?;
    if erase::is_unfinished(&dir) {
        screen.say("Everything in the data folder was being erased; that is finished now, and a new vault begins.");
        erase::erase(&dir, &KeyFile::at(key_file))?;
    }
    if dir.restoring.exists() {
        screen.say("A backup was being brought back and that was cut short: go on in the dashboard.");
        return Ok((dir, None));
    }
    if let Some(path) = passphrase_file {
        let failed = |error| KeysError::PassphraseFile(path.to_path_buf(), error);
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
        return Ok((dir, Some(Secret::Passphrase(Passphrase::typed(&text)?))));
    }
    let there = Keys::slots(&dir)?;
    let by_hand = there.iter().any(|kind| *kind != SlotKind::KeyFile);
    if there.is_empty() || (there.contains(&SlotKind::KeyFile) && (key_file.exists() || !by_hand)) {
        return Ok((dir, Some(Secret::KeyFile)));
    }
    if !io::stdin().is_terminal() {
        return Ok((dir, None));
    }
    let secret = if there.contains(&SlotKind::Passphrase) {
        Secret::Passphrase(Passphrase::typed(&screen.ask_secretly("Passphrase of the vault: ")?)?)
    } else {
        Secret::Recovery(RecoveryPhrase::typed(&screen.ask("The 24 words of the vault: ")?)?)
    };
    Ok((dir, Some(secret)))
}
