//! The door of the vault: a process has a running node only while its vault is unlocked.
//!
//! Locking stops the node whole, so that no key, no name and no picture of it stays in memory: there is no second, half-awake way to run. What is left
//! is this door, which knows the data folder and the path of the key file, and nothing secret. Deliberately absent: the web edge, which stays
//! open and asks here for the node at each request.

mod attempts;
mod ways;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as Turn;
use tokio_util::sync::CancellationToken;

pub use self::ways::{NewWay, Secret, SlotChange};

use self::attempts::Attempts;
use crate::data_dir::DataDir;
use crate::limits::{LOCK_PATIENCE, LOCK_POLL};
use crate::node::{Node, NodeConfig, StartError};
use crate::tasks::ShutdownReport;
use crate::vault::{KeyError, Keys, RecoveryPhrase, SlotKind, Unlock};

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
    /// A step panicked.
    #[error("unlocking was broken off; try again")]
    BrokenOff,
}

/// What stands behind the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No node, no key in memory.
    Locked,
    /// A secret fits and the node is starting.
    Opening,
    /// The node runs.
    Open,
    /// The node is being stopped.
    Closing,
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
    /// One change at a time, and the wrong tries so far.
    turn: Turn<Attempts>,
    /// When the next try is taken, for those who look while another waits in turn.
    free_at: Mutex<Option<Instant>>,
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
            turn: Turn::default(),
            free_at: Mutex::default(),
            ended: CancellationToken::new(),
            leaving: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What stands behind it.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match &*self.state() {
            State::Locked => Phase::Locked,
            State::Opening => Phase::Opening,
            State::Open(_) => Phase::Open,
            State::Closing => Phase::Closing,
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

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &DataDir {
        &self.shared.dir
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
        let free_at = *locked(&self.shared.free_at);
        free_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }

    /// Unlocks the vault and starts the node; proves the secret all the same when it runs already.
    ///
    /// # Errors
    /// A [`DoorError`] that says what to do; the vault is then as before.
    pub async fn unlock(&self, secret: Secret) -> Result<(), DoorError> {
        let mut turn = self.shared.turn.lock().await;
        let way = self.way(secret);
        let slot = way.kind();
        let (keys, wrong) = self.prove(&mut turn, way).await?;
        if let Some(Opened { node, .. }) = self.opened() {
            note(&node, wrong).await;
            return Ok(());
        }
        *self.state() = State::Opening;
        let started = Node::start(self.shared.config.clone(), self.shared.dir.clone(), keys, slot).await;
        let node = match started {
            Ok(node) => node,
            Err(error) => {
                *self.state() = State::Locked;
                return Err(DoorError::Start(Box::new(error)));
            }
        };
        note(&node, wrong).await;
        let tasks = node.tasks().clone();
        let number = turn.next_number();
        *self.state() = State::Open(Opened { number, node });
        let door = self.clone();
        tokio::spawn(async move {
            tasks.shutdown_asked().await;
            if door.opened().is_some_and(|opened| opened.number == number) {
                door.shared.ended.cancel();
            }
        });
        Ok(())
    }

    /// Stops the node; when it returns, no key is in memory. Nothing happens where none runs.
    pub async fn lock(&self) -> ShutdownReport {
        let _turn = self.shared.turn.lock().await;
        let node = {
            let mut state = self.state();
            match std::mem::replace(&mut *state, State::Closing) {
                State::Open(opened) => opened.node,
                other => {
                    *state = other;
                    return ShutdownReport::default();
                }
            }
        };
        std::mem::take(&mut *locked(&self.shared.leaving)).cancel();
        let report = node.stop().await;
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
        *self.state() = State::Locked;
        report
    }

    /// Changes the ways to unlock; the node runs on. Gives the ways that there are now.
    ///
    /// # Errors
    /// When `by` does not unlock the vault, or the change would shut the owner out.
    pub async fn change_slots(&self, change: SlotChange, by: Secret) -> Result<Vec<SlotKind>, DoorError> {
        let mut turn = self.shared.turn.lock().await;
        let by = self.way(by);
        let (_keys, wrong) = self.prove(&mut turn, by.clone()).await?;
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
    async fn prove(&self, turn: &mut Attempts, way: Unlock) -> Result<(Keys, u32), DoorError> {
        let wait = turn.wait(Instant::now());
        if wait > Duration::ZERO {
            return Err(DoorError::Wait(wait));
        }
        let (dir, kind) = (self.shared.dir.clone(), way.kind());
        let tried = blocking(move || Keys::unlock(&dir, &way)).await?;
        let wrong = match &tried {
            Ok(_) => turn.take_all(),
            Err(KeyError::WrongSecret(_)) => {
                tracing::warn!("somebody tried a wrong {kind}");
                turn.wrong(Instant::now());
                0
            }
            Err(_) => 0,
        };
        *locked(&self.shared.free_at) = turn.free_at();
        Ok((tried?, wrong))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.shared.state)
    }
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, DoorError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DoorError::BrokenOff)
}
