//! Packs in folders: a whole one loads, and each way in which one can be damaged has its own clear error.

#![allow(clippy::unwrap_used, clippy::panic, reason = "everything here is a test or only called by one")]

use std::path::{Path, PathBuf};

use inframe_models::limits::MAX_CENTRE_BYTES;
use inframe_models::{Engine, EngineError, Pack, PackError, convert};
use tempfile::TempDir;

const FILES: [&str; 5] = ["pack.toml", "centre.json", "detector.onnx", "landmarks.onnx", "recogniser.onnx"];

fn builtin_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pack/face-api")
}

/// A copy of the built-in pack that a test may damage.
struct Copy(TempDir);

impl Copy {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for file in FILES {
            std::fs::copy(builtin_folder().join(file), folder.path().join(file)).unwrap();
        }
        Self(folder)
    }

    fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.0.path().join(file)).unwrap()
    }

    fn write(&self, file: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(file), bytes).unwrap();
    }

    /// Another file under this name, which `pack.toml` pins as if it had been meant.
    fn replace(&self, file: &str, bytes: &[u8]) {
        let old = blake3::hash(&self.read(file)).to_hex();
        self.write(file, bytes);
        self.change_manifest(&old, &blake3::hash(bytes).to_hex());
    }

    fn change_manifest(&self, from: &str, to: &str) {
        let manifest = String::from_utf8(self.read("pack.toml")).unwrap();
        assert!(manifest.contains(from), "{from}");
        self.write("pack.toml", manifest.replace(from, to).as_bytes());
    }

    fn load(&self) -> Result<Pack, PackError> {
        Pack::load(self.0.path())
    }

    fn engine_error(&self) -> EngineError {
        Engine::load(&self.load().unwrap()).unwrap_err()
    }
}

#[test]
fn a_folder_with_the_builtin_pack_is_the_builtin_pack() {
    let (copy, builtin) = (Copy::new().load().unwrap(), Pack::builtin().unwrap());
    assert_eq!(copy.id(), builtin.id());
    assert_eq!((copy.centre(), copy.thresholds()), (builtin.centre(), builtin.thresholds()));
    assert_eq!(copy.centre().len(), 128);
}

#[test]
fn one_changed_byte_in_any_file_is_named() {
    let copy = Copy::new();
    for file in &FILES[1..] {
        let whole = copy.read(file);
        let mut damaged = whole.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        copy.write(file, &damaged);
        let error = copy.load().unwrap_err();
        assert!(matches!(&error, PackError::Damaged { file: named, .. } if named == file), "{error}");
        assert!(error.to_string().contains(file), "{error}");
        copy.write(file, &whole);
    }
    assert!(copy.load().is_ok());
}

#[test]
fn an_absent_file_is_named() {
    let copy = Copy::new();
    std::fs::remove_file(copy.0.path().join("landmarks.onnx")).unwrap();
    let error = copy.load().unwrap_err();
    assert!(matches!(&error, PackError::Read { path, .. } if path.ends_with("landmarks.onnx")), "{error}");
    assert!(matches!(Pack::load(Path::new("/nowhere")), Err(PackError::Read { .. })));
}

#[test]
fn d7_a_file_over_its_limit_is_refused() {
    let copy = Copy::new();
    copy.write("centre.json", &vec![b' '; MAX_CENTRE_BYTES as usize + 1]);
    let error = copy.load().unwrap_err();
    assert!(matches!(error, PackError::TooLarge { limit: MAX_CENTRE_BYTES, .. }), "{error}");
}

#[test]
fn a_centre_of_another_length_is_refused() {
    for centre in ["[1.0, 2.0]", "{}", "[]", "[1e99]"] {
        let copy = Copy::new();
        copy.replace("centre.json", centre.as_bytes());
        assert!(matches!(copy.load(), Err(PackError::Centre { expected: 128 })), "{centre}");
    }
}

#[test]
fn another_centre_gives_another_id() {
    let copy = Copy::new();
    let centre = String::from_utf8(copy.read("centre.json")).unwrap().replacen("0.", "0.0", 1);
    copy.replace("centre.json", centre.as_bytes());
    assert_ne!(copy.load().unwrap().id(), Pack::builtin().unwrap().id());
}

#[test]
fn a_file_that_is_no_network_is_refused_by_the_engine() {
    let whole = Copy::new().read("landmarks.onnx");
    for bytes in [&b"not a network"[..], &[], &whole[..whole.len() / 2]] {
        let copy = Copy::new();
        copy.replace("landmarks.onnx", bytes);
        let error = copy.engine_error();
        assert!(matches!(&error, EngineError::Network { file, .. } if file == "landmarks.onnx"), "{error}");
        assert!(error.to_string().contains("landmarks.onnx"), "{error}");
    }
}

#[test]
fn a_network_with_other_outputs_is_refused_by_the_engine() {
    let copy = Copy::new();
    copy.replace("recogniser.onnx", &copy.read("landmarks.onnx"));
    copy.change_manifest("input = 150", "input = 112");
    let error = copy.engine_error();
    assert!(matches!(&error, EngineError::Shape { file, .. } if file == "recogniser.onnx"), "{error}");
    assert!(error.to_string().contains("descriptor"), "{error}");
}

#[test]
fn a_network_that_does_not_take_the_stated_input_is_refused_by_the_engine() {
    let copy = Copy::new();
    copy.change_manifest("\nboxes = 5118", "\nboxes = 5119");
    let error = copy.engine_error();
    assert!(matches!(&error, EngineError::Shape { file, .. } if file == "detector.onnx"), "{error}");
}

#[test]
fn conversion_gives_the_pinned_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/@vladmandic/face-api/model");
    let out = TempDir::new().unwrap();
    for converted in convert::convert_into(&folder, out.path()).unwrap() {
        assert_eq!(Some(converted.hash()), inframe_models::pinned_hash(converted.file), "{}", converted.file);
        assert_eq!(std::fs::read(out.path().join(converted.file)).unwrap(), converted.onnx);
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 3, "only the three files are left");
}

#[test]
fn conversion_of_absent_and_of_other_weights_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let error = convert::convert(folder.path()).unwrap_err();
    assert!(error.to_string().contains("npm ci"), "{error}");
    std::fs::write(folder.path().join("ssd_mobilenetv1_model-weights_manifest.json"), "[]").unwrap();
    let error = convert::convert(folder.path()).unwrap_err();
    assert!(matches!(error, convert::ConvertError::WrongInput { .. }), "{error}");
    assert!(error.to_string().contains("models/package.json"), "{error}");
}
