//! Runs the campaign: `make hostile`.

use std::{path::PathBuf, process::ExitCode};

use clap::Parser;
use inframe_hostile::{case::Pace, cases::CASES, page};

/// One hostile peer after the other against a real daemon; ends with a failure if one was not contained.
#[derive(Parser)]
struct Arguments {
    /// What fits into `make test` instead of the whole.
    #[arg(long)]
    short: bool,
    /// Only the cases with these numbers.
    #[arg(long, value_delimiter = ';')]
    only: Vec<String>,
    /// Writes the results into this page.
    #[arg(long)]
    page: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let pace = if arguments.short { Pace::Short } else { Pace::Full };
    let wanted = |number: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == number);
    let mut results = Vec::new();
    let mut contained = true;
    for case in CASES.iter().filter(|case| wanted(case.number)) {
        eprintln!("{} {} ...", case.number, case.name);
        let outcome = case.run(pace).await;
        match &outcome {
            Ok(outcome) => {
                let breaches = outcome.all_breaches();
                contained &= breaches.is_empty();
                eprintln!(
                    "  {}; {} MiB, honest {:.2} s, owner {:.2} s, {:.0} s; {}",
                    outcome.went,
                    outcome.peak_bytes >> 20,
                    outcome.sync_seconds,
                    outcome.api_seconds,
                    outcome.seconds,
                    outcome.noted
                );
                for breach in breaches {
                    eprintln!("  NOT CONTAINED: {breach}");
                }
            }
            Err(error) => {
                contained = false;
                eprintln!("  NOT CONTAINED: {error:#}");
            }
        }
        results.push((case, outcome));
    }
    println!("{}", page::text(&results));
    if let Some(path) = &arguments.page
        && let Err(error) = page::write(path, &results)
    {
        eprintln!("error: {error:#}");
        return ExitCode::FAILURE;
    }
    if contained { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
