//! The door of the vault: a process has a running node only while its vault is unlocked.
//!
//! Locking stops the node whole, so that no key, no name and no picture of it stays in memory: there is no second, half-awake way to run. What is left
//! is this door, which knows the data folder and the path of the key file, and nothing secret. Deliberately absent: the web edge, which stays
//! open and asks here for the node at each request.

mod attempts;
mod erasing;
mod restoring;
mod ways;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as Turn;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

pub use self::restoring::FoundBackup;
pub use self::ways::{NewWay, Secret, SlotChange};

use self::attempts::Attempts;
use crate::data_dir::DataDir;
use crate::limits::{LOCK_PATIENCE, LOCK_POLL};
use crate::node::{Node, NodeConfig, StartError};
use crate::vault::backup::BackupError;
use crate::vault::erase::EraseError;
use crate::vault::{KeyError, Keys, RecoveryPhrase, SlotKind, Unlock};
use crate::views::RestoreView;

/// Why the vault stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// Too many wrong secrets.
    #[error("too many wrong tries: wait {} s and try again", .0.as_secs().max(1))]
    Wait(Duration),
    /// That secret opens nothing, or the slots are in trouble.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The vault was unlocked but the node does not start.
    #[error(transparent)]
    Start(Box<StartError>),
    /// A backup is being brought back.
    #[error("a backup is being brought back: wait until that is done")]
    Restoring,
    /// Nothing can be brought back over what is here.
    #[error(
        "this node is in use: a backup is brought back only into an empty one. Erase everything first, or take another data folder"
    )]
    InUse,
    /// Erasing needs the node to run.
    #[error("the vault is locked: unlock it first, or stop the daemon and run inframe erase")]
    Locked,
    /// The backup.
    #[error(transparent)]
    Backup(Box<BackupError>),
    /// Something was not erased.
    #[error(transparent)]
    Erase(#[from] EraseError),
    /// A part of the node does not end.
    #[error("the keys are destroyed, but a part of the daemon does not end: restart it, and it erases the rest")]
    Held,
    /// A step panicked.
    #[error("locking or unlocking was broken off; try again")]
    BrokenOff,
}

impl From<BackupError> for DoorError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Key(error) => Self::Key(error),
            error => Self::Backup(Box::new(error)),
        }
    }
}

/// What stands behind the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// No node and no key is in memory, nothing is shared.
    Locked,
    /// The secret was right; the node is starting.
    Opening,
    /// The node runs.
    Open,
    /// The node is being stopped.
    Closing,
    /// A backup is being brought back.
    Restoring,
    /// A backup was being brought back and that was cut short: it has to be gone on with.
    Unfinished,
    /// Everything is being erased.
    Erasing,
}

/// The node that runs now; a number tells it from those before.
#[derive(Clone)]
pub struct Opened {
    /// Number of the unlocking since the process started.
    pub number: u64,
    /// The node.
    pub node: Node,
}

enum State {
    Locked,
    Opening,
    Open(Opened),
    Closing,
    Restoring,
    Erasing,
}

/// The door; cheap to clone.
#[derive(Clone)]
pub struct Door {
    shared: Arc<Shared>,
}

struct Shared {
    config: NodeConfig,
    dir: DataDir,
    state: Mutex<State>,
    /// One change at a time.
    turn: Arc<Turn<()>>,
    /// The backup that is being brought back, or was.
    restore: Mutex<Option<RestoreView>>,
    attempts: Mutex<Attempts>,
    /// How often it was unlocked.
    opened: AtomicU64,
    /// The node wants the whole process to end.
    ended: CancellationToken,
    /// Cancelled and replaced at each locking.
    leaving: Mutex<CancellationToken>,
}

impl Door {
    /// A locked door to the vault in `dir`.
    #[must_use]
    pub fn new(config: NodeConfig, dir: DataDir) -> Self {
        let shared = Shared {
            config,
            dir,
            state: Mutex::new(State::Locked),
            turn: Arc::default(),
            restore: Mutex::default(),
            attempts: Mutex::default(),
            opened: AtomicU64::new(0),
            ended: CancellationToken::new(),
            leaving: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &DataDir {
        &self.shared.dir
    }

    /// What stands behind it.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match &*self.state() {
            State::Locked if self.shared.dir.restoring.exists() => Phase::Unfinished,
            State::Locked => Phase::Locked,
            State::Opening => Phase::Opening,
            State::Open(_) => Phase::Open,
            State::Closing => Phase::Closing,
            State::Restoring => Phase::Restoring,
            State::Erasing => Phase::Erasing,
        }
    }

