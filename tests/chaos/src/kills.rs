//! Real daemons killed at random moments, while photos come in, are looked at, and travel from one to the other; and the command that changes keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use inframe_tests::{
    api::Api,
    daemon::{Daemon, binary},
    jpeg::picture_hash,
    photos::{self, Exif, Variation},
    scan::{self, Canary},
    scene::{self, Scene},
    wait::{Seen, wait_until},
};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::{
    check::START_LIMIT,
    dice::Dice,
    outcome::{Outcome, Plan},
    story::CANARY,
};

/// Kills of one daemon before a fresh one takes its place, so that the checks stay quick.
const KILLS_PER_NODE: usize = 25;
/// The longest that a daemon runs before it is killed: some uploads, and their faces.
const LONGEST_RUN: Duration = Duration::from_millis(700);
/// The longest that a start runs before it is killed: a whole one takes about as long.
const LONGEST_START: Duration = Duration::from_millis(350);
/// The longest that a change of keys runs before it is killed.
const LONGEST_CHANGE: Duration = Duration::from_millis(250);
/// The longest that a transfer runs before one of the nodes is killed.
const LONGEST_TRANSFER: Duration = Duration::from_millis(1500);
/// One kill in so many comes while the daemon starts, and one in so many while keys are changed.
const STARTS: usize = 5;
const KEY_CHANGES: usize = 6;
/// Different photos.
pub(crate) const PHOTOS: usize = 1_000_000;
/// The passphrase that is added.
const PASSPHRASE: &str = "four words and a canary";

/// The campaign.
///
/// # Errors
/// When daemons cannot be run at all; a promise that is broken is counted instead.
pub async fn run(plan: Plan) -> Result<Outcome> {
    let (alone, sharing) = plan.pick((850, 150), (17, 3));
    let mut outcome = Outcome::begin("kill at random moments", plan, alone + sharing);
    let mut dice = Dice::of(plan.seed, "kills");
    if let Err(error) = three_nodes(sharing, &mut dice, &mut outcome).await {
        outcome.violated(format!("nodes that share: {error:#}"));
    }
    let mut left = alone;
    while left > 0 && !outcome.is_over() {
        let kills = left.min(KILLS_PER_NODE);
        left -= kills;
        if let Err(error) = one_node(kills, &mut dice, &mut outcome).await {
            outcome.violated(format!("a node alone: {error:#}"));
        }
    }
    Ok(outcome.ended())
}

/// What one daemon has acknowledged.
#[derive(Default)]
pub(crate) struct Owed {
    pub(crate) photos: BTreeMap<String, blake3::Hash>,
    /// Photos that were deleted for good.
    gone: BTreeSet<String>,
    events: BTreeMap<String, String>,
    /// The last acknowledged number of processes, and the ones that were asked for after it.
    processes: Vec<u32>,
}

/// Loops over the deeds of a user until it is cut off. A new one is one more arm, and one more field of what is owed.
async fn deeds(api: &Api, numbers: &mut Dice, owed: &mut Owed) -> Result<()> {
    loop {
        let number = numbers.below(PHOTOS) as u32;
        match number % 10 {
            0 => {
                let name = format!("{CANARY} {number}");
                let id = api.create_event(&name).await?.id;
                owed.events.insert(id, name);
            }
            1 => {
                let processes = 1 + number / 10 % 2;
                owed.processes.push(processes);
                api.give_processes(processes).await?;
                owed.processes = vec![processes];
            }
            2 | 3 => {
                let Some((id, hash)) = owed.photos.iter().nth(number as usize / 10 % owed.photos.len().max(1)) else {
                    continue;
                };
                // Neither here nor there until it is acknowledged.
                let (id, hash) = (id.clone(), *hash);
                owed.photos.remove(&id);
                api.move_to_trash(&id).await?;
                if number % 10 == 2 {
                    api.purge(&[id.as_str()]).await?;
                    owed.gone.insert(id);
                } else {
                    api.restore(&[id.as_str()]).await?;
                    owed.photos.insert(id, hash);
                }
            }
            4 => _ = api.run_backup().await?,
            _ => {
                let bytes = photo(number)?;
                let id = scene::upload(api, &format!("{CANARY}-{number}.jpg"), bytes.clone()).await?;
                owed.photos.insert(id, blake3::hash(&bytes));
            }
        }
    }
}

/// A small photo of its own, some with a face, with a canary in its metadata.
pub(crate) fn photo(number: u32) -> Result<Vec<u8>> {
    let exif = Exif { model: Some(CANARY.to_owned()), serial: Some(format!("{CANARY} {number}")), ..Exif::default() };
    let plain = if number.is_multiple_of(4) {
        photos::varied(number / 4 % 6 + 1, Variation::Smaller(400))?
    } else {
        photos::to_jpeg(&photos::pattern(500 + number % 300, 400, number))?
    };
    photos::with_exif(&plain, &exif)
}

