//! Measures what an idle daemon costs, with a library and after its worker processes have gone: `make bench`.

use std::time::Duration;

use anyhow::{Context, Result};
use inframe_tests::daemon::Daemon;
use inframe_tests::photos;
use inframe_tests::scene;
use inframe_tests::wait::{Seen, wait_until};

/// Worker processes leave after half a minute without work.
const WORKERS_GONE: Duration = Duration::from_secs(120);
/// Long enough for every timer of an idle daemon to come round a few times.
const WATCH: Duration = Duration::from_secs(60);
/// Linux counts processor time in hundredths of a second, on every architecture that it runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::main]
async fn main() -> Result<()> {
    let node = Daemon::start("Idle").await?;
    scene::agree(node.api()).await?;
    for number in 1..=6 {
        let asset = scene::upload(node.api(), &format!("sample{number}.jpg"), photos::sample(number)?).await?;
        scene::wait_for_faces(node.api(), &asset).await?;
    }
    println!("library: 6 photos, faces found");
    wait_until("the worker processes gone", WORKERS_GONE, async || {
        let alive = node.api().status().await?.sandbox_processes;
        Ok(if alive == 0 { Seen::Done(()) } else { Seen::NotYet(format!("{alive} alive")) })
    })
    .await?;
    let pid = node.pid().context("the daemon has ended")?;
    let before = processor_seconds(pid)?;
    tokio::time::sleep(WATCH).await;
    let used = processor_seconds(pid)? - before;
    println!(
        "idle for {} s: {:.2} s of processor time, {:.2} % of one core",
        WATCH.as_secs(),
        used,
        100.0 * used / WATCH.as_secs_f64()
    );
    for field in ["VmRSS", "RssAnon", "VmHWM", "Threads"] {
        println!("{field:<8} {}", status_field(pid, field)?);
    }
    Ok(())
}

/// User and system time of a process so far.
fn processor_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold spaces; fields are counted from behind it. 14 and 15 of proc(5) are user and system time.
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/PID/stat")?;
    let ticks: Vec<f64> = fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

fn status_field(pid: u32, name: &str) -> Result<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line =
        status.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name} in /proc/PID/status"))?;
    Ok(line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned()))
}
