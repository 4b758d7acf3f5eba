//! The first steps of an owner, and whether there is anything yet that they could lose.

use super::{Answer, Node};
use crate::activity::ActivityKind;
use crate::vault::backup::Restored;
use crate::vault::{SlotKind, VaultError};
use crate::workers::Core;

impl Node {
    /// Whether the dashboard should take the owner through the first steps: they have not been through them, and have not begun without.
    #[must_use]
    pub fn is_first_run(&self) -> bool {
        self.core.settings.is_first_run() && is_unused(&self.core)
    }

    /// The first steps are never shown again.
    ///
    /// # Errors
    /// When the vault fails.
    pub async fn end_first_run(&self) -> Answer<()> {
        self.blocking(|core| Ok(core.settings.end_first_run()?)).await
    }

    /// How the owner gave the keys.
    #[must_use]
    pub fn unlocked_by(&self) -> SlotKind {
        self.place.unlocked_by
    }

    /// Whether nothing was ever put into this node that its owner could miss: no file, no event, no face, no consent.
    ///
    /// # Errors
    /// When the vault cannot be read.
    pub async fn is_unused(&self) -> Answer<bool> {
        self.blocking(|core| {
            let files = core.vault.blobs().list().map_err(VaultError::from)?;
            let incoming = core.vault.blobs().list_incoming().map_err(VaultError::from)?;
            Ok(files.is_empty() && incoming.is_empty() && is_unused(core))
        })
        .await
    }

    /// Notes that everything here came from a backup.
    ///
    /// # Errors
    /// When the vault fails.
    pub async fn was_restored(&self, restored: Restored) -> Answer<()> {
        self.blocking(move |core| {
            core.settings.end_first_run()?;
            let mut text = format!("Brought back from a backup: {} files.", restored.files);
            if !restored.lost.is_empty() {
                text.push_str(&format!(" {} files are damaged or missing in it.", restored.lost.len()));
            }
            Ok(core.activity.note(ActivityKind::Arrived, text, None, None)?)
        })
        .await
    }
}

fn is_unused(core: &Core) -> bool {
    core.library.totals().0 == 0
        && core.library.trash_totals().0 == 0
        && core.events.ids().is_empty()
        && core.profile.consent_at().is_none()
        && core.profile.ids().iter().all(|profile| core.profile.selfies(*profile).is_empty())
}
