//! Wishes about the backup.

use super::{Answer, Node, NodeError};
use crate::live::What;
use crate::settings::BackupPlan;
use crate::vault::backup::{Backup, BackupError};
use crate::views::{BackupPatch, BackupView};
use crate::workers::{Running, backup};

/// The longest time between two backups, hours: a month.
const MOST_HOURS: u32 = 31 * 24;

impl Node {
    /// Where the vault is backed up, and how that goes.
    ///
    /// # Errors
    /// None at present.
    pub async fn backup(&self) -> Answer<BackupView> {
        let plan = self.core.backup.get();
        let running = self.core.backup_state.running();
        Ok(BackupView {
            folder: plan.folder,
            same_disk: plan.same_disk,
            every_hours: plan.every_hours,
            last_at: plan.last_at,
            files: plan.files,
            bytes: plan.bytes,
            checked_at: plan.checked_at,
            problem: plan.problem,
            running: running.map(|(what, _)| if what == Running::Check { "check".into() } else { "backup".into() }),
            done_files: running.map_or(0, |(_, progress)| progress.files),
            of_files: running.map_or(0, |(_, progress)| progress.of),
            done_bytes: running.map_or(0, |(_, progress)| progress.bytes),
        })
    }

    /// Names the folder and how often. The folder is tried out at once.
    ///
    /// # Errors
    /// When the folder cannot hold a backup of this vault.
    pub async fn change_backup(&self, patch: BackupPatch) -> Answer<BackupView> {
        if patch.every_hours.is_some_and(|hours| hours > MOST_HOURS) {
            return Err(NodeError::Invalid(
                "bad-hours",
                format!("give at most {MOST_HOURS} hours, a month; 0 is only by hand"),
            ));
        }
        let folder = match patch.folder {
            Some(folder) if folder.is_empty() => Some(None),
            Some(folder) => Some(Some(self.own_path(folder).await?)),
            None => None,
        };
        let core = self.core.clone();
        self.blocking(move |_| {
            let mut same_disk = false;
            let folder = match folder {
                Some(Some(path)) => {
                    same_disk = Backup::begin(&core.vault, &path).map_err(refused)?.on_the_same_disk();
                    Some(Some(path.display().to_string()))
                }
                Some(None) => Some(None),
                None => None,
            };
            let plan = core.backup.change(|plan| {
                if let Some(folder) = folder.filter(|folder| *folder != plan.folder) {
                    *plan = BackupPlan { folder, same_disk, every_hours: plan.every_hours, ..BackupPlan::default() };
                }
                if let Some(hours) = patch.every_hours {
                    plan.every_hours = Some(hours).filter(|hours| *hours > 0);
                }
            })?;
            if plan.folder.is_none() {
                core.backup_state.stop();
            }
            core.live.tell(What::Settings, None);
            backup::ring(&core);
            Ok(())
        })
        .await?;
        self.backup().await
    }

    /// Makes a backup now, checks the one that is there, or breaks either off.
    ///
    /// # Errors
    /// When no folder is named.
    pub async fn run_backup(&self, check: bool) -> Answer<BackupView> {
        if self.core.backup.get().folder.is_none() {
            return Err(NodeError::Conflict("no-backup-folder", "name a folder for the backup first".into()));
        }
        if check {
            self.core.backup_state.wish_check();
        } else {
            self.core.backup_state.wish();
        }
        backup::ring(&self.core);
        self.backup().await
    }

    /// Breaks off what runs; what was copied is used the next time.
    ///
    /// # Errors
    /// None at present.
    pub async fn stop_backup(&self) -> Answer<BackupView> {
        self.core.backup_state.stop();
        self.backup().await
    }
}

fn refused(error: BackupError) -> NodeError {
    match error {
        BackupError::Away(_) | BackupError::Inside(_) | BackupError::OtherVault(_) | BackupError::Newer(_) => {
            NodeError::Invalid("backup-folder", error.to_string())
        }
        BackupError::Io { .. } | BackupError::Full(_) => NodeError::Invalid("backup-folder", error.to_string()),
        other => NodeError::Internal(other.to_string()),
    }
}
