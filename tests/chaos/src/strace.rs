//! Running a program under `strace`: to record what it does to the disk, to kill it at one system call, or to have one fail.
//!
//! The code under test is not changed for it: what is recorded, killed and refused is what the program really asks of the kernel.

use std::{
    collections::HashMap,
    ffi::OsString,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

/// System calls that change what is on a disk or say when it is durable, and those by which a program speaks.
pub const CALLS: &str = "openat,creat,close,lseek,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,ftruncate,truncate,fallocate,fsync,\
                         fdatasync,sync_file_range,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat,symlink,\
                         symlinkat,copy_file_range,sendfile,splice";

/// Whether `strace` is there and may trace: some containers forbid it.
#[must_use]
pub fn works() -> bool {
    let tried = Command::new("strace").args(["-f", "-qq", "-e", "trace=none", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// `program` under `strace`, which writes each of `calls` to `log`, with the bytes that were written if `bytes`. `inject` is what
/// `strace -e inject=` takes.
#[must_use]
pub fn command(log: &Path, calls: &str, bytes: bool, inject: Option<&str>, program: &Path) -> Command {
    let mut command = Command::new("strace");
    // Paths of descriptors are shown, and every text in hexadecimal.
    command.args(["-f", "-q", "-y", "-xx", "-e", "signal=none"]);
    // Only the calls that are asked for stop the program then; but version 6.1 sends no signals so.
    if inject.is_none_or(|inject| !inject.contains("signal=")) {
        command.arg("--seccomp-bpf");
    }
    command.args(["-s", if bytes { "134217728" } else { "0" }, "-e", &format!("trace={calls}")]);
    if let Some(inject) = inject {
        command.args(["-e", &format!("inject={inject}")]);
    }
    command.arg("-o").arg(log).arg(program);
    command
}

/// As [`command`], as words to be put in front of a command line; `strace` is then a grandchild, and the process that is started is the program itself.
#[must_use]
pub fn around(log: &Path, calls: &str, bytes: bool, inject: Option<&str>) -> Vec<OsString> {
    let traced = command(log, calls, bytes, inject, Path::new(""));
    let mut words: Vec<OsString> =
        std::iter::once(traced.get_program()).chain(traced.get_args()).map(OsString::from).collect();
    // The last word is the program.
    words.pop();
    words.insert(1, "-D".into());
    words
}

/// One argument of a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A file descriptor or a folder, with its path then, if it has one that is still there.
    Descriptor(i64, Option<PathBuf>),
    /// A text or bytes.
    Bytes(Vec<u8>),
    /// Numbers, flags, structures: as they were shown.
    Other(String),
}

/// One system call that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The thread that made it.
    pub thread: u32,
    /// How many calls had come back when it began: it need not have seen later ones.
    pub begun: usize,
    /// Its name.
    pub name: String,
    /// Its arguments, in order.
    pub arguments: Vec<Argument>,
    /// What it gave, or `None` for an error or a call that never came back.
    pub result: Option<i64>,
}

impl Call {
    /// The path of the descriptor that is argument `index`.
    #[must_use]
    pub fn descriptor(&self, index: usize) -> Option<&Path> {
        match self.arguments.get(index) {
            Some(Argument::Descriptor(_, path)) => path.as_deref(),
            _ => None,
        }
    }

    /// The number of the descriptor that is argument `index`.
    #[must_use]
    pub fn descriptor_number(&self, index: usize) -> Option<i64> {
        match self.arguments.get(index) {
            Some(Argument::Descriptor(number, _)) => Some(*number),
            _ => None,
        }
    }

    /// The path that is argument `index`, in the folder that is the argument before it if there is one.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<PathBuf> {
        let Some(Argument::Bytes(bytes)) = self.arguments.get(index) else { return None };
        let path = PathBuf::from(OsString::from_vec(bytes.clone()));
        let folder = index.checked_sub(1).and_then(|before| self.descriptor(before));
        Some(folder.map_or_else(|| path.clone(), |folder| folder.join(&path)))
    }

    /// All bytes of argument `index`, of a buffer or of several one after the other.
    #[must_use]
    pub fn bytes(&self, index: usize) -> Option<Vec<u8>> {
        match self.arguments.get(index) {
            Some(Argument::Bytes(bytes)) => Some(bytes.clone()),
            Some(Argument::Other(text)) => buffers(text),
            _ => None,
        }
    }

    /// The number that is argument `index`.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<i64> {
        match self.arguments.get(index) {
            Some(Argument::Other(text)) => text.parse().ok(),
            _ => None,
        }
    }

    /// The words of the flags that are argument `index`.
    #[must_use]
    pub fn has_flag(&self, index: usize, flag: &str) -> bool {
        matches!(self.arguments.get(index), Some(Argument::Other(text)) if text.split('|').any(|word| word == flag))
    }
}

/// The calls in a log, in the order in which they came back. One that was cut off by the end of the program comes last, without a result.
///
/// # Errors
/// When a line is in no known form.
pub fn calls(log: &Path) -> Result<Vec<Call>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    let mut calls = Vec::new();
    let mut begun: HashMap<u32, (usize, String)> = HashMap::new();
    for line in text.lines() {
        let (thread, rest) = line.split_once(' ').context("a line without a thread")?;
        let (thread, rest) = (thread.parse().context("a line without a thread")?, rest.trim_start());
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(start) = rest.strip_suffix("<unfinished ...>").or_else(|| of_a_dead_thread(rest)) {
            begun.insert(thread, (calls.len(), start.trim_end().to_owned()));
            continue;
        }
        let (at, whole) = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let (_, end) = resumed.split_once("resumed>").context("a call that goes on without its end")?;
                let (at, start) = begun.remove(&thread).context("a call that goes on without its start")?;
                (at, format!("{start}{end}"))
            }
            None => (calls.len(), rest.to_owned()),
        };
        calls.push(parse(thread, at, &whole).with_context(|| format!("not a call: {}", short(&whole)))?);
    }
    for (thread, (at, start)) in begun {
        calls.push(
            parse(thread, at, &format!("{start}) = ?")).with_context(|| format!("not a call: {}", short(&start)))?,
        );
    }
    Ok(calls)
}

