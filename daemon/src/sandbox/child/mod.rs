//! What runs in a child process: take what it needs from files, confine itself, then read jobs from standard input and answer on standard output
//! until that closes.

mod blur;
mod capture;
mod decode;
mod faces;
mod formats;
mod inspect;
pub mod probe;
mod still;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use super::message::{Answer, Hello, Job, Taken, Told, VERSION};
use super::model::PACK_ARGUMENT;
use super::refusal::Refusal;
use super::{confinement, frame};

/// Makes the bytes that may leave, which say what they are told and nothing else. It is handed in, because the egress filter belongs to a module that stands above this one.
pub type RenditionFilter = fn(&[u8], &Told) -> Result<Vec<u8>, Refusal>;

/// The whole life of a child. `arguments` are those after the one that makes it a child.
#[must_use]
pub fn main(filter: RenditionFilter, mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    panic::set_hook(Box::new(|panic| {
        // The place only: the message may quote the file (promise D3).
        let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
        *PANICKED_AT.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
    let (stdin, stdout) = (io::stdin().as_fd().try_clone_to_owned(), io::stdout().as_fd().try_clone_to_owned());
    let (Ok(stdin), Ok(stdout)) = (stdin, stdout) else { return ExitCode::FAILURE };
    // Plain files: the standard streams would buffer and look for line ends in megabytes of pixels.
    let (mut stdin, mut stdout) = (File::from(stdin), File::from(stdout));
    let argument = arguments.next().unwrap_or_default();
    let mut engine = match argument == PACK_ARGUMENT {
        true => faces::LazyEngine::of_pack(arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default()),
        false => faces::LazyEngine::default(),
    };
    // From here on no file can be opened: whatever is read from one belongs above this line.
    let report = confinement::worker();
    if argument == PROBE_ARGUMENT {
        return probe::attempt(&arguments.next().unwrap_or_default().to_string_lossy());
    }
    if frame::write(&mut stdout, &Hello { version: VERSION, report }, &[]).is_err() {
        return ExitCode::FAILURE;
    }
    loop {
        let (job, file) = match frame::read::<Job>(&mut stdin) {
            Ok(Some(request)) => request,
            Ok(None) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        };
        if frame::write(&mut stdout, &Taken, &[]).is_err() {
            return ExitCode::FAILURE;
        }
        let done = panic::catch_unwind(AssertUnwindSafe(|| perform(&job, &file, filter, &mut engine)));
        let panicked = done.is_err();
        let (answer, parts) = done.unwrap_or_else(|_| {
            let place = PANICKED_AT.lock().unwrap_or_else(PoisonError::into_inner).take();
            (Answer::Failed(format!("panicked at {}", place.unwrap_or_default())), Vec::new())
        });
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        if frame::write(&mut stdout, &answer, &parts).is_err() || panicked {
            return ExitCode::FAILURE;
        }
    }
}

/// The argument with which a child tries one forbidden thing and ends; see [`probe`].
pub const PROBE_ARGUMENT: &str = "probe";

static PANICKED_AT: Mutex<Option<String>> = Mutex::new(None);

/// An answer and the raw bytes that go with it.
type Outcome = (Answer, Vec<Vec<u8>>);

fn perform(job: &Job, file: &[u8], filter: RenditionFilter, engine: &mut faces::LazyEngine) -> Outcome {
    let outcome = match job {
        Job::Inspect => inspect::inspect(file),
        Job::Faces => engine.faces(file),
        Job::Enrol => engine.enrol(file),
        Job::Frame => engine.frame(file),
        Job::Crop { rect, margin, long_side_px } => {
            decode::crop(file, *rect, *margin, *long_side_px).map(|jpeg| (Answer::Image, vec![jpeg]))
        }
        Job::TryModel => engine.try_out(),
        Job::Pair { photo_bytes } => {
            let at = usize::try_from(*photo_bytes).unwrap_or(usize::MAX).min(file.len());
            let (photo, film) = file.split_at(at);
            Ok((Answer::Pair(super::container::motion::belongs(photo, film)), Vec::new()))
        }
        Job::Blurred { faces, kept, details } => {
            let told = capture::told(file, *details);
            let made = decode::blurred(file, faces, kept).and_then(|jpeg| filter(&jpeg, &told));
            made.map(|clean| (Answer::Image, vec![clean]))
        }
        Job::Rendition { details } => {
            let told = capture::told(file, *details);
            let made = decode::filterable(file).and_then(|file| filter(&file, &told));
            made.map(|clean| (Answer::Image, vec![clean]))
        }
    };
    outcome.unwrap_or_else(|refusal| (Answer::Refused(refusal), Vec::new()))
}
