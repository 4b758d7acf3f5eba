//! A byte scan of a folder for things that must not be there (D3).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Something planted whose bytes must not turn up on disk.
pub struct Canary {
    /// What it is, for the message.
    pub what: String,
    /// Its bytes; long enough (8 and more) not to turn up by chance in ciphertext.
    pub bytes: Vec<u8>,
}

impl Canary {
    /// A canary with the name `what`.
    pub fn new(what: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { what: what.into(), bytes: bytes.into() }
    }
}

/// Every regular file below `folder`.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Where canaries were found below `folder`: in a file's content or in a path. Empty is what one hopes for. A daemon may be at work there: what it
/// removes meanwhile is passed over.
///
/// # Errors
/// When a file cannot be read.
pub fn find(folder: &Path, canaries: &[Canary]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in files(folder)? {
        let content = match std::fs::read(&path) {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
        for canary in canaries {
            if contains(&content, &canary.bytes) {
                found.push(format!("{} in {name}", canary.what));
            }
            if contains(name.as_bytes(), &canary.bytes) {
                found.push(format!("{} in the path {name}", canary.what));
            }
        }
    }
    Ok(found)
}

/// Whether `needle` is in `hay`; nothing is in nothing.
#[must_use]
pub fn contains(hay: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && memchr::memmem::find(hay, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_canary_in_content_and_in_a_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep/plain-canary"), b"..secret-canary..").unwrap();
        let canaries = [
            Canary::new("content", b"secret-canary"),
            Canary::new("path", b"plain-canary"),
            Canary::new("absent", b"nothing-here"),
        ];
        assert_eq!(
            find(folder.path(), &canaries).unwrap(),
            ["content in deep/plain-canary", "path in the path deep/plain-canary"]
        );
    }
}
