//! `convert NPM_MODEL_DIR OUT_DIR`: writes the ONNX files of the built-in pack from the pinned package, and checks them against `pack.toml`.

use std::path::Path;
use std::process::ExitCode;

use inframe_models::convert::{Converted, convert_into};
use inframe_models::pinned_hash;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: convert NPM_MODEL_DIR OUT_DIR");
        return ExitCode::FAILURE;
    };
    match convert_into(Path::new(from), Path::new(to)) {
        Ok(converted) => report(&converted),
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Prints one line a file. A hash other than the pinned one is an error: the pack would be refused when it is loaded.
fn report(converted: &[Converted]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for net in converted {
        let hash = net.hash();
        println!("{:<16} {:>9} bytes  blake3 {hash}", net.file, net.onnx.len());
        if pinned_hash(net.file).as_deref() != Some(hash.as_str()) {
            eprintln!(
                "error: pack.toml pins another hash for {}; put the new one there if the change is meant",
                net.file
            );
            code = ExitCode::FAILURE;
        }
    }
    code
}
