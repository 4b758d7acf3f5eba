//! A disk that forgets: plays a recording up to some operation and gives what a power cut may have left of it.
//!
//! What was synced is there. Of the rest a file may have all, none, or a part, cut at a sector or with some pages missing, and a folder may have or
//! lack each name. One thing is taken for granted, as every journalling file system grants it: a rename happens as a whole or not at all, and names of one
//! folder that were synced stay so.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::{
    dice::Dice,
    recording::{Node, Operation, Recording},
};

/// What a disk writes at once or not at all.
const SECTOR_BYTES: usize = 512;
/// What a kernel writes out at once, in any order.
const PAGE_BYTES: usize = 4096;

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Nothing is lost: the program was killed, the machine ran on.
    Killed,
    /// All of it is lost.
    AllLost,
    /// Names are there, bytes are not: files are empty, or as long as they were but zero.
    NamesOnly,
    /// Bytes came to the disk in order up to some point, the last ones cut at a sector; so did names.
    Torn,
    /// Any page and any name may be missing, in any order.
    AnyOrder,
}

impl Loss {
    /// Every way to lose something.
    pub const ALL: [Self; 5] = [Self::Killed, Self::AllLost, Self::NamesOnly, Self::Torn, Self::AnyOrder];

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Killed => "killed, nothing lost",
            Self::AllLost => "all that was not synced lost",
            Self::NamesOnly => "names kept, bytes lost",
            Self::Torn => "in order up to a torn sector",
            Self::AnyOrder => "any page or name missing",
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Length(bytes) => content.resize(*bytes, 0),
            Self::Write { at, bytes } => {
                content.resize(content.len().max(at + bytes.len()), 0);
                if let Some(there) = content.get_mut(*at..at + bytes.len()) {
                    there.copy_from_slice(bytes);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<(usize, Change)>,
}

type Names = BTreeMap<Node, BTreeMap<OsString, Node>>;

/// The operation that changed names, and the names: in which folder, which, and what they stand for from then on.
type PendingNames<'a> = (usize, &'a [(Node, OsString, Option<Node>)]);

/// The disk after the first operations of a recording.
#[derive(Debug)]
pub struct Disk<'a> {
    recording: &'a Recording,
    played: usize,
    files: BTreeMap<Node, File>,
    durable_names: Names,
    pending_names: Vec<PendingNames<'a>>,
    /// All that was said so far.
    said: Vec<u8>,
}

impl<'a> Disk<'a> {
    /// An empty disk.
    #[must_use]
    pub fn new(recording: &'a Recording) -> Self {
        let (files, durable_names, pending_names) = (BTreeMap::new(), Names::new(), Vec::new());
        Self { recording, played: 0, files, durable_names, pending_names, said: Vec::new() }
    }

    /// What the program has said by now.
    #[must_use]
    pub fn said(&self) -> &[u8] {
        &self.said
    }

    /// Plays operations until `count` have been played.
    pub fn play_to(&mut self, count: usize) {
        while self.played < count {
            let Some(operation) = self.recording.operations.get(self.played) else { return };
            let number = self.played;
            self.played += 1;
            match operation {
                Operation::Write { node, at, bytes } => {
                    let change = Change::Write { at: *at as usize, bytes: bytes.clone() };
                    self.files.entry(*node).or_default().pending.push((number, change));
                }
                Operation::Length { node, bytes } => {
                    self.files.entry(*node).or_default().pending.push((number, Change::Length(*bytes as usize)));
                }
                Operation::Names(changes) => self.pending_names.push((number, changes)),
                Operation::SyncFile { node, begun } => {
                    let file = self.files.entry(*node).or_default();
                    let covered = file.pending.partition_point(|(number, _)| number < begun);
                    for (_, change) in file.pending.drain(..covered) {
                        change.apply(&mut file.durable);
                    }
                }
                Operation::SyncFolder { node, begun } => self.sync_names(*node, *begun),
                Operation::Said(bytes) => self.said.extend_from_slice(bytes),
            }
        }
    }

    fn sync_names(&mut self, folder: Node, begun: usize) {
        // A change that is synced takes along the earlier ones of the folders that it touches, as in a journal.
        let mut synced = BTreeSet::new();
        let mut folders = BTreeSet::from([folder]);
        for (number, changes) in self.pending_names.iter().rev().filter(|(number, _)| *number < begun) {
            if changes.iter().any(|(folder, ..)| folders.contains(folder)) {
                folders.extend(changes.iter().map(|(folder, ..)| *folder));
                synced.insert(*number);
            }
        }
        let durable = &mut self.durable_names;
        self.pending_names.retain(|(number, changes)| {
            let now = synced.contains(number);
            if now {
                apply_names(durable, changes);
            }
            !now
        });
    }