/// The start of a call whose thread was killed at the very moment when strace let it go on.
fn of_a_dead_thread(line: &str) -> Option<&str> {
    let (start, why) = line.rsplit_once("<Cannot restart pid ")?;
    why.ends_with('>').then_some(start)
}

/// Puts the calls of a program that ran later behind those of one that ran before.
pub fn chain(calls: &mut Vec<Call>, later: Vec<Call>) {
    let first = calls.len();
    calls.extend(later.into_iter().map(|call| Call { begun: call.begun + first, ..call }));
}

fn short(line: &str) -> String {
    line.chars().take(200).collect()
}

fn parse(thread: u32, begun: usize, text: &str) -> Result<Call> {
    let (name, rest) = text.split_once('(').context("it has no arguments")?;
    let (inside, result) = rest.rsplit_once(" = ").context("it has no result")?;
    let inside = inside.trim_end().strip_suffix(')').unwrap_or(inside);
    let number: String = result.chars().take_while(|letter| letter.is_ascii_digit() || *letter == '-').collect();
    let result = number.parse().ok().filter(|number: &i64| *number >= 0);
    let arguments = split(inside).into_iter().map(argument).collect::<Result<_>>()?;
    ensure!(!name.is_empty() && !name.contains(' '), "it has no name");
    Ok(Call { thread, begun, name: name.to_owned(), arguments, result })
}

/// Splits at the commas that are in no brackets. Texts are in hexadecimal, so there are none in them.
fn split(inside: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, letter) in inside.char_indices() {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.extend(inside.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(inside.get(start..));
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn argument(text: &str) -> Result<Argument> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (hex, after) = quoted.split_once('"').context("a text without an end")?;
        ensure!(after.is_empty() || after == "...", "something after a text");
        return Ok(Argument::Bytes(unescape(hex)?));
    }
    if let Some((number, path)) = text.split_once('<').filter(|_| text.contains('>')) {
        let (hex, after) = path.split_once('>').context("a path without an end")?;
        let number = if number == "AT_FDCWD" { -1 } else { number.parse().context("a descriptor without a number")? };
        // Pipes and sockets have no path; what was removed has none any more.
        let path = (after.is_empty() && hex.starts_with("\\x2f")).then(|| unescape(hex)).transpose()?;
        return Ok(Argument::Descriptor(number, path.map(|path| PathBuf::from(OsString::from_vec(path)))));
    }
    Ok(Argument::Other(text.to_owned()))
}

/// `\x41\x42` as bytes.
fn unescape(hex: &str) -> Result<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let mut bytes = Vec::with_capacity(hex.len() / 4);
    for escaped in hex.as_bytes().chunks(4) {
        match escaped {
            [b'\\', b'x', high, low] => {
                let (high, low) = digit(*high).zip(digit(*low)).context("not in hexadecimal")?;
                bytes.push(high << 4 | low);
            }
            _ => bail!("not in hexadecimal"),
        }
    }
    Ok(bytes)
}

/// The bytes of `[{iov_base="..", iov_len=2}, ..]`.
fn buffers(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut found = false;
    for part in text.split("iov_base=\"").skip(1) {
        bytes.extend(unescape(part.split('"').next()?).ok()?);
        found = true;
    }
    found.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_several_threads_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text = "7 openat(AT_FDCWD<\\x2f>, \"\\x61\", O_RDWR|O_CREAT, 0600) = 3<\\x2f\\x61>\n\
                    7 pwrite64(3<\\x2f\\x61>, \"\\x00\\xff\", 2, 8) = 2\n\
                    7 fsync(3<\\x2f\\x61> <unfinished ...>\n\
                    8 writev(1<\\x70\\x69>, [{iov_base=\"\\x41\", iov_len=1}, {iov_base=\"\\x42\", iov_len=1}], 2) = 2\n\
                    8 +++ exited with 0 +++\n\
                    7 <... fsync resumed>) = 0\n\
                    9 fdatasync(3<\\x2f\\x61>(deleted)) = -1 EIO (Input/output error) (INJECTED)\n\
                    8 fsync(3<\\x2f\\x61><Cannot restart pid 8 with ptrace(PTRACE_SYSCALL): No such process>\n\
                    9 rename(\"\\x61\", \"\\x62\" <unfinished ...>\n";
        std::fs::write(&log, text).unwrap();
        let calls = calls(&log).unwrap();
        let mut names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
        // Which of those that were cut off began first is not known.
        names[5..].sort_unstable();
        assert_eq!(names, ["openat", "pwrite64", "writev", "fsync", "fdatasync", "fsync", "rename"]);
        assert_eq!(calls[0].path(1).unwrap(), Path::new("/a"));
        assert!(calls[0].has_flag(2, "O_CREAT") && calls[0].result == Some(3));
        assert_eq!((calls[1].bytes(1).unwrap(), calls[1].number(3)), (vec![0, 255], Some(8)));
        assert_eq!((calls[2].bytes(1).unwrap(), calls[2].descriptor(0)), (b"AB".to_vec(), None));
        assert_eq!((calls[3].begun, calls[3].descriptor(0)), (2, Some(Path::new("/a"))));
        assert_eq!((calls[4].result, calls[4].descriptor(0)), (None, None));
        assert!(calls[5..].iter().all(|call| call.result.is_none()));
    }
}
