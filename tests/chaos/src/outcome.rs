//! What a campaign counted.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// How much is done, from which seed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed of everything that is left to chance.
    pub seed: u64,
    /// Whether the full campaigns are run, or what fits into `make test`.
    pub full: bool,
    /// How long each campaign may take at most; for ever if nothing is said.
    pub limit: Option<Duration>,
}

impl Plan {
    /// `full` or `short`, whichever this is.
    #[must_use]
    pub fn pick<T>(self, full: T, short: T) -> T {
        if self.full { full } else { short }
    }
}

/// The result of one campaign.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What was done, in a few words.
    pub campaign: String,
    /// Faults by kind.
    pub faults: BTreeMap<String, u64>,
    /// How the vault dealt with them, in words, and how often.
    pub ends: BTreeMap<String, u64>,
    /// Every promise that was broken.
    pub violations: Vec<String>,
    /// Faults that were planned.
    pub planned: u64,
    /// Seconds that it took.
    pub seconds: f64,
    #[serde(skip, default = "Instant::now")]
    began: Instant,
    #[serde(skip)]
    limit: Option<Duration>,
}

impl Outcome {
    /// Nothing counted yet.
    #[must_use]
    pub fn begin(campaign: &str, plan: Plan, planned: usize) -> Self {
        let (faults, ends, planned) = (BTreeMap::new(), BTreeMap::new(), planned as u64);
        let (campaign, began, limit) = (campaign.to_owned(), Instant::now(), plan.limit);
        Self { campaign, faults, ends, violations: Vec::new(), planned, seconds: 0.0, began, limit }
    }

    /// Whether its time is up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_past(1.0)
    }

    /// Whether this share of its time is up.
    #[must_use]
    pub fn is_past(&self, share: f64) -> bool {
        self.limit.is_some_and(|limit| self.began.elapsed() > limit.mul_f64(share))
    }

    /// Counts one fault and how it ended.
    pub fn count(&mut self, fault: impl Into<String>, end: impl Into<String>) {
        *self.faults.entry(fault.into()).or_default() += 1;
        *self.ends.entry(end.into()).or_default() += 1;
        let total = self.total();
        if total.is_multiple_of(PROGRESS_EVERY) {
            eprintln!("  {}: {total} so far, {} violations", self.campaign, self.violations.len());
        }
    }

    /// Notes a broken promise.
    pub fn violated(&mut self, what: impl Into<String>) {
        let what = what.into();
        eprintln!("  VIOLATION in {}: {what}", self.campaign);
        self.violations.push(what);
    }

    /// All faults.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Stops the clock.
    #[must_use]
    pub fn ended(mut self) -> Self {
        self.seconds = self.began.elapsed().as_secs_f64();
        self
    }
}

/// Faults between two lines of progress.
const PROGRESS_EVERY: u64 = 500;

/// The result of a campaign, with what it was made from.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The commit that was checked out when it began.
    pub commit: String,
    /// The day.
    pub date: String,
    /// The seed.
    pub seed: u64,
    /// What was counted.
    pub outcome: Outcome,
}

impl Kept {
    /// The result of a campaign that has just ended.
    #[must_use]
    pub fn new(commit: &str, plan: Plan, outcome: Outcome) -> Self {
        let date = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        Self { commit: commit.to_owned(), date, seed: plan.seed, outcome }
    }

    /// Writes it into a folder, in the place of the one before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, folder: &Path, name: &str) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(name).with_extension("json");
        std::fs::write(&path, serde_json::to_vec(self)?).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The one in a folder, if there is one.
    #[must_use]
    pub fn read(folder: &Path, name: &str) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(name).with_extension("json")).ok()?).ok()
    }
}

/// The commit that is checked out, to be asked before a campaign: an hour later it may be another.
#[must_use]
pub fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let changed = git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty());
    let commit = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    if changed { format!("{commit} with changes") } else { commit }
}