fn up_to(limit: Duration, dice: &mut Dice) -> Duration {
    limit.mul_f64(dice.below(1000) as f64 / 1000.0)
}

async fn one_node(kills: usize, dice: &mut Dice, outcome: &mut Outcome) -> Result<()> {
    let mut node = Daemon::start("Node").await?;
    scene::agree(node.api()).await?;
    let disk = node.folder().join("disk");
    std::fs::create_dir(&disk)?;
    node.api().change_backup(&json!({ "folder": disk, "every_hours": 0 })).await?;
    let mut owed = Owed::default();
    for _ in 0..kills {
        let mut numbers = Dice::of(dice.below(usize::MAX) as u64, "deeds");
        let api = node.api().clone();
        tokio::select! {
            failed = deeds(&api, &mut numbers, &mut owed) => failed.context("a deed was refused")?,
            () = tokio::time::sleep(up_to(LONGEST_RUN, dice)) => {}
        }
        node.kill().await?;
        let mut fault = "import, index, settings, trash, backup";
        if dice.below(STARTS) == 0 {
            fault = "start";
            tokio::select! {
                started = node.restart() => started?,
                () = tokio::time::sleep(up_to(LONGEST_START, dice)) => {}
            }
            node.kill().await?;
            unlocked(&node).await?;
        } else if dice.below(KEY_CHANGES) == 0 {
            fault = "key change";
            change_keys(&node, up_to(LONGEST_CHANGE, dice)).await?;
            unlocked(&node).await?;
        }
        let end = match start_again(&mut node).await {
            Ok(()) => held(&node, &owed).await,
            failed => failed,
        };
        if let Err(error) = &end {
            outcome.violated(format!("killed during {fault}: {error:#}"));
        }
        outcome.count(fault, if end.is_ok() { "everything there after the start" } else { "violated" });
        end?;
    }
    // Whatever was interrupted is done in the end.
    scene::wait_for_rest(&node).await?;
    node.stop().await?;
    node.restart().await?;
    held(&node, &owed).await?;
    sound(&node).await?;
    node.stop().await?;
    no_canary(&node)
}

