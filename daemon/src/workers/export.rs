//! The export worker: writes the originals into the folder that the owner named, from the wish on until it is done, over restarts too.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::board::Step;
use super::{Core, Job, blocking};
use crate::activity::ActivityKind;
use crate::clock::now_ms;
use crate::library::{AssetId, ExportError, ExportProgress, Exported, Facts, Origin, StoredAsset};
use crate::live::What;
use crate::people::FaceRef;
use crate::settings::ExportResult;
use crate::tasks::Stage;

/// How far the export is, and whether it is to stop.
#[derive(Default)]
pub struct ExportState {
    stopped: AtomicBool,
    running: Mutex<Option<ExportProgress>>,
}

impl ExportState {
    /// How far it is, while one runs.
    #[must_use]
    pub fn progress(&self) -> Option<ExportProgress> {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Breaks off the one that runs.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn set(&self, progress: Option<ExportProgress>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}

/// Exports, if that is wished for.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    let Some(folder) = core.export.get().wished_folder() else { return Ok(Step::default()) };
    core.export_state.stopped.store(false, Ordering::Relaxed);
    core.export_state.set(Some(ExportProgress::default()));
    core.live.tell(What::Status, None);
    let shared = core.clone();
    let ended = blocking(move || {
        let exported = run(&shared, &folder);
        note(&shared, &folder, exported)
    })
    .await;
    core.export_state.set(None);
    core.live.tell(What::Status, None);
    Ok(Step { done: u64::from(ended??), ..Step::default() })
}

fn run(core: &Core, folder: &Path) -> Result<Exported, ExportError> {
    let ending = core.tasks.stop_token(Stage::Work);
    let mut told = Instant::now();
    let tell = |progress: ExportProgress| {
        core.export_state.set(Some(progress));
        if told.elapsed() >= Duration::from_secs(1) {
            told = Instant::now();
            core.live.tell(What::Status, None);
        }
        !ending.is_cancelled() && !core.export_state.stopped.load(Ordering::Relaxed)
    };
    core.library.export(folder, |id, asset| facts(core, id, asset), tell)
}

/// What the sidecars say besides what the library knows.
fn facts(core: &Core, id: AssetId, asset: &StoredAsset) -> Facts {
    let faces = core.faces.of(id).map_or(0, |known| known.faces.len());
    let people = core.people.read(|grouping| {
        let mut names: Vec<String> = Vec::new();
        for index in 0..u16::try_from(faces).unwrap_or(u16::MAX) {
            let person = grouping.person_of(FaceRef { asset: id, index }).and_then(|person| grouping.summary(person));
            names.extend(person.and_then(|person| person.person.name).filter(|name| !names.contains(name)));
        }
        names
    });
    match &asset.origin {
        Origin::Imported => Facts { people, event: None, from: None },
        Origin::Guest { event, guest } => {
            Facts { people, event: Some(core.events.name(event)), from: Some(core.guests.name(guest)) }
        }
        Origin::Received { event, from, .. } => {
            Facts { people, event: Some(core.events.name(event)), from: Some(core.events.nickname(event, from)) }
        }
    }
}

/// Writes down what came of it; whether it came to its end.
fn note(core: &Core, folder: &Path, exported: Result<Exported, ExportError>) -> anyhow::Result<bool> {
    let place = folder.display();
    match exported {
        Ok(done) => {
            let damaged = match done.damaged_count {
                0 => String::new(),
                count => {
                    format!("; {} and not among them", counted(count, "damaged original is", "damaged originals are"))
                }
            };
            let files = counted(done.files, "file is", "files are");
            let text =
                format!("The export to {place} is complete: {files} there, {} of them new{damaged}.", done.new_files);
            let result = ExportResult {
                at: now_ms(),
                files: done.files,
                bytes: done.bytes,
                new_files: done.new_files,
                damaged: done.damaged.into_iter().map(|one| (one.file_name, one.reason)).collect(),
                damaged_count: done.damaged_count,
            };
            core.activity.note(ActivityKind::Left, text, None, None)?;
            core.export.change(|plan| (plan.wished, plan.result) = (false, Some(result)))?;
            Ok(true)
        }
        // The node ends: it goes on at the next start.
        Err(ExportError::Stopped) if core.export.get().wished => Ok(false),
        Err(ExportError::Stopped) => {
            core.activity.note(ActivityKind::Left, format!("The export to {place} was stopped."), None, None)?;
            Ok(false)
        }
        Err(error) => {
            let words = error.to_string();
            tracing::warn!("the export ended early: {words}");
            core.activity.note(
                ActivityKind::Left,
                format!("The export to {place} ended early: {words}."),
                None,
                None,
            )?;
            core.export.change(|plan| (plan.wished, plan.problem) = (false, Some(words)))?;
            Ok(false)
        }
    }
}

/// A number with what it counts.
pub(crate) fn counted(count: u64, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Has the worker look at once.
pub(crate) fn ring(core: &Core) {
    core.board.ring(Job::Export);
}
