//! Times the way between two real daemons against other programs that copy files, on the same data over loopback: `make bench-transfer`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use inframe_tests::daemon::Daemon;
use inframe_tests::films::{Film, LARGE, LARGE_BYTES_A_SECOND};
use inframe_tests::photos;
use inframe_tests::scene::{WORKED, announce, enrol, join, share_all, upload, wait_for_rest};
use inframe_tests::wait::{Seen, wait_until};
use serde_json::json;

/// Linux counts processor time in hundredths of a second, on every architecture that it runs on today.
const TICKS_PER_SECOND: f64 = 100.0;
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

/// One copy.
#[derive(Clone, Copy, Default)]
struct Run {
    seconds: f64,
    /// Of both ends.
    processor_seconds: f64,
    /// Most memory of the sender and of the receiver, bytes, where it is known.
    memory: Option<(u64, u64)>,
}

/// A set of files to be copied.
struct Data {
    name: &'static str,
    folder: PathBuf,
    bytes: u64,
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
        let others: [(&str, Copy); 3] =
            [("rsync over ssh, AES-GCM", by_ssh), ("rsync daemon", by_rsync_daemon), ("plain TCP and write", by_tcp)];
        let mut runs: Vec<(&str, Vec<Run>)> = vec![("Inframe", Vec::new())];
        runs.extend(others.iter().map(|(name, _)| (*name, Vec::new())));
        let mut first = Vec::new();
        for _ in 0..wishes.rounds {
            let (run, first_ms) = holder.deliver(set).await?;
            first.push(first_ms);
            runs[0].1.push(run);
            for (at, (_, copy)) in others.iter().enumerate() {
                runs[at + 1].1.push(copy(work.path(), set)?);
            }
        }
        println!("\n{}, {:.2} GiB, medians of {} rounds, in turns", set.name, set.bytes as f64 / GIB, wishes.rounds);
        println!("{:<26}{:>8}{:>22}{:>30}", "", "MB/s", "CPU s/GiB, both ends", "peak memory MB, sender/receiver");
        for (name, runs) in &mut runs {
            let seconds = median(runs.iter().map(|run| run.seconds));
            let processor = median(runs.iter().map(|run| run.processor_seconds));
            let memory = runs.iter().filter_map(|run| run.memory).max();
            let memory = memory.map_or("-".into(), |(from, to)| format!("{} / {}", from / 1_000_000, to / 1_000_000));
            let (speed, cost) = (set.bytes as f64 / 1e6 / seconds, processor * GIB / set.bytes as f64);
            println!("{name:<26}{speed:>8.0}{cost:>22.1}{memory:>30}");
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
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

/// User and system time of a process so far, without its children.
fn processor_seconds(pid: u32) -> Result<f64> {
    Ok(stat_fields(&pid.to_string())?.get(11..13).context("a short /proc/PID/stat")?.iter().sum::<f64>()
        / TICKS_PER_SECOND)
}

/// User and system time of the children that this process has waited for.
fn childrens_seconds() -> Result<f64> {
    Ok(stat_fields("self")?.get(13..15).context("a short /proc/self/stat")?.iter().sum::<f64>() / TICKS_PER_SECOND)
}

/// Fields of proc(5), from the third on.
fn stat_fields(process: &str) -> Result<Vec<f64>> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold spaces; fields are counted from behind it.
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/PID/stat")?;
    Ok(fields.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect())
}

fn peak(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/PID/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

/// Copies the data into a new folder under the first.
type Copy = fn(&Path, &Data) -> Result<Run>;

/// Runs `client` while `server` runs, and counts the time of both.
fn timed(to: &Path, mut server: Child, client: &mut Command) -> Result<Run> {
    let before = childrens_seconds()?;
    let began = Instant::now();
    let status = client.stdout(Stdio::null()).status();
    let seconds = began.elapsed().as_secs_f64();
    // Whatever came of it, the server goes.
    let _ = server.kill();
    server.wait()?;
    ensure!(status?.success(), "{client:?} failed");
    std::fs::remove_dir_all(to)?;
    Ok(Run { seconds, processor_seconds: childrens_seconds()? - before, memory: None })
}

fn new_folder(work: &Path) -> Result<PathBuf> {
    let to = work.join("copy");
    std::fs::create_dir(&to)?;
    Ok(to)
}

/// A port that nobody has just now.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn when_listening(port: u16) -> Result<()> {
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(began.elapsed() < Duration::from_secs(10), "nobody listens at port {port}");
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn by_ssh(work: &Path, data: &Data) -> Result<Run> {
    let keys = work.join("ssh");
    if !keys.exists() {
        std::fs::create_dir(&keys)?;
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(keys.join(key))
                .status()?;
            ensure!(made.success(), "ssh-keygen failed");
        }
        std::fs::copy(keys.join("user.pub"), keys.join("authorized_keys"))?;
        std::fs::create_dir_all("/run/sshd")?;
    }
    let (to, port) = (new_folder(work)?, free_port()?);
    let mut server = Command::new("/usr/sbin/sshd");
    server.args(["-D", "-f", "/dev/null", "-p", &port.to_string()]);
    let options = [
        "ListenAddress=127.0.0.1".to_owned(),
        format!("HostKey={}", keys.join("host").display()),
        format!("AuthorizedKeysFile={}", keys.join("authorized_keys").display()),
        "StrictModes=no".into(),
        "UsePAM=no".into(),
        "PidFile=none".into(),
    ];
    options.iter().for_each(|option| {
        server.args(["-o", option]);
    });
    let server = server.stderr(Stdio::null()).spawn().context("sshd is not installed")?;
    when_listening(port)?;
    let ssh = format!(
        "ssh -p {port} -i {} -c aes128-gcm@openssh.com -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        keys.join("user").display()
    );
    let from = format!("{}/", data.folder.display());
    let target = format!("127.0.0.1:{}/", to.display());
    timed(&to, server, Command::new("rsync").args(["-rW", "--fsync", "-e", &ssh, &from, &target]))
}

fn by_rsync_daemon(work: &Path, data: &Data) -> Result<Run> {
    let (to, port) = (new_folder(work)?, free_port()?);
    let config = work.join("rsyncd.conf");
    std::fs::write(
        &config,
        format!("[to]\npath = {}\nread only = false\nuse chroot = false\nuid = 0\ngid = 0\n", to.display()),
    )?;
    let mut server = Command::new("rsync");
    server.args(["--daemon", "--no-detach", "--address", "127.0.0.1", "--port", &port.to_string()]);
    let server = server.arg("--config").arg(&config).stderr(Stdio::null()).spawn().context("rsync is not installed")?;
    when_listening(port)?;
    let (from, target) = (format!("{}/", data.folder.display()), format!("rsync://127.0.0.1:{port}/to/"));
    timed(&to, server, Command::new("rsync").args(["-rW", "--fsync", &from, &target]))
}

/// What the machine can do without a check and without a key: one connection, then one sync a file.
fn by_tcp(work: &Path, data: &Data) -> Result<Run> {
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
