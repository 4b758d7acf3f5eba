//! Fuzzes one target after the other, keeps the smallest corpus that reaches as much, and says how long it took.
//!
//! `fuzz-campaign FUZZER WORK_FOLDER SECONDS [TARGET...]`

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use data_encoding::HEXLOWER;
use inframe_fuzz::{TARGETS, Target, corpus};

/// Inputs of a corpus, and bytes of one, that are kept with the sources.
const KEPT: usize = 1_000;
const KEPT_BYTES: usize = 2_048;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [fuzzer, work, seconds, only @ ..] = arguments.as_slice() else {
        bail!("say which fuzzer, a folder to work in, and seconds for each target");
    };
    let seconds: u32 = seconds.parse().context("the seconds are no number")?;
    ensure!(only.iter().all(|name| TARGETS.iter().any(|target| target.name == name)), "no such target: {only:?}");
    let mut crashed = Vec::new();
    for target in TARGETS.iter().filter(|target| only.is_empty() || only.iter().any(|name| name == target.name)) {
        if !campaign(target, Path::new(fuzzer), Path::new(work), seconds)? {
            crashed.push(target.name);
        }
    }
    ensure!(crashed.is_empty(), "crashes in {crashed:?}: the inputs are in {work}");
    Ok(())
}

/// Gives whether nothing was found.
fn campaign(target: &Target, fuzzer: &Path, work: &Path, seconds: u32) -> Result<bool> {
    let folder = |name: &str| -> Result<PathBuf> {
        let folder = work.join(target.name).join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    let (grown, least) = (folder("grown")?, folder("least")?);
    for input in (target.seeds)().into_iter().chain(corpus(target.name)?) {
        fs::write(grown.join(HEXLOWER.encode(&blake3::hash(&input).as_bytes()[..16])), input)?;
    }
    let fuzz = |arguments: &[&str]| -> Result<(bool, String)> {
        let ended = Command::new(fuzzer)
            .args(["-max_len=4200", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", work.join(target.name).display()))
            .args(arguments)
            .env("INFRAME_FUZZ_TARGET", target.name)
            .stderr(Stdio::piped())
            .output()
            .with_context(|| format!("cannot run {}", fuzzer.display()))?;
        Ok((ended.status.success(), String::from_utf8_lossy(&ended.stderr).into_owned()))
    };
    let path = |folder: &Path| folder.display().to_string();
    let (sound, said) = fuzz(&[&format!("-max_total_time={seconds}"), &path(&grown)])?;
    if !sound {
        eprintln!("{said}");
    }
    fs::remove_dir_all(&least)?;
    let least = folder("least")?;
    let (merged, _) = fuzz(&["-merge=1", &path(&least), &path(&grown)])?;
    ensure!(merged || !sound, "{}: the corpus cannot be made smaller", target.name);
    let kept = keep(target.name, &least)?;
    let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")).unwrap_or("?").trim();
    let reached = said.rsplit(" cov: ").next().and_then(|rest| rest.split(' ').next()).unwrap_or("?");
    println!(
        "{}: {runs} inputs in {seconds} s of one core, {reached} places reached, {kept} inputs kept, {}",
        target.name,
        if sound { "nothing found" } else { "A CRASH" }
    );
    Ok(sound)
}

/// Writes the smallest inputs into the corpus of the sources, one a line.
fn keep(name: &str, folder: &Path) -> Result<usize> {
    let mut inputs: Vec<Vec<u8>> =
        fs::read_dir(folder)?.map(|file| Ok(fs::read(file?.path())?)).collect::<Result<_>>()?;
    inputs.retain(|input| !input.is_empty() && input.len() <= KEPT_BYTES);
    inputs.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    inputs.truncate(KEPT);
    let lines: String = inputs.iter().map(|input| HEXLOWER.encode(input) + "\n").collect();
    fs::write(inframe_fuzz::corpus_file(name), lines)?;
    Ok(inputs.len())
}
