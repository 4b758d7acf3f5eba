//! The backup worker: copies the vault to the folder that the owner named, when it is due or wished, and checks what is there.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::board::Step;
use super::going::{Going, errand};
use super::{Core, Job, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::limits::{BACKUP_RETRY, BACKUP_SLICE};
use crate::live::What;
use crate::vault::backup::{Backup, BackupError, Checked, Made, Progress};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// What the owner wished for, and how far it is.
#[derive(Default)]
pub struct BackupState {
    wished: AtomicBool,
    check: AtomicBool,
    going: Going<Running>,
}

/// What runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Copying.
    Backup,
    /// Reading through.
    Check,
}

impl BackupState {
    /// Has the worker make a backup at its next step.
    pub fn wish(&self) {
        self.wished.store(true, Ordering::Relaxed);
    }

    /// Has the worker read the backup through at its next step.
    pub fn wish_check(&self) {
        self.check.store(true, Ordering::Relaxed);
    }

    /// Breaks off what runs, and forgets what was wished for.
    pub fn stop(&self) {
        self.wished.store(false, Ordering::Relaxed);
        self.check.store(false, Ordering::Relaxed);
        self.going.stop();
    }

    /// What runs now, and how far it is.
    #[must_use]
    pub fn running(&self) -> Option<(Running, Progress)> {
        self.going.running()
    }
}

/// Makes a backup if one is due or wished, then checks it if that is wished.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let plan = core.backup.get();
    let Some(folder) = plan.folder.clone().map(PathBuf::from) else { return Ok(Step::default()) };
    let now = now_ms();
    let wished = core.backup_state.wished.swap(false, Ordering::Relaxed);
    let mut did = Step::default();
    if wished || due(plan.every_hours, plan.last_at, plan.tried_at, now) {
        let made = run(&core, Running::Backup, folder.clone(), move |backup, tell| backup.make(now, tell)).await?;
        did.done += u64::from(made.is_ok());
        note_made(&core, now, made).await?;
    }
    if core.backup_state.check.swap(false, Ordering::Relaxed) {
        let checked = run(&core, Running::Check, folder, |backup, tell| backup.check(tell)).await?;
        did.done += u64::from(checked.is_ok());
        note_checked(&core, checked).await?;
    }
    Ok(Step { again_in: Some(BACKUP_SLICE), ..did })
}

/// Whether the time has come; after a failed try only a while later.
fn due(every_hours: Option<u32>, last_at: Option<u64>, tried_at: Option<u64>, now: u64) -> bool {
    let Some(every) = every_hours.map(|hours| u64::from(hours) * HOUR_MS) else { return false };
    // A time in the future is that of a clock that has gone back: it counts for nothing.
    let passed = |since: Option<u64>, least: u64| since.is_none_or(|since| since > now || now - since >= least);
    let retry = u64::try_from(BACKUP_RETRY.as_millis()).unwrap_or(u64::MAX);
    passed(last_at, every) && passed(tried_at.filter(|tried| last_at != Some(*tried)), retry)
}

async fn run<T: Send + 'static>(
    core: &Arc<Core>,
    what: Running,
    folder: PathBuf,
    work: impl FnOnce(&Backup, &mut dyn FnMut(Progress) -> bool) -> Result<T, BackupError> + Send + 'static,
) -> anyhow::Result<Result<T, BackupError>> {
    errand(
        core,
        |core| &core.backup_state.going,
        what,
        move |core, tell| Backup::open(&core.vault, &folder).and_then(|backup| work(&backup, tell)),
    )
    .await
}

async fn note_made(core: &Arc<Core>, now: u64, made: Result<Made, BackupError>) -> anyhow::Result<()> {
    let core = core.clone();
    blocking(move || -> anyhow::Result<()> {
        match made {
            Ok(made) => {
                let problem = (!made.unreadable.is_empty()).then(|| {
                    format!(
                        "{} files of the vault cannot be read from its own disk, which may be failing: keep this backup, it holds the rest",
                        made.unreadable.len()
                    )
                });
                core.backup.change(|plan| {
                    (plan.last_at, plan.tried_at) = (Some(now), Some(now));
                    (plan.files, plan.bytes, plan.problem) = (made.files, made.bytes, problem);
                })?;
                tracing::info!(copied = made.copied, files = made.files, "the backup is complete");
            }
            Err(BackupError::Stopped) => {
                core.backup.change(|plan| plan.tried_at = Some(now))?;
            }
            Err(error) => {
                let first = core.backup.get().problem.is_none();
                let words = error.to_string();
                tracing::warn!("the backup failed: {words}");
                if first {
                    core.activity.note(ActivityKind::Suspicious, format!("The backup failed: {words}"), None, None)?;
                }
                core.backup.change(|plan| (plan.tried_at, plan.problem) = (Some(now), Some(words)))?;
            }
        }
        core.live.tell(What::Status, None);
        Ok(())
    })
    .await?
}

async fn note_checked(core: &Arc<Core>, checked: Result<Checked, BackupError>) -> anyhow::Result<()> {
    let core = core.clone();
    blocking(move || -> anyhow::Result<()> {
        let problem = match checked {
            Ok(checked) if checked.lost.is_empty() => {
                if checked.mended > 0 {
                    tracing::warn!(mended = checked.mended, "files of the backup were damaged and were copied anew");
                }
                None
            }
            Ok(checked) => Some(format!(
                "{} files of the backup are damaged, and the vault has no sound copy of them either: choose another disk soon",
                checked.lost.len()
            )),
            Err(BackupError::Stopped) => return Ok(()),
            Err(error) => Some(error.to_string()),
        };
        let now = now_ms();
        core.backup.change(|plan| {
            plan.checked_at = problem.is_none().then_some(now).or(plan.checked_at);
            plan.problem = problem;
        })?;
        core.live.tell(What::Status, None);
        Ok(())
    })
    .await?
}

/// Has the worker look at once.
pub(crate) fn ring(core: &Core) {
    core.board.ring(Job::Backup);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_due_by_the_clock_and_a_failed_one_rests() {
        let hour = HOUR_MS;
        assert!(!due(None, None, None, 5 * hour), "only by hand");
        assert!(due(Some(24), None, None, 5 * hour), "the first at once");
        assert!(!due(Some(24), Some(hour), Some(hour), 24 * hour));
        assert!(due(Some(24), Some(hour), Some(hour), 25 * hour));
        let retry = u64::try_from(BACKUP_RETRY.as_millis()).unwrap();
        assert!(!due(Some(24), Some(hour), Some(30 * hour), 30 * hour + retry - 1));
        assert!(due(Some(24), Some(hour), Some(30 * hour), 30 * hour + retry));
        assert!(due(Some(24), Some(99 * hour), Some(99 * hour), 30 * hour), "a clock that has gone back");
    }
}
