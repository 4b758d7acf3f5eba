//! Decode processes that die under an import, and the owner's hold on the background.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use inframe_tests::api::Api;
use inframe_tests::cli::answer;
use inframe_tests::daemon::Daemon;
use inframe_tests::photos::{self, pattern};
use inframe_tests::scene::{WORKED, upload};
use inframe_tests::views::Import;
use inframe_tests::wait::{Seen, wait_until};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Kills in `make test`; `make chaos-worker` sets more.
const KILLS: u32 = 20;
/// A run that takes longer than this for one kill goes round in circles.
const LONGEST_PER_KILL: Duration = Duration::from_secs(30);

/// Decode processes of a daemon, by process id.
fn children(daemon: u32) -> BTreeSet<u32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return BTreeSet::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent(*pid) == Some(daemon)).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Kills one process, which may have ended by itself.
fn kill(pid: u32) -> Result<bool> {
    Ok(Command::new("kill").args(["-9", &pid.to_string()]).output().context("cannot run kill")?.status.success())
}

async fn finished(api: &Api, id: &str) -> Result<Import> {
    wait_until("the import", WORKED * 4, async || {
        let state = api.import_state(id).await?;
        Ok(if state.state == "done" { Seen::Done(state) } else { Seen::NotYet(format!("{state:?}")) })
    })
    .await
}

/// A reproducible row of numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// Kills random decode processes at random moments until `enough` or the import is over; gives how many died.
async fn kill_while_importing(node: &Daemon, import: &str, enough: u32, dice: &mut Dice) -> Result<u32> {
    let daemon = node.pid().context("the daemon does not run")?;
    let mut killed = 0;
    let mut tick = interval(Duration::from_millis(7));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while killed < enough && node.api().import_state(import).await?.state != "done" {
        for _ in 0..=dice.roll(12) {
            tick.tick().await;
        }
        let alive: Vec<u32> = children(daemon).into_iter().collect();
        if !alive.is_empty() {
            let chosen = alive[usize::try_from(dice.roll(alive.len() as u64))?];
            killed += u32::from(kill(chosen)?);
        }
    }
    Ok(killed)
}

#[tokio::test]
async fn workers_killed_at_random_lose_nothing_and_never_loop() -> Result<()> {
    let kills = match std::env::var("INFRAME_CHAOS_KILLS") {
        Ok(number) => number.parse().context("INFRAME_CHAOS_KILLS is no number")?,
        Err(_) => KILLS,
    };
    let seed = u64::from(std::process::id());
    let mut dice = Dice(seed);
    let node = Daemon::start("Node").await?;
    let begun = Instant::now();
    let mut given: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        let folder = node.photo_dir()?.join(format!("round {round}"));
        std::fs::create_dir(&folder)?;
        for number in 0..16 {
            let name = format!("{round}-{number}.jpg");
            let photo = photos::to_jpeg(&pattern(1200 + round, 900, number))?;
            std::fs::write(folder.join(&name), &photo)?;
            given.insert(name, photo);
        }
        let import = node.api().import(&folder).await?.id;
        killed += kill_while_importing(&node, &import, kills - killed, &mut dice).await?;
        let done = finished(node.api(), &import).await?;
        ensure!(done.total == 16 && done.duplicates == 0, "{done:?} (seed {seed})");
        ensure!(done.failed.is_empty(), "{done:?} (seed {seed})");
        ensure!(begun.elapsed() < LONGEST_PER_KILL * (killed + 1), "{killed} kills took {:?}", begun.elapsed());
        round += 1;
    }
    // What was hit three times is kept as a file and listed; another try without kills makes it a photo.
    let left = node.api().quarantine().await?;
    let library = node.api().status().await?.asset_count;
    ensure!(usize::try_from(library)? == given.len(), "{library} of {} (seed {seed})", given.len());
    for one in &left {
        ensure!(one.work == "reading" && one.reason.contains("killed"), "{one:?}");
        node.api().retry_quarantined(&one.id).await?;
    }
    wait_until("every photo", WORKED, async || {
        let all = node.api().assets().await?;
        let photos = all.iter().filter(|asset| asset.width > 0).count();
        let files: Vec<_> =
            all.iter().filter(|asset| asset.width == 0).map(|asset| (&asset.file_name, &asset.file)).collect();
        Ok(Seen::when((photos == given.len()).then_some(()), || format!("{photos} photos, and as files {files:?}")))
    })
    .await?;
    ensure!(node.api().quarantine().await?.is_empty());
    for asset in node.api().assets().await? {
        let photo = given.remove(&asset.file_name).with_context(|| format!("{} twice", asset.file_name))?;
        ensure!(node.api().original(&asset.id).await? == photo, "{} changed", asset.file_name);
    }
    println!("{killed} kills in {} rounds, {} times left alone, {:?}, seed {seed}", round, left.len(), begun.elapsed());
    Ok(())
}

