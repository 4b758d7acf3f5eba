//! The short form of every campaign, as a part of `make test`; `make chaos` runs the full one.

use std::path::Path;

use anyhow::{Result, ensure};
use inframe_chaos::{
    broken, daemon, faults, flips, kills,
    outcome::{Outcome, Plan},
    points, power, strace,
};

const PLAN: Plan = Plan { seed: 20_261_126, full: false, limit: None };

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_chaos"))
}

/// Whether programs can be traced here. In continuous integration they must be.
fn can_trace() -> Result<bool> {
    let works = strace::works();
    ensure!(works || std::env::var_os("CI").is_none(), "strace is not installed or may not trace");
    if !works {
        eprintln!("skipped: strace is not installed or may not trace here");
    }
    Ok(works)
}

fn whole(outcome: &Outcome, at_least: u64) -> Result<()> {
    println!("{outcome:#?}");
    ensure!(outcome.violations.is_empty(), "broken promises: {:#?}", outcome.violations);
    ensure!(outcome.total() >= at_least, "only {} faults", outcome.total());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d1_power_may_go_at_any_moment() -> Result<()> {
    if !can_trace()? {
        return Ok(());
    }
    let recorded =
        [power::record_story(program(), PLAN)?, power::record_recoveries(program(), PLAN)?, daemon::record().await?];
    whole(&power::run(PLAN, &recorded, 500)?, 500)
}

/// The campaign is not blind: on a disk that only pretends to sync, promises are broken.
#[test]
fn a_disk_that_lies_is_found_out() -> Result<()> {
    if !can_trace()? {
        return Ok(());
    }
    let lying = [power::record_story(program(), PLAN)?.without_syncs()];
    let outcome = power::run(PLAN, &lying, 100)?;
    ensure!(outcome.violations.len() as u64 * 2 > outcome.total(), "only {} states were bad", outcome.violations.len());
    ensure!(
        outcome.violations.iter().any(|violation| violation.contains("lost: an acknowledged photo")),
        "none was lost"
    );
    Ok(())
}

#[test]
fn d2_killed_at_every_call_and_again_while_it_recovers() -> Result<()> {
    if !can_trace()? {
        return Ok(());
    }
    whole(&points::run(PLAN, program())?, 100)
}

#[test]
fn d1_a_full_or_broken_disk_loses_nothing() -> Result<()> {
    if !can_trace()? {
        return Ok(());
    }
    whole(&faults::run(PLAN, program())?, 30)
}

#[tokio::test]
async fn d1_a_full_or_broken_disk_under_a_daemon_loses_nothing() -> Result<()> {
    if !can_trace()? {
        return Ok(());
    }
    whole(&broken::run(PLAN).await?, 3)
}

#[test]
fn a_flipped_bit_is_detected_or_harmless() -> Result<()> {
    if !can_trace()? {
        return Ok(());
    }
    whole(&flips::run(PLAN, program())?, 500)
}

#[tokio::test]
async fn d2_daemons_are_killed_at_random_moments() -> Result<()> {
    whole(&kills::run(PLAN).await?, 20)
}