/// Every file is as it was written, here and in the backup.
async fn sound(node: &Daemon) -> Result<()> {
    let began = node.api().backup().await?.last_at;
    node.api().run_backup().await?;
    wait_until("the last backup", scene::WORKED, async || {
        let now = node.api().backup().await?;
        let done = now.running.is_none() && (now.last_at > began || now.problem.is_some());
        Ok(if done { Seen::Done(()) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await?;
    node.api().check_backup().await?;
    node.api().run_verify(false).await?;
    wait_until("the look at every file", scene::WORKED, async || {
        let (backup, now) = (node.api().backup().await?, node.api().verify().await?);
        ensure!(backup.problem.is_none(), "the backup: {backup:?}");
        ensure!(now.damaged_total == 0 && now.problem.is_none(), "damaged: {now:?}");
        let done = backup.checked_at.is_some() && now.last_at.is_some() && now.running.is_none();
        Ok(if done { Seen::Done(()) } else { Seen::NotYet(format!("{now:?}")) })
    })
    .await
}

/// Starts it with nobody's help.
pub(crate) async fn start_again(node: &mut Daemon) -> Result<()> {
    let began = Instant::now();
    node.restart().await?;
    ensure!(began.elapsed() <= START_LIMIT, "the start took {} s", began.elapsed().as_secs_f32());
    Ok(())
}

/// Waits until a process that was killed has let go of the data folder.
async fn unlocked(node: &Daemon) -> Result<()> {
    let lock = node.data_dir().join("lock");
    wait_until("the end of the killed process", scene::SOON, async || {
        let file = std::fs::File::open(&lock)?;
        Ok(Seen::when(file.try_lock().ok(), || "locked".to_owned()))
    })
    .await
}

/// Adds a passphrase, and is killed after some time unless it is done by then.
async fn change_keys(node: &Daemon, kill_after: Duration) -> Result<()> {
    let mut command = tokio::process::Command::new(binary()?);
    command.args(["keys", "add", "passphrase", "--data-dir"]).arg(node.data_dir());
    command.env("INFRAME_KEY_FILE", node.key_file());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    // A command that is killed does not read.
    let _ = input.write_all(format!("{PASSPHRASE}\n{PASSPHRASE}\n").as_bytes()).await;
    drop(input);
    tokio::select! {
        ended = child.wait() => ensure!(ended?.success(), "the passphrase was not taken"),
        () = tokio::time::sleep(kill_after) => child.kill().await?,
    }
    Ok(())
}

/// Everything that was acknowledged is there, and everything that is listed is whole.
pub(crate) async fn held(node: &Daemon, owed: &Owed) -> Result<()> {
    let api = node.api();
    let listed = api.assets().await?;
    let ids: BTreeSet<&str> = listed.iter().map(|asset| asset.id.as_str()).collect();
    for id in owed.photos.keys() {
        ensure!(ids.contains(id.as_str()), "lost: an acknowledged photo is not listed");
    }
    ensure!(owed.gone.iter().all(|id| !ids.contains(id.as_str())), "deleted came back: a photo is listed");
    let trash = api.trash(None, 1000).await?;
    ensure!(trash.items.iter().all(|item| !owed.gone.contains(&item.id)), "deleted came back: it is in the trash");
    for asset in &listed {
        let hash = blake3::hash(&api.original(&asset.id).await?);
        ensure!(hash.to_hex().as_str() == asset.content_id, "wrong pixels: a photo has other bytes than it says");
        ensure!(owed.photos.get(&asset.id).is_none_or(|promised| *promised == hash), "wrong pixels: another photo");
        api.thumb(&asset.id, "grid").await.context("half there: a photo without a thumbnail")?;
    }
    let events: BTreeMap<String, String> =
        api.events().await?.into_iter().map(|event| (event.id, event.name)).collect();
    for (id, name) in &owed.events {
        ensure!(events.get(id) == Some(name), "lost: an acknowledged event is not there");
    }
    let processes = api.settings().await?.processes;
    ensure!(owed.processes.is_empty() || owed.processes.contains(&processes), "lost: a setting is an older one");
    Ok(())
}

/// No word of a photo, its name or its metadata is in any file that the daemon wrote.
fn no_canary(node: &Daemon) -> Result<()> {
    let canaries = [Canary::new("the canary", CANARY), Canary::new("a part of the canary", &CANARY[..16])];
    let found = scan::find(node.folder(), &canaries)?;
    ensure!(found.is_empty(), "plain text on the disk: {found:?}");
    panics_in(&node.log()?)
}

/// No part of ours panicked.
pub(crate) fn panics_in(log: &str) -> Result<()> {
    // The vault takes a panic of the database for damage.
    match log.lines().find(|line| line.contains("panicked at") && !line.contains("/sled-")) {
        Some(line) => bail!("a panic: {line}"),
        None => Ok(()),
    }
}

/// A photographer whose photos go to a finder, while either of them or the host is killed.
async fn three_nodes(kills: usize, dice: &mut Dice, outcome: &mut Outcome) -> Result<()> {
    let mut scene = Scene::gather("automatic").await?;
    scene::announce(scene.finder.api(), &scene.event).await?;
    let mut sent = BTreeSet::new();
    for kill in 0..kills {
        // Half of the time is for nodes alone.
        let last = kill + 1 == kills || outcome.is_past(0.5);
        // Each darker by a little, so that each is another photo of her.
        let bytes = photos::varied(1, Variation::Darker(0.95 - kill as f32 * 0.001))?;
        scene::upload(scene.photographer.api(), "hers.jpg", bytes.clone()).await?;
        sent.insert(picture_hash(&bytes)?);
        tokio::time::sleep(up_to(LONGEST_TRANSFER, dice)).await;
        let (victim, fault) = match dice.below(5) {
            0 => (&mut scene.host, "share: the host"),
            1 | 2 => (&mut scene.photographer, "share: the sender"),
            _ => (&mut scene.finder, "receive: the finder"),
        };
        victim.kill().await?;
        let end = start_again(victim).await;
        if let Err(error) = &end {
            outcome.violated(format!("killed during {fault}: {error:#}"));
        }
        outcome.count(fault, if end.is_ok() { "everything there after the start" } else { "violated" });
        end?;
        if kill % 10 == 9 || last {
            arrived(&scene, &sent).await?;
        }
        // A node may announce itself a few times a day only.
        if kill % 50 == 49 || last {
            withdrawn(&mut scene).await?;
        }
        if last {
            break;
        }
    }
    for node in [&mut scene.host, &mut scene.photographer, &mut scene.finder] {
        node.stop().await?;
        panics_in(&node.log()?)?;
    }
    Ok(())
}

/// Every photo arrives, once.
async fn arrived(scene: &Scene, sent: &BTreeSet<String>) -> Result<()> {
    scene.wait_for_received(sent.len()).await?;
    scene.wait_for_rest().await?;
    let mut got = BTreeSet::new();
    let received = scene::received(scene.finder.api()).await?;
    for asset in &received {
        got.insert(picture_hash(&scene.finder.api().original(&asset.id).await?)?);
    }
    ensure!(received.len() == sent.len(), "{} photos were sent and {} arrived", sent.len(), received.len());
    ensure!(got == *sent, "wrong pixels: other photos arrived than were sent");
    Ok(())
}

/// A find-me that was withdrawn stays so through a kill; then she announces herself again.
async fn withdrawn(scene: &mut Scene) -> Result<()> {
    scene.finder.api().withdraw(&scene.event).await?;
    scene.finder.kill().await?;
    start_again(&mut scene.finder).await?;
    let find_me = scene.finders_event().await?.find_me;
    ensure!(find_me.is_none(), "revoked came back: a withdrawn find-me is there again");
    scene::announce(scene.finder.api(), &scene.event).await?;
    Ok(())
}
