//! The disk of the data folder: whether it can be written, and how much is free.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, StatVfsMountFlags};

use super::{Check, Topic};
use crate::disk::{Disk, Space, size};

/// Written for a moment to see whether that is possible.
const TRIAL: &str = ".doctor-trial";
/// One block of most file systems.
const TRIAL_BYTES: usize = 4096;

/// Looks at the disk that `folder` is on, or would be on; writes a small file for a moment where the folder exists; blocking.
#[must_use]
pub fn check(folder: &Path, keep_free: Option<u64>) -> Check {
    let topic = Topic::Disk;
    let Some(there) = existing(folder) else {
        let found = format!("There is no folder above {}.", folder.display());
        return Check::failed(topic, found, "Name a folder that can be made with --data-dir.");
    };
    let is_new = there != folder;
    let shown = folder.display();
    if is_read_only(&there) {
        let found = format!("The disk of {shown} is mounted read-only: nothing can be saved.");
        let advice = "Systems do that when a disk fails: look into the system's log, copy what matters elsewhere, then mount it for writing.";
        return Check::failed(topic, found, advice);
    }
    let tried = if is_new { may_write(&there) } else { try_writing(folder) };
    if let Err(error) = tried {
        let (found, advice) = match error.kind() {
            io::ErrorKind::PermissionDenied => (
                format!("This user may not write in {}.", there.display()),
                "Give the folder to the user that runs the daemon, or name another one with --data-dir.",
            ),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
                format!("The disk of {shown} is full to its last byte, or this user's share of it."),
                "Delete something on it, empty the trash, or move the data folder to a larger disk.",
            ),
            _ => (
                format!("Nothing can be written in {}: {error}.", there.display()),
                "Look into the system's log: the disk may be failing; copy what matters elsewhere first.",
            ),
        };
        return Check::failed(topic, found, advice);
    }
    room(&Disk::of(&there, keep_free), &shown.to_string(), is_new)
}

fn room(disk: &Disk, folder: &str, is_new: bool) -> Check {
    let topic = Topic::Disk;
    let Some(Space { free_bytes, reserve_bytes }) = disk.space() else {
        let found = format!("The data folder {folder} can be written, but the system does not say how much is free.");
        return Check::warning(topic, found, "Look at the output of `df` yourself.");
    };
    let (free, reserve) = (size(free_bytes), size(reserve_bytes));
    let figures = format!("{free} free, of which {reserve} are kept free");
    let advice = "Delete something on the disk, empty the trash, or move the data folder to a larger disk.";
    if free_bytes < reserve_bytes {
        let found = format!(
            "The disk of {folder} is almost full: {free} free, and {reserve} are to be kept free. Imports and receiving wait."
        );
        return Check::failed(topic, found, advice);
    }
    if free_bytes < reserve_bytes.saturating_mul(2) {
        return Check::warning(topic, format!("The disk of {folder} is filling up: {figures}."), advice);
    }
    match is_new {
        true => Check::good(topic, format!("The data folder {folder} can be made: {figures}.")),
        false => Check::good(topic, format!("The data folder {folder} can be written: {figures}.")),
    }
}

/// The folder, or the nearest one above it that exists.
fn existing(folder: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(folder).ok()?;
    let found = whole.ancestors().find(|path| path.is_dir())?;
    // As it was given, where it is the same: whether it exists is told by comparing.
    Some(if found == whole { folder.to_owned() } else { found.to_owned() })
}

fn is_read_only(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn may_write(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

fn try_writing(folder: &Path) -> io::Result<()> {
    let path = folder.join(TRIAL);
    let written = (|| {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(&[0; TRIAL_BYTES])?;
        file.sync_all()
    })();
    let removed = match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    written.and(removed)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_folder_that_can_be_written_is_good_and_the_trial_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let checked = check(folder.path(), Some(0));
        assert_eq!(checked.state, State::Good, "{checked:?}");
        assert!(
            checked.found.contains("can be written") && checked.found.contains(" free, of which 0 kB"),
            "{checked:?}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let new = check(&folder.path().join("deep/data"), Some(0));
        assert!(new.state == State::Good && new.found.contains("can be made"), "{new:?}");
        assert!(!folder.path().join("deep").exists());
    }

    #[test]
    fn below_what_is_kept_free_it_fails_and_near_it_warns_with_the_figures() {
        let folder = tempfile::tempdir().unwrap();
        let free = Disk::of(folder.path(), None).space().unwrap().free_bytes;
        let low = check(folder.path(), Some(u64::MAX));
        assert!(low.state == State::Failed && low.found.contains("almost full"), "{low:?}");
        let near = check(folder.path(), Some(free / 3 * 2));
        assert!(near.state == State::Warning && near.found.contains("filling up"), "{near:?}");
        assert!(near.advice.unwrap().contains("trash"));
    }

    #[test]
    fn where_nothing_can_be_written_the_reason_decides_what_to_do() {
        // A file in the place of the trial: even the owner of everything cannot write a folder.
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(TRIAL)).unwrap();
        let checked = check(folder.path(), Some(0));
        assert!(checked.state == State::Failed && checked.found.contains("Nothing can be written"), "{checked:?}");
        if Path::new("/proc/sys").is_dir() && rustix::process::geteuid().is_root() {
            return;
        }
        let checked = check(Path::new("/inframe-that-nobody-may-make"), None);
        assert!(checked.state == State::Failed && checked.found.contains("may not write"), "{checked:?}");
    }
}
