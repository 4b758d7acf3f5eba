//! The watched-folders worker: imports what is new in the folders that the owner named. A file is taken once it has stopped growing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use notify::{RecursiveMode, Watcher as _};
use serde::{Deserialize, Serialize};

use super::board::Step;
use super::{Core, Job, blocking, import};
use crate::live::What;

/// A file that changed less than this ago may still be written.
const SETTLE: Duration = Duration::from_secs(1);

/// What a file looked like when it was imported or refused; it is not read again until that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFile {
    size_bytes: u64,
    modified_ms: u64,
}

/// The operating system's notices on the watched folders, and what is wrong with a folder now.
#[derive(Default)]
pub struct Watchers {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    watcher: Option<notify::RecommendedWatcher>,
    watched: Vec<PathBuf>,
    problems: HashMap<PathBuf, String>,
}

impl Watchers {
    /// Why a folder cannot be read now.
    #[must_use]
    pub fn problem(&self, folder: &Path) -> Option<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).problems.get(folder).cloned()
    }

    fn set_problem(&self, folder: &Path, problem: Option<String>) -> bool {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let before = inner.problems.get(folder).cloned();
        match &problem {
            Some(problem) => inner.problems.insert(folder.to_path_buf(), problem.clone()),
            None => inner.problems.remove(folder),
        };
        before != problem
    }

    /// Listens to exactly these folders; where the system gives no notices the slow timer still finds new files.
    fn listen(&self, folders: &[PathBuf], core: &Arc<Core>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.watched == folders && inner.watcher.is_some() {
            return;
        }
        inner.watched = folders.to_vec();
        let board = core.board.clone();
        inner.watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                board.ring(Job::Watch);
            }
        })
        .map(|mut watcher| {
            for folder in folders {
                if let Err(error) = watcher.watch(folder, RecursiveMode::Recursive) {
                    tracing::info!("no notices for a watched folder, it is looked at from time to time: {error}");
                }
            }
            watcher
        })
        .ok();
    }
}

/// One step: look through every watched folder, import what is new and settled.
pub(super) async fn step(core: Arc<Core>) -> anyhow::Result<Step> {
    if core.background.get().paused {
        return Ok(Step::default());
    }
    let folders: Vec<PathBuf> = core.settings.get().watched_folders.iter().map(PathBuf::from).collect();
    core.watchers.listen(&folders, &core);
    let mut done = 0;
    let mut unsettled = false;
    for folder in folders {
        let looker = core.clone();
        let root = folder.clone();
        let (fresh, young, problem) = blocking(move || look(&looker, &root)).await?;
        unsettled |= young;
        if core.watchers.set_problem(&folder, problem) {
            core.live.tell(What::Settings, None);
        }
        if fresh.is_empty() {
            continue;
        }
        done += fresh.len() as u64;
        let run = core.imports.begin(folder.display().to_string())?;
        run.found(fresh.len() as u64);
        let again = import::import_files(&core, fresh.iter().map(|(path, _)| path.clone()).collect(), &run).await;
        let keeper = core.clone();
        blocking(move || {
            // What failed for a reason that may pass is looked at again at the next round.
            for (path, seen) in fresh.into_iter().filter(|(path, _)| !again.contains(path)) {
                keeper.seen_files.put(&key(&path), seen)?;
            }
            anyhow::Ok(())
        })
        .await??;
    }
    let again_in = unsettled.then_some(SETTLE);
    Ok(Step { done, pending: u64::from(unsettled), again_in })
}

type Fresh = Vec<(PathBuf, SeenFile)>;

fn look(core: &Core, root: &Path) -> (Fresh, bool, Option<String>) {
    let (files, problems) = import::list(root);
    let mut fresh = Vec::new();
    let mut young = false;
    for file in files {
        let Ok(meta) = std::fs::metadata(&file) else { continue };
        let modified = meta.modified().unwrap_or(UNIX_EPOCH);
        let seen = SeenFile {
            size_bytes: meta.len(),
            modified_ms: modified
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        };
        if core.seen_files.get(&key(&file)).is_some_and(|known| *known == seen) {
            continue;
        }
        // A clock that was set back makes the age unknown; such a file counts as settled.
        if SystemTime::now().duration_since(modified).is_ok_and(|age| age < SETTLE) {
            young = true;
            continue;
        }
        fresh.push((file, seen));
    }
    (fresh, young, problems.into_iter().next().map(|(_, reason)| reason))
}

fn key(path: &Path) -> [u8; 16] {
    let hash = blake3::derive_key("inframe watched file v1", path.as_os_str().as_encoded_bytes());
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}
