//! Forbidden things that a confined child tries, to prove that the kernel stops it: `inframe worker probe THING`.
//!
//! The exit code says what came of it; a thing that the filter does not forgive ends the process by a signal instead.

use std::fs::{File, read_dir};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

use rustix::process::{Pid, Resource, Rlimit, Signal};

/// The thing was done: the confinement has a hole.
pub const DONE: u8 = 10;
/// The thing was refused.
pub const REFUSED: u8 = 11;

/// Tries one thing.
pub(super) fn attempt(thing: &str) -> ExitCode {
    let done = match thing {
        "nothing" => true,
        "open" => File::open("/etc/passwd").is_ok(),
        "create" => File::create("/tmp/inframe-probe").is_ok(),
        "list" => read_dir("/").is_ok(),
        "udp" => UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).is_ok(),
        "connect" => TcpStream::connect((Ipv4Addr::LOCALHOST, 9)).is_ok(),
        "unix" => UnixStream::pair().is_ok(),
        "run" => Command::new("/bin/true").status().is_ok(),
        "thread" => std::thread::Builder::new().spawn(|| ()).is_ok(),
        "kill" => {
            rustix::process::getppid().is_some_and(|parent| rustix::process::kill_process(parent, Signal::URG).is_ok())
        }
        "signal" => rustix::process::kill_process(Pid::INIT, Signal::URG).is_ok(),
        "raise" => rustix::process::setrlimit(Resource::As, Rlimit { current: None, maximum: None }).is_ok(),
        "rename" => rustix::thread::set_name(c"probe").is_ok(),
        "pidfd" => rustix::process::pidfd_open(Pid::INIT, rustix::process::PidfdFlags::empty()).is_ok(),
        "memfd" => rustix::fs::memfd_create("probe", rustix::fs::MemfdFlags::empty()).is_ok(),
        _ => return ExitCode::FAILURE,
    };
    ExitCode::from(if done { DONE } else { REFUSED })
}
