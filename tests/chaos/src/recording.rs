//! What a program did to one folder, as operations on nodes of a file system: made from a log of its system calls.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{place::kind_of, strace::Call};

/// A file or folder, whatever its names; the root is 0.
pub type Node = usize;

/// One change to what a disk holds, or one word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bytes into a file.
    Write {
        /// The file.
        node: Node,
        /// From here on.
        at: u64,
        /// These.
        bytes: Vec<u8>,
    },
    /// A file cut or grown to a length.
    Length {
        /// The file.
        node: Node,
        /// In bytes.
        bytes: u64,
    },
    /// Names in folders given to a node or taken away, all of them at once.
    Names(Vec<(Node, OsString, Option<Node>)>),
    /// A file is made durable, as far as it was when operation `begun` was next.
    SyncFile {
        /// The file.
        node: Node,
        /// The first operation that need not be covered.
        begun: usize,
    },
    /// The names in a folder are made durable.
    SyncFolder {
        /// The folder.
        node: Node,
        /// The first operation that need not be covered.
        begun: usize,
    },
    /// Bytes to a terminal, pipe or socket.
    Said(Vec<u8>),
}

/// All operations of a program, in order.
#[derive(Debug, Default)]
pub struct Recording {
    /// The operations.
    pub operations: Vec<Operation>,
    /// In words, what each did to what kind of file.
    pub labels: Vec<String>,
    /// Whether each node is a folder.
    pub folders: Vec<bool>,
}

/// The file system while the log is read: only names and which node they stand for.
struct Reader<'a> {
    root: &'a Path,
    recording: Recording,
    names: BTreeMap<PathBuf, Node>,
    /// Where the next plain write of a descriptor goes.
    positions: HashMap<i64, u64>,
    lengths: HashMap<Node, u64>,
    /// Number of the first operation that came back after so many calls.
    first_after: Vec<usize>,
}

/// Reads what `calls` did below `root`.
///
/// # Errors
/// When something was done there that is not understood.
pub fn read(calls: &[Call], root: &Path) -> Result<Recording> {
    let recording = Recording { folders: vec![true], ..Recording::default() };
    let mut reader = Reader {
        root,
        recording,
        names: BTreeMap::from([(PathBuf::new(), 0)]),
        positions: HashMap::new(),
        lengths: HashMap::new(),
        first_after: Vec::with_capacity(calls.len()),
    };
    for call in calls {
        reader.first_after.push(reader.recording.operations.len());
        reader.take(call).with_context(|| format!("{} is not understood", call.name))?;
    }
    Ok(reader.recording)
}

