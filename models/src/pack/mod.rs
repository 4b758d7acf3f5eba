//! A model pack: `pack.toml`, the networks that it names, and the centre vector, all checked against their hashes before anything reads them.
//!
//! A [`Pack`] in hand is whole: its manifest is valid and each file is the one that the manifest pins. What a network file means is checked
//! later, when [`Engine::load`](crate::Engine::load) builds it.

mod builtin;
mod manifest;
mod thresholds;

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use builtin::pinned_hash;
pub(crate) use manifest::{Alignment, Detector, DetectorKind, Landmarks, Manifest, Metric, Pixels, Recogniser};
pub use thresholds::{ChildThresholds, Thresholds};

use crate::limits::{MAX_CENTRE_BYTES, MAX_MANIFEST_BYTES, MAX_NETWORK_BYTES};

/// File name of the manifest within a pack.
pub const MANIFEST: &str = "pack.toml";

/// Why a pack was refused.
#[derive(Debug, Error)]
pub enum PackError {
    /// The program was built without the converted files.
    #[error("this build has no built-in model pack; run `make setup` and build again")]
    NotBuiltIn,
    /// A file of the pack cannot be read.
    #[error("cannot read {} of the model pack", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file is larger than any real one.
    #[error("the file {file} of the model pack is larger than {limit} bytes")]
    TooLarge {
        /// File name.
        file: String,
        /// The bound in bytes.
        limit: u64,
    },
    /// `pack.toml` is not valid TOML or lacks a field.
    #[error("the file pack.toml cannot be read")]
    Manifest(#[source] Box<toml::de::Error>),
    /// `pack.toml` has a value that makes no sense.
    #[error("in pack.toml: {0}")]
    Invalid(&'static str),
    /// A file is not the one that `pack.toml` pins.
    #[error("the file {file} of the model pack is damaged: its hash is {found}, pack.toml has {expected}")]
    Damaged {
        /// File name.
        file: String,
        /// BLAKE3 in `pack.toml`.
        expected: String,
        /// BLAKE3 of the file.
        found: String,
    },
    /// The centre file is not a JSON list with one finite number for each dimension.
    #[error("the centre file of the model pack is not a list of {expected} finite numbers")]
    Centre {
        /// Dimensions of an embedding.
        expected: usize,
    },
}

/// A whole model pack in memory.
#[derive(Clone)]
pub struct Pack {
    id: String,
    manifest: Manifest,
    detector: Cow<'static, [u8]>,
    landmarks: Option<Cow<'static, [u8]>>,
    recogniser: Cow<'static, [u8]>,
    centre: Vec<f32>,
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pack").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What is known of a pack without touching its networks.
#[derive(Debug, Clone)]
pub struct PackFacts {
    /// [`Pack::id`].
    pub id: String,
    /// The name for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Licence of the weights as the pack states it.
    pub licence: String,
    /// Where the weights come from, as the pack states it.
    pub provenance: String,
    /// [`Pack::centre`].
    pub centre: Vec<f32>,
    /// [`Pack::thresholds`].
    pub thresholds: Thresholds,
    /// The files beside `pack.toml`.
    pub files: Vec<PackFile>,
}

/// A file that `pack.toml` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFile {
    /// Its name in the pack's folder, fit for a file name everywhere.
    pub name: String,
    /// BLAKE3 in lowercase hex.
    pub blake3: String,
    /// Where it can be downloaded from, if the pack says so.
    pub url: Option<String>,
    /// The most bytes that it may have.
    pub limit: u64,
}

/// The file of the built-in pack with this BLAKE3 (lowercase hex), which other packs may be made of.
#[must_use]
pub fn builtin_file(blake3: &str) -> Option<&'static [u8]> {
    let manifest = Manifest::parse(builtin::MANIFEST).ok()?;
    let wanted = manifest.files().into_iter().find(|file| file.blake3 == blake3)?;
    let (_, bytes) = builtin::FILES?.iter().find(|(name, _)| *name == wanted.name)?;
    Some(bytes)
}

impl PackFacts {
    /// Of the pack that is part of this program. Reads none of its networks, so that they do not count as memory of a process that never runs
    /// them; [`Pack::builtin`] checks them where they are run.
    ///
    /// # Errors
    /// As [`Pack::builtin`], but for the networks.
    pub fn builtin() -> Result<Self, PackError> {
        let files = builtin::FILES.ok_or(PackError::NotBuiltIn)?;
        Self::read(|wanted| {
            if wanted == MANIFEST {
                return Ok(builtin::MANIFEST.as_bytes());
            }
            let found = files.iter().find(|(name, _)| *name == wanted).map(|(_, bytes)| *bytes);
            found.ok_or_else(|| io::ErrorKind::NotFound.into())
        })
    }

