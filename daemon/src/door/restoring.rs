//! Bringing a backup back into the daemon that runs, in the place of a node that was never used.
//!
//! Whatever can be found wrong is found before anything is written: the backup is looked at and unlocked, its size is compared with the disk. Only then
//! the empty node is stopped and its folder marked; from there on the folder holds either the rest of the backup's vault or a restore that is gone on with.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::{Door, DoorError, Secret, Settled, State, blocking, gone, locked, stop, to_the_end};
use crate::disk::Disk;
use crate::node::Node;
use crate::vault::backup::{BackupError, Found, Progress, Restored, Unlocked, give_way};
use crate::vault::{Keys, SlotKind, Unlock};
use crate::views::RestoreView;

/// What somebody who wants a backup back is told before they show a secret.
#[derive(Clone, Debug)]
pub struct FoundBackup {
    /// In which ways it is unlocked.
    pub ways: Vec<SlotKind>,
    /// Its newest version, Unix milliseconds.
    pub newest: u64,
}

impl Door {
    /// Looks for a backup in `folder`.
    ///
    /// # Errors
    /// When there is none that this version reads.
    pub async fn look_for_backup(&self, folder: PathBuf) -> Result<FoundBackup, DoorError> {
        let found = blocking(move || Found::look(&folder)).await??;
        Ok(FoundBackup { ways: found.ways, newest: found.newest })
    }

    /// How bringing back goes, or went.
    #[must_use]
    pub fn restore_view(&self) -> Option<RestoreView> {
        locked(&self.shared.restore).clone()
    }

    /// Begins to bring back the backup in `folder` in the place of the node, which must never have been used, or goes on where that was cut short. Comes
    /// back once it is sure that it can; the work goes on by itself, and the node starts with what was brought back. With `by_itself` this computer's key
    /// file opens it from then on.
    ///
    /// # Errors
    /// A [`DoorError`] that says what to do; everything is as before then.
    pub async fn restore(&self, folder: PathBuf, secret: Secret, by_itself: bool) -> Result<(), DoorError> {
        let door = self.clone();
        to_the_end(async move { door.begin_to_restore(folder, secret, by_itself).await }).await
    }

    async fn begin_to_restore(&self, folder: PathBuf, secret: Secret, by_itself: bool) -> Result<(), DoorError> {
        self.refuse_while_restoring()?;
        let turn = Arc::clone(&self.shared.turn).lock_owned().await;
        match self.opened() {
            Some(opened) if !unused(&opened.node).await => return Err(DoorError::InUse),
            None if !self.shared.dir.restoring.exists() => return Err(DoorError::InUse),
            _ => {}
        }
        let way = self.way(secret);
        let (dir, keep_free, by) = (self.shared.dir.clone(), self.shared.config.keep_free, way.clone());
        let look = move || {
            let unlocked = Found::look(&folder)?.unlock(&dir, &by)?;
            unlocked.check_room(&dir, &Disk::of(&dir.root, keep_free))?;
            Ok(unlocked)
        };
        let (unlocked, _wrong) = self.attempt(way.kind(), look).await?;
        if let Some(node) = self.take_node(State::Restoring) {
            self.give_way(node).await?;
        } else {
            *self.state() = State::Restoring;
        }
        *locked(&self.shared.restore) = Some(RestoreView {
            state: "running".into(),
            files: 0,
            of_files: unlocked.files(),
            bytes: 0,
            of_bytes: unlocked.bytes(),
            lost: 0,
            problem: None,
        });
        let door = self.clone();
        tokio::spawn(async move { door.bring_back(unlocked, way, by_itself, turn).await });
        Ok(())
    }

    /// Stops the node and marks its folder. Where something was put into it in the last moment, it runs on.
    async fn give_way(&self, node: Node) -> Result<(), DoorError> {
        let settled = Settled(self);
        stop(&node).await;
        let (still, keys, slot) = (unused(&node).await, node.vault().keys().clone(), node.unlocked_by());
        gone(node).await;
        let dir = self.shared.dir.clone();
        let marked = if still { blocking(move || give_way(&dir)).await? } else { Err(not_empty(self)) };
        if let Err(error) = marked {
            self.open(keys, slot).await?;
            return Err(match error {
                BackupError::NotEmpty(_) => DoorError::InUse,
                error => error.into(),
            });
        }
        // It is not over: what is begun now settles it.
        std::mem::forget(settled);
        Ok(())
    }

    async fn bring_back(&self, unlocked: Unlocked, way: Unlock, by_itself: bool, _turn: OwnedMutexGuard<()>) {
        let _settled = Settled(self);
        let (dir, door) = (self.shared.dir.clone(), self.clone());
        let done = blocking(move || unlocked.bring_back(&dir, |progress| door.note_progress(progress))).await;
        let opened = match done {
            Ok(Ok((restored, keys))) => self.open_restored(restored, keys, way, by_itself).await,
            Ok(Err(error)) => Err(error.into()),
            Err(error) => Err(error),
        };
        if let Err(error) = opened {
            tracing::error!(error = &error as &dyn std::error::Error, "the backup was not brought back");
            self.change_restore(|view| {
                view.state = "failed".into();
                view.problem = Some(error.to_string());
            });
        }
    }

    async fn open_restored(
        &self,
        restored: Restored,
        keys: Keys,
        way: Unlock,
        by_itself: bool,
    ) -> Result<(), DoorError> {
        let slot = way.kind();
        if by_itself && slot != SlotKind::KeyFile {
            let (dir, own) = (self.shared.dir.clone(), self.shared.config.key_file.clone());
            let added = blocking(move || {
                own.make(&dir)?;
                Keys::add_slot(&dir, &way, &Unlock::KeyFile(own))
            });
            if let Err(error) = added.await? {
                // Everything is back all the same; it is only not unlocked by itself at the next start.
                tracing::warn!("this computer's key file does not open what was brought back: {error}");
            }
        }
        let node = self.open(keys, slot).await?;
        self.change_restore(|view| {
            view.state = "done".into();
            view.lost = restored.lost.len() as u64;
        });
        if let Err(error) = node.was_restored(restored).await {
            tracing::warn!("that a backup was brought back could not be noted: {error}");
        }
        Ok(())
    }

    fn note_progress(&self, progress: Progress) -> bool {
        self.change_restore(|view| {
            view.files = progress.files;
            view.bytes = progress.bytes;
        });
        true
    }

    fn change_restore(&self, change: impl FnOnce(&mut RestoreView)) {
        let mut view = self.shared.restore.lock().unwrap_or_else(PoisonError::into_inner);
        view.as_mut().map(change);
    }
}

fn not_empty(door: &Door) -> BackupError {
    BackupError::NotEmpty(door.shared.dir.root.clone())
}

/// What cannot be read is not known to be empty.
async fn unused(node: &Node) -> bool {
    node.is_unused().await.unwrap_or(false)
}
