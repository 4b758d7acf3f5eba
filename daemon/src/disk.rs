//! The space on the disk of the data folder: some of it is kept free, so that what is here can always be changed and deleted.
//!
//! Whoever is about to write something of any size asks first, with [`Disk::room_for`] or, if it can wait, with [`Disk::room`]. What is small
//! (a row of the catalog, a thumbnail of what is here already) does not ask: that is what the reserve is for.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::FallocateFlags;

use crate::limits::{DISK_BALLAST_BYTES, DISK_RESERVE_BYTES, DISK_RESERVE_PART, DISK_ROOM_CHECK};

/// Why something is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the disk is almost full: {} free, {} needed; delete something on it or empty the trash",
    size(*.free_bytes), size(*.needed_bytes)
)]
pub struct NoRoom {
    /// What is free, in bytes.
    pub free_bytes: u64,
    /// What has to be free for it, the reserve included, in bytes.
    pub needed_bytes: u64,
}

/// In words for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        1_000_000_000..1_000_000_000_000 => format!("{:.1} GB", bytes as f64 / 1e9),
        _ => format!("{:.1} TB", bytes as f64 / 1e12),
    }
}

/// What a disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Free for this program, in bytes.
    pub free_bytes: u64,
    /// Kept free, in bytes.
    pub reserve_bytes: u64,
}

/// The disk of the data folder; cheap to clone.
#[derive(Clone, Debug)]
pub struct Disk {
    folder: Arc<PathBuf>,
    /// What the owner wants to be kept free, in bytes.
    keep_free: Option<u64>,
    /// How many wait in [`Disk::room`].
    waiting: Arc<AtomicUsize>,
}

impl Disk {
    /// The disk that `folder` is on. The owner may say how many bytes are kept free.
    #[must_use]
    pub fn of(folder: &Path, keep_free: Option<u64>) -> Self {
        Self { folder: Arc::new(folder.to_owned()), keep_free, waiting: Arc::default() }
    }

    /// What it has now; a system call of some microseconds. `None` when the system does not say: then nothing is held back.
    #[must_use]
    pub fn space(&self) -> Option<Space> {
        let found = rustix::fs::statvfs(self.folder.as_path()).ok()?;
        let (free, total) = (found.f_bavail.checked_mul(found.f_frsize)?, found.f_blocks.checked_mul(found.f_frsize)?);
        Some(Space { free_bytes: free, reserve_bytes: self.keep_free.unwrap_or_else(|| reserve(total)) })
    }

    /// Whether so many bytes may be written.
    ///
    /// # Errors
    /// [`NoRoom`] when less than the reserve would be left.
    pub fn room_for(&self, bytes: u64) -> Result<(), NoRoom> {
        let Some(Space { free_bytes, reserve_bytes }) = self.space() else { return Ok(()) };
        let needed_bytes = reserve_bytes.saturating_add(bytes);
        if free_bytes >= needed_bytes { Ok(()) } else { Err(NoRoom { free_bytes, needed_bytes }) }
    }

    /// Comes back once so many bytes may be written: at once, or when space has returned. `say` is told each time that it has to wait.
    pub async fn room(&self, bytes: u64, say: impl Fn(NoRoom)) {
        let mut waiting = None;
        while let Err(why) = self.room_for(bytes) {
            say(why);
            waiting.get_or_insert_with(|| Waiting::begin(&self.waiting));
            tokio::time::sleep(DISK_ROOM_CHECK).await;
        }
    }

    /// Whether the reserve is touched, or something waits for space.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0 || self.room_for(0).is_err()
    }
}

/// The file that only takes up space.
impl Disk {
    /// Makes it, if it is not there and there is room for it; blocking.
    ///
    /// # Errors
    /// What the file system says; without it a full disk is only harder to clear up.
    pub fn keep_ballast(&self) -> io::Result<()> {
        let path = self.ballast();
        if self.room_for(DISK_BALLAST_BYTES).is_err() || path.exists() {
            return Ok(());
        }
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        let made = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, DISK_BALLAST_BYTES);
        if made.is_err() {
            fs::remove_file(&path)?;
        }
        Ok(made?)
    }

    /// Gives its space to whoever cannot do without: to delete something on a disk without a free byte. Whether it was there; blocking.
    #[must_use]
    pub fn give_ballast(&self) -> bool {
        fs::remove_file(self.ballast()).is_ok()
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

/// Counts as one that waits until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn reserve(total_bytes: u64) -> u64 {
    DISK_RESERVE_BYTES.min(total_bytes / DISK_RESERVE_PART)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_small_disk_keeps_a_part_free_and_a_large_one_no_more_than_the_bound() {
        assert_eq!(reserve(8_000_000_000), 400_000_000);
        assert_eq!(reserve(18_000_000_000_000), DISK_RESERVE_BYTES);
    }

    #[test]
    fn what_fits_above_the_reserve_may_be_written_and_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let space = Disk::of(folder.path(), None).space().unwrap();
        assert!(space.free_bytes > 0 && space.reserve_bytes <= DISK_RESERVE_BYTES);
        // Others write to this disk as well: the bounds leave room for that.
        let disk = Disk::of(folder.path(), Some(space.free_bytes / 2));
        assert_eq!(disk.room_for(space.free_bytes / 4), Ok(()));
        let refused = disk.room_for(space.free_bytes).unwrap_err();
        assert_eq!(refused.needed_bytes, space.free_bytes / 2 + space.free_bytes);
        assert!(!disk.is_low() && Disk::of(folder.path(), Some(u64::MAX)).is_low());
    }

    #[test]
    fn the_ballast_takes_its_space_and_gives_it_once() {
        use std::os::unix::fs::MetadataExt as _;
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::of(folder.path(), Some(0));
        assert!(!disk.give_ballast());
        disk.keep_ballast().unwrap();
        disk.keep_ballast().unwrap();
        let held = std::fs::metadata(folder.path().join("ballast")).unwrap();
        assert!(held.blocks() * 512 >= DISK_BALLAST_BYTES, "it only pretends to take space");
        assert!(disk.give_ballast() && !disk.give_ballast());
        // Where there is no room, it is not made at the cost of others.
        Disk::of(folder.path(), Some(u64::MAX)).keep_ballast().unwrap();
        assert!(!disk.give_ballast());
    }

    #[test]
    fn the_words_say_how_much_is_free_and_how_much_is_needed() {
        let words = NoRoom { free_bytes: 300_400_000, needed_bytes: 1_340_000_000 }.to_string();
        assert!(words.starts_with("the disk is almost full: 300 MB free, 1.3 GB needed; "), "{words}");
    }

    #[tokio::test]
    async fn whoever_waits_says_so_and_counts_as_waiting_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let full = Disk::of(folder.path(), Some(u64::MAX));
        let told = Cell::new(0);
        let mut waits = Box::pin(full.room(1, |_| told.set(told.get() + 1)));
        assert_eq!((&mut waits).now_or_never(), None);
        assert_eq!((told.get(), full.waiting.load(Ordering::Relaxed)), (1, 1));
        drop(waits);
        assert_eq!(full.waiting.load(Ordering::Relaxed), 0);
        let roomy = Disk::of(folder.path(), Some(0));
        assert_eq!(roomy.room(1, |why| panic!("there is room: {why}")).now_or_never(), Some(()));
    }
}
