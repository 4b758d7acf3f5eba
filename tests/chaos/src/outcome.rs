//! What a campaign counted.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

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
#[derive(Debug)]
pub struct Outcome {
    /// What was done, in a few words.
    pub campaign: &'static str,
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
    began: Instant,
    limit: Option<Duration>,
}

impl Outcome {
    /// Nothing counted yet.
    #[must_use]
    pub fn begin(campaign: &'static str, plan: Plan, planned: usize) -> Self {
        let (faults, ends, planned) = (BTreeMap::new(), BTreeMap::new(), planned as u64);
        let (began, limit) = (Instant::now(), plan.limit);
        Self { campaign, faults, ends, violations: Vec::new(), planned, seconds: 0.0, began, limit }
    }

    /// Whether its time is up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.began.elapsed() > limit)
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
