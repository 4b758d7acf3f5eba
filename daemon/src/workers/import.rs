//! Imports of files and folders on this machine: walks them, adds each photo, lists what could not be read, and goes on.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;

use super::{Core, Job};
use crate::library::{Added, AssetId, ImportRun, LibraryError};
use crate::limits::DISK_WATCH;
use crate::sandbox::limits::MAX_FILE_BYTES;
use crate::tasks::Stage;
use crate::video::VideoFormat;

/// Extensions that are photos to us; everything else in a folder is passed over silently (a file named by itself is always kept).
const PHOTO_EXTENSIONS: [&str; 30] = [
    "jpg", "jpeg", "jpe", "png", "webp", "gif", "tif", "tiff", "bmp", "avif", "heic", "heif", "hif", "cr2", "cr3",
    "nef", "nrw", "arw", "sr2", "srf", "dng", "raf", "orf", "rw2", "raw", "rwl", "pef", "srw", "iiq", "3fr",
];
/// The same for videos; `ts` alone is far more often a program text.
const VIDEO_EXTENSIONS: [&str; 12] =
    ["mp4", "m4v", "mov", "qt", "mkv", "webm", "avi", "3gp", "mts", "m2ts", "mpg", "mpeg"];
/// Extensions of photos that a telephone takes together with a short film of the same name.
const WITH_FILM: [&str; 4] = ["heic", "heif", "jpg", "jpeg"];
/// Extensions of that film.
const FILMS: [&str; 4] = ["MOV", "mov", "MP4", "mp4"];
/// When a file is tried again for which there was no decode process: memory that ran short comes back within seconds, or not soon.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];
/// Files listed in one run; a larger tree is imported in several runs.
const MAX_FILES: usize = 1_000_000;
/// Depth of folders below the one named.
const MAX_DEPTH: usize = 32;

/// Imports a file or folder; progress is in `run`.
pub(crate) async fn import_path(core: Arc<Core>, path: PathBuf, run: ImportRun) {
    let listed = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || list(&path)).await
    };
    let (files, problems) = match listed {
        Ok(listed) => listed,
        Err(_) => (Vec::new(), vec![(path.display().to_string(), "listing the folder failed; try again".into())]),
    };
    run.found((files.len() + problems.len()) as u64);
    for (name, reason) in problems {
        run.failed(name, reason);
    }
    import_files(&core, files, &run).await;
}

/// Imports these files in parallel within the sandbox's budget; gives those that failed for a reason that may pass.
pub(crate) async fn import_files(core: &Arc<Core>, files: Vec<PathBuf>, run: &ImportRun) -> HashSet<PathBuf> {
    // Videos come when the photos are in: one may be the moving part of a photo, which has it by then.
    let (videos, photos) = files.into_iter().partition(|file| has_extension(file, &VIDEO_EXTENSIONS));
    let mut again = import_in_parallel(core, photos, run).await;
    again.extend(import_in_parallel(core, videos, run).await);
    again
}

async fn import_in_parallel(core: &Arc<Core>, files: Vec<PathBuf>, run: &ImportRun) -> HashSet<PathBuf> {
    let again: Vec<Option<PathBuf>> = futures::stream::iter(files)
        .map(|file| async move {
            core.background.running().await;
            match import_when_there_is_room(core, &file, run).await {
                Ok(Added::New(_)) => run.imported(),
                Ok(Added::File(_, why)) => run.kept(crate::library::shown_name(&file.to_string_lossy()), why.reason),
                Ok(Added::Duplicate(_)) => run.duplicate(),
                Ok(Added::Restored(id)) => {
                    super::trash::restored_one(core, id).await;
                    run.restored();
                }
                Err(failure) => {
                    let passing = !matches!(failure, Failure::File(_));
                    run.failed(crate::library::shown_name(&file.to_string_lossy()), failure.to_string());
                    return passing.then_some(file);
                }
            }
            None
        })
        .buffer_unordered(core.sandbox.processes() + 1)
        .collect()
        .await;
    core.board.ring(Job::Faces);
    again.into_iter().flatten().collect()
}

/// Imports a file once the disk has room for it: the run says so, and goes on by itself.
async fn import_when_there_is_room(core: &Core, file: &Path, run: &ImportRun) -> Result<Added, Failure> {
    let stop = core.tasks.stop_token(Stage::Work);
    let ending = || Failure::Daemon(LibraryError::Ending);
    loop {
        let size_bytes = tokio::fs::metadata(file).await.map_or(0, |meta| meta.len());
        let room = core.disk.room(size_bytes, |why| run.waits(Some(waits(&why))));
        stop.run_until_cancelled(room).await.ok_or_else(ending)?;
        run.waits(None);
        match import_patiently(core, file).await {
            // Others took the space meanwhile, or a quota ends before the disk does.
            Err(Failure::Daemon(error)) if error.is_full() => {
                run.waits(Some(waits(&error)));
                stop.run_until_cancelled(tokio::time::sleep(DISK_WATCH)).await.ok_or_else(ending)?;
            }
            imported => return imported,
        }
    }
}

fn waits(why: &dyn std::error::Error) -> String {
    format!("{why}; it goes on by itself when there is space")
}

/// Why a file was not imported.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The file's own fault: trying again does not help until it changes.
    #[error("{0}")]
    File(LibraryError),
    /// It cannot be read just now.
    #[error("cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// The daemon could not do it just now.
    #[error("{0}")]
    Daemon(LibraryError),
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::Unreadable(_) | LibraryError::TooLarge { .. } => Self::File(error),
            other => Self::Daemon(other),
        }
    }
}