    /// The node, while it runs.
    #[must_use]
    pub fn opened(&self) -> Option<Opened> {
        match &*self.state() {
            State::Open(opened) => Some(opened.clone()),
            _ => None,
        }
    }

    /// Cancelled as soon as the node that runs now is to be stopped: what holds a part of it lets go then.
    #[must_use]
    pub fn leaving(&self) -> CancellationToken {
        locked(&self.shared.leaving).clone()
    }

    /// Waits until a running node asks for the end of the process. Cancel safe.
    pub async fn ended(&self) {
        self.shared.ended.cancelled().await;
    }

    /// In which ways the vault is unlocked.
    ///
    /// # Errors
    /// When the slots cannot be read.
    pub async fn slots(&self) -> Result<Vec<SlotKind>, DoorError> {
        let dir = self.shared.dir.clone();
        Ok(blocking(move || Keys::slots(&dir)).await??)
    }

    /// How long the next try has to wait after wrong ones.
    #[must_use]
    pub fn wait(&self) -> Duration {
        locked(&self.shared.attempts).wait(Instant::now())
    }

    /// Unlocks the vault and starts the node; proves the secret all the same when it runs already. Goes on to its end even if nobody waits for it.
    ///
    /// # Errors
    /// A [`DoorError`] that says what to do; the vault is then as before.
    pub async fn unlock(&self, secret: Secret) -> Result<(), DoorError> {
        let door = self.clone();
        to_the_end(async move { door.unlock_now(secret).await }).await
    }

    /// Not while a backup is brought back, which may take hours.
    fn refuse_while_restoring(&self) -> Result<(), DoorError> {
        if matches!(*self.state(), State::Restoring) { Err(DoorError::Restoring) } else { Ok(()) }
    }

    async fn unlock_now(&self, secret: Secret) -> Result<(), DoorError> {
        self.refuse_while_restoring()?;
        let _turn = self.shared.turn.lock().await;
        let way = self.way(secret);
        let slot = way.kind();
        let (keys, wrong) = self.prove(way).await?;
        if let Some(Opened { node, .. }) = self.opened() {
            note(&node, wrong).await;
            return Ok(());
        }
        let node = self.open(keys, slot).await?;
        note(&node, wrong).await;
        Ok(())
    }

    /// Starts the node behind the door. For whoever has the turn.
    async fn open(&self, keys: Keys, slot: SlotKind) -> Result<Node, DoorError> {
        let _settled = Settled(self);
        *self.state() = State::Opening;
        let started = Node::start(self.shared.config.clone(), self.shared.dir.clone(), keys, slot).await;
        let node = started.map_err(|error| DoorError::Start(Box::new(error)))?;
        let tasks = node.tasks().clone();
        let number = self.shared.opened.fetch_add(1, Ordering::Relaxed);
        *self.state() = State::Open(Opened { number, node: node.clone() });
        let door = self.clone();
        tokio::spawn(async move {
            tasks.shutdown_asked().await;
            if door.opened().is_some_and(|opened| opened.number == number) {
                door.shared.ended.cancel();
            }
        });
        Ok(node)
    }

    /// Stops the node; when it returns, no key is in memory. Nothing happens where none runs. Goes on to its end even if nobody waits for it.
    ///
    /// # Errors
    /// [`DoorError::BrokenOff`].
    pub async fn lock(&self) -> Result<(), DoorError> {
        let door = self.clone();
        to_the_end(async move {
            door.lock_now().await;
            Ok(())
        })
        .await
    }

    async fn lock_now(&self) {
        // Where a backup is brought back no node runs.
        if self.refuse_while_restoring().is_err() {
            return;
        }
        let _turn = self.shared.turn.lock().await;
        let _settled = Settled(self);
        if let Some(node) = self.take_node(State::Closing) {
            stop(&node).await;
            gone(node).await;
        }
    }

    /// The node, if one runs, which nobody reaches any more; `next` stands behind the door from here on. For whoever has the turn.
    fn take_node(&self, next: State) -> Option<Node> {
        let mut state = self.state();
        let node = match std::mem::replace(&mut *state, next) {
            State::Open(opened) => opened.node,
            other => {
                *state = other;
                return None;
            }
        };
        drop(state);
        std::mem::take(&mut *locked(&self.shared.leaving)).cancel();
        Some(node)
    }

