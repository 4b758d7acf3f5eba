//! Runs the campaigns: `make chaos`.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use inframe_chaos::{
    broken, daemon, faults, flips, kills,
    outcome::{Kept, Outcome, Plan, commit},
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
    /// Keeps the result of each campaign in this folder; those that are not run now are taken from there for the page.
    #[arg(long)]
    results: Option<PathBuf>,
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
    let commit = commit();
    let mut results: BTreeMap<String, Kept> = BTreeMap::new();
    for campaign in &arguments.only {
        eprintln!("{campaign} ...");
        let outcome = one(campaign, plan).await.with_context(|| format!("the campaign {campaign} cannot be run"))?;
        let result = Kept::new(&commit, plan, outcome);
        if let Some(folder) = &arguments.results {
            result.keep(folder, campaign)?;
        }
        results.insert(campaign.clone(), result);
    }
    let whole = results.values().all(|result| result.outcome.violations.is_empty());
    let kept = |campaign: &str| Kept::read(arguments.results.as_deref()?, campaign);
    let results: Vec<Kept> =
        CAMPAIGNS.iter().filter_map(|campaign| results.remove(*campaign).or_else(|| kept(campaign))).collect();
    println!("{}\n{}", page::table(&results), page::details(&results));
    println!("not tested:\n{}", page::not_tested());
    if let Some(path) = &arguments.page {
        page::write(path, &results)?;
    }
    Ok(whole)
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