    /// One state that `loss` may leave, by chance.
    #[must_use]
    pub fn after(&self, loss: Loss, dice: &mut Dice) -> State {
        let mut names = self.durable_names.clone();
        let until = dice.below(self.pending_names.len() + 1);
        for (index, (_, changes)) in self.pending_names.iter().enumerate() {
            let kept = match loss {
                Loss::Killed | Loss::NamesOnly => true,
                Loss::AllLost => false,
                Loss::Torn => index < until,
                Loss::AnyOrder => dice.heads(),
            };
            if kept {
                apply_names(&mut names, changes);
            }
        }
        let contents = self.files.iter().map(|(node, file)| (*node, content(file, loss, dice))).collect();
        State { names, contents, folders: self.recording.folders.clone() }
    }
}

fn apply_names(names: &mut Names, changes: &[(Node, OsString, Option<Node>)]) {
    for (folder, name, node) in changes {
        let folder = names.entry(*folder).or_default();
        match node {
            Some(node) => folder.insert(name.clone(), *node),
            None => folder.remove(name),
        };
    }
}

fn content(file: &File, loss: Loss, dice: &mut Dice) -> Vec<u8> {
    let mut content = file.durable.clone();
    let changes = || file.pending.iter().map(|(_, change)| change);
    match loss {
        Loss::AllLost => {}
        Loss::Killed => changes().for_each(|change| change.apply(&mut content)),
        Loss::NamesOnly => {
            // Some file systems write the new length first.
            if dice.heads() {
                let mut whole = content.clone();
                changes().for_each(|change| change.apply(&mut whole));
                content.resize(whole.len(), 0);
            }
        }
        Loss::Torn => {
            let until = dice.below(file.pending.len() + 1);
            changes().take(until).for_each(|change| change.apply(&mut content));
            if let Some(Change::Write { at, bytes }) = changes().nth(until) {
                let sectors = dice.below(bytes.len() / SECTOR_BYTES + 1);
                // Sectors are counted from the beginning of the file.
                let cut = ((at / SECTOR_BYTES + sectors) * SECTOR_BYTES).saturating_sub(*at).min(bytes.len());
                let bytes = bytes.get(..cut).unwrap_or_default().to_vec();
                Change::Write { at: *at, bytes }.apply(&mut content);
            }
        }
        Loss::AnyOrder => {
            let mut whole = content.clone();
            changes().for_each(|change| change.apply(&mut whole));
            if dice.heads() || content.len() > whole.len() {
                content.resize(whole.len(), 0);
            }
            for (page, new) in whole.chunks(PAGE_BYTES).enumerate() {
                let at = page * PAGE_BYTES;
                let old = content.get(at..(at + new.len()).min(content.len())).unwrap_or_default();
                if old != new && dice.heads() {
                    Change::Write { at, bytes: new.to_vec() }.apply(&mut content);
                }
            }
        }
    }
    content
}

/// What is on a disk.
#[derive(Debug)]
pub struct State {
    names: Names,
    contents: BTreeMap<Node, Vec<u8>>,
    folders: Vec<bool>,
}

impl State {
    /// Every file and folder, with its path and, for a file, its bytes.
    fn entries(&self) -> Vec<(PathBuf, Node)> {
        let (mut found, mut open) = (Vec::new(), vec![(PathBuf::new(), 0)]);
        while let Some((path, folder)) = open.pop() {
            for (name, node) in self.names.get(&folder).into_iter().flatten() {
                let path = path.join(name);
                if self.is_folder(*node) {
                    open.push((path.clone(), *node));
                }
                found.push((path, *node));
            }
        }
        found
    }

    fn is_folder(&self, node: Node) -> bool {
        self.folders.get(node).copied().unwrap_or(false)
    }

    /// Paths and bytes of all files.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, &[u8]> {
        let files = self.entries().into_iter().filter(|(_, node)| !self.is_folder(*node));
        files.map(|(path, node)| (path, self.contents.get(&node).map_or(&[][..], Vec::as_slice))).collect()
    }

    /// A number that is the same for equal states.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let mut entries = self.entries();
        entries.sort();
        for (path, node) in entries {
            hasher.update(path.as_os_str().as_encoded_bytes()).update(&[0, u8::from(self.is_folder(node))]);
            let content = self.contents.get(&node).map_or(&[][..], Vec::as_slice);
            hasher.update(&(content.len() as u64).to_le_bytes()).update(content);
        }
        *hasher.finalize().as_bytes()
    }

    /// Makes `folder` hold this state and nothing else.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_to(&self, folder: &Path) -> Result<()> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => fs::create_dir_all(folder)?,
        }
        let mut written: BTreeMap<Node, PathBuf> = BTreeMap::new();
        // A folder is found before what is in it.
        for (path, node) in self.entries() {
            let path = folder.join(path);
            if self.is_folder(node) {
                fs::create_dir(&path)?;
            } else if let Some(other) = written.get(&node) {
                fs::hard_link(other, &path)?;
            } else {
                fs::write(&path, self.contents.get(&node).map_or(&[][..], Vec::as_slice))
                    .with_context(|| format!("cannot write {}", path.display()))?;
                // Whoever made the file made it private.
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
                written.insert(node, path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