    /// Changes the ways to unlock; the node runs on. Gives the ways that there are now. Goes on to its end even if nobody waits for it.
    ///
    /// # Errors
    /// When `by` does not unlock the vault, or the change would shut the owner out.
    pub async fn change_slots(&self, change: SlotChange, by: Secret) -> Result<Vec<SlotKind>, DoorError> {
        let door = self.clone();
        to_the_end(async move { door.change_slots_now(change, by).await }).await
    }

    async fn change_slots_now(&self, change: SlotChange, by: Secret) -> Result<Vec<SlotKind>, DoorError> {
        self.refuse_while_restoring()?;
        let _turn = self.shared.turn.lock().await;
        let by = self.way(by);
        let (_keys, wrong) = self.prove(by.clone()).await?;
        if let Some(Opened { node, .. }) = self.opened() {
            note(&node, wrong).await;
        }
        let (dir, own) = (self.shared.dir.clone(), self.shared.config.key_file.clone());
        Ok(blocking(move || change.carry_out(&dir, &own, &by)).await??)
    }

    /// The words of a new recovery phrase; it opens nothing until it is added.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new_recovery_words(&self) -> Result<Vec<String>, DoorError> {
        Ok(RecoveryPhrase::random()?.words()?.iter().map(|word| (*word).to_owned()).collect())
    }

    fn way(&self, secret: Secret) -> Unlock {
        match secret {
            Secret::KeyFile => Unlock::KeyFile(self.shared.config.key_file.clone()),
            Secret::Passphrase(passphrase) => Unlock::Passphrase(passphrase),
            Secret::Recovery(phrase) => Unlock::Recovery(phrase),
        }
    }

    /// The keys, if `way` gives them, and how many wrong secrets came before; a wrong one makes the next try wait.
    async fn prove(&self, way: Unlock) -> Result<(Keys, u32), DoorError> {
        let (dir, kind) = (self.shared.dir.clone(), way.kind());
        self.attempt(kind, move || Ok(Keys::unlock(&dir, &way)?)).await
    }

    /// Tries a secret of this kind, blocking; a wrong one makes the next try wait. Gives how many wrong ones came before as well.
    async fn attempt<T: Send + 'static>(
        &self,
        kind: SlotKind,
        work: impl FnOnce() -> Result<T, DoorError> + Send + 'static,
    ) -> Result<(T, u32), DoorError> {
        let wait = self.wait();
        if wait > Duration::ZERO {
            return Err(DoorError::Wait(wait));
        }
        let tried = blocking(work).await?;
        let wrong = match &tried {
            Ok(_) => locked(&self.shared.attempts).take_all(),
            Err(DoorError::Key(KeyError::WrongSecret(_))) => {
                tracing::warn!("somebody tried a wrong {kind}");
                locked(&self.shared.attempts).wrong(Instant::now());
                0
            }
            Err(_) => 0,
        };
        Ok((tried?, wrong))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.shared.state)
    }
}

async fn stop(node: &Node) {
    let report = node.stop().await;
    if !report.is_clean() {
        tracing::warn!(cut_off = ?report.cut_off, panicked = ?report.panicked, "not every task ended by itself");
    }
}

/// Waits until nothing of a node that was stopped is in memory; whether that came to pass.
async fn gone(node: Node) -> bool {
    let remains = node.remains();
    drop(node);
    let deadline = Instant::now() + LOCK_PATIENCE;
    while !remains.gone() && Instant::now() < deadline {
        tokio::time::sleep(LOCK_POLL).await;
    }
    if !remains.gone() {
        tracing::error!(
            "something still holds the node after it was stopped, and its keys: restart the daemon to be sure"
        );
    }
    remains.gone()
}

async fn note(node: &Node, wrong: u32) {
    if wrong > 0 {
        node.note_wrong_secrets(wrong).await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is a single step, so a panic elsewhere leaves no half-made state behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whatever happens between, the door is open or locked afterwards.
struct Settled<'a>(&'a Door);

impl Drop for Settled<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if matches!(*state, State::Opening | State::Closing | State::Restoring | State::Erasing) {
            *state = State::Locked;
        }
    }
}

/// Runs `work` apart from whoever waits for it: a browser that goes away must not leave the vault half unlocked, or a wrong secret uncounted.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, DoorError>> + Send + 'static,
) -> Result<T, DoorError> {
    tokio::spawn(work).await.unwrap_or(Err(DoorError::BrokenOff))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, DoorError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DoorError::BrokenOff)
}
