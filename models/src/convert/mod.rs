//! Turns the pinned weight files of the face-api package into the ONNX files of the built-in pack, bit for bit the same on every machine.
//!
//! The inputs are checked against pinned BLAKE3 hashes before they are parsed. All folding is done in `f64` and rounded once, with no
//! operation whose result may differ between machines (only `+ - * /` and `sqrt`), so the hashes in `pack.toml` hold everywhere.

pub(crate) mod graph;
mod landmarks;
mod recogniser;
mod ssd;
mod weights;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use weights::Weights;

/// Means of the red, green and blue channel that both the landmark net and the recogniser were trained with, on the scale 0..255.
const CHANNEL_MEANS: [f64; 3] = [122.782, 117.001, 104.298];

/// Both of those nets divide by this after the mean is taken off.
const PIXEL_SCALE: f64 = 255.0;

/// Why a conversion stopped.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// A weight file cannot be read.
    #[error("cannot read {}; install the pinned package with `npm ci` in `models` first", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// An ONNX file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A weight file is not the one that this conversion was written for.
    #[error(
        "{file} has hash {found}, not the pinned {expected}; install the exact version that `models/package.json` names"
    )]
    WrongInput {
        /// File name.
        file: &'static str,
        /// Pinned BLAKE3.
        expected: &'static str,
        /// BLAKE3 of what was read.
        found: String,
    },
    /// The manifest of a weight file is not what this conversion understands.
    #[error("the weights manifest cannot be read")]
    Manifest(#[source] serde_json::Error),
    /// A tensor reaches beyond the end of its file, or the file has bytes that no tensor claims.
    #[error("tensor {tensor} does not fit its weight file")]
    Layout {
        /// Tensor name.
        tensor: String,
    },
    /// A tensor that the architecture needs is absent or has another shape.
    #[error("tensor {tensor} is missing or is not of shape {expected:?}")]
    Tensor {
        /// Tensor name.
        tensor: String,
        /// The shape that the architecture has there.
        expected: Vec<usize>,
    },
}

/// One converted network.
#[derive(Debug, Clone)]
pub struct Converted {
    /// File name in the pack.
    pub file: &'static str,
    /// The ONNX file, complete.
    pub onnx: Vec<u8>,
}

impl Converted {
    /// BLAKE3 of the ONNX file in lowercase hex, as `pack.toml` has it.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(&self.onnx).to_hex().to_string()
    }
}

/// A weight file of the package with its manifest, and the hashes of both.
struct Source {
    bin: &'static str,
    bin_blake3: &'static str,
    manifest: &'static str,
    manifest_blake3: &'static str,
}

const SSD: Source = Source {
    bin: "ssd_mobilenetv1_model.bin",
    bin_blake3: "30599807e1c64e88a0a7a359c75c6b40fed72a80c36c8f5c876f5131b27a48b2",
    manifest: "ssd_mobilenetv1_model-weights_manifest.json",
    manifest_blake3: "07883c3618f86703bae50d526cdfb5785e6bcbb3a66c78b674f1596362d73b12",
};

const LANDMARKS: Source = Source {
    bin: "face_landmark_68_model.bin",
    bin_blake3: "400c2dfe6d0198e05f1ef8b73c742c33123567d1a95c5f6e44e279a705f1e5d6",
    manifest: "face_landmark_68_model-weights_manifest.json",
    manifest_blake3: "79cb0092f659776611c86194dd3a18dd2a68f8b69bd1e519dcf06ef98a50995c",
};

const RECOGNISER: Source = Source {
    bin: "face_recognition_model.bin",
    bin_blake3: "e839868b3e9dfce2f322f9122250dafe63ca605e24df79393b64f9724ef7b57c",
    manifest: "face_recognition_model-weights_manifest.json",
    manifest_blake3: "9e7cc607007bf6c350188c1745b5b20731309b05894098f48c317e21a57ef787",
};

impl Source {
    fn load(&self, folder: &Path) -> Result<Weights, ConvertError> {
        let manifest = read_pinned(folder, self.manifest, self.manifest_blake3)?;
        let bin = read_pinned(folder, self.bin, self.bin_blake3)?;
        Weights::parse(&manifest, &bin)
    }
}

fn read_pinned(folder: &Path, file: &'static str, expected: &'static str) -> Result<Vec<u8>, ConvertError> {
    let path = folder.join(file);
    let bytes = std::fs::read(&path).map_err(|source| ConvertError::Read { path, source })?;
    let found = blake3::hash(&bytes).to_hex().to_string();
    if found == expected { Ok(bytes) } else { Err(ConvertError::WrongInput { file, expected, found }) }
}

/// Converts the three networks of the built-in pack in memory. `folder` is the package's `model` folder.
///
/// # Errors
/// When a file is missing, is not the pinned one, or does not have the expected tensors.
pub fn convert(folder: &Path) -> Result<Vec<Converted>, ConvertError> {
    Ok(vec![
        Converted { file: "detector.onnx", onnx: ssd::build(&SSD.load(folder)?)? },
        Converted { file: "landmarks.onnx", onnx: landmarks::build(&LANDMARKS.load(folder)?)? },
        Converted { file: "recogniser.onnx", onnx: recogniser::build(&RECOGNISER.load(folder)?)? },
    ])
}

/// Converts and writes the files into `out`, each under a temporary name first, so that an interrupted run leaves no half file behind.
///
/// # Errors
/// As [`convert`], and when a file cannot be written.
pub fn convert_into(folder: &Path, out: &Path) -> Result<Vec<Converted>, ConvertError> {
    let converted = convert(folder)?;
    std::fs::create_dir_all(out).map_err(|source| ConvertError::Write { path: out.to_owned(), source })?;
    for net in &converted {
        let path = out.join(net.file);
        let partial = out.join(format!("{}.partial", net.file));
        std::fs::write(&partial, &net.onnx)
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|source| ConvertError::Write { path, source })?;
    }
    Ok(converted)
}