impl Reader<'_> {
    fn take(&mut self, call: &Call) -> Result<()> {
        // What failed, or was cut off by the end of the program, changed nothing that anybody was told of.
        let Some(result) = call.result else { return Ok(()) };
        match call.name.as_str() {
            "openat" => self.open(call, result),
            "close" => {
                self.positions.remove(&call.descriptor_number(0).unwrap_or(-1));
                Ok(())
            }
            "lseek" => {
                self.positions.insert(call.descriptor_number(0).unwrap_or(-1), result as u64);
                Ok(())
            }
            "write" | "writev" | "sendto" | "sendmsg" => self.write(call, None, result),
            "pwrite64" => self.write(call, Some(call.number(3).context("no place")? as u64), result),
            "ftruncate" => {
                let length = call.number(1).context("no length")? as u64;
                self.on_file(call, |node| Operation::Length { node, bytes: length })
            }
            // With no flags it makes the file longer, with zeros, and never shorter.
            "fallocate" if call.number(1).is_some_and(|flags| flags == 0) => {
                let end = call.number(2).context("no place")? as u64 + call.number(3).context("no length")? as u64;
                self.on_file(call, |node| Operation::Length { node, bytes: end })
            }
            "fsync" | "fdatasync" => self.sync(call),
            // Starts writing out and promises nothing.
            "sync_file_range" => Ok(()),
            "rename" => self.rename(call.path(0), call.path(1)),
            "renameat" | "renameat2" => self.rename(call.path(1), call.path(3)),
            "linkat" => self.link(call.path(1), call.path(3)),
            "link" => self.link(call.path(0), call.path(1)),
            "unlink" | "rmdir" => self.unlink(call.path(0)),
            "unlinkat" => self.unlink(call.path(1)),
            "mkdir" => self.make_folder(call.path(0)),
            "mkdirat" => self.make_folder(call.path(1)),
            "creat" | "pwritev" | "pwritev2" | "truncate" | "fallocate" | "symlink" | "symlinkat"
            | "copy_file_range" | "sendfile" | "splice" => {
                let inside = (0..call.arguments.len()).any(|index| self.touches(call, index));
                ensure!(!inside, "the program does that to the folder, and the recording has no word for it");
                Ok(())
            }
            other => bail!("{other} is not among the calls that are recorded"),
        }
    }

    fn touches(&self, call: &Call, index: usize) -> bool {
        let path = call.descriptor(index).map(Path::to_path_buf).or_else(|| call.path(index));
        path.is_some_and(|path| path.starts_with(self.root))
    }

    fn below<'p>(&self, path: &'p Path) -> Option<&'p Path> {
        path.strip_prefix(self.root).ok()
    }

    fn add(&mut self, operation: Operation, label: String) {
        self.recording.operations.push(operation);
        self.recording.labels.push(label);
    }

    fn new_node(&mut self, folder: bool) -> Node {
        self.recording.folders.push(folder);
        self.recording.folders.len() - 1
    }

    /// The folder that holds `path`, and its name in there.
    fn place(&self, path: &Path) -> Result<(Node, OsString)> {
        let parent = path.parent().context("no folder")?;
        let folder = self.names.get(parent).with_context(|| format!("{} is unknown", parent.display()))?;
        Ok((*folder, path.file_name().context("no name")?.to_os_string()))
    }

    /// Whether the folder of `path` was made before the recording began, by somebody else and for something else, such as a log.
    fn foreign(&self, path: &Path) -> bool {
        path.parent().is_none_or(|parent| !self.names.contains_key(parent))
    }

    fn name(&mut self, path: &Path, node: Node, verb: &str) -> Result<()> {
        let (folder, name) = self.place(path)?;
        self.names.insert(path.to_path_buf(), node);
        self.add(Operation::Names(vec![(folder, name, Some(node))]), format!("{verb} {}", kind_of(path)));
        Ok(())
    }

    fn open(&mut self, call: &Call, descriptor: i64) -> Result<()> {
        self.positions.insert(descriptor, 0);
        let Some(path) = call.path(1) else { return Ok(()) };
        let Some(path) = self.below(&path).map(Path::to_path_buf) else { return Ok(()) };
        match self.names.get(&path) {
            None if self.foreign(&path) => {}
            None if call.has_flag(2, "O_CREAT") => {
                let node = self.new_node(false);
                self.name(&path, node, "make")?;
            }
            None => bail!("{} was there before the recording began", path.display()),
            Some(node) if call.has_flag(2, "O_TRUNC") => {
                let node = *node;
                self.lengths.insert(node, 0);
                self.add(Operation::Length { node, bytes: 0 }, format!("cut {}", kind_of(&path)));
            }
            Some(node) if call.has_flag(2, "O_APPEND") => {
                self.positions.insert(descriptor, self.lengths.get(node).copied().unwrap_or(0));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn write(&mut self, call: &Call, at: Option<u64>, written: i64) -> Result<()> {
        let path = call.descriptor(0).map(Path::to_path_buf);
        let Some(mut bytes) = call.bytes(1) else { return Ok(()) };
        bytes.truncate(written as usize);
        let Some(path) = path else {
            self.add(Operation::Said(bytes), "say".to_owned());
            return Ok(());
        };
        let descriptor = call.descriptor_number(0).unwrap_or(-1);
        let at = at.unwrap_or_else(|| {
            let position = self.positions.entry(descriptor).or_default();
            let at = *position;
            *position += bytes.len() as u64;
            at
        });
        let known = self.below(&path).and_then(|below| self.names.get(below).map(|node| (below, *node)));
        let Some((below, node)) = known else {
            // Words to a file that somebody else made, such as a redirected output.
            self.add(Operation::Said(bytes), "say".to_owned());
            return Ok(());
        };
        let length = self.lengths.entry(node).or_default();
        *length = (*length).max(at + bytes.len() as u64);
        let label = format!("write {}", kind_of(below));
        self.add(Operation::Write { node, at, bytes }, label);
        Ok(())
    }

    fn on_file(&mut self, call: &Call, operation: impl FnOnce(Node) -> Operation) -> Result<()> {
        let Some(path) = call.descriptor(0).map(Path::to_path_buf) else { return Ok(()) };
        let Some(below) = self.below(&path) else { return Ok(()) };
        let node = *self.names.get(below).with_context(|| format!("{} is unknown", below.display()))?;
        let operation = operation(node);
        if let Operation::Length { node, bytes } = operation {
            self.lengths.insert(node, bytes);
        }
        self.add(operation, format!("cut {}", kind_of(below)));
        Ok(())
    }

    fn sync(&mut self, call: &Call) -> Result<()> {
        let Some(path) = call.descriptor(0).map(Path::to_path_buf) else { return Ok(()) };
        let Some(below) = self.below(&path) else { return Ok(()) };
        let node = *self.names.get(below).with_context(|| format!("{} is unknown", below.display()))?;
        let begun = self.first_after.get(call.begun).copied().unwrap_or(self.recording.operations.len());
        let folder = self.recording.folders.get(node).copied().unwrap_or(false);
        let operation =
            if folder { Operation::SyncFolder { node, begun } } else { Operation::SyncFile { node, begun } };
        let label = format!("{} {}", if folder { "sync names of" } else { "sync" }, kind_of(below));
        self.add(operation, label);
        Ok(())
    }

    fn rename(&mut self, from: Option<PathBuf>, to: Option<PathBuf>) -> Result<()> {
        let (from, to) = from.zip(to).context("no paths")?;
        let (from, to) = match (self.below(&from), self.below(&to)) {
            (None, None) => return Ok(()),
            (from, to) => from.zip(to).context("something is moved in or out")?,
        };
        let (from, to) = (from.to_path_buf(), to.to_path_buf());
        // A socket comes to be without a call that is recorded, and a power cut may do with it as it likes.
        let Some(node) = self.names.get(&from).copied() else { return Ok(()) };
        let ((old_folder, old_name), (new_folder, new_name)) = (self.place(&from)?, self.place(&to)?);
        // A folder takes along what is in it.
        let inside: Vec<PathBuf> = self.names.keys().filter(|path| path.starts_with(&from)).cloned().collect();
        for path in inside {
            let (Some(node), Ok(rest)) = (self.names.remove(&path), path.strip_prefix(&from)) else { continue };
            let moved = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
            self.names.insert(moved, node);
        }
        let changes = vec![(old_folder, old_name, None), (new_folder, new_name, Some(node))];
        self.add(Operation::Names(changes), format!("rename {}", kind_of(&to)));
        Ok(())
    }

    fn link(&mut self, from: Option<PathBuf>, to: Option<PathBuf>) -> Result<()> {
        let (from, to) = from.zip(to).context("no paths")?;
        let Some((from, to)) = self.below(&from).zip(self.below(&to)) else { return Ok(()) };
        let node = *self.names.get(from).with_context(|| format!("{} is unknown", from.display()))?;
        let to = to.to_path_buf();
        self.name(&to, node, "link")
    }

    fn unlink(&mut self, path: Option<PathBuf>) -> Result<()> {
        let path = path.context("no path")?;
        let Some(path) = self.below(&path).map(Path::to_path_buf) else { return Ok(()) };
        if self.foreign(&path) {
            return Ok(());
        }
        let (folder, name) = self.place(&path)?;
        self.names.remove(&path);
        self.add(Operation::Names(vec![(folder, name, None)]), format!("remove {}", kind_of(&path)));
        Ok(())
    }

    fn make_folder(&mut self, path: Option<PathBuf>) -> Result<()> {
        let path = path.context("no path")?;
        let Some(path) = self.below(&path).map(Path::to_path_buf) else { return Ok(()) };
        if self.foreign(&path) {
            return Ok(());
        }
        let node = self.new_node(true);
        self.name(&path, node, "make")
    }
}
