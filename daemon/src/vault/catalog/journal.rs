//! The journal: every commit since the last snapshot, sealed, in order. A commit is durable when its frame here is fsynced.
//!
//! Files are named by the number of the first commit in them. Format: `vault/FORMAT.md`.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{CatalogError, store::SealedChange};
use crate::{
    limits::{MAX_CATALOG_BATCH_BYTES, MAX_CATALOG_BATCH_CHANGES, MAX_CATALOG_KEY_BYTES},
    vault::{
        durable,
        seal::{self, SEAL_BYTES},
        secret::Secret32,
    },
};

const MAGIC: &[u8; 8] = b"IFJRNL\r\n";
const VERSION: u16 = 1;
/// Magic, version, number of the first commit, and a tag of these.
const HEAD_BYTES: usize = PLAIN_HEAD_BYTES + HEAD_TAG_BYTES;
const PLAIN_HEAD_BYTES: usize = 18;
const HEAD_TAG_BYTES: usize = 16;
/// In front of each frame: length of the sealed part (4 bytes) and number of the commit (8 bytes).
const FRAME_HEAD_BYTES: usize = 12;
/// In front of each change: length of the place (2 bytes) and of the value plus one, 0 for a removal (4 bytes).
const CHANGE_HEAD_BYTES: usize = 6;
const MAX_FRAME_BYTES: usize = MAX_CATALOG_BATCH_BYTES
    + MAX_CATALOG_BATCH_CHANGES * (MAX_CATALOG_KEY_BYTES + CHANGE_HEAD_BYTES + SEAL_BYTES + 1)
    + SEAL_BYTES;

/// The file that commits are appended to now.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) file: Arc<File>,
    /// Number of the first commit in the file, whether it is there yet or not.
    pub(super) first: u64,
    pub(super) bytes: u64,
    key: Secret32,
}

/// The tag tells files of another vault from damaged ones.
fn head(key: &Secret32, first: u64) -> [u8; HEAD_BYTES] {
    let plain = [MAGIC.as_slice(), &VERSION.to_le_bytes(), &first.to_le_bytes()].concat();
    let tag = blake3::keyed_hash(key.derive("inframe 2026-11-25 catalog: head of the journal").expose(), &plain);
    let mut head = [0; HEAD_BYTES];
    head.iter_mut().zip(plain.iter().chain(tag.as_bytes())).for_each(|(to, from)| *to = *from);
    head
}

fn aad(number: u64) -> Vec<u8> {
    [MAGIC.as_slice(), &VERSION.to_le_bytes(), &number.to_le_bytes()].concat()
}

impl Journal {
    /// Begins a new file in `folder` for commits from `first` on.
    pub(super) fn begin(folder: &Path, key: &Secret32, first: u64) -> Result<Self, CatalogError> {
        let failed = CatalogError::io;
        let path = folder.join(format!("{first:016x}"));
        // Under this name there can only be a file without a commit, from a start that was cut short.
        durable::remove_if_there(&path).map_err(failed("begin the journal of"))?;
        let file = durable::create_new(&path).map_err(failed("begin the journal of"))?;
        file.write_all_at(&head(key, first), 0).map_err(failed("begin the journal of"))?;
        file.sync_all().map_err(failed("sync"))?;
        durable::sync_folder(folder).map_err(failed("sync"))?;
        Ok(Self { file: Arc::new(file), first, bytes: HEAD_BYTES as u64, key: key.clone() })
    }

    /// Appends a commit without fsync. If that fails, nothing of it is left, or [`CatalogError::Stopped`] says that something may be.
    pub(super) fn append(&mut self, number: u64, changes: &[SealedChange]) -> Result<(), CatalogError> {
        let frame = encode(&self.key, number, changes)?;
        if let Err(error) = self.file.write_all_at(&frame, self.bytes) {
            return match self.file.set_len(self.bytes) {
                Ok(()) => Err(CatalogError::io("write the journal of")(error)),
                Err(_) => Err(CatalogError::Stopped),
            };
        }
        self.bytes += frame.len() as u64;
        Ok(())
    }
}

