//! The `inframe` binary: a daemon, a decode process or a confined tool of one, or a command spoken to one.

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
    match cli::main() {
        Start::Finished(code) => code,
        Start::Run(config, dir, secret) => {
            // No libp2p lines by default: they name addresses and peers.
            let filter = tracing_subscriber::EnvFilter::try_from_env("INFRAME_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("inframe=info,error"));
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
            run::run(&config, *dir, secret)
        }
    }
}
