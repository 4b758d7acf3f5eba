//! Export: every original of the library as plain bytes in a folder of the owner's, with a JSON and an XMP sidecar each, in an open layout.
//!
//! It writes only what is not there: what is there is read and compared, so that a repeat also proves what was exported, and a cut export is taken up
//! again. Nothing is ever removed, and no file is written over but a sidecar or list of ours. Deliberately absent: faces, embeddings, keys, pictures
//! made here, what is in the trash, and what still waits for the owner's word. The layout is described in the README.

mod folder;
mod list;
mod names;
mod sidecar;

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use inframe_protocol::ContentId;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;
use zeroize::Zeroizing;

use self::folder::{Folder, Root};
use self::list::{List, Row};
use self::names::{Names, film_ending, key};
use self::sidecar::Film;
use super::{AssetId, Library, StoredAsset, StoredMotion};
use crate::disk::{Disk, NoRoom};
use crate::limits::{EXPORT_PIECE_BYTES, EXPORT_SIDECAR_ROOM_BYTES, MAX_EXPORT_NAMED};
use crate::vault::BlobId;

/// The folder that is made in the one that the owner names.
const FOLDER: &str = "inframe-export";
/// Why nothing, or not all, was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder that was named is not there.
    #[error("there is no folder {}: connect the disk, or choose another folder", .0.display())]
    Away(PathBuf),
    /// The folder lies in the data folder.
    #[error("{} is a part of the data folder: choose a folder elsewhere", .0.display())]
    Inside(PathBuf),
    /// Something else has a name that the export needs.
    #[error("{} was not made by an export: move it away, or choose another folder", .0.display())]
    Taken(PathBuf),
    /// Another daemon exports into it.
    #[error("another export writes to {}: wait for it, or choose another folder", .0.display())]
    Busy(PathBuf),
    /// It does not fit.
    #[error("the photos do not fit into {}: {}", .0.display(), .1)]
    NoRoom(PathBuf, NoRoom),
    /// The disk is full.
    #[error("the disk is full at {}: make room on it and export again, which goes on where this stopped; or choose a larger one", .0.display())]
    Full(PathBuf),
    /// The owner stopped it, or the node ends.
    #[error("the export was stopped; what was written is used the next time")]
    Stopped,
    /// The file system of the folder.
    #[error("cannot {action} {}: check the disk and your permissions", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl ExportError {
    fn of(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { action, path: path.to_owned(), source },
        }
    }
}

/// What an asset's sidecars say that the library does not know. Not to be printed: names of people stay out of logs.
#[derive(Clone, Default)]
pub struct Facts {
    /// Names that the owner gave to the people in it.
    pub people: Vec<String>,
    /// Name of the event in which it was received.
    pub event: Option<String>,
    /// The sender's name.
    pub from: Option<String>,
}

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportProgress {
    /// Assets that are done.
    pub files: u64,
    /// All assets.
    pub of: u64,
    /// Bytes written or compared.
    pub bytes: u64,
}

/// An original that could not be exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotExported {
    /// Its file name.
    pub file_name: String,
    /// BLAKE3 of the bytes that were imported.
    pub content_id: String,
    /// Why, in words.
    pub reason: String,
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Originals that are in the folder now.
    pub files: u64,
    /// Their plain bytes.
    pub bytes: u64,
    /// Those of them that were written now.
    pub new_files: u64,
    /// Originals and films that are damaged, the first of them.
    pub damaged: Vec<NotExported>,
    /// How many there are.
    pub damaged_count: u64,
}

impl Library {
    /// Tries out whether the library can be exported into `folder`, and makes the folder for it there; gives its path. Blocking.
    ///
    /// # Errors
    /// An [`ExportError`] that says what to do.
    pub fn begin_export(&self, folder: &Path) -> Result<PathBuf, ExportError> {
        let root = Root::open(folder, &self.vault.dir().root, true)?;
        List::is_there(&root)?;
        self.room_for_export(&root)?;
        Ok(root.path().to_owned())
    }