/// Tries again what failed only for want of a decode process: a run that the owner started has no next round.
async fn import_patiently(core: &Core, file: &Path) -> Result<Added, Failure> {
    let mut outcome = import_file(core, file).await;
    for pause in AGAIN_AFTER {
        if !matches!(outcome, Err(Failure::Daemon(LibraryError::Sandbox(_)))) || core.sandbox.is_closed() {
            break;
        }
        tokio::time::sleep(pause).await;
        outcome = import_file(core, file).await;
    }
    outcome
}

async fn import_file(core: &Core, file: &Path) -> Result<Added, Failure> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let size = tokio::fs::metadata(file).await?.len();
    let path = file.to_path_buf();
    let opened = tokio::task::spawn_blocking(move || open_video(&path)).await.map_err(std::io::Error::other)??;
    if let Some((format, bytes)) = opened {
        let added = core.library.import_video(&name, format, bytes).await?;
        core.board.ring(Job::Videos);
        return Ok(added);
    }
    if size > MAX_FILE_BYTES as u64 {
        let path = file.to_path_buf();
        let opened = tokio::task::spawn_blocking(move || std::fs::File::open(path)).await;
        return Ok(core.library.import_large(&name, opened.map_err(std::io::Error::other)??).await?);
    }
    let bytes = Bytes::from(tokio::fs::read(file).await?);
    let added = core.library.import(&name, bytes.clone()).await?;
    if let Added::New(id) = added {
        add_film(core, file, id, &bytes).await;
    }
    Ok(added)
}

/// Adds the film beside a photo, if one was taken with it. The photo is safe without; what keeps the film from it is only logged.
async fn add_film(core: &Core, photo: &Path, id: AssetId, bytes: &Bytes) {
    if !has_extension(photo, &WITH_FILM) {
        return;
    }
    for beside in FILMS.map(|extension| photo.with_extension(extension)) {
        let Ok(found) = tokio::fs::metadata(&beside).await else { continue };
        if !found.is_file() || found.len() + bytes.len() as u64 > MAX_FILE_BYTES as u64 {
            continue;
        }
        let Ok(film) = tokio::fs::read(&beside).await else { continue };
        let kind = match core.sandbox.pair(bytes, &film).await {
            Ok(Some(kind)) => kind,
            Ok(None) => continue,
            Err(error) => {
                tracing::info!("a film beside a photo could not be looked at: {error}");
                continue;
            }
        };
        let library = core.library.clone();
        let kept = super::blocking(move || library.add_motion(id, kind.media_type(), &film)).await;
        if !matches!(kept, Ok(Ok(()))) {
            tracing::warn!("the film of a photo could not be kept; import the photo again");
        }
        return;
    }
}

/// The file, if its first bytes are those of a video; it is read from its beginning.
fn open_video(path: &Path) -> std::io::Result<Option<(VideoFormat, std::fs::File)>> {
    use std::io::{Read as _, Seek as _};
    let mut file = std::fs::File::open(path)?;
    let mut head = Vec::new();
    (&mut file).take(VideoFormat::SNIFFED_BYTES as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(VideoFormat::sniff(&head).map(|format| (format, file)))
}

/// Whether a file name looks like a photo or a video.
#[must_use]
pub(crate) fn looks_like_photo(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && (has_extension(path, &PHOTO_EXTENSIONS) || has_extension(path, &VIDEO_EXTENSIONS))
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|own| extensions.iter().any(|extension| own.eq_ignore_ascii_case(extension)))
}

/// Files below `root` in a stable order, and what could not be listed. Links are not followed.
pub(crate) fn list(root: &Path) -> (Vec<PathBuf>, Vec<(String, String)>) {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    match std::fs::metadata(root) {
        Ok(meta) if meta.is_file() => return (vec![root.to_path_buf()], problems),
        Ok(_) => {}
        Err(error) => return (files, vec![(root.display().to_string(), format!("cannot be read: {error}"))]),
    }
    let mut folders = vec![(root.to_path_buf(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                problems.push((folder.display().to_string(), format!("cannot be listed: {error}")));
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_dir() && depth < MAX_DEPTH && !hidden {
                folders.push((path, depth + 1));
            } else if kind.is_file() && looks_like_photo(&path) && files.len() < MAX_FILES {
                files.push(path);
            }
        }
    }
    files.sort();
    (files, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_in_order_and_only_photos_and_videos_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b.JPG",
            "a.png",
            "b.mov",
            "notes.txt",
            ".hidden.jpg",
            "sub/c.webp",
            "sub/e.HEIC",
            "sub/f.cr3",
            ".git/d.jpg",
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        let (files, problems) = list(dir.path());
        let names: Vec<_> =
            files.iter().map(|f| f.strip_prefix(dir.path()).unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["a.png", "b.JPG", "b.mov", "sub/c.webp", "sub/e.HEIC", "sub/f.cr3"]);
        assert!(problems.is_empty());
    }

    #[test]
    fn a_file_named_by_itself_is_tried_whatever_its_name_and_a_missing_one_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("photo");
        std::fs::write(&odd, b"x").unwrap();
        assert_eq!(list(&odd).0, [odd]);
        assert_eq!(list(&dir.path().join("none")).1.len(), 1);
    }
}