fn encode(key: &Secret32, number: u64, changes: &[SealedChange]) -> Result<Vec<u8>, CatalogError> {
    let mut plain = Vec::new();
    for SealedChange { place, value } in changes {
        plain.extend_from_slice(&(place.len() as u16).to_le_bytes());
        plain.extend_from_slice(&value.as_ref().map_or(0, |value| value.len() as u32 + 1).to_le_bytes());
        plain.extend_from_slice(place);
        plain.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    let sealed = seal::seal(key, &aad(number), &plain)?;
    let mut frame = Vec::with_capacity(FRAME_HEAD_BYTES + sealed.len());
    frame.extend_from_slice(&(sealed.len() as u32).to_le_bytes());
    frame.extend_from_slice(&number.to_le_bytes());
    frame.extend_from_slice(&sealed);
    Ok(frame)
}

fn decode_changes(mut plain: &[u8]) -> Option<Vec<SealedChange>> {
    let mut changes = Vec::new();
    while !plain.is_empty() {
        let (place_bytes, rest) = plain.split_first_chunk::<2>()?;
        let (value_bytes, rest) = rest.split_first_chunk::<4>()?;
        let (place, rest) = rest.split_at_checked(u16::from_le_bytes(*place_bytes) as usize)?;
        let (value, rest) = match (u32::from_le_bytes(*value_bytes) as usize).checked_sub(1) {
            None => (None, rest),
            Some(length) => {
                let (value, rest) = rest.split_at_checked(length)?;
                (Some(value.to_vec()), rest)
            }
        };
        changes.push(SealedChange { place: place.to_vec(), value });
        plain = rest;
    }
    Some(changes)
}

/// What the journal files hold.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// Number of the last commit that was read, or of the one before the first file if there is none.
    pub(super) last: Option<u64>,
    /// Whether a file other than the last is damaged, or one is missing between two, or commits may stand behind a damaged head.
    pub(super) broken: bool,
    /// The last file, cut after its last whole commit, ready for the next.
    pub(super) journal: Option<Journal>,
}