    /// Exports the library into the folder that [`Library::begin_export`] made in `folder`. `facts` adds what the library does not know, `tell` is told
    /// how far it is and says whether to go on. Blocking.
    ///
    /// # Errors
    /// An [`ExportError`]; what was written before is used the next time.
    pub fn export(
        &self,
        folder: &Path,
        facts: impl Fn(AssetId, &StoredAsset) -> Facts,
        tell: impl FnMut(ExportProgress) -> bool,
    ) -> Result<Exported, ExportError> {
        let root = Root::open(folder, &self.vault.dir().root, false)?;
        let listed = List::is_there(&root)?;
        root.sweep()?;
        let disk = self.room_for_export(&root)?;
        let list = List::begin(&root)?;
        let (progress, done) = Default::default();
        let mut run = Run { library: self, root: &root, disk, list, facts, tell, progress, done };
        // The oldest first, as people look through folders.
        let assets: Vec<(AssetId, i32)> =
            self.timeline(|timeline| timeline.items().iter().rev().map(|item| (item.id, item.day)).collect());
        run.progress.of = assets.len() as u64;
        for some in assets.chunk_by(|(_, one), (_, other)| month(*one) == month(*other)) {
            run.month(some)?;
        }
        run.end(listed)
    }

    /// The disk to ask for each file, if all that is missing fits on it.
    fn room_for_export(&self, root: &Root) -> Result<Disk, ExportError> {
        let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
        // On the disk of the data folder what is kept free for changes stays free.
        let disk = match device(root.path()) == device(&self.vault.dir().root) {
            true => self.disk.clone(),
            false => Disk::of(root.path(), Some(0)),
        };
        let ids: Vec<AssetId> = self.timeline(|timeline| timeline.items().iter().map(|item| item.id).collect());
        let size = |asset: &StoredAsset| {
            let film = film_of(asset).map_or(0, |(film, _)| film.size_bytes);
            asset.size_bytes.saturating_add(film).saturating_add(2 * EXPORT_SIDECAR_ROOM_BYTES)
        };
        let all = ids.into_iter().filter_map(|id| self.get(id)).fold(0, |sum: u64, one| sum.saturating_add(size(&one)));
        let missing = all.saturating_sub(root.bytes(2)?);
        disk.room_for(missing).map_err(|full| ExportError::NoRoom(root.path().to_owned(), full))?;
        Ok(disk)
    }
}

/// Year and month of a day since 1970-01-01, if it is one that people write.
fn month(day: i32) -> Option<(i16, i8)> {
    let date = Offset::UTC.to_datetime(Timestamp::from_second(i64::from(day) * 86_400).ok()?).date();
    Some((date.year(), date.month())).filter(|(year, _)| (0..=9999).contains(year))
}

/// The moving part that came as a file of its own.
fn film_of(asset: &StoredAsset) -> Option<(&StoredMotion, BlobId)> {
    let film = asset.motion.as_ref()?;
    Some((film, film.blob?))
}

/// An export under way.
struct Run<'a, F, T> {
    library: &'a Library,
    root: &'a Root,
    disk: Disk,
    list: List<'a>,
    facts: F,
    tell: T,
    progress: ExportProgress,
    done: Exported,
}

/// The folder of a month.
struct Month {
    folder: Folder,
    /// Its path in the export.
    path: String,
    /// Keys of the names that are in it.
    there: HashSet<String>,
    /// Keys of the names that are of this export's own photos.
    taken: HashSet<String>,
}

/// What of an asset is in the folder already.
struct Found {
    original: bool,
    film: bool,
}

/// What became of a copy.
enum Copied {
    Yes,
    /// Somebody has taken the name meanwhile.
    Taken,
    /// The vault does not give the bytes that were imported.
    Damaged(String),
}

