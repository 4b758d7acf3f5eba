//! A small disk of its own for one daemon: a file system in memory that can be filled and emptied without harm to others. Only root may mount one.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A mounted file system; unmounted when dropped.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many MiB at `folder`, which is made.
    ///
    /// # Errors
    /// When this user may not.
    pub fn mount(folder: &Path, mib: u64) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let options = format!("size={mib}m,mode=700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output()?;
        let said = String::from_utf8_lossy(&mounted.stderr);
        ensure!(mounted.status.success(), "a small file system cannot be mounted: {}", said.trim());
        Ok(Self { folder: folder.to_owned() })
    }

    /// Whether this user may mount one. Says aloud that the test is skipped if not.
    ///
    /// # Errors
    /// When no folder can be made for the try.
    pub fn is_possible(test: &str) -> Result<bool> {
        let folder = tempfile::tempdir()?;
        let tried = Self::mount(folder.path(), 1);
        if let Err(why) = &tried {
            eprintln!("skipped: {test}: {why:#}");
        }
        Ok(tried.is_ok())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a daemon that is just ending still has its files open.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

/// Fills the disk that `folder` is on with a file in it, until it takes no more than `free_bytes`; gives the file.
///
/// # Errors
/// When nothing can be written there at all.
pub fn fill(folder: &Path, free_bytes: u64) -> Result<PathBuf> {
    let path = folder.join("filler");
    let mut file = fs::File::create(&path)?;
    let piece = vec![7_u8; 64 << 10];
    let mut written = 0_u64;
    // The end of the disk is where it says so.
    while let Ok(count) = file.write(&piece) {
        written += count as u64;
    }
    file.set_len(written.checked_sub(free_bytes).context("the disk is fuller than that already")?)?;
    file.sync_all()?;
    Ok(path)
}
