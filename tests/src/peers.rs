//! Other programs that copy files, on the same data between the same ends, to be compared with.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Linux counts processor time in hundredths of a second, on every architecture that it runs on today.
const TICKS_PER_SECOND: f64 = 100.0;
const LOOK: Duration = Duration::from_millis(10);

/// One copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// How long it took.
    pub seconds: f64,
    /// Of both ends.
    pub processor_seconds: f64,
    /// Most memory of the sender and of the receiver, bytes, where it is known.
    pub memory: Option<(u64, u64)>,
}

/// A set of files to be copied.
#[derive(Clone, Debug)]
pub struct Data {
    /// What it is called.
    pub name: &'static str,
    /// Where it is, with nothing else.
    pub folder: PathBuf,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Where both ends of a copy run.
#[derive(Clone, Debug)]
pub struct Ends {
    /// What the sender's programs are run under, such as `ip netns exec NAME`.
    pub from: Vec<String>,
    /// What the receiver's are.
    pub to: Vec<String>,
    /// Where the receiver listens.
    pub address: Ipv4Addr,
}

impl Ends {
    /// Both on this machine, over loopback.
    #[must_use]
    pub fn loopback() -> Self {
        Self { from: Vec::new(), to: Vec::new(), address: Ipv4Addr::LOCALHOST }
    }

    fn command(&self, under: &[String], program: &str) -> Command {
        match under.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }

    /// Waits until somebody listens at a port of the receiver, who is asked from beside it.
    fn when_listening(&self, port: u16) -> Result<()> {
        let began = Instant::now();
        let probe = format!("exec 3<>/dev/tcp/{}/{port}", self.address);
        let mut ask = self.command(&self.to, "bash");
        ask.args(["-c", &probe]).stderr(Stdio::null());
        while !ask.status()?.success() {
            ensure!(began.elapsed() < Duration::from_secs(10), "nobody listens at port {port}");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

/// The middle one.
#[must_use]
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// User and system time of a process so far, without its children.
///
/// # Errors
/// When there is no such process.
pub fn processor_seconds(pid: u32) -> Result<f64> {
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

/// A new folder to copy into, under the first.
///
/// # Errors
/// When it is there already.
pub fn new_folder(work: &Path) -> Result<PathBuf> {
    let to = work.join("copy");
    std::fs::create_dir(&to)?;
    Ok(to)
}

/// A port that nobody has just now.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// By rsync over ssh with AES-GCM.
///
/// # Errors
/// When one of the programs is not installed or fails.
pub fn by_ssh(ends: &Ends, work: &Path, data: &Data) -> Result<Run> {
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
    let address = ends.address;
    let mut server = ends.command(&ends.to, "/usr/sbin/sshd");
    server.args(["-D", "-f", "/dev/null", "-p", &port.to_string()]);
    let options = [
        format!("ListenAddress={address}"),
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
    ends.when_listening(port)?;
    let ssh = format!(
        "ssh -p {port} -i {} -c aes128-gcm@openssh.com -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
        keys.join("user").display()
    );
    let from = format!("{}/", data.folder.display());
    let target = format!("{address}:{}/", to.display());
    timed(&to, server, ends.command(&ends.from, "rsync").args(["-rW", "--fsync", "-e", &ssh, &from, &target]))
}

/// By rsync to an rsync daemon, in the clear.
///
/// # Errors
/// When it is not installed or fails.
pub fn by_rsync_daemon(ends: &Ends, work: &Path, data: &Data) -> Result<Run> {
    let (to, port) = (new_folder(work)?, free_port()?);
    let address = ends.address;
    let config = work.join("rsyncd.conf");
    std::fs::write(
        &config,
        format!("[to]\npath = {}\nread only = false\nuse chroot = false\nuid = 0\ngid = 0\n", to.display()),
    )?;
    let mut server = ends.command(&ends.to, "rsync");
    server.args(["--daemon", "--no-detach", "--address", &address.to_string(), "--port", &port.to_string()]);
    let server = server.arg("--config").arg(&config).stderr(Stdio::null()).spawn().context("rsync is not installed")?;
    ends.when_listening(port)?;
    let (from, target) = (format!("{}/", data.folder.display()), format!("rsync://{address}:{port}/to/"));
    timed(&to, server, ends.command(&ends.from, "rsync").args(["-rW", "--fsync", &from, &target]))
}
