//! The model pack that children find faces with: which one the daemon wants, and how a child comes by its files.
//!
//! A child cannot open a file once it is confined, so it opens those of its pack first, without reading a byte of them: `pack.toml` and networks
//! may be a stranger's work, and are parsed where nothing can be reached.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inframe_models::{Engine, Pack, PackFacts};

use super::limits::MAX_PACK_FILES;

/// A model pack for children to load; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its id, which a child checks: embeddings are labelled with it.
    pub id: Arc<str>,
    /// Its folder; `None` for the one that is part of the program.
    pub folder: Option<Arc<Path>>,
}

impl Model {
    /// The one that is part of the program. Its id is empty in a program that was built without one; no child loads it then.
    #[must_use]
    pub fn builtin() -> Self {
        let id = PackFacts::builtin().map(|facts| facts.id).unwrap_or_default();
        Self { id: id.into(), folder: None }
    }

    /// A pack in a folder.
    #[must_use]
    pub fn in_folder(id: &str, folder: PathBuf) -> Self {
        Self { id: id.into(), folder: Some(folder.into()) }
    }

    /// What a child is told on its command line; nothing for the pack that it has in itself.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let folder = |folder: &Arc<Path>| vec![PACK_ARGUMENT.into(), folder.as_os_str().to_owned(), (&*self.id).into()];
        self.folder.as_ref().map(folder).unwrap_or_default()
    }
}

/// What stands before folder and id on a child's command line.
pub(super) const PACK_ARGUMENT: &str = "pack";

/// Where a child has its pack from.
#[derive(Default)]
pub(super) enum ModelFiles {
    /// From the program itself.
    #[default]
    Builtin,
    /// From files that were opened before it was confined.
    Opened {
        /// The id that the pack must have.
        id: String,
        /// Names and files.
        files: Vec<(OsString, File)>,
    },
}

impl ModelFiles {
    /// Opens the files of a folder, or gives what says that it cannot; to be called before the child is confined.
    pub(super) fn open(folder: &Path, id: String) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in folder.read_dir()?.take(MAX_PACK_FILES) {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                files.push((entry.file_name(), File::open(entry.path())?));
            }
        }
        Ok(Self::Opened { id, files })
    }

    /// Loads the networks, or says in words what is wrong.
    pub(super) fn load(&self) -> Result<Engine, String> {
        let pack = match self {
            Self::Builtin => Pack::builtin(),
            Self::Opened { files, .. } => Pack::read(|name| {
                let found = files.iter().find(|(known, _)| known == name);
                let (_, mut file) = found.map(|(name, file)| (name, file)).ok_or(io::ErrorKind::NotFound)?;
                file.seek(SeekFrom::Start(0))?;
                Ok(file)
            }),
        };
        let pack = pack.map_err(|error| in_words(&error))?;
        match self {
            Self::Opened { id, .. } if pack.id() != id => {
                Err(format!("its folder now holds {}, not {id}; add the pack again", pack.id()))
            }
            _ => Engine::load(&pack).map_err(|error| in_words(&error)),
        }
    }
}

/// An error with its causes.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
