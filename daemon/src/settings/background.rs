//! How much of the machine the work in the background may have, one row of the catalog.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::vault::{Batch, Kind, Vault, VaultError};

const KEY: &[u8] = b"background";

/// What the owner leaves to imports, watched folders and the search for faces. What somebody waits for goes on in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Background {
    /// Whether it rests.
    pub paused: bool,
    /// Processes that decode at once; `None` leaves the number to the program.
    pub processes: Option<u16>,
}

/// [`Background`] in memory and in the catalog; cheap to clone.
#[derive(Clone)]
pub struct BackgroundRow {
    vault: Vault,
    now: watch::Sender<Background>,
}

impl BackgroundRow {
    /// Reads it.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub fn open(vault: Vault) -> Result<Self, VaultError> {
        let stored: Option<Background> = vault.catalog().get_as(Kind::Settings, KEY)?;
        Ok(Self { vault, now: watch::Sender::new(stored.unwrap_or_default()) })
    }

    /// As it is now.
    #[must_use]
    pub fn get(&self) -> Background {
        *self.now.borrow()
    }

    /// Changes it durably; blocking.
    ///
    /// # Errors
    /// When the vault fails; nothing is changed then.
    pub fn change(&self, change: impl FnOnce(&mut Background)) -> Result<Background, VaultError> {
        let mut outcome = Ok(());
        self.now.send_modify(|now| {
            let mut next = *now;
            change(&mut next);
            let mut batch = Batch::default();
            outcome = batch
                .put_as(Kind::Settings, KEY, &next)
                .map(|_| ())
                .map_err(VaultError::from)
                .and_then(|()| Ok(self.vault.catalog().commit(batch)?));
            if outcome.is_ok() {
                *now = next;
            }
        });
        outcome.map(|()| self.get())
    }

    /// Comes back once nothing is paused: at once, or when the owner lets it go on.
    pub async fn running(&self) {
        // The sender lives in `self`, so that waiting cannot fail.
        let _ = self.now.subscribe().wait_for(|now| !now.paused).await;
    }
}
