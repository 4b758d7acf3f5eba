//! Runs of imports and their progress, for the pages and the CLI. Progress lives in memory: after a restart an interrupted folder is simply
//! imported again, and exact duplicates are skipped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::now_ms;
use crate::live::{Live, What};
use crate::views::{ImportFailureView, ImportView};

/// Runs kept for show.
const KEPT_RUNS: usize = 50;
/// Failures named per run; the rest is counted by the difference of the totals.
const KEPT_FAILURES: usize = 1_000;

/// All runs; cheap to clone.
#[derive(Clone)]
pub struct Imports {
    runs: Arc<Mutex<VecDeque<ImportView>>>,
    live: Live,
}

/// One running import; finishes when dropped.
pub struct ImportRun {
    imports: Imports,
    id: String,
}

impl Imports {
    /// None yet.
    #[must_use]
    pub fn new(live: Live) -> Self {
        Self { runs: Arc::default(), live }
    }

    /// Begins a run.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn begin(&self, source: String) -> Result<ImportRun, getrandom::Error> {
        let mut id = [0; 8];
        getrandom::fill(&mut id)?;
        let id = data_encoding::HEXLOWER.encode(&id);
        let view = ImportView {
            id: id.clone(),
            source,
            state: "running".into(),
            total: 0,
            imported: 0,
            duplicates: 0,
            restored: 0,
            waits: None,
            files: Vec::new(),
            failed: Vec::new(),
            started_at: now_ms(),
            finished_at: None,
        };
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() == KEPT_RUNS {
            runs.pop_front();
        }
        runs.push_back(view);
        drop(runs);
        let run = ImportRun { imports: self.clone(), id };
        run.tell();
        Ok(run)
    }

    /// Every run, newest first.
    #[must_use]
    pub fn all(&self) -> Vec<ImportView> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    /// One run.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<ImportView> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|run| run.id == id).cloned()
    }
}

impl ImportRun {
    /// The run's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn change(&self, change: impl FnOnce(&mut ImportView)) {
        let mut runs = self.imports.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(run) = runs.iter_mut().find(|run| run.id == self.id) {
            change(run);
        }
        drop(runs);
        self.tell();
    }

    fn tell(&self) {
        self.imports.live.tell(What::Imports, Some(self.id.clone()));
    }

    /// Files were found.
    pub fn found(&self, files: u64) {
        self.change(|run| run.total += files);
    }

    /// A file is in the library.
    pub fn imported(&self) {
        self.change(|run| run.imported += 1);
    }

    /// A file is in the library, but cannot be shown.
    pub fn kept(&self, name: String, reason: String) {
        self.change(|run| {
            run.imported += 1;
            if run.files.len() < KEPT_FAILURES {
                run.files.push(ImportFailureView { name, reason });
            }
        });
    }

    /// A file was there already.
    pub fn duplicate(&self) {
        self.change(|run| run.duplicates += 1);
    }

    /// A file was in the trash and is back.
    pub fn restored(&self) {
        self.change(|run| run.restored += 1);
    }

    /// It waits for something, or no longer.
    pub fn waits(&self, reason: Option<String>) {
        let now = self.imports.get(&self.id).and_then(|run| run.waits);
        if now != reason {
            self.change(|run| run.waits = reason);
        }
    }

    /// A file was left out.
    pub fn failed(&self, name: String, reason: String) {
        self.change(|run| {
            if run.failed.len() < KEPT_FAILURES {
                run.failed.push(ImportFailureView { name, reason });
            }
        });
    }
}

impl Drop for ImportRun {
    fn drop(&mut self) {
        self.change(|run| {
            run.state = "done".into();
            run.waits = None;
            run.finished_at = Some(now_ms());
        });
    }
}