    /// Of a pack of which `open` gives `pack.toml` and the centre file; networks are not opened.
    ///
    /// # Errors
    /// As [`Pack::load`], but for the networks.
    pub fn read<R: Read>(open: impl Fn(&str) -> io::Result<R>) -> Result<Self, PackError> {
        let read = |file: &str, limit: u64| {
            let opened = open(file).map_err(|source| PackError::Read { path: file.into(), source })?;
            read_bounded(opened, file, limit)
        };
        Self::assemble(&read(MANIFEST, MAX_MANIFEST_BYTES)?, |centre| read(centre, MAX_CENTRE_BYTES))
    }

    /// The files that a `pack.toml` names, before any of them is there.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn files_of(manifest: &[u8]) -> Result<Vec<PackFile>, PackError> {
        if manifest.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(PackError::TooLarge { file: MANIFEST.to_owned(), limit: MAX_MANIFEST_BYTES });
        }
        Ok(Manifest::parse(text(manifest)?)?.files())
    }

    fn assemble(manifest: &[u8], read: impl Fn(&str) -> Result<Vec<u8>, PackError>) -> Result<Self, PackError> {
        let manifest = Manifest::parse(text(manifest)?)?;
        let numbers = manifest.centre.as_ref().map(|part| {
            let bytes = read(&part.file)?;
            check_hash(&part.file, &part.blake3, &bytes).map(|()| bytes)
        });
        Ok(Self {
            id: manifest.id(),
            centre: parse_centre(numbers.transpose()?.as_deref(), manifest.recogniser.dimensions)?,
            files: manifest.files(),
            thresholds: manifest.thresholds,
            name: manifest.name,
            version: manifest.version,
            licence: manifest.licence,
            provenance: manifest.provenance,
        })
    }
}

fn text(manifest: &[u8]) -> Result<&str, PackError> {
    std::str::from_utf8(manifest).map_err(|_| PackError::Invalid("it is not UTF-8"))
}

fn check_hash(file: &str, expected: &str, bytes: &[u8]) -> Result<(), PackError> {
    let found = blake3::hash(bytes).to_hex();
    if found.as_str() == expected {
        return Ok(());
    }
    Err(PackError::Damaged { file: file.to_owned(), expected: expected.to_owned(), found: found.to_string() })
}

impl Pack {
    /// The pack that is part of this program.
    ///
    /// # Errors
    /// [`PackError::NotBuiltIn`] when the program was built before the files were converted; others mean that the build is broken.
    pub fn builtin() -> Result<Self, PackError> {
        let files = builtin::FILES.ok_or(PackError::NotBuiltIn)?;
        Self::assemble(builtin::MANIFEST, |file, _| {
            let found = files.iter().find(|(name, _)| *name == file).map(|(_, bytes)| Cow::Borrowed(*bytes));
            found.ok_or_else(|| PackError::Read { path: file.into(), source: io::ErrorKind::NotFound.into() })
        })
    }

