//! A model pack: `pack.toml`, the networks that it names, and the centre vector, all checked against their hashes before anything reads them.
//!
//! A [`Pack`] in hand is whole: its manifest is valid and each file is the one that the manifest pins. What a network file means is checked
//! later, when [`Engine::load`](crate::Engine::load) builds it.

mod builtin;
mod manifest;

use std::borrow::Cow;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use builtin::pinned_hash;
pub use manifest::Thresholds;
pub(crate) use manifest::{Detector, DetectorKind, Landmarks, Manifest, Recogniser};

use crate::limits::{MAX_CENTRE_BYTES, MAX_MANIFEST_BYTES, MAX_NETWORK_BYTES};

/// File name of the manifest within a pack.
const MANIFEST: &str = "pack.toml";

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
    #[error("{file} of the model pack is larger than {limit} bytes")]
    TooLarge {
        /// File name.
        file: String,
        /// The bound in bytes.
        limit: u64,
    },
    /// `pack.toml` is not valid TOML or lacks a field.
    #[error("pack.toml cannot be read")]
    Manifest(#[source] Box<toml::de::Error>),
    /// `pack.toml` has a value that makes no sense.
    #[error("pack.toml: {0}")]
    Invalid(&'static str),
    /// A file is not the one that `pack.toml` pins.
    #[error("{file} of the model pack is damaged: its hash is {found}, pack.toml has {expected}")]
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
    landmarks: Cow<'static, [u8]>,
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
    /// [`Pack::centre`].
    pub centre: Vec<f32>,
    /// [`Pack::thresholds`].
    pub thresholds: Thresholds,
}

impl PackFacts {
    /// Of the pack that is part of this program. Reads none of its networks, so that they do not count as memory of a process that never runs
    /// them; [`Pack::builtin`] checks them where they are run.
    ///
    /// # Errors
    /// As [`Pack::builtin`], but for the networks.
    pub fn builtin() -> Result<Self, PackError> {
        let files = builtin::FILES.ok_or(PackError::NotBuiltIn)?;
        let manifest = Manifest::parse(builtin::MANIFEST)?;
        let numbers = files.iter().find(|(name, _)| *name == manifest.centre.file).map_or(&[][..], |(_, bytes)| bytes);
        Ok(Self {
            id: manifest.id(),
            centre: parse_centre(numbers, manifest.recogniser.dimensions)?,
            thresholds: manifest.thresholds,
        })
    }
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

    /// A pack that the user added as a folder.
    ///
    /// # Errors
    /// When a file is missing, too large, or not the one that `pack.toml` pins, or when `pack.toml` makes no sense.
    pub fn load(folder: &Path) -> Result<Self, PackError> {
        let manifest = read_bounded(folder, MANIFEST, MAX_MANIFEST_BYTES)?;
        let manifest = String::from_utf8(manifest).map_err(|_| PackError::Invalid("it is not UTF-8"))?;
        Self::assemble(&manifest, |file, limit| read_bounded(folder, file, limit).map(Cow::Owned))
    }

    fn assemble(
        manifest: &str,
        read: impl Fn(&str, u64) -> Result<Cow<'static, [u8]>, PackError>,
    ) -> Result<Self, PackError> {
        let manifest = Manifest::parse(manifest)?;
        let pinned = |file: &str, expected: &str, limit: u64| {
            let bytes = read(file, limit)?;
            let found = blake3::hash(&bytes).to_hex();
            if found.as_str() == expected {
                return Ok(bytes);
            }
            Err(PackError::Damaged { file: file.to_owned(), expected: expected.to_owned(), found: found.to_string() })
        };
        let (detector, landmarks) = (&manifest.detector, &manifest.landmarks);
        let (recogniser, centre) = (&manifest.recogniser, &manifest.centre);
        let numbers = pinned(&centre.file, &centre.blake3, MAX_CENTRE_BYTES)?;
        Ok(Self {
            id: manifest.id(),
            centre: parse_centre(&numbers, recogniser.dimensions)?,
            detector: pinned(&detector.file, &detector.blake3, MAX_NETWORK_BYTES)?,
            landmarks: pinned(&landmarks.file, &landmarks.blake3, MAX_NETWORK_BYTES)?,
            recogniser: pinned(&recogniser.file, &recogniser.blake3, MAX_NETWORK_BYTES)?,
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

    pub(crate) fn landmarks(&self) -> &[u8] {
        &self.landmarks
    }

    pub(crate) fn recogniser(&self) -> &[u8] {
        &self.recogniser
    }
}

fn read_bounded(folder: &Path, file: &str, limit: u64) -> Result<Vec<u8>, PackError> {
    let path = folder.join(file);
    let mut bytes = Vec::new();
    std::fs::File::open(&path)
        .and_then(|opened| opened.take(limit + 1).read_to_end(&mut bytes))
        .map_err(|source| PackError::Read { path, source })?;
    if bytes.len() as u64 > limit {
        return Err(PackError::TooLarge { file: file.to_owned(), limit });
    }
    Ok(bytes)
}

fn parse_centre(json: &[u8], expected: usize) -> Result<Vec<f32>, PackError> {
    let numbers: Vec<f32> = serde_json::from_slice(json).map_err(|_| PackError::Centre { expected })?;
    if numbers.len() == expected && numbers.iter().all(|number| number.is_finite()) {
        Ok(numbers)
    } else {
        Err(PackError::Centre { expected })
    }
}
