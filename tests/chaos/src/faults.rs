//! A full or broken disk: each system call of the story that can fail fails once, or from then on.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, PoisonError},
};

use anyhow::Result;

use crate::{
    check,
    child::{self, End, Part, Trace},
    outcome::{Outcome, Plan},
    panics,
    place::Place,
    points::{self, Point, in_lanes},
    promises::Promises,
};

/// How the disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// No space left, this once: somebody made room.
    FullOnce,
    /// No space left from here on.
    FullForGood,
    /// An input/output error, this once.
    Broken,
}

impl Failure {
    fn words(self) -> &'static str {
        match self {
            Self::FullOnce => "disk full once",
            Self::FullForGood => "disk full from then on",
            Self::Broken => "input/output error",
        }
    }

    /// Whether a disk can fail this call in this way.
    fn fits(self, call: &str) -> bool {
        let takes_room =
            ["openat", "write", "pwrite64", "mkdir", "rename", "link", "linkat", "fsync", "fdatasync"].contains(&call);
        match self {
            Self::FullOnce => takes_room,
            // Every one is covered by the first of its name on from which none succeeds.
            Self::FullForGood => ["pwrite64", "openat"].contains(&call),
            Self::Broken => true,
        }
    }

    fn inject(self, point: &Point) -> String {
        let (error, more) = match self {
            Self::FullOnce => ("ENOSPC", ""),
            Self::FullForGood => ("ENOSPC", "+"),
            Self::Broken => ("EIO", ""),
        };
        format!("{}:error={error}:when={}{more}", point.call, point.ordinal)
    }
}

const FAILURES: [Failure; 3] = [Failure::FullOnce, Failure::FullForGood, Failure::Broken];
/// Faults in the short form.
const SAMPLED: usize = 40;

/// The campaign: every call of the story, failing in every way that fits it.
///
/// # Errors
/// When the programs cannot be run; a promise that is broken is counted instead.
pub fn run(plan: Plan, program: &Path) -> Result<Outcome> {
    panics::watch();
    let part = Part::Story { seed: plan.seed, rounds: plan.pick(2, 1) };
    let (points, _) = points::record(program, part)?;
    // To speak cannot fail: there is nobody to speak to then.
    let points = points.iter().filter(|point| point.label != "acknowledgement");
    let mut faults: Vec<(&Point, Failure)> = points
        .flat_map(|point| FAILURES.map(|failure| (point, failure)))
        .filter(|(point, failure)| failure.fits(&point.call))
        .collect();
    if !plan.full {
        let step = faults.len().div_ceil(SAMPLED).max(1);
        let last: HashMap<&str, usize> = faults.iter().map(|(point, _)| (point.call.as_str(), point.ordinal)).collect();
        let first = plan.seed as usize % step;
        let sampled = faults.iter().enumerate().filter(|(index, (point, _))| {
            // The last ones of each name come while the vault is closed, where nobody is left to tell.
            index % step == first || last.get(point.call.as_str()) == Some(&point.ordinal)
        });
        faults = sampled.map(|(_, fault)| *fault).collect();
    }
    let outcome = Mutex::new(Outcome::begin("full or broken disk", plan, faults.len()));
    in_lanes(faults.len(), |number, place| {
        let over = outcome.lock().unwrap_or_else(PoisonError::into_inner).is_over();
        let Some((point, failure)) = faults.get(number).filter(|_| !over) else { return Ok(()) };
        let (end, held) = one(program, place, part, point, *failure)?;
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = held {
            outcome.violated(format!(
                "{} at {} ({} {}): {error:#}",
                failure.words(),
                point.label,
                point.call,
                point.ordinal
            ));
        }
        outcome.count(format!("{}: {}", failure.words(), point.call), end);
        Ok(())
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    panics::report(&mut outcome);
    Ok(outcome.ended())
}

fn one(
    program: &Path,
    place: &Place,
    part: Part,
    point: &Point,
    failure: Failure,
) -> Result<(&'static str, Result<()>)> {
    let inject = failure.inject(point);
    let done = child::run(program, place, part, Trace { calls: &point.call, bytes: false, inject: Some(&inject) })?;
    let refused = done.said.iter().filter(|line| line.starts_with("refused")).count();
    let end = match (done.end, refused) {
        (End::Exit(0), 0) => "harmless",
        (End::Exit(0), _) => "refused with a reason, done at the second try",
        (End::Exit(1), _) => "refused with a reason for as long as it lasted",
        _ => "violated",
    };
    if !matches!(done.end, End::Exit(0 | 1)) {
        return Ok((end, Err(anyhow::anyhow!("the story ended with {:?}: {}", done.end, done.complaint()))));
    }
    let ours = |line: &str| line.contains("panicked at") && !line.contains("/sled-");
    if done.errors.lines().any(ours) {
        return Ok((end, Err(anyhow::anyhow!("a panic: {}", done.complaint()))));
    }
    let promises = Promises::heard(done.said.iter().map(String::as_str))?;
    Ok((end, check::all(place, &promises).map(drop)))
}
