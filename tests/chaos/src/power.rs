//! Power cuts: what a program did to the disk is recorded once, and played up to every operation with what was not synced lost in every way.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Result, bail, ensure};

use crate::{
    check::{self, Found},
    child::{self, End, Part, Trace},
    dice::Dice,
    disk::{Disk, Loss},
    outcome::{Outcome, Plan},
    panics,
    place::{Place, kind_of},
    promises::Promises,
    recording::{self, Operation, Recording},
    story, strace,
};

/// Vaults that are opened at the same time.
pub const LANES: usize = 2;

/// A recording in which what is said is promises, line by line.
pub struct Recorded {
    /// What was recorded, in words.
    pub name: &'static str,
    /// What it did.
    pub recording: Recording,
}

/// Records the story.
///
/// # Errors
/// When it fails, or when the recording does not lead to what is on the disk.
pub fn record_story(program: &Path, plan: Plan) -> Result<Recorded> {
    let scratch = child::scratch()?;
    let place = Place::at(scratch.path().join("place"));
    let part = Part::Story { seed: plan.seed, rounds: plan.pick(3, 2) };
    let done = child::run(program, &place, part, Trace { calls: strace::CALLS, bytes: true, inject: None })?;
    ensure!(done.end == End::Exit(0), "the story ended with {:?}: {}", done.end, done.complaint());
    let recording = recording::read(&done.calls()?, place.folder())?;
    as_on_the_disk(&recording, place.folder())?;
    Ok(Recorded { name: "story", recording })
}

/// Where the story is killed before a recovery that is recorded: while blobs are written, the journal synced, a name given, a file removed.
const KILLS: [&str; 4] = [
    "pwrite64:signal=KILL:when=20",
    "fdatasync:signal=KILL:when=9",
    "rename:signal=KILL:when=12",
    "unlink:signal=KILL:when=6",
];
/// A call of another thread that was under way when the story was killed may have been done or not, which the record does not say.
const TRIES: usize = 5;

/// Records a story that is killed and started again, several times over.
///
/// # Errors
/// As for [`record_story`].
pub fn record_recoveries(program: &Path, plan: Plan) -> Result<Recorded> {
    let mut last = Ok(());
    for _ in 0..TRIES {
        let scratch = child::scratch()?;
        let place = Place::at(scratch.path().join("place"));
        let mut calls = Vec::new();
        for inject in KILLS {
            let trace = Trace { calls: strace::CALLS, bytes: true, inject: Some(inject) };
            let done = child::run(program, &place, Part::Story { seed: plan.seed, rounds: 1 }, trace)?;
            ensure!(
                done.end == End::Killed,
                "the story was to be killed and ended with {:?}: {}",
                done.end,
                done.complaint()
            );
            strace::chain(&mut calls, done.calls()?);
            let done = child::run(program, &place, Part::Recovery, Trace { inject: None, ..trace })?;
            ensure!(done.end == End::Exit(0), "the recovery ended with {:?}: {}", done.end, done.complaint());
            strace::chain(&mut calls, done.calls()?);
        }
        let recording = recording::read(&calls, place.folder())?;
        last = as_on_the_disk(&recording, place.folder());
        if last.is_ok() {
            return Ok(Recorded { name: "recoveries", recording });
        }
    }
    last?;
    bail!("no recovery was recorded")
}

impl Recorded {
    /// The same program on a disk that says that it has synced and has not: a campaign that finds nothing wrong with that is blind.
    #[must_use]
    pub fn without_syncs(mut self) -> Self {
        for operation in &mut self.recording.operations {
            if matches!(operation, Operation::SyncFile { .. } | Operation::SyncFolder { .. }) {
                *operation = Operation::Said(Vec::new());
            }
        }
        self
    }
}

/// Holds the end of a recording against the folder that was recorded: a change that it misses would make every state after it wrong.
///
/// # Errors
/// When they differ.
pub fn as_on_the_disk(recording: &Recording, folder: &Path) -> Result<()> {
    let mut disk = Disk::new(recording);
    disk.play_to(recording.operations.len());
    let state = disk.after(Loss::Killed, &mut Dice::of(0, "nothing"));
    let played = state.files();
    let mut there = BTreeMap::new();
    for path in inframe_tests::scan::files(folder)? {
        let below = path.strip_prefix(folder)?.to_path_buf();
        // What whoever runs the program keeps beside it, such as its log, is not the program's.
        if kind_of(&below) != "folder" {
            there.insert(below, std::fs::read(&path)?);
        }
    }
    let names = |path: &std::path::PathBuf| path.display().to_string();
    let (left, right): (Vec<_>, Vec<_>) = (played.keys().map(names).collect(), there.keys().map(names).collect());
    ensure!(left == right, "the recording leads to other files: {left:?} instead of {right:?}");
    for (path, bytes) in &there {
        ensure!(
            played.get(path) == Some(&bytes.as_slice()),
            "the recording leads to other bytes in {}",
            path.display()
        );
    }
    Ok(())
}

