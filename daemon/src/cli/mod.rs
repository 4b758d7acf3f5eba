//! The command line: starts the daemon, or speaks to a running one over the unix socket in its data folder.

mod args;
mod client;
mod eval;
mod event;
mod import;
mod keys;
mod models;
mod people;
mod profile;
mod ready;
mod sharing;
mod text;
mod trash;
mod upkeep;
mod when;

use std::process::ExitCode;

use clap::Parser;

pub use self::args::Cli;
pub use self::client::CliError;
pub use self::ready::Ready;

use self::args::Command;
use self::client::Client;
use self::models::ModelsCommand;
use self::text::Screen;
use crate::config::{ConfigError, RunConfig, data_dir_or_default};
use crate::vault::Unlock;

/// What the program shall be.
#[derive(Debug)]
pub enum Start {
    /// A daemon, and what unlocks its vault.
    Run(Box<RunConfig>, Unlock),
    /// A command that has ended.
    Finished(ExitCode),
}

/// Reads the command line; carries the command out, unless it starts a daemon or a decode process, which are the caller's to run.
#[must_use]
pub fn main() -> Start {
    start(Cli::parse())
}

fn start(cli: Cli) -> Start {
    match cli.command {
        Command::Run(flags) => match flags.resolve(cli.data_dir, |name| std::env::var_os(name)) {
            Ok(config) => unlocked(config, &Screen { json: cli.json }),
            Err(error) => Start::Finished(failure(&error)),
        },
        Command::Keys(command) => Start::Finished(match keys::run(command, cli.data_dir, &Screen { json: cli.json }) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        }),
        Command::Openapi => Start::Finished(print_openapi()),
        Command::Models(ModelsCommand::Eval(args)) => {
            Start::Finished(match eval::run(args, &Screen { json: cli.json }) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failure(&error),
            })
        }
        command => {
            let socket = match data_dir_or_default(cli.data_dir, |name| std::env::var_os(name)) {
                Ok(folder) => folder.join("inframe.sock"),
                Err(error @ ConfigError::NoHome) => return Start::Finished(failure(&error)),
            };
            Start::Finished(speak(command, socket, cli.json))
        }
    }
}

fn unlocked(config: RunConfig, screen: &Screen) -> Start {
    match keys::for_run(&config.data_dir, config.key_file.clone(), config.passphrase_file.as_deref(), screen) {
        Ok(unlock) => Start::Run(Box::new(config), unlock),
        Err(error) => Start::Finished(failure(&error)),
    }
}

fn speak(command: Command, socket: std::path::PathBuf, json: bool) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error),
    };
    let done = runtime.block_on(async {
        let client = Client::new(socket)?;
        carry_out(command, &client, &Screen { json }).await
    });
    match done {
        Ok(code) => code,
        Err(error) => failure(&error),
    }
}

async fn carry_out(command: Command, client: &Client, screen: &Screen) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(_) | Command::Keys(_) | Command::Openapi => {}
        Command::Import { paths } => return import::run(client, screen, paths).await,
        Command::Event(command) => event::run(client, screen, command).await?,
        Command::Profile(command) => profile::run(client, screen, command).await?,
        Command::People(command) => people::run(client, screen, command).await?,
        Command::FindMe(command) => profile::find_me(client, screen, command).await?,
        Command::Approvals(command) => sharing::approvals(client, screen, command).await?,
        Command::Models(command) => models::run(client, screen, command).await?,
        Command::Peers => sharing::peers(client, screen).await?,
        Command::Status => sharing::status(client, screen).await?,
        Command::Transfers { retry } => sharing::transfers(client, screen, retry).await?,
        Command::Activity { limit } => sharing::activity(client, screen, limit).await?,
        Command::Pause => upkeep::pause(client, screen, true).await?,
        Command::Resume => upkeep::pause(client, screen, false).await?,
        Command::Quarantine { retry } => upkeep::quarantine(client, screen, retry).await?,
        Command::Trash(command) => trash::run(client, screen, command).await?,
        Command::Open => sharing::open(client, screen).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_openapi() -> ExitCode {
    match crate::web::openapi().to_pretty_json() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => failure(&error),
    }
}

/// Prints an error with its causes, once, at the edge.
fn failure(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("inframe: {}", text::plain(&error.to_string()));
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {}", text::plain(&error.to_string()));
        cause = error.source();
    }
    ExitCode::FAILURE
}
