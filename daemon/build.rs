//! Has the daemon built again when the dashboard that it embeds was built again.

use std::path::Path;

fn main() {
    let dist = Path::new("../webui/dist");
    // Cargo takes a missing folder for one that always changes, and would build the daemon anew each time.
    if let Err(error) = std::fs::create_dir_all(dist) {
        println!("cargo::warning=cannot make webui/dist: {error}");
    }
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rerun-if-changed=build.rs");
}
