//! Times the way between two real daemons against other programs that copy files, on the same data over loopback: `make bench-transfer`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use inframe_tests::daemon::Daemon;
use inframe_tests::films::{Film, LARGE, LARGE_BYTES_A_SECOND};
use inframe_tests::peers::{Data, Ends, Run, by_rsync_daemon, by_ssh, median, new_folder, processor_seconds};
use inframe_tests::photos;
use inframe_tests::scene::{WORKED, announce, enrol, join, share_all, upload, wait_for_rest};
use inframe_tests::syncthing;
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

const GIB: f64 = (1u64 << 30) as f64;
/// All photos together are imported, searched for faces and offered before the clock runs.
const PREPARED: Duration = Duration::from_secs(3600);
/// Long enough for the slowest of them.
const COPIED: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(10);

/// What is measured, from the environment.
struct Wishes {
    rounds: usize,
    photos: u32,
    mib: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let number = |name: &str, usual: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let wishes = Wishes {
        rounds: usize::try_from(number("ROUNDS", 3))?,
        photos: u32::try_from(number("PHOTOS", 1000))?,
        mib: number("MIB", 1024),
    };
    let work = tempfile::Builder::new().prefix("inframe-transfer-").tempdir()?;
    println!("making {} MiB of video and {} photos of about 4 MB", wishes.mib, wishes.photos);
    let data = [film(work.path(), wishes.mib)?, many(work.path(), wishes.photos)?];
    for set in &data {
        let mut holder = Holder::start(set).await?;
        let mut others: Vec<(&str, Copy)> = vec![
            ("rsync over ssh, AES-GCM", by_ssh),
            ("rsync daemon", by_rsync_daemon),
            ("plain TCP and write", by_tcp),
        ];
        if syncthing::is_installed() {
            others.insert(1, ("syncthing", |_, work, data| syncthing::by_syncthing(work, data)));
        } else {
            println!("syncthing is not installed, and left out");
        }
        let ends = Ends::loopback();
        let mut runs: Vec<(&str, Vec<Run>)> = vec![("Inframe", Vec::new())];
        runs.extend(others.iter().map(|(name, _)| (*name, Vec::new())));
        let mut first = Vec::new();
        for _ in 0..wishes.rounds {
            let (run, first_ms) = holder.deliver(set).await?;
            first.push(first_ms);
            runs[0].1.push(run);
            for (at, (_, copy)) in others.iter().enumerate() {
                runs[at + 1].1.push(copy(&ends, work.path(), set)?);
            }
        }
        println!("\n{}, {:.2} GiB, medians of {} rounds, in turns", set.name, set.bytes as f64 / GIB, wishes.rounds);
        println!("{:<26}{:>8}{:>24}{:>34}", "", "MB/s", "CPU s/GiB, both ends", "peak memory MB, sender/receiver");
        for (name, runs) in &mut runs {
            let seconds = median(runs.iter().map(|run| run.seconds));
            let processor = median(runs.iter().map(|run| run.processor_seconds));
            let memory = runs.iter().filter_map(|run| run.memory).max();
            let memory = memory.map_or("-".into(), |(from, to)| format!("{} / {}", from / 1_000_000, to / 1_000_000));
            let (speed, cost) = (set.bytes as f64 / 1e6 / seconds, processor * GIB / set.bytes as f64);
            println!("{name:<26}{speed:>8.0}{cost:>24.1}{memory:>34}");
        }
        println!("first file durable after it was accepted: {:.0} ms", median(first.into_iter()));
    }
    println!(
        "\nInframe: from accepted offers to the last file durable, sealed on both disks; making what may leave and looking for faces are not in it,"
    );
    println!(
        "but the receiver decodes what came and looks for faces in processes of its own meanwhile, whose time is not counted."
    );
    Ok(())
}

fn film(work: &Path, mib: u64) -> Result<Data> {
    let folder = work.join("film");
    std::fs::create_dir(&folder)?;
    let seconds = u32::try_from((mib << 20).div_ceil(LARGE_BYTES_A_SECOND))?;
    let bytes = Film { photos: &[1], seconds, size: (640, 360), encoding: LARGE }.make(&folder.join("film.mp4"))?;
    Ok(Data { name: "one video", folder, bytes: bytes.len() as u64 })
}

/// Photos of her with noise beside, so that each is another file and large.
fn many(work: &Path, count: u32) -> Result<Data> {
    let folder = work.join("photos");
    std::fs::create_dir(&folder)?;
    let mut bytes = 0;
    let hers = image::load_from_memory(&photos::hers()?)?.to_rgb8();
    let (width, height) = hers.dimensions();
    let mut canvas = image::RgbImage::new(width + 1100, height.max(1200));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for number in 0..count {
        for pixel in canvas.pixels_mut() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let [a, b, c, ..] = state.to_le_bytes();
            pixel.0 = [a, b, c];
        }
        image::imageops::replace(&mut canvas, &hers, 0, 0);
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 98).encode_image(&canvas)?;
        bytes += jpeg.len() as u64;
        std::fs::write(folder.join(format!("{number:04}.jpg")), jpeg)?;
    }
    Ok(Data { name: "photos", folder, bytes })
}

