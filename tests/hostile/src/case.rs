//! One way to misbehave, and what came of it.

use std::time::Instant;

use anyhow::Result;
use futures::future::LocalBoxFuture;

use crate::{
    field::{Field, Needs},
    watch::Watch,
};

/// More memory than this the daemon may not take, bytes.
pub const MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// Longer than this an honest peer and the owner need not wait, seconds.
pub const ANSWER_SECONDS: f64 = 5.0;

/// How much of it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// All, as the page says.
    Full,
    /// What fits into `make test`.
    Short,
}

impl Pace {
    /// `full` or `short`, whichever this is.
    #[must_use]
    pub fn pick<T>(self, full: T, short: T) -> T {
        if self == Self::Full { full } else { short }
    }
}

/// A case.
pub struct Case {
    /// Its number in the list of hostile peers; some have parts.
    pub number: &'static str,
    /// What the peer is, in a few words.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    /// What is needed for it.
    pub needs: Needs,
    /// Words of the note that the daemon must make, in the activity log or the log file; none where there is nothing to note.
    pub noted: Option<&'static str>,
    /// Whether photos leave in the course of it that may.
    pub may_leave: bool,
    /// Does it. Gives in words how it went; an error means that a promise was broken.
    pub attack: for<'a> fn(&'a Field, Pace) -> LocalBoxFuture<'a, Result<String>>,
}

/// How a case ended.
#[derive(Debug)]
pub struct Outcome {
    /// How it went, in words.
    pub went: String,
    /// Most memory of the daemon, bytes.
    pub peak_bytes: u64,
    /// Most memory of its workers, bytes.
    pub workers_bytes: u64,
    /// The longest wait of the honest member, seconds.
    pub sync_seconds: f64,
    /// The longest wait of the owner, seconds.
    pub api_seconds: f64,
    /// What was noted.
    pub noted: String,
    /// What was left behind.
    pub left: Vec<String>,
    /// Promises that were broken, but for the waits.
    pub breaches: Vec<String>,
    /// How long the attack took, seconds.
    pub seconds: f64,
}

impl Outcome {
    /// Every broken promise, the waits included, which depend on the machine.
    #[must_use]
    pub fn all_breaches(&self) -> Vec<String> {
        let mut all = self.breaches.clone();
        for (who, seconds) in [("an honest member", self.sync_seconds), ("the owner", self.api_seconds)] {
            if seconds > ANSWER_SECONDS {
                all.push(format!("{who} waited {seconds:.1} s"));
            }
        }
        all
    }
}

impl Case {
    /// Runs the case on a field of its own.
    ///
    /// # Errors
    /// When the field cannot be set up, or the daemon has died.
    pub async fn run(&self, pace: Pace) -> Result<Outcome> {
        let field = Field::prepare(self.needs).await?;
        let before = field.now().await?;
        let watch = Watch::begin(&field)?;
        let begun = Instant::now();
        let went = (self.attack)(&field, pace).await;
        let seconds = begun.elapsed().as_secs_f64();
        let seen = watch.end().await?;
        let mut breaches = seen.unanswered;
        let went = went.unwrap_or_else(|error| {
            breaches.push(format!("{error:#}"));
            "broken off".to_owned()
        });
        if seen.peak_bytes >= MEMORY_BYTES {
            breaches.push(format!("{} MiB of memory", seen.peak_bytes >> 20));
        }
        if let Some(words) = self.noted
            && let Err(error) = field.wait_until_noted(&before, words).await
        {
            breaches.push(format!("{error:#}"));
        }
        let left = field.left_behind(&before, self.may_leave).await?;
        breaches.extend(left.iter().cloned());
        let noted = field.noted_in_words(&before, self.noted.unwrap_or("stream was refused")).await?;
        let (sync_seconds, api_seconds) = (seen.sync.as_secs_f64(), seen.api.as_secs_f64());
        let (peak_bytes, workers_bytes) = (seen.peak_bytes, seen.workers_bytes);
        Ok(Outcome { went, peak_bytes, workers_bytes, sync_seconds, api_seconds, noted, left, breaches, seconds })
    }
}
