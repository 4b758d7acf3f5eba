//! The `inframe` binary: a daemon, a decode process or a confined tool of one, or a command spoken to one.

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use inframe::cli::{self, Start};
use inframe::{run, sandbox, sharing};

fn main() -> ExitCode {
    // First of all: a child that decodes strangers' bytes needs nothing of the rest.
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    if first.as_deref().is_some_and(|argument| argument == sandbox::CHILD_ARGUMENT) {
        return sandbox::child::main(sharing::egress::filter_in_sandbox, arguments);
    }
    if first.is_some_and(|argument| argument == sandbox::tool::TOOL_ARGUMENT) {
        return sandbox::tool::main(arguments);
    }
    if std::env::args_os().any(|argument| argument == "run") {
        with_one_arena();
    }
    match cli::main() {
        Start::Finished(code) => code,
        Start::Run(config, dir, secret) => {
            log_to_stderr();
            run::run(&config, *dir, secret)
        }
        Start::Relay(relay) => {
            log_to_stderr();
            run::run_relay(*relay)
        }
    }
}

/// No libp2p lines by default: they name addresses and peers.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("INFRAME_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("inframe=info,error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Begins again as the same process with one heap for all threads where the C library is glibc, which reads this from the environment alone. It gives
/// each thread a heap of its own otherwise, of which much stays unused: at 100,000 photos two fifths of all memory.
fn with_one_arena() {
    const ARENAS: &str = "MALLOC_ARENA_MAX";
    if cfg!(target_env = "gnu") && std::env::var_os(ARENAS).is_none() {
        let mut arguments = std::env::args_os();
        if let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) {
            // Comes back only if it cannot be done; then all goes on with more memory.
            let _ = std::process::Command::new(program).arg0(name).args(arguments).env(ARENAS, "1").exec();
        }
    }
}
