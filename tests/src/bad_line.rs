//! A line that loses, delays, reorders and cuts what passes, between a host of a network and its switch.
//!
//! Both ends are network devices of this process (TAP). Each frame that comes out of one is put into the other: later, never, or before its turn. So
//! the systems on both sides see what they would see on a bad line, down to the last header.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_tun::Tun;

/// Longest frame: 1,500 bytes and its header, with room for a tag.
const FRAME_BYTES: usize = 1_600;
/// What waits for its turn on a narrow line at most; what comes then is lost, as in a router.
const WAITING: Duration = Duration::from_millis(500);

/// What a line is like, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Time that a frame takes.
    pub delay: Duration,
    /// Part of the frames that are lost.
    pub loss: f64,
    /// Width; no bound when absent.
    pub bytes_a_second: Option<u64>,
    /// Part of the frames that do not take that time, and so overtake others.
    pub overtaking: f64,
    /// Nothing passes.
    pub is_cut: bool,
}

/// A line; what it joins is apart when it is dropped.
#[derive(Debug)]
pub struct BadLine {
    line: Arc<Mutex<Line>>,
    pumps: [JoinHandle<io::Result<()>>; 2],
}

impl BadLine {
    /// Makes both ends, named as given, in this process's network.
    ///
    /// # Errors
    /// When this user may not make network devices.
    pub(crate) fn between(ends: [&str; 2]) -> Result<Self> {
        let end = |name: &str| -> Result<Arc<Tun>> {
            let made = Tun::builder().name(name).tap().build().context("cannot make a network device")?;
            Ok(Arc::new(made.into_iter().next().context("no network device was made")?))
        };
        let [one, other] = [end(ends[0])?, end(ends[1])?];
        let line = Arc::<Mutex<Line>>::default();
        let pump = |from: &Arc<Tun>, to: &Arc<Tun>, seed| {
            tokio::spawn(Pump { line: line.clone(), from: from.clone(), to: to.clone(), dice: Dice(seed) }.run())
        };
        let pumps = [pump(&one, &other, 1), pump(&other, &one, 2)];
        Ok(Self { line, pumps })
    }

    /// From now on the line is so.
    pub fn set(&self, line: Line) {
        *self.line.lock().unwrap_or_else(PoisonError::into_inner) = line;
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        self.pumps.iter().for_each(JoinHandle::abort);
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    /// Whether something happens that happens so often.
    fn falls(&mut self, part: f64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as f64) < part * (1_u64 << 31) as f64
    }
}

/// One direction.
struct Pump {
    line: Arc<Mutex<Line>>,
    from: Arc<Tun>,
    to: Arc<Tun>,
    dice: Dice,
}

impl Pump {
    async fn run(mut self) -> io::Result<()> {
        let mut under_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>> = BinaryHeap::new();
        let mut free_at = Instant::now();
        let mut frame = vec![0; FRAME_BYTES];
        for number in 0.. {
            let next = under_way.peek().map(|Reverse((at, ..))| *at);
            tokio::select! {
                biased;
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    if let Some(Reverse((.., frame))) = under_way.pop() {
                        // A device that is down takes nothing.
                        let _ = self.to.send_all(&frame).await;
                    }
                }
                read = self.from.recv(&mut frame) => {
                    let len = read?;
                    if let Some(at) = self.arrives_at(len, &mut free_at) {
                        under_way.push(Reverse((at, number, frame.get(..len).unwrap_or_default().to_vec())));
                    }
                }
            }
        }
        Ok(())
    }

    /// When a frame of so many bytes comes out, if it does.
    fn arrives_at(&mut self, len: usize, free_at: &mut Instant) -> Option<Instant> {
        let line = *self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if line.is_cut || self.dice.falls(line.loss) {
            return None;
        }
        let begins = now.max(*free_at);
        if begins - now > WAITING {
            return None;
        }
        let takes =
            line.bytes_a_second.map_or(Duration::ZERO, |width| Duration::from_secs_f64(len as f64 / width as f64));
        *free_at = begins + takes;
        let delay = if self.dice.falls(line.overtaking) { Duration::ZERO } else { line.delay };
        Some(*free_at + delay)
    }
}