/// Numbers and paths of the journal files, in order.
pub(super) fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, CatalogError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(CatalogError::io("list the journal of"))? {
        let path = entry.map_err(CatalogError::io("list the journal of"))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| name.len() == 16);
        if let Some(first) = name.and_then(|name| u64::from_str_radix(name, 16).ok()) {
            files.push((first, path));
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// Whether a commit may ever have been made: a file is longer than its head, or begins after the first commit. Damage does not matter here, since it
/// must not make commits count as never made.
pub(super) fn holds_commits(folder: &Path) -> Result<bool, CatalogError> {
    for (first, path) in files(folder)? {
        if first > 1 || fs::metadata(path).map_err(CatalogError::io("look at"))?.len() > HEAD_BYTES as u64 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Calls `each` with all whole commits after number `after`, in order. After damage in the middle it goes on with the next file, so `each` may see
/// a number that does not follow the one before.
pub(super) fn replay(
    folder: &Path,
    key: &Secret32,
    after: u64,
    mut each: impl FnMut(u64, Vec<SealedChange>) -> Result<(), CatalogError>,
) -> Result<Replayed, CatalogError> {
    let mut replayed = Replayed::default();
    let files = files(folder)?;
    let last_file = files.len().saturating_sub(1);
    for (position, (first, path)) in files.into_iter().enumerate() {
        replayed.broken |= replayed.last.is_some_and(|last| last + 1 != first);
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(CatalogError::io("open"))?;
        let mut last = first.saturating_sub(1);
        let sound_bytes = read_file(&file, key, first, |number, changes| {
            last = number;
            if number > after { each(number, changes) } else { Ok(()) }
        })?;
        let Some(sound_bytes) = sound_bytes else {
            // In the last file, a head that was never written whole: no commit was ever promised in it, and the file before is whole.
            let length = file.metadata().map_err(CatalogError::io("look at"))?.len();
            replayed.broken |= position != last_file || length > HEAD_BYTES as u64;
            continue;
        };
        // An empty file still says that every commit before its first was made.
        replayed.last = Some(last);
        let length = file.metadata().map_err(CatalogError::io("look at"))?.len();
        if position != last_file {
            replayed.broken |= length != sound_bytes;
            continue;
        }
        if length != sound_bytes {
            // The tail of a commit that was never acknowledged.
            file.set_len(sound_bytes).map_err(CatalogError::io("cut the journal of"))?;
        }
        // What a killed process wrote may still be in memory only, and from now on it counts as durable.
        file.sync_all().map_err(CatalogError::io("sync"))?;
        replayed.journal = Some(Journal { file: Arc::new(file), first, bytes: sound_bytes, key: key.clone() });
    }
    Ok(replayed)
}

/// Whose the journal files are, by their heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Of this vault: at least one is.
    Ours,
    /// Of another vault: every head that looks like one is.
    Other,
    /// There is no head to tell by.
    Unknown,
}

/// Looks whose the files in `folder` are, without changing any.
pub(super) fn owner(folder: &Path, key: &Secret32) -> Result<Owner, CatalogError> {
    let mut owner = Owner::Unknown;
    for (first, path) in files(folder)? {
        let mut file = File::open(path).map_err(CatalogError::io("open"))?;
        let (mut found, ours) = ([0; HEAD_BYTES], head(key, first));
        if !fill(&mut file, &mut found)? {
            continue;
        }
        if found == ours {
            return Ok(Owner::Ours);
        }
        if found.first_chunk::<PLAIN_HEAD_BYTES>() == ours.first_chunk::<PLAIN_HEAD_BYTES>() {
            owner = Owner::Other;
        }
    }
    Ok(owner)
}

/// Reads the commits of one file; how many bytes of it are sound, or `None` if not even its head is.
fn read_file(
    file: &File,
    key: &Secret32,
    first: u64,
    mut each: impl FnMut(u64, Vec<SealedChange>) -> Result<(), CatalogError>,
) -> Result<Option<u64>, CatalogError> {
    let mut reader = io::BufReader::new(file);
    let mut found = [0; HEAD_BYTES];
    if !fill(&mut reader, &mut found)? {
        return Ok(None);
    }
    if let Some((magic, rest)) = found.split_first_chunk::<8>()
        && let Some(version) = rest.first_chunk::<2>().map(|version| u16::from_le_bytes(*version))
        && magic == MAGIC
        && version > VERSION
    {
        return Err(CatalogError::NewerFormat { version });
    }
    if found != head(key, first) {
        return Ok(None);
    }
    let (mut sound_bytes, mut expected) = (HEAD_BYTES as u64, first);
    loop {
        let mut frame_head = [0; FRAME_HEAD_BYTES];
        if !fill(&mut reader, &mut frame_head)? {
            break;
        }
        let Some((length, number)) = frame_head.split_first_chunk::<4>() else { break };
        let length = u32::from_le_bytes(*length) as usize;
        if length > MAX_FRAME_BYTES || number != expected.to_le_bytes() {
            break;
        }
        let mut sealed = vec![0; length];
        if !fill(&mut reader, &mut sealed)? {
            break;
        }
        let plain = seal::open(key, &aad(expected), &sealed);
        let Some(changes) = plain.and_then(|plain| decode_changes(&plain)) else { break };
        each(expected, changes)?;
        expected += 1;
        sound_bytes += (FRAME_HEAD_BYTES + length) as u64;
    }
    Ok(Some(sound_bytes))
}

/// Fills `out`; `false` if the file ends before.
fn fill(reader: &mut impl io::Read, out: &mut [u8]) -> Result<bool, CatalogError> {
    match reader.read_exact(out) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(CatalogError::io("read the journal of")(error)),
    }
}

/// Removes all files but the one that begins with commit `first`: what they hold is in the snapshot, or comes after a gap and must never be
/// taken for what follows.
pub(super) fn remove_all_but(folder: &Path, first: u64) -> Result<(), CatalogError> {
    for (_, path) in files(folder)?.into_iter().filter(|(number, _)| *number != first) {
        durable::remove_if_there(&path).map_err(CatalogError::io("trim the journal of"))?;
    }
    durable::sync_folder(folder).map_err(CatalogError::io("sync"))
}
