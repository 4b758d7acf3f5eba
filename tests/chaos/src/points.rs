//! Kills at named points: each system call of the story that writes, syncs, renames, removes or speaks, one after the other; then one more kill in the
//! recovery that follows.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    check,
    child::{self, Done, End, Part, Trace},
    outcome::{Outcome, Plan},
    panics,
    place::{Place, kind_of},
    power::LANES,
    promises::Promises,
    strace,
};

/// One system call of a program: the so-and-so-many-th of its name on the program's first thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub call: String,
    /// Which one, from 1.
    pub ordinal: usize,
    /// What it does to what, in words.
    pub label: String,
}

/// Calls that change something or tell somebody.
const TELLING: [&str; 13] = [
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
];

/// The points of a run, in order.
///
/// # Errors
/// When its log cannot be read.
pub fn of(done: &Done, place: &Place) -> Result<Vec<Point>> {
    let calls = done.calls()?;
    let first = calls.first().context("the program did nothing")?.thread;
    let (mut counts, mut points) = (HashMap::<&str, usize>::new(), Vec::new());
    for call in calls.iter().filter(|call| call.thread == first) {
        let count = counts.entry(call.name.as_str()).or_default();
        *count += 1;
        let ordinal = *count;
        if !TELLING.contains(&call.name.as_str()) || (call.name == "openat" && !call.has_flag(2, "O_CREAT")) {
            continue;
        }
        // The last path tells what it is about: of a rename, where it leads.
        let path = (0..call.arguments.len())
            .rev()
            .find_map(|index| call.path(index).or(call.descriptor(index).map(Path::to_path_buf)));
        let path = path.filter(|path| path.starts_with(place.folder()));
        let label = match (path, call.name.as_str()) {
            (Some(path), name) => format!("{name} {}", kind_of(path.strip_prefix(place.folder())?)),
            (None, "write") => "acknowledgement".to_owned(),
            (None, _) => continue,
        };
        points.push(Point { call: call.name.clone(), ordinal, label });
    }
    Ok(points)
}

/// Where the story and the recovery can be killed.
///
/// # Errors
/// When one of them fails undisturbed.
pub fn record(program: &Path, part: Part) -> Result<(Vec<Point>, Vec<Point>)> {
    let scratch = child::scratch()?;
    let trace = Trace { calls: strace::CALLS, bytes: false, inject: None };
    let place = Place::at(scratch.path().join("whole"));
    let done = child::run(program, &place, part, trace)?;
    ensure!(done.end == End::Exit(0), "the story ended with {:?}: {}", done.end, done.complaint());
    let points = of(&done, &place)?;
    // A recovery with something to recover: cut off at the last change of the journal.
    let last =
        points.iter().rev().find(|point| point.label.ends_with("journal")).context("the journal was never written")?;
    let place = Place::at(scratch.path().join("killed"));
    let inject = kill_at(last);
    let done = child::run(program, &place, part, Trace { calls: &last.call, bytes: false, inject: Some(&inject) })?;
    ensure!(done.end == End::Killed, "the story was to be killed and ended with {:?}", done.end);
    let done = child::run(program, &place, Part::Recovery, trace)?;
    ensure!(done.end == End::Exit(0), "the recovery ended with {:?}: {}", done.end, done.complaint());
    Ok((points, of(&done, &place)?))
}

fn kill_at(point: &Point) -> String {
    format!("{}:signal=KILL:when={}", point.call, point.ordinal)
}

/// Does `each` for the numbers below `count`, in some lanes at once, with a folder for each lane.
///
/// # Errors
/// The first error of any.
pub fn in_lanes(count: usize, each: impl Fn(usize, &Place) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let lane = || -> Result<()> {
            let scratch = child::scratch()?;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let place = Place::at(scratch.path().join(number.to_string()));
                each(number, &place)?;
                std::fs::remove_dir_all(scratch.path())?;
                std::fs::create_dir(scratch.path())?;
            }
        };
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().try_for_each(|lane| lane.join().map_err(|_| anyhow::anyhow!("a lane panicked"))?)
    })
}

/// The campaign: every point so many times.
///
/// # Errors
/// When the programs cannot be run; a promise that is broken is counted instead.
pub fn run(plan: Plan, program: &Path) -> Result<Outcome> {
    panics::watch();
    let rounds = plan.pick(2, 1);
    let (points, recoveries) = record(program, Part::Story { seed: plan.seed, rounds })?;
    ensure!(!recoveries.is_empty(), "a recovery that does nothing cannot be killed");
    let times = plan.pick(20, 1);
    let outcome = Mutex::new(Outcome::begin("kill at every point", plan, points.len() * times));
    in_lanes(points.len() * times, |number, place| {
        if outcome.lock().unwrap_or_else(PoisonError::into_inner).is_over() {
            return Ok(());
        }
        // Every kill of the story meets another one of the recovery.
        let (time, index) = (number / points.len(), number % points.len());
        let (Some(point), Some(recovery)) = (points.get(index), recoveries.get((index + time * 7) % recoveries.len()))
        else {
            return Ok(());
        };
        let part = Part::Story { seed: plan.seed + time as u64, rounds };
        let verdict = one(program, place, part, point, recovery)?;
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = &verdict.held {
            outcome.violated(format!("killed at {} ({} {}): {error:#}", point.label, point.call, point.ordinal));
        }
        outcome.count(
            &point.label,
            if verdict.killed_again { "killed again in the recovery" } else { "recovered at once" },
        );
        Ok(())
    })?;
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.ends.insert("different points of the recovery".to_owned(), recoveries.len() as u64);
    panics::report(&mut outcome);
    Ok(outcome.ended())
}

struct Verdict {
    killed_again: bool,
    held: Result<()>,
}

fn one(program: &Path, place: &Place, part: Part, point: &Point, recovery: &Point) -> Result<Verdict> {
    let inject = kill_at(point);
    let done = child::run(program, place, part, Trace { calls: &point.call, bytes: false, inject: Some(&inject) })?;
    if !matches!(done.end, End::Killed | End::Exit(0)) {
        let held = Err(anyhow::anyhow!("the story ended with {:?}: {}", done.end, done.complaint()));
        return Ok(Verdict { killed_again: false, held });
    }
    let inject = kill_at(recovery);
    let trace = Trace { calls: &recovery.call, bytes: false, inject: Some(&inject) };
    let recovered = child::run(program, place, Part::Recovery, trace)?;
    if !matches!(recovered.end, End::Killed | End::Exit(0)) {
        let held = Err(anyhow::anyhow!("the recovery ended with {:?}: {}", recovered.end, recovered.complaint()));
        return Ok(Verdict { killed_again: false, held });
    }
    let promises = Promises::heard(done.said.iter().map(String::as_str))?;
    let held = check::all(place, &promises).map(drop);
    Ok(Verdict { killed_again: recovered.end == End::Killed, held })
}
