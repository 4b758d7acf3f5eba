//! Erasing everything: the farewell, the keys, the rest, and a new beginning.

use super::{Door, DoorError, Opened, Phase, Secret, Settled, State, blocking, gone, locked, stop, to_the_end};
use crate::limits::FAREWELL_PATIENCE;
use crate::vault::{KeyError, Keys, SlotKind, erase};

impl Door {
    /// Erases everything in the data folder, and the key file; a new, empty node runs then. `by` is how the owner unlocks, where a passphrase is what keeps
    /// others out.
    ///
    /// # Errors
    /// A [`DoorError`]: when `by` does not unlock, nothing is changed; when a disk fails on the way, the next start goes on.
    pub async fn erase(&self, by: Option<Secret>) -> Result<(), DoorError> {
        let door = self.clone();
        to_the_end(async move { door.erase_now(by).await }).await
    }

    /// Whether erasing takes a secret, since there is one that the owner knows: a key file shows nothing about who asks.
    ///
    /// # Errors
    /// When the slots cannot be read.
    pub async fn erasing_takes_a_secret(&self) -> Result<bool, DoorError> {
        let slots = self.slots().await?;
        Ok(slots.contains(&SlotKind::Passphrase) || !slots.contains(&SlotKind::KeyFile))
    }

    async fn erase_now(&self, by: Option<Secret>) -> Result<(), DoorError> {
        self.refuse_while_restoring()?;
        let _turn = self.shared.turn.lock().await;
        let _settled = Settled(self);
        // What a restore that was given up has brought is still in the backup.
        if self.phase() == Phase::Unfinished {
            *self.state() = State::Erasing;
            return self.begin_anew(true).await;
        }
        let Some(Opened { node, .. }) = self.opened() else { return Err(DoorError::Locked) };
        if self.erasing_takes_a_secret().await? {
            let known = by.filter(|by| !matches!(by, Secret::KeyFile));
            let by = known.ok_or(DoorError::Key(KeyError::WrongSecret(SlotKind::Passphrase)))?;
            self.prove(self.way(by)).await?;
        }
        if tokio::time::timeout(FAREWELL_PATIENCE, node.take_leave()).await.is_err() {
            tracing::info!(
                "not every member of an event could be told in time; they erase what they have within a day"
            );
        }
        drop(node);
        let Some(node) = self.take_node(State::Erasing) else { return Err(DoorError::Locked) };
        stop(&node).await;
        let gone = gone(node).await;
        self.begin_anew(gone).await
    }

    /// Erases what is there, and only the keys if something still writes; then a new node.
    async fn begin_anew(&self, gone: bool) -> Result<(), DoorError> {
        *locked(&self.shared.restore) = None;
        let (dir, own) = (self.shared.dir.clone(), self.shared.config.key_file.clone());
        blocking(move || if gone { erase::erase(&dir, &own) } else { erase::destroy_keys(&dir, &own) }).await??;
        if !gone {
            return Err(DoorError::Held);
        }
        tracing::info!("everything was erased; a new vault begins");
        let (dir, own) = (self.shared.dir.clone(), self.shared.config.key_file.clone());
        let (keys, _new) = blocking(move || Keys::open(&dir, &own)).await??;
        self.open(keys, SlotKind::KeyFile).await?;
        Ok(())
    }
}
