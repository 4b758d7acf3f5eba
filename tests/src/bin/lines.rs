//! Times photos over bad lines between two real daemons against other programs that copy files, on the same lines: `make bench-lines`.
//! Words as arguments choose lines: those whose names have one of them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use inframe_tests::bad_line::{BadLine, Line};
use inframe_tests::daemon::Daemon;
use inframe_tests::lan::Lan;
use inframe_tests::peers::{Data, Ends, Run, by_rsync_daemon, by_ssh};
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{announce, enrol, gather_on, share_all, upload, wait_for_rest};
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

const PHOTOS: usize = 8;
const MEGABIT: u64 = 125_000;
/// On a good line, before the clock runs.
const PREPARED: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(1_800);
const LOOK: Duration = Duration::from_millis(20);
/// From when until when a line is cut, from the beginning of a copy.
const CUT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(12));

fn lines() -> Vec<(&'static str, Line, bool)> {
    let good = Line::default();
    let ms = Duration::from_millis;
    vec![
        ("10 Mbit/s, nothing else", Line { bytes_a_second: Some(10 * MEGABIT), ..good }, false),
        (
            "10 Mbit/s, 5 % lost, 20 ms",
            Line { bytes_a_second: Some(10 * MEGABIT), loss: 0.05, delay: ms(10), ..good },
            false,
        ),
        ("10 Mbit/s, 300 ms", Line { bytes_a_second: Some(10 * MEGABIT), delay: ms(150), ..good }, false),
        ("1 Mbit/s, 40 ms", Line { bytes_a_second: Some(MEGABIT), delay: ms(20), ..good }, false),
        (
            "10 Mbit/s, 40 ms, 1 of 4 overtakes",
            Line { bytes_a_second: Some(10 * MEGABIT), delay: ms(20), overtaking: 0.25, ..good },
            false,
        ),
        ("1 Mbit/s, cut for 10 s", Line { bytes_a_second: Some(MEGABIT), ..good }, true),
    ]
}

#[tokio::main]
async fn main() -> Result<()> {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let mut lines = lines();
    lines.retain(|(name, ..)| only.is_empty() || only.iter().any(|word| name.contains(word)));
    ensure!(!lines.is_empty(), "no line has {} in its name", only.join(" or "));
    let lan = Lan::bridge(2)?;
    let line = lan.bad_line(0)?;
    let (mut nodes, event) = gather_on(&lan, 2).await?;
    let [holder, finder] = nodes.as_mut_slice() else { bail!("there are two nodes") };
    share_all(holder.api(), &event, "automatic").await?;
    enrol(finder.api()).await?;
    announce(finder.api(), &event).await?;
    let ends = Ends { from: lan.under(0), to: lan.under(1), address: lan.address(1)? };
    let work = tempfile::Builder::new().prefix("inframe-lines-").tempdir()?;
    println!(
        "{:<38}{:>8}{:>14}{:>12}{:>16}{:>16}",
        "line, each way", "MB", "its own time", "Inframe", "rsync, ssh", "rsync daemon"
    );
    for (number, (name, bad, is_cut)) in lines.into_iter().enumerate() {
        let data = data(work.path(), number)?;
        let ours = deliver(holder, finder, &data, &line, bad, is_cut).await?;
        let mut theirs = Vec::new();
        for copy in [by_ssh, by_rsync_daemon] {
            let pause = during(&line, bad, is_cut);
            let (ends, work, data) = (ends.clone(), work.path().to_owned(), data.clone());
            let ran = tokio::task::spawn_blocking(move || copy(&ends, &work, &data));
            let (ran, ()) = tokio::join!(ran, pause);
            // What a copy has left half done, it has not done.
            theirs.push(ran?);
            line.set(Line::default());
        }
        let own = bad.bytes_a_second.map_or(0.0, |width| data.bytes as f64 / width as f64);
        let shown = |run: &Result<Run>| run.as_ref().map_or("fails".to_owned(), |run| format!("{:.1} s", run.seconds));
        println!(
            "{name:<38}{:>8.1}{:>12.1} s{:>10.1} s{:>16}{:>16}",
            data.bytes as f64 / 1e6,
            own,
            ours.as_secs_f64(),
            shown(&theirs[0]),
            shown(&theirs[1])
        );
    }
    Ok(())
}

/// Makes the line bad, and cuts it for a while in the course of it.
async fn during(line: &BadLine, bad: Line, is_cut: bool) {
    line.set(bad);
    if is_cut {
        tokio::time::sleep(CUT.0).await;
        line.set(Line { is_cut: true, ..bad });
        tokio::time::sleep(CUT.1 - CUT.0).await;
        line.set(bad);
    }
}

/// Photos of her, others for each line.
fn data(work: &Path, number: usize) -> Result<Data> {
    let folder = work.join(number.to_string());
    std::fs::create_dir(&folder)?;
    let mut bytes = 0;
    for photo in 0..PHOTOS {
        let share = 0.95 - 0.005 * (number * PHOTOS + photo) as f32;
        let jpeg = photos::varied(1, Variation::Darker(share))?;
        bytes += jpeg.len() as u64;
        std::fs::write(folder.join(format!("{photo}.jpg")), jpeg)?;
    }
    Ok(Data { name: "photos", folder, bytes })
}

/// Gives the time from when the finder may fetch to when the last photo is durable, all of them offered and accepted before, over a good line. The two
/// connect anew on the bad one, as other programs do: a connection of a good line takes what is late for lost.
async fn deliver(
    holder: &Daemon,
    finder: &mut Daemon,
    data: &Data,
    line: &BadLine,
    bad: Line,
    is_cut: bool,
) -> Result<Duration> {
    finder.api().limit_traffic(&json!({ "quiet_from": "12:01", "quiet_until": "12:00" })).await?;
    for entry in std::fs::read_dir(&data.folder)? {
        upload(holder.api(), "photo.jpg", std::fs::read(entry?.path())?).await?;
    }
    wait_until("everything accepted", PREPARED, async || {
        for question in holder.api().approvals("waiting").await? {
            holder.api().decide(&question.id, "allow", false).await?;
        }
        let accepted = receiving(finder).await?;
        Ok(Seen::when((accepted == PHOTOS as u64).then_some(()), || format!("{accepted} accepted")))
    })
    .await?;
    wait_for_rest(holder).await?;
    line.set(bad);
    finder.restart().await?;
    wait_until("the connection", PREPARED, async || {
        let status = finder.api().status().await?;
        Ok(Seen::when((status.peers_connected > 0).then_some(()), || "not connected".into()))
    })
    .await?;
    finder.api().limit_traffic(&json!({})).await?;
    let began = Instant::now();
    let came = async {
        while receiving(finder).await? > 0 {
            ensure!(began.elapsed() < LONGEST, "the photos did not come in {} s", LONGEST.as_secs());
            tokio::time::sleep(LOOK).await;
        }
        anyhow::Ok(began.elapsed())
    };
    let (took, ()) = tokio::join!(came, during(line, bad, is_cut));
    line.set(Line::default());
    // Looking for faces in what came is not to disturb the next.
    wait_for_rest(finder).await?;
    took
}

/// Photos that are accepted and not here yet.
async fn receiving(finder: &Daemon) -> Result<u64> {
    let status = finder.api().status().await?;
    Ok(status.workers.iter().find(|one| one.name == "receiving").context("no such worker")?.pending)
}
