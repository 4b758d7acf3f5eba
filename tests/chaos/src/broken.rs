//! A full or broken disk under a real daemon with all its threads: from some moment on calls fail, uploads are refused in words, and after a start on a
//! sound disk everything that was acknowledged is there.

use std::{ffi::OsString, path::Path, time::Duration};

use anyhow::{Context as _, Result};
use inframe_tests::{
    api::Problem,
    daemon::{Daemon, Options},
    scene,
};

use crate::{
    child,
    dice::Dice,
    kills::{Owed, PHOTOS, held, panics_in, photo, start_again},
    outcome::{Outcome, Plan},
    story::CANARY,
    strace,
};

/// What fails, and with which error.
const FAILURES: [(&str, &str, &str); 7] = [
    ("pwrite64", "ENOSPC", "disk full"),
    ("pwrite64", "EIO", "input/output error while writing"),
    ("fdatasync", "EIO", "input/output error while syncing"),
    ("fsync", "EIO", "input/output error while syncing"),
    ("rename", "EIO", "input/output error while renaming"),
    ("unlink", "EIO", "input/output error while removing"),
    ("mkdir", "ENOSPC", "disk full"),
];
/// Calls of each thread that succeed before one fails, at most: a start makes about as many.
const LONGEST_PEACE: usize = 60;
/// How long the daemon is used while its disk fails.
const USED_FOR: Duration = Duration::from_millis(1500);
/// Photos that are there before.
const BEFORE: u32 = 2;

/// The campaign.
///
/// # Errors
/// When daemons cannot be run at all; a promise that is broken is counted instead.
pub async fn run(plan: Plan) -> Result<Outcome> {
    let planned = plan.pick(10 * FAILURES.len(), 3);
    let mut outcome = Outcome::begin("full or broken disk under a daemon", plan, planned);
    let mut dice = Dice::of(plan.seed, "broken");
    for number in 0..planned {
        if outcome.is_over() {
            break;
        }
        let Some((call, error, words)) = FAILURES.get(number % FAILURES.len()) else { continue };
        let (once, when) = (dice.heads(), 1 + dice.below(LONGEST_PEACE));
        let inject = format!("{call}:error={error}:when={when}{}", if once { "" } else { "+" });
        let fault = format!("{words}, {}", if once { "once in each thread" } else { "from then on" });
        match one(&inject, &mut dice).await {
            Ok(end) => outcome.count(fault, end),
            Err(error) => {
                outcome.violated(format!("{inject}: {error:#}"));
                outcome.count(fault, "violated");
            }
        }
    }
    Ok(outcome.ended())
}

async fn one(inject: &str, dice: &mut Dice) -> Result<&'static str> {
    let scratch = child::scratch()?;
    let mut owed = Owed::default();
    let mut node = Daemon::start_with(Options::local("Node")).await?;
    for _ in 0..BEFORE {
        upload(&node, dice, &mut owed).await?;
    }
    node.stop().await?;
    node.run_under(under(&scratch.path().join("strace"), inject));
    let end = match node.restart().await {
        Err(_) => "refused to start, with a reason",
        Ok(()) => used(&node, dice, &mut owed).await?,
    };
    node.kill().await?;
    node.run_under(Vec::new());
    start_again(&mut node).await?;
    held(&node, &owed).await?;
    upload(&node, dice, &mut owed).await.context("it does not go on after the disk was repaired")?;
    panics_in(&node.log()?)?;
    Ok(end)
}

/// Uploads for a while; how the daemon took it.
async fn used(node: &Daemon, dice: &mut Dice, owed: &mut Owed) -> Result<&'static str> {
    let mut refused = false;
    let ended = tokio::time::timeout(USED_FOR, async {
        loop {
            match upload(node, dice, owed).await {
                Ok(()) => {}
                Err(error) if error.is::<Problem>() || error.to_string().contains("was ") => refused = true,
                Err(error) => return error,
            }
        }
    });
    match ended.await {
        Ok(error) => Err(error.context("the daemon is gone")),
        Err(_) if refused => Ok("uploads refused in words"),
        Err(_) => Ok("not noticed, nothing missing"),
    }
}

async fn upload(node: &Daemon, dice: &mut Dice, owed: &mut Owed) -> Result<()> {
    let number = dice.below(PHOTOS) as u32;
    let bytes = photo(number)?;
    let id = scene::upload(node.api(), &format!("{CANARY}-{number}.jpg"), bytes.clone()).await?;
    owed.photos.insert(id, blake3::hash(&bytes));
    Ok(())
}

fn under(log: &Path, inject: &str) -> Vec<OsString> {
    let call = inject.split(':').next().unwrap_or_default();
    strace::around(log, call, false, Some(inject))
}
