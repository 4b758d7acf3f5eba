//! Runs the campaigns: `make chaos`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use inframe_chaos::{
    broken, daemon, faults, flips, kills,
    outcome::{Outcome, Plan},
    page, points, power, story, strace,
};

/// Faults by the thousand against the vault; ends with a failure if a promise was broken.
#[derive(Parser)]
struct Arguments {
    /// The seed of everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What fits into `make test` instead of the full campaigns.
    #[arg(long)]
    short: bool,
    /// Ends each campaign after so many minutes, however much of it is done.
    #[arg(long)]
    minutes: Option<u64>,
    /// Only these campaigns.
    #[arg(long, value_delimiter = ',', default_values_t = CAMPAIGNS.map(str::to_owned))]
    only: Vec<String>,
    /// Writes the results into this page.
    #[arg(long)]
    page: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<PartCommand>,
}

const CAMPAIGNS: [&str; 6] = ["flips", "power", "faults", "broken", "points", "kills"];

#[derive(Subcommand)]
enum PartCommand {
    /// The program under test, started by the campaigns.
    #[command(hide = true)]
    Story { folder: PathBuf, seed: u64, rounds: usize },
    /// A start after a fault, started by the campaigns.
    #[command(hide = true)]
    Recover { folder: PathBuf },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool> {
    match &arguments.part {
        Some(PartCommand::Story { folder, seed, rounds }) => return story::run(folder, *seed, *rounds).map(|()| true),
        Some(PartCommand::Recover { folder }) => return story::recover(folder).map(|()| true),
        None => {}
    }
    ensure!(strace::works(), "strace is not installed or may not trace here: install it (Debian: apt install strace)");
    let plan = Plan {
        seed: arguments.seed,
        full: !arguments.short,
        limit: arguments.minutes.map(|minutes| Duration::from_secs(60 * minutes)),
    };
    let commit = page::commit();
    let mut outcomes = Vec::new();
    for campaign in &arguments.only {
        eprintln!("{campaign} ...");
        outcomes.push(one(campaign, plan).await.with_context(|| format!("the campaign {campaign} cannot be run"))?);
    }
    println!("{}\n{}", page::table(&outcomes), page::details(&outcomes));
    println!("not tested:\n{}", page::not_tested());
    if let Some(path) = &arguments.page {
        page::write(path, plan, &commit, &outcomes)?;
    }
    Ok(outcomes.iter().all(|outcome| outcome.violations.is_empty()))
}

async fn one(campaign: &str, plan: Plan) -> Result<Outcome> {
    let program = std::env::current_exe().context("this program has no path")?;
    match campaign {
        "flips" => flips::run(plan, &program),
        "power" => {
            let recorded = [
                power::record_story(&program, plan)?,
                power::record_recoveries(&program, plan)?,
                daemon::record().await?,
            ];
            power::run(plan, &recorded, plan.pick(10_000, 500))
        }
        "broken" => broken::run(plan).await,
        "faults" => faults::run(plan, &program),
        "points" => points::run(plan, &program),
        "kills" => kills::run(plan).await,
        other => anyhow::bail!("there is no campaign {other}: there are {}", CAMPAIGNS.join(", ")),
    }
}
