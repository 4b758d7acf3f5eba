//! Writes pictures of a head that looks straight, left, right and up into a folder, for the browser test's camera.

use std::path::PathBuf;

use anyhow::{Context, Result};
use inframe_tests::heads::{jpeg, turn};

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("usage: heads FOLDER")?);
    for ask in ["straight", "left", "right", "up"] {
        let path = folder.join(format!("{ask}.jpg"));
        std::fs::write(&path, jpeg(turn(ask)?)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
