//! The command line beside a daemon: run with what is typed, and what it said.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

use crate::daemon::{Daemon, binary};

/// The command, on the data folder and with the key file of a node.
///
/// # Errors
/// When there is no binary.
pub fn command(node: &Daemon, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.args(arguments).arg("--data-dir").arg(node.data_dir()).env("INFRAME_KEY_FILE", node.key_file());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// Runs it with these lines typed, to its end.
///
/// # Errors
/// When it cannot be started.
pub fn typed(node: &Daemon, arguments: &[&str], lines: &[&str]) -> Result<Output> {
    let mut child = command(node, arguments)?.spawn()?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    // A command that refuses at once does not read; its answer says why.
    let _ = stdin.write_all(format!("{}\n", lines.join("\n")).as_bytes());
    drop(stdin);
    Ok(child.wait_with_output()?)
}

/// Everything that it said.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What it says when it succeeds.
///
/// # Errors
/// What it says when it does not.
pub fn answer(node: &Daemon, arguments: &[&str]) -> Result<String> {
    let output = typed(node, arguments, &[])?;
    ensure!(output.status.success(), "{arguments:?}: {}", said(&output));
    Ok(String::from_utf8(output.stdout)?)
}