impl<F: Fn(AssetId, &StoredAsset) -> Facts, T: FnMut(ExportProgress) -> bool> Run<'_, F, T> {
    fn month(&mut self, assets: &[(AssetId, i32)]) -> Result<(), ExportError> {
        let mut open: Option<Month> = None;
        for (id, day) in assets {
            self.going(0)?;
            // What was deleted, or came to wait for a word, since the export began is not exported.
            if let Some(asset) = self.library.get(*id).filter(|asset| !asset.doubtful) {
                let now = match open.take() {
                    Some(month) => month,
                    None => self.open_month(*day, &asset)?,
                };
                self.one(open.insert(now), *id, &asset)?;
            }
            self.progress.files += 1;
        }
        open.map_or(Ok(()), |month| month.folder.sync())
    }

    fn open_month(&self, day: i32, asset: &StoredAsset) -> Result<Month, ExportError> {
        let imported = i32::try_from(asset.imported_at / 86_400_000).unwrap_or(0);
        let (year, month) = month(day).or_else(|| month(imported)).unwrap_or((1970, 1));
        let (year, month) = (format!("{year:04}"), format!("{year:04}-{month:02}"));
        let folder = self.root.inside(&year)?.inside(&month)?;
        let there = folder.names()?.iter().map(|name| key(name)).collect();
        Ok(Month { folder, path: format!("{year}/{month}"), there, taken: HashSet::new() })
    }

    /// Counts bytes and tells how far it is.
    fn going(&mut self, bytes: u64) -> Result<(), ExportError> {
        self.progress.bytes += bytes;
        if (self.tell)(self.progress) { Ok(()) } else { Err(ExportError::Stopped) }
    }

    /// Exports one asset under the first names that are free or its own.
    fn one(&mut self, month: &mut Month, id: AssetId, asset: &StoredAsset) -> Result<(), ExportError> {
        let ending = film_of(asset).map(|(film, _)| film_ending(&film.media_type));
        for number in 1.. {
            let names = Names::choice(&asset.file_name, number, &asset.media_type, ending);
            if names.all().any(|name| month.taken.contains(&key(name))) {
                continue;
            }
            let Some(found) = self.found(month, &names, asset)? else { continue };
            if self.fill(month, &names, id, asset, &found)? {
                break;
            }
        }
        Ok(())
    }

    /// What is there under these names; `None` when something else is.
    fn found(&mut self, month: &Month, names: &Names, asset: &StoredAsset) -> Result<Option<Found>, ExportError> {
        let is_there = |name: &String| month.there.contains(&key(name));
        let mut found = Found { original: is_there(&names.original), film: false };
        if found.original && !self.holds(month, &names.original, asset.content, asset.size_bytes)? {
            return Ok(None);
        }
        if let (Some((film, _)), Some(name)) = (film_of(asset), names.motion.as_ref().filter(|name| is_there(name))) {
            found.film = true;
            if !self.holds(month, name, film.content, film.size_bytes)? {
                return Ok(None);
            }
        }
        if !found.original {
            for name in [&names.xmp, &names.json].into_iter().filter(|name| is_there(name)) {
                let there = month.folder.head(name)?;
                if !there.is_some_and(|there| sidecar::is_ours(&there, &asset.content)) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(found))
    }

    fn holds(&mut self, month: &Month, name: &str, content: ContentId, size: u64) -> Result<bool, ExportError> {
        let mut going = |bytes| self.going(bytes).is_ok();
        month.folder.holds(name, blake3::Hash::from_bytes(content.0), size, &mut going)
    }

    /// Writes what is missing; whether the names held.
    fn fill(
        &mut self,
        month: &mut Month,
        names: &Names,
        id: AssetId,
        asset: &StoredAsset,
        found: &Found,
    ) -> Result<bool, ExportError> {
        if !found.original {
            match self.copy(month, &names.original, asset.original, asset.content, asset.size_bytes)? {
                Copied::Yes => self.done.new_files += 1,
                Copied::Taken => return Ok(false),
                Copied::Damaged(reason) => {
                    // The bytes of what was purged at this very moment are gone as well.
                    if self.library.get(id).is_some() {
                        self.damaged(asset.file_name.clone(), asset.content, reason);
                    }
                    return Ok(true);
                }
            }
        }
        let mut film = None;
        if let (Some((motion, blob)), Some(name)) = (film_of(asset), &names.motion) {
            let copied = match found.film {
                true => Copied::Yes,
                false => self.copy(month, name, blob, motion.content, motion.size_bytes)?,
            };
            match copied {
                Copied::Yes => {
                    let (content_id, media_type) = (motion.content.to_string(), motion.media_type.clone());
                    film = Some(Film { file: name.clone(), content_id, media_type, size_bytes: motion.size_bytes });
                }
                // Looked at anew: the original is under these names already, its film will be beside a second copy.
                Copied::Taken => return Ok(false),
                Copied::Damaged(reason) => {
                    self.damaged(format!("{} (its film)", asset.file_name), motion.content, reason);
                }
            }
        }
        let facts = (self.facts)(id, asset);
        self.sidecar(month, &names.xmp, &sidecar::xmp(asset, &facts), asset)?;
        let json = sidecar::json(asset, &facts, film.clone())
            .map_err(|error| ExportError::of("write", &month.folder.path().join(&names.json), error.into()))?;
        self.sidecar(month, &names.json, &json, asset)?;
        month.taken.extend(names.all().map(|name| key(name)));
        self.done.files += 1;
        self.done.bytes += asset.size_bytes;
        let path = |name: &str| format!("{}/{name}", month.path);
        let film = film.map(|film| Film { file: path(&film.file), ..film });
        let (content_id, size_bytes) = (asset.content.to_string(), asset.size_bytes);
        self.list.add(&Row { path: path(&names.original), content_id, size_bytes, motion: film.as_ref() })?;
        Ok(true)
    }

    /// Copies a blob's plain bytes, which get their name only when they are those that were imported.
    fn copy(
        &mut self,
        month: &mut Month,
        name: &str,
        blob: BlobId,
        content: ContentId,
        size_bytes: u64,
    ) -> Result<Copied, ExportError> {
        let room = self.disk.room_for(size_bytes);
        room.map_err(|full| ExportError::NoRoom(self.root.path().to_owned(), full))?;
        let reader = match self.library.vault.blobs().open(blob) {
            Ok(reader) => reader,
            Err(error) => return Ok(Copied::Damaged(error.to_string())),
        };
        let mut part = self.root.part()?;
        let mut hasher = blake3::Hasher::new();
        let mut piece = Zeroizing::new(vec![0; EXPORT_PIECE_BYTES]);
        let mut offset = 0;
        loop {
            let read = match reader.read_at(offset, &mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) => return Ok(Copied::Damaged(error.to_string())),
            };
            let plain = piece.get(..read).unwrap_or_default();
            hasher.update(plain);
            part.append(plain, &month.folder, name)?;
            offset += read as u64;
            self.going(read as u64)?;
        }
        if *hasher.finalize().as_bytes() != content.0 {
            return Ok(Copied::Damaged("its bytes are not those that were imported: restore it from a backup".into()));
        }
        let named = part.name(&month.folder, name)?;
        month.there.insert(key(name));
        Ok(if named { Copied::Yes } else { Copied::Taken })
    }

    /// Writes a sidecar, unless it is there as it would be written, or there is one that is not ours.
    fn sidecar(&self, month: &mut Month, name: &str, bytes: &[u8], asset: &StoredAsset) -> Result<(), ExportError> {
        let there = match month.there.insert(key(name)) {
            true => None,
            false => Some(month.folder.head(name)?.unwrap_or_default()),
        };
        if there.as_ref().is_some_and(|there| there == bytes || !sidecar::is_ours(there, &asset.content)) {
            return Ok(());
        }
        let mut part = self.root.part()?;
        part.append(bytes, &month.folder, name)?;
        match there {
            Some(_) => part.replace(&month.folder, name),
            None => part.name(&month.folder, name).map(drop),
        }
    }

    fn damaged(&mut self, file_name: String, content: ContentId, reason: String) {
        let one = NotExported { file_name, content_id: content.to_string(), reason };
        tracing::warn!(content = one.content_id, "an original is damaged and was not exported: {}", one.reason);
        self.done.damaged_count += 1;
        if self.done.damaged.len() < MAX_EXPORT_NAMED {
            self.done.damaged.push(one);
        }
    }

    fn end(mut self, listed: bool) -> Result<Exported, ExportError> {
        self.going(0)?;
        self.list.end(&self.done, listed)?;
        self.root.sync()?;
        Ok(self.done)
    }
}

#[cfg(test)]
mod tests;
