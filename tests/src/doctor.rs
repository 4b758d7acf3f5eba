//! `inframe doctor`: run it beside a daemon or without one, and read what it says.

use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cli;
use crate::daemon::Daemon;

/// What a check has shown.
#[derive(Clone, Debug, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub key: String,
    /// `good`, `warning`, `failed`, `not-checked`.
    pub state: String,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: Option<String>,
}

/// What `inframe doctor --json` has said.
#[derive(Clone, Debug, Deserialize)]
pub struct Doctor {
    checks: Vec<Check>,
    /// Whether its exit code says that nothing has failed.
    #[serde(skip)]
    pub success: bool,
}

impl Doctor {
    /// Has a running daemon checked.
    ///
    /// # Errors
    /// When it cannot be run or says nothing that can be read.
    pub fn of(node: &Daemon) -> Result<Self> {
        Self::read(&cli::typed(node, &["--json", "doctor"], &[])?)
    }

    /// Runs it without a daemon; its arguments but `doctor` are in the command.
    ///
    /// # Errors
    /// When it cannot be run or says nothing that can be read.
    pub fn alone(mut command: Command) -> Result<Self> {
        Self::read(&command.args(["--json", "doctor"]).output()?)
    }

    fn read(output: &Output) -> Result<Self> {
        let mut doctor: Self = serde_json::from_slice(&output.stdout).with_context(|| cli::said(output))?;
        doctor.success = output.status.success();
        let failed = doctor.checks.iter().any(|check| check.state == "failed");
        ensure!(doctor.success != failed, "the exit code does not say whether something failed: {doctor:#?}");
        for check in &doctor.checks {
            ensure!(check.advice.is_some() || check.state == "good", "no advice: {check:?}");
        }
        Ok(doctor)
    }

    /// Keys of all checks, in their order.
    #[must_use]
    pub fn keys(&self) -> Vec<&str> {
        self.checks.iter().map(|check| check.key.as_str()).collect()
    }

    /// A check by its key.
    ///
    /// # Errors
    /// When it was not made.
    pub fn check(&self, key: &str) -> Result<&Check> {
        self.checks.iter().find(|check| check.key == key).with_context(|| format!("no check {key}: {self:?}"))
    }

    /// Holds that a check has this state, and that these words are in what was found and in the advice.
    ///
    /// # Errors
    /// With the check, when it is otherwise.
    pub fn expect(&self, key: &str, state: &str, found: &str, advice: &str) -> Result<()> {
        let check = self.check(key)?;
        let as_said = check.state == state
            && check.found.contains(found)
            && check.advice.as_deref().unwrap_or_default().contains(advice);
        ensure!(as_said, "not {state}, {found:?}, {advice:?}: {check:?}");
        Ok(())
    }
}
