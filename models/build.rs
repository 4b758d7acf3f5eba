//! Tells the crate whether the converted files of the built-in pack are there to be embedded.

use std::path::Path;

/// What `src/pack/builtin.rs` embeds.
const FILES: [&str; 3] = ["detector.onnx", "landmarks.onnx", "recogniser.onnx"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(builtin_pack)");
    let folder = Path::new("pack/face-api");
    for file in FILES {
        println!("cargo::rerun-if-changed={}", folder.join(file).display());
    }
    println!("cargo::rerun-if-changed=pack/face-api/pack.toml");
    if FILES.iter().all(|file| folder.join(file).is_file()) {
        println!("cargo::rustc-cfg=builtin_pack");
    } else {
        // No error here: the `convert` program that makes the files is part of this crate. Without them `Pack::builtin` says what to do.
        println!("cargo::warning=the built-in model pack is missing; run `make setup` to convert it");
    }
}
