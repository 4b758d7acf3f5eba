//! The doctor on one machine: what it says on the terminal, with a daemon, with a locked one and without one; faults of disk, clock and model pack.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use inframe_tests::cli;
use inframe_tests::daemon::{Daemon, Options, binary};
use inframe_tests::disk::{SmallDisk, fill};
use inframe_tests::doctor::Doctor;
use serde_json::json;

/// Size of the disk made for these tests, in MiB; a twentieth is kept free.
const DISK_MIB: u64 = 160;

/// `inframe` on a data folder, with ports of the dashboard and for nodes that nobody has.
fn on_folder(folder: &Path) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.env("INFRAME_P2P", "/ip4/127.0.0.1/tcp/0").env("INFRAME_DASHBOARD", "127.0.0.1:0");
    command.env("INFRAME_NO_MDNS", "true").arg("--data-dir").arg(folder);
    Ok(command)
}

#[tokio::test]
async fn the_terminal_shows_each_check_with_what_to_do_and_the_exit_code_says_whether_one_failed() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let said = cli::answer(&node, &["doctor"])?;
    let line =
        |words: &str| said.lines().find(|line| line.contains(words)).with_context(|| format!("no {words}: {said}"));
    // Tests listen on this machine alone, and without multicast.
    ensure!(line("Ports")?.starts_with("WARNING") && line("Ports")?.contains("this device alone"), "{said}");
    ensure!(line("-> Start the daemon with --p2p").is_ok(), "{said}");
    ensure!(line("Local discovery")?.starts_with("not checked"), "{said}");
    ensure!(line("Disk")?.contains(&node.data_dir().display().to_string()), "{said}");
    ensure!(line("Model pack")?.starts_with("good"), "{said}");
    ensure!(line("Notices")?.starts_with("good") && line("Notices")?.contains("sent nowhere"), "{said}");
    ensure!(line(" failed, ")?.contains(" good, "), "{said}");

    node.keep_free(Some("1000TB"));
    node.restart().await?;
    let full = cli::typed(&node, &["doctor"], &[])?;
    ensure!(full.status.code() == Some(1), "{}", cli::said(&full));
    ensure!(cli::said(&full).lines().any(|line| line.starts_with("FAILED") && line.contains("almost full")));
    Doctor::of(&node)?.expect("disk", "failed", "1000.0 TB are to be kept free", "empty the trash")?;
    node.keep_free(None);

    // Locked, and stopped: what needs no vault is checked all the same.
    node.restart().await?;
    cli::answer(&node, &["lock"])?;
    let locked = Doctor::of(&node)?;
    locked.expect("daemon", "warning", "vault is locked", "inframe unlock")?;
    ensure!(!locked.keys().contains(&"ports"), "its own ports would look taken");
    node.stop().await?;
    let stopped = Doctor::alone(on_folder(&node.data_dir())?)?;
    stopped.expect("daemon", "warning", "No daemon runs", "inframe run")?;
    stopped.expect("multicast", "not-checked", "--no-mdns", "Start the daemon without it")?;
    stopped.expect("ports", "good", "any port of 127.0.0.1", "")?;
    stopped.expect("disk", "good", "can be written", "")?;
    stopped.expect("models", "good", "it runs", "")?;
    Ok(())
}

#[tokio::test]
async fn what_was_saved_later_than_now_shows_a_clock_that_was_set_back() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    Doctor::of(&node)?.expect("clock", "good", "nothing saved here", "")?;
    let day = Duration::from_secs(24 * 3600);
    File::options().write(true).open(node.data_dir().join("lock"))?.set_modified(SystemTime::now() + day)?;
    Doctor::of(&node)?.expect("clock", "failed", "set back by 23 hours", "timedatectl")?;
    node.stop().await?;
    Doctor::alone(on_folder(&node.data_dir())?)?.expect("clock", "failed", "set back by 23 hours", "timedatectl")
}

#[tokio::test]
async fn a_disk_that_is_full_or_read_only_is_found() -> Result<()> {
    if !SmallDisk::is_possible("a disk for the doctor")? {
        return Ok(());
    }
    let node = Daemon::start_with(Options { disk_mib: Some(DISK_MIB), ..Options::local("Node") }).await?;
    Doctor::of(&node)?.expect("disk", "good", "can be written", "")?;
    let filler = fill(&node.data_dir(), 6 << 20)?;
    Doctor::of(&node)?.expect("disk", "failed", "almost full", "Delete something")?;
    fs::remove_file(filler)?;
    Doctor::of(&node)?.expect("disk", "good", "can be written", "")?;
    let left = fs::read_dir(node.data_dir())?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ensure!(left.into_iter().all(|name| !name.contains("doctor")), "the doctor has left something behind");

    let folder = tempfile::tempdir()?;
    let _disk = SmallDisk::mount(folder.path(), 4)?;
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(folder.path()).status()?;
    ensure!(remounted.success());
    Doctor::alone(on_folder(&folder.path().join("data"))?)?.expect("disk", "failed", "read-only", "system's log")
}

#[tokio::test]
async fn a_model_pack_that_is_damaged_or_gone_is_found_and_one_that_is_not_in_use_is_a_warning() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let builtin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/pack/face-api");
    let text = fs::read_to_string(builtin.join("pack.toml")).context("run `make setup` first")?;
    let source = tempfile::tempdir()?;
    fs::write(source.path().join("pack.toml"), text.replace("name = \"face-api\"", "name = \"plain\""))?;
    let added = node.api().add_model(&json!({ "folder": source.path() })).await?;
    let id = added.packs.iter().find(|pack| pack.id.starts_with("plain@")).context("no pack")?.id.clone();
    let pack = node.data_dir().join("models").join(&id);
    Doctor::of(&node)?.expect("models", "good", "face-api", "")?;

    let (toml, kept) = (pack.join("pack.toml"), pack.join("kept"));
    fs::rename(&toml, &kept)?;
    Doctor::of(&node)?.expect("models", "warning", &format!("Not usable: {id}"), "inframe models list")?;
    fs::rename(&kept, &toml)?;
    node.api().use_model(&id).await?;
    Doctor::of(&node)?.expect("models", "good", &id, "")?;

    // One byte of a network.
    let network = pack.join("recogniser.onnx");
    let whole = fs::read(&network)?;
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&network, damaged)?;
    let found = Doctor::of(&node)?;
    found.expect("models", "failed", &format!("No faces can be found: the model pack {id}"), "inframe models add")?;
    ensure!(!found.success);
    fs::remove_file(&network)?;
    Doctor::of(&node)?.expect("models", "failed", &id, "inframe models add")?;
    fs::write(&network, whole)?;
    Doctor::of(&node)?.expect("models", "good", &id, "")?;
    fs::remove_dir_all(&pack)?;
    Doctor::of(&node)?.expect("models", "failed", "its folder is gone", "inframe models add")?;
    node.stop().await?;
    // Without the vault nobody knows which one is in use: the built-in one is there and whole.
    Doctor::alone(on_folder(&node.data_dir())?)?.expect("models", "good", "face-api", "")
}
