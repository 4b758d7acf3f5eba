//! Group commit: threads that wait for durability at the same time share one fsync of the journal.

use std::{
    fs::File,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::CatalogError;

pub(super) struct GroupSync {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    file: Arc<File>,
    /// Number of the last commit in the journal.
    written: u64,
    /// Number of the last commit that is durable.
    synced: u64,
    /// Whether a thread is in fsync now.
    syncing: bool,
    /// Set by the first failure for good: after a failed fsync the kernel may take lost pages for clean, so a second one would prove nothing.
    stopped: bool,
}

impl GroupSync {
    pub(super) fn new(file: Arc<File>, number: u64) -> Self {
        let state = State { file, written: number, synced: number, syncing: false, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check(&self) -> Result<(), CatalogError> {
        if self.state().stopped { Err(CatalogError::Stopped) } else { Ok(()) }
    }

    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Commit `number` is in the journal.
    pub(super) fn written(&self, number: u64) {
        self.state().written = number;
    }

    /// Later commits go to another file. Everything in the one before must be durable.
    pub(super) fn turn_to(&self, file: Arc<File>) {
        self.state().file = file;
    }

    pub(super) fn wait_for_all(&self) -> Result<(), CatalogError> {
        let number = self.state().written;
        self.wait_for(number)
    }

    /// Returns when commit `number` is durable.
    pub(super) fn wait_for(&self, number: u64) -> Result<(), CatalogError> {
        let mut state = self.state();
        loop {
            if state.synced >= number {
                return Ok(());
            }
            if state.stopped {
                return Err(CatalogError::Stopped);
            }
            if state.syncing {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.syncing = true;
            let (file, target) = (Arc::clone(&state.file), state.written);
            drop(state);
            let outcome = file.sync_data();
            state = self.state();
            state.syncing = false;
            match outcome {
                Ok(()) => state.synced = state.synced.max(target),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the journal of the catalog cannot be synced"
                    );
                    state.stopped = true;
                }
            }
            self.changed.notify_all();
        }
    }
}
