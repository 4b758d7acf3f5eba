//! Bad lines: whatever a line loses, delays, reorders or cuts, every photo comes, whole.

use std::time::Duration;

use anyhow::{Result, ensure};
use inframe_tests::bad_line::Line;
use inframe_tests::daemon::Daemon;
use inframe_tests::lan::Lan;
use inframe_tests::photos::{self, Variation};
use inframe_tests::scene::{self, announce, enrol, gather_on, received, upload};
use inframe_tests::wait::{Seen, wait_until};

/// For some hundred kilobytes on the worst of these lines, with what a loaded machine adds.
const COMES: Duration = Duration::from_secs(240);
/// Long enough for both ends to have noticed.
const APART: Duration = Duration::from_secs(20);
const MEGABIT: u64 = 125_000;

/// Waits until the finder has so many photos.
async fn comes(finder: &Daemon, count: usize, over: &str) -> Result<()> {
    wait_until(&format!("photo {count} over {over}"), COMES, async || {
        let got = received(finder.api()).await?.len();
        ensure!(got <= count, "{got} photos");
        Ok(Seen::when((got == count).then_some(()), || format!("{got} received")))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_photo_comes_over_a_bad_line() -> Result<()> {
    if !Lan::is_possible("bad lines")? {
        return Ok(());
    }
    let lan = Lan::bridge(2)?;
    let line = lan.bad_line(0)?;
    let (nodes, event) = gather_on(&lan, 2).await?;
    let [holder, finder] = nodes.as_slice() else { anyhow::bail!("two nodes") };
    scene::share_all(holder.api(), &event, "automatic").await?;
    enrol(finder.api()).await?;
    announce(finder.api(), &event).await?;
    let good = Line::default();
    let lines = [
        ("a line that loses one frame of twenty", Line { loss: 0.05, ..good }),
        ("a line of 300 ms to and fro", Line { delay: Duration::from_millis(150), ..good }),
        ("a line of one megabit", Line { bytes_a_second: Some(MEGABIT), ..good }),
        (
            "a line on which one of four frames overtakes others",
            Line { delay: Duration::from_millis(20), overtaking: 0.25, ..good },
        ),
    ];
    let mut count = 0;
    for (name, bad) in lines {
        line.set(bad);
        // Another photo each time.
        upload(holder.api(), "arrival.jpg", photos::varied(1, Variation::Darker(0.8 - 0.05 * count as f32))?).await?;
        count += 1;
        comes(finder, count, name).await?;
    }
    // Cut in the middle of a photo that takes half a minute, and whole again.
    line.set(Line { bytes_a_second: Some(MEGABIT), ..good });
    upload(holder.api(), "large.png", photos::hers_large(1_400)?).await?;
    wait_until("the photo under way", COMES, async || {
        let transfers = finder.api().transfers().await?;
        let half = transfers.iter().any(|one| one.state == "active" && one.done_bytes > 0);
        Ok(Seen::when(half.then_some(()), || format!("{transfers:?}")))
    })
    .await?;
    line.set(Line { is_cut: true, ..good });
    tokio::time::sleep(APART).await;
    ensure!(received(finder.api()).await?.len() == count, "it came over a line that is cut");
    line.set(good);
    comes(finder, count + 1, "a line that was cut and mended").await
}
