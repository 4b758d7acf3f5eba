//! The command line: starts the daemon, or speaks to a running one over the unix socket in its data folder.

mod args;
mod backup;
mod client;
mod doctor;
mod erase;
mod eval;
mod event;
mod export;
mod import;
mod keep;
mod keys;
mod models;
mod notices;
mod password;
mod people;
mod profile;
mod ready;
mod relay;
mod sharing;
mod text;
mod traffic;
mod trash;
mod upkeep;
mod verify;
mod when;

use std::process::ExitCode;

use clap::Parser;

pub use self::args::Cli;
pub use self::client::CliError;
pub use self::ready::{Ready, ReadyLan};
pub use self::relay::RelayRun;

use self::args::Command;
use self::client::Client;
use self::models::ModelsCommand;
use self::text::Screen;
use crate::config::{ConfigError, RunConfig, data_dir_or_default};
use crate::data_dir::DataDir;
use crate::door::Secret;

/// What the program shall be.
#[derive(Debug)]
pub enum Start {
    /// A daemon on a data folder, and what unlocks its vault; nothing where it begins locked.
    Run(Box<RunConfig>, Box<DataDir>, Option<Secret>),
    /// A relay, which has no vault.
    Relay(Box<RelayRun>),
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
        Command::Keys(command) => {
            let screen = Screen { json: cli.json };
            Start::Finished(in_runtime(keys::run(command, cli.data_dir, &screen)))
        }
        Command::Erase(by) => {
            let screen = Screen { json: cli.json };
            Start::Finished(in_runtime(erase::run(by, cli.data_dir, &screen)))
        }
        Command::Restore(args) => {
            Start::Finished(match backup::bring_back(args, cli.data_dir, &Screen { json: cli.json }) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failure(&error),
            })
        }
        Command::Relay(flags) => match flags.resolve(|name| std::env::var_os(name)) {
            Ok(config) => Start::Relay(Box::new(config)),
            Err(error) => Start::Finished(failure(&error)),
        },
        Command::Openapi => Start::Finished(print_openapi()),
        Command::Doctor(args) => {
            let folder = match data_dir_or_default(cli.data_dir, |name| std::env::var_os(name)) {
                Ok(folder) => folder,
                Err(error @ ConfigError::NoHome) => return Start::Finished(failure(&error)),
            };
            Start::Finished(with_code(doctor::run(args, &folder, &Screen { json: cli.json })))
        }
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
    match keys::for_run(&config.data_dir, &config.key_file, config.passphrase_file.as_deref(), screen) {
        Ok((dir, secret)) => Start::Run(Box::new(config), Box::new(dir), secret),
        Err(error) => Start::Finished(failure(&error)),
    }
}

fn speak(command: Command, socket: std::path::PathBuf, json: bool) -> ExitCode {
    let screen = Screen { json };
    match command {
        Command::Unlock(by) => in_runtime(async { keys::unlock(&Client::new(socket)?, &by, &screen).await }),
        command => with_code(async { carry_out(command, &Client::new(socket)?, &screen).await }),
    }
}

/// As [`in_runtime`], with an exit code that the work chooses.
fn with_code(work: impl Future<Output = Result<ExitCode, CliError>>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let done = in_runtime(async {
        code = work.await?;
        Ok::<_, CliError>(())
    });
    if done == ExitCode::SUCCESS { code } else { done }
}

/// Runs a command to its end; says why it failed.
fn in_runtime<E: std::error::Error>(work: impl Future<Output = Result<(), E>>) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error),
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

async fn carry_out(command: Command, client: &Client, screen: &Screen) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(_)
        | Command::Keys(_)
        | Command::Unlock(_)
        | Command::Restore(_)
        | Command::Erase(_)
        | Command::Relay(_)
        | Command::Doctor(_)
        | Command::Openapi => {}
        Command::Verify(args) => return verify::run(client, args, screen).await,
        Command::Backup(args) => backup::run(client, args, screen).await?,
        Command::Export(args) => return export::run(client, screen, args).await,
        Command::Lock => keys::lock(client, screen).await?,
        Command::Import { paths } => return import::run(client, screen, paths).await,
        Command::Event(command) => event::run(client, screen, command).await?,
        Command::Profile(command) => profile::run(client, screen, command).await?,
        Command::People(command) => people::run(client, screen, command).await?,
        Command::FindMe(command) => profile::find_me(client, screen, command).await?,
        Command::Approvals(command) => sharing::approvals(client, screen, command).await?,
        Command::Models(command) => models::run(client, screen, command).await?,
        Command::Peers { add } => sharing::peers(client, screen, add).await?,
        Command::MyRelay { wish } => sharing::my_relay(client, screen, wish).await?,
        Command::Status => sharing::status(client, screen).await?,
        Command::Transfers { retry } => sharing::transfers(client, screen, retry).await?,
        Command::Activity { limit } => sharing::activity(client, screen, limit).await?,
        Command::Keep(wishes) => keep::run(client, screen, wishes).await?,
        Command::Notices { wish } => return notices::run(client, screen, wish).await,
        Command::Traffic(wishes) => traffic::run(client, screen, wishes).await?,
        Command::Pause => upkeep::pause(client, screen, true).await?,
        Command::Resume => upkeep::pause(client, screen, false).await?,
        Command::Quarantine { retry } => upkeep::quarantine(client, screen, retry).await?,
        Command::Trash(command) => trash::run(client, screen, command).await?,
        Command::Open { lan } => password::open(client, screen, lan).await?,
        Command::Password(command) => password::run(client, screen, command).await?,
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