    /// A pack of which `open` gives each file by its name in the pack.
    ///
    /// # Errors
    /// As [`Pack::load`].
    pub fn read<R: Read>(open: impl Fn(&str) -> io::Result<R>) -> Result<Self, PackError> {
        let read = |file: &str, limit: u64| {
            let opened = open(file).map_err(|source| PackError::Read { path: file.into(), source })?;
            read_bounded(opened, file, limit)
        };
        let manifest = read(MANIFEST, MAX_MANIFEST_BYTES)?;
        Self::assemble(text(&manifest)?, |file, limit| read(file, limit).map(Cow::Owned))
    }

    /// A pack that the user added as a folder.
    ///
    /// # Errors
    /// When a file is missing, too large, or not the one that `pack.toml` pins, or when `pack.toml` makes no sense.
    pub fn load(folder: &Path) -> Result<Self, PackError> {
        Self::read(|file| std::fs::File::open(folder.join(file)))
    }

    fn assemble(
        manifest: &str,
        read: impl Fn(&str, u64) -> Result<Cow<'static, [u8]>, PackError>,
    ) -> Result<Self, PackError> {
        let manifest = Manifest::parse(manifest)?;
        let pinned = |file: &str, expected: &str, limit: u64| {
            let bytes = read(file, limit)?;
            check_hash(file, expected, &bytes).map(|()| bytes)
        };
        let (detector, recogniser) = (&manifest.detector, &manifest.recogniser);
        let landmarks = manifest.landmarks.as_ref();
        let landmarks = landmarks.map(|part| pinned(&part.file, &part.blake3, MAX_NETWORK_BYTES)).transpose()?;
        let numbers = manifest.centre.as_ref().map(|part| pinned(&part.file, &part.blake3, MAX_CENTRE_BYTES));
        Ok(Self {
            id: manifest.id(),
            centre: parse_centre(numbers.transpose()?.as_deref(), recogniser.dimensions)?,
            detector: pinned(&detector.file, &detector.blake3, MAX_NETWORK_BYTES)?,
            recogniser: pinned(&recogniser.file, &recogniser.blake3, MAX_NETWORK_BYTES)?,
            landmarks,
            manifest,
        })
    }

    /// `name@version-hash`. The hash covers what an embedding and a template depend on (landmarks, alignment, recogniser, centre), so two
    /// packs have the same id exactly when their embeddings may be compared.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Licence of the weights as the pack states it.
    #[must_use]
    pub fn licence(&self) -> &str {
        &self.manifest.licence
    }

    /// Where the weights come from, as the pack states it.
    #[must_use]
    pub fn provenance(&self) -> &str {
        &self.manifest.provenance
    }

    /// When two faces count as one person.
    #[must_use]
    pub fn thresholds(&self) -> &Thresholds {
        &self.manifest.thresholds
    }

    /// The vector that is taken off an embedding before it is made into a template: what all faces share.
    #[must_use]
    pub fn centre(&self) -> &[f32] {
        &self.centre
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(crate) fn detector(&self) -> &[u8] {
        &self.detector
    }

    pub(crate) fn landmarks(&self) -> Option<&[u8]> {
        self.landmarks.as_deref()
    }

    pub(crate) fn recogniser(&self) -> &[u8] {
        &self.recogniser
    }
}

fn read_bounded(from: impl Read, file: &str, limit: u64) -> Result<Vec<u8>, PackError> {
    let mut bytes = Vec::new();
    let read = from.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|source| PackError::Read { path: file.into(), source })?;
    if bytes.len() as u64 > limit {
        return Err(PackError::TooLarge { file: file.to_owned(), limit });
    }
    Ok(bytes)
}

/// Zero when the pack has no centre file.
fn parse_centre(json: Option<&[u8]>, expected: usize) -> Result<Vec<f32>, PackError> {
    let Some(json) = json else { return Ok(vec![0.0; expected]) };
    let numbers: Vec<f32> = serde_json::from_slice(json).map_err(|_| PackError::Centre { expected })?;
    if numbers.len() == expected && numbers.iter().all(|number| number.is_finite()) {
        Ok(numbers)
    } else {
        Err(PackError::Centre { expected })
    }
}
