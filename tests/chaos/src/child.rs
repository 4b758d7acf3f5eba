//! The story in a process of its own, under `strace`.

use std::{
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::{
    place::Place,
    story,
    strace::{self, Call},
};

/// A story that takes longer hangs.
const LIMIT_SECONDS: &str = "120";
/// What `timeout` gives then.
const TIMED_OUT: i32 = 124;
/// What a shell and `timeout` give for a program that was ended by SIGKILL.
const KILLED: i32 = 128 + 9;

/// Parts of a path that tell which file of which package it is.
const PATH_PARTS: usize = 4;

/// A folder for a campaign: in memory where there is such a file system, since the faults are ours and not the disk's.
///
/// # Errors
/// When none can be made.
pub fn scratch() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    builder.prefix("inframe-chaos-");
    let made = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
    made.context("cannot make a folder for the campaign")
}

/// What the child does.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The story, so many rounds of it.
    Story {
        /// Its seed.
        seed: u64,
        /// Its rounds.
        rounds: usize,
    },
    /// A start, as after a crash.
    Recovery,
}

/// How a child is watched or disturbed.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// System calls that are written down.
    pub calls: &'a str,
    /// Whether the bytes are written down too.
    pub bytes: bool,
    /// A disturbance, as `strace -e inject=` takes it.
    pub inject: Option<&'a str>,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code.
    Exit(i32),
    /// By SIGKILL.
    Killed,
    /// Not at all: it hung and was ended.
    Hung,
}

/// What a child did.
#[derive(Debug)]
pub struct Done {
    /// How it ended.
    pub end: End,
    /// What it promised, line by line.
    pub said: Vec<String>,
    /// What it complained of on its standard error.
    pub errors: String,
    /// Where its system calls are.
    pub log: PathBuf,
}

impl Done {
    /// The line of its standard error that says what went wrong, without the folders of this machine.
    #[must_use]
    pub fn complaint(&self) -> String {
        let panic = self.errors.lines().find(|line| line.contains("panicked at"));
        let line = panic.or_else(|| self.errors.lines().last()).unwrap_or("nothing was said");
        let parts: Vec<&str> = line.split('/').collect();
        parts.get(parts.len().saturating_sub(PATH_PARTS)..).unwrap_or_default().join("/")
    }

    /// Its system calls.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn calls(&self) -> Result<Vec<Call>> {
        strace::calls(&self.log)
    }
}

/// Runs a child of `program` (the binary `chaos`) on `place` to its end.
///
/// # Errors
/// When it cannot be started.
pub fn run(program: &Path, place: &Place, part: Part, trace: Trace<'_>) -> Result<Done> {
    std::fs::create_dir_all(place.folder())?;
    let log = place.folder().with_extension("strace");
    let traced = strace::command(&log, trace.calls, trace.bytes, trace.inject, program);
    let mut command = Command::new("timeout");
    command.arg(LIMIT_SECONDS).arg(traced.get_program()).args(traced.get_args());
    match part {
        Part::Story { seed, rounds } => {
            command.arg("story").arg(place.folder()).args([seed.to_string(), rounds.to_string()]);
        }
        Part::Recovery => {
            command.arg("recover").arg(place.folder());
        }
    }
    let output = command.stdin(Stdio::null()).output().context("cannot run timeout and strace")?;
    let end = match (output.status.code(), output.status.signal()) {
        (Some(KILLED), _) | (None, Some(9)) => End::Killed,
        (Some(TIMED_OUT), _) => End::Hung,
        (code, signal) => End::Exit(code.unwrap_or_else(|| -signal.unwrap_or(0))),
    };
    let said = story::lines(&String::from_utf8_lossy(&output.stdout)).map(str::to_owned).collect();
    Ok(Done { end, said, errors: String::from_utf8_lossy(&output.stderr).into_owned(), log })
}