/// A daemon that holds the data, and made an event.
struct Holder {
    node: Daemon,
    event: String,
    rounds: u32,
}

impl Holder {
    async fn start(data: &Data) -> Result<Self> {
        let node = Daemon::start("Holder").await?;
        let event = node.api().create_event("Bench").await?.id;
        share_all(node.api(), &event, "automatic").await?;
        for entry in std::fs::read_dir(&data.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).context("no name")?.to_owned();
            upload(node.api(), &name, std::fs::read(&path)?).await?;
        }
        wait_until("faces found", PREPARED, async || {
            let status = node.api().status().await?;
            Ok(if status.at_rest() { Seen::Done(()) } else { Seen::NotYet(format!("{:?}", status.workers)) })
        })
        .await?;
        Ok(Self { node, event, rounds: 0 })
    }

    /// To a new node: what was accepted in its quiet hours is fetched when they end. Gives the milliseconds to the first file as well.
    async fn deliver(&mut self, data: &Data) -> Result<(Run, f64)> {
        self.rounds += 1;
        let finder = Daemon::start(&format!("Finder {}", self.rounds)).await?;
        let count = std::fs::read_dir(&data.folder)?.count();
        let link = self.node.api().invite(&self.event, None, None).await?.link;
        join(self.node.api(), &finder, &self.event, &link).await?;
        enrol(finder.api()).await?;
        let minute = 0;
        finder.api().limit_traffic(&json!({ "quiet_from": "12:01", "quiet_until": format!("12:{minute:02}") })).await?;
        announce(finder.api(), &self.event).await?;
        wait_until("everything accepted", PREPARED, async || {
            for question in self.node.api().approvals("waiting").await? {
                self.node.api().decide(&question.id, "allow", false).await?;
            }
            let sent = waiting(&self.node, "sending").await?;
            let accepted = waiting(&finder, "receiving").await?;
            Ok(if accepted == count {
                Seen::Done(())
            } else {
                Seen::NotYet(format!("{accepted} of {count}; {sent} wait"))
            })
        })
        .await?;
        let ends = [self.node.pid().context("the holder has ended")?, finder.pid().context("the finder has ended")?];
        for pid in ends {
            // From now on the peak is that of the transfer.
            std::fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
        }
        let before = processor_seconds(ends[0])? + processor_seconds(ends[1])?;
        finder.api().limit_traffic(&json!({})).await?;
        let began = Instant::now();
        let mut first = None;
        while began.elapsed() < COPIED {
            let left = waiting(&finder, "receiving").await?;
            if left < count && first.is_none() {
                first = Some(began.elapsed().as_secs_f64() * 1000.0);
            }
            if left == 0 {
                let run = Run {
                    seconds: began.elapsed().as_secs_f64(),
                    processor_seconds: processor_seconds(ends[0])? + processor_seconds(ends[1])? - before,
                    memory: Some((peak(ends[0])?, peak(ends[1])?)),
                };
                // The helper processes of this one are not to disturb the next.
                wait_until("everything taken in", WORKED * 5, async || {
                    let left = waiting(&finder, "taking in").await?;
                    Ok(if left == 0 { Seen::Done(()) } else { Seen::NotYet(format!("{left} left")) })
                })
                .await?;
                wait_for_rest(&self.node).await?;
                return Ok((run, first.context("nothing came")?));
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("it did not come in {} s", COPIED.as_secs())
    }
}

/// Transfers that a worker has not settled.
async fn waiting(node: &Daemon, worker: &str) -> Result<usize> {
    let status = node.api().status().await?;
    let found = status.workers.iter().find(|one| one.name == worker).context("no such worker")?;
    Ok(usize::try_from(found.pending)?)
}

fn peak(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/PID/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Copies the data into a new folder under the first.
type Copy = fn(&Ends, &Path, &Data) -> Result<Run>;

/// What the machine can do without a check and without a key: one connection, then one sync a file.
fn by_tcp(_: &Ends, work: &Path, data: &Data) -> Result<Run> {
    let to = new_folder(work)?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let before = processor_seconds(std::process::id())?;
    let began = Instant::now();
    let folder = data.folder.clone();
    let sending = std::thread::spawn(move || -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let mut stream = std::net::TcpStream::connect(address)?;
            std::io::copy(&mut std::fs::File::open(entry?.path())?, &mut stream)?;
        }
        Ok(())
    });
    for number in 0..std::fs::read_dir(&data.folder)?.count() {
        let (mut stream, _) = listener.accept()?;
        let mut file = std::fs::File::create(to.join(number.to_string()))?;
        std::io::copy(&mut stream, &mut file)?;
        file.sync_all()?;
    }
    sending.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    let seconds = began.elapsed().as_secs_f64();
    let processor_seconds = processor_seconds(std::process::id())? - before;
    std::fs::remove_dir_all(&to)?;
    Ok(Run { seconds, processor_seconds, memory: None })
}