/// Holds every byte that was ever written against a word that must not be on the disk in plain.
#[must_use]
pub fn canaries(recording: &Recording, canary: &str) -> usize {
    let holds = |bytes: &[u8]| bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
    let written = recording.operations.iter().filter_map(|operation| match operation {
        Operation::Write { bytes, .. } => Some(bytes),
        _ => None,
    });
    written.filter(|bytes| holds(bytes)).count()
}

/// The campaign: at least `wanted` different states over all recordings.
///
/// # Errors
/// When a state cannot be made; a promise that is broken is counted instead.
pub fn run(plan: Plan, recorded: &[Recorded], wanted: usize) -> Result<Outcome> {
    panics::watch();
    let mut outcome = Outcome::begin("power loss", plan, wanted);
    for recorded in recorded {
        let leaks = canaries(&recorded.recording, story::CANARY);
        if leaks > 0 {
            outcome.violated(format!("{leaks} writes of the {} hold plain text", recorded.name));
        }
    }
    let moments: usize = recorded.iter().map(|recorded| recorded.recording.operations.len() + 1).sum();
    let shared = Mutex::new(outcome);
    for recorded in recorded {
        // Each recording has states in proportion to its length; equal ones are tried once, so that more are drawn than are wanted.
        let share = wanted * (recorded.recording.operations.len() + 1) / moments;
        let states = Mutex::new(States { seen: HashSet::new(), wanted: share + 1 });
        thread::scope(|scope| -> Result<()> {
            let lanes: Vec<_> = (0..LANES)
                .map(|lane| {
                    let (shared, states) = (&shared, &states);
                    scope.spawn(move || one_lane(plan, recorded, lane, states, shared))
                })
                .collect();
            for lane in lanes {
                lane.join().map_err(|_| anyhow::anyhow!("a lane panicked"))??;
            }
            Ok(())
        })?;
    }
    let mut outcome = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    panics::report(&mut outcome);
    Ok(outcome.ended())
}

struct States {
    seen: HashSet<[u8; 32]>,
    wanted: usize,
}

impl States {
    /// Whether a state is new and still wanted.
    fn take(&mut self, fingerprint: [u8; 32]) -> bool {
        self.seen.len() < self.wanted && self.seen.insert(fingerprint)
    }

    fn enough(&self) -> bool {
        self.seen.len() >= self.wanted
    }
}

/// Draws that may bring nothing new before a recording counts as exhausted.
const ROUNDS: usize = 200;

fn one_lane(
    plan: Plan,
    recorded: &Recorded,
    lane: usize,
    states: &Mutex<States>,
    shared: &Mutex<Outcome>,
) -> Result<()> {
    let scratch = child::scratch()?;
    let place = Place::at(scratch.path().join("place"));
    let mut dice = Dice::of(plan.seed, &format!("power {} {lane}", recorded.name));
    let count = recorded.recording.operations.len() + 1;
    let wanted = lock(states).wanted;
    // When there are more moments than states, every so many is left out; else every moment is cut in every way, again and again.
    let step = (count * Loss::ALL.len()).div_ceil(wanted.max(1)).max(1);
    for round in 0..ROUNDS {
        let mut disk = Disk::new(&recorded.recording);
        let first = if step > 1 { dice.below(step) } else { 0 };
        for moment in (first..count).step_by(step).filter(|moment| (moment / step) % LANES == lane) {
            if lock(states).enough() || lock(shared).is_over() {
                return Ok(());
            }
            disk.play_to(moment);
            for loss in Loss::ALL {
                // These have no chance in them.
                if round > 0 && matches!(loss, Loss::Killed | Loss::AllLost) && step == 1 {
                    continue;
                }
                let state = disk.after(loss, &mut dice);
                if !lock(states).take(state.fingerprint()) {
                    continue;
                }
                state.write_to(place.folder())?;
                let promises = Promises::heard(story::lines(&String::from_utf8_lossy(disk.said())))?;
                let label = match moment.checked_sub(1).and_then(|last| recorded.recording.labels.get(last)) {
                    Some(label) => format!("moment {moment} of the {}, after: {label}", recorded.name),
                    None => format!("the beginning of the {}", recorded.name),
                };
                judge(&place, &promises, loss, &label, shared);
            }
        }
    }
    Ok(())
}

fn judge(place: &Place, promises: &Promises, loss: Loss, label: &str, shared: &Mutex<Outcome>) {
    let found = std::panic::catch_unwind(|| check::all(place, promises));
    let mut outcome = lock(shared);
    let end = match found {
        Ok(Ok(Found { rebuilt: false })) => "opened as it was left",
        Ok(Ok(Found { rebuilt: true })) => "database built again, nothing missing",
        Ok(Err(error)) => {
            outcome.violated(format!("{}; {label}: {error:#}", loss.words()));
            "violated"
        }
        Err(_) => {
            outcome.violated(format!("{}; {label}: a panic", loss.words()));
            "violated"
        }
    };
    outcome.count(loss.words(), end);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