/// Whether a process holds pixels of a large photo: then it is past reading the file, and its death speaks against it.
fn is_at_work(pid: u32) -> bool {
    const PAGES_OF_48_MIB: u64 = 48 * 256;
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok();
    pages.and_then(|line| line.split(' ').nth(1)?.parse().ok()).is_some_and(|pages: u64| pages > PAGES_OF_48_MIB)
}

/// Kills every decode process that works on it until the import is over.
async fn import_without_a_chance(node: &Daemon, file: &Path) -> Result<Import> {
    let daemon = node.pid().context("the daemon does not run")?;
    let import = node.api().import(file).await?.id;
    while node.api().import_state(&import).await?.state != "done" {
        for child in children(daemon).into_iter().filter(|child| is_at_work(*child)) {
            kill(child)?;
        }
    }
    finished(node.api(), &import).await
}

#[tokio::test]
async fn three_strikes_put_a_file_in_quarantine_over_restarts_until_the_owner_wants_another_try() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let file = node.photo_dir()?.join("large.jpg");
    std::fs::write(&file, photos::to_jpeg(&pattern(6000, 4500, 1))?)?;
    let done = import_without_a_chance(&node, &file).await?;
    ensure!(done.failed.is_empty(), "{done:?}");
    let listed = node.api().quarantine().await?;
    ensure!(listed.len() == 1 && listed[0].file_name == "large.jpg" && listed[0].work == "reading", "{listed:?}");
    ensure!(listed[0].reason.contains("killed"), "{listed:?}");

    node.restart().await?;
    ensure!(node.api().quarantine().await?.len() == 1, "forgotten at the restart");
    let again = finished(node.api(), &node.api().import(&file).await?.id).await?;
    ensure!(again.imported == 0 && again.duplicates == 1, "{again:?}");
    let kept = node.api().assets().await?;
    ensure!(kept.len() == 1 && kept[0].width == 0, "{kept:?}");
    ensure!(node.api().original(&kept[0].id).await? == std::fs::read(&file)?, "it is kept as it is");

    node.api().retry_quarantined(&listed[0].id).await?;
    wait_until("the photo", WORKED, async || {
        let all = node.api().assets().await?;
        Ok(Seen::when((all.len() == 1 && all[0].width == 6000).then_some(()), || format!("{all:?}")))
    })
    .await?;
    ensure!(node.api().quarantine().await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_paused_background_imports_nothing_until_it_may_go_on_and_stays_paused_over_a_restart() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let said = |arguments: &[&str]| answer(&node, arguments);
    ensure!(said(&["pause"])?.contains("rest"));
    ensure!(said(&["status"])?.contains("Background: paused"));
    ensure!(said(&["quarantine"])?.contains("No file is in quarantine"));
    let folder = node.photo_dir()?;
    std::fs::write(folder.join("one.jpg"), photos::to_jpeg(&pattern(320, 240, 1))?)?;
    let import = node.api().import(&folder).await?.id;
    let waits = wait_until("the listing of the folder", WORKED, async || {
        let state = node.api().import_state(&import).await?;
        Ok(Seen::when((state.total == 1).then_some(state.clone()), || format!("{state:?}")))
    })
    .await?;
    ensure!(waits.state == "running" && waits.imported == 0, "{waits:?}");
    // What somebody waits for goes on.
    upload(node.api(), "now.jpg", photos::to_jpeg(&pattern(320, 240, 2))?).await?;
    ensure!(node.api().import_state(&import).await?.imported == 0);

    node.restart().await?;
    ensure!(node.api().settings().await?.background_paused && node.api().status().await?.background_paused);
    let import = node.api().import(&folder).await?.id;
    ensure!(!node.api().pause_background(false).await?.background_paused);
    ensure!(finished(node.api(), &import).await?.imported == 1);
    Ok(())
}

#[tokio::test]
async fn the_owner_says_how_many_cores_decoding_gets() -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    let most = node.api().settings().await?.most_processes;
    ensure!(node.api().give_processes(0).await.is_err() && node.api().give_processes(most + 1).await.is_err());
    ensure!(node.api().give_processes(most).await?.processes == most);
    node.restart().await?;
    ensure!(node.api().settings().await?.processes == most, "forgotten at the restart");
    ensure!(node.api().give_processes(1).await?.processes == 1);
    for number in 0..4 {
        upload(node.api(), "photo.jpg", photos::to_jpeg(&pattern(320, 240, number))?).await?;
    }
    ensure!(children(node.pid().context("the daemon does not run")?).len() <= 1);
    Ok(())
}
